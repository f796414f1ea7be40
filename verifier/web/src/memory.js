// What this device remembers: the auditors that the reader trusts, each with the key that was first seen or
// typed, and whether to ask them. Where a browser keeps nothing, this visit's are kept here.

const NAME = "assay";
const MOST_AUDITORS = 16;

let kept = { auditors: {}, asksNobody: false };
try {
  kept = { ...kept, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
  kept.auditors = Object(kept.auditors);
} catch {
  // nothing is kept, or by somebody else
}

function keep(change) {
  kept = { ...kept, ...change };
  try {
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch {
    // this visit remembers
  }
}

/** The auditors: `address` and `key`. */
export const auditors = () => Object.entries(kept.auditors).map(([address, key]) => ({ address, key }));

/** The key that was remembered for an address, if one was. */
export const keyOf = (address) => kept.auditors[address] ?? null;

/** Remember an auditor; whether there was room. */
export function addAuditor(address, key) {
  const all = { ...kept.auditors, [address]: key };
  if (Object.keys(all).length > MOST_AUDITORS) return false;
  keep({ auditors: all });
  return true;
}

export function removeAuditor(address) {
  keep({ auditors: Object.fromEntries(Object.entries(kept.auditors).filter(([other]) => other !== address)) });
}

export const asksNobody = () => kept.asksNobody;

export const setAsksNobody = (asks) => keep({ asksNobody: asks });
