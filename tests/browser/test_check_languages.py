"""The page in every language: which one it takes, how it looks, and that nothing else changes."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Exchange, Site, ask, fill_in, note_fault, visit
from verifier.web.build import LANGUAGES, letters_of, page_strings

NARROW = 320
# What is left of it for a line of text in a box.
LINE = NARROW - 2 * 16 - 2 * 16 - 2

Reader = Callable[..., Page]


@pytest.fixture
def reader(chromium: Browser, published: Site) -> Iterator[Reader]:
    """A reader whose browser has a language; nothing may have been blocked or thrown at the end."""
    contexts = []
    faults: list[str] = []

    def arrive(locale: str, query: str = "", width: int = 390) -> Page:
        context = chromium.new_context(locale=locale, viewport={"width": width, "height": 800})
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: note_fault(message, faults))
        visit(tab, f"{published.url}/check.html{query}")
        return tab

    yield arrive
    for context in contexts:
        context.close()
    assert faults == []


def language_of(tab: Page) -> str:
    language: str = tab.evaluate("document.documentElement.lang")
    assert tab.input_value("#language") == language
    assert tab.title() == page_strings(language)["title"]
    return language


@pytest.mark.parametrize(
    ("locale", "query", "language"),
    [
        ("en-GB", "", "en"),
        ("de-AT", "", "de"),
        ("pt-PT", "", "pt-BR"),
        ("zh-CN", "", "zh-Hans"),
        ("zh-SG", "", "zh-Hans"),
        ("zh-TW", "", "en"),  # another script
        ("ar-EG", "", "ar"),
        ("sw", "", "en"),
        ("de", "?lang=ko", "ko"),
        ("de", "?lang=KO-kr", "ko"),
        ("de", "?lang=xx", "de"),
        ("de", "?lang=%3Cb%3E", "de"),
    ],
)
def test_the_language_is_the_readers(
    reader: Reader, locale: str, query: str, language: str
) -> None:
    assert language_of(reader(locale, query)) == language


def test_the_choice_is_remembered_and_what_was_drawn_is_drawn_anew(
    reader: Reader, exchange: Exchange, published: Site
) -> None:
    tab = reader("en-US")
    fill_in(tab, exchange, f"{published.url}/proof")
    ask(tab, exchange.account, exchange.balances)
    chosen = tab.inner_text("#package-name")
    tab.select_option("#language", "ar")
    strings = page_strings("ar")
    assert tab.inner_text("#verdict-title") == strings["goodTitle"]
    assert tab.inner_text("#package-name") == chosen
    assert tab.input_value("#account") == exchange.account
    assert tab.evaluate("document.documentElement.dir") == "rtl"
    tab.reload()
    tab.wait_for_selector("html[dir=rtl]")
    assert language_of(tab) == "ar"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_customer_is_counted_in_every_language(
    reader: Reader, exchange: Exchange, published: Site, language: str
) -> None:
    tab = reader(language, width=NARROW)
    strings = page_strings(language)
    fill_in(tab, exchange, f"{published.url}/proof")
    assert ask(tab, exchange.account, exchange.balances) == strings["goodTitle"]
    tab.click("#expert summary")
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW
    for node in ("#fingerprint", "#expert dd", "#key", "#bundle"):
        assert (
            tab.evaluate(f"getComputedStyle(document.querySelector('{node}')).direction") == "ltr"
        )


def test_every_static_text_is_of_the_language(reader: Reader) -> None:
    for language in LANGUAGES:
        tab = reader(language)
        shown = tab.evaluate(
            "[...document.querySelectorAll('[data-text]')]"
            ".map((item) => [item.getAttribute('data-text'), item.textContent])"
        )
        strings = page_strings(language)
        assert len(shown) > 20
        assert all(strings[key] == text for key, text in shown)


def test_the_longest_words_fit_a_narrow_line(reader: Reader) -> None:
    """No word is broken: as a heading where a text heads something, else as it stands."""
    tab = reader("en", width=NARROW)
    for language in LANGUAGES:
        texts = list(texts_of(page_strings(language)))
        wide = tab.evaluate(
            """([texts, language, line]) => {
                const box = document.createElement("div");
                Object.assign(box, { lang: language });
                Object.assign(box.style, { width: `${line}px`, overflowWrap: "normal" });
                document.querySelector("main").append(box);
                const isWide = ([key, text]) => {
                    box.style.fontSize = /title$/i.test(key) ? "1.45rem" : "1rem";
                    box.style.fontWeight = /title$/i.test(key) ? "bold" : "normal";
                    box.textContent = text.replace(/https:\\/\\/\\S+/g, "");
                    return box.scrollWidth > line;
                };
                const found = texts.filter(isWide);
                box.remove();
                return found;
            }""",
            [texts, language, LINE],
        )
        assert wide == [], language


def texts_of(strings: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(strings, str):
        yield key, strings
    elif isinstance(strings, list):
        for text in strings:
            yield from texts_of(text, key)
    elif isinstance(strings, dict):
        for name, text in strings.items():
            yield from texts_of(text, name)


def test_what_is_packed_is_unpacked(reader: Reader) -> None:
    tab = reader("en")
    for length in (*range(12), 1000):
        for data in (os.urandom(length), b"\xff" * length, bytes(length)):
            text = letters_of(data)
            assert "<" not in text
            assert tab.evaluate("(text) => [...$packed.bytesOf(text)]", text) == list(data)


def test_an_old_browser_is_told(chromium: Browser, published: Site) -> None:
    tab = chromium.new_page()
    tab.add_init_script("delete window.DecompressionStream")
    tab.goto(f"{published.url}/check.html")
    tab.wait_for_selector("#outdated:not([hidden])")
    assert page_strings("en")["outdated"] in tab.inner_text("body")
    tab.close()


def test_a_changed_script_does_not_run(chromium: Browser, published: Site) -> None:
    """The page's policy names the packed script by its hash, as it does the one that unpacks it."""
    page = (published.root / "check.html").read_text()
    other = letters_of(gzip.compress(b"document.title = 'other'"))
    start = page.index('id="script">') + len('id="script">')
    end = page.index("</script>", start)
    changed = published.root / "changed.html"
    changed.write_text(page[:start] + other + page[end:])
    tab = chromium.new_page()
    refused: list[str] = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(f"{published.url}/changed.html")
    tab.wait_for_selector("#script:not(:empty)", state="attached")
    tab.wait_for_timeout(200)
    assert tab.title() != "other"
    assert any("Content Security Policy" in text for text in refused)
    tab.close()
