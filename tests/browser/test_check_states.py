"""The customer's page in every state: what axe finds, whether it fits, and pictures of it.

`ASSAY_PICTURES=docs/check` writes the pictures of the documents: of each state both schemes, on a
desktop and on a telephone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.auditors import Auditor, Made, give, knows, made_of, opened, serves
from tests.browser.conftest import Site, name_account, verdict, visit
from tests.support.forged_sample import ALICE, BTC, ETH, TETHER, sample
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.wire import Value

HELD = {"BTC": [51_200_000], "ETH": [3_500_000_000], "USDT": [1_168_760_000]}
NAME = "Northwind Exchange"
WIDTHS = (320, 390, 1280)
# A picture has these side by side: a window's width, what of it is shown, and the scheme.
View = tuple[int, int, Literal["light", "dark"]]
SHOWN: list[View] = [(1280, 800, "light"), (390, 390, "dark")]
OTHERS: list[View] = [(390, 390, "light"), (1280, 800, "dark")]
IN_FULL = ("ask", "good")
SCALE, TALLEST, COLOURS = 0.45, 1600, 48


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    assets = [replace(asset, capacity=1) for asset in (BTC, ETH, TETHER)]
    one = sample(assets, {ALICE: HELD}, exchange=NAME)
    return made_of(one, tmp_path_factory.mktemp("states"))


@pytest.fixture
def context(chromium: Browser, made: Made) -> Iterator[BrowserContext]:
    new = chromium.new_context(locale="en-GB", timezone_id="Europe/London")
    new.route(f"{made.url}**", serves(made.files, made.url))
    yield new
    new.close()


Arrange = Callable[[BrowserContext, Site, Made], Page]


def levels(**of: str) -> list[Value]:
    return [{"code": code, "den": 1, "level": level, "num": 1} for code, level in of.items()]


def known(context: BrowserContext, made: Made) -> list[Auditor]:
    """Two auditors who have the proof."""
    found = levels(BTC="chain", ETH="chain", USDT="claimed")
    auditors = [Auditor(), Auditor("proofwatch.example")]
    for auditor in auditors:
        knows(context, auditor.lists((NAME, made.key, "")).attests(made, assets=found))
    return auditors


def given(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = opened(context, site, *known(context, made))
    give(tab, made)
    return tab


def start(context: BrowserContext, site: Site, _: Made) -> Page:
    return opened(context, site)


def settings(context: BrowserContext, site: Site, made: Made) -> Page:
    return opened(context, site, *known(context, made))


def compared(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = given(context, site, made)
    name_account(tab, ALICE)
    tab.fill("#balance-BTC", "0.512")
    return tab


def good(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = compared(context, site, made)
    tab.fill("#balance-USDT", "1168.75")
    tab.click("#agree")
    verdict(tab)
    tab.wait_for_selector("#checks :text('this very one')")
    tab.click("#device summary")
    return tab


def less(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = compared(context, site, made)
    tab.fill("#balance-BTC", "0.812")
    tab.click("#missing")
    verdict(tab)
    return tab


def rounded(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = compared(context, site, made)
    tab.fill("#balance-USDT", "1168.8")
    tab.click("#agree")
    verdict(tab)
    return tab


def left_out(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = compared(context, site, made)
    tab.click("#other-button")
    tab.fill("#other-code", "SOL")
    tab.fill("#other-amount", "12")
    tab.click("#missing")
    verdict(tab)
    return tab


def typed(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = opened(context, site, *known(context, made))
    tab.check("#typed-only")
    give(tab, made)
    name_account(tab, ALICE)
    return tab


def unknown(context: BrowserContext, site: Site, made: Made) -> Page:
    other = knows(context, Auditor().lists((NAME, public_key_text(b"\x11" * 32), "")))
    tab = opened(context, site, other)
    give(tab, made)
    return tab


def changed(context: BrowserContext, site: Site, made: Made) -> Page:
    auditor = knows(context, Auditor().lists((NAME, made.key, "")))
    tab = opened(context, site, auditor)
    auditor.key = Auditor().key
    auditor.lists((NAME, made.key, ""))
    tab.reload()
    tab.wait_for_selector("#notices .warn")
    return tab


def absent(context: BrowserContext, site: Site, made: Made) -> Page:
    context.unroute(f"{made.url}**")
    context.route(f"{made.url}**", serves({}, made.url))
    return given(context, site, made)


def damaged(context: BrowserContext, site: Site, made: Made) -> Page:
    context.unroute(f"{made.url}**")
    page = bytearray(made.files["pages/BTC/0"])
    page[-1] ^= 1
    files = {**made.files, "pages/BTC/0": bytes(page)}
    context.route(f"{made.url}**", serves(files, made.url))
    tab = given(context, site, made)
    name_account(tab, ALICE)
    return tab


def other_account(context: BrowserContext, site: Site, made: Made) -> Page:
    tab = given(context, site, made)
    name_account(tab, "alicia@example.com")
    return tab


def other_file(context: BrowserContext, site: Site, made: Made) -> Page:
    page = made.package.with_name("page.package")
    page.write_text("<!doctype html><title>Log in</title>")
    tab = opened(context, site, *known(context, made))
    give(tab, replace(made, package=page))
    return tab


def cut_link(context: BrowserContext, site: Site, _: Made) -> Page:
    tab = context.new_page()
    visit(tab, f"{site.url}/check.html#package=g6Rib2R5")
    verdict(tab)
    return tab


def rival(context: BrowserContext, site: Site, made: Made) -> Page:
    one = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [7]}}, exchange=NAME)
    folder = made.package.with_name("rival")
    folder.mkdir(exist_ok=True)
    other = made_of(one, folder)
    auditors = known(context, made)
    facts = {"manifests": [made.digest, other.digest]}
    path = f"snapshots/{parse_public_key(made.key).hex()}/{made.snapshot_id}"
    auditors[0].files[path] = json.dumps(facts).encode()
    for end in ("msgpack", "sig"):
        auditors[0].files[f"manifests/{other.digest}.{end}"] = other.files[f"manifest.{end}"]
    tab = opened(context, site, *auditors)
    give(tab, made)
    name_account(tab, ALICE)
    tab.click("#agree")
    tab.wait_for_selector("#verdict[data-look=bad]")
    return tab


STATES: dict[str, tuple[Arrange, str]] = {
    "start": (start, ""),
    "settings": (settings, ""),
    "question": (given, ""),
    "ask": (compared, ""),
    "typed": (typed, ""),
    "good": (good, "good"),
    "less": (less, "bad"),
    "rounded": (rounded, "warn"),
    "left-out": (left_out, "warn"),
    "unknown": (unknown, ""),
    "auditor-changed": (changed, ""),
    "absent": (absent, "warn"),
    "damaged": (damaged, "warn"),
    "other-account": (other_account, "warn"),
    "other-file": (other_file, "warn"),
    "cut-link": (cut_link, "warn"),
    "rival": (rival, "bad"),
}


# A scheme changes colours alone.
RULES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_for_everybody(
    context: BrowserContext, published: Site, made: Made, axe: str, state: str
) -> None:
    """In both schemes and at each width, and with its own colour."""
    arrange, look = STATES[state]
    tab = arrange(context, published, made)
    assert tab.is_visible("#verdict") == bool(look)
    if look:
        assert tab.get_attribute("#verdict", "data-look") == look
    tab.evaluate(axe)
    for scheme, rules in RULES.items():
        tab.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 844})
            found: dict[str, Any] = tab.evaluate("rules => axe.run(rules)", rules)
            broken = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
            assert broken == [], (state, scheme, width)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("ASSAY_PICTURES"):
        draw(tab, Path(folder), state)


def draw(tab: Page, folder: Path, state: str) -> None:
    """Write the picture of a state."""
    tab.evaluate("document.activeElement.blur()")
    pictures = []
    for window, shown, scheme in SHOWN + OTHERS * (state in IN_FULL):
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": window, "height": 600})
        tab.evaluate("scrollTo(0, 0)")
        whole = Image.open(BytesIO(tab.screenshot(full_page=True))).convert("RGB")
        left = (window - shown) // 2
        part = whole.crop((left, 0, left + shown, min(TALLEST, whole.height)))
        size = round(part.width * SCALE), round(part.height * SCALE)
        pictures.append(part.resize(size, Image.Resampling.LANCZOS))
    width = sum(picture.width for picture in pictures)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), "#808080")
    at = 0
    for picture in pictures:
        sheet.paste(picture, (at, 0))
        at += picture.width
    sheet.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(folder / f"{state}.png", optimize=True)
