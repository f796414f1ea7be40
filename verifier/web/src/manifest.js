// Numbers 2 to 26 of spec/errors.md, section 1: the manifest under the user's key. A customer names
// no ratio, unit or earlier manifest here: the ratio is at least 1/1, and what a unit is says the table.

import { isName } from "./account.js";
import { compareText, concat, equal, isAscending, lengthPrefixed } from "./bytes.js";
import { Rejected } from "./errors.js";
import { isSigned, publicKeyText } from "./keys.js";
import { CAPACITIES, MAX_LEAVES, MAX_MANIFEST_BYTES, TreeShape } from "./params.js";
import { MANIFEST, read } from "./records.js";
import { manifestDigest, snapshotContext } from "./statement.js";
import { UnitTable } from "./table.js";

const CODE = /^[A-Z0-9]{1,16}$/;
const CHAIN_NAME = /^[a-z0-9-]{1,32}$/;
const SNAPSHOT_ID = /^[a-z0-9-]{1,64}$/;
const ID_TYPES = ["email", "phone", "opaque"];
const PAGE_SIZES = [16n, 256n, 4096n];
const MAX_TIME = 2n ** 40n;
const MAX_HEIGHT = 2n ** 63n - 1n;
const MAX_LEDGER_DECIMALS = 30n;
const MAX_UNIT_DECIMALS = 36n;
const MAX_HINT_BYTES = 2 ** 20;
const MAX_RATIO_TERM = 2n ** 32n - 1n;

const fault = (code, where = "manifest", facts = {}) => new Rejected(`manifest.${code}`, where, facts);

/**
 * Check untrusted bytes; returns the manifest, its digest, its context and the codes that are set aside.
 * `table` is what is known of units.
 */
export async function checkManifest(core, data, signature, key, table = new UnitTable()) {
  // 2 - 5
  if (data.length < 1 || data.length > MAX_MANIFEST_BYTES) throw fault("too-large");
  if (!(await isSigned(core, key, "manifest-signature", data, signature))) {
    const named = namedKey(data);
    throw fault("bad-signature", "manifest", { namedKey: named && publicKeyText(named), askedKey: publicKeyText(key) });
  }
  const manifest = read(MANIFEST, data, fault);
  // 6 - 13
  checkHead(manifest, key);
  checkChains(manifest);
  await checkRotation(core, manifest);
  // 14
  if (!manifest.assets.every((asset) => CODE.test(asset.code))) throw fault("bad-code");
  if (!isAscending(manifest.assets.map((asset) => asset.code), compareText)) throw fault("bad-code");
  // 16 - 26
  const used = new Set();
  const setAside = new Set();
  for (const asset of manifest.assets) {
    checkUnits(manifest, asset, table, used);
    if (!asset.units.every((unit) => table.has(asset.code, unit))) setAside.add(asset.code);
    checkTreeAndRatio(core, asset);
  }
  const context = snapshotContext(core, manifest);
  return { manifest, digest: manifestDigest(core, data), context, setAside };
}

/** The key that untrusted bytes name as their own; null if none. */
export function namedKey(data) {
  if (data.length > MAX_HINT_BYTES) return null; // it takes a hundred times as much memory
  try {
    return read(MANIFEST, data, fault).public_key;
  } catch (error) {
    if (error instanceof Rejected) return null;
    throw error;
  }
}

/** Numbers 6 to 11. */
function checkHead(manifest, key) {
  if (manifest.protocol_version !== 1n || manifest.argument_version !== 1n) {
    throw fault("unsupported-version");
  }
  if (!equal(manifest.public_key, key)) throw fault("key-mismatch");
  if (!isName(manifest.exchange)) throw fault("bad-name");
  if (!SNAPSHOT_ID.test(manifest.snapshot_id)) throw fault("bad-snapshot-id");
  if (manifest.time < 1n || manifest.time > MAX_TIME) throw fault("bad-time");
  if (!ID_TYPES.includes(manifest.account_id_type)) throw fault("bad-account-id-type");
}

/** Number 12. */
function checkChains({ chains, time }) {
  if (!chains.every(({ name, height }) => CHAIN_NAME.test(name) && height <= MAX_HEIGHT)) {
    throw fault("bad-chain");
  }
  const isMoney = ({ hash, height }) => height === time && hash.every((byte) => byte === 0);
  if (!chains.every((chain) => chain.name !== "fiat" || isMoney(chain))) throw fault("bad-chain");
  if (!isAscending(chains.map((chain) => chain.name), compareText)) throw fault("bad-chain");
}

/** Number 13. */
async function checkRotation(core, manifest) {
  for (const rotation of manifest.rotation) {
    const [older, newer] = [rotation.old_key, manifest.public_key];
    const fields = [older, newer, manifest.exchange].map(lengthPrefixed);
    const body = concat(...fields, manifest.previous);
    if (equal(older, newer) || manifest.previous.every((byte) => byte === 0)) throw fault("bad-rotation");
    if (!(await isSigned(core, older, "rotation", body, rotation.old_signature))) throw fault("bad-rotation");
    if (!(await isSigned(core, newer, "rotation", body, rotation.new_signature))) throw fault("bad-rotation");
  }
}

/** Numbers 16 to 20; adds the asset's (chain, contract) pairs to `used`. */
function checkUnits(manifest, asset, table, used) {
  const where = `manifest, ${asset.code}`;
  const pairs = asset.units.map((unit) => [unit.chain, unit.contract]);
  const inRange = (unit) => asset.decimals <= unit.decimals && unit.decimals <= MAX_UNIT_DECIMALS;
  if (asset.decimals > MAX_LEDGER_DECIMALS || !asset.units.every(inRange)) {
    throw fault("bad-decimals", where);
  }
  const order = (a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]);
  if (!isAscending(pairs, order)) throw fault("bad-units", where);
  const chains = new Set(manifest.chains.map((chain) => chain.name));
  if (!pairs.every(([chain]) => chains.has(chain))) throw fault("unit-without-block", where);
  if (asset.units.some((unit) => table.contradicts(asset.code, unit))) throw fault("wrong-unit", where);
  const names = pairs.map((pair) => JSON.stringify(pair));
  if (names.some((name) => used.has(name))) throw fault("unit-reused", where);
  names.forEach((name) => used.add(name));
}

/** Numbers 21 to 26. */
function checkTreeAndRatio(core, asset) {
  const where = `manifest, ${asset.code}`;
  const { num, den } = asset.ratio;
  if (!PAGE_SIZES.includes(asset.page_size)) throw fault("bad-page-size", where);
  const shape = new TreeShape(Number(asset.capacity), Number(asset.page_size));
  if (!CAPACITIES.has(asset.capacity) || shape.leaves > MAX_LEAVES) throw fault("bad-capacity", where);
  if (asset.levels !== BigInt(shape.levels)) throw fault("bad-levels", where);
  const inRange = [num, den].every((term) => 1n <= term && term <= MAX_RATIO_TERM);
  if (!inRange || gcd(num, den) !== 1n) throw fault("bad-ratio", where);
  if (num < den) throw fault("ratio-below-policy", where);
  if (!core.pointIsValid(asset.sum)) throw fault("bad-sum", where);
}

function gcd(a, b) {
  return b === 0n ? a : gcd(b, a % b);
}
