// What an outcome of the check says, in words: for the page to draw, and the report as text.
//
// It speaks of what this device checked and of nothing else: never of the exchange's coins, of who
// controls them, of its history, or of other customers (spec/protocol.md, section 5.1).

import { decimalText, localTime, plain, visible } from "./texts.js";

// Nothing that the exchange signed was found false: something is absent, is of another key, account or
// date, or is of a version beyond this page's.
const NOT_FALSE = new Set([
  "check.no-bundle", "check.not-proved", "check.future",
  "bundle.missing-file", "bundle.wrong-argument",
  "manifest.too-large", "manifest.bad-signature", "manifest.unsupported-version",
  "package.too-large", "package.bad-signature", "package.unsupported-version", "package.wrong-manifest",
  "package.wrong-account", "check.unreadable",
]);
// Of a page no signature is checked but that of the root above it, of an argument none: a fault in one may
// be its server's.
const OF_PAGES = /^(page|argument)\./;
const MALFORMED_PACKAGE = new Set(["package.not-canonical", "package.bad-fields"]);
// The customer's own figures are half of these.
const ABOUT_BALANCES = new Set(["inclusion.balance-short", "inclusion.unknown-asset"]);

// Of declared loans, and of the addresses of one in the details.
const SHOWN = 20;

/**
 * `answer` is the worker's, `given` has the `key` and the `address` that it is about, `texts` are those
 * of strings.en.json. Returns `look` (good, warn or bad), `title`, `lines` (of texts.js), `table` (rows of
 * `cells` under `texts.tableHead`, and whether the row `isShort`) and `facts` (pairs of name and text).
 */
export function outcomeOf(answer, given, texts) {
  const line = (key, values) => ({ text: texts[key], values });
  const { look, title, lines } = wordsOf(answer, given, texts, line);
  const rows = (answer.amounts ?? []).filter(isOwn);
  if (answer.amounts) lines.push(...asideOf(rows, texts, line), ...limitsOf(answer.snapshot, texts, line));
  if (answer.declared) lines.push(...declaredOf(answer.declared, given, texts, line));
  return { look, title, lines, table: rows.map((item) => rowOf(item, texts)), facts: factsOf(answer, given, texts) };
}

/** The outcome as a text file, made at `now`. It holds no account id. */
export function reportOf({ title, lines, table, facts }, texts, now) {
  const cells = table.length > 0 ? [texts.tableHead, ...table.map((row) => row.cells)] : [];
  const rows = cells.map((row) => row.join("\t"));
  const listed = facts.map(([name, text]) => `${name}: ${visible(String(text))}`);
  return [title, "", ...lines.map(plain), "", ...rows, "", ...listed, now.toISOString(), ""].join("\n");
}

function wordsOf(answer, given, texts, line) {
  if (answer.kind === "done") return foundWords(answer, texts, line);
  if (answer.verdict === "broken") {
    return { look: "warn", title: texts.brokenTitle, lines: [line("brokenText", answer)] };
  }
  const { look, help, values } = faultOf(answer, given, texts);
  const [title, ...rest] = help.map((text) => ({ text, values }));
  if (ABOUT_BALANCES.has(answer.code)) return { look, title: plain(title).replace(/\.$/, ""), lines: rest };
  return { look, title: look === "bad" ? texts.badTitle : texts.uncheckedTitle, lines: [title, ...rest] };
}

/** Whether the customer has or typed something of an asset. */
const isOwn = (item) => item.typed !== null || item.parts > 0;

/** Of which of a customer's coins it is the exchange's word alone what they are. */
function asideOf(rows, texts, line) {
  const codes = rows.filter(({ isSetAside }) => isSetAside).map(({ code }) => code);
  return codes.length > 0 ? [line("asideText", { codes: listText(texts, codes) })] : [];
}

/** What an outcome about balances does not say. */
function limitsOf({ assets, idType }, texts, line) {
  const codes = listText(texts, assets.map(({ code }) => code));
  const limits = [line("keepPackage"), line("notListed", { codes }), line("notChecked")];
  return idType === "opaque" ? [...limits, line("opaqueWarning")] : limits;
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

function foundWords({ snapshot, amounts }, texts, line) {
  const amountText = ({ counted, decimals, code }) => `${decimalText(counted, decimals)} ${code}`;
  const list = (items) => listText(texts, items.map(amountText));
  const compared = amounts.filter(({ isCompared, parts }) => isCompared && parts > 0);
  const more = compared.filter((item) => surplusOf(item) > 0n);
  const left = amounts.filter(({ isCompared }) => !isCompared);
  const where = { exchange: snapshot.exchange, time: localTime(snapshot.time), amounts: list(compared) };
  const lines = [];
  if (compared.length > 0) lines.push(line("goodText", where));
  else if (left.length === 0) lines.push(line("zeroText", where));
  if (more.length > 0) lines.push(line("goodMore", { amounts: list(more) }));
  if (left.length === 0 && compared.length === 0) return { look: "warn", title: texts.zeroTitle, lines };
  if (left.length === 0) {
    const isAside = amounts.some((item) => item.isSetAside && isOwn(item));
    return isAside ? { look: "warn", title: texts.asideTitle, lines } : { look: "good", title: texts.goodTitle, lines };
  }
  lines.push(line("partText", { codes: listText(texts, left.map(({ code }) => code)) }));
  return { look: "warn", title: texts.partTitle, lines };
}

/** Look, help and values for a rejection or what could not be read. */
function faultOf(answer, given, texts) {
  const { code, amounts = [], isSigned = false } = answer;
  const values = { ...given, ...answer };
  if (code === "manifest.bad-signature") return keyFault(answer, given, texts);
  if (code === "inclusion.balance-short") return { ...shortFault(amounts, texts), values };
  values.codes = listText(texts, amounts.filter(({ counted }) => counted === null).map((item) => item.code));
  const isSlip = NOT_FALSE.has(code) || OF_PAGES.test(code) || (MALFORMED_PACKAGE.has(code) && !isSigned);
  return { look: isSlip ? "warn" : "bad", help: helpOf(code, texts, `hint.${code}`), values };
}

/** Less is counted than was typed: of a coin whose rounding may have done it, this is said. */
function shortFault(amounts, texts) {
  const short = amounts.filter((item) => item.typed !== null && surplusOf(item) < 0n);
  const isRounding = short.every((item) => isBelowLastDigit(item) && isSmall(item));
  const hint = short.some(isBelowLastDigit) ? "hint.rounded" : "";
  return { look: isRounding ? "warn" : "bad", help: helpOf("inclusion.balance-short", texts, hint) };
}

/** A signature that does not hold: what the unsigned bytes name as their key is a hint, and no more. */
function keyFault({ namedKey }, { key, address }, texts) {
  const named = namedKey === key ? "damaged" : "other-key";
  const kind = namedKey ? named : "no-manifest";
  const values = { address, named: shortKey(namedKey ?? ""), typed: shortKey(key) };
  const look = kind === "damaged" ? "bad" : "warn";
  return { look, help: helpOf("manifest.bad-signature", texts, `hint.key.${kind}`), values };
}

const shortKey = (key) => `${key.slice(0, 10)}…${key.slice(-4)}`;

/** What a code means, a hint of this page's own if there is one of that name, and what to do. */
function helpOf(code, texts, hint) {
  const { finding, advice } = texts.codes[code];
  return [finding, ...(texts[hint] ? [texts[hint]] : []), advice];
}

/** What is counted more than was typed, or less, over 10^`placesOf`. */
function surplusOf({ counted, typed, decimals }) {
  return (counted ?? 0n) * 10n ** typed.scale - typed.digits * 10n ** BigInt(decimals);
}

const placesOf = ({ typed, decimals }) => Number(typed.scale) + decimals;

/** Whether less is missing than one in the last digit typed. */
const isBelowLastDigit = (item) => -surplusOf(item) < 10n ** BigInt(item.decimals);

/**
 * Whether a twentieth at most is missing, the most that rounding adds to two digits. Of a balance of one
 * digit, 1 or 0.5, nearly all may be missing below that digit: that stays an alarm.
 */
const isSmall = (item) => -surplusOf(item) * 20n <= item.typed.digits * 10n ** BigInt(item.decimals);

/** Code, typed, counted, difference. */
function rowOf(item, texts) {
  const { code, typed, counted, decimals, isSetAside } = item;
  const surplus = typed === null ? 0n : surplusOf(item);
  const difference = `${surplus > 0n ? "+" : ""}${typed === null ? "—" : decimalText(surplus, placesOf(item))}`;
  const cells = [
    isSetAside ? plain({ text: texts.asideCode, values: { code } }) : code,
    typed?.text ?? texts.notTyped,
    counted === null ? texts.notInProof : decimalText(counted, decimals),
    difference,
  ];
  return { cells, isShort: surplus < 0n };
}

function factsOf(answer, given, texts) {
  const { code, where = "", detail = "", snapshot, amounts = [], pages } = answer;
  const facts = [];
  const say = (key, text, values = {}) => facts.push([plain({ text: texts[key], values }), text]);
  const isPart = answer.kind === "done" && amounts.some(({ isCompared }) => !isCompared);
  if (code || isPart) say("expertCode", code ?? "check.not-compared");
  if (code) say("expertWhere", [where, detail].filter(Boolean).join(": "));
  if (given.key) say("expertKey", given.key);
  if (given.address) say("expertAddress", given.address);
  if (snapshot) {
    say("expertExchange", snapshot.exchange);
    say("expertSnapshot", snapshot.id);
    say("expertTime", new Date(1000 * snapshot.time).toISOString());
    say("fingerprint", snapshot.digest);
    for (const asset of snapshot.assets) say("expertAsset", `${asset.root} · ${asset.sum}`, asset);
  }
  for (const item of amounts.filter(({ parts }) => parts > 0)) say("expertParts", item.parts, item);
  if (pages) say("expertPages", pages);
  sayDeclared(answer.declared, texts, say);
  return facts;
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
