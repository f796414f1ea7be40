// Everything that is checked is checked here, apart from the page, so that it stays responsive.
//
// { id, kind, … } in; { id, kind: "done", … } or { id, kind: "failed", … } at its end, and between them, of
// whatever runs, { kind: "step" | "pages" | "bytes" | "ready", … }. When a bundle was opened, its check goes
// on while the customer types; "discard", which is not answered, ends that. A helper is a worker of this
// script that is asked for nothing but batches.

import { askAboutProof, askForList } from "./auditors.js";
import { toHex } from "./bytes.js";
import { Inclusion, openBundle } from "./check.js";
import { Core, CoreRejected } from "./core.js";
import { fetchDeclaration } from "./declaration.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { Helpers } from "./helpers.js";
import { findInFolder, readFolder } from "./history.js";
import { isThere, shapeOf } from "./inclusion.js";
import { parsePublicKey, publicKeyText } from "./keys.js";
import { RECORD_PATH, argumentsPath, pagesPath } from "./params.js";
import { BlobSource, HostSource } from "./source.js";

let core = null;
let helpers = null;
// What the customer is asked about: the request that opened it, the sources that it reads, its digest, and
// its check, if one runs.
let opened = null;

const requests = { start, open, check, list, about, fetched, published, help, batch };

self.onmessage = async ({ data }) => {
  if (data.kind === "discard") return discard();
  try {
    self.postMessage({ id: data.id, kind: "done", ...(await requests[data.kind](data)) });
  } catch (error) {
    self.postMessage({ id: data.id, kind: "failed", ...describe(error) });
  }
};

/** `wasm`: the bytes of the core. */
async function start({ wasm }) {
  const module = await WebAssembly.compile(wasm);
  core = await Core.load(module);
  helpers = new Helpers(core, module, self.location.href);
  return {};
}

/** Become a helper; `module` is the compiled core. */
async function help({ module }) {
  core = await Core.load(module);
  return {};
}

async function batch({ pages, openings }) {
  return { links: core.check(pages, openings) };
}

/**
 * What the manifest says: to show it, and to ask for the balances that it is about. Without a `key` it is
 * checked under its own, and whose that is has to be looked up. Where there is none at the address,
 * `packageData`, bytes, tells which of a published folder's bundles it is. `units` are those of auditors'
 * lists. With what was read the check begins; `everything`: it downloads all pages first.
 */
async function open(request) {
  const { bundle, packageData } = request;
  discard();
  const asked = (opened = { ...request, sources: [], digest: null, running: null });
  const openAt = async (place) => {
    const source = sourceOf(asked, place);
    const checked = await openBundle(core, source, request.key && parsePublicKey(request.key), request.units);
    const snapshot = describeSnapshot(checked);
    Object.assign(asked, { bundle: place, key: snapshot.key, digest: snapshot.digest });
    if (asked === opened) {
      asked.running = begin(asked, source, checked);
      await asked.running.inclusion.body; // a file that is another is told of before anything is typed
    }
    return { snapshot, bundle: place };
  };
  try {
    return await openAt(bundle);
  } catch (error) {
    const absent = bundle.url && error.where === "manifest.msgpack";
    const url = absent ? await findInFolder(sourceOf(asked, bundle), bundle.url, packageData) : null;
    if (url === null) throw error;
    return openAt({ url });
  }
}

/** Begin a check, and tell how far it is; nothing of its outcome. */
function begin(asked, source, checked) {
  const { packageData, everything } = asked;
  const running = { source, inclusion: null };
  const tell = (news) => {
    if (opened?.running === running) self.postMessage(news);
  };
  const places = new Set();
  const onPage = (place) => tell({ kind: "pages", pages: places.add(place).size });
  running.inclusion = new Inclusion(core, helpers, checked, {
    source: everything ? downloadAll(asked, source, checked, tell) : Promise.resolve(source),
    declaration: fetchDeclaration(core, sourceOf(asked, asked.bundle), checked),
    packageData,
  }, onPage);
  running.inclusion.holds().then(() => tell({ kind: "ready" }));
  return running;
}

/** What was asked changed: end what runs, and keep nothing of it. */
function discard() {
  opened?.sources.forEach((source) => source.discard());
  opened = null;
}

/**
 * `balances`: decimals by asset code, as typed, none where the customer looks first; `now`: the device's
 * clock, in Unix seconds. Of the bundle that was opened before, whose manifest has the `digest`.
 */
async function check({ accountId, balances, now, digest }) {
  const asked = opened;
  if (asked?.digest !== digest) throw new CannotCheck("manifest", "discarded");
  const onStep = (name) => self.postMessage({ kind: "step", name });
  onStep("manifest");
  const source = sourceOf(asked, asked.bundle);
  const checked = await openBundle(core, source, parsePublicKey(asked.key), asked.units);
  const snapshot = describeSnapshot(checked);
  if (snapshot.digest !== asked.digest) throw new CannotCheck("manifest", "another proof than the one that was read");
  if (asked !== opened) throw new CannotCheck("manifest", "discarded");
  asked.running ??= begin(asked, source, checked);
  const { running } = asked;
  try {
    return { snapshot, ...(await running.inclusion.finish({ accountId, balances, now }, onStep)) };
  } catch (error) {
    return { ...describe(error), kind: "failed", snapshot };
  } finally {
    // What was absent may be there when the customer asks again.
    running.inclusion.holds().then((holds) => {
      if (holds) return;
      running.source.discard();
      if (asked.running === running) asked.running = null;
    });
  }
}

/** The list of an auditor: see `askForList`. */
async function list({ auditor }) {
  return askForList(core, auditor);
}

/** What an auditor knows of a snapshot: see `askAboutProof`. */
async function about({ auditor, snapshot }) {
  return askAboutProof(core, auditor, snapshot);
}

/** The bytes at an address, one more than `limit` where there are more. */
async function fetched({ url, limit }) {
  const at = url.lastIndexOf("/") + 1;
  return { data: await new HostSource(url.slice(0, at)).read(url.slice(at), limit) };
}

/** What a published folder's index lists: see `readFolder`. */
async function published({ url }) {
  return { snapshots: await readFolder(new HostSource(url)) };
}

/** A source of what the customer is asked about, which ends with that. */
function sourceOf(asked, { url, files }) {
  return owned(asked, files ? new BlobSource(files) : new HostSource(url));
}

function owned(asked, source) {
  asked.sources.push(source);
  if (asked !== opened) source.discard();
  return source;
}

/**
 * All pages of a bundle and their arguments, so that its host does not learn which of them matter. Of the
 * record of arguments only whether it is there is kept.
 */
async function downloadAll(asked, source, { manifest }, tell) {
  tell({ kind: "step", name: "download" });
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
    tell({ kind: "bytes", bytes: (bytes += size), total });
  }
  if (await isThere(source, RECORD_PATH)) blobs.set(RECORD_PATH, new Blob());
  return owned(asked, new BlobSource(blobs));
}

function describeSnapshot({ manifest, digest }) {
  return {
    exchange: manifest.exchange,
    id: manifest.snapshot_id,
    time: Number(manifest.time),
    idType: manifest.account_id_type,
    digest: toHex(digest),
    key: publicKeyText(manifest.public_key),
    assets: manifest.assets.map(({ code, root, sum }) => ({ code, root: toHex(root), sum: toHex(sum) })),
  };
}

function describe(error) {
  if (error instanceof Rejected) return { verdict: "rejected", code: error.code, where: error.where, ...error.facts };
  if (error instanceof CannotCheck) {
    return { verdict: "unchecked", code: error.code, where: error.where, detail: error.detail };
  }
  if (error instanceof CoreRejected) return { code: error.code };
  if (error instanceof Misuse) return { verdict: "misuse", field: error.field, rule: error.rule };
  return { verdict: "broken", detail: String(error) };
}
