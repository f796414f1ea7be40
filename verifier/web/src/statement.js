// What is proved, as hashes: context, unit list, the transcripts of arguments, a leaf's blinding
// factor (spec/protocol.md 1.3, 2.1, 2.2; spec/transcript.md, section 3, items 1 to 4).

import { concat, fromHex, lengthPrefixed, toBigInt, uint, utf8 } from "./bytes.js";
import { BASE_POINT_HEX, GROUP_ORDER } from "./params.js";

const PROTOCOL_VERSION = 1;
const ARGUMENT_VERSION = 1;

export const tag = (purpose) => utf8(`assay/v1/${purpose}`);

const hash = (core, purpose, ...parts) => core.taggedHash(tag(purpose), concat(...parts));

export const manifestDigest = (core, data) => hash(core, "manifest", data);
export const evidenceDigest = (core, data) => hash(core, "evidence", data);

/** The 32-byte context of a snapshot; `time` in Unix seconds. */
export function snapshotContext(core, { public_key, exchange, snapshot_id, time }) {
  const fields = [public_key, exchange, snapshot_id, uint(time, 8)];
  return hash(core, "context", ...fields.map(lengthPrefixed));
}

/** The blinding factor of one part of an account's balance, from the id that the customer typed. */
export function leafBlinding(core, context, code, accountId, accountKey, part) {
  const leaf = hash(core, "leaf", ...[context, code, accountId].map(lengthPrefixed));
  const digest = hash(core, "blinding", accountKey, leaf, uint(part, 4));
  return uint(toBigInt(digest) % GROUP_ORDER, 32);
}

/** The transcript's state after item 3, from which every page of the asset starts. */
export const pageState = (core, context, asset) => begin(core, "page", context, asset);

/** The state after item 4 of an asset's solvency argument; commitments in 33 bytes each. */
export function solvencyState(core, context, asset, assets, liabilities) {
  const statement = concat(
    uint(asset.ratio.num, 4), uint(asset.ratio.den, 4), asset.root, asset.evidence, assets, liabilities,
  );
  const state = begin(core, "solvency", context, asset);
  return core.transcriptAbsorb(state, utf8("statement"), statement);
}

/** C_A = total·V + Σ hidden, and den·C_A - num·C_L; 33 bytes each. */
export function solvencyCommitments(core, total, hidden, ratio, liabilities) {
  const one = uint(1, 32);
  const base = fromHex(BASE_POINT_HEX);
  const den = uint(ratio.den, 32);
  const assets = core.multiply([uint(total, 32), ...hidden.map(() => one)], [base, ...hidden]);
  const difference = core.multiply(
    [uint(ratio.den * total, 32), ...hidden.map(() => den), uint(GROUP_ORDER - ratio.num, 32)],
    [base, ...hidden, liabilities],
  );
  return { assets, difference };
}

function begin(core, kind, context, asset) {
  const versions = concat(uint(PROTOCOL_VERSION, 2), uint(ARGUMENT_VERSION, 2));
  const names = ["secp256k1", "assay/v1/generator", kind].map(lengthPrefixed);
  const units = asset.units.map((unit) =>
    concat(lengthPrefixed(unit.chain), lengthPrefixed(unit.contract), uint(unit.decimals, 1)),
  );
  const digest = hash(core, "units", uint(units.length, 4), ...units);
  const items = [
    ["argument", concat(versions, ...names)],
    ["context", context],
    ["asset", concat(lengthPrefixed(asset.code), uint(asset.decimals, 1), digest)],
  ];
  return items.reduce(
    (state, [label, data]) => core.transcriptAbsorb(state, utf8(label), data),
    core.transcriptBegin(),
  );
}
