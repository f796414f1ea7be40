// Words, numbers and dates as a reader sees them. A line is { text, values }: a text of strings.en.json
// and what stands for its {names}. Values may be untrusted, so a page sets each apart from the words
// around it, and no character in it can move them.

const NAME = /\{(\w+)\}/;
// What is not seen itself and moves or hides what is: bidirectional controls, separators, controls.
const INVISIBLE = /[\p{DI}\p{Cf}\p{Zl}\p{Zp}\p{Cc}]/gu;

/** A line's pieces in order: our words at even places, values at odd ones. */
export function piecesOf({ text, values = {} }) {
  return text.split(NAME).map((piece, at) => (at % 2 === 0 ? piece : visible(String(values[piece] ?? ""))));
}

export const plain = (line) => piecesOf(line).join("");

/** A text with whatever cannot be seen written out, as \u{202e}. */
export function visible(text) {
  return text.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** An integer divided by 10^`decimals`, exactly. */
export function decimalText(value, decimals) {
  const [sign, size] = value < 0n ? ["−", -value] : ["", value];
  const digits = String(size).padStart(decimals + 1, "0");
  const [whole, fraction] = [digits.slice(0, digits.length - decimals), digits.slice(digits.length - decimals)];
  return `${sign}${whole}.${fraction}`.replace(/\.?0*$/, "");
}

/** A moment in the reader's own time zone and way of writing; `seconds` in Unix time. */
export function localTime(seconds) {
  const moment = new Date(1000 * seconds);
  if (Number.isNaN(moment.getTime())) return String(seconds);
  return moment.toLocaleString(undefined, { dateStyle: "long", timeStyle: "long" });
}

export function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${units[power]}`;
}
