// What a person typed or pasted, as the check takes it: { value }, or { rule } that it breaks. A slip
// is put right where it has one meaning and explained where it has not; an amount is never guessed.

import { KEY_LENGTH, KEY_LETTERS, KEY_PREFIX, parsePublicKey } from "./keys.js";

const AROUND = /^[\s\p{Cf}\p{Quotation_Mark}<(]+|[\s\p{Cf}\p{Quotation_Mark}>).,;]+$/gu;
const WITHIN = /[\s\p{Cf}]/gu;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SLOPPY_SCHEME = /^(https?)[:/]+(?=[^:/])/i;
const HOST = /^[^/?#]*\.[^/?#.]/;
// What of an address names a file of the published folder or its page, and not the folder.
const FILE = /\/[^/]*\.(?:html?|json|msgpack|sig)$/i;
const PLAIN = /^[0-9]{1,40}(\.[0-9]{1,40})?$/;
const CODE = /^[A-Z0-9]{1,16}$/;

// How numbers are written elsewhere: the digits before the decimal mark, grouped or not, then those
// after it. A number may be of two kinds: 1,168 is.
const NOTATIONS = [
  /^([1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?$/,
  /^([1-9]\d{0,2}(?:\.\d{3})+),(\d+)$/,
  /^([1-9]\d{0,2}(?:\.\d{3}){2,})$/,
  /^(\d*),(\d+)$/,
  /^(\d*)\.(\d+)$/,
  /^(\d+)\.?$/,
];

/**
 * A public key's text. Rules: `missing`, `prefix`, `letter` (`found`), `length` (`length`), and those of
 * `parsePublicKey`.
 */
export function readKey(text) {
  const key = text.replace(AROUND, "").replace(WITHIN, "").toLowerCase();
  if (key === "") return { rule: "missing" };
  if (!key.startsWith(KEY_PREFIX)) return { rule: "prefix" };
  const other = [...key.slice(KEY_PREFIX.length)].find((letter) => !KEY_LETTERS.includes(letter));
  if (other) return { rule: "letter", found: other };
  if (key.length !== KEY_LENGTH) return { rule: "length", length: String(key.length) };
  try {
    parsePublicKey(key);
    return { value: key };
  } catch (error) {
    return { rule: error.rule };
  }
}

/**
 * The URL of a published folder or bundle, ending in a slash: https, or of the origin of the page at
 * `here`, which may be named by a path alone. Rules: `missing`, `malformed`, `scheme`.
 */
export function readAddress(text, here) {
  const typed = text.replace(AROUND, "").replace(SLOPPY_SCHEME, "$1://");
  if (typed === "") return { rule: "missing" };
  const full = !SCHEME.test(typed) && HOST.test(typed) ? `https://${typed}` : typed;
  if (!URL.canParse(full, here)) return { rule: "malformed" };
  const url = new URL(full, here);
  if (url.hostname.includes("%")) return { rule: "malformed" };
  const isOwn = url.protocol.startsWith("http") && url.origin === new URL(here).origin;
  if (url.protocol === "http:" && !isOwn) url.protocol = "https:";
  if (url.protocol !== "https:" && !isOwn) return { rule: "scheme" };
  url.username = url.password = url.search = url.hash = "";
  url.pathname = url.pathname.replace(FILE, "/").replace(/\/*$/, "/");
  return { value: url.href };
}

/** An amount as a plain decimal. Rules: `notation` (`readings`, one or two plain decimals), `number`. */
export function readBalance(text) {
  const typed = text.trim();
  if (PLAIN.test(typed)) return { value: typed };
  const tight = typed.replace(/[\s'’_]|^\p{Sc}|[A-Za-z]+$/gu, "");
  const readings = new Set(NOTATIONS.map((notation) => notation.exec(tight)).filter(Boolean).map(plainText));
  const good = [...readings].filter((reading) => PLAIN.test(reading));
  return good.length > 0 ? { rule: "notation", readings: good } : { rule: "number" };
}

/** @param {string[]} match */
function plainText([, whole, fraction]) {
  const digits = whole.replace(/[.,]/g, "") || "0";
  return fraction ? `${digits}.${fraction}` : digits;
}

/** An asset's code. Rule: `code`. */
export function readCode(text) {
  const code = text.trim().toUpperCase();
  return CODE.test(code) ? { value: code } : { rule: "code" };
}
