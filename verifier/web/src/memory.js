// What this device remembers: the auditors that the reader trusts, each with the key that was first seen or
// typed and the time of the newest list, and whether to ask them. Another tab may have changed it, and another
// page of this origin may have written anything, so it is read anew each time. Where a browser keeps nothing,
// this visit does.

const NAME = "assay";
const MOST_AUDITORS = 16;
// In the place of a key: an auditor of this page's own origin whom the reader removed. No visit is then the first.
const REMOVED = "";

let ofThisVisit = null;

const kept = () => ofThisVisit ?? stored();

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME));
    const entries = Object.entries(Object(found?.auditors)).filter(isAuditor);
    return { auditors: Object.fromEntries(entries), asksNobody: found?.asksNobody === true };
  } catch {
    return { auditors: {}, asksNobody: false };
  }
}

const isAuditor = ([address, one]) =>
  URL.canParse(address) && typeof one?.key === "string" && Number.isSafeInteger(one.time);

function keep(change) {
  const changed = { ...kept(), ...change };
  try {
    localStorage.setItem(NAME, JSON.stringify(changed));
  } catch {
    ofThisVisit = changed;
  }
}

/** The auditors: `address`, `key`, and the `time` of their newest list, 0 where none was read. */
export const auditors = () => {
  const entries = Object.entries(kept().auditors).filter(([, { key }]) => key !== REMOVED);
  return entries.slice(0, MOST_AUDITORS).map(([address, one]) => ({ address, ...one }));
};

/** The key that is remembered for an address, if one is. */
export const keyOf = (address) => kept().auditors[address]?.key || null;

/** Whether nothing was ever remembered or removed at an address. */
export const isNew = (address) => kept().auditors[address] === undefined;

/** Remember an auditor; whether there was room. */
export function addAuditor(address, key) {
  if (keyOf(address) === null && auditors().length === MOST_AUDITORS) return false;
  put(address, key, 0);
  return true;
}

/** Remember how new a remembered auditor's list is, so that no older one is believed. */
export function sawList(address, time) {
  const { key, time: newest } = kept().auditors[address];
  if (time > newest) put(address, key, time);
}

const put = (address, key, time) => keep({ auditors: { ...kept().auditors, [address]: { key, time } } });

export function removeAuditor(address) {
  const others = Object.entries(kept().auditors).filter(([other]) => other !== address);
  keep({ auditors: Object.fromEntries(others) });
  if (new URL(address).origin === location.origin) put(address, REMOVED, 0);
}

export const asksNobody = () => kept().asksNobody;

export const setAsksNobody = (asks) => keep({ asksNobody: asks });
