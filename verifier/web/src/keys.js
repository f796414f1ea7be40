// The exchange's Ed25519 key: its text, and signatures over tag ‖ SHA-256(body) (spec/protocol.md 1.2).
// A key of small order, or of an encoding that is not canonical, verifies nothing.

import { concat } from "./bytes.js";
import { Misuse } from "./errors.js";
import { tag } from "./statement.js";

export const KEY_PREFIX = "assay1";
export const KEY_LENGTH = 64;
export const KEY_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const BECH32M = 0x2bc830a3;

const FIELD = 2n ** 255n - 19n;
const ORDER_EIGHT = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
// The y of the points of order 1, 2, 4 and 8; opposite points share it.
const SMALL_ORDER = [0n, 1n, FIELD - 1n, ORDER_EIGHT, FIELD - ORDER_EIGHT];

/** The text of a key of 32 bytes: bech32m (BIP-350) with the prefix assay. */
export function publicKeyText(key) {
  const groups = toGroups(key);
  const checksum = polymod([...prefixGroups(), ...groups, 0, 0, 0, 0, 0, 0]) ^ BECH32M;
  for (let at = 5; at >= 0; at--) groups.push((checksum >>> (5 * at)) & 31);
  return KEY_PREFIX + groups.map((group) => KEY_LETTERS[group]).join("");
}

/** The 32 bytes of a public key in its text form. Throws Misuse where it is none, or nobody's. */
export function parsePublicKey(text) {
  if (text.length !== KEY_LENGTH || !text.startsWith(KEY_PREFIX)) throw new Misuse("key", "not-a-key");
  const key = fromGroups(Array.from(text.slice(KEY_PREFIX.length, -6), (letter) => KEY_LETTERS.indexOf(letter)));
  if (publicKeyText(key) !== text) throw new Misuse("key", "mistyped");
  if (!isSoundKey(key)) throw new Misuse("key", "nobodys");
  return key;
}

/** Whether 32 bytes, as a key, are canonical and not of small order. */
export function isSoundKey(key) {
  let y = BigInt(key[31] & 0x7f);
  for (let at = 30; at >= 0; at--) y = (y << 8n) | BigInt(key[at]);
  return y < FIELD && !SMALL_ORDER.includes(y);
}

/** 256 bits and four zeros in groups of five. */
function toGroups(key) {
  const groups = [];
  let held = 0;
  let bits = 0;
  for (const byte of key) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; ) groups.push((held >>> (bits -= 5)) & 31);
  }
  groups.push((held << (5 - bits)) & 31);
  return groups;
}

/** The bytes of 52 groups; what is no group, or is left over, makes another text of them. */
function fromGroups(groups) {
  const key = new Uint8Array(32);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const group of groups) {
    held = ((held << 5) | (group & 31)) & 0xfff;
    bits += 5;
    if (bits >= 8) key[at++] = held >>> (bits -= 8);
  }
  return key;
}

function prefixGroups() {
  const letters = Array.from("assay", (letter) => letter.charCodeAt(0));
  return [...letters.map((code) => code >>> 5), 0, ...letters.map((code) => code & 31)];
}

function polymod(values) {
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((term, at) => {
      if ((top >>> at) & 1) check ^= term;
    });
  }
  return check;
}

/** Whether `signature` is one of `body` by a public key (RFC 8032); all of them untrusted bytes. */
export async function isSigned(core, key, purpose, body, signature) {
  if (signature.length !== 64 || !isSoundKey(key)) return false;
  const message = concat(tag(purpose), core.sha256(body));
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch (error) {
    // Bytes that are no key. A browser without Ed25519 must not look like a forged signature.
    if (error.name === "NotSupportedError") throw error;
    return false;
  }
  return crypto.subtle.verify("Ed25519", imported, signature, message);
}
