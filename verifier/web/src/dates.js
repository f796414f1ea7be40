// Several dates: a line for each file that the reader gave, and the proofs that an exchange has published.

import { byId, button, drawn, element, line, say, withChildren } from "./dom.js";
import { decimalText, localTime } from "./texts.js";

/** The published folder of a bundle's address, or the address itself. */
export const folderOf = (url) => url.replace(/snapshots\/[^/]+\/$/, "");

/**
 * Show a line for each file: `name`, `time` if it is known, and `said`, a line of texts.js; `onChoose` is
 * called with its place.
 */
export function drawDates(files, onChoose) {
  byId("dates-list").replaceChildren(...files.map(({ name, time, said }, at) => {
    const date = button(time === undefined ? name : localTime(time), () => onChoose(at), "link");
    return withChildren("li", [date, withChildren("span", drawn(said))]);
  }));
  byId("dates").hidden = files.length < 2;
}

/** What a file counts, of a check that found nothing wrong; no more than that is known before it is compared. */
export function foundLine(amounts, language) {
  const held = amounts.filter(({ parts }) => parts > 0);
  const texts = held.map(({ counted, decimals, code }) => `${decimalText(counted, decimals)} ${code}`);
  if (texts.length === 0) return line("dateNone");
  return line("dateFound", { amounts: new Intl.ListFormat(language).format(texts) });
}

/** Show which proofs a published folder has. */
export function drawPublished(snapshots) {
  const items = snapshots.map(({ time }) => {
    const seconds = Date.parse(time) / 1000;
    return element("li", Number.isNaN(seconds) ? time : localTime(seconds));
  });
  byId("published-list").replaceChildren(...(items.length > 0 ? items : [element("li", say("publishedNone"))]));
  byId("published").hidden = false;
  byId("published").focus();
}
