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
// Of these, only the account of 2, 4 and 7 need what the customer types. All else is begun before, and the
// order is kept where its outcomes are looked at. Nothing here looks at the exchange's coins.

import { AccountError, canonicalAccountId } from "./account.js";
import { parseBalances } from "./balances.js";
import { checkDeclaration } from "./declaration.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { checkAccount, checkLeaves, compareBalances, readPackage } from "./inclusion.js";
import { publicKeyText } from "./keys.js";
import { checkManifest, namedKey } from "./manifest.js";
import { MAX_MANIFEST_BYTES, RECORD_PATH } from "./params.js";
import { UnitTable } from "./table.js";
import { awaitedLater } from "./turns.js";

const SIGNATURE_BYTES = 64;
const DAY_SECONDS = 86_400n;
// It verifies nothing.
const NOBODYS_KEY = new Uint8Array(32);

/**
 * The manifest of a bundle (1), which also fills in the form; `key` has 32 bytes, and `units` are known
 * beside the page's own table, as rows of `UnitTable`. Without a key it is checked under the one that it
 * names itself: whoever asks so has to look up then whose that is.
 */
export async function openBundle(core, source, key, units = []) {
  const data = awaitedLater(readSigned(source, "manifest.msgpack", MAX_MANIFEST_BYTES));
  const signature = awaitedLater(readSigned(source, "manifest.sig", SIGNATURE_BYTES));
  const from = key ?? namedKey(await data) ?? NOBODYS_KEY;
  try {
    return await checkManifest(core, await data, await signature, from, new UnitTable(units));
  } catch (error) {
    if (error instanceof Rejected) error.facts.signer = publicKeyText(from);
    throw error;
  }
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

/** The check that an account's balances are counted in a bundle whose manifest is `checked` (2 to 7). */
export class Inclusion {
  /**
   * Begin with what needs nothing typed: `packageData` (bytes, untrusted) and two promises, `source`, where
   * pages are read, and `declaration` (of declaration.js). `helpers` check batches as the core does, and
   * `onPage` is called with the place of each page that was read.
   *
   * @param {{ source: Promise<any>, declaration: Promise<any>, packageData: Uint8Array }} given
   * @param {(place: string) => void} onPage
   */
  constructor(core, helpers, checked, given, onPage = () => {}) {
    this.checked = checked;
    this.source = awaitedLater(given.source);
    this.declaration = awaitedLater(given.declaration);
    this.body = awaitedLater(readPackage(core, checked, given.packageData));
    this.leaves = awaitedLater(Promise.all([this.source, this.body]).then(
      ([from, body]) => checkLeaves(core, helpers, from, checked, body, onPage),
    ));
  }

  /**
   * Check what was typed: `accountId`, and `balances`, decimals by asset code; `now` is the device's clock
   * in Unix seconds. `onStep` is called with the name of each step as it begins. Throws Rejected,
   * CannotCheck or Misuse.
   *
   * @param {{ accountId: string, balances: Record<string, string>, now: number }} typed
   * @param {(name: string) => void} onStep
   */
  async finish({ accountId, balances, now }, onStep = () => {}) {
    const { checked } = this;
    onStep("declaration");
    const { data, unread } = await this.declaration;
    await this.source;
    const typed = parseBalances(balances);
    const canonical = canonicalId(accountId, checked.manifest.account_id_type);
    onStep("package");
    const body = await this.body; // 2
    checkAccount(body, canonical);
    onStep("leaves");
    const { pages, areProved } = await this.leaves; // 3
    onStep("balances");
    const amounts = compareBalances(checked, body, typed, areProved ? pages : 0); // 4
    const declared = unread ? { unread } : { loans: checkDeclaration(data) }; // 5
    if (!areProved) throw new CannotCheck(RECORD_PATH, "not there", "check.not-proved"); // 6
    if (checked.manifest.time > BigInt(now) + DAY_SECONDS) { // 7
      throw new CannotCheck("manifest", "dated ahead of the clock", "check.future");
    }
    return { amounts, pages, declared };
  }

  /** Whether all that was begun holds, so that what is typed next can be checked against it. */
  async holds() {
    try {
      const [{ areProved }, { unread }] = await Promise.all([this.leaves, this.declaration]);
      return areProved && !unread;
    } catch {
      return false;
    }
  }
}

function canonicalId(typed, type) {
  try {
    return canonicalAccountId(typed, type);
  } catch (error) {
    if (error instanceof AccountError) throw new Misuse("account", error.rule);
    throw error;
  }
}
