// The light check (spec/errors.md, section 4): is what a customer was owed counted, in the leaves of
// their own package? Only the pages on the paths of these leaves are read, and their arguments. The
// identity of each leaf is computed from the id that the customer typed, so no leaf serves two customers.
// Pages and openings of any assets are checked many at a time, on the helpers; where that fails, one by
// one, in the order of codes.

import { isShort } from "./balances.js";
import { compareText, concat, equal } from "./bytes.js";
import { CoreRejected } from "./core.js";
import { CannotCheck, Rejected } from "./errors.js";
import { isSigned, publicKeyText } from "./keys.js";
import {
  FAN, LINK_BYTES, MAX_AMOUNT, MAX_PACKAGE_BYTES, OPENING_BYTES, PAGE_HEADER_BYTES, RECORD_PATH, TreeShape,
  argumentsPath, pagesPath,
} from "./params.js";
import { PACKAGE, PACKAGE_BODY, read } from "./records.js";
import { leafIdentity, treeOf } from "./statement.js";
import { awaitedLater, inTurns } from "./turns.js";

// Parts of a batch, and batches that are read or checked at once. A part has less than 100 kB of pages and
// arguments on its path, so all these take less than 20 MB.
const BATCH_PARTS = 16;
const BATCHES_AT_ONCE = 12;

/** Numbers 1 to 7. */
export async function readPackage(core, checked, data) {
  const { manifest } = checked;
  // 1 - 3
  if (data.length < 1 || data.length > MAX_PACKAGE_BYTES) throw fault("too-large");
  const outer = read(PACKAGE, data, fault);
  // 4
  const signed = await isSigned(core, manifest.public_key, "package-signature", outer.body, outer.signature);
  if (!signed) throw fault("bad-signature");
  // 5
  const signer = publicKeyText(manifest.public_key);
  const body = read(PACKAGE_BODY, outer.body, (code) => fault(code, { isSigned: true, signer }));
  // 6 - 7
  if (body.version !== 1n) throw fault("unsupported-version");
  if (!equal(body.manifest, checked.digest)) throw fault("wrong-manifest");
  return body;
}

/** Number 8; `accountId` is the canonical form of what the customer typed. */
export function checkAccount(body, accountId) {
  if (body.account_id !== accountId) throw fault("wrong-account", { slip: slipOf(body.account_id, accountId) });
}

/** In what alone two account ids differ, if in little: a hint for a person, which tells neither id. */
function slipOf(found, typed) {
  const lower = (text) => text.toLowerCase();
  const bare = (text) => lower(text).replace(/[\s.]/g, "");
  if (lower(found) === lower(typed)) return "case";
  if (bare(found) === bare(typed)) return "blanks";
  const [a, b] = [found, typed].map((text) => Array.from(text));
  const differs = a.findIndex((character, at) => character !== b[at]);
  const start = differs < 0 ? a.length : differs;
  const rest = (text, from) => text.slice(from).join("");
  const isNear = [[1, 1], [1, 0], [0, 1]].some(([i, j]) => rest(a, start + i) === rest(b, start + j));
  return isNear ? "near" : null;
}

/** Numbers 9 and 10. */
function checkAssets({ manifest }, body) {
  const codes = (assets) => JSON.stringify(assets.map((asset) => asset.code));
  if (codes(body.assets) !== codes(manifest.assets)) throw fault("wrong-assets");
  body.assets.forEach((entry, at) => checkParts(entry, shapeOf(manifest.assets[at])));
}

/**
 * Numbers 9 to 12; `onPage` is called with the place of each page that was read. Returns how many there were, and
 * whether they `areProved`: their arguments were there, without which an opening shows nothing.
 */
export async function checkLeaves(core, helpers, source, checked, body, onPage) {
  // 9 - 10
  checkAssets(checked, body);
  const held = checked.manifest.assets
    .map((asset, at) => ({ asset, parts: body.assets[at].parts }))
    .filter(({ parts }) => parts.length > 0)
    .map(({ asset, parts }) => new Paths(core, source, checked, asset, body, parts, onPage));
  const batches = batchesOf(held);
  const begin = (areProved) => {
    const inTurn = inTurns(BATCHES_AT_ONCE);
    return batches.map((batch) => awaitedLater(inTurn(() => checkTogether(helpers, batch, areProved))));
  };
  // Arguments are asked for at once; where they turn out to be absent, all begins anew without them.
  let begun = begin(true);
  const areProved = await hasArguments(source, held);
  if (!areProved) begun = begin(false);
  // 11
  for (const paths of held) await paths.checkFileLengths(areProved);
  // 12
  for (const [at, batch] of batches.entries()) {
    if (await begun[at]) continue;
    for (const { paths, part } of batch) await checkAlone(core, paths, part, areProved);
  }
  const places = batches.flat().flatMap(({ paths, part }) => paths.path(part).map((step) => paths.where(step)));
  return { pages: new Set(places).size, areProved };
}

/** All parts that an account holds, in the order of assets and parts, a batch at a time. */
function batchesOf(held) {
  const all = held.flatMap((paths) => paths.parts.map((part) => ({ paths, part })));
  const batches = [];
  for (let first = 0; first < all.length; first += BATCH_PARTS) batches.push(all.slice(first, first + BATCH_PARTS));
  return batches;
}

/** Check parts of any assets as one, each page once; whether all is right. */
async function checkTogether(helpers, batch, areProved) {
  try {
    const reads = new Map();
    for (const { paths, part } of batch) {
      for (const step of paths.path(part)) {
        const place = paths.where(step);
        if (!reads.has(place)) reads.set(place, paths.readPage(step, areProved));
      }
    }
    const pages = await Promise.all(reads.values());
    const numbers = new Map([...reads.keys()].map((place, number) => [place, number]));
    const openings = batch.map(({ paths, part }) => paths.opening(part, numbers.get(paths.where(paths.path(part)[0]))));
    const links = await helpers.check(pages, openings);
    for (const { paths, part } of batch) {
      await paths.checkPath(part, async (step) => {
        const number = numbers.get(paths.where(step));
        return { page: pages[number], link: links[number] };
      });
    }
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}

const isFault = (error) => [Rejected, CannotCheck, CoreRejected].some((kind) => error instanceof kind);

/**
 * Check one part in the order of number 12. Until its path has led to the signed root, a page may be
 * anybody's who serves the files, so identity and opening come last.
 */
async function checkAlone(core, paths, part, areProved) {
  const pages = [];
  await paths.checkPath(part, async (step) => {
    const page = await paths.readPage(step, areProved);
    pages.push(page);
    const [link] = named(core, paths.where(step), [page]);
    return { page, link };
  });
  named(core, `${paths.asset.code}, part ${part.part}`, [pages[0]], [paths.opening(part, 0)]);
}

/** What the core checks; a rejection is of the place `where`. */
function named(core, where, pages, openings = []) {
  try {
    return core.check(pages, openings);
  } catch (error) {
    if (error instanceof CoreRejected) throw new Rejected(error.code, where);
    throw error;
  }
}

/** Whether all needed arguments are there, or the record that says that they are. */
async function hasArguments(source, held) {
  for (const { asset, shape } of held) {
    for (let level = 0; level < shape.levels; level += 1) {
      if (!(await isThere(source, argumentsPath(asset.code, level)))) return isThere(source, RECORD_PATH);
    }
  }
  return true;
}

/** Whether a bundle has a file. */
export async function isThere(source, path) {
  try {
    await source.size(path);
    return true;
  } catch (error) {
    if (error instanceof Rejected) return false;
    throw error;
  }
}

/**
 * Numbers 13 and 14: what is counted against what was typed, for every asset of the manifest. A
 * rejection has these amounts too, and what was typed of assets that the manifest lacks: `counted` null; and
 * the `pages` that prove the leaves.
 */
export function compareBalances(checked, body, typed, pages) {
  const amounts = checked.manifest.assets.map((asset, at) => {
    const { parts } = body.assets[at];
    const counted = parts.reduce((sum, part) => sum + part.amount, 0n);
    const typedHere = typed.get(asset.code) ?? null;
    const isCompared = typedHere !== null || parts.length === 0;
    const isSetAside = checked.setAside.has(asset.code);
    return {
      code: asset.code, decimals: Number(asset.decimals), counted, parts: parts.length, typed: typedHere,
      isCompared, isSetAside,
    };
  });
  // 13
  const codes = new Set(amounts.map(({ code }) => code));
  const unknown = [...typed.keys()].filter((code) => !codes.has(code) && typed.get(code).digits > 0n).sort(compareText);
  if (unknown.length > 0) {
    const left = unknown.map((code) => ({
      code, decimals: 0, counted: null, parts: 0, typed: typed.get(code), isCompared: true, isSetAside: false,
    }));
    throw new Rejected("inclusion.unknown-asset", unknown[0], { amounts: [...amounts, ...left], pages });
  }
  // 14
  const short = amounts.find(isShort);
  if (short) throw new Rejected("inclusion.balance-short", short.code, { amounts, pages });
  return amounts;
}

/** The shape of an asset's tree. */
export const shapeOf = (asset) => new TreeShape(Number(asset.capacity), Number(asset.page_size));

/** Number 10, for one asset. */
function checkParts(entry, shape) {
  const seen = new Set();
  entry.parts.forEach((part, at) => {
    const where = `package, ${entry.code}, part ${at}`;
    if (part.part !== BigInt(at)) throw new Rejected("package.bad-parts", where);
    if (part.amount < 1n || part.amount > MAX_AMOUNT) throw new Rejected("package.bad-amount", where);
    if (part.leaf >= BigInt(shape.leaves)) throw new Rejected("package.bad-leaf", where);
    if (seen.has(part.leaf)) throw new Rejected("package.duplicate-leaf", where);
    if (part.path.length !== shape.pathBytes) throw new Rejected("package.bad-path", where);
    if (part.opening.length !== OPENING_BYTES) throw new Rejected("opening.bad-length", where);
    seen.add(part.leaf);
  });
}

/** The paths of one asset's leaves. */
class Paths {
  constructor(core, source, checked, asset, body, parts, onPage) {
    this.core = core;
    this.source = source;
    this.context = checked.context;
    this.asset = asset;
    this.body = body;
    this.parts = parts;
    this.onPage = onPage;
    this.shape = shapeOf(asset);
    this.tree = treeOf(core, checked.context, asset, this.shape);
  }

  async checkFileLengths(areProved) {
    const { source, shape, asset: { code } } = this;
    for (let level = 0; level < shape.levels; level += 1) {
      if ((await source.size(pagesPath(code, level))) !== shape.pagesFileBytes(level)) {
        throw new Rejected("page.bad-file-length", `${code}, level ${level}`);
      }
      const path = argumentsPath(code, level);
      if (areProved && (await source.size(path)) !== shape.argumentsFileBytes(level)) {
        throw new Rejected("bundle.wrong-argument", path);
      }
    }
  }

  /**
   * Check that every page above a leaf names the one below, and the manifest the root; `take` gives the
   * `page` of a step, and its `link`.
   */
  async checkPath(part, take) {
    let below = null;
    for (const step of this.path(part)) {
      const { page: { page }, link } = await take(step);
      if (step.level > 0) {
        const start = PAGE_HEADER_BYTES + step.slot * LINK_BYTES;
        checkLink("child", this.where(step), page.subarray(start, start + LINK_BYTES), below);
      }
      below = link;
    }
    const root = concat(this.asset.root, this.asset.sum);
    checkLink("root", this.where({ level: this.shape.levels - 1, index: 0 }), root, below);
  }

  /** The pages on the path of a part, from its leaf's: level, index, and the slot of the page below. */
  path(part) {
    const leaf = Number(part.leaf);
    const path = [{ level: 0, index: Math.floor(leaf / this.shape.pageSize), slot: leaf % this.shape.pageSize }];
    for (let level = 1; level < this.shape.levels; level += 1) {
      const { index } = path[level - 1];
      path.push({ level, index: Math.floor(index / FAN), slot: index % FAN });
    }
    return path;
  }

  where({ level, index }) {
    return `${this.asset.code}, level ${level}, page ${index}`;
  }

  /** A page as the core takes it, with its argument or without. */
  async readPage({ level, index }, areProved) {
    const { source, shape, tree, asset: { code } } = this;
    const readRange = (path, first, length) => awaitedLater(source.readRange(path, index * first, length));
    const reads = [readRange(pagesPath(code, level), shape.pageBytes(level, 0), shape.pageBytes(level, index))];
    if (areProved) {
      const path = argumentsPath(code, level);
      reads.push(readRange(path, shape.argumentBytes(level, 0), shape.argumentBytes(level, index)));
    }
    const page = await reads[0];
    const argument = areProved ? await reads[1] : null;
    this.onPage(this.where({ level, index }));
    return { tree, level, index, page, argument };
  }

  opening(part, page) {
    const { core, context, body, asset: { code } } = this;
    const identity = leafIdentity(core, context, code, body.account_id, body.account_key, part.part);
    const leaf = Number(part.leaf) % this.shape.pageSize;
    return { page, leaf, amount: part.amount, identity, path: part.path, opening: part.opening };
  }
}

function checkLink(kind, where, stated, found) {
  if (!equal(stated.subarray(0, 32), found.subarray(0, 32))) {
    throw new Rejected(`page.wrong-${kind}-id`, where);
  }
  if (!equal(stated, found)) throw new Rejected(`page.wrong-${kind}-sum`, where);
}

const fault = (code, facts = {}) => new Rejected(`package.${code}`, "package", facts);
