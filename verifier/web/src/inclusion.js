// The light check (spec/errors.md, section 4): is what a customer was owed counted, in the leaves of
// their own package? Only the pages on the paths of these leaves are read, and their arguments. The
// identity of each leaf is computed from the id that the customer typed, so no leaf serves two customers.
// Pages and openings are checked many at a time; where that fails, one by one, in the order of codes.

import { compareText, concat, equal } from "./bytes.js";
import { CoreRejected } from "./core.js";
import { CannotCheck, Misuse, Rejected } from "./errors.js";
import { isSigned } from "./keys.js";
import {
  FAN, LINK_BYTES, MAX_AMOUNT, MAX_PACKAGE_BYTES, OPENING_BYTES, PAGE_HEADER_BYTES, RECORD_PATH, TreeShape,
  argumentsPath, pagesPath,
} from "./params.js";
import { PACKAGE, PACKAGE_BODY, read } from "./records.js";
import { leafIdentity, treeOf } from "./statement.js";

// Parts that are checked at once: with their pages they take a few megabytes.
const BATCH_PARTS = 64;
const BALANCE = /^([0-9]{1,40})(?:\.([0-9]{1,40}))?$/;
const CODE = /^[A-Z0-9]{1,16}$/;

/** A typed balance, exactly: `digits` / 10^`scale`. */
export function parseBalance(text) {
  const match = BALANCE.exec(text);
  if (match === null) throw new Misuse("balance", "not-a-decimal");
  const fraction = match[2] ?? "";
  return { text, digits: BigInt(match[1] + fraction), scale: BigInt(fraction.length) };
}

/** The balances that a customer typed, by asset code; at least one. */
export function parseBalances(typed) {
  const codes = Object.keys(typed);
  if (codes.length === 0) throw new Misuse("balance", "none");
  if (!codes.every((code) => CODE.test(code))) throw new Misuse("balance", "not-a-code");
  return new Map(codes.map((code) => [code, parseBalance(typed[code])]));
}

/** Numbers 1 to 10; `accountId` is the canonical form of what the customer typed. */
export async function checkPackage(core, checked, data, accountId) {
  const { manifest } = checked;
  // 1 - 3
  if (data.length < 1 || data.length > MAX_PACKAGE_BYTES) throw fault("too-large");
  const outer = read(PACKAGE, data, fault);
  // 4
  const signed = await isSigned(core, manifest.public_key, "package-signature", outer.body, outer.signature);
  if (!signed) throw fault("bad-signature");
  // 5
  const body = read(PACKAGE_BODY, outer.body, (code) => fault(code, { isSigned: true }));
  // 6 - 9
  if (body.version !== 1n) throw fault("unsupported-version");
  if (!equal(body.manifest, checked.digest)) throw fault("wrong-manifest");
  if (body.account_id !== accountId) throw fault("wrong-account");
  const codes = (assets) => JSON.stringify(assets.map((asset) => asset.code));
  if (codes(body.assets) !== codes(manifest.assets)) throw fault("wrong-assets");
  // 10
  body.assets.forEach((entry, at) => checkParts(entry, shapeOf(manifest.assets[at])));
  return body;
}

/**
 * Numbers 11 and 12; `onPage` is called with each page that was read. Returns how many there were, and
 * whether they `areProved`: their arguments were there, without which an opening shows nothing.
 */
export async function checkLeaves(core, source, checked, body, onPage) {
  const { manifest } = checked;
  const held = manifest.assets
    .map((asset, at) => ({ asset, parts: body.assets[at].parts }))
    .filter(({ parts }) => parts.length > 0)
    .map(({ asset, parts }) => ({ parts, paths: new Paths(core, source, checked, asset, body, onPage) }));
  const areProved = await hasArguments(source, held.map(({ paths }) => paths));
  // 11
  for (const { paths } of held) await paths.checkFileLengths(areProved);
  // 12
  let pages = 0;
  for (const { parts, paths } of held) {
    for (let first = 0; first < parts.length; first += BATCH_PARTS) {
      pages += await paths.check(parts.slice(first, first + BATCH_PARTS), areProved);
    }
  }
  return { pages, areProved };
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
 * rejection has these amounts too, and what was typed of assets that the manifest lacks: `counted` null.
 */
export function compareBalances(checked, body, typed) {
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
    throw new Rejected("inclusion.unknown-asset", unknown[0], { amounts: [...amounts, ...left] });
  }
  // 14
  const short = amounts.find(isShort);
  if (short) throw new Rejected("inclusion.balance-short", short.code, { amounts });
  return amounts;
}

const isShort = ({ counted, typed, decimals }) => typed !== null && counted < ledgerUnits(typed, BigInt(decimals));

/** A balance in ledger units, rounded up. */
function ledgerUnits(balance, decimals) {
  const divisor = 10n ** balance.scale;
  return (balance.digits * 10n ** decimals + divisor - 1n) / divisor;
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

/** The paths of one asset's leaves. Of a batch of them every page is read once. */
class Paths {
  constructor(core, source, checked, asset, body, onPage) {
    this.core = core;
    this.source = source;
    this.context = checked.context;
    this.asset = asset;
    this.body = body;
    this.onPage = onPage;
    this.shape = shapeOf(asset);
    this.tree = treeOf(core, checked.context, asset, this.shape);
    this.pages = new Map();
    this.areProved = false;
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

  /** Check a batch of parts, with the pages' arguments or without; returns the number of their pages. */
  async check(parts, areProved) {
    this.pages.clear();
    this.areProved = areProved;
    try {
      await this.checkTogether(parts);
    } catch (error) {
      if (!(error instanceof Rejected || error instanceof CannotCheck || error instanceof CoreRejected)) throw error;
      for (const part of parts) await this.checkAlone(part);
    }
    return this.pages.size;
  }

  async checkTogether(parts) {
    for (const part of parts) {
      for (const { level, index } of this.path(part)) await this.page(level, index);
    }
    const places = new Map([...this.pages.keys()].map((name, at) => [name, at]));
    const placeOf = ({ level, index }) => places.get(nameOf(level, index));
    const openings = parts.map((part) => this.opening(part, placeOf(this.path(part)[0])));
    const links = this.core.check([...this.pages.values()], openings);
    for (const part of parts) await this.checkPath(part, async (step) => links[placeOf(step)]);
  }

  /**
   * Check one part in the order of number 12. Until its path has led to the signed root, a page may be
   * anybody's who serves the files, so identity and opening come last.
   */
  async checkAlone(part) {
    await this.checkPath(part, async ({ level, index }) => {
      const [link] = this.named(this.where(level, index), [await this.page(level, index)]);
      return link;
    });
    const { level, index } = this.path(part)[0];
    const page = await this.page(level, index);
    this.named(`${this.asset.code}, part ${part.part}`, [page], [this.opening(part, 0)]);
  }

  /** Check that every page above a leaf names the one below, and the manifest the root. */
  async checkPath(part, linkOf) {
    let below = null;
    for (const step of this.path(part)) {
      const { level, index, slot } = step;
      const link = await linkOf(step);
      if (level > 0) {
        const { page } = await this.page(level, index);
        const start = PAGE_HEADER_BYTES + slot * LINK_BYTES;
        checkLink("child", this.where(level, index), page.subarray(start, start + LINK_BYTES), below);
      }
      below = link;
    }
    const root = concat(this.asset.root, this.asset.sum);
    checkLink("root", this.where(this.shape.levels - 1, 0), root, below);
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

  /** What the core checks; a rejection is of the place `where`. */
  named(where, pages, openings = []) {
    try {
      return this.core.check(pages, openings);
    } catch (error) {
      if (error instanceof CoreRejected) throw new Rejected(error.code, where);
      throw error;
    }
  }

  where(level, index) {
    return `${this.asset.code}, level ${level}, page ${index}`;
  }

  async page(level, index) {
    const name = nameOf(level, index);
    if (!this.pages.has(name)) this.pages.set(name, await this.readPage(level, index));
    return this.pages.get(name);
  }

  /** A page as the core takes it, with its argument if these are there. */
  async readPage(level, index) {
    const { source, shape, tree, asset: { code } } = this;
    const length = shape.pageBytes(level, index);
    const page = await source.readRange(pagesPath(code, level), index * shape.pageBytes(level, 0), length);
    let argument = null;
    if (this.areProved) {
      const offset = index * shape.argumentBytes(level, 0);
      argument = await source.readRange(argumentsPath(code, level), offset, shape.argumentBytes(level, index));
    }
    this.onPage();
    return { tree, level, index, page, argument };
  }

  opening(part, page) {
    const { core, context, body, asset: { code } } = this;
    const identity = leafIdentity(core, context, code, body.account_id, body.account_key, part.part);
    const leaf = Number(part.leaf) % this.shape.pageSize;
    return { page, leaf, amount: part.amount, identity, path: part.path, opening: part.opening };
  }
}

const nameOf = (level, index) => `${level}/${index}`;

function checkLink(kind, where, stated, found) {
  if (!equal(stated.subarray(0, 32), found.subarray(0, 32))) {
    throw new Rejected(`page.wrong-${kind}-id`, where);
  }
  if (!equal(stated, found)) throw new Rejected(`page.wrong-${kind}-sum`, where);
}

const fault = (code, facts = {}) => new Rejected(`package.${code}`, "package", facts);
