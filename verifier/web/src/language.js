// The reader's language, and the page's texts in it: that of the address, that which the reader chose before,
// the first of the browser's that there is, or English.

import { setLocale } from "./texts.js";

const REMEMBERED = "language";

/**
 * The page's texts, in an object that is filled anew when the reader chooses another language; the window
 * then hears of a "languagechange".
 */
export function takeLanguage() {
  const { shape, texts } = JSON.parse(document.getElementById("strings").textContent);
  const select = /** @type {any} */ (document.getElementById("language"));
  const strings = {};
  const speak = (language, locale) => {
    const before = { ...strings };
    Object.assign(strings, filled(shape, texts[language]));
    setLocale(locale);
    select.value = language;
    Object.assign(document.documentElement, { lang: language, dir: strings.direction });
    showStatic(before, strings);
  };
  select.replaceChildren(...Object.keys(texts).map(optionOf));
  select.addEventListener("change", () => {
    remember(select.value);
    speak(select.value, localeOf(select.value));
    window.dispatchEvent(new Event("languagechange"));
  });
  const wanted = wantedLocale(Object.keys(texts));
  speak(languageOf(wanted, Object.keys(texts)), wanted);
  return strings;
}

/** The texts in their places: a list of texts, and the structure that has each one's number. */
function filled(shape, texts) {
  return JSON.parse(JSON.stringify(shape), (_, value) => (typeof value === "number" ? texts[value] : value));
}

/** What stands in the page itself, as an element's content or attribute, and still says what it said `before`. */
function showStatic(before, strings) {
  for (const element of document.querySelectorAll("[data-text]")) {
    const key = element.getAttribute("data-text");
    if ([undefined, element.textContent].includes(before[key])) element.textContent = strings[key];
  }
  for (const attribute of ["aria-label", "placeholder"]) {
    for (const element of document.querySelectorAll(`[data-text-${attribute}]`)) {
      element.setAttribute(attribute, strings[element.getAttribute(`data-text-${attribute}`)]);
    }
  }
}

function optionOf(language) {
  const option = document.createElement("option");
  const name = new Intl.DisplayNames(language, { type: "language" }).of(language);
  return Object.assign(option, { value: language, lang: language, textContent: name });
}

function wantedLocale(languages) {
  const asked = [new URLSearchParams(location.search).get("lang"), remembered()];
  const locales = [...asked.filter(Boolean).map(localeOf), ...navigator.languages, "en"];
  return locales.find((locale) => languageOf(locale, languages) !== undefined);
}

/** The browser's own tag of a language, which may name a region, or the language's. */
const localeOf = (language) => navigator.languages.find((tag) => languageOf(tag, [language])) ?? language;

/** The one of `languages` that a reader of a locale reads: of the same script, whatever the region. */
function languageOf(locale, languages) {
  const written = writtenOf(locale);
  return languages.find((language) => written !== null && writtenOf(language) === written);
}

function writtenOf(tag) {
  try {
    const { language, script } = new Intl.Locale(tag).maximize();
    return `${language}-${script}`;
  } catch { // no tag of a language
    return null;
  }
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch { // a page without storage, as from a disk in some browsers
    return null;
  }
}

function remember(language) {
  try {
    localStorage.setItem(REMEMBERED, language);
  } catch { // as above: then the choice is for this visit alone
  }
}
