// What is proved, as hashes: context, unit list, the statement about an asset, and what names an account's
// leaf (spec/protocol.md 1.3, 2.1, 2.2; spec/transcript.md, section 3, items 2 and 3).

import { concat, lengthPrefixed, uint, utf8 } from "./bytes.js";

export const tag = (purpose) => utf8(`assay/v1/${purpose}`);

const hash = (core, purpose, ...parts) => core.taggedHash(tag(purpose), concat(...parts));

export const manifestDigest = (core, data) => hash(core, "manifest", data);

export const declarationDigest = (core, data) => hash(core, "declaration", data);

/** The 32-byte context of a snapshot; `time` in Unix seconds. */
export function snapshotContext(core, { public_key, exchange, snapshot_id, time }) {
  const fields = [public_key, exchange, snapshot_id, uint(time, 8)];
  return hash(core, "context", ...fields.map(lengthPrefixed));
}

/** The identity of one part of an account's balance, from the id that the customer typed. */
export function leafIdentity(core, context, code, accountId, accountKey, part) {
  const leaf = hash(core, "leaf", ...[context, code, accountId].map(lengthPrefixed));
  return hash(core, "identity", accountKey, leaf, uint(part, 4));
}

/** An asset's tree as the core takes it; `shape` is of params.js. `asset` is item 3 of a transcript. */
export function treeOf(core, context, asset, { capacity, pageSize }) {
  const units = asset.units.map((unit) =>
    concat(lengthPrefixed(unit.chain), lengthPrefixed(unit.contract), uint(unit.decimals, 1)),
  );
  const digest = hash(core, "units", uint(units.length, 4), ...units);
  const statement = concat(lengthPrefixed(asset.code), uint(asset.decimals, 1), digest);
  return { context, asset: statement, capacity, pageSize };
}
