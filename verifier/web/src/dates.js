// Several dates: a line for each file that the reader gave, and the proofs that an exchange has published.

import { byId, button, drawn, element, line, say, withChildren } from "./dom.js";
import { decimalText, localTime } from "./texts.js";

/** The published folder of a bundle's address, or the address itself. */
export const folderOf = (url) => url.replace(/snapshots\/[^/]+\/$/, "");

/**
 * Show a line for each file: `name`, `time` if it is known, and what is `said` of it, a function that gives a
 * line of texts.js in the reader's language; `onChoose` is called with its place.
 */
export function drawDates(files, onChoose) {
  byId("dates-list").replaceChildren(...files.map(({ name, time, said }, at) => {
    const date = button(time === undefined ? name : localTime(time), () => onChoose(at), "link");
    return withChildren("li", [date, withChildren("span", drawn(said()))]);
  }));
  byId("dates").hidden = files.length < 2;
}

/**
 * What a file counts, of a check that found nothing wrong; no more than that is known before it is compared.
 * Nor is that said where it `isHidden` until the customer has typed.
 */
export function foundLine(amounts, isHidden, language) {
  if (isHidden) return line("dateHidden");
  const held = amounts.filter(({ parts }) => parts > 0);
  const texts = held.map(({ counted, decimals, code }) => `${decimalText(counted, decimals)} ${code}`);
  if (texts.length === 0) return line("dateNone");
  return line("dateFound", { amounts: new Intl.ListFormat(language).format(texts) });
}

/** Show which proofs a published folder has. Its index is anybody's, so of an entry only its date is shown. */
export function drawPublished(snapshots) {
  const seconds = snapshots.map(({ time }) => Date.parse(time) / 1000).filter((moment) => !Number.isNaN(moment));
  const items = seconds.map((moment) => element("li", localTime(moment)));
  byId("published-list").replaceChildren(...(items.length > 0 ? items : [element("li", say("publishedNone"))]));
  byId("published").hidden = false;
  byId("published").focus();
}
