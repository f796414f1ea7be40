"""The report in a real browser: loads nothing, shows verdict and pictures, fits a phone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


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
def opened(page: Path, request: pytest.FixtureRequest) -> Iterator[tuple[object, list[str]]]:
    """The page, opened, and every address that the browser asked for."""
    from playwright.sync_api import sync_playwright

    width, height = request.param
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            tab = browser.new_page(viewport={"width": width, "height": height})
            asked: list[str] = []
            tab.on("request", lambda request: asked.append(request.url))
            tab.goto(page.as_uri())
            yield tab, asked
        finally:
            browser.close()


def test_loads_nothing_but_itself(opened: tuple[object, list[str]], page: Path) -> None:
    _, asked = opened
    assert asked == [page.as_uri()]


def test_tells_what_was_proven_and_what_was_not(opened: tuple[object, list[str]]) -> None:
    tab, _ = opened
    text = tab.inner_text("main")  # type: ignore[attr-defined]
    for expected in (
        "Example Exchange",
        "BTC",
        "ETH",
        "USDT",
        "claimed",
        "Borrowed coins",
        "Lent keys",
    ):
        assert expected in text
    assert "solvent" not in text.lower()
    assert tab.locator("svg").count() == 4  # type: ignore[attr-defined]


def test_is_not_wider_than_the_screen(opened: tuple[object, list[str]]) -> None:
    tab, _ = opened
    script = "[document.documentElement.scrollWidth, window.innerWidth]"
    content, screen = tab.evaluate(script)  # type: ignore[attr-defined]
    assert content <= screen


def test_is_the_same_every_time(page: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    bundle = page.parent / "p" / "public"
    subprocess.run([BIN / "assay", "report", str(bundle), "--html", str(again)], check=True)
    assert again.read_bytes() == page.read_bytes()
