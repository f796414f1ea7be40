// The page itself: form, progress and verdict. It checks nothing: the worker does. What it shows of
// untrusted bytes it sets as text, never as markup, and apart from the words around it.

import { takeLanguage } from "./language.js";
import { unpacked } from "./packed.js";
import { MAX_LIST_BYTES, MAX_PACKAGE_BYTES } from "./params.js";
import { localTime, piecesOf, plain, sizeText, visible } from "./texts.js";
import { readAddress, readBalance, readCode, readKey } from "./typed.js";
import { outcomeOf, reportOf } from "./verdict.js";

/** @returns {any} The element of an id, which page.html has. */
const $ = (id) => document.getElementById(id);
const STRINGS = takeLanguage();
const ACCOUNT_LABELS = { email: "accountEmail", phone: "accountPhone", opaque: "accountOpaque" };

const say = (key, values) => plain({ text: STRINGS[key], values });

// `turn` counts what made an earlier answer stale: an answer of another turn is not shown.
const state = {
  packageData: null, reading: null, listing: null, listed: [], files: null, bundle: null, key: null, units: [],
  suggested: "", turn: 0, snapshot: null, answer: null,
};

// --- the worker

const worker = new Worker(URL.createObjectURL(new Blob([$("worker").textContent], { type: "text/javascript" })));

/** @type {Promise<any>} */
let idle = Promise.resolve();

/** Send one request, after those before it; `onNews` is given what is told while it runs. */
function ask(request, onNews = () => {}) {
  idle = idle.then(() => send(request, onNews));
  return idle;
}

function send(request, onNews) {
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === "done" || data.kind === "failed") resolve(data);
      else onNews(data);
    };
    worker.onerror = (event) => resolve({ kind: "failed", verdict: "broken", detail: event.message });
    worker.postMessage(request);
  });
}

const started = unpacked("core").then((wasm) => ask({ kind: "start", wasm }));

// --- 1: package, key, bundle

function takePackage(bytes, name) {
  const fits = bytes.length <= MAX_PACKAGE_BYTES;
  state.packageData = fits ? bytes : null;
  showPackage(fits ? name : say("packageTooLarge"), fits);
  forget();
}

function showPackage(text, isGood) {
  $("package-name").textContent = text;
  $("package-name").classList.toggle("error", !isGood);
}

function losePackage(text, isGood) {
  $("package").value = "";
  state.packageData = null;
  showPackage(text, isGood);
  forget();
}

async function readPackage(file) {
  if (!file) return;
  try {
    const bytes = new Uint8Array(await file.slice(0, MAX_PACKAGE_BYTES + 1).arrayBuffer());
    takePackage(bytes, say("packageChosen", { name: file.name, size: sizeText(file.size) }));
  } catch { // a folder, or a file that is not there any more
    losePackage(say("packageUnreadable"), false);
  }
}

const takePackageFile = (file) => { state.reading = readPackage(file); };

$("package").addEventListener("change", (event) => takePackageFile(event.target.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") takePackageFile(event.dataTransfer.files[0]);
  });
}

// A browser tells of no change where a file of the same name is chosen again.
for (const id of ["package", "folder", "list-file"]) {
  $(id).addEventListener("click", () => {
    $(id).value = "";
    $(id).dispatchEvent(new Event("change"));
  });
}

/** A link may carry the package and the bundle's address, in the fragment alone; never the key. */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("bundle")) {
    $("bundle").value = given.get("bundle");
    leaveFolder();
    forget();
  }
  if (!given.has("package")) return;
  try {
    const text = atob(given.get("package").replace(/-/g, "+").replace(/_/g, "/"));
    takePackage(Uint8Array.from(text, (character) => character.charCodeAt(0)), say("packageFromLink"));
  } catch {
    losePackage(say("packageNone"), true);
  }
}

$("folder").addEventListener("change", (event) => {
  // A path begins with the chosen folder's own name.
  const files = Array.from(event.target.files);
  const within = (file) => file.webkitRelativePath.split("/").slice(1).join("/");
  state.files = files.length > 0 ? new Map(files.map((file) => [within(file), file])) : null;
});

// Of folder and address the one that was given last.
function leaveFolder() {
  $("folder").value = "";
  state.files = null;
}

$("bundle").addEventListener("input", leaveFolder);

async function readList() {
  try {
    await takeList();
  } catch { // a file that is not there any more
    show("list-error", say("listUnreadable"));
  }
}

async function takeList() {
  state.listed = [];
  $("list-choice").replaceChildren();
  $("list-choice").disabled = true;
  show("list-error", null);
  const files = Array.from($("list-file").files);
  const find = (end) => files.find((file) => file.name.endsWith(end) && file.size <= MAX_LIST_BYTES);
  const [data, signature] = [find(".msgpack"), find(".sig")];
  const key = readKey($("list-key").value);
  if (!data || !signature || key.rule === "missing") return;
  await started;
  const bytes = async (file) => new Uint8Array(await file.arrayBuffer());
  const request = { kind: "list", data: await bytes(data), signature: await bytes(signature) };
  const answer = key.rule ? {} : await ask({ ...request, key: key.value });
  const exchanges = answer.exchanges;
  state.listed = answer.units ?? [];
  const problem = key.rule ? keyProblem(key) : say("listBad");
  show("list-error", exchanges ? null : problem);
  const options = [{ name: say("listChoose"), key: "", bundle: "" }, ...(exchanges ?? [])];
  $("list-choice").replaceChildren(...options.map((exchange) => {
    const option = element("option", visible(exchange.name));
    option.value = JSON.stringify({ key: exchange.key, bundle: exchange.bundle });
    return option;
  }));
  $("list-choice").disabled = !exchanges;
}

for (const id of ["list-file", "list-key"]) $(id).addEventListener("change", () => { state.listing = readList(); });
$("list-choice").addEventListener("change", (event) => {
  const { key, bundle } = JSON.parse(event.target.value);
  $("key").value = key;
  // What the customer typed stays; what an earlier choice filled in does not.
  if ($("bundle").value === state.suggested) $("bundle").value = state.suggested = bundle;
});

/** What is below a form rests on it: a change of the form, or its next answer, takes it away. */
function forget() {
  state.turn += 1;
  worker.postMessage({ kind: "discard" });
  $("question").hidden = true;
  $("verdict").hidden = true;
}

$("setup").addEventListener("input", forget);
$("setup").addEventListener("submit", async (event) => {
  event.preventDefault();
  await Promise.all([state.reading, state.listing]);
  forget();
  const key = readKey($("key").value);
  const address = readAddress($("bundle").value, location.href);
  const good = [
    state.packageData !== null,
    show("key-error", key.rule ? keyProblem(key) : null, "key"),
    show("bundle-error", address.rule && !state.files ? say(`bundle.${address.rule}`) : null, "bundle"),
  ];
  if (!good[0]) showPackage(say("packageMissing"), false);
  if (good.includes(false)) return $(["package", "key", "bundle"][good.indexOf(false)]).focus();
  $("key").value = state.key = key.value;
  if (!state.files) $("bundle").value = address.value;
  state.bundle = state.files ? { files: state.files } : { url: address.value };
  state.units = state.listed;
  const { bundle, packageData, units } = state;
  const everything = $("everything").checked;
  await run("open", { bundle, key: state.key, packageData, units, everything }, (answer) => {
    state.bundle = answer.bundle;
    askQuestion(answer.snapshot);
  });
});

const keyProblem = (key) => say(`key.${key.rule}`, key);

// --- 2: account and balances

function nameQuestion(snapshot) {
  const values = { exchange: snapshot.exchange, time: localTime(snapshot.time) };
  for (const name of ["named", "moment"]) $(name).replaceChildren(...drawn({ text: STRINGS[name], values }));
  $("account-label").textContent = say(ACCOUNT_LABELS[snapshot.idType]);
}

function askQuestion(snapshot) {
  state.snapshot = snapshot;
  nameQuestion(snapshot);
  $("balances").replaceChildren(...snapshot.assets.map(({ code }) => {
    const row = element("div", "", "balance");
    const label = element("label", code);
    const input = element("input", "");
    label.htmlFor = input.id = `balance-${code}`;
    Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off" });
    input.dataset.code = code;
    row.append(label, input);
    return row;
  }));
  for (const id of ["other-code", "other-amount"]) $(id).value = "";
  $("question").hidden = false;
  $("question-title").focus();
}

$("question").addEventListener("input", () => {
  state.turn += 1;
  $("verdict").hidden = true;
});
$("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("verdict").hidden = true;
  const account = $("account").value;
  const { balances, problem, id } = typedBalances();
  const named = show("account-error", account.trim() ? null : say("accountMissing"), "account");
  show("balance-error", problem);
  for (const input of balanceInputs()) input.setAttribute("aria-invalid", String(input.id === id));
  if (!named) return $("account").focus();
  if (problem) return $(id).focus();
  const now = Math.floor(Date.now() / 1000);
  await run("check", { accountId: account, balances, now }, showOutcome);
});

const balanceInputs = () => [...$("balances").querySelectorAll("input"), $("other-code"), $("other-amount")];

/** The balances by code, or the first `problem`, and the `id` of the field that has it. */
function typedBalances() {
  const fields = Array.from($("balances").querySelectorAll("input"), (input) => [input.dataset.code, input]);
  const other = otherCode(fields.map(([code]) => code));
  if (other.problem) return other;
  if (other.code) fields.push([other.code, $("other-amount")]);
  const filled = fields.filter(([, input]) => input.value.trim() !== "");
  const balances = {};
  for (const [code, input] of filled) {
    const balance = readBalance(input.value, { code });
    if (balance.rule) return { problem: balanceProblem(code, input.value, balance), id: input.id };
    balances[code] = balance.value;
  }
  if (filled.length === 0) return { problem: say("balanceMissing"), id: fields[0][1].id };
  return { balances };
}

/** The code of a coin that is not `listed`, if the customer had one. */
function otherCode(listed) {
  const [code, amount] = [$("other-code").value, $("other-amount").value].map((text) => text.trim());
  if (code === "" && amount === "") return {};
  const { value, rule } = readCode(code);
  if (rule) return { problem: say("otherCodeBad"), id: "other-code" };
  if (listed.includes(value)) return { problem: say("otherListed", { code: value }), id: `balance-${value}` };
  if (amount === "") return { problem: say("otherAmountMissing", { code: value }), id: "other-amount" };
  return { code: value };
}

/** @param {{ rule?: string, readings?: string[] }} balance */
function balanceProblem(code, typed, balance) {
  const [first, second] = balance.readings ?? [];
  return say(`balance.${balance.rule}`, { code, typed: typed.trim(), first, second });
}

// --- progress

async function run(kind, request, onDone) {
  const { turn } = state;
  $("progress").hidden = false;
  $("progress-bar").removeAttribute("value");
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  $("progress-text").textContent = say("stepStart");
  let answer = await started;
  if (answer.kind === "done") answer = await ask({ kind, ...request }, showNews);
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  $("progress").hidden = true;
  if (turn !== state.turn) return;
  if (answer.kind === "done") onDone(answer);
  else showFailed(answer);
}

function showNews(news) {
  const step = { pages: "Leaves", bytes: "Download" }[news.kind] ?? news.name[0].toUpperCase() + news.name.slice(1);
  const done = { pages: news.pages ?? 0, done: sizeText(news.bytes ?? 0), total: sizeText(news.total ?? 0) };
  $("progress-text").textContent = say(`step${step}`, done);
  if (news.kind === "bytes") $("progress-bar").value = news.bytes / news.total;
  else $("progress-bar").removeAttribute("value");
}

// --- the verdict

function showFailed(answer) {
  if (answer.verdict !== "misuse") return showOutcome(answer);
  const [error, text, field] = answer.field === "account"
    ? ["account-error", "accountMissing", "account"]
    : ["balance-error", "balanceMissing", balanceInputs()[0].id];
  show(error, say(text), field);
  $(field).focus();
}

function showOutcome(answer) {
  state.answer = answer;
  const { key, bundle } = state;
  const outcome = outcomeOf(answer, { key, address: bundle.url ?? say("folderAddress") }, STRINGS);
  const { snapshot } = answer;
  $("verdict").className = outcome.look;
  $("verdict-title").textContent = outcome.title;
  const lines = outcome.lines.map((line) => withChildren("p", drawn(line)));
  if (outcome.table.length > 0) lines.splice(1, 0, tableOf(outcome.table));
  if (snapshot) lines.push(withChildren("p", [`${say("fingerprint")}: `, element("code", snapshot.digest)]));
  $("verdict-text").replaceChildren(...lines);
  const save = element("button", say("saveReport"), "plain");
  save.type = "button";
  save.addEventListener("click", () => saveReport(outcome, snapshot));
  $("verdict-actions").replaceChildren(save);
  const facts = outcome.facts.flatMap(([name, text]) => [element("dt", name), element("dd", visible(String(text)))]);
  $("expert-list").replaceChildren(...facts);
  $("verdict").hidden = false;
  $("verdict").focus();
  $("verdict").scrollIntoView();
}

function tableOf(rows) {
  const [, ...names] = STRINGS.tableHead;
  const heading = (text, scope) => Object.assign(element("th", text), { scope });
  const head = withChildren("tr", STRINGS.tableHead.map((name) => heading(name, "col")));
  const body = rows.map(({ cells: [code, ...rest], isShort }) => {
    const cells = rest.map((text) => element("td", text));
    cells.forEach((cell, at) => cell.setAttribute("data-name", names[at])); // for phones, which show no head
    const row = withChildren("tr", [heading(code, "row"), ...cells]);
    row.classList.toggle("short", isShort);
    return row;
  });
  return withChildren("table", [withChildren("thead", [head]), withChildren("tbody", body)]);
}

function saveReport(outcome, snapshot) {
  const link = element("a", "");
  link.href = URL.createObjectURL(new Blob([reportOf(outcome, STRINGS, new Date())], { type: "text/plain" }));
  link.download = `assay-${snapshot?.id ?? "check"}.txt`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// --- small things

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function withChildren(name, children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

/** The nodes of a line: every value by itself, so that its direction is its own. */
const drawn = (line) => piecesOf(line).map((piece, at) => (at % 2 === 0 ? piece : element("bdi", piece)));

/** Show or hide the error of a field; returns whether there is none. */
function show(id, text, field = null) {
  $(id).hidden = !text;
  $(id).textContent = text ?? "";
  if (field) $(field).setAttribute("aria-invalid", String(Boolean(text)));
  return !text;
}

// What was drawn in another language.
window.addEventListener("languagechange", () => {
  if (!$("question").hidden) nameQuestion(state.snapshot);
  if (!$("verdict").hidden) showOutcome(state.answer);
});

takeFragment();
window.addEventListener("hashchange", takeFragment);
