// A QR code (ISO/IEC 18004) of a short text: bytes, with error correction of level M, in the versions 5 to
// 10, under the first mask. A reader's picture of it is sharp, so no other mask is weighed.

import { utf8 } from "./bytes.js";

// Of each version the bytes of error correction of a block, the data bytes of its blocks, and where the
// alignment patterns stand.
const VERSIONS = [
  { version: 5, check: 24, blocks: [43, 43], aligned: [6, 30] },
  { version: 6, check: 16, blocks: [27, 27, 27, 27], aligned: [6, 34] },
  { version: 7, check: 18, blocks: [31, 31, 31, 31], aligned: [6, 22, 38] },
  { version: 8, check: 22, blocks: [38, 38, 39, 39], aligned: [6, 24, 42] },
  { version: 9, check: 22, blocks: [36, 36, 36, 37, 37], aligned: [6, 26, 46] },
  { version: 10, check: 26, blocks: [43, 43, 43, 43, 44], aligned: [6, 28, 50] },
];
const POLYNOMIAL = 0x11d;
const FORMAT = 0b00_000; // level M, mask 0
const [FORMAT_GENERATOR, FORMAT_MASK, VERSION_GENERATOR] = [0x537, 0x5412, 0x1f25];

/** The rows of modules, true where dark; null for a text that is too long. */
export function qrCode(text) {
  const data = utf8(text);
  const room = ({ version, blocks }) => sum(blocks) - (version < 10 ? 2 : 3);
  const chosen = VERSIONS.find((one) => room(one) >= data.length);
  if (chosen === undefined) return null;
  const { version, aligned } = chosen;
  const size = 17 + 4 * version;
  const rows = Array.from({ length: size }, () => new Array(size).fill(null));
  drawPatterns(rows, aligned, version);
  drawFormat(rows, size);
  drawData(rows, size, codewords(data, chosen));
  return rows;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

// --- bytes

/** Data and error correction, interleaved over the blocks. */
function codewords(data, { version, check, blocks }) {
  const counted = version < 10 ? [data.length] : [data.length >> 8, data.length & 255];
  // The mode has four bits, so all behind it stands half a byte aside; four zeros end it.
  const nibbles = [4, ...[...counted, ...data].flatMap((byte) => [byte >> 4, byte & 15]), 0];
  const bytes = Array.from({ length: nibbles.length / 2 }, (_, at) => 16 * nibbles[2 * at] + nibbles[2 * at + 1]);
  for (let pad = 0xec; bytes.length < sum(blocks); pad ^= 0xec ^ 0x11) bytes.push(pad);
  let from = 0;
  const parts = blocks.map((length) => bytes.slice(from, (from += length)));
  const checks = parts.map((part) => remainder(part, check));
  return [...interleaved(parts), ...interleaved(checks)];
}

function interleaved(parts) {
  const longest = Math.max(...parts.map(({ length }) => length));
  const columns = Array.from({ length: longest }, (_, at) => parts.map((part) => part[at]));
  return columns.flat().filter((byte) => byte !== undefined);
}

function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ (product >> 7 ? POLYNOMIAL : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** The Reed-Solomon bytes of a block. */
function remainder(block, length) {
  let generator = [1];
  for (let power = 0, root = 1; power < length; power += 1, root = times(root, 2)) {
    const shifted = [...generator, 0];
    generator = shifted.map((term, at) => term ^ (at > 0 ? times(generator[at - 1], root) : 0));
  }
  const rest = [...block, ...new Array(length).fill(0)];
  block.forEach((_, at) => {
    const factor = rest[at];
    generator.forEach((term, of) => { rest[at + of] ^= times(term, factor); });
  });
  return rest.slice(block.length);
}

/** Some bits and behind them the remainder by a generator of `length` more. */
function protectedBits(bits, generator, length) {
  let rest = bits << length;
  for (let bit = 31; bit >= length; bit -= 1) if ((rest >>> bit) & 1) rest ^= generator << (bit - length);
  return (bits << length) | rest;
}

// --- modules

function drawPatterns(rows, aligned, version) {
  const size = rows.length;
  const square = (row, column, radius, isDark) => {
    for (let y = -radius; y <= radius; y += 1) {
      for (let x = -radius; x <= radius; x += 1) {
        const distance = Math.max(Math.abs(x), Math.abs(y));
        if (row + y in rows && column + x in rows) rows[row + y][column + x] = isDark(distance);
      }
    }
  };
  for (let at = 0; at < size; at += 1) rows[6][at] = rows[at][6] = at % 2 === 0;
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) {
    square(row, column, 4, (distance) => distance !== 2 && distance !== 4);
  }
  const last = aligned.at(-1);
  for (const row of aligned) {
    for (const column of aligned) {
      const isCorner = [[6, 6], [6, last], [last, 6]].some(([y, x]) => y === row && x === column);
      if (!isCorner) square(row, column, 2, (distance) => distance !== 1);
    }
  }
  if (version < 7) return;
  const bits = protectedBits(version, VERSION_GENERATOR, 12);
  for (let at = 0; at < 18; at += 1) {
    const [long, short] = [Math.floor(at / 3), size - 11 + (at % 3)];
    rows[long][short] = rows[short][long] = Boolean((bits >> at) & 1);
  }
}

function drawFormat(rows, size) {
  const bits = protectedBits(FORMAT, FORMAT_GENERATOR, 10) ^ FORMAT_MASK;
  const isDark = (at) => Boolean((bits >> at) & 1);
  for (let at = 0; at < 15; at += 1) {
    if (at < 8) rows[8][size - 1 - at] = isDark(at);
    else rows[size - 15 + at][8] = isDark(at);
    const near = at < 6 ? at : at + 1;
    if (at < 8) rows[near][8] = isDark(at);
    else rows[8][at < 9 ? 7 : 14 - at] = isDark(at);
  }
  rows[size - 8][8] = true;
}

/** In columns of two from the right, up and down, around what stands there; each module under the mask. */
function drawData(rows, size, bytes) {
  const places = [];
  for (let right = size - 1, isUp = true; right > 0; right -= right === 8 ? 3 : 2, isUp = !isUp) {
    for (let step = 0; step < size; step += 1) {
      const row = isUp ? size - 1 - step : step;
      for (const x of [right, right - 1]) if (rows[row][x] === null) places.push([row, x]);
    }
  }
  places.forEach(([row, column], at) => {
    const bit = ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    rows[row][column] = (bit === 1) !== ((row + column) % 2 === 0);
  });
}
