"""The page's texts in every language: complete, alike, and refused where they are not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verifier.errors import Code
from verifier.web import build
from verifier.web.build import LANGUAGES, WEB, BuildError, page_strings

SPEC = Path(__file__).parents[4] / "spec" / "protocol.md"
OTHERS = [language for language in LANGUAGES if language != "en"]
PHYSICAL = re.compile(r"(?:^|[\s;{-])(?:left|right)\s*(?:[:;}-]|$)", re.MULTILINE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_that_english_says(language: str) -> None:
    strings = page_strings(language)
    assert strings["language"] == language
    assert strings["direction"] == ("rtl" if language == "ar" else "ltr")


def test_every_file_is_of_a_language_of_the_page() -> None:
    assert {file.stem for file in (WEB / "strings").iterdir()} == set(LANGUAGES)
    assert {file.stem for file in (WEB / "codes").iterdir()} == set(OTHERS)


def test_the_words_are_of_the_codes_that_the_page_gives() -> None:
    """The list of spec/protocol.md 5.1."""
    section = SPEC.read_text().partition("### 5.1")[2].partition("It cannot give")[0]
    given = set(re.findall(r"`([a-z]+\.[a-z-]+)`", section)) & {code.value for code in Code}
    assert set(page_strings("en")["codes"]) == given


def test_no_text_is_left_in_english() -> None:
    """But names, and what is one word in both."""
    english = leaves(page_strings("en"))
    for language in OTHERS:
        other = leaves(page_strings(language))
        same = [key for key, text in other.items() if text == english[key] and " " in text]
        assert set(same) <= {"version", "packageChosen"}, language


def leaves(strings: Any, place: str = "") -> dict[str, str]:
    """Every text by the keys that lead to it."""
    if isinstance(strings, str):
        return {place: strings}
    items = strings.items() if isinstance(strings, dict) else enumerate(strings)
    found: dict[str, str] = {}
    for key, text in items:
        found |= leaves(text, f"{place} {key}".strip())
    return found


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the texts that the build reads."""
    folder = tmp_path / "web"
    for name in ("strings", "codes"):
        shutil.copytree(WEB / name, folder / name)
    shutil.copy(WEB.parent / "codes.en.json", tmp_path)
    monkeypatch.setattr(build, "WEB", folder)
    return folder


Change = Callable[[dict[str, Any]], None]
CHANGES: dict[str, Change] = {
    "a key is missing": lambda strings: strings.pop("intro"),
    "a key is unknown": lambda strings: strings.update(more="x"),
    "a name is lost": lambda strings: strings.update(packageChosen="{name}"),
    "a name is another": lambda strings: strings.update(packageChosen="{name} {bytes}"),
    "a name is there twice": lambda strings: strings.update(packageChosen="{name} {name} {size}"),
    "markup": lambda strings: strings.update(intro="<b>x</b>"),
    "an entity": lambda strings: strings.update(intro="x &amp; y"),
    "nothing": lambda strings: strings.update(intro=""),
    "a blank at the end": lambda strings: strings.update(intro="x "),
    "two blanks": lambda strings: strings.update(intro="x  y"),
    "a hidden character": lambda strings: strings.update(intro="x\u202ey"),
    "another line": lambda strings: strings.update(intro="x\ny"),
    "a list is shorter": lambda strings: strings["tableHead"].pop(),
    "a text for a list": lambda strings: strings.update(tableHead="x"),
    "an address is translated": lambda strings: strings.update({"bundle.missing": "hxxps://"}),
    "another language": lambda strings: strings.update(language="ja"),
    "another direction": lambda strings: strings.update(direction="up"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_broken_file_is_refused(texts: Path, name: str) -> None:
    file = texts / "strings" / "ko.json"
    page_strings("ko")
    strings = json.loads(file.read_text("utf-8"))
    CHANGES[name](strings)
    file.write_text(json.dumps(strings), "utf-8")
    with pytest.raises(BuildError, match="ko"):
        page_strings("ko")


def test_a_key_that_stands_twice_is_refused(texts: Path) -> None:
    file = texts / "strings" / "ko.json"
    file.write_text(file.read_text("utf-8").replace("{", '{"intro": "x",', 1), "utf-8")
    with pytest.raises(BuildError, match=r"ko\.json: a key stands there twice"):
        page_strings("ko")


@pytest.mark.parametrize("field", ["finding", "advice"])
def test_a_broken_word_of_a_code_is_refused(texts: Path, field: str) -> None:
    file = texts / "codes" / "ko.json"
    codes = json.loads(file.read_text("utf-8"))
    codes["inclusion.wrong-amount"][field] = ""
    file.write_text(json.dumps(codes), "utf-8")
    with pytest.raises(BuildError, match=f"ko: codes: inclusion.wrong-amount: {field}"):
        page_strings("ko")


def test_the_style_has_no_sides() -> None:
    """Left and right are the start or the end of a line, as the language has them."""
    assert not PHYSICAL.findall((WEB / "style.css").read_text())
