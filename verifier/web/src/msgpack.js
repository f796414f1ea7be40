// Canonical msgpack (spec/wire.md, section 1) out of untrusted bytes. Integers become BigInt, maps
// become Map, binaries are copies. No memory is taken for a length that the bytes do not hold.

import { compare, toBigInt } from "./bytes.js";

const MAX_DEPTH = 8;
const MAX_VALUES = 2 ** 24;
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes are not canonical msgpack. */
export class NotCanonical extends Error {}

export function decode(data) {
  const decoder = new Decoder(data);
  const value = decoder.value(0);
  if (decoder.at !== data.length) throw new NotCanonical("bytes after the end");
  return value;
}

class Decoder {
  constructor(data) {
    this.data = data;
    this.at = 0;
    this.values = 0;
  }

  take(size) {
    if (size > this.data.length - this.at) throw new NotCanonical("a value runs past the end");
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  /** A number of 1, 2, 4 or 8 bytes that a shorter form could not hold. */
  number(size, least) {
    const value = toBigInt(this.take(size));
    if (value < least) throw new NotCanonical("not in its shortest form");
    return value;
  }

  length(size, least) {
    return Number(this.number(size, least));
  }

  text(size) {
    const bytes = this.take(size);
    try {
      return TEXT.decode(bytes);
    } catch {
      throw new NotCanonical("a string is not UTF-8");
    }
  }

  // eslint-disable-next-line complexity -- one case a form of the format
  value(depth) {
    const lead = this.take(1)[0];
    if (lead < 0x80) return BigInt(lead);
    if (lead < 0x90) return this.map(lead & 0x0f, depth + 1);
    if (lead < 0xa0) return this.array(lead & 0x0f, depth + 1);
    if (lead < 0xc0) return this.text(lead & 0x1f);
    switch (lead) {
      case 0xc4: return this.take(this.length(1, 0n)).slice();
      case 0xc5: return this.take(this.length(2, 0x100n)).slice();
      case 0xc6: return this.take(this.length(4, 0x10000n)).slice();
      case 0xcc: return this.number(1, 0x80n);
      case 0xcd: return this.number(2, 0x100n);
      case 0xce: return this.number(4, 0x10000n);
      case 0xcf: return this.number(8, 0x100000000n);
      case 0xd9: return this.text(this.length(1, 0x20n));
      case 0xda: return this.text(this.length(2, 0x100n));
      case 0xdb: return this.text(this.length(4, 0x10000n));
      case 0xdc: return this.array(this.length(2, 0x10n), depth + 1);
      case 0xdd: return this.array(this.length(4, 0x10000n), depth + 1);
      case 0xde: return this.map(this.length(2, 0x10n), depth + 1);
      case 0xdf: return this.map(this.length(4, 0x10000n), depth + 1);
      default: throw new NotCanonical("nil, a boolean, a float, a negative integer or an extension");
    }
  }

  array(count, depth) {
    this.enter(count, depth);
    return Array.from({ length: count }, () => this.value(depth));
  }

  map(count, depth) {
    this.enter(2 * count, depth);
    const result = new Map();
    let last = null;
    for (let at = 0; at < count; at += 1) {
      const start = this.at;
      const key = this.value(depth);
      if (typeof key !== "string") throw new NotCanonical("a key is not a string");
      // The bytes of the key itself, behind its lead of 1, 2, 3 or 5 bytes.
      const raw = this.data.subarray(this.at - utf8Length(this.data, start, this.at), this.at);
      if (last !== null && compare(last, raw) >= 0) {
        throw new NotCanonical("keys are not in strictly ascending order");
      }
      result.set(key, this.value(depth));
      last = raw;
    }
    return result;
  }

  enter(values, depth) {
    if (depth > MAX_DEPTH) throw new NotCanonical(`nested deeper than ${MAX_DEPTH}`);
    if (values > this.data.length - this.at) {
      throw new NotCanonical("a count is larger than what follows");
    }
    this.values += values;
    if (this.values > MAX_VALUES) throw new NotCanonical("more than 2^24 values");
  }
}

/** The bytes of a string's text, of the string encoded in data[start .. end). */
function utf8Length(data, start, end) {
  const lead = data[start];
  const head = lead < 0xc0 ? 1 : { 0xd9: 2, 0xda: 3, 0xdb: 5 }[lead];
  return end - start - head;
}
