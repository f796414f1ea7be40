// The numbered plan of a customer's check (spec/protocol.md, section 5), and its only composer.
// Returning means accepted.
//
// 1. Manifest: signed by the key that the user gave, canonical, every field in order.
// 2. Package: signed, of this manifest, of the account that the user typed.
// 3. Leaves: the path of each leads to the signed root; its identity is the user's, and the amount stands
//    at its place.
// 4. Balances: what is counted is at least what the user typed.
// 5. Declaration, as far as it can be read: of the file that the exchange signed for, its form. The rest
//    stands whether or not it can be read, for what is served in its place nobody signed.
// 6. Arguments of the pages: they were there. Without them all else shows nothing yet.
// 7. Clock: the snapshot is not dated ahead of this device's. It comes last, so that what is false is
//    rejected whatever the clock says.
//
// Nothing here looks at the exchange's coins.

import { AccountError, canonicalAccountId } from "./account.js";
import { checkDeclaration } from "./declaration.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { checkLeaves, checkPackage, compareBalances, parseBalances } from "./inclusion.js";
import { checkManifest } from "./manifest.js";
import { MAX_MANIFEST_BYTES, RECORD_PATH } from "./params.js";
import { UnitTable } from "./table.js";

const SIGNATURE_BYTES = 64;
const DAY_SECONDS = 86_400n;

/**
 * The manifest of a bundle (1), which also fills in the form; `key` has 32 bytes, and `units` are known
 * beside the page's own table, as rows of `UnitTable`.
 */
export async function openBundle(core, source, key, units = []) {
  const data = await readSigned(source, "manifest.msgpack", MAX_MANIFEST_BYTES);
  const signature = await readSigned(source, "manifest.sig", SIGNATURE_BYTES);
  return checkManifest(core, data, signature, key, new UnitTable(units));
}

/** Where a manifest or its signature is not there, nothing is signed, and so nothing is false. */
async function readSigned(source, path, limit) {
  try {
    return await source.read(path, limit);
  } catch (error) {
    if (error instanceof Rejected) throw new CannotCheck(path, "not there", "check.no-bundle");
    throw error;
  }
}

/**
 * Check that an account's balances are counted in a bundle whose manifest is `checked` (2 to 7).
 *
 * `request` has `packageData` (bytes, untrusted), `accountId` and `balances` (decimals by asset code)
 * as the customer typed them, `declaration` (of declaration.js), and `now`, the device's clock in Unix
 * seconds. `onStep` is called with
 * the name of each step as it begins, and `onPage` after each page. Throws Rejected, CannotCheck or
 * Misuse.
 *
 * @param {{ onStep?: (name: string) => void, onPage?: () => void }} told
 */
export async function checkInclusion(core, source, checked, request, told = {}) {
  const { onStep = () => {}, onPage = () => {} } = told;
  const typed = parseBalances(request.balances);
  const accountId = canonicalId(request.accountId, checked.manifest.account_id_type);
  onStep("package");
  const body = await checkPackage(core, checked, request.packageData, accountId); // 2
  onStep("leaves");
  const { pages, areProved } = await checkLeaves(core, source, checked, body, onPage); // 3
  onStep("balances");
  const amounts = compareBalances(checked, body, typed); // 4
  const { data, unread } = request.declaration; // 5
  const declared = unread ? { unread } : { loans: checkDeclaration(data) };
  if (!areProved) throw new CannotCheck(RECORD_PATH, "not there", "check.not-proved"); // 6
  if (checked.manifest.time > BigInt(request.now) + DAY_SECONDS) { // 7
    throw new CannotCheck("manifest", "dated ahead of the clock", "check.future");
  }
  return { amounts, pages, declared };
}

function canonicalId(typed, type) {
  try {
    return canonicalAccountId(typed, type);
  } catch (error) {
    if (error instanceof AccountError) throw new Misuse("account", error.rule);
    throw error;
  }
}
