// Everything that is checked is checked here, apart from the page, so that it stays responsive.
//
// One request at a time: { kind, … } in; { kind: "step" | "pages" | "bytes", … } while it runs, and
// { kind: "done", … } or { kind: "failed", … } at its end. Nothing is kept between requests but the
// compiled core and the source, of which the bytes may have been downloaded whole.

import { toHex } from "./bytes.js";
import { checkInclusion, openBundle } from "./check.js";
import { Core } from "./core.js";
import { fetchDeclaration } from "./declaration.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { findInFolder } from "./history.js";
import { isThere, shapeOf } from "./inclusion.js";
import { parsePublicKey } from "./keys.js";
import { readExchangeList } from "./list.js";
import { RECORD_PATH, argumentsPath, pagesPath } from "./params.js";
import { BlobSource, HostSource } from "./source.js";

let core = null;

const requests = { start, open, check, list };

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ kind: "done", ...(await requests[data.kind](data)) });
  } catch (error) {
    self.postMessage({ kind: "failed", ...describe(error) });
  }
};

/** `wasm`: the bytes of the core. */
async function start({ wasm }) {
  core = await Core.load(await WebAssembly.compile(wasm));
  return {};
}

/**
 * What the manifest says: to show it, and to ask for the balances that it is about. Where there is
 * none at the address, `packageData` tells which of a published folder's bundles it is.
 */
async function open({ bundle, key, packageData, units }) {
  const publicKey = parsePublicKey(key);
  const opened = async (place) => {
    const checked = await openBundle(core, sourceOf(place), publicKey, units);
    return { snapshot: describeSnapshot(checked), bundle: place };
  };
  try {
    return await opened(bundle);
  } catch (error) {
    const absent = bundle.url && error.where === "manifest.msgpack";
    const url = absent ? await findInFolder(bundle.url, packageData) : null;
    if (url === null) throw error;
    return opened({ url });
  }
}

/** The exchanges of an auditor's signed list, and the units that the auditor knows. */
async function list({ data, signature, key }) {
  return readExchangeList(core, data, signature, key);
}

/**
 * `packageData`: bytes; `balances`: decimals by asset code, as typed; `everything`: download all pages
 * first; `now`: the device's clock, in Unix seconds; `units`: those of an auditor's list, if there is one;
 * `digest`: that of the manifest which the customer was asked about.
 */
async function check({ bundle, digest, key, packageData, accountId, balances, everything, now, units }) {
  const onStep = (name) => self.postMessage({ kind: "step", name });
  let pages = 0;
  const onPage = () => self.postMessage({ kind: "pages", pages: (pages += 1) });
  onStep("manifest");
  let source = sourceOf(bundle);
  const checked = await openBundle(core, source, parsePublicKey(key), units);
  const snapshot = describeSnapshot(checked);
  if (snapshot.digest !== digest) throw new CannotCheck("manifest", "another proof than the one that was read");
  try {
    onStep("declaration");
    const declaration = await fetchDeclaration(core, source, checked);
    if (everything) source = await downloadAll(source, checked, onStep);
    const request = { packageData, accountId, balances, declaration, now };
    const found = await checkInclusion(core, source, checked, request, { onStep, onPage });
    return { snapshot, ...found };
  } catch (error) {
    return { ...describe(error), kind: "failed", snapshot };
  }
}

const sourceOf = ({ url, files }) => (files ? new BlobSource(files) : new HostSource(url));

/**
 * All pages of a bundle and their arguments, so that its host does not learn which of them matter. Of the
 * record of arguments only whether it is there is kept.
 */
async function downloadAll(source, { manifest }, onStep) {
  onStep("download");
  const blobs = new Map();
  const files = new Map();
  for (const asset of manifest.assets) {
    const shape = shapeOf(asset);
    for (let level = 0; level < shape.levels; level += 1) {
      files.set(pagesPath(asset.code, level), shape.pagesFileBytes(level));
      const path = argumentsPath(asset.code, level);
      if (await isThere(source, path)) files.set(path, shape.argumentsFileBytes(level));
    }
  }
  const total = [...files.values()].reduce((sum, size) => sum + size, 0);
  let bytes = 0;
  for (const [path, size] of files) {
    blobs.set(path, new Blob([await source.read(path, size)]));
    self.postMessage({ kind: "bytes", bytes: (bytes += size), total });
  }
  if (await isThere(source, RECORD_PATH)) blobs.set(RECORD_PATH, new Blob());
  return new BlobSource(blobs);
}

function describeSnapshot({ manifest, digest }) {
  return {
    exchange: manifest.exchange,
    id: manifest.snapshot_id,
    time: Number(manifest.time),
    idType: manifest.account_id_type,
    digest: toHex(digest),
    assets: manifest.assets.map(({ code, root, sum }) => ({ code, root: toHex(root), sum: toHex(sum) })),
  };
}

function describe(error) {
  if (error instanceof Rejected) return { verdict: "rejected", code: error.code, where: error.where, ...error.facts };
  if (error instanceof CannotCheck) {
    return { verdict: "unchecked", code: error.code, where: error.where, detail: error.detail };
  }
  if (error instanceof Misuse) return { verdict: "misuse", field: error.field, rule: error.rule };
  return { verdict: "broken", detail: String(error) };
}
