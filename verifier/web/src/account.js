// Canonical account ids and names, exactly as Unicode 15.0 has them (spec/protocol.md, 1.1). The
// browser's own tables may be newer: NFC is stable over what 15.0 assigns, and all else is refused
// by the ranges in unicode.js first.

import { utf8 } from "./bytes.js";
import { UNASSIGNED } from "./unicode.js";

const MAX_ID_BYTES = 128;
const MAX_NAME_BYTES = 64;
// A code point decomposes to at most four, and normalising is quadratic in the worst case.
const MAX_EXPANSION = 4;

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

export const canonicalName = (text) => canonicalText(text, "opaque", MAX_NAME_BYTES);

function canonicalText(text, type, maxBytes) {
  let canonical = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (type === "phone") canonical = canonical.replace(/[ -]/g, "");
  if (canonical === "") throw new AccountError("empty");
  const points = Array.from(canonical, (character) => character.codePointAt(0));
  points.forEach(checkCodePoint);
  if (points.length > MAX_EXPANSION * maxBytes) throw new AccountError("too-long");
  canonical = canonical.normalize("NFC");
  if (type === "email") {
    canonical = canonical.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).normalize("NFC");
  }
  if (utf8(canonical).length > maxBytes) throw new AccountError("too-long");
  return canonical;
}

function checkCodePoint(point) {
  if (point < 0x20 || (0x7f <= point && point < 0xa0)) throw new AccountError("control");
  if (0xd800 <= point && point < 0xe000) throw new AccountError("surrogate");
  if (isUnassigned(point)) throw new AccountError("unassigned");
}

/** UNASSIGNED holds first and last of every range, ascending. */
function isUnassigned(point) {
  let low = 0;
  let high = UNASSIGNED.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (point > UNASSIGNED[2 * middle + 1]) low = middle + 1;
    else high = middle;
  }
  return 2 * low < UNASSIGNED.length && UNASSIGNED[2 * low] <= point;
}
