// The C core, compiled to WebAssembly: bytes in, bytes or a code out (native/include/assay.h has the
// contracts). Everything is allocated for one call and freed after it, but for the tables.

import { concat, uint } from "./bytes.js";

const OK = 0;
const REJECTIONS = new Map([
  [8, "page.bad-header"],
  [9, "page.bad-point"],
  [11, "argument.bad-point"],
  [12, "argument.bad-scalar"],
  [13, "argument.rejected"],
  [14, "page.infinite-sum"],
]);
const ALIGNMENT = 64;

/** A page was refused; `code` is the row of spec/errors.md, `index` a page's place. */
export class CoreRejected extends Error {
  constructor(code, index) {
    super(code);
    this.code = code;
    this.index = index;
  }
}

export class Core {
  /** Instantiate a compiled module and build the tables of fixed points. */
  static async load(module) {
    // The C library asks for its environment; there is none, and nothing else is granted.
    const memory = () => new DataView(instance.exports.memory.buffer);
    const environment = {
      environ_sizes_get(count, size) {
        memory().setUint32(count, 0, true);
        memory().setUint32(size, 0, true);
        return 0;
      },
      environ_get: () => 0,
      proc_exit(status) {
        throw new Error(`the core stopped: ${status}`);
      },
    };
    /** @type {any} */
    const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: environment });
    return new this(instance.exports);
  }

  constructor(exports) {
    this.c = exports;
    this.held = [];
    this.c._initialize();
    this.expect(this.c.assay_init());
    const memory = this.allocate(this.c.assay_tables_size());
    this.held = [];
    this.tables = this.call(() => {
      const scratch = this.allocate(this.c.assay_tables_scratch_size());
      return this.c.assay_tables_build(memory, scratch);
    });
  }

  sha256(data) {
    return this.call(() => {
      const digest = this.allocate(32);
      this.c.assay_sha256(digest, this.put(data), data.length);
      return this.get(digest, 32);
    });
  }

  /** H_tag(data), the tag being `assay/v1/` and a purpose. */
  taggedHash(tag, data) {
    return this.call(() => {
      const digest = this.allocate(32);
      this.c.assay_tagged_hash(digest, this.put(tag), tag.length, this.put(data), data.length);
      return this.get(digest, 32);
    });
  }

  transcriptBegin() {
    return this.call(() => {
      const state = this.allocate(32);
      this.c.assay_transcript_begin(state);
      return this.get(state, 32);
    });
  }

  /** The state of a transcript after `data` was absorbed under a label; both are bytes. */
  transcriptAbsorb(state, label, data) {
    return this.call(() => {
      const kept = this.put(state);
      const at = [this.put(label), label.length, this.put(data), data.length];
      this.expect(this.c.assay_transcript_absorb(kept, ...at));
      return this.get(kept, 32);
    });
  }

  pointIsValid(point) {
    return this.call(() => {
      const scratch = this.allocate(this.c.assay_points_scratch_size(1));
      return this.c.assay_points_check_var(this.allocate(4), this.put(point), 1, scratch) === OK;
    });
  }

  /** Com(value, blinding), value below 2^64. */
  commit(value, blinding) {
    return this.call(() => {
      const point = this.allocate(33);
      const scratch = this.allocate(this.c.assay_commit_scratch_size(1));
      const word = this.put(uint(value, 8).reverse());
      const at = [this.put(blinding), 1, this.tables, scratch];
      this.expect(this.c.assay_commit_var(point, this.allocate(4), word, 1, ...at));
      return this.get(point, 33);
    });
  }

  /** The bytes of a page of a level. */
  pageLength(level, count) {
    return this.c.assay_page_length(level, count);
  }

  /**
   * Check one page by itself; returns its id and sum, in one piece of 65 bytes. Throws CoreRejected.
   * `place` has assetState, level, levels, index, capacity, pageSize, count.
   */
  verifyPage(place, page) {
    return this.call(() => {
      const [id, sum, bad] = [this.allocate(32), this.allocate(33), this.allocate(4)];
      // struct assay_page_place: 32 bytes, two u8, then u32s at multiples of 4.
      const at = this.put(concat(place.assetState, new Uint8Array(16)));
      this.view().setUint8(at + 32, place.level);
      this.view().setUint8(at + 33, place.levels);
      this.view().setUint32(at + 36, place.index, true);
      this.view().setUint32(at + 40, place.capacity, true);
      this.view().setUint32(at + 44, place.pageSize, true);
      const scratch = this.allocate(this.c.assay_pages_verify_scratch_size(place.pageSize));
      const status = this.c.assay_pages_verify_var(
        id, sum, bad, at, this.put(page), 1, place.count, this.seed(), this.tables, scratch,
      );
      this.expect(status, place.index);
      return concat(this.get(id, 32), this.get(sum, 33));
    });
  }

  /** 32 bytes of the browser's random source, drawn when everything that they weigh is at hand. */
  seed() {
    return this.put(crypto.getRandomValues(new Uint8Array(32)));
  }

  /** Run `body`, and free whatever it allocated. */
  call(body) {
    try {
      return body();
    } finally {
      this.held.splice(0).forEach((address) => this.c.free(address));
    }
  }

  allocate(size) {
    const address = this.c.malloc(size + ALIGNMENT);
    if (address === 0) throw new Error("out of memory");
    this.held.push(address);
    return (address + ALIGNMENT - 1) & -ALIGNMENT;
  }

  put(data) {
    const address = this.allocate(data.length);
    new Uint8Array(this.c.memory.buffer, address >>> 0, data.length).set(data);
    return address;
  }

  get(address, length) {
    return new Uint8Array(this.c.memory.buffer, address >>> 0, length).slice();
  }

  view() {
    return new DataView(this.c.memory.buffer);
  }

  expect(status, index) {
    if (REJECTIONS.has(status)) throw new CoreRejected(REJECTIONS.get(status), index);
    if (status !== OK) throw new Error(`the core refuses its input: ${status}`);
  }
}
