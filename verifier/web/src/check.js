// The numbered plan of a customer's check, and its only composer. Returning means accepted.
//
// 1. Manifest: signed by the key that the user gave, canonical, every field in order.
// 2. Previous manifest, where the user gave one.
// 3. Package: signed, of this manifest, of the account that the user typed.
// 4. Leaves: each opens with the user's id, and its path leads to the signed root.
// 5. Balances: what is counted is at least what the user typed.
// 6. Solvency argument of every asset, against the total that its evidence states.

import { AccountError, canonicalAccountId } from "./account.js";
import { Misuse } from "./errors.js";
import { checkLeaves, checkPackage, compareBalances, parseBalances } from "./inclusion.js";
import { DEFAULT_POLICY, checkManifest, checkPrevious } from "./manifest.js";
import { MAX_MANIFEST_BYTES } from "./params.js";
import { checkSolvency } from "./solvency.js";

const SIGNATURE_BYTES = 64;

/** The manifest of a bundle: 1 of the plan, which also fills in the form. */
export async function openBundle(core, source, key, policy = DEFAULT_POLICY) {
  const data = await source.read("manifest.msgpack", MAX_MANIFEST_BYTES);
  const signature = await source.read("manifest.sig", SIGNATURE_BYTES);
  return checkManifest(core, data, signature, key, policy);
}

/**
 * Check that an account's balances are counted (1 to 5).
 *
 * `request` has `key` (32 bytes), `packageData` (bytes, untrusted), `accountId` and `balances` (decimals
 * by asset code) as the customer typed them, and optionally `policy` and `previous` (`data`, `signature`).
 * `onStep` is called with the name of each step as it begins, and `onPage` after each page.
 * Throws Rejected, CannotCheck or Misuse.
 */
export async function checkInclusion(core, source, request, { onStep = () => {}, onPage = () => {} } = {}) {
  const typed = parseBalances(request.balances);
  onStep("manifest");
  const checked = await openBundle(core, source, request.key, request.policy); // 1
  if (request.previous) {
    await checkPrevious(core, checked, request.previous.data, request.previous.signature); // 2
  }
  const accountId = canonicalId(request.accountId, checked.manifest.account_id_type);
  onStep("package");
  const body = await checkPackage(core, checked, request.packageData, accountId); // 3
  onStep("leaves");
  const pages = await checkLeaves(core, source, checked, body, onPage); // 4
  onStep("balances");
  const amounts = compareBalances(checked, body, typed); // 5
  return { ...checked, amounts, pages };
}

/** Check the solvency argument of every asset of a checked manifest (6). */
export async function checkAllSolvency(core, source, checked, { onStep = () => {} } = {}) {
  onStep("solvency");
  for (const asset of checked.manifest.assets) await checkSolvency(core, source, checked, asset);
}

function canonicalId(typed, type) {
  try {
    return canonicalAccountId(typed, type);
  } catch (error) {
    if (error instanceof AccountError) throw new Misuse("account", error.rule);
    throw error;
  }
}
