"""The customer's page as customers use it: built, served by a real host, in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.browser.conftest import BIN, Exchange, Opener, Site, ask, fill_in, verdict
from verifier.format.keys import parse_public_key, public_key_text, sign
from verifier.format.wire import Value, encode
from verifier.web import published_digest
from verifier.web.build import build_page

NOTHING_LISTED: dict[str, Value] = {
    "attesters": [], "exchanges": [], "policy": "", "time": 1, "units": [], "version": 1,
}  # fmt: skip
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
    assert f"{TIME} at 9:00:00" in tab.inner_text("#moment")  # Tokyo's
    assert all(tab.input_value(f"#balance-{code}") == "" for code in exchange.balances)
    assert tab.input_value("#account") == ""
    assert ask(tab, exchange.account, exchange.balances) == "Your balance is counted"
    text = tab.inner_text("#verdict-text")
    for code, balance in exchange.balances.items():
        assert f"{balance.rstrip('0').rstrip('.')} {code}" in text
    assert "Example Exchange" not in text  # an exchange may call itself by any sentence
    assert tab.inner_text("#named").endswith(": Example Exchange")
    assert "not checked here" in text
    digest = re.search(r"digest ([0-9a-f]{64})", audit_text(exchange))
    assert digest is not None
    assert digest[1] in text


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
    tab.check("#everything")
    ranges.clear()
    tab.click("#open")
    assert ask(tab, exchange.account, exchange.balances) == "Your balance is counted"
    whole = {url for url, byte_range in ranges if "/pages/" in url and byte_range is None}
    files = [path for path in (exchange.bundle / "pages").rglob("*") if path.is_file()]
    assert len(whole) == len(files)
    assert {byte_range for url, byte_range in ranges if "/pages/" in url} == {None}


@pytest.mark.parametrize(
    ("typed", "title", "said"),
    [
        # Half of it are the customer's own figures, so it is no verdict on the proof.
        ({"BTC": "999"}, "Less is counted than you typed", "it says what the exchange counts"),
        ({"BTC": ""}, "Counted, but you did not compare everything", "BTC"),
        ({"BTC": "0"}, "Your balance is counted", "More is counted than you typed"),
    ],
    ids=["short", "not-typed", "less"],
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
    assert ask(tab, exchange.account, exchange.balances) == "This could not be checked"
    tab.click("#expert summary")
    assert re.search(r"(page|argument)\.", tab.inner_text("#expert-list"))


def test_a_folder_offline(opened: Opener, exchange: Exchange) -> None:
    tab = opened()
    tab.context.set_offline(True)
    tab.set_input_files("#package", str(exchange.package))
    tab.fill("#key", exchange.key)
    tab.click("text=I have the whole proof in a folder")
    tab.set_input_files("#folder", str(exchange.bundle))
    tab.click("#open")
    assert ask(tab, exchange.account, exchange.balances) == "Your balance is counted"


def test_a_link_brings_package_and_address_but_never_a_key(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    package = base64.urlsafe_b64encode(exchange.package.read_bytes()).decode().rstrip("=")
    link = f"#package={package}&bundle={published.url}/proof&key={exchange.key}"
    tab = opened(link)
    assert "Taken from the link" in tab.inner_text("#package-name")
    assert tab.input_value("#key") == ""
    tab.fill("#key", exchange.key)
    tab.click("#open")
    assert ask(tab, exchange.account, exchange.balances) == "Your balance is counted"


@pytest.mark.parametrize("forged", [False, True])
def test_a_key_from_an_auditors_list(
    opened: Opener, exchange: Exchange, tmp_path: Path, *, forged: bool
) -> None:
    auditor = Ed25519PrivateKey.generate()
    entry: dict[str, Value] = {
        "bundle": "",
        "name": "Example Exchange",
        "public_key": parse_public_key(exchange.key),
    }
    listed = encode(NOTHING_LISTED | {"exchanges": [entry]})
    (tmp_path / "exchanges.msgpack").write_bytes(listed)
    (tmp_path / "exchanges.sig").write_bytes(sign(auditor, "exchange-list", listed + b" " * forged))
    tab = opened()
    tab.click("text=Choose from an auditor")
    tab.fill("#list-key", public_key_text(auditor.public_key().public_bytes_raw()))
    tab.set_input_files("#list-file", [str(path) for path in tmp_path.iterdir()])
    if forged:
        tab.wait_for_selector("#list-error:not([hidden])")
        assert tab.is_disabled("#list-choice")
    else:
        tab.wait_for_selector("#list-choice:not([disabled])")
        tab.select_option("#list-choice", label="Example Exchange")
        assert tab.input_value("#key") == exchange.key


def test_with_the_keyboard_alone(opened: Opener, exchange: Exchange, published: Site) -> None:
    tab = opened()
    tab.set_input_files("#package", str(exchange.package))
    for text in (exchange.key, f"{published.url}/proof"):
        wanted = "#key" if text == exchange.key else "#bundle"
        for _ in range(8):
            if tab.evaluate("document.activeElement.id") == wanted[1:]:
                break
            tab.keyboard.press("Tab")
        tab.keyboard.type(text)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#question:not([hidden])")
    assert tab.evaluate("document.activeElement.id") == "question-title"
    tab.keyboard.press("Tab")
    tab.keyboard.type(exchange.account)
    for balance in exchange.balances.values():
        tab.keyboard.press("Tab")
        tab.keyboard.type(balance)
    tab.keyboard.press("Enter")
    assert verdict(tab) == "Your balance is counted"
    assert tab.evaluate("document.activeElement.id") == "verdict"


def test_markup_in_a_link_stays_text(opened: Opener) -> None:
    tab = opened("#bundle=%3Cimg%20src=x%20onerror=alert(1)%3E&package=%3Cscript%3E")
    assert tab.evaluate("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opened: Opener, exchange: Exchange, published: Site, scheme: str) -> None:
    tab = opened(color_scheme=scheme)
    tab.set_viewport_size({"width": 360, "height": 700})
    fill_in(tab, exchange, f"{published.url}/proof")
    ask(tab, exchange.account, exchange.balances)
    tab.click("#expert summary")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    unlabelled = tab.evaluate(
        "[...document.querySelectorAll('input, select')].filter(item => !item.labels.length).length"
    )
    assert unlabelled == 0


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
