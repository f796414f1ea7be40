// The page itself: what the reader gives, what is asked of them, and in which order. It checks nothing: the
// worker does.

import { askAgain, askToCompare, balanceInputs, isLess, openOther, typedBalances } from "./compare.js";
import { drawDates, drawPublished, folderOf, foundLine } from "./dates.js";
import { STRINGS, button, byId, drawn, element, inFours, line, paragraphs, say, show, withChildren } from "./dom.js";
import { resembles } from "./lookalike.js";
import { addAuditor, asksNobody, auditors, isNew, keyOf, removeAuditor, sawList, setAsksNobody } from "./memory.js";
import { unpacked } from "./packed.js";
import { MAX_PACKAGE_BYTES } from "./params.js";
import { draw } from "./results.js";
import { localTime, sizeText } from "./texts.js";
import { readAddress, readKey } from "./typed.js";
import { isDamaged, isOfTheCopy, outcomeOf } from "./verdict.js";

const ACCOUNTS = {
  email: { label: "accountEmail", mode: "email", fill: "email" },
  phone: { label: "accountPhone", mode: "tel", fill: "tel" },
  opaque: { label: "accountOpaque", mode: "text", fill: "username" },
};
// A package is a map of three fields.
const PACKAGE_LEAD = 0x83;
const MOST_FILES = 64;
const MOST_DOUBTS = 8;
// What rests on the first form.
const BELOW = [
  "who", "own-copy", "doubts", "published", "dates", "unknown", "question", "compare", "verdict", "progress",
];
const isServed = location.protocol.startsWith("http");
const HERE = isServed ? new URL("./", location.href).href : null;

// `turn` counts what made an earlier answer stale: an answer of another turn is not shown. So does `given`
// of packages alone, of which the last one that was given counts.
const state = {
  turn: 0, given: 0, packageData: null, dates: [], isFromLink: false, reading: null, files: null, asked: null,
  bundle: null, key: null, everything: false, lists: new Map(), listing: null, opened: null, isReady: false, busy: 0,
  isFirst: false, audits: [], failed: [], chosen: null, amounts: undefined, isAgreed: false, shown: null,
};

// --- the worker

/** @type {Worker | null} */
let worker = null;
const awaited = new Map();
let asked = 0;

async function start() {
  const script = new Blob([await unpacked("worker")], { type: "text/javascript" });
  worker = new Worker(URL.createObjectURL(script));
  worker.onmessage = ({ data }) => {
    const answered = awaited.get(data.id);
    awaited.delete(data.id);
    if (answered) answered(data);
    else showNews(data);
  };
  worker.onerror = (event) => {
    awaited.forEach((answered) => answered({ kind: "failed", verdict: "broken", detail: event.message }));
    awaited.clear();
  };
  return send({ kind: "start", wasm: await unpacked("core") });
}

/** @returns {Promise<any>} The worker's answer to a request. */
function send(request) {
  asked += 1;
  const id = asked;
  return new Promise((resolve) => {
    awaited.set(id, resolve);
    worker.postMessage({ id, ...request });
  });
}

const started = start().catch((error) => ({ kind: "failed", verdict: "broken", detail: String(error) }));

async function ask(request) {
  const answer = await started;
  return answer.kind === "done" ? send(request) : answer;
}

// --- what the reader gives

function takePackage(bytes, name, isFromLink = false) {
  const fits = bytes.length <= MAX_PACKAGE_BYTES;
  Object.assign(state, { packageData: fits ? bytes : null, isFromLink, dates: [] });
  showPackage(fits ? name : say("packageTooLarge"), fits);
  forget();
}

function showPackage(text, isGood) {
  byId("package-name").textContent = text;
  byId("package-name").classList.toggle("error", !isGood);
}

function losePackage(text, isGood) {
  byId("package").value = "";
  Object.assign(state, { packageData: null, isFromLink: false, dates: [] });
  showPackage(text, isGood);
  forget();
}

/** Read a file, or those of several dates, of which the first is asked about first. */
async function readPackages(files) {
  if (files.length === 0) return;
  const given = (state.given += 1);
  try {
    const read = await Promise.all(files.slice(0, MOST_FILES).map(async (file) => {
      const data = new Uint8Array(await file.slice(0, MAX_PACKAGE_BYTES + 1).arrayBuffer());
      return { name: file.name, data, said: () => line("dateWaiting") };
    }));
    if (given !== state.given) return;
    const names = read.length > 1 ? read.map(({ name }) => name).join(", ") : files[0].name;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    takePackage(read[0].data, say("packageChosen", { name: names, size: sizeText(size) }));
    state.dates = read;
  } catch { // a folder, or a file that is not there any more
    if (given === state.given) losePackage(say("packageUnreadable"), false);
  }
}

function takePackageFiles(files) {
  state.reading = readPackages(Array.from(files));
  begin();
}

byId("package").addEventListener("change", (event) => takePackageFiles(event.target.files));
for (const kind of ["dragover", "dragleave", "drop"]) {
  byId("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") takePackageFiles(event.dataTransfer.files);
  });
}

// A browser tells of no change where a file of the same name is chosen again.
for (const id of ["package", "folder"]) {
  byId(id).addEventListener("click", () => {
    byId(id).value = "";
    byId(id).dispatchEvent(new Event("change"));
  });
}

/**
 * A link carries package and address in the fragment alone, or an address where the package is fetched
 * once; never a key. Whatever the fragment is, it is dropped from the address.
 */
async function takeFragment() {
  const given = new URLSearchParams(location.hash.replace(/^#[#!/?]*/, ""));
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  if (!["bundle", "package", "from"].some((name) => given.has(name))) return;
  if (given.has("bundle")) {
    byId("bundle").value = given.get("bundle");
    leaveFolder();
  }
  forget();
  if (given.has("package")) takeLinked(given.get("package"));
  else if (given.has("from")) state.reading = fetchPackage(given.get("from"));
  await state.reading;
  const isCut = state.isFromLink && !given.get("bundle") && byId("bundle").value === "";
  if (isCut) showOutcome({ kind: "failed", code: "package.not-canonical" });
  else begin();
}

function takeLinked(text) {
  state.given += 1;
  state.reading = null;
  try {
    const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    takePackage(Uint8Array.from(bytes, (character) => character.charCodeAt(0)), say("packageFromLink"), true);
  } catch {
    losePackage(say("packageNone"), true);
    state.packageData = new Uint8Array();
    state.isFromLink = true;
  }
}

/** Fetch a package from the address that a link has, with a token that works once. */
async function fetchPackage(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  const isAllowed = url !== null && (url.protocol === "https:" || url.origin === location.origin);
  showPackage(say("packageFetching"), true);
  const given = (state.given += 1);
  const request = { kind: "fetched", url: address, limit: MAX_PACKAGE_BYTES };
  const answer = isAllowed ? await ask(request) : { kind: "failed" };
  if (given !== state.given) return;
  if (answer.kind === "done") return takePackage(answer.data, say("packageFromLink"));
  losePackage(say("packageNone"), true);
  showOutcome({ kind: "failed", code: "check.unreadable", gap: "deadLink" });
}

byId("folder").addEventListener("change", (event) => {
  // A path begins with the chosen folder's own name.
  const files = Array.from(event.target.files);
  const within = (file) => file.webkitRelativePath.split("/").slice(1).join("/");
  state.files = files.length > 0 ? new Map(files.map((file) => [within(file), file])) : null;
});

// Of folder and address the one that was given last.
function leaveFolder() {
  byId("folder").value = "";
  state.files = null;
}

byId("bundle").addEventListener("input", leaveFolder);

// --- auditors

/** The place that serves this page, and those that the reader added, where they are asked. */
function placesAsked() {
  const own = HERE !== null && isNew(HERE) ? [{ address: HERE, key: null }] : [];
  return [...own, ...auditors()].filter(({ address }) => address === HERE || !asksNobody());
}

const nameOf = (address) => new URL(address).host;

/**
 * Read the lists of all auditors; of the place that serves this page the key is remembered at first. What was
 * asked before the reader changed them is not taken.
 */
async function readLists() {
  const isFirst = HERE !== null && isNew(HERE);
  const lists = new Map();
  state.lists = lists;
  await Promise.all(placesAsked().map(async (auditor) => {
    const { address } = auditor;
    const answer = await ask({ kind: "list", auditor });
    if (answer.key && auditor.key === null && isNew(address)) addAuditor(address, answer.key);
    if (keyOf(address) !== (auditor.key ?? answer.key)) return;
    lists.set(address, answer);
    // Of a list that is dated ahead, as by a wrong clock, the next one would seem old.
    if (answer.time <= Date.now() / 1000) sawList(address, answer.time);
  }));
  if (lists !== state.lists) return;
  state.isFirst = isFirst;
  showAuditors();
}

/** What is said of each auditor: among the settings, and on top what a reader has to know. */
function showAuditors() {
  const items = [];
  const notices = [];
  for (const { address, key } of auditors()) {
    const { problem, exchanges } = state.lists.get(address) ?? {};
    const values = { auditor: nameOf(address), key: inFours(key), count: exchanges?.length };
    const problems = {
      changed: "auditorChanged", older: "auditorOlder", bad: "auditorBad", silent: "auditorSilent",
    };
    const known = exchanges ? "auditorLists" : "auditorIdle";
    const remove = () => {
      removeAuditor(address);
      changeAuditors();
    };
    const said = drawn(line(problem ? problems[problem] : known, values));
    items.push(withChildren("li", [...said, button(say("auditorRemove", values), remove, "link")]));
    if (problem && problem !== "silent") notices.push(notice(problems[problem], values, "card warn"));
    else if (state.isFirst && address === HERE) notices.push(notice("auditorFirst", values, "card"));
  }
  byId("auditors").replaceChildren(...(items.length > 0 ? items : [element("li", say("auditorNone"))]));
  byId("notices").replaceChildren(...notices);
  byId("notices").hidden = notices.length === 0;
}

const notice = (key, values, className) => withChildren("p", drawn(line(key, values)), className);

/** Other auditors know other keys, so what was opened is opened anew. */
function changeAuditors() {
  state.listing = readLists();
  forget();
  begin();
}

byId("auditor-add").addEventListener("click", () => {
  const address = readAddress(byId("auditor-address").value, location.href);
  const key = readKey(byId("auditor-key").value);
  const problem = (address.rule && say(`bundle.${address.rule}`)) ?? (key.rule && say(`key.${key.rule}`, key));
  if (!show("auditor-error", problem ?? null)) return;
  if (!addAuditor(address.value, key.value)) return show("auditor-error", say("auditorsFull"));
  for (const id of ["auditor-address", "auditor-key"]) byId(id).value = "";
  changeAuditors();
});
byId("ask-nobody").checked = asksNobody();
byId("ask-nobody").addEventListener("change", () => {
  setAsksNobody(byId("ask-nobody").checked);
  changeAuditors();
});

/** Auditors of another origin than both proof and page, whose server is most likely the exchange. */
function independent() {
  const { url } = state.bundle;
  const isHere = (one) => originOf({ url: one }) === location.origin;
  const isServer = ({ address }) => isHere(address) && isHere(url);
  return auditors().filter((auditor) => !isServer(auditor));
}

/** Those of them who may vouch for an exchange: who gave a list. */
const vouching = () => independent().filter(({ address }) => state.lists.get(address)?.exchanges);

/** The exchanges that they list. With its own key nobody vouches for itself. */
const listed = () => vouching().flatMap((auditor) => {
  const others = state.lists.get(auditor.address).exchanges.filter(({ key }) => key !== auditor.key);
  return others.map((exchange) => ({ ...exchange, auditor: nameOf(auditor.address) }));
});

/** Ask all auditors what they know of what was opened, but for those whose list is not believed. */
async function askAuditors() {
  const { opened } = state;
  const { snapshot } = opened;
  const isAsked = ({ address }) => [undefined, "silent"].includes(state.lists.get(address)?.problem);
  const chosen = asksNobody() ? [] : independent().filter(isAsked);
  state.audits = chosen.length > 0 ? null : [];
  const audits = await Promise.all(chosen.map(async (auditor) => {
    const answer = await ask({ kind: "about", auditor, snapshot });
    const { address } = auditor;
    return { state: "silent", others: [], isSaid: false, ...answer, address, name: nameOf(address) };
  }));
  if (opened !== state.opened) return;
  state.audits = audits;
  if (state.shown) drawOutcome();
}

// --- opening

/** What is below a form rests on it: a change of the form, or its next answer, takes it away. */
function forget() {
  state.turn += 1;
  Object.assign(state, { asked: null, opened: null, isReady: false, audits: [], failed: [] });
  Object.assign(state, { amounts: undefined, shown: null, chosen: null });
  worker?.postMessage({ kind: "discard" });
  for (const id of BELOW) byId(id).hidden = true;
  byId("setup").hidden = false;
}

/** Begin once package and address are known; what is missing is told of where the reader `presses`. */
async function begin(isPressed = false) {
  await state.reading;
  const { turn } = state;
  const key = readKey(byId("key").value);
  const address = readAddress(byId("bundle").value, location.href);
  const missing = {
    package: state.packageData === null,
    key: key.rule && key.rule !== "missing",
    bundle: address.rule && !state.files,
  };
  if (isPressed) showMissing(missing, key, address);
  if (Object.values(missing).some(Boolean)) return;
  await Promise.all([state.listing, started]);
  if (turn !== state.turn) return;
  show("key-error", null, "key");
  show("bundle-error", null, "bundle");
  const everything = byId("everything").checked;
  const bundle = state.files ? { files: state.files } : { url: address.value };
  const fingerprint = JSON.stringify([key.value, bundle.url, everything]);
  if (state.asked === fingerprint) return;
  forget();
  Object.assign(state, { asked: fingerprint, key: key.value ?? null, bundle, everything });
  if (key.value) byId("key").value = key.value;
  if (!state.files) byId("bundle").value = address.value;
  if (state.packageData[0] !== PACKAGE_LEAD) return showOutcome({ kind: "failed", code: "package.not-canonical" });
  await open();
}

function showMissing(missing, key, address) {
  if (missing.package) showPackage(say("packageMissing"), false);
  show("key-error", missing.key ? say(`key.${key.rule}`, key) : null, "key");
  show("bundle-error", missing.bundle ? say(`bundle.${address.rule}`) : null, "bundle");
  const first = Object.keys(missing).find((id) => missing[id]);
  if (missing.key) byId("other-ways").open = true;
  if (first) byId(first).focus();
}

async function open() {
  const { turn } = state;
  const answer = await busy(() => onAnyCopy(null));
  if (turn !== state.turn) return;
  if (answer.kind === "failed") return showOutcome(answer);
  state.opened = answer;
  byId("setup").hidden = true;
  const isKnown = showWho(answer.snapshot);
  byId("unknown").hidden = isKnown;
  if (isKnown) proceed();
  else showUnknown(answer.snapshot);
}

function openRequest() {
  const { bundle, key, packageData, everything } = state;
  const units = vouching().flatMap(({ address }) => state.lists.get(address).units);
  return { kind: "open", bundle, key, packageData, units, everything };
}

/**
 * Open, and do a `step` after it; where this copy of the proof fails, with the next one that is known. Unless
 * that fails in what it holds, too, the answer is the first one's.
 */
async function onAnyCopy(step) {
  const { turn, bundle: firstBundle } = state;
  const tried = [];
  const urls = new Set([firstBundle.url]); // as they were asked for: a folder leads to a bundle of its own
  for (;;) {
    let answer = step && tried.length === 0 ? await step() : await openCopy();
    if (step && tried.length > 0 && answer.kind === "done") answer = await step();
    if (turn !== state.turn || !isOfTheCopy(answer)) return answer;
    tried.push({ answer, bundle: state.bundle });
    const next = otherCopies(answer).find((url) => !urls.has(url));
    if (next === undefined) break;
    urls.add(next);
    byId("progress-text").textContent = say("stepCopy");
    state.bundle = { url: next };
  }
  const damaged = tried.filter(({ answer }) => isDamaged(answer));
  const last = (damaged.length > 1 ? damaged : tried.slice(0, 1)).at(-1);
  const others = damaged.filter(({ bundle }) => isElsewhere(bundle, last.bundle));
  state.failed = others.map(({ bundle }) => bundle.url ?? say("folderAddress"));
  if (state.bundle !== firstBundle) {
    state.bundle = firstBundle;
    await openCopy();
  }
  state.bundle = last.bundle;
  return last.answer;
}

const originOf = ({ url }) => (url ? new URL(url).origin : "");
const isElsewhere = (one, other) => originOf(one) !== originOf(other);

/** Open what is at the present address; it must be the proof that the reader was asked about. */
async function openCopy() {
  const answer = await ask(openRequest());
  if (answer.kind !== "done") return answer;
  const { opened } = state;
  const isOther = opened !== null && opened.snapshot.digest !== answer.snapshot.digest;
  if (isOther) return { kind: "failed", code: "check.no-bundle", where: "manifest" };
  state.bundle = answer.bundle;
  return answer;
}

/** Where else the proof may be: what the reader gave, and the place that an auditor's list has for its key. */
function otherCopies({ namedKey }) {
  const given = readAddress(byId("copy").value, location.href);
  const key = state.opened?.snapshot.key ?? state.key ?? namedKey;
  const places = listed().filter((exchange) => exchange.key === key);
  const urls = places.map(({ bundle }) => readAddress(bundle, location.href));
  return [given, ...urls].map(({ value }) => value).filter(Boolean);
}

// --- who signed it

/**
 * Show whose proof this is, and what lists say otherwise; returns whether somebody vouches for its key. Where
 * auditors list a key under several names, the first one's is shown.
 */
function showWho({ exchange, key, time }) {
  const all = listed();
  const vouchers = all.filter((one) => one.key === key);
  const name = vouchers[0]?.name ?? exchange;
  byId("logo").textContent = Array.from(name)[0];
  byId("named").replaceChildren(element("bdi", name));
  byId("moment").replaceChildren(...drawn(line("whoTime", { time: localTime(time) })));
  const agreeing = vouchers.filter((one) => one.name === name).map(({ auditor }) => auditor);
  const names = new Intl.ListFormat(STRINGS.language).format([...new Set(agreeing)]);
  const mine = state.key ? "whoYours" : "whoUnknown";
  byId("confirmed").replaceChildren(...drawn(line(vouchers.length > 0 ? "whoListed" : mine, { auditors: names })));
  byId("who").hidden = false;
  const { url } = state.bundle;
  byId("own-copy").hidden = !(isServed && url && new URL(url).origin === location.origin);
  const known = new Set(vouchers.map(({ auditor }) => auditor));
  const renamed = vouchers.filter((one) => one.name !== name && !agreeing.includes(one.auditor));
  const alike = all.filter((one) => !known.has(one.auditor) && resembles(one.name, name));
  const doubts = [...renamed.map((one) => line("whoOther", one)), ...alike.map((one) => line("unknownSame", one))];
  byId("doubts").replaceChildren(...paragraphs(doubts.slice(0, MOST_DOUBTS)));
  byId("doubts").hidden = doubts.length === 0;
  return vouchers.length > 0 || state.key !== null;
}

function showUnknown({ key }) {
  byId("unknown-key").textContent = inFours(key);
  byId("unknown").focus();
}

byId("compared").addEventListener("click", () => {
  state.key = state.opened.snapshot.key;
  byId("unknown").hidden = true;
  showWho(state.opened.snapshot);
  proceed();
});
byId("stop").addEventListener("click", forget);
byId("again").addEventListener("click", () => {
  byId("setup").hidden = false;
  byId("package").focus();
});

// --- what only the customer knows

function proceed() {
  const { snapshot } = state.opened;
  const { label, mode, fill } = ACCOUNTS[snapshot.idType];
  askAuditors();
  byId("account-label").textContent = say(label);
  byId("account").inputMode = mode;
  byId("account").autocomplete = fill;
  byId("question").hidden = false;
  if (!state.isReady) byId("progress").hidden = false;
  byId("question-title").focus();
}

const isTypedOnly = () => byId("typed-only").checked;

byId("question").addEventListener("input", () => {
  hideOutcome();
  byId("compare").hidden = true;
});
byId("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = byId("account").value.trim() ? null : say("accountMissing");
  if (!show("account-error", problem, "account")) return byId("account").focus();
  hideOutcome();
  if (state.dates.length > 1) return checkDates();
  if (isTypedOnly()) return compareWith(null);
  await check({}, false, ({ amounts }) => compareWith(amounts));
});

function compareWith(amounts) {
  state.amounts = amounts;
  askToCompare(state.opened.snapshot, amounts);
  byId("question").hidden = true;
  byId("progress").hidden = true;
  byId("compare").hidden = false;
  byId("ask-title").focus();
}

byId("other-button").addEventListener("click", () => {
  openOther(byId("other").hidden);
  if (!byId("other").hidden) byId("other-code").focus();
});
byId("compare").addEventListener("input", hideOutcome);
// Only its own button says that the rest was looked at, and never the key that ends a line.
byId("compare").addEventListener("submit", (event) => {
  event.preventDefault();
  conclude(true, false);
});
byId("agree").addEventListener("click", () => conclude(true, true));
byId("missing").addEventListener("click", () => conclude(false, false));

/** What the customer answers: that it is all, in rows that they typed and, `isAgreed`, looked at, or that it is not. */
async function conclude(isAll, isAgreed) {
  const { balances, problem, id } = typedBalances();
  const inputs = balanceInputs();
  let fault = problem ? { problem, id } : null;
  const isNothing = isAll && !isAgreed && Object.keys(balances ?? {}).length === 0;
  if (!fault && isNothing) fault = { problem: say("balanceMissing"), id: inputs[0].id };
  if (!fault && !isAll && !isLess(balances, state.amounts)) fault = { problem: say("missingWhich"), id: inputs[0].id };
  show("balance-error", fault && fault.problem);
  for (const input of inputs) input.setAttribute("aria-invalid", String(Boolean(problem) && input.id === id));
  if (fault) return byId(fault.id).focus();
  await check(balances, isAgreed, showOutcome);
}

async function check(balances, isAgreed, onDone) {
  const { turn } = state;
  const request = checkRequest(state.opened, balances);
  const found = await busy(() => onAnyCopy(() => ask(request)));
  if (turn !== state.turn) return;
  state.isAgreed = isAgreed;
  if (found.verdict === "misuse") return showMisuse();
  if (found.kind === "done") onDone(found);
  else showOutcome(found);
}

function checkRequest({ snapshot }, balances) {
  const now = Math.floor(Date.now() / 1000);
  return { kind: "check", accountId: byId("account").value, balances, now, digest: snapshot.digest };
}

function showMisuse() {
  byId("compare").hidden = true;
  byId("dates").hidden = true;
  byId("question").hidden = false;
  show("account-error", say("accountMissing"), "account");
  byId("account").focus();
}

// --- several dates

/** Check every file, one after the other, and show a line for each. */
async function checkDates() {
  const { turn, dates } = state;
  drawDates(dates, chooseDate);
  byId("question").hidden = true;
  await busy(async () => {
    for (const one of dates) {
      const found = await openDate(one);
      if (turn !== state.turn) return;
      if (found.verdict === "misuse") return showMisuse();
      if (found.snapshot) one.time = found.snapshot.time;
      const failed = () => line("dateUnchecked", { title: outcomeOf(found, {}, STRINGS).title });
      const counted = () => foundLine(found.amounts, isTypedOnly(), STRINGS.language);
      one.said = found.kind === "done" ? counted : failed;
      drawDates(dates, chooseDate);
    }
  });
}

/** Open the proof of a file's date, under the key of the first, and check the account in it. */
async function openDate({ data }) {
  const { bundle, opened } = state;
  const place = bundle.url ? { url: folderOf(bundle.url) } : bundle;
  const found = await ask({ ...openRequest(), bundle: place, key: opened.snapshot.key, packageData: data });
  if (found.kind === "failed") return found;
  const checked = await ask(checkRequest(found, {}));
  return { snapshot: found.snapshot, ...checked, bundle: found.bundle };
}

/** Compare one date with what the customer had. */
async function chooseDate(at) {
  hideOutcome();
  const { turn } = state;
  const chosen = state.dates[at];
  const found = await busy(() => openDate(chosen));
  if (turn !== state.turn) return;
  if (found.verdict === "misuse") return showMisuse();
  Object.assign(state, { packageData: chosen.data, chosen, audits: [], amounts: undefined });
  byId("who").hidden = true; // it is of another date, until this one's proof was read
  if (found.snapshot) {
    Object.assign(state, { bundle: found.bundle, opened: found });
    showWho(found.snapshot);
    askAuditors();
  }
  if (found.kind === "failed") return showOutcome(found);
  compareWith(isTypedOnly() ? null : found.amounts);
}

byId("others").addEventListener("click", async () => {
  const { turn, bundle } = state;
  const answer = await ask({ kind: "published", url: folderOf(bundle.url) });
  if (turn === state.turn) drawPublished(answer.snapshots ?? []);
});

// --- progress

/** Do something while the page says how far it is; the buttons wait. */
async function busy(run) {
  /** @type {HTMLButtonElement[]} */
  const buttons = Array.from(document.querySelectorAll("button:enabled"));
  buttons.forEach((one) => { one.disabled = true; });
  byId("progress-text").textContent = say("stepStart");
  byId("progress-bar").removeAttribute("value");
  byId("progress").hidden = false;
  state.busy += 1;
  try {
    return await run();
  } finally {
    state.busy -= 1;
    buttons.forEach((one) => { one.disabled = false; });
    byId("progress").hidden = state.busy === 0;
  }
}

function showNews(news) {
  if (news.kind === "ready") {
    state.isReady = true;
    if (state.busy === 0) byId("progress").hidden = true;
    return;
  }
  state.isReady = false;
  const step = { pages: "Leaves", bytes: "Download" }[news.kind] ?? news.name[0].toUpperCase() + news.name.slice(1);
  const done = { pages: news.pages ?? 0, done: sizeText(news.bytes ?? 0), total: sizeText(news.total ?? 0) };
  byId("progress-text").textContent = say(`step${step}`, done);
  if (news.kind === "bytes") byId("progress-bar").value = news.bytes / news.total;
  else byId("progress-bar").removeAttribute("value");
}

// --- the outcome

function hideOutcome() {
  state.turn += 1;
  state.shown = null;
  byId("verdict").hidden = true;
}

function showOutcome(found) {
  state.shown = found;
  drawOutcome();
  byId("compare").hidden = true;
  // A failure before the question leaves the form that it is about, one after it the account.
  if (state.opened === null) byId("setup").hidden = false;
  else byId("question").hidden = found.code !== "package.wrong-account";
  byId("back").hidden = byId("question").hidden === false || state.opened === null;
  byId("verdict").focus();
  byId("verdict").scrollIntoView();
}

function drawOutcome() {
  const { bundle, key, audits, failed, isAgreed, isFromLink, packageData, opened, shown, chosen } = state;
  const isVouched = (signer) => opened !== null || key !== null || listed().some((one) => one.key === signer);
  const given = {
    isUnknown: shown.signer !== undefined && !isVouched(shown.signer),
    key: key ?? opened?.snapshot.key,
    address: bundle?.url ?? say("folderAddress"),
    auditors: audits,
    failed,
    isAgreed,
    isFromLink,
    isWebPage: packageData !== null && isWebPage(packageData),
    now: Math.floor(Date.now() / 1000),
  };
  const known = (audits ?? []).find((audit) => audit.state === "same");
  const address = known && `${known.address}attestations/${shown.snapshot?.digest}.msgpack`;
  const outcome = outcomeOf(shown, given, STRINGS);
  draw(outcome, shown.snapshot, address);
  byId("others").hidden = !bundle?.url;
  if (!chosen) return;
  chosen.said = () => line("dateAnswered", outcomeOf(shown, given, STRINGS));
  drawDates(state.dates, chooseDate);
}

const isWebPage = (data) => new TextDecoder().decode(data.subarray(0, 256)).trimStart().startsWith("<");

byId("back").addEventListener("click", () => {
  hideOutcome();
  const isAsked = state.amounts === undefined;
  byId(isAsked ? "question" : "compare").hidden = false;
  byId(isAsked ? "account" : "ask-title").focus();
});
byId("print").addEventListener("click", () => window.print());

byId("setup").addEventListener("input", (event) => {
  if (!event.target.matches("#typed-only, #ask-nobody, #copy, #auditor-address, #auditor-key")) forget();
});
byId("setup").addEventListener("change", (event) => {
  if (event.target.matches("#bundle, #key, #folder, #everything")) begin();
});
byId("setup").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(true);
});

// What is on the screen in another language.
window.addEventListener("languagechange", () => {
  const { opened, amounts, shown, dates } = state;
  showAuditors();
  if (!byId("dates").hidden) drawDates(dates, chooseDate);
  if (!opened) return;
  if (!byId("who").hidden) showWho(opened.snapshot);
  byId("account-label").textContent = say(ACCOUNTS[opened.snapshot.idType].label);
  if (amounts !== undefined) askAgain(opened.snapshot, amounts);
  if (shown) drawOutcome();
});

if (window.top === window.self) {
  byId("page").hidden = false;
  state.listing = readLists();
  takeFragment();
  window.addEventListener("hashchange", takeFragment);
} else {
  byId("framed-open").href = location.href;
  byId("framed").hidden = false;
}
