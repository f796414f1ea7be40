// What an outcome of the check says, in words: for the page to draw, and for the saved copy as text.
//
// In this device's name it speaks of what this device checked and of nothing else: never of the exchange's
// coins, of who controls them, of its history, or of other customers (spec/protocol.md, section 5.1).

import { isBelowLastDigit, isRounded, isShort, placesOf, surplusOf } from "./balances.js";
import { checksOf, linesOfAll } from "./checks.js";
import { decimalText, localTime, plain, visible } from "./texts.js";

// Nothing that the exchange signed was found false: something is absent, is of another key, account or
// date, or is of a version beyond this page's. Each has a title, and perhaps words, of its own.
const KINDS = {
  "check.no-bundle": "absent",
  "check.unreadable": "silent",
  "check.not-proved": "notProved",
  "check.future": "future",
  "bundle.missing-file": "part",
  "bundle.wrong-argument": "damaged",
  "manifest.too-large": "damaged",
  "manifest.unsupported-version": "newer",
  "package.too-large": "otherFile",
  "package.bad-signature": "otherExchange",
  "package.unsupported-version": "newer",
  "package.wrong-manifest": "otherDate",
  "package.wrong-account": "otherAccount",
};
// Of a page no signature is checked but that of the root above it, of an argument none: a fault in one may
// be its server's.
const OF_PAGES = /^(page|argument)\./;
const MALFORMED_PACKAGE = new Set(["package.not-canonical", "package.bad-fields"]);
// Faults for which another copy of the proof may not have.
const OF_THE_COPY = new Set(["absent", "silent", "part", "damaged", "noProof"]);

// Of declared loans, of the addresses of one in the details, and of coins of which less is counted.
const SHOWN = 20;

/**
 * `answer` is the worker's; `given` has the `key` and the `address` that it is about, `isUnknown` where nobody
 * vouches for who signed it, `isAgreed` where the customer looked at what they did not type, `auditors`, what
 * those said that were asked, `failed`, the addresses of copies that failed before, and `isFromLink` of a
 * package. `texts` are those of strings.en.json. Returns `look` (good, warn or bad), `title`, the same without
 * amounts (`shared`), `lines` (of texts.js), `steps` of what to do, `table` (rows of `cells` under
 * `texts.tableHead`, and the `look` of each), `checks` (of checks.js), `notes` and `facts` (pairs of name and
 * text).
 */
export function outcomeOf(answer, given, texts) {
  const line = (key, values) => ({ text: texts[key], values });
  const words = rivalWords(answer, given, texts, line) ?? wordsOf(answer, given, texts, line);
  const { look, title, shared = title, lines, steps = [] } = words;
  const rows = (answer.amounts ?? []).filter(isOwn);
  if (answer.amounts) lines.push(...asideOf(rows, texts, line));
  const declared = answer.declared ? declaredOf(answer.declared, given, texts, line) : [];
  return {
    look,
    title: plain(title),
    shared: plain(shared),
    lines,
    steps,
    table: rows.map((item) => rowOf(item, given, texts)),
    checks: answer.amounts ? checksOf(answer, given, declared, texts) : [],
    notes: answer.amounts ? notesOf(answer.snapshot, texts, line) : [],
    facts: factsOf(answer, given, texts),
  };
}

/** The outcome as a text file, made at `now`. It holds no account id. */
export function reportOf({ title, lines, steps, table, checks, notes, facts }, texts, now) {
  const cells = table.length > 0 ? [texts.tableHead, ...table.map((row) => row.cells)] : [];
  const rows = cells.map((row) => row.join("\t"));
  const listed = facts.map(([name, text]) => `${name}: ${visible(String(text))}`);
  const parts = [[title], [...lines, ...steps].map(plain), rows, linesOfAll(checks, texts), notes.map(plain), listed];
  return [...parts.map((part) => [...part, ""]).flat(), now.toISOString(), ""].join("\n");
}

/** What is shared: neither amounts nor account. */
export function sharedOf({ shared: title }, { time, digest }, texts) {
  const said = { text: texts.sharedTitle, values: { title, time: localTime(time) } };
  return `${plain(said)}\n${texts.fingerprint}: ${digest}\n`;
}

/** Whether another copy of the proof might do. */
export const isOfTheCopy = (answer) => answer.kind === "failed" && OF_THE_COPY.has(kindOf(answer));

/** Whether this copy holds what the exchange did not sign, rather than nothing. */
export const isDamaged = (answer) => answer.kind === "failed" && kindOf(answer) === "damaged";

/** A second manifest that the exchange signed for this id is worse than whatever the first one shows. */
function rivalWords(answer, { auditors }, texts, line) {
  const rivals = (auditors ?? []).flatMap(({ name: auditor, others }) => others.map((digest) => ({ auditor, digest })));
  if (!answer.snapshot || rivals.length === 0) return null;
  const shown = rivals.map((rival) => line("rivalFingerprint", rival));
  const own = { text: `${texts.fingerprint}: {digest}`, values: answer.snapshot };
  return { look: "bad", title: line("rivalTitle"), lines: [line("rivalText"), own, ...shown] };
}

function wordsOf(answer, given, texts, line) {
  if (answer.kind === "done") return foundWords(answer, given, texts, line);
  if (answer.verdict === "broken") {
    return { look: "warn", title: line("brokenTitle"), lines: [line("brokenText", answer)] };
  }
  if (answer.code === "inclusion.balance-short") return shortWords(answer, texts, line);
  if (answer.code === "inclusion.unknown-asset") return leftOutWords(answer, texts, line);
  const kind = kindOf(answer);
  return kind === null ? falseWords(answer, given, texts, line) : slipWords(kind, answer, given, texts, line);
}

/** Whether the customer has or typed something of an asset. */
const isOwn = (item) => item.typed !== null || item.parts > 0;

/** Of which of a customer's coins it is the exchange's word alone what they are. */
function asideOf(rows, texts, line) {
  const codes = rows.filter(({ isSetAside }) => isSetAside).map(({ code }) => code);
  return codes.length > 0 ? [line("asideText", { codes: listText(texts, codes) })] : [];
}

/** What an outcome about balances does not say. */
function notesOf({ assets, idType }, texts, line) {
  const codes = listText(texts, assets.map(({ code }) => code));
  const notes = [line("keepPackage"), line("notListed", { codes })];
  return idType === "opaque" ? [...notes, line("opaqueWarning")] : notes;
}

/**
 * What the exchange declares: the loans that are listed first, each lender's name at the end of its line,
 * since a name can be a sentence.
 */
function declaredOf({ unread, loans = [] }, given, texts, line) {
  if (unread) return [line("declaredUnread"), ...unreadOf(unread, given, texts)];
  if (loans.length === 0) return [line("declaredNothing")];
  const shown = loans.slice(0, SHOWN).map((loan) => {
    const said = loan.amount === "" ? "declaredLoanNotSaid" : "declaredLoan";
    const pledged = loan.pledged.length === 0 ? "" : pledgedText(loan, texts);
    return line(said, { ...loan, pledged });
  });
  const rest = loans.length - shown.length;
  const more = rest > 0 ? [line("declaredMore", { count: rest })] : [];
  return [line("declaredTitle"), ...shown, ...more, line("declaredLimits")];
}

/** Why the declaration could not be read: what this page knows of it, else what the code means. */
function unreadOf(unread, given, texts) {
  const hint = texts[`hint.${unread.code}`];
  const { finding, advice } = texts.codes[unread.code];
  return (hint ? [hint] : [finding, advice]).map((text) => ({ text, values: { ...given, ...unread } }));
}

const pledgedText = ({ pledged: { length } }, texts) =>
  plain({ text: length === 1 ? texts.pledgedOne : texts.pledgedMany, values: { count: length } });

// --- what holds

function foundWords({ snapshot, amounts }, { isAgreed = false, auditors }, texts, line) {
  const list = (items, amountOf) => listText(texts, items.map((item) => `${amountOf(item)} ${item.code}`));
  const typedOf = ({ typed }) => typed.text;
  const countedOf = ({ counted, decimals }) => decimalText(counted, decimals);
  const moreOf = (item) => decimalText(surplusOf(item), placesOf(item));
  const compared = amounts.filter(({ isCompared, parts }) => isCompared && parts > 0);
  const more = compared.filter((item) => surplusOf(item) > 0n);
  const looked = amounts.filter(({ isCompared }) => !isCompared);
  const lines = [];
  const time = localTime(snapshot.time);
  if (compared.length > 0) lines.push(line("goodText", { time, amounts: list(compared, typedOf) }));
  if (more.length > 0) lines.push(line("goodMore", { amounts: list(more, moreOf) }));
  if (looked.length > 0 && !isAgreed) {
    lines.push(line("partText", { codes: listText(texts, looked.map(({ code }) => code)) }));
    return { look: "warn", title: line("partTitle"), lines };
  }
  if (looked.length > 0) lines.push(line("agreedText", { amounts: list(looked, countedOf) }));
  if (lines.length === 0) return { look: "warn", title: line("zeroTitle"), lines: [line("zeroText")] };
  if (amounts.some((item) => item.isSetAside && isOwn(item))) return { look: "warn", title: line("asideTitle"), lines };
  const isFaulted = (auditors ?? []).some(({ code }) => code && !code.startsWith("check."));
  if (isFaulted) return { look: "warn", title: line("faultTitle"), lines };
  return { look: "good", title: line("goodTitle"), lines };
}

// --- what differs from the customer's own figures

/** Less is counted than was typed: of a coin whose rounding may have done it, this is said. */
function shortWords({ amounts, snapshot }, texts, line) {
  const short = amounts.filter(isShort);
  const less = (item) => decimalText(-surplusOf(item), placesOf(item));
  const [{ code }] = short;
  const title = short.length === 1 ? line("shortOne", { amount: less(short[0]), code }) : line("shortTitle");
  const lines = short.slice(0, SHOWN).map((item) => line("shortText", {
    code: item.code, counted: decimalText(item.counted, item.decimals), typed: item.typed.text,
  }));
  if (short.some(isBelowLastDigit)) lines.push(line("hint.rounded"));
  const time = localTime(snapshot.time);
  const steps = ["do.moment", "do.elsewhere", "do.write", "do.auditor"].map((key) => line(key, { time }));
  return { look: short.every(isRounded) ? "warn" : "bad", title, shared: line("shortTitle"), lines, steps };
}

/** A coin that the proof does not have; where less is counted of another, too, that is no less an alarm. */
function leftOutWords({ amounts, snapshot }, texts, line) {
  const codes = listText(texts, amounts.filter(({ counted }) => counted === null).map(({ code }) => code));
  const short = amounts.filter((item) => item.counted !== null && isShort(item));
  const words = short.length > 0 ? shortWords({ amounts: short, snapshot }, texts, line) : null;
  const lines = [line("leftOutText", { codes }), ...(words?.lines ?? [])];
  return { look: words?.look ?? "warn", title: line("leftOutTitle", { codes }), lines, steps: words?.steps };
}

// --- what could not be checked, and what is false

/** Which slip or gap a failed answer is; null where something signed is false. */
function kindOf({ code, gap = null, isSigned = false, namedKey, askedKey }) {
  if (gap) return gap;
  if (code === "manifest.bad-signature") {
    if (!namedKey) return "noProof";
    return namedKey === askedKey ? "damaged" : "otherKey";
  }
  if (OF_PAGES.test(code)) return "damaged";
  if (MALFORMED_PACKAGE.has(code) && !isSigned) return "otherFile";
  return KINDS[code] ?? null;
}

function slipWords(kind, answer, given, texts, line) {
  const { code, slip, namedKey } = answer;
  const { address, failed = [], isFromLink = false, isWebPage = false } = given;
  if (kind === "damaged" && failed.length > 0) {
    const lines = [line("twiceText", { first: failed[0], second: address }), ...helpOf(code, texts)];
    return { look: "bad", title: line("twiceTitle"), lines };
  }
  const shown = shownKind(kind, isFromLink, isWebPage);
  const values = { ...given, ...answer, named: shortKey(namedKey ?? ""), typed: shortKey(given.key ?? "") };
  const hints = {
    otherAccount: slip && `hint.account.${slip}`,
    otherKey: "hint.key.other-key",
    noProof: "hint.key.no-manifest",
  };
  const hint = hints[kind] ?? `hint.${code}`;
  const [finding, advice] = helpOf(code, texts);
  const hinted = texts[hint] ? [line(hint, values)] : [];
  const own = texts[`fault.${shown}`];
  const lines = own ? [line(`fault.${shown}`), ...hinted] : [finding, ...hinted, advice];
  return { look: "warn", title: line(`fault.${shown}.title`), lines };
}

/** A file that is none has its reasons, of which two can be told. */
function shownKind(kind, isFromLink, isWebPage) {
  if (kind !== "otherFile") return kind;
  if (isFromLink) return "cutLink";
  return isWebPage ? "webPage" : kind;
}

/** What is false convicts whoever signed it: the exchange, if somebody vouches for the key. */
function falseWords({ code }, { isUnknown = false }, texts, line) {
  if (isUnknown) return { look: "warn", title: line("unknownTitle"), lines: [line("unknownFault")] };
  return { look: "bad", title: line("badTitle"), lines: helpOf(code, texts) };
}

const shortKey = (key) => `${key.slice(0, 10)}…${key.slice(-4)}`;

/** What a code means, and what to do. */
function helpOf(code, texts) {
  const { finding, advice } = texts.codes[code];
  return [finding, advice].map((text) => ({ text }));
}

// --- figures

/** Code, counted, typed, difference; `look` is good or bad where they compared, and rounding explains nothing. */
function rowOf(item, { isAgreed = false }, texts) {
  const { code, typed, counted, decimals, isSetAside } = item;
  const had = isAgreed ? texts.looked : texts.notTyped;
  const cells = [
    isSetAside ? plain({ text: texts.asideCode, values: { code } }) : code,
    counted === null ? texts.notInProof : decimalText(counted, decimals),
    typed?.text ?? had,
    typed === null ? texts.agreed : differenceText(item, texts),
  ];
  const isOpen = (typed === null && !isAgreed) || counted === null;
  if (isOpen) cells[3] = "—";
  return { cells, look: typed === null || isOpen ? "" : lookOf(item) };
}

function lookOf(item) {
  if (isShort(item)) return isRounded(item) ? "" : "bad";
  return surplusOf(item) === 0n ? "good" : "";
}

/** How what is counted differs from what was typed, in words. */
export function differenceText(item, texts) {
  const surplus = surplusOf(item);
  if (surplus === 0n) return texts.same;
  const amount = decimalText(surplus < 0n ? -surplus : surplus, placesOf(item));
  return plain({ text: surplus < 0n ? texts.lessBy : texts.moreBy, values: { amount } });
}

function factsOf(answer, given, texts) {
  const { code, where = "", detail = "", snapshot, amounts = [], pages } = answer;
  const facts = [];
  const say = (key, text, values = {}) => facts.push([plain({ text: texts[key], values }), text]);
  const isPart = answer.kind === "done" && !given.isAgreed && amounts.some(({ isCompared }) => !isCompared);
  if (code || isPart) say("expertCode", code ?? "check.not-compared");
  if (code) say("expertWhere", [where, detail].filter(Boolean).join(": "));
  if (given.key) say("expertKey", given.key);
  if (given.address) say("expertAddress", given.address);
  if (snapshot) saySnapshot(snapshot, say);
  for (const item of amounts.filter(({ parts }) => parts > 0)) say("expertParts", item.parts, item);
  if (pages) say("expertPages", pages);
  sayDeclared(answer.declared, texts, say);
  return facts;
}

function saySnapshot(snapshot, say) {
  say("expertExchange", snapshot.exchange);
  say("expertSnapshot", snapshot.id);
  say("expertTime", new Date(1000 * snapshot.time).toISOString());
  say("fingerprint", snapshot.digest);
  for (const asset of snapshot.assets) say("expertAsset", `${asset.root} · ${asset.sum}`, asset);
}

/** The first addresses of a loan: what is not compared with the evidence can be any text. */
function pledgesText(pledged, texts) {
  const shown = pledged.slice(0, SHOWN).map(({ chain, address }) => `${chain} ${address}`);
  const rest = pledged.length - shown.length;
  if (rest > 0) shown.push(plain({ text: texts.pledgedMore, values: { count: rest } }));
  return shown.join(" · ");
}

function sayDeclared(declared, texts, say) {
  const { unread, loans = [] } = declared ?? {};
  if (unread) say("expertDeclaration", unread.code);
  for (const { lender, code, amount, pledged } of loans) {
    say("expertLoan", `${amount || texts.amountNotSaid} · ${lender}`, { code });
    if (pledged.length > 0) say("expertPledged", pledgesText(pledged, texts), { code });
  }
}

const listText = (texts, items) => new Intl.ListFormat(texts.language).format(items);
