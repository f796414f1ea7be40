// Canonical account ids and names, exactly as Unicode 15.0 has them (spec/protocol.md, 1.1). The
// browser's own tables may be newer: NFC is stable over what 15.0 assigns, and all else is refused
// by the lists of code-points.json first, of which build.py makes unicode.js.

import { utf8 } from "./bytes.js";
import { IN_NO_ID, IN_NO_NAME, MARKS } from "./unicode.js";

const MAX_ID_BYTES = 128;
const MAX_NAME_BYTES = 64;
// A code point decomposes to at most four, and normalising is quadratic in the worst case.
const MAX_EXPANSION = 4;
const MAX_MARKS = 4;

const SPACE = "\\u0020\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const EMAIL = new RegExp(`^[^@${SPACE}]+@[^@${SPACE}]+$`, "u");
const PHONE = /^\+[0-9]{7,15}$/;

/** A text without a canonical form; `rule` is the rule that it breaks. */
export class AccountError extends Error {
  constructor(rule) {
    super(rule);
    this.rule = rule;
  }
}

/** The canonical form of an account id of the type `email`, `phone` or `opaque`. */
export function canonicalAccountId(text, type) {
  const canonical = canonicalText(text, type, MAX_ID_BYTES);
  if (type === "email" && !EMAIL.test(canonical)) throw new AccountError("not-email");
  if (type === "phone" && !PHONE.test(canonical)) throw new AccountError("not-phone");
  return canonical;
}

/** The canonical form of a name, an exchange's by default. */
export function canonicalName(text, maxBytes = MAX_NAME_BYTES) {
  const canonical = canonicalText(text, "opaque", maxBytes);
  checkShown(canonical);
  return canonical;
}

/** Whether a text is a name in its canonical form. */
export function isName(text, maxBytes = MAX_NAME_BYTES) {
  try {
    return canonicalName(text, maxBytes) === text;
  } catch (error) {
    if (error instanceof AccountError) return false;
    throw error;
  }
}

/**
 * Throws where a text has a character that does not show as itself, two spaces in a row, or marks
 * that stand on nothing or in a heap.
 */
export function checkShown(text) {
  const isHidden = (character) => isIn(character, IN_NO_ID) || isIn(character, IN_NO_NAME);
  if (text.includes("  ") || Array.from(text).some(isHidden)) throw new AccountError("invisible");
  let room = 0;
  for (const character of text) {
    if (!isIn(character, MARKS)) room = character === " " ? 0 : MAX_MARKS;
    else if (room === 0) throw new AccountError("marks");
    else room -= 1;
  }
}

function canonicalText(text, type, maxBytes) {
  let canonical = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (type === "phone") canonical = canonical.replace(/[ -]/g, "");
  if (canonical === "") throw new AccountError("empty");
  const characters = Array.from(canonical);
  if (characters.some((character) => isIn(character, IN_NO_ID))) throw new AccountError("refused-character");
  if (characters.length > MAX_EXPANSION * maxBytes) throw new AccountError("too-long");
  canonical = canonical.normalize("NFC");
  if (type === "email") {
    canonical = canonical.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).normalize("NFC");
  }
  if (utf8(canonical).length > maxBytes) throw new AccountError("too-long");
  return canonical;
}

/** Whether a character is in ranges, which ascend and are given by first and last code point. */
function isIn(character, ranges) {
  const point = character.codePointAt(0);
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (point > ranges[2 * middle + 1]) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && ranges[2 * low] <= point;
}
