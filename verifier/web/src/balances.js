// What a customer says they had, beside what is counted: exact, in whole numbers. An amount of a check has
// `counted` ledger units of `decimals` places, null where the proof has no such asset, and `typed`, null
// where nothing was.

import { Misuse } from "./errors.js";

const BALANCE = /^([0-9]{1,40})(?:\.([0-9]{1,40}))?$/;
const CODE = /^[A-Z0-9]{1,16}$/;

/** A typed balance, exactly: `digits` / 10^`scale`. */
export function parseBalance(text) {
  const match = BALANCE.exec(text);
  if (match === null) throw new Misuse("balance", "not-a-decimal");
  const fraction = match[2] ?? "";
  return { text, digits: BigInt(match[1] + fraction), scale: BigInt(fraction.length) };
}

/** The balances that a customer typed, by asset code. */
export function parseBalances(typed) {
  const codes = Object.keys(typed);
  if (!codes.every((code) => CODE.test(code))) throw new Misuse("balance", "not-a-code");
  return new Map(codes.map((code) => [code, parseBalance(typed[code])]));
}

/** What is counted more than was typed, or less, over 10^`placesOf`. */
export function surplusOf({ counted, typed, decimals }) {
  return (counted ?? 0n) * 10n ** typed.scale - typed.digits * 10n ** BigInt(decimals);
}

export const placesOf = ({ typed, decimals }) => Number(typed.scale) + decimals;

export const isShort = (item) => item.typed !== null && surplusOf(item) < 0n;

/** Whether less is missing than one in the last digit typed. */
export const isBelowLastDigit = (item) => -surplusOf(item) < 10n ** BigInt(item.decimals);

/**
 * Whether rounding explains what is missing: less than one in the last digit, and a twentieth at most, which
 * is the most that it adds to two digits. Of a balance of one digit, 1 or 0.5, nearly all may be missing
 * below that digit: that stays an alarm.
 */
export const isRounded = (item) =>
  isBelowLastDigit(item) && -surplusOf(item) * 20n <= item.typed.digits * 10n ** BigInt(item.decimals);
