// Words, numbers and dates as a reader sees them. A line is { text, values }: a text of strings/LL.json
// and what stands for its {names}. Values may be untrusted, so a page sets each apart from the words
// around it, and no character in it can move them.

// Figures and years are those of the exchange's own pages in every language.
const EVERYWHERE = { numberingSystem: "latn", calendar: "gregory" };
let locale = new Intl.Locale("en", EVERYWHERE);

/** Write numbers and dates as in a language, or in a region's use of it, from now on. */
export function setLocale(tag) {
  locale = new Intl.Locale(tag, EVERYWHERE);
}

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
  const size = value < 0n ? -value : value;
  const unit = 10n ** BigInt(decimals);
  const fraction = String(size % unit).padStart(decimals, "0").replace(/0+$/, "");
  const whole = new Intl.NumberFormat(locale).format(size / unit);
  return `${value < 0n ? "−" : ""}${whole}${fraction ? decimalMark() + fraction : ""}`;
}

const decimalMark = () => new Intl.NumberFormat(locale).formatToParts(0.5).find(({ type }) => type === "decimal").value;

/** A moment in the reader's own time zone and way of writing; `seconds` in Unix time. */
export function localTime(seconds) {
  const moment = new Date(1000 * seconds);
  if (Number.isNaN(moment.getTime())) return String(seconds);
  return moment.toLocaleString(locale, { dateStyle: "long", timeStyle: "short" });
}

export function sizeText(bytes) {
  const units = ["kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(units.length, Math.max(1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const size = new Intl.NumberFormat(locale, { style: "unit", unit: units[power - 1], maximumFractionDigits: 1 });
  return size.format(bytes / 1000 ** power);
}
