// The page itself: form, progress and verdict. It checks nothing: the worker does. What it shows of
// untrusted bytes it sets as text, never as markup.

const $ = (id) => document.getElementById(id);
const STRINGS = JSON.parse($("strings").textContent);
const MAX_PACKAGE_BYTES = 2 ** 20;
const ACCOUNT_LABELS = { email: "accountEmail", phone: "accountPhone", opaque: "accountOpaque" };

/** A text of strings.json with its {names} filled in. */
function say(key, values = {}) {
  return fill(STRINGS[key], values);
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const state = { packageData: null, files: null, snapshot: null, bundle: null, key: null };

// --- the worker

const worker = new Worker(URL.createObjectURL(new Blob([$("worker").textContent], { type: "text/javascript" })));

/** Send one request; `onNews` is given what is told while it runs. */
function ask(request, onNews = () => {}) {
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === "done" || data.kind === "failed") resolve(data);
      else onNews(data);
    };
    worker.onerror = (event) => resolve({ kind: "failed", verdict: "broken", detail: event.message });
    worker.postMessage(request);
  });
}

async function unpackCore() {
  const packed = Uint8Array.from(atob($("core").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const started = unpackCore().then((wasm) => ask({ kind: "start", wasm }));

// --- 1: package, key, bundle

function takePackage(bytes, name) {
  const fits = bytes.length <= MAX_PACKAGE_BYTES;
  state.packageData = fits ? bytes : null;
  $("package-name").textContent = fits ? name : say("packageTooLarge");
}

async function takePackageFile(file) {
  if (!file) return;
  const bytes = new Uint8Array(await file.slice(0, MAX_PACKAGE_BYTES + 1).arrayBuffer());
  takePackage(bytes, say("packageChosen", { name: file.name, size: sizeText(file.size) }));
}

$("package").addEventListener("change", (event) => takePackageFile(event.target.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") takePackageFile(event.dataTransfer.files[0]);
  });
}

/** A link may carry the package and the bundle's address, in the fragment alone; never the key. */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("bundle")) $("bundle").value = given.get("bundle");
  if (!given.has("package")) return;
  try {
    const text = atob(given.get("package").replace(/-/g, "+").replace(/_/g, "/"));
    takePackage(Uint8Array.from(text, (character) => character.charCodeAt(0)), say("packageFromLink"));
  } catch {
    $("package-name").textContent = say("packageNone");
  }
}

$("folder").addEventListener("change", (event) => {
  // A path begins with the chosen folder's own name.
  const files = Array.from(event.target.files);
  const within = (file) => file.webkitRelativePath.split("/").slice(1).join("/");
  state.files = files.length > 0 ? new Map(files.map((file) => [within(file), file])) : null;
});

async function readList() {
  const files = Array.from($("list-file").files);
  const find = (end) => files.find((file) => file.name.endsWith(end) && file.size <= MAX_PACKAGE_BYTES);
  const [data, signature] = [find(".msgpack"), find(".sig")];
  if (!data || !signature || !$("list-key").value.trim()) return;
  await started;
  const bytes = async (file) => new Uint8Array(await file.arrayBuffer());
  const request = { kind: "list", data: await bytes(data), signature: await bytes(signature) };
  const { exchanges } = await ask({ ...request, key: $("list-key").value });
  show("list-error", exchanges ? null : say("listBad"));
  const options = [{ name: say("listChoose"), key: "", bundle: "" }, ...(exchanges ?? [])];
  $("list-choice").replaceChildren(...options.map(({ name, key, bundle }) => {
    const option = element("option", name);
    option.value = JSON.stringify({ key, bundle });
    return option;
  }));
  $("list-choice").disabled = !exchanges;
}

$("list-file").addEventListener("change", readList);
$("list-key").addEventListener("change", readList);
$("list-choice").addEventListener("change", (event) => {
  const { key, bundle } = JSON.parse(event.target.value);
  $("key").value = key;
  if (bundle && !$("bundle").value) $("bundle").value = bundle;
});

$("setup").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  const url = bundleUrl($("bundle").value.trim());
  const good = [
    state.packageData !== null,
    show("key-error", /^assay1:[0-9a-f]{64}$/.test(key) ? null : say("keyMissing"), "key"),
    show("bundle-error", url || state.files ? null : say("bundleMissing"), "bundle"),
  ];
  if (!good[0]) $("package-name").textContent = say("packageMissing");
  if (good.includes(false)) return focusFirst(["package", "key", "bundle"][good.indexOf(false)]);
  state.key = key;
  state.bundle = state.files ? { files: state.files } : { url };
  const { bundle, packageData } = state;
  await run("open", { bundle, key, packageData }, (answer) => {
    state.bundle = answer.bundle;
    askQuestion(answer.snapshot);
  });
});

/** The address typed, if it is https, or this page's own origin. */
function bundleUrl(text) {
  if (!URL.canParse(text, location.href) || text === "") return null;
  const url = new URL(text, location.href);
  url.hash = "";
  const own = url.origin === location.origin && url.protocol.startsWith("http");
  return url.protocol === "https:" || own ? url.href : null;
}

// --- 2: account and balances

function askQuestion(snapshot) {
  state.snapshot = snapshot;
  $("moment").textContent = say("moment", { exchange: snapshot.exchange, time: localTime(snapshot.time) });
  $("account-label").textContent = say(ACCOUNT_LABELS[snapshot.idType]);
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
  $("question").hidden = false;
  $("question-title").focus();
}

$("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  const inputs = Array.from($("balances").querySelectorAll("input"));
  const typed = inputs.map((input) => [input, input.value.trim()]).filter(([, text]) => text !== "");
  const good = typed.length > 0 && typed.every(([, text]) => /^[0-9]{1,40}(\.[0-9]{1,40})?$/.test(text));
  const named = $("account").value.trim() !== "";
  show("account-error", named ? null : say("accountMissing"), "account");
  show("balance-error", good ? null : say("balanceMissing"));
  if (!named) return focusFirst("account");
  if (!good) return focusFirst(inputs[0].id);
  const balances = Object.fromEntries(typed.map(([input, text]) => [input.dataset.code, text]));
  const request = { accountId: $("account").value, balances, everything: $("everything").checked };
  const { bundle, key, packageData } = state;
  await run("check", { bundle, key, packageData, ...request }, showFound);
});

// --- progress

async function run(kind, request, onDone) {
  $("verdict").hidden = true;
  $("progress").hidden = false;
  $("progress-bar").removeAttribute("value");
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  $("progress-text").textContent = say("stepStart");
  let answer = await started;
  if (answer.kind === "done") answer = await ask({ kind, ...request }, showNews);
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  $("progress").hidden = true;
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

function showFound(answer) {
  const { snapshot, amounts, solvency } = answer;
  const where = { exchange: snapshot.exchange, time: localTime(snapshot.time) };
  const list = (items) => new Intl.ListFormat(STRINGS.language).format(items.map((item) => `${amountText(item)} ${item.code}`));
  const counted = amounts.filter((item) => item.isCompared && item.parts > 0);
  const more = counted.filter((item) => item.counted * 10n ** item.typed.scale > item.typed.digits * 10n ** BigInt(item.decimals));
  const left = amounts.filter((item) => !item.isCompared);
  const lines = [counted.length > 0 ? say("goodText", { ...where, amounts: list(counted) }) : say("goodZero")];
  if (more.length > 0) lines.push(say("goodMore", { amounts: list(more) }));
  if (left.length > 0) {
    lines.push(say("partText", { codes: new Intl.ListFormat(STRINGS.language).format(left.map((item) => item.code)) }));
  }
  if (solvency.ok) lines.push(say("solvencyGood", where));
  else if (solvency.verdict === "rejected") lines.push(say("solvencyBad", solvency), ...helpFor(solvency));
  else lines.push(say("solvencyUnchecked", solvency));
  const looks = solvency.verdict === "rejected" ? ["bad", "badTitle"]
    : left.length > 0 ? ["warn", "partTitle"]
    : ["good", "goodTitle"];
  showVerdict(...looks, lines, { ...answer, ...(solvency.ok ? {} : solvency) });
}

function showFailed(answer) {
  const { verdict, field } = answer;
  if (verdict === "misuse") {
    const place = { account: ["account-error", "accountMissing", "account"], key: ["key-error", "keyMissing", "key"] }[field];
    if (place) {
      show(place[0], say(place[1]), place[2]);
      return focusFirst(place[2]);
    }
    return show("balance-error", say("balanceMissing"));
  }
  if (verdict === "broken") return showVerdict("warn", "brokenTitle", [say("brokenText", answer)], answer);
  const title = verdict === "rejected" ? "badTitle" : "uncheckedTitle";
  return showVerdict(verdict === "rejected" ? "bad" : "warn", title, helpFor(answer), answer);
}

/** Title, meaning and advice for a code: its own, or that of its family. */
function helpFor(answer) {
  const texts = STRINGS[`help.${answer.code}`] ?? STRINGS[`help.${answer.code.split(".")[0]}`];
  return texts.map((text) => fill(text, answer));
}

function showVerdict(look, title, lines, answer) {
  $("verdict").className = look;
  $("verdict-title").textContent = say(title);
  $("verdict-text").replaceChildren(...lines.map((line) => element("p", line)));
  const snapshot = answer.snapshot ?? state.snapshot;
  if (snapshot) {
    const print = element("p", `${say("fingerprint")}: `);
    print.append(element("code", snapshot.digest));
    $("verdict-text").append(print);
  }
  const save = element("button", say("saveReport"), "plain");
  save.type = "button";
  save.addEventListener("click", () => saveReport(say(title), lines, answer, snapshot));
  $("verdict-actions").replaceChildren(save);
  $("expert-list").replaceChildren(...expertLines(answer, snapshot).flatMap(([name, text]) => [element("dt", name), element("dd", text)]));
  $("verdict").hidden = false;
  $("verdict").focus();
  $("verdict").scrollIntoView();
}

function expertLines(answer, snapshot) {
  const lines = [];
  if (answer.code) lines.push([say("expertCode"), answer.code], [say("expertWhere"), `${answer.where ?? ""} ${answer.detail ?? ""}`]);
  if (state.key) lines.push([say("expertKey"), state.key]);
  if (snapshot) {
    lines.push([say("expertExchange"), snapshot.exchange], [say("expertSnapshot"), snapshot.id]);
    lines.push([say("expertTime"), new Date(1000 * snapshot.time).toISOString()], [say("fingerprint"), snapshot.digest]);
    for (const { code, ratio, root, sum, evidence } of snapshot.assets) {
      lines.push([say("expertAsset", { code }), [ratio, root, sum, evidence].join(" · ")]);
    }
    for (const { name, height, hash } of snapshot.chains) lines.push([say("expertBlock", { name }), `${height} · ${hash}`]);
  }
  for (const item of answer.amounts ?? []) {
    if (item.parts > 0) lines.push([say("expertAmount", item), `${amountText(item)} ${item.code}`]);
  }
  if (answer.pages) lines.push([say("expertPages"), String(answer.pages)]);
  return lines;
}

/** A text file of the verdict. It holds no account id. */
function saveReport(title, lines, answer, snapshot) {
  const facts = expertLines(answer, snapshot).map(([name, text]) => `${name}: ${text}`);
  const text = [title, "", ...lines, "", ...facts, new Date().toISOString(), ""].join("\n");
  const link = element("a", "");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
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

/** Show or hide the error of a field; returns whether there is none. */
function show(id, text, field = null) {
  $(id).hidden = text === null;
  $(id).textContent = text ?? "";
  if (field) $(field).setAttribute("aria-invalid", String(text !== null));
  return text === null;
}

function focusFirst(id) {
  $(id).focus();
}

function amountText({ counted, decimals }) {
  const digits = String(counted).padStart(decimals + 1, "0");
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "");
  const whole = decimals === 0 ? digits : digits.slice(0, -decimals);
  return decimals > 0 && fraction ? `${whole}.${fraction}` : whole;
}

function localTime(seconds) {
  const moment = new Date(1000 * seconds);
  if (Number.isNaN(moment.getTime())) return String(seconds);
  return moment.toLocaleString(STRINGS.language, { dateStyle: "long", timeStyle: "long" });
}

function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${units[power]}`;
}

takeFragment();
window.addEventListener("hashchange", takeFragment);
