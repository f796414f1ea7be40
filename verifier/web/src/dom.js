// Elements, and our words in them. What a text holds of others is set as text, never as markup, and each
// value by itself, so that its direction is its own.

import { takeLanguage } from "./language.js";
import { piecesOf, plain } from "./texts.js";

/** @returns {any} The element of an id, which page.html has. */
export const byId = (id) => document.getElementById(id);

export const STRINGS = takeLanguage();

export const line = (key, values) => ({ text: STRINGS[key], values });

export const say = (key, values) => plain(line(key, values));

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function withChildren(name, children, className = "") {
  const made = element(name, "", className);
  made.append(...children);
  return made;
}

/** The nodes of a line. */
export const drawn = (said) => piecesOf(said).map((piece, at) => (at % 2 === 0 ? piece : element("bdi", piece)));

export const paragraphs = (lines) => lines.map((said) => withChildren("p", drawn(said)));

/** A button that does something. */
export function button(text, onClick, className = "second") {
  const made = element("button", text, className);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** One of the pictures of page.html. */
export function icon(name, label) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  made.setAttribute("class", name);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  made.append(use);
  return made;
}

/** Show or hide the error of a field; returns whether there is none. */
export function show(id, text, field = null) {
  byId(id).hidden = !text;
  byId(id).textContent = text ?? "";
  if (field) byId(field).setAttribute("aria-invalid", String(Boolean(text)));
  return !text;
}

/** A text in groups of four, to be compared by eye. */
export const inFours = (text) => text.match(/.{1,4}/gu).join(" ");
