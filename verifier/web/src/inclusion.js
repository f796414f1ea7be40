// The light check (spec/errors.md, section 4): is what a customer was owed counted, in the leaves of
// their own package? Only the pages on the paths of these leaves are read. Each leaf is opened with a
// blinding factor computed from the id that the customer typed, so no leaf serves two customers.

import { compareText, equal } from "./bytes.js";
import { CoreRejected } from "./core.js";
import { Misuse, Rejected } from "./errors.js";
import { isSigned } from "./keys.js";
import {
  LINK_BYTES, MAX_AMOUNT, MAX_PACKAGE_BYTES, PAGE_HEADER_BYTES, POINT_BYTES, TreeShape, levelPath,
} from "./params.js";
import { PACKAGE, PACKAGE_BODY, read } from "./records.js";
import { leafBlinding, pageState } from "./statement.js";

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
  body.assets.forEach((entry, at) => checkParts(entry, shapeOf(manifest, manifest.assets[at]).leaves));
  return body;
}

/** Numbers 11 and 12; `onPage` is called with the pages read so far. Returns their number. */
export async function checkLeaves(core, source, checked, body, onPage) {
  const { manifest } = checked;
  const held = manifest.assets
    .map((asset, at) => ({ asset, parts: body.assets[at].parts }))
    .filter(({ parts }) => parts.length > 0)
    .map(({ asset, parts }) => ({ parts, paths: new Paths(core, source, checked, asset, onPage) }));
  // 11
  for (const { paths } of held) await paths.checkFileLengths();
  // 12
  for (const { parts, paths } of held) {
    for (const part of parts) await paths.check(part, body);
  }
  return held.reduce((pages, { paths }) => pages + paths.pages.size, 0);
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

const shapeOf = (manifest, asset) => new TreeShape(Number(asset.capacity), Number(manifest.page_size));

/** Number 10, for one asset. */
function checkParts(entry, leaves) {
  const seen = new Set();
  entry.parts.forEach((part, at) => {
    const where = `package, ${entry.code}, part ${at}`;
    if (part.part !== BigInt(at)) throw new Rejected("package.bad-parts", where);
    if (part.amount < 1n || part.amount > MAX_AMOUNT) throw new Rejected("package.bad-amount", where);
    if (part.leaf >= BigInt(leaves)) throw new Rejected("package.bad-leaf", where);
    if (seen.has(part.leaf)) throw new Rejected("package.duplicate-leaf", where);
    seen.add(part.leaf);
  });
}

/** The paths of one asset's leaves; a page that several of them share is read once. */
class Paths {
  constructor(core, source, checked, asset, onPage) {
    this.core = core;
    this.source = source;
    this.checked = checked;
    this.asset = asset;
    this.onPage = onPage;
    this.shape = shapeOf(checked.manifest, asset);
    this.state = pageState(core, checked.context, asset);
    this.pages = new Map();
  }

  async checkFileLengths() {
    for (let level = 0; level < this.shape.levels; level += 1) {
      const size = await this.source.size(levelPath(this.asset.code, level));
      if (size !== this.shape.fileBytes(this.core, level)) {
        throw new Rejected("page.bad-file-length", `${this.asset.code}, level ${level}`);
      }
    }
  }

  /**
   * Check every page from a leaf to the signed root, that each names the one below, and last the leaf's
   * opening: until then its page may be anybody's who serves the files.
   */
  async check(part, body) {
    const { code } = this.asset;
    let index = Number(part.leaf);
    let below = null;
    let leaf = null;
    for (let level = 0; level < this.shape.levels; level += 1) {
      const slot = index % this.shape.pageSize;
      index = (index - slot) / this.shape.pageSize;
      const { page, link } = await this.page(level, index);
      if (level === 0) {
        const start = PAGE_HEADER_BYTES + slot * POINT_BYTES;
        leaf = page.subarray(start, start + POINT_BYTES);
      } else {
        const start = PAGE_HEADER_BYTES + slot * LINK_BYTES;
        checkLink("child", this.where(level, index), page.subarray(start, start + LINK_BYTES), below);
      }
      below = link;
    }
    const root = new Uint8Array(LINK_BYTES);
    root.set(this.asset.root);
    root.set(this.asset.sum, this.asset.root.length);
    checkLink("root", this.where(this.shape.levels - 1, 0), root, below);
    const blinding = leafBlinding(
      this.core, this.checked.context, code, body.account_id, body.account_key, part.part,
    );
    if (!equal(leaf, this.core.commit(part.amount, blinding))) {
      throw new Rejected("inclusion.wrong-opening", `${code}, part ${part.part}`);
    }
  }

  where(level, index) {
    return `${this.asset.code}, level ${level}, page ${index}`;
  }

  async page(level, index) {
    const name = `${level}/${index}`;
    if (!this.pages.has(name)) this.pages.set(name, await this.readPage(level, index));
    return this.pages.get(name);
  }

  /** A page, checked by itself, and its link: id and sum. Only checked bytes are looked into. */
  async readPage(level, index) {
    const offset = index * this.shape.pageBytes(this.core, level, 0);
    const length = this.shape.pageBytes(this.core, level, index);
    const page = await this.source.readRange(levelPath(this.asset.code, level), offset, length);
    const { state: assetState, shape } = this;
    const place = { assetState, level, levels: shape.levels, index, capacity: shape.capacity };
    try {
      const sizes = { pageSize: shape.pageSize, count: shape.count(level, index) };
      const link = this.core.verifyPage({ ...place, ...sizes }, page);
      this.onPage();
      return { page, link };
    } catch (error) {
      if (error instanceof CoreRejected) throw new Rejected(error.code, this.where(level, index));
      throw error;
    }
  }
}

function checkLink(kind, where, stated, found) {
  if (!equal(stated.subarray(0, 32), found.subarray(0, 32))) {
    throw new Rejected(`page.wrong-${kind}-id`, where);
  }
  if (!equal(stated, found)) throw new Rejected(`page.wrong-${kind}-sum`, where);
}

const fault = (code, facts = {}) => new Rejected(`package.${code}`, "package", facts);
