// What is proved, as hashes: context, unit list, the transcripts of pages, a leaf's blinding factor
// (spec/protocol.md 1.3, 2.1, 2.2; spec/transcript.md, section 3, items 1 to 3).

import { concat, lengthPrefixed, toBigInt, uint, utf8 } from "./bytes.js";
import { GROUP_ORDER } from "./params.js";

const PROTOCOL_VERSION = 1;
const ARGUMENT_VERSION = 1;

export const tag = (purpose) => utf8(`assay/v1/${purpose}`);

const hash = (core, purpose, ...parts) => core.taggedHash(tag(purpose), concat(...parts));

export const manifestDigest = (core, data) => hash(core, "manifest", data);

export const declarationDigest = (core, data) => hash(core, "declaration", data);

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
export function pageState(core, context, asset) {
  const versions = concat(uint(PROTOCOL_VERSION, 2), uint(ARGUMENT_VERSION, 2));
  const names = ["secp256k1", "assay/v1/generator", "page"].map(lengthPrefixed);
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
