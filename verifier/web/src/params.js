// Constants and limits of protocol version 1, and the shape of a tree as the manifest implies it.
// Nothing here is read from what is checked (spec/protocol.md, sections 2.3 and 6).

export const PAGE_HEADER_BYTES = 15;
export const LINK_BYTES = 65;
export const OPENING_BYTES = 545;
export const RECORD_PATH = "arguments.msgpack";

/** The most entries of a page above level 0. */
export const FAN = 64;
const ID_BYTES = 32;
const POINT_BYTES = 33;
const SCALAR_BYTES = 32;
const VECTOR_SLOTS = 16;
const NODE_LEAVES = 64; // under one node of a page's identities
const AMOUNT_BITS = 64;

export const MAX_MANIFEST_BYTES = 2 ** 24;
export const MAX_DECLARATION_BYTES = 2 ** 22;
export const MAX_PACKAGE_BYTES = 2 ** 23;
export const MAX_LIST_BYTES = 2 ** 22;
export const MAX_ATTESTATION_BYTES = 2 ** 20;
export const MAX_LEAVES = 2 ** 30;
export const MAX_AMOUNT = 2n ** 64n - 1n;

const MAX_CAPACITY = 2n ** 20n;
export const CAPACITIES = new Set([1n, 2n, 3n]);
for (let power = 1n; 4n * power <= MAX_CAPACITY; power *= 2n) {
  [4n, 5n, 6n, 7n].filter((n) => n * power <= MAX_CAPACITY).forEach((n) => CAPACITIES.add(n * power));
}

/** Levels, pages and lengths of an asset's tree; `capacity` counts pages of level 0, `pageSize` leaves. */
export class TreeShape {
  constructor(capacity, pageSize) {
    this.capacity = capacity;
    this.pageSize = pageSize;
    this.leaves = capacity * pageSize;
    this.levels = 1;
    while (this.pages(this.levels - 1) > 1) this.levels += 1;
    this.pathBytes = ID_BYTES * Math.log2(Math.min(NODE_LEAVES, pageSize));
  }

  pages(level) {
    return Math.ceil(this.capacity / FAN ** level);
  }

  /** The entries of a page. */
  count(level, index) {
    return level === 0 ? this.pageSize : Math.min(FAN, this.pages(level - 1) - index * FAN);
  }

  /** The bytes of a page: header and entries. */
  pageBytes(level, index) {
    if (level > 0) return PAGE_HEADER_BYTES + LINK_BYTES * this.count(level, index);
    const nodes = Math.max(1, this.pageSize / NODE_LEAVES);
    const points = 1 + this.pageSize / VECTOR_SLOTS;
    return PAGE_HEADER_BYTES + ID_BYTES * nodes + POINT_BYTES * points;
  }

  /** The bytes of a page's argument (spec/transcript.md 4.1, and 5.1 at level 0). */
  argumentBytes(level, index) {
    const [points, scalars] = level > 0 ? [6, 4] : [7, 5 + VECTOR_SLOTS];
    const rounds = Math.ceil(Math.log2(AMOUNT_BITS * this.count(level, index)));
    const columns = 2 ** Math.ceil(rounds / 2);
    const rows = 2 ** rounds / columns;
    return POINT_BYTES * (rows + 3 * rounds + points) + SCALAR_BYTES * (columns + scalars);
  }

  /** The bytes of the file of a level's pages: all but the last have one length. */
  pagesFileBytes(level) {
    const last = this.pages(level) - 1;
    return last * this.pageBytes(level, 0) + this.pageBytes(level, last);
  }

  argumentsFileBytes(level) {
    const last = this.pages(level) - 1;
    return last * this.argumentBytes(level, 0) + this.argumentBytes(level, last);
  }
}

export const pagesPath = (code, level) => `pages/${code}/${level}`;

export const argumentsPath = (code, level) => `arguments/${code}/${level}`;
