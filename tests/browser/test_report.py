"""The report in a real browser: loads nothing, shows verdict and pictures, reads on any screen."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, Page

import verifier
from prover.report.page import write_report
from tests.browser.conftest import BIN
from tests.support.attested_forge import AT_BANK
from tests.support.bases import attesting
from tests.support.subjects import write_files
from verifier import Level
from verifier.format.wire import Loan, Pledge


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small exchange, written by the command."""
    folder = tmp_path_factory.mktemp("report")
    for arguments in (
        ["sample", "--accounts", "50", "--assets", "BTC,ETH,USDT", "--out", str(folder / "e")],
        ["prove", str(folder / "e" / "snapshot.toml"), "--out", str(folder / "p")],
        ["report", str(folder / "p" / "public"), "--html", str(folder / "report.html")],
    ):
        subprocess.run([BIN / "assay", *arguments], check=True, capture_output=True)
    return folder / "report.html"


@pytest.fixture(params=[(1200, 900), (375, 700)], ids=["desk", "phone"])
def opened(
    chromium: Browser, page: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Page, list[str]]]:
    """The page, opened, and every address that the browser asked for."""
    width, height = request.param
    tab = chromium.new_page(viewport={"width": width, "height": height})
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    yield tab, asked
    tab.close()


@pytest.fixture(scope="module")
def rich(page: Path) -> Path:
    """The same bundle's page, were its evidence of every kind."""
    bundle = page.parent / "p" / "public"
    checked = verifier.check_solvency(bundle, (page.parent / "e" / "exchange.pub").read_text())
    btc, eth, usdt = checked.assets
    total = sum(usdt.disclosed.values())
    unverified, claimed, header = Level.UNVERIFIED, Level.CLAIMED, Level.HEADER
    parts = {unverified: total // 10, claimed: total // 2}
    assets = (
        replace(btc, hidden=(verifier.HiddenReport(12_345, 10**12, claimed),)),
        replace(eth, level=header, disclosed={header: sum(eth.disclosed.values())}),
        replace(
            usdt,
            level=unverified,
            disclosed=parts | {header: total - sum(parts.values())},
            hidden=(verifier.HiddenReport(57, 10**9, header),),
        ),
    )
    shown = replace(checked, assets=assets, block_times={"ethereum": checked.manifest.time - 59})
    html = page.parent / "rich.html"
    with patch.object(verifier, "check_solvency", lambda *_, **__: shown):
        write_report(bundle, html, None)
    return html


def test_loads_nothing_but_itself(opened: tuple[Page, list[str]], page: Path) -> None:
    _, asked = opened
    assert asked == [page.as_uri()]


def test_tells_what_was_proven_and_what_was_not(opened: tuple[Page, list[str]]) -> None:
    tab, _ = opened
    text = tab.inner_text("main")
    for expected in (
        "Example Exchange",
        "BTC",
        "ETH",
        "USDT",
        "claimed",
        "signatures alone",
        "--node bitcoin=URL",
        "--node ethereum=URL",
        "Bitcoin at block 870,000 (made on 21 November 2026, 00:00 UTC) and "
        "Ethereum at block 21,200,000",
        "Borrowed coins",
        "Lent keys",
    ):
        assert expected in text
    assert "solvent" not in text.lower()
    assert tab.locator("svg:visible").count() == 5


def test_says_of_a_ratio_below_one_that_a_part_is_covered(
    chromium: Browser, tmp_path: Path
) -> None:
    def assay(*words: str | Path) -> None:
        subprocess.run([BIN / "assay", *words], check=True, capture_output=True)

    assay("sample", "--accounts", "50", "--assets", "BTC,ETH", "--out", tmp_path / "e")
    config = tmp_path / "e" / "snapshot.toml"
    config.write_text(config.read_text().replace("ratio = ", 'ratio = "1/2" # ', 1))
    assay("prove", config, "--out", tmp_path / "p")
    assay("report", tmp_path / "p" / "public", "--html", tmp_path / "part.html")
    tab = chromium.new_page(viewport={"width": 375, "height": 700})
    tab.goto((tmp_path / "part.html").as_uri())
    text = tab.inner_text("main")
    chips = tab.locator(".chip.part").all_inner_texts()
    tab.close()
    assert chips == ["at least 1/2"]
    assert "a part of what it owes its customers: of BTC at least 1/2, of the others all" in text
    assert "cover everything" not in text
    assert "--ratio 1/2 --account" in text
    assert "rejects this snapshot" in text


def test_is_not_wider_than_the_screen(opened: tuple[Page, list[str]]) -> None:
    tab, _ = opened
    script = "[document.documentElement.scrollWidth, window.innerWidth]"
    content, screen = tab.evaluate(script)
    assert content <= screen


def test_pictures_can_be_read_on_a_small_phone(chromium: Browser, rich: Path) -> None:
    tab = chromium.new_page(viewport={"width": 320, "height": 700})
    tab.goto(rich.as_uri())
    script = """() => [...document.querySelectorAll("svg text")]
        .map((text) => text.getBoundingClientRect().height).filter((height) => height > 0)"""
    heights = tab.evaluate(script)
    assert len(heights) > 30
    assert min(heights) >= 11
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= 320
    tab.close()


def test_amounts_are_rounded_down_and_stand_in_full_for_experts(
    opened: tuple[Page, list[str]],
) -> None:
    tab, _ = opened
    exact = tab.locator("dt:has-text('BTC: coins disclosed, in full') + dd").inner_text()
    cell = tab.locator("td abbr").first
    assert cell.get_attribute("title") == exact
    shown, whole = (text.replace(",", "") for text in (cell.inner_text(), exact))
    assert 0 <= Fraction(whole) - Fraction(shown) < Fraction(whole) / 1000
    assert len(shown.strip("0.").replace(".", "")) <= 4


def test_its_colour_does_not_say_more_than_is_known(chromium: Browser, page: Path) -> None:
    """What the exchange alone says is amber; a web server may read the file."""
    tab = chromium.new_page()
    tab.goto(page.as_uri())
    assert tab.locator(".card").first.get_attribute("class") == "card word"
    assert {chip.inner_text() for chip in tab.locator(".chip.claimed").all()} == {"claimed"}
    tab.close()
    assert page.stat().st_mode & 0o777 == 0o644


def test_tells_each_kind_of_evidence_apart(chromium: Browser, rich: Path) -> None:
    tab = chromium.new_page(viewport={"width": 375, "height": 700})
    tab.goto(rich.as_uri())
    rows = [
        tuple(row.inner_text().split("\t"))
        for row in tab.locator("h2:has-text('rest on') ~ div.scroll table")
        .first.locator("tbody tr")
        .all()
    ]
    assert [row[:2] + row[3:] for row in rows] == [
        ("BTC", "signatures alone", "claimed"),
        ("BTC", "keys hidden among 12,345, which hold 10,000 together", "claimed"),
        ("ETH", "proved under the named block", "header"),
        ("USDT", "contract wallets that nobody asked", "unverified"),
        ("USDT", "signatures alone", "claimed"),
        ("USDT", "proved under the named block", "header"),
        ("USDT", "keys hidden among 57, which hold 1,000 together", "header"),
    ]
    hidden = [row[2] for row in rows if "hidden" in row[1]]
    assert hidden == ["not told"] * 2
    bars = tab.locator("svg").first.text_content() or ""
    for share in ("10 %", "50 %", "40 %"):
        assert share in bars
    text = tab.inner_text("main")
    assert "at keys that it keeps hidden among others" in text
    assert "Ethereum at block 21,200,000 (made on 20 November 2026, 23:59 UTC), named by" in text
    assert "Each dot stands for about 51 keys." in text
    assert "solvent" not in text.lower()
    content, screen = tab.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert content <= screen
    tab.close()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an exchange of many accounts and loans, with names as long as they can be."""
    folder = tmp_path_factory.mktemp("crowded")
    name = "Bank" * 32
    accounts = [
        replace(
            AT_BANK, reference=f"{at:03}{name}"[:128], others=(("attester", name), ("holder", name))
        )
        for at in range(25)
    ]
    made = attesting({"EUR": accounts})
    bundle = write_files(folder / "bundle", made.forger.bundle())
    pledged = tuple(Pledge("a" * 124 + f"{at:04}", "bitcoin") for at in range(25))
    loans = tuple(Loan("", "BTC", f"{at:03}{name}"[:128], pledged) for at in range(25))
    checked = verifier.check_solvency(bundle, made.forger.public_key)
    with patch.object(verifier, "check_solvency", lambda *_, **__: replace(checked, loans=loans)):
        write_report(bundle, folder / "page.html", None)
    return folder / "page.html"


def test_long_names_and_digests_wrap_on_a_phone(chromium: Browser, crowded: Path) -> None:
    tab = chromium.new_page(viewport={"width": 390, "height": 844})
    tab.goto(crowded.as_uri())
    assert tab.evaluate("document.scrollingElement.scrollWidth") <= 390
    lines = tab.locator("h3:has-text('third parties') ~ ul").first.locator("li").all_inner_texts()
    assert lines[0].startswith("EUR, claimed: 50000 EUR, of which 1000 encumbered; money in a bank")
    assert [line.rpartition(": ")[0] for line in lines[3:6]] == [
        "signed by an unknown key, under a name that nothing shows",
        "holder, as the signer says",
        "reference, as the signer says",
    ]
    tab.close()


def test_of_many_accounts_and_loans_the_first_are_listed(chromium: Browser, crowded: Path) -> None:
    tab = chromium.new_page()
    tab.goto(crowded.as_uri())
    text = tab.inner_text("main")
    assert text.count("holder, as the signer says") == 20
    assert "And 5 more: the command below" in text
    assert text.count("and 5 more\t") == 20  # addresses of a loan
    assert "And 5 more loans: the command below" in text
    rows = tab.locator("tr:has-text('signed for by third parties')").all_inner_texts()
    assert rows == ["EUR\tsigned for by third parties\t1,225,000\tclaimed"]
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_can_be_read_by_day_and_by_night(
    chromium: Browser, rich: Path, scheme: Literal["light", "dark"]
) -> None:
    """The contrast of every piece of text with what is behind it, pictures included (WCAG AA)."""
    tab = chromium.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 900})
    tab.goto(rich.as_uri())
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) < 0.1) == (scheme == "dark")
    script = """() => [...document.querySelectorAll("p, td, th, dt, pre, .chip, .wide text")].map(
        (node) => {
            const style = getComputedStyle(node);
            const onBar = node.closest("svg") && / %$/.test(node.textContent.trim());
            let behind = node;
            while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
                behind = behind.parentElement;
            return [node.textContent.trim().slice(0, 30), onBar,
                node.closest("svg") ? style.fill : style.color,
                getComputedStyle(behind).backgroundColor];
        })"""
    for text, on_bar, ink, behind in tab.evaluate(script):
        if not on_bar and text not in ("0", "One sealed total,", "signed", "others"):
            assert contrast(ink, behind) >= 4.5, (text, ink, behind)
    tab.close()


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    """The relative luminance of ``rgb(r, g, b)``."""
    channels = [int(number) / 255 for number in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_is_the_same_every_time(page: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    bundle = page.parent / "p" / "public"
    subprocess.run([BIN / "assay", "report", str(bundle), "--html", str(again)], check=True)
    assert again.read_bytes() == page.read_bytes()
