// The C core, compiled to WebAssembly: bytes in, bytes or a code out (native/include/assay.h has the
// contracts). Everything is allocated for one call and freed after it, but for the fixed points.

import { concat } from "./bytes.js";

const OK = 0;
const REJECTIONS = new Map([
  [8, "page.bad-header"],
  [9, "page.bad-point"],
  [11, "argument.bad-point"],
  [12, "argument.bad-scalar"],
  [13, "argument.rejected"],
  [14, "page.infinite-sum"],
  [15, "inclusion.wrong-identity"],
  [16, "opening.bad-point"],
  [17, "opening.bad-scalar"],
  [18, "inclusion.wrong-amount"],
]);
// The structs of the core: the bytes of each field, in order. An address has 4, and a field stands at a
// multiple of its own size.
const STRUCTS = {
  assay_tree: { context: 32, asset: 4, asset_length: 4, capacity: 4, page_size: 4 },
  assay_checked_page: { tree: 4, page: 4, argument: 4, level: 4, index: 4 },
  assay_checked_opening: { identity: 4, path: 4, opening: 4, amount: 8, page: 4, leaf: 4 },
};
const WEIGHT_BYTES = 32;
// A browser gives no more random bytes than these at once.
const MOST_RANDOM_BYTES = 65_536;
const ALIGNMENT = 64;

/** A page or an opening was refused; `code` is the row of spec/errors.md. */
export class CoreRejected extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export class Core {
  /** Instantiate a compiled module and compute the fixed points. */
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
    const memory = this.allocate(this.c.assay_bases_size());
    this.held = [];
    this.bases = this.call(() => {
      const scratch = this.allocate(this.c.assay_bases_scratch_size());
      return this.c.assay_bases_build(memory, scratch);
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

  pointIsValid(point) {
    return this.call(() => {
      const scratch = this.allocate(this.c.assay_points_scratch_size(1));
      return this.c.assay_points_check_var(this.allocate(4), this.put(point), 1, scratch) === OK;
    });
  }

  /**
   * Check pages by themselves, and then openings of their leaves, all at once; returns each page's id and
   * sum, in one piece of 65 bytes. Throws CoreRejected.
   *
   * A page has `tree` (of statement.js), `level`, `index`, `page` and `argument`, which is null where the
   * entries alone are to be checked. An opening has `page`, the number of its page among these, `leaf`,
   * its own number in it, `amount`, `identity`, `path` and `opening`.
   */
  check(pages, openings = []) {
    return this.call(() => {
      const trees = new Map(pages.map(({ tree }) => [tree, null]));
      for (const tree of trees.keys()) trees.set(tree, this.putTree(tree));
      const checked = this.putStructs("assay_checked_page", pages.map((item) => ({
        ...item,
        tree: trees.get(item.tree),
        page: this.put(item.page),
        argument: item.argument === null ? 0 : this.put(item.argument),
      })));
      const opened = this.putStructs("assay_checked_opening", openings.map((item) => ({
        ...item, identity: this.put(item.identity), path: this.put(item.path), opening: this.put(item.opening),
      })));
      const [n, count] = [pages.length, openings.length];
      const [ids, sums, bad] = [this.allocate(32 * n), this.allocate(33 * n), this.allocate(4)];
      const scratch = this.allocate(this.c.assay_check_scratch_size(checked, n, count));
      const weights = this.weights(this.c.assay_check_weights(checked, n, count));
      const status = this.c.assay_check_var(
        ids, sums, bad, checked, n, opened, count, weights, this.bases, scratch,
      );
      this.expect(status);
      return pages.map((_, at) => concat(this.get(ids + 32 * at, 32), this.get(sums + 33 * at, 33)));
    });
  }

  putTree({ context, asset, capacity, pageSize }) {
    const fields = { asset: this.put(asset), asset_length: asset.length, capacity, page_size: pageSize };
    return this.putStructs("assay_tree", [{ context, ...fields }]);
  }

  /** The weights of so many equations, drawn when everything that they weigh is in memory. */
  weights(count) {
    const drawn = new Uint8Array(WEIGHT_BYTES * count);
    for (let at = 0; at < drawn.length; at += MOST_RANDOM_BYTES) {
      crypto.getRandomValues(drawn.subarray(at, at + MOST_RANDOM_BYTES));
    }
    return this.put(drawn);
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

  /** Structs of a kind, one behind the other; a field is a number, a BigInt or bytes. */
  putStructs(kind, records) {
    const fields = Object.entries(STRUCTS[kind]);
    const places = new Map();
    let size = 0;
    for (const [name, bytes] of fields) {
      const at = Math.ceil(size / bytes) * bytes;
      places.set(name, at);
      size = at + bytes;
    }
    const address = this.allocate(size * records.length);
    const view = this.view();
    records.forEach((record, number) => {
      for (const [name, bytes] of fields) {
        const at = (address >>> 0) + number * size + places.get(name);
        const value = record[name];
        if (value instanceof Uint8Array) new Uint8Array(view.buffer, at, bytes).set(value);
        else if (bytes === 8) view.setBigUint64(at, value, true);
        else view.setUint32(at, value, true);
      }
    });
    return address;
  }

  get(address, length) {
    return new Uint8Array(this.c.memory.buffer, address >>> 0, length).slice();
  }

  view() {
    return new DataView(this.c.memory.buffer);
  }

  expect(status) {
    if (REJECTIONS.has(status)) throw new CoreRejected(REJECTIONS.get(status));
    if (status !== OK) throw new Error(`the core refuses its input: ${status}`);
  }
}
