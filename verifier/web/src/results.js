// The outcome on the screen, and the copies of it that a reader keeps or shares.

import { tableOf } from "./compare.js";
import { STRINGS, byId, drawn, element, icon, inFours, paragraphs, say, withChildren } from "./dom.js";
import { qrCode } from "./qr.js";
import { visible } from "./texts.js";
import { reportOf, sharedOf } from "./verdict.js";

const ICONS = { good: "ok", warn: "part", bad: "bad" };

/** Draw an outcome (of verdict.js), of a snapshot if one was read, which an auditor may have at an `address`. */
export function draw(outcome, snapshot, address) {
  const { look, title, lines, steps, table, checks, notes, facts } = outcome;
  byId("verdict-head").className = `card ${look}`;
  byId("verdict").dataset.look = look;
  byId("verdict-icon").setAttribute("href", `#icon-${ICONS[look]}`);
  byId("verdict-title").textContent = title;
  byId("verdict-text").replaceChildren(...paragraphs(lines));
  byId("verdict-steps-box").hidden = steps.length === 0;
  byId("verdict-steps").replaceChildren(...steps.map((step) => withChildren("li", drawn(step))));
  byId("verdict-table").replaceChildren(...(table.length > 0 ? [tableOf(STRINGS.tableHead, table)] : []));
  byId("checks-box").hidden = checks.length === 0;
  byId("checks").replaceChildren(...checks.map(checkItem));
  byId("verdict-notes").replaceChildren(...paragraphs(notes));
  byId("expert-list").replaceChildren(...facts.flatMap(([name, text]) => {
    return [element("dt", name), element("dd", visible(String(text)))];
  }));
  byId("device").hidden = !snapshot;
  byId("share").hidden = !snapshot;
  if (snapshot) {
    byId("fingerprint").textContent = inFours(snapshot.digest);
    drawCode(qrCode(address ?? snapshot.digest) ?? qrCode(snapshot.digest));
  }
  byId("share-said").textContent = "";
  byId("keep").classList.toggle("second", table.length === 0);
  byId("keep").onclick = () => keep(reportOf(outcome, STRINGS, new Date()), snapshot);
  byId("share").onclick = () => share(sharedOf(outcome, snapshot, STRINGS));
  byId("verdict").hidden = false;
}

/** A square of whole pixels for each dark module, and a margin of four around them. */
function drawCode(rows) {
  const size = rows.length + 8;
  for (const side of ["width", "height"]) byId("qr").setAttribute(side, 4 * size);
  const squares = rows.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : "")));
  byId("qr").setAttribute("viewBox", `-4 -4 ${size} ${size}`);
  byId("qr-path").setAttribute("d", squares.join(""));
}

function checkItem({ title, state, by, lines }) {
  const words = withChildren("div", [element("b", title), ...paragraphs(lines)]);
  return withChildren("li", [icon(state, say(`state.${state}`)), words, element("span", say(`by.${by}`), "tag")]);
}

function keep(text, snapshot) {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = `assay-${snapshot?.id ?? "check"}.txt`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function share(text) {
  try {
    if (navigator.share) return await navigator.share({ text });
    await navigator.clipboard.writeText(text);
    byId("share-said").textContent = say("shared");
  } catch (error) {
    if (error.name !== "AbortError") byId("share-said").textContent = say("shareFailed");
  }
}
