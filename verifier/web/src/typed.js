// What a person typed or pasted, as the check takes it: { value }, or { rule } that it breaks. A slip
// is put right where it has one meaning and explained where it has not.

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

// An amount in ASCII: its marks, and what else stands between groups of digits.
const MARKS = { "．": ".", "，": ",", "،": "," };
const BLANKS = /(?<=\d)\s+(?=\d)/g;
const APOSTROPHES = /(?<=\d)['’‘ʼ`´′٬](?=\d)/g;
const EXPONENT = /^(.*\d[.,]?)e([+-]?\d{1,2})$/i;
// Thousands, or lakhs and crores; behind the point, threes from the left.
const WHOLE = /^\d*$|^[1-9]\d{0,2}(?:([.,' ])\d{3}(?:\1\d{3})*|([.,' ])(?:\d{2}\2)+\d{3})$/;
const FRACTION = /^\d*$|^\d{2,3}(?: \d{3})* \d{1,3}$/;
const TWO_WAYS = /^[1-9]\d{0,2}[.,]\d{3}$/;
// Millions' apostrophe before a thousands' comma, or thousands' before a decimal one.
const UNCLEAR = /'.*[.,]\d{3}$/;
const MOST_DIGITS = 40;
// Of an address or a key; what is longer would take its time.
const MOST_LETTERS = 2048;

/**
 * A public key's text. Rules: `missing`, `prefix`, `letter` (`found`), `length` (`length`), and those of
 * `parsePublicKey`.
 */
export function readKey(text) {
  if (text.length > MOST_LETTERS) return { rule: "length", length: String(text.length) };
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
  if (text.length > MOST_LETTERS) return { rule: "malformed" };
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

/**
 * An amount, however the reader's country writes it: `value` is a plain decimal with the digits that were
 * typed. Where they were written otherwise, `isRewritten` says that the reader should see as what.
 *
 * `row` is what is known of the coin: its `code`, which may stand beside the number, and what is `counted`,
 * over 10^`decimals`. A figure such as 1,168 or 1.168 can be two numbers. It is the one that agrees with what
 * is counted, to the last digit typed; or, where both are more or both are less than that, the nearer one.
 * `other` is then the other one. Where the choice decides whether something is missing, the page must ask, as
 * where the row `isHidden`: what is counted is not known before the customer has typed. Where nothing is
 * counted, a point is a decimal point, and of a comma the page must ask.
 *
 * Rules: `notation` (`readings`, two plain decimals that have one meaning each), `number`.
 *
 * @param {string} text
 * @param {{ code?: string, decimals?: number, counted?: bigint, isHidden?: boolean }} row
 * @returns {{ value?: string, isRewritten?: boolean, other?: string, rule?: string, readings?: string[] }}
 */
export function readBalance(text, row = {}) {
  const typed = text.trim();
  const figure = figureOf(typed, row.code);
  const readings = readingsOf(figure);
  if (!readings.every((reading) => PLAIN.test(reading))) return { rule: "number" };
  const [value, other] = choose(readings, figure.includes("."), row);
  if (value === undefined) return { rule: "notation", readings: [`${readings[0]}0`, readings[1]] };
  return { value, ...(value === typed ? {} : { isRewritten: true }), ...(other ? { other } : {}) };
}

function figureOf(typed, code) {
  const ascii = typed.replace(/\p{Cf}/gu, "").replace(/\p{Nd}/gu, digitOf).replace(/[．，،]/g, (mark) => MARKS[mark]);
  return withoutCode(ascii, code).trim().replace(BLANKS, " ").replace(APOSTROPHES, "'");
}

/** The value of a digit of any script: Unicode has them in runs of ten, each from zero to nine. */
function digitOf(digit) {
  let zero = digit.codePointAt(0);
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String((digit.codePointAt(0) - zero) % 10);
}

/** A code apart from the digits, or next to them by a letter: 5 1INCH, but not 51INCH. */
function withoutCode(figure, code) {
  if (code === undefined) return figure;
  const before = new RegExp(`^\\s*${code}(?:\\s|(?<=[A-Z])(?=[\\d.,]))`, "i");
  const behind = new RegExp(`(?:\\s|(?<=[\\d.,])(?=[A-Z]))${code}\\s*$`, "i");
  return figure.replace(before, "").replace(behind, "");
}

/** What a figure can mean: one plain decimal, which may be malformed, or two, the smaller one first. */
function readingsOf(figure) {
  if (TWO_WAYS.test(figure)) return [figure.replace(",", "."), figure.replace(/[.,]/, "")];
  const [, mantissa, exponent] = EXPONENT.exec(figure) ?? [null, figure, "0"];
  return [shifted(plainText(mantissa), Number(exponent))];
}

/** The decimal mark is the last mark, if there is one of its kind. */
function plainText(figure) {
  const marks = figure.match(/[.,٫]/g) ?? [];
  const isDecimal = marks.length > 0 && marks.indexOf(marks.at(-1)) === marks.length - 1;
  const at = isDecimal ? figure.lastIndexOf(marks.at(-1)) : figure.length;
  const [whole, fraction] = [figure.slice(0, at), figure.slice(at + 1)];
  if (!WHOLE.test(whole) || !FRACTION.test(fraction) || !/\d/.test(figure) || UNCLEAR.test(figure)) return "";
  const digits = [whole || "0", fraction].map((part) => part.replace(/[.,' ]/g, ""));
  return digits.filter(Boolean).join(".");
}

/** A plain decimal times 10^`exponent`. */
function shifted(plain, exponent) {
  if (plain === "" || exponent === 0) return plain;
  if (Math.abs(exponent) > MOST_DIGITS) return "";
  const [whole, fraction = ""] = plain.split(".");
  const zeros = "0".repeat(MOST_DIGITS);
  const digits = zeros + whole + fraction + zeros;
  const point = MOST_DIGITS + whole.length + exponent;
  const moved = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return moved.replace(/^0+(?=\d)/, "").replace(/\.?0+$/, "");
}

/** The reading that is meant and the one that is not; nothing where the page must ask. */
function choose(readings, isPoint, { decimals = 0, counted = null, isHidden = false }) {
  const [low, high] = readings;
  if (high === undefined) return [low];
  if (isHidden) return [];
  if (!counted) return isPoint ? [low] : [];
  // Over 10^(3 + decimals).
  const unit = 10n ** BigInt(decimals);
  const [asLow, asHigh, actual] = [BigInt(high) * unit, BigInt(high) * 1000n * unit, counted * 1000n];
  const agrees = (reading, lastDigit) => actual - reading < lastDigit && reading - actual < lastDigit;
  if (agrees(asLow, unit) || actual < asLow) return [low, high];
  return agrees(asHigh, 1000n * unit) || actual > asHigh ? [high, low] : [];
}

/** An asset's code. Rule: `code`. */
export function readCode(text) {
  const code = text.trim().toUpperCase();
  return CODE.test(code) ? { value: code } : { rule: "code" };
}
