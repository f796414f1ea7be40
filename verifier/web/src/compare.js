// The table in which a customer compares: what is counted for them, and what they had. A row that is typed
// compares as it is typed; none of it is green before the customer has answered.

import { isShort, parseBalance } from "./balances.js";
import { STRINGS, byId, element, line, say, show, withChildren } from "./dom.js";
import { decimalText, localTime, plain } from "./texts.js";
import { readBalance, readCode } from "./typed.js";
import { differenceText } from "./verdict.js";

/** A table of `rows` with the columns' `names`: `cells`, of which the first heads the row, and `look`. */
export function tableOf(names, rows) {
  return withChildren("table", [withChildren("thead", [headOf(names)]), bodyOf(names, rows)], "amounts");
}

const headOf = (names) => withChildren("tr", names.map((name) => heading(name, "col")));

function bodyOf(names, rows) {
  return withChildren("tbody", rows.map(({ cells: [first, ...rest], look }) => {
    const cells = rest.map((content) => withChildren("td", [content]));
    cells.forEach((cell, at) => cell.setAttribute("data-name", names[at + 1])); // for phones, which show no head
    if (look) cells.at(-1).className = { good: "same", bad: "less" }[look];
    return withChildren("tr", [heading(first, "row"), ...cells]);
  }));
}

function heading(text, scope) {
  const made = element("th", text);
  made.scope = scope;
  return made;
}

// What is known of each coin that is asked for.
let rows = new Map();

/** Ask about a snapshot; `amounts` are those of a check, or null where they are shown afterwards. */
export function askToCompare(snapshot, amounts) {
  const values = { time: localTime(snapshot.time) };
  const isNothing = amounts !== null && amounts.every(({ parts }) => parts === 0);
  const [title, text] = titlesOf(amounts, isNothing);
  byId("ask-title").textContent = say(title);
  byId("ask-text").textContent = say(text, values);
  const names = amounts ? STRINGS.tableHead : STRINGS.tableHead.filter((_, at) => at % 2 === 0);
  const items = amounts ?? snapshot.assets.map(({ code }) => ({ code, isHidden: true }));
  rows = new Map(items.map((item) => [item.code, item]));
  const drawn = items.map((item) => ({ cells: cellsOf(item, amounts !== null) }));
  byId("compare-table").replaceChildren(tableOf(names, drawn));
  for (const id of ["agree", "missing"]) byId(id).hidden = amounts === null;
  byId("check").hidden = amounts !== null;
  for (const id of ["other-code", "other-amount"]) byId(id).value = "";
  openOther(false);
  show("balance-error", null);
}

function titlesOf(amounts, isNothing) {
  if (amounts === null) return ["typedTitle", "typedText"];
  return isNothing ? ["askNothing", "askNothingText"] : ["askTitle", "askText"];
}

/** Ask the same in another language; what was typed stays. */
export function askAgain(snapshot, amounts) {
  const typed = balanceInputs().map((input) => input.value);
  const isOpen = !byId("other").hidden;
  askToCompare(snapshot, amounts);
  openOther(isOpen);
  balanceInputs().forEach((input, at) => {
    input.value = typed[at];
    input.dispatchEvent(new Event("input"));
  });
}

export function openOther(isOpen) {
  byId("other").hidden = !isOpen;
  byId("other-button").setAttribute("aria-expanded", String(isOpen));
}

function cellsOf(item, isShown) {
  const { code } = item;
  const input = element("input");
  input.id = `balance-${code}`;
  Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off" });
  if (isShown) input.placeholder = say("optional");
  input.dataset.code = code;
  input.setAttribute("aria-label", say("youHad", { code }));
  const reading = element("small");
  const field = withChildren("span", [input, reading]);
  input.addEventListener("input", () => {
    const { value, isRewritten } = readBalance(input.value, item);
    reading.textContent = isRewritten ? say("readAs", { amount: amountText(value) }) : "";
  });
  if (!isShown) return [code, field];
  const difference = element("span");
  input.addEventListener("input", () => {
    const { value } = readBalance(input.value, item);
    const typed = { ...item, typed: value === undefined ? null : parseBalance(value) };
    difference.textContent = typed.typed ? differenceText(typed, STRINGS) : "";
    difference.classList.toggle("less", isShort(typed));
  });
  const name = item.isSetAside ? plain(line("asideCode", { code })) : code;
  return [name, decimalText(item.counted, item.decimals), field, difference];
}

function amountText(value) {
  const { digits, scale } = parseBalance(value);
  return decimalText(digits, Number(scale));
}

const rowInputs = () => [...byId("compare-table").querySelectorAll("input")];

export const balanceInputs = () => [...rowInputs(), byId("other-code"), byId("other-amount")];

/** The balances by code, or the first `problem`, and the `id` of the field that has it. */
export function typedBalances() {
  const fields = rowInputs().map((input) => [input.dataset.code, input]);
  const other = otherCode(fields.map(([code]) => code));
  if (other.problem) return other;
  if (other.code) fields.push([other.code, byId("other-amount")]);
  const balances = {};
  for (const [code, input] of fields.filter(([, { value }]) => value.trim() !== "")) {
    const balance = readBalance(input.value, rows.get(code) ?? { code });
    if (balance.rule) return { problem: balanceProblem(code, input.value, balance), id: input.id };
    balances[code] = balance.value;
  }
  return { balances };
}

/** The code of a coin that is not `listed`, if the customer had one. */
function otherCode(listed) {
  const [code, amount] = [byId("other-code").value, byId("other-amount").value].map((text) => text.trim());
  if (code === "" && amount === "") return {};
  const { value, rule } = readCode(code);
  if (rule) return { problem: say("otherCodeBad"), id: "other-code" };
  if (listed.includes(value)) return { problem: say("otherListed", { code: value }), id: `balance-${value}` };
  if (amount === "") return { problem: say("otherAmountMissing", { code: value }), id: "other-amount" };
  return { code: value };
}

/** @param {{ rule?: string, readings?: string[] }} balance */
function balanceProblem(code, typed, balance) {
  const { rule, readings = [] } = balance;
  const [first, second] = readings;
  return say(`balance.${rule}`, { code, typed: typed.trim(), first, second });
}

/** Whether something that was typed is more than what is counted. */
export function isLess(balances, amounts) {
  const counted = new Map(amounts.map((item) => [item.code, item]));
  return Object.entries(balances).some(([code, text]) => {
    const typed = parseBalance(text);
    return counted.has(code) ? isShort({ ...counted.get(code), typed }) : typed.digits > 0n;
  });
}
