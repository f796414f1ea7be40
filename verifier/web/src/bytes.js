// Bytes, text and numbers: the encodings of spec/transcript.md, section 1. Numbers are BigInt where
// they may pass 2^53.

const UTF8 = new TextEncoder();

export const utf8 = (text) => UTF8.encode(text);

export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** A non-negative integer in `length` bytes, big-endian. */
export function uint(value, length) {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

export function toBigInt(bytes) {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/** lp(data): a u32 length and the bytes, of a text in UTF-8. */
export function lengthPrefixed(data) {
  const raw = typeof data === "string" ? utf8(data) : data;
  return concat(uint(raw.length, 4), raw);
}

/** Negative, zero or positive as `a` stands before, at or after `b`. */
export function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    if (a[at] !== b[at]) return a[at] - b[at];
  }
  return a.length - b.length;
}

export const equal = (a, b) => compare(a, b) === 0;

/** The order of texts is that of their UTF-8, which JavaScript's own order is not. */
export const compareText = (a, b) => compare(utf8(a), utf8(b));

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Whether every item stands strictly before the next one. */
export function isAscending(items, order) {
  return items.every((item, at) => at === 0 || order(items[at - 1], item) < 0);
}
