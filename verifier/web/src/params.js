// Constants and limits of protocol version 1, and the shape of a tree as the manifest implies it.
// Nothing here is read from what is checked (spec/protocol.md, sections 2.3 and 6).

export const GROUP_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export const PAGE_HEADER_BYTES = 15;
export const POINT_BYTES = 33;
export const LINK_BYTES = 65;

export const MAX_MANIFEST_BYTES = 2 ** 24;
export const MAX_DECLARATION_BYTES = 2 ** 22;
export const MAX_PACKAGE_BYTES = 2 ** 20;
export const MAX_LIST_BYTES = 2 ** 22;
export const MAX_AMOUNT = 2n ** 64n - 1n;

const MAX_CAPACITY = 2n ** 20n;
export const CAPACITIES = new Set([1n, 2n, 3n]);
for (let power = 1n; 4n * power <= MAX_CAPACITY; power *= 2n) {
  [4n, 5n, 6n, 7n].filter((n) => n * power <= MAX_CAPACITY).forEach((n) => CAPACITIES.add(n * power));
}

/** Levels, pages and lengths of an asset's tree; `capacity` counts the pages of level 0. */
export class TreeShape {
  constructor(capacity, pageSize) {
    this.capacity = capacity;
    this.pageSize = pageSize;
    this.leaves = capacity * pageSize;
    this.levels = 1;
    while (pageSize ** this.levels < this.leaves) this.levels += 1;
  }

  pages(level) {
    return Math.ceil(this.leaves / this.pageSize ** (level + 1));
  }

  /** Entries of all pages of a level: leaves, or the pages of the level below. */
  entries(level) {
    return level === 0 ? this.leaves : this.pages(level - 1);
  }

  count(level, index) {
    return Math.min(this.pageSize, this.entries(level) - index * this.pageSize);
  }

  fileBytes(core, level) {
    const last = this.pages(level) - 1;
    return last * this.pageBytes(core, level, 0) + this.pageBytes(core, level, last);
  }

  pageBytes(core, level, index) {
    return core.pageLength(level, this.count(level, index));
  }
}

export const levelPath = (code, level) => `pages/${code}/${level}`;
