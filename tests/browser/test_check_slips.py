"""What the customer's page makes of slips, of what is absent, and of figures that differ.

A slip is explained where it was made, and is never a failed check; a figure is shown beside the
one it is compared with; and nothing on the screen is of an earlier outcome.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import (
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
from tests.support.forged_sample import ALICE, BTC, ETH, TETHER, Sample, Spec, sample
from tests.support.subjects import write_files
from verifier.format.keys import public_key_text

COUNTED = "Your balances are counted"
NOTHING = "Nothing was found at this address"
SILENT = "The proof could not be read"
PART = "A part of the proof is missing here"
OTHER_ACCOUNT = "This file is for another account"


@pytest.fixture
def tab(chromium: Browser, published: Site) -> Iterator[Page]:
    """The page, whose console may tell of a 404."""
    made = chromium.new_page()
    visit(made, f"{published.url}/check.html")
    yield made
    made.close()


@pytest.fixture
def open_(tab: Page, exchange: Exchange, published: Site) -> Page:
    """The page after its first step."""
    fill_in(tab, exchange, f"{published.url}/proof")
    tab.wait_for_selector("#question:not([hidden])")
    return tab


Typed = Callable[..., Any]


@pytest.fixture(scope="module")
def typed(chromium: Browser, published: Site) -> Iterator[Typed]:
    """What a function of the page's own module makes of what a person typed."""
    tab = chromium.new_page()
    visit(tab, f"{published.url}/check.html")

    def call(name: str, *arguments: str) -> Any:
        return tab.evaluate("([name, values]) => $typed[name](...values)", [name, list(arguments)])

    yield call
    tab.close()


# --- addresses

FOLDER = "https://proofs.example.com/a/"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("proofs.example.com", "https://proofs.example.com/"),
        (" proofs.example.com/a ", FOLDER),
        ("proofs.example.com:8443/a", "https://proofs.example.com:8443/a/"),
        ("https//proofs.example.com/a", FOLDER),
        ("https:/proofs.example.com/a/", FOLDER),
        ("http://proofs.example.com/a/", FOLDER),
        ("HTTPS://Proofs.Example.com/a", FOLDER),
        ("“https://proofs.example.com/a/”.", FOLDER),
        ("<https://proofs.example.com/a/>", FOLDER),
        ("https://proofs.example.com/a?x=1", FOLDER),
        ("https://proofs.example.com/a/#b", FOLDER),
        ("https://proofs.example.com/a/check.html", FOLDER),
        ("https://proofs.example.com/a/check.html?x=1#package=abc", FOLDER),
        ("https://proofs.example.com/a/history.json", FOLDER),
        ("https://proofs.example.com/a/manifest.msgpack", FOLDER),
        ("proofs.example.com/a/index.html", FOLDER),
        ("https://proofs.example.com/a///", FOLDER),
        ("proof", "https://own.example/b/proof/"),
        ("/proof", "https://own.example/proof/"),
        ("snapshots/2026.01/", "https://own.example/b/snapshots/2026.01/"),
    ],
)
def test_an_address_is_put_right(typed: Typed, text: str, url: str) -> None:
    assert typed("readAddress", text, "https://own.example/b/check.html") == {"value": url}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "missing"),
        (" ' ", "missing"),
        ("https://proofs .example.com", "malformed"),
        ("ftp://proofs.example.com", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("localhost:80/x", "scheme"),
        ("proof", "scheme"),  # beside a page that was opened from a disk
    ],
)
def test_an_address_is_explained(typed: Typed, text: str, rule: str) -> None:
    assert typed("readAddress", text, "file:///home/me/check.html") == {"rule": rule}


@pytest.mark.parametrize(
    "text",
    [f"https://a{' ' * 200_000}a", f"https://a.example/{'/' * 200_000}x", f"a{'”' * 200_000}a"],
    ids=["blanks", "slashes", "marks"],
)
def test_a_long_text_is_refused_in_no_time(typed: Typed, text: str) -> None:
    """It may come from a link."""
    begun = time.monotonic()
    assert typed("readAddress", text, "https://own.example/") == {"rule": "malformed"}
    assert typed("readKey", text)["rule"] == "length"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("ending", ["", "/", "?x=1", "/?x=1", "/manifest.msgpack", "/check.html"])
def test_an_address_near_the_right_one_is_it(
    opened: Opener, exchange: Exchange, published: Site, ending: str
) -> None:
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof{ending}")
    assert ask(tab, exchange.account, exchange.balances) == COUNTED
    assert tab.input_value("#bundle") == f"{published.url}/proof/"


def test_an_address_without_a_scheme_is_of_https(
    tab: Page, exchange: Exchange, published: Site
) -> None:
    host = published.url.removeprefix("http://")
    fill_in(tab, exchange, f"{host}/proof")
    assert verdict(tab) == SILENT  # this host speaks no TLS
    assert f"https://{host}/proof/" in tab.inner_text("#verdict-text")


# --- what is absent


def absent(site: Site, exchange: Exchange, name: str, *paths: str) -> str:
    """A copy of the bundle without some of its files; return its URL."""
    copy = site.root / f"without-{name}"
    if not copy.exists():
        shutil.copytree(exchange.bundle, copy)
        for path in paths:
            (copy / path).unlink()
    return f"{site.url}/without-{name}"


@pytest.mark.parametrize(
    "paths", [("manifest.msgpack",), ("manifest.sig",), ("manifest.msgpack", "manifest.sig")]
)
def test_no_manifest_is_no_verdict(
    tab: Page, exchange: Exchange, published: Site, paths: tuple[str, ...]
) -> None:
    fill_in(tab, exchange, absent(published, exchange, "-".join(paths), *paths))
    assert verdict(tab) == NOTHING
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "says nothing about the exchange" in tab.inner_text("#verdict-text")
    tab.click("#expert summary")
    assert "check.no-bundle" in tab.inner_text("#expert-list")


def test_no_page_is_no_verdict(tab: Page, exchange: Exchange, published: Site) -> None:
    fill_in(tab, exchange, absent(published, exchange, "pages", "pages/BTC/0"))
    assert ask(tab, exchange.account, exchange.balances) == PART
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "pages/BTC/0 is not at" in tab.inner_text("#verdict-text")


def test_no_evidence_is_missed(opened: Opener, exchange: Exchange, published: Site) -> None:
    """The page reads none, so it asks for none; also where it downloads all that it may need."""
    paths = [f"evidence/{code}.msgpack" for code in exchange.balances]
    tab = opened()
    url = absent(published, exchange, "evidence", *paths)
    for everything in (False, True):
        fill_in(tab, exchange, url, everything=everything)
        assert ask(tab, exchange.account, exchange.balances) == COUNTED


def test_a_page_for_people_is_no_proof(tab: Page, exchange: Exchange, published: Site) -> None:
    """Many hosts answer every address with one page."""
    folder = published.root / "people"
    folder.mkdir(exist_ok=True)
    for name in ("manifest.msgpack", "manifest.sig"):
        (folder / name).write_text("<!doctype html><title>Our proofs</title>")
    fill_in(tab, exchange, f"{published.url}/people")
    assert verdict(tab) == "What was found at this address is no proof"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert f"What answers at {published.url}/people/ is no proof" in tab.inner_text("#verdict-text")


def test_a_folder_without_a_proof_is_no_verdict(
    tab: Page, exchange: Exchange, tmp_path: Path
) -> None:
    (tmp_path / "holiday.txt").write_text("sun")
    tab.set_input_files("#package", str(exchange.package))
    other_ways(tab)
    tab.fill("#key", exchange.key)
    tab.set_input_files("#folder", str(tmp_path))
    tab.click("#open")
    assert verdict(tab) == NOTHING
    assert "manifest.msgpack is not at the folder that you chose" in tab.inner_text("#verdict-text")


def test_of_folder_and_address_the_last_one_counts(
    opened: Opener, exchange: Exchange, published: Site, tmp_path: Path
) -> None:
    (tmp_path / "holiday.txt").write_text("sun")
    tab = opened()
    tab.set_input_files("#folder", str(tmp_path))
    fill_in(tab, exchange, f"{published.url}/proof")
    assert ask(tab, exchange.account, exchange.balances) == COUNTED


# --- keys


@pytest.mark.parametrize(
    "form", ["{upper}", "  {key}\n", '"{key}"', "“{key}”", "{gap}", "<{key}>."]
)
def test_a_key_is_put_right(typed: Typed, exchange: Exchange, form: str) -> None:
    key = exchange.key
    text = form.format(key=key, upper=key.upper(), gap=f"{key[:30]} \u200b{key[30:]}")
    assert typed("readKey", text) == {"value": key}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0x1234", "starts with assay1 "),
        ("11" * 32, "starts with assay1 "),
        ("assay1" + "q" * 57, "here are 63"),
        ("assay1" + "q" * 59, "here are 65"),
        ("assay1" + "q" * 57 + "O", "character “o”"),
        ("assay1:" + "0" * 64, "character “:”"),
        (public_key_text(bytes(32)), "nobody’s"),
    ],
)
def test_a_key_is_explained_at_its_field(
    opened: Opener, exchange: Exchange, text: str, said: str
) -> None:
    tab = opened()
    fill_in(tab, exchange, "https://proofs.example.com/", key=text)
    assert said in tab.inner_text("#key-error")
    assert tab.get_attribute("#key", "aria-invalid") == "true"
    assert tab.is_hidden("#verdict")


def test_a_mistyped_key_is_found_before_anything_is_fetched(
    opened: Opener, exchange: Exchange
) -> None:
    """The text has a checksum, so no slip in it looks like a proof that is not signed."""
    key = exchange.key
    other = "q" if key[40] != "q" else "p"
    for wrong in (key[:40] + other + key[41:], key[:20] + key[21] + key[20] + key[22:]):
        if wrong != key:
            tab = opened()
            fill_in(tab, exchange, "https://proofs.example.com/", key=wrong)
            assert "mistyped" in tab.inner_text("#key-error")
            assert tab.is_hidden("#verdict")


def test_another_key_is_compared_with_the_proof_s(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    wrong = public_key_text(b"\x11" * 32)
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof", key=wrong)
    assert verdict(tab) == "This proof has another key than yours"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    text = tab.inner_text("#verdict-text")
    assert f"The proof names the key {short(exchange.key)}, you typed {short(wrong)}" in text
    assert "Never take the key from the proof" in text
    tab.click("#expert summary")
    assert exchange.key not in tab.inner_text("body")  # nobody is to copy it from the proof


def short(key: str) -> str:
    return f"{key[:10]}…{key[-4:]}"


def test_a_proof_changed_under_its_key_is_a_damaged_copy(
    opened: Opener, exchange: Exchange, published: Site
) -> None:
    """No slip of the customer's leads here, and yet whoever serves it may have changed it."""
    folder = published.root / "changed"
    shutil.copytree(exchange.bundle, folder)
    manifest = folder / "manifest.msgpack"
    manifest.write_bytes(manifest.read_bytes().replace(b"Example Exchange", b"Another Exchange"))
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/changed")
    assert verdict(tab) == "This copy of the proof is damaged"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "says nothing about the exchange" in tab.inner_text("#verdict-text")


# --- files and accounts


def test_another_file_is_no_verdict(
    opened: Opener, exchange: Exchange, published: Site, tmp_path: Path
) -> None:
    picture = tmp_path / "holiday.png"
    picture.write_bytes(b"\x89PNG" + bytes(100))
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof", package=str(picture))
    assert verdict(tab) == "This is not your inclusion file"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "Look whether it is the right file" in tab.inner_text("#verdict-text")


def test_another_account_is_no_verdict(open_: Page, exchange: Exchange) -> None:
    assert ask(open_, "someone@example.com", exchange.balances) == OTHER_ACCOUNT
    assert "differs from what you typed" not in open_.inner_text("#verdict-text")
    assert open_.get_attribute("#verdict", "data-look") == "warn"
    assert ask(open_, exchange.account, exchange.balances) == COUNTED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-1] + ("q" if text[-1] != "q" else "p"), "in one letter alone"),
        (lambda text: text[:3] + text[4:], "in one letter alone"),
        (lambda text: text + "s", "in one letter alone"),
        (lambda text: text.replace("@", ".@"), "in blanks or dots alone"),
    ],
)
def test_a_slip_in_the_account_is_hinted_at(
    open_: Page, exchange: Exchange, change: Callable[[str], str], said: str
) -> None:
    assert ask(open_, change(exchange.account), exchange.balances) == OTHER_ACCOUNT
    assert said in open_.inner_text("#verdict-text")


def test_case_counts_in_an_account_number(tab: Page, published: Site) -> None:
    made = sample([ETH], {"Ab42": {"ETH": [7]}}, account_id_type="opaque")
    place(tab, published, made)
    assert ask(tab, "aB42", {}) == OTHER_ACCOUNT
    assert "in capital and small letters alone" in tab.inner_text("#verdict-text")
    assert ask(tab, "Ab42", {}) == COUNTED


def test_a_web_page_is_no_package(
    opened: Opener, exchange: Exchange, published: Site, tmp_path: Path
) -> None:
    """What a browser saves where somebody is not logged in."""
    saved = tmp_path / "inclusion.package"
    saved.write_text("\ufeff \n<!doctype html><title>Log in</title>")
    tab = opened()
    fill_in(tab, exchange, f"{published.url}/proof", package=str(saved))
    assert verdict(tab) == "The file is a web page, not your inclusion file"
    assert tab.get_attribute("#verdict", "data-look") == "warn"


def test_a_file_of_another_date_is_told_before_anything_is_typed(
    tab: Page, exchange: Exchange, published: Site
) -> None:
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [5]}})
    files = made.forger.bundle()
    earlier = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [5]}}, snapshot_id="old")
    write_files(published.root / "dated", files)
    package = published.root / "dated.package"
    package.write_bytes(earlier.package(earlier.forger.bundle()["manifest.msgpack"], ALICE))
    key = public_key_text(made.forger.public_key)
    fill_in(tab, exchange, f"{published.url}/dated", key=key, package=str(package))
    assert verdict(tab) == "This file is of another date"
    assert tab.get_attribute("#verdict", "data-look") == "warn"


def test_every_field_that_is_missing_says_so_at_once(opened: Opener) -> None:
    tab = opened()
    assert "No file chosen" in tab.inner_text("#drop")
    assert tab.inner_text("#drop").count("No file chosen") == 1
    tab.click("#open")
    tab.wait_for_selector("#package-name.error")
    assert "Choose your inclusion file" in tab.inner_text("#package-name")
    assert "https://" in tab.inner_text("#bundle-error")
    assert tab.evaluate("document.activeElement.id") == "package"
    assert tab.is_hidden("#question")


# --- balances


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<0.01", "BTC: “<0.01” is no plain number"),
    ],
)
def test_a_balance_is_explained_at_its_field(
    open_: Page, exchange: Exchange, text: str, said: str
) -> None:
    name_account(open_, exchange.account)
    open_.fill("#balance-BTC", text)
    open_.click("#agree")
    assert said in open_.inner_text("#balance-error")
    assert open_.get_attribute("#balance-BTC", "aria-invalid") == "true"
    assert open_.evaluate("document.activeElement.id") == "balance-BTC"
    assert open_.is_hidden("#verdict")


def test_no_balance_at_all_is_asked_for(open_: Page, exchange: Exchange) -> None:
    reopen(open_)
    other_ways(open_)
    open_.check("#typed-only")
    name_account(open_, exchange.account)
    open_.click("#check")
    assert "Type at least one balance" in open_.inner_text("#balance-error")


# --- figures


def cells(tab: Page) -> dict[str, list[str]]:
    """What the verdict's table has for each coin."""
    rows = [row.split("\t") for row in tab.inner_text("#verdict-table table").splitlines()]
    assert rows[0] == ["Coin", "Counted for you", "You had", "Difference"]
    return {row[0].strip(): row[1:] for row in rows[1:]}


def saved(tab: Page) -> str:
    with tab.expect_download() as download:
        tab.click("#keep")
    return Path(download.value.path()).read_text()


def test_each_coin_stands_beside_what_was_typed(open_: Page, exchange: Exchange) -> None:
    held = exchange.balances
    btc = held["BTC"]
    less = minus("999", btc)
    title = ask(open_, exchange.account, {**held, "BTC": "999", "ETH": "0"})
    assert title == f"{less} BTC less is counted than you say you had"
    assert cells(open_) == {
        "BTC": [btc, "999", f"{less} less"],
        "ETH": [held["ETH"], "0", f"{held['ETH']} more, in your favour"],
        "USDT": [held["USDT"], held["USDT"], "same"],
    }
    report = saved(open_)
    assert f"BTC\t{btc}\t999\t{less} less" in report
    assert "not checked here: whether the exchange holds the coins" in report
    assert exchange.account not in report
    assert "1 parts" not in report


def minus(a: str, b: str) -> str:
    return format((Decimal(a) - Decimal(b)).normalize(), "f")


def test_a_coin_that_was_not_typed_is_listed(open_: Page, exchange: Exchange) -> None:
    reopen(open_)
    other_ways(open_)
    open_.check("#typed-only")
    name_account(open_, exchange.account)
    open_.fill("#balance-BTC", exchange.balances["BTC"])
    open_.click("#check")
    assert verdict(open_) == "Counted, but you did not compare everything"
    assert cells(open_)["ETH"] == [exchange.balances["ETH"], "not typed", "—"]
    open_.click("#expert summary")
    assert "check.not-compared" in open_.inner_text("#expert-list")


@pytest.mark.parametrize(
    ("balance", "look", "is_hint"),
    [
        ("175000001", "good", False),
        ("174999999", "warn", True),  # 1.75 typed, and nearly that is counted
        ("174000001", "warn", True),
        ("174000000", "bad", False),  # one in the last digit
        ("170000000", "bad", False),
        ("1", "bad", False),
    ],
)
def test_a_rounded_balance_is_no_alarm(
    tab: Page, published: Site, balance: str, look: str, *, is_hint: bool
) -> None:
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [int(balance)]}})
    shown(tab, published, made, {"BTC": "1.75"})
    assert tab.get_attribute("#verdict", "data-look") == look
    hint = "too small to show in its last digit" in tab.inner_text("#verdict-text")
    assert hint == is_hint


@pytest.mark.parametrize(
    ("typed_balance", "balance", "look"),
    [
        ("0.000042", "4171", "warn"),
        ("1", "99999999", "warn"),
        ("1", "94999999", "bad"),
        ("1", "1", "bad"),
        ("0.5", "41000000", "bad"),
    ],
)
def test_a_round_balance_that_is_halved_stays_an_alarm(
    tab: Page, published: Site, typed_balance: str, balance: str, look: str
) -> None:
    """Less is missing than one in the last digit, and the hint is there; and yet it is much."""
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [int(balance)]}})
    shown(tab, published, made, {"BTC": typed_balance})
    assert tab.get_attribute("#verdict", "data-look") == look
    assert "too small to show in its last digit" in tab.inner_text("#verdict-text")


def test_nothing_typed_and_nothing_counted_is_not_called_counted(
    tab: Page, published: Site
) -> None:
    made = sample([replace(BTC, capacity=1)], {ALICE: {}, "bob@example.com": {"BTC": [5]}})
    shown(tab, published, made, {"BTC": "0"})
    assert verdict(tab) == "There is nothing to count"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "your file counts none" in tab.inner_text("#verdict-text")


# --- another coin


def test_a_coin_that_the_proof_leaves_out(open_: Page, exchange: Exchange) -> None:
    title = ask(open_, exchange.account, exchange.balances, other=(" xrp ", "12.5"))
    assert title == "This proof does not count XRP"
    assert open_.get_attribute("#verdict", "data-look") == "warn"
    assert cells(open_)["XRP"] == ["not in the proof", "12.5", "—"]
    assert cells(open_)["BTC"][2] == "same"
    open_.click("#expert summary")
    assert "inclusion.unknown-asset" in open_.inner_text("#expert-list")
    assert "XRP\tnot in the proof\t12.5\t—" in saved(open_)


def test_a_coin_that_is_left_out_hides_no_alarm(open_: Page, exchange: Exchange) -> None:
    typed = {**exchange.balances, "BTC": "999"}
    title = ask(open_, exchange.account, typed, other=("XRP", "1"))
    assert title == "This proof does not count XRP"
    assert open_.get_attribute("#verdict", "data-look") == "bad"
    assert "You typed 999 BTC" in open_.inner_text("#verdict-text")


@pytest.mark.parametrize(
    ("code", "amount", "said"),
    [
        ("", "1", "Type the other coin’s code"),
        ("X-R", "1", "Type the other coin’s code"),
        ("btc", "1", "BTC is in the table"),
        ("XRP", "", "Type how much XRP you had"),
        ("XRP", "<1", "XRP: “<1” is no plain number"),
    ],
)
def test_another_coin_is_explained(
    open_: Page, exchange: Exchange, code: str, amount: str, said: str
) -> None:
    name_account(open_, exchange.account)
    open_.fill("#balance-BTC", "0")
    open_.click("#other-button")
    open_.fill("#other-code", code)
    open_.fill("#other-amount", amount)
    open_.click("#agree")
    assert said in open_.inner_text("#balance-error")
    assert open_.is_hidden("#verdict")


def test_nothing_of_another_coin_is_no_fault(open_: Page, exchange: Exchange) -> None:
    assert ask(open_, exchange.account, exchange.balances, other=("XRP", "0.0")) == COUNTED


# --- a coin that the page does not know

CONTRACT = "0x52908400098527886E0F7030069857D2E4169EE7"
XYZ = Spec("XYZ", 6, (("ethereum", CONTRACT, 6),), (("account", CONTRACT, 9_000_000),))
ASIDE = "This page does not know what is meant by XYZ: only the exchange says so"


@pytest.mark.parametrize(
    ("held", "typed", "title"),
    [
        (
            {"BTC": [150_000_000], "XYZ": [2_500_000]},
            {"BTC": "1.5", "XYZ": "2.5"},
            "Counted, but not every coin is known here",
        ),
        ({"XYZ": [2_500_000]}, {"XYZ": "2.5"}, "Counted, but not every coin is known here"),
        (
            {"BTC": [150_000_000]},
            {"BTC": "1.5", "XYZ": "0"},
            "Counted, but not every coin is known here",
        ),
        (
            {"BTC": [150_000_000], "XYZ": [2_500_000]},
            {"BTC": "1.5"},
            "Counted, but not every coin is known here",
        ),
        ({}, {"XYZ": "0"}, "There is nothing to count"),
    ],
    ids=["with-others", "alone", "none-held", "not-typed", "nothing"],
)
def test_a_coin_that_is_set_aside_is_never_all_well(
    tab: Page,
    published: Site,
    held: Mapping[str, list[int]],
    typed: Mapping[str, str],
    title: str,
) -> None:
    made = sample([replace(BTC, capacity=1), XYZ], {ALICE: held})
    shown(tab, published, made, typed)
    assert verdict(tab) == title
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert ASIDE in tab.inner_text("#verdict-text")
    assert "XYZ (not known here)" in cells(tab)
    report = saved(tab)
    assert ASIDE in report
    assert "XYZ (not known here)\t" in report


def test_less_of_a_coin_that_is_set_aside_stays_an_alarm(tab: Page, published: Site) -> None:
    shown(tab, published, sample([XYZ], {ALICE: {"XYZ": [2_500_000]}}), {"XYZ": "9"})
    assert verdict(tab) == "6.5 XYZ less is counted than you say you had"
    assert tab.get_attribute("#verdict", "data-look") == "bad"
    assert ASIDE in tab.inner_text("#verdict-text")


def test_a_coin_that_is_set_aside_is_nothing_to_who_has_none(tab: Page, published: Site) -> None:
    made = sample([replace(BTC, capacity=1), XYZ], {ALICE: {"BTC": [150_000_000]}})
    shown(tab, published, made, {"BTC": "1.5"})
    assert verdict(tab) == COUNTED
    assert tab.get_attribute("#verdict", "data-look") == "good"
    assert "does not know" not in tab.inner_text("#verdict-text")


def test_a_known_coin_that_is_another_fails(tab: Page, exchange: Exchange, published: Site) -> None:
    """A worthless token under a listed one's name, which the exchange signed."""
    made = sample([replace(TETHER, units=XYZ.units, holdings=XYZ.holdings)], {ALICE: {"USDT": [5]}})
    write_files(published.root / "another", made.forger.bundle())
    key = public_key_text(made.forger.public_key)
    fill_in(tab, exchange, f"{published.url}/another", key=key)
    assert verdict(tab) == "The check failed"
    assert tab.get_attribute("#verdict", "data-look") == "bad"
    tab.click("#expert summary")
    assert "manifest.wrong-unit" in tab.inner_text("#expert-list")


# --- nothing of an earlier outcome


def test_a_step_that_fails_takes_what_was_below_it(
    open_: Page, exchange: Exchange, published: Site
) -> None:
    assert ask(open_, exchange.account, exchange.balances) == COUNTED
    reopen(open_)
    typing(open_, "#bundle", f"{published.url}/nothing")
    assert open_.is_hidden("#question")
    assert open_.is_hidden("#who")
    assert open_.is_hidden("#verdict")
    open_.click("#open")
    assert verdict(open_) == NOTHING
    assert open_.is_hidden("#question")
    assert open_.is_hidden("#device")
    assert "Example Exchange" not in open_.inner_text("body")


def test_a_slip_takes_the_verdict_before_it(open_: Page, exchange: Exchange) -> None:
    ask(open_, exchange.account, exchange.balances)
    open_.click("#back")
    assert open_.is_hidden("#verdict")
    open_.fill("#balance-BTC", "<1")
    open_.click("#agree")
    assert open_.is_hidden("#verdict")


def test_an_answer_to_what_was_changed_since_is_not_shown(open_: Page, exchange: Exchange) -> None:
    name_account(open_, exchange.account)
    open_.evaluate(
        """() => {
            document.getElementById("agree").click();
            document.getElementById("key").dispatchEvent(new Event("input", { bubbles: true }));
        }"""
    )
    expect(open_.locator("#agree")).to_be_enabled()
    assert open_.is_hidden("#verdict")
    assert open_.is_hidden("#question")


def test_another_proof_at_the_address_is_no_verdict(tab: Page, published: Site) -> None:
    """What the customer had at one moment is not compared with what is said of another."""
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [150_000_000]}})
    shown(tab, published, made, {"BTC": "1.5"})
    assert verdict(tab) == COUNTED
    earlier = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [150_000_000]}}, snapshot_id="old")
    assert earlier.forger.public_key == made.forger.public_key
    files = earlier.forger.bundle()
    write_files(published.root / "made", files)
    assert ask(tab, ALICE, {"BTC": "1.5"}) == SILENT
    assert "another proof than the one that was read" in (tab.text_content("#expert-list") or "")


def test_a_verdict_is_of_what_stands_in_the_form(open_: Page, exchange: Exchange) -> None:
    assert ask(open_, exchange.account, exchange.balances) == COUNTED
    reopen(open_)
    typing(open_, "#key", "assay1")
    for below in ("verdict", "question", "compare", "who"):
        assert open_.is_hidden(f"#{below}")


def typing(tab: Page, field: str, text: str) -> None:
    """Type without leaving the field, so that nothing is begun."""
    tab.evaluate(
        """([field, text]) => {
            const input = document.querySelector(field);
            input.value = text;
            input.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        [field, text],
    )


@pytest.mark.parametrize(
    ("fragment", "title"),
    [("#bundle=https://127.0.0.1/x", SILENT), ("#package=!!!!", "This link is incomplete")],
)
def test_a_link_takes_the_verdict_before_it(
    open_: Page, exchange: Exchange, fragment: str, title: str
) -> None:
    assert ask(open_, exchange.account, exchange.balances) == COUNTED
    open_.evaluate("fragment => { location.hash = fragment; }", fragment)
    open_.wait_for_selector(f"#verdict-title:text('{title}')")
    assert open_.get_attribute("#verdict", "data-look") == "warn"
    assert open_.is_hidden("#question")
    assert open_.is_hidden("#who")


def test_a_link_takes_the_place_of_a_folder(tab: Page, exchange: Exchange, published: Site) -> None:
    tab.set_input_files("#folder", str(exchange.bundle))
    fragment = f"#bundle={published.url}/nothing"
    tab.evaluate("fragment => { location.hash = fragment; }", fragment)
    expect(tab.locator("#bundle")).to_have_value(fragment[8:])
    other_ways(tab)
    tab.fill("#key", exchange.key)
    tab.set_input_files("#package", str(exchange.package))
    tab.click("#open")
    assert verdict(tab) == NOTHING


def test_a_file_that_cannot_be_read_says_so(open_: Page, exchange: Exchange) -> None:
    """As a folder that is dropped, or a file that is gone; the one before it is not used."""
    assert ask(open_, exchange.account, exchange.balances) == COUNTED
    open_.evaluate(
        """() => {
            const lost = new DOMException("", "NotReadableError");
            const gone = { arrayBuffer: () => Promise.reject(lost) };
            const event = new Event("drop", { cancelable: true });
            const files = [{ name: "gone", size: 1, slice: () => gone }];
            Object.defineProperty(event, "dataTransfer", { value: { files } });
            document.getElementById("drop").dispatchEvent(event);
        }"""
    )
    open_.wait_for_selector("#package-name.error")
    assert "no file that can be read" in open_.inner_text("#package-name")
    assert open_.is_hidden("#verdict")
    open_.set_input_files("#package", str(exchange.package))
    open_.wait_for_selector("#question:not([hidden])")


def test_a_file_of_the_same_name_is_read_again(
    tab: Page, exchange: Exchange, published: Site, tmp_path: Path
) -> None:
    file = tmp_path / "my.package"
    file.write_bytes(b"x")
    with tab.expect_file_chooser() as chooser:
        tab.click("#package")
    chooser.value.set_files(str(file))
    expect(tab.locator("#package-name")).to_contain_text("my.package")
    file.write_bytes(exchange.package.read_bytes())
    with tab.expect_file_chooser() as chooser:
        tab.click("#package")
    assert tab.input_value("#package") == ""
    chooser.value.set_files(str(file))
    other_ways(tab)
    tab.fill("#key", exchange.key)
    tab.fill("#bundle", f"{published.url}/proof")
    tab.click("#open")
    assert ask(tab, exchange.account, exchange.balances) == COUNTED


# --- names, dates


def shown(tab: Page, site: Site, made: Sample, balances: Mapping[str, str]) -> None:
    """Show what the first customer of a bundle that a test made is told."""
    ask(tab, place(tab, site, made), balances)


def place(tab: Page, site: Site, made: Sample) -> str:
    """Fill in the first form for a bundle that a test made; return its first customer."""
    folder = site.root / "made"
    shutil.rmtree(folder, ignore_errors=True)
    files = made.forger.bundle()
    write_files(folder, files)
    account = next(iter(made.parts))
    package = folder.parent / "made.package"
    package.write_bytes(made.package(files["manifest.msgpack"], account))
    other_ways(tab)
    tab.fill("#key", public_key_text(made.forger.public_key))
    tab.set_input_files("#package", str(package))
    tab.fill("#bundle", f"{site.url}/made")
    tab.click("#open")
    return account


def test_a_name_turns_no_word_around_it(tab: Page, published: Site) -> None:
    """Letters that run leftward stay by themselves."""
    turned = "\u05d0\u05d1 Exchange \u05d2"
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [5]}}, exchange=turned)
    shown(tab, published, made, {"BTC": "0"})
    for line, inside in (("#named", turned), ("#moment", "2026")):
        assert tab.locator(f"{line} bdi").count() == 1
        assert inside in tab.inner_text(f"{line} bdi")


def test_a_name_that_shows_as_another_is_refused(
    tab: Page, exchange: Exchange, published: Site
) -> None:
    """An override, and the end of an isolate that the name did not begin."""
    made = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [5]}}, exchange="\u202enekarK\u2069")
    write_files(published.root / "mirrored", made.forger.bundle())
    fill_in(
        tab,
        exchange,
        f"{published.url}/mirrored",
        key=public_key_text(made.forger.public_key),
    )
    assert verdict(tab) == "The check failed"
    everything = tab.inner_text("body") + saved(tab)
    assert not {"\u202e", "\u2069"} & set(everything)


def test_a_number_that_the_exchange_chose_is_warned_of(tab: Page, published: Site) -> None:
    made = sample([ETH], {"42": {"ETH": [7]}}, account_id_type="opaque")
    shown(tab, published, made, {"ETH": "0.000000007"})
    assert tab.inner_text("#verdict-title") == COUNTED
    assert "told the same number to somebody else" in tab.inner_text("#verdict-notes")


@pytest.mark.parametrize(
    ("locale", "time"), [("en-GB", "21 November 2026 at 00:00"), ("de-DE", "21. November 2026")]
)
def test_dates_are_written_as_their_reader_does(
    chromium: Browser, exchange: Exchange, published: Site, locale: str, time: str
) -> None:
    context = chromium.new_context(locale=locale, timezone_id="UTC")
    tab = context.new_page()
    visit(tab, f"{published.url}/check.html")
    fill_in(tab, exchange, f"{published.url}/proof")
    tab.wait_for_selector("#question:not([hidden])")
    assert time in tab.inner_text("#moment")
    context.close()
