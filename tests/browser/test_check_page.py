"""The customer's page as customers use it: built, served by a real host, in a real browser."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import (
    BIN,
    Exchange,
    Opener,
    Site,
    ask,
    fill_in,
    name_account,
    other_ways,
    reopen,
    verdict,
    visit,
)
from verifier.web import published_digest
from verifier.web.build import build_page

COUNTED = "Your balances are counted"
TIME = "November 21, 2026"


def test_it_is_reproducible_small_and_the_published_one(check_page: Path) -> None:
    page = check_page.read_bytes()
    assert build_page().encode() == page
    assert hashlib.sha256(page).hexdigest() == published_digest()
    assert len(page) <= 250_000


def test_a_customer_is_counted(opened: Opener, exchange: Exchange, published: Site) -> None:
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    tab.wait_for_selector("#question:not([hidden])")
    assert f"{TIME} at 9:00" in tab.inner_text("#moment")  # Tokyo's
    assert tab.input_value("#account") == ""
    name_account(tab, exchange.account)
    assert all(tab.input_value(f"#balance-{code}") == "" for code in exchange.balances)
    assert ask(tab, exchange.account, exchange.balances) == COUNTED
    text = tab.inner_text("#verdict-text")
    for code, balance in exchange.balances.items():
        assert f"{balance.rstrip('0').rstrip('.')} {code}" in text
    # An exchange may call itself by any sentence.
    assert "Example Exchange" not in tab.inner_text("#verdict")
    assert tab.inner_text("#named") == "Example Exchange"
    assert "not checked here" in tab.inner_text("#checks")
    digest = re.search(r"digest ([0-9a-f]{64})", audit_text(exchange))
    assert digest is not None
    assert (tab.text_content("#fingerprint") or "").replace(" ", "") == digest[1]


def test_who_looks_and_agrees_types_nothing(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    """And every row says which it was."""
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    assert ask(tab, exchange.account, {"BTC": exchange.balances["BTC"]}) == COUNTED
    text = tab.inner_text("#verdict-text")
    typed, looked = text.split("You looked at what is counted")
    assert "BTC" in typed
    assert "ETH" not in typed
    assert "ETH" in looked
    rows = tab.locator("#verdict-table tbody tr").all_inner_texts()
    assert "same" in rows[0]
    assert all("looked at, not typed" in row and "you agreed" in row for row in rows[1:])
    with tab.expect_download() as download:
        tab.click("#keep")
    saved = Path(download.value.path()).read_text()
    assert f"ETH\t{exchange.balances['ETH']}\tlooked at, not typed\tyou agreed" in saved
    assert "(this device: Checked)" in saved
    assert "(nobody: Not checked)" in saved
    assert exchange.account not in saved


def test_nothing_is_green_before_the_customer_has_answered(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    tab.wait_for_selector("#question:not([hidden])")
    assert greens(tab) == 0
    name_account(tab, exchange.account)
    for code, balance in exchange.balances.items():
        tab.fill(f"#balance-{code}", balance)
    assert tab.inner_text("#compare-table").count("same") == len(exchange.balances)
    assert greens(tab) == 0
    tab.click("#agree")
    assert verdict(tab) == COUNTED
    assert greens(tab) > 0


def greens(tab: Page) -> int:
    """How many elements that are seen have the colour of what is well."""
    count: int = tab.evaluate(
        """() => {
            const probe = document.createElement("i");
            probe.style.color = "var(--good)";
            document.body.append(probe);
            const good = getComputedStyle(probe).color;
            probe.remove();
            const isGreen = (one) => getComputedStyle(one).color === good;
            const shown = [...document.querySelectorAll("body *")];
            return shown.filter((one) => one.getClientRects().length && isGreen(one)).length;
        }"""
    )
    return count


def test_something_is_missing(opened: Opener, exchange: Exchange, published: Site) -> None:
    """Who says so is asked of which coin; a row says at once how much is missing."""
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    name_account(tab, exchange.account)
    tab.click("#missing")
    assert "of each coin of which something is missing" in tab.inner_text("#balance-error")
    assert tab.evaluate("document.activeElement.id") == "balance-BTC"
    tab.fill("#balance-BTC", "1000")
    assert "less" in tab.inner_text("#compare-table tbody tr:first-child td:last-child")
    tab.click("#missing")
    assert re.fullmatch(r"999\.\d+ BTC less is counted than you say you had", verdict(tab))
    assert tab.get_attribute("#verdict", "data-look") == "bad"
    assert tab.locator("#verdict-steps li").count() == 4
    tab.click("#back")
    assert tab.input_value("#balance-BTC") == "1000"
    tab.fill("#balance-BTC", exchange.balances["BTC"])
    tab.click("#agree")
    assert verdict(tab) == COUNTED


def test_who_wants_to_types_before_anything_is_shown(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    other_ways(tab)
    tab.check("#typed-only")
    fill_in(tab, exchange, f"{published.url}/proof")
    name_account(tab, exchange.account)
    assert exchange.balances["BTC"] not in tab.inner_text("body")
    tab.fill("#balance-BTC", exchange.balances["BTC"])
    assert "same" not in tab.inner_text("#compare")
    tab.click("#check")
    assert verdict(tab) == "Counted, but you did not compare everything"
    tab.click("#back")
    for code, balance in exchange.balances.items():
        tab.fill(f"#balance-{code}", balance)
    tab.click("#check")
    assert verdict(tab) == COUNTED
    assert "looked at, not typed" not in tab.inner_text("#verdict")


def test_nobody_agrees_to_what_was_never_shown(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    """Also not who shows again what is counted, after being asked."""
    tab = opened()
    other_ways(tab)
    tab.check("#typed-only")
    fill_in(tab, exchange, f"{published.url}/proof")
    name_account(tab, exchange.account)
    reopen(tab)
    other_ways(tab)
    tab.uncheck("#typed-only")
    tab.click("#check")
    assert "at least one balance" in tab.inner_text("#balance-error")
    tab.fill("#balance-BTC", exchange.balances["BTC"])
    tab.click("#check")
    assert verdict(tab) == "Counted, but you did not compare everything"


def test_the_key_that_ends_a_line_agrees_to_nothing(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    name_account(tab, exchange.account)
    tab.press("#balance-BTC", "Enter")
    assert tab.is_hidden("#verdict")
    tab.fill("#balance-BTC", exchange.balances["BTC"])
    tab.press("#balance-BTC", "Enter")
    assert verdict(tab) == "Counted, but you did not compare everything"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "you looked" not in tab.inner_text("#verdict")


def test_a_page_that_cannot_start_says_so(
    chromium: Browser, exchange: Exchange, published: Site
) -> None:
    tab = chromium.new_page()
    tab.add_init_script("window.Worker = function () { throw new Error('no workers here'); }")
    visit(tab, f"{published.url}/check.html")
    fill_in(tab, exchange, f"{published.url}/proof")
    assert verdict(tab) == "This page failed"
    assert "no workers here" in tab.inner_text("#verdict-text")
    tab.close()


def test_it_does_not_run_in_a_frame(chromium: Browser, published: Site) -> None:
    (published.root / "frame.html").write_text("<!doctype html><iframe src=check.html></iframe>")
    tab = chromium.new_page()
    tab.goto(f"{published.url}/frame.html")
    frame = tab.frame_locator("iframe")
    frame.locator("#framed").wait_for()
    assert frame.locator("#page").is_hidden()
    assert "does not run inside another" in frame.locator("#framed").inner_text()
    tab.close()


def audit_text(exchange: Exchange) -> str:
    program, bundle = str(BIN / "assay-verify"), str(exchange.bundle)
    command = [program, "audit", bundle, "--exchange-key", exchange.key]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_fetches_only_its_own_pages(opened: Opener, exchange: Exchange, published: Site) -> None:
    tab = opened()
    ranges: list[tuple[str, str | None]] = []
    tab.on("request", lambda request: ranges.append((request.url, request.headers.get("range"))))
    fill_in(tab, exchange, f"{published.url}/proof")
    ask(tab, exchange.account, exchange.balances)
    asked = [byte_range for url, byte_range in ranges if "/pages/" in url]
    assert asked
    assert None not in asked
    ranges.clear()
    fill_in(tab, exchange, f"{published.url}/proof", everything=True)
    assert ask(tab, exchange.account, exchange.balances) == COUNTED
    whole = {url for url, byte_range in ranges if "/pages/" in url and byte_range is None}
    files = [path for path in (exchange.bundle / "pages").rglob("*") if path.is_file()]
    assert len(whole) == len(files)
    assert {byte_range for url, byte_range in ranges if "/pages/" in url} == {None}


@pytest.mark.parametrize(
    ("typed", "title", "said"),
    [
        # Half of it are the customer's own figures, so it is no verdict on the proof.
        ({"BTC": "999", "ETH": "999"}, "Less is counted than you say you had", "You typed 999 BTC"),
        ({"BTC": "0"}, COUNTED, "More is counted than you typed"),
    ],
    ids=["short", "less"],
)
def test_other_balances(
    opened: Opener,
    exchange: Exchange,
    published: Site,
    typed: Mapping[str, str],
    title: str,
    said: str,
) -> None:
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof")
    assert ask(tab, exchange.account, {**exchange.balances, **typed}) == title
    assert said in tab.inner_text("#verdict-text")


def test_a_changed_page(opened: Opener, exchange: Exchange, published: Site) -> None:
    forged = published.root / "forged"
    shutil.copytree(exchange.bundle, forged)
    pages = forged / "pages" / "BTC" / "0"
    data = bytearray(pages.read_bytes())
    data[len(data) // 2] ^= 1
    data[100] ^= 1
    pages.write_bytes(data)
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/forged")
    assert ask(tab, exchange.account, exchange.balances) == "This copy of the proof is damaged"
    tab.click("#expert summary")
    assert re.search(r"(page|argument)\.", tab.inner_text("#expert-list"))


def test_a_folder_offline(opened: Opener, exchange: Exchange) -> None:
    tab = opened()
    tab.context.set_offline(True)
    tab.set_input_files("#package", str(exchange.package))
    other_ways(tab)
    tab.fill("#key", exchange.key)
    tab.set_input_files("#folder", str(exchange.bundle))
    assert ask(tab, exchange.account, exchange.balances) == COUNTED


def test_with_the_keyboard_alone(opened: Opener, exchange: Exchange, published: Site) -> None:
    tab = opened()
    tab.set_input_files("#package", str(exchange.package))
    other_ways(tab)
    tab.fill("#key", exchange.key)
    tab.focus("#package")
    tab.keyboard.press("Tab")
    tab.keyboard.type(f"{published.url}/proof")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#question:not([hidden])")
    assert tab.evaluate("document.activeElement.id") == "question-title"
    tab.keyboard.press("Tab")
    tab.keyboard.type(exchange.account)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#compare:not([hidden])")
    assert tab.evaluate("document.activeElement.id") == "ask-title"
    for balance in exchange.balances.values():
        tab.keyboard.press("Tab")
        tab.keyboard.type(balance)
    tab.keyboard.press("Enter")
    assert verdict(tab) == COUNTED
    assert tab.evaluate("document.activeElement.id") == "verdict"


def test_markup_in_a_link_stays_text(opened: Opener) -> None:
    tab = opened("#bundle=%3Cimg%20src=x%20onerror=alert(1)%3E&package=%3Cscript%3E")
    assert tab.input_value("#bundle") == "<img src=x onerror=alert(1)>"
    assert tab.evaluate("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opened: Opener, exchange: Exchange, published: Site, scheme: str) -> None:
    tab = opened(color_scheme=scheme)
    tab.set_viewport_size({"width": 360, "height": 700})
    fill_in(tab, exchange, f"{published.url}/proof")
    ask(tab, exchange.account, exchange.balances)
    tab.click("#expert summary")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_command_line_knows_it(check_page: Path, published: Site, tmp_path: Path) -> None:
    def run(location: str) -> int:
        command = [str(BIN / "assay-verify"), "web-hash", location]
        return subprocess.run(command, check=False, capture_output=True).returncode

    other = tmp_path / "check.html"
    other.write_bytes(check_page.read_bytes() + b" ")
    assert run(str(check_page)) == 0
    assert run(f"{published.url}/check.html") == 0
    assert run(str(other)) == 3
    assert run(f"{published.url}/none.html") == 1
    assert run(str(tmp_path / "none.html")) == 1
