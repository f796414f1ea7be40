// Who checked what, in five lines: this device, auditors, or nobody. Only what was checked is marked as
// such, and what an auditor found is said in the auditor's name.

import { localTime, plain } from "./texts.js";

const DAY_SECONDS = 86_400;
const KNOWN_AS = {
  "coins.chain": ["chain", "listed"],
  "coins.shown": ["header", "attested"],
  "coins.word": ["claimed", "unverified"],
};

/**
 * The five lines about an answer that has amounts: `title`, `state` (ok, part, no or bad), `by` (device,
 * auditors or nobody) and `lines`. Of `given`, `auditors` are the answers of those who were asked, null
 * while they are; `declared` are the lines of what the exchange says that it borrowed.
 */
export function checksOf(answer, given, declared, texts) {
  const line = (key, values) => ({ text: texts[key], values });
  const list = (items) => new Intl.ListFormat(texts.language).format(items);
  const auditors = given.auditors === undefined ? [] : given.auditors;
  const audits = (auditors ?? []).filter(({ state }) => state === "same");
  /** @type {[string, { state: string, by: string, lines: any[] }][]} */
  const made = [
    ["entries", entriesOf(answer, texts, line)],
    ["same", sameOf(answer.snapshot, given, auditors, line, list)],
    ["sums", sumsOf(answer, audits, line)],
    ["coins", coinsOf(answer.snapshot, audits, line, list)],
    ["debts", { state: "no", by: "nobody", lines: [line("debts.text"), ...declared] }],
  ];
  return made.map(([name, { state, by, lines }]) => ({ title: texts[`${name}.title`], state, by, lines }));
}

/** The lines as text, each check's title first with who checked it and how far. */
export function linesOfAll(checks, texts) {
  const all = checks.flatMap(({ title, state, by, lines }) => {
    return [`${title} (${texts[`by.${by}`]}: ${texts[`state.${state}`]})`, ...lines.map(plain)];
  });
  return all.length > 0 ? [texts.checksTitle, ...all] : [];
}

function entriesOf({ amounts, pages }, texts, line) {
  const parts = amounts.reduce((sum, item) => sum + item.parts, 0);
  if (parts === 0) return { state: "no", by: "device", lines: [line("entries.none")] };
  if (pages === 0) return { state: "no", by: "device", lines: [{ text: texts.codes["check.not-proved"].finding }] };
  return { state: "ok", by: "device", lines: [line("entries.text", { parts, pages })] };
}

/** Whether auditors were shown this very manifest. */
function sameOf(snapshot, { now = 0 }, auditors, line, list) {
  if (auditors === null) return { state: "no", by: "device", lines: [line("same.waiting")] };
  if (auditors.length === 0) return { state: "no", by: "nobody", lines: [line("same.nobody")] };
  const named = (state) => auditors.filter((one) => one.state === state).map(({ name }) => name);
  const [shown, unseen, silent] = ["same", "unseen", "silent"].map(named);
  const rivals = new Set(auditors.filter(({ others }) => others.length > 0).map(({ name }) => name));
  const same = shown.filter((name) => !rivals.has(name));
  const lines = [];
  const isFresh = now - snapshot.time < DAY_SECONDS;
  if (same.length > 0) lines.push(line("same.yes", { auditors: list(same) }));
  if (unseen.length > 0) lines.push(line("same.none", { auditors: list(unseen) }));
  if (unseen.length > 0 && isFresh) lines.push(line("same.fresh"));
  if (silent.length > 0) lines.push(line("same.silent", { auditors: list(silent) }));
  const said = auditors.filter(({ isSaid }) => isSaid);
  lines.push(...said.map(({ name }) => line("same.said", { auditor: name })));
  const isContradicted = auditors.some(({ others }) => others.length > 0);
  return { state: sameState(isContradicted, same, said, unseen, isFresh), by: "device", lines };
}

function sameState(isContradicted, same, said, unseen, isFresh) {
  if (isContradicted) return "bad";
  if (same.length > 0) return said.length > 0 ? "part" : "ok";
  return said.length > 0 || (unseen.length > 0 && !isFresh) ? "part" : "no";
}

const isFault = ({ code }) => code !== "" && !code.startsWith("check.");

/** This device saw the pages of one customer; who audited the proof, all of them. */
function sumsOf({ pages }, audits, line) {
  const lines = pages ? [line("sums.here", { pages })] : [];
  for (const { name: auditor, code, time } of audits) {
    const values = { auditor, code, time: localTime(time) };
    if (code === "") lines.push(line("sums.auditor", values));
    else lines.push(line(isFault({ code }) ? "sums.fault" : "sums.unread", values));
  }
  const isWhole = audits.some(({ code }) => code === "");
  const here = pages ? "device" : "nobody";
  const by = audits.length > 0 ? "auditors" : here;
  if (audits.some(isFault)) return { state: "bad", by, lines };
  if (isWhole) return { state: "ok", by, lines };
  return { state: pages ? "part" : "no", by, lines };
}

/** How well auditors know the amounts of coins; all of the proof's on their chains is more than in part. */
function coinsOf({ assets: proved }, audits, line, list) {
  const lines = [];
  const confirmed = new Set();
  const accepted = audits.filter(({ code }) => code === "");
  for (const { name: auditor, assets } of accepted) {
    for (const [key, levels] of Object.entries(KNOWN_AS)) {
      const codes = assets.filter(({ level }) => levels.includes(level)).map(({ code }) => code);
      if (codes.length > 0) lines.push(line(key, { auditor, codes: list(codes) }));
      if (key === "coins.chain") codes.forEach((code) => confirmed.add(code));
    }
  }
  if (lines.length === 0) lines.push(line("coins.none"));
  if (accepted.length === 0) return { state: "no", by: "nobody", lines: [...lines, line("notChecked")] };
  const isWhole = proved.every(({ code }) => confirmed.has(code));
  return { state: isWhole ? "ok" : "part", by: "auditors", lines };
}
