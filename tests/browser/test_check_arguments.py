"""What the page says of a proof whose arguments are absent or damaged, over a real host."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request

from tests.browser.conftest import Opener, Site, ask, name_account, other_ways, verdict
from tests.support.verifier_bundle import Bundle

ACCOUNT = "alice@example.com"
BALANCES = {"BTC": "1.5", "ETH": "3.2"}
COUNTED = "Your balances are counted"
NOT_YET = "The proof is not complete yet"
DAMAGED = "This copy of the proof is damaged"
PART = "A part of the proof is missing here"
Asked = Callable[..., Page]


@pytest.fixture
def bundle(published: Site, request: pytest.FixtureRequest) -> Bundle:
    return Bundle(published.root / re.sub(r"\W", "-", request.node.name))


@pytest.fixture
def asked(opened: Opener, published: Site, bundle: Bundle, tmp_path: Path) -> Asked:
    def open_(
        *,
        everything: bool = False,
        typed_only: bool = False,
        on_request: Callable[[Request], Any] = lambda _: None,
    ) -> Page:
        package = tmp_path / "inclusion.package"
        package.write_bytes(bundle.package(ACCOUNT))
        tab = opened()
        tab.on("request", on_request)
        other_ways(tab)
        tab.set_checked("#typed-only", typed_only)
        tab.set_checked("#everything", everything)
        tab.fill("#key", bundle.key_text)
        tab.set_input_files("#package", str(package))
        tab.fill("#bundle", f"{published.url}/{bundle.folder.name}")
        tab.click("#open")
        return tab

    return open_


def code_of(tab: Page) -> str:
    tab.click("#expert summary")
    return tab.locator("#expert-list dt:has-text('Code') + dd").inner_text()


def without_arguments(bundle: Bundle) -> None:
    """As between the manifest and the arguments, of which one file is there already."""
    for name in ("arguments.msgpack", "arguments.sig", "arguments/BTC/1", "arguments/ETH/0"):
        (bundle.folder / name).unlink()


@pytest.mark.parametrize("everything", [False, True])
def test_without_arguments_nobody_is_called_included(
    asked: Asked, bundle: Bundle, *, everything: bool
) -> None:
    without_arguments(bundle)
    tab = asked(everything=everything)
    assert ask(tab, ACCOUNT, BALANCES) == NOT_YET
    assert tab.locator("#verdict").get_attribute("data-look") == "warn"
    said = tab.inner_text("#verdict-text")
    assert "nothing is proved of your balance" in said
    assert "Keep this file" in said
    assert "counted" not in said
    assert code_of(tab) == "check.not-proved"
    bundle.argue(bytes(32))
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED


def test_a_balance_that_is_short_is_told_without_arguments(asked: Asked, bundle: Bundle) -> None:
    """To who typed before they looked; and no entry is then called checked."""
    without_arguments(bundle)
    tab = asked(typed_only=True)
    name_account(tab, ACCOUNT)
    for code, balance in {"BTC": "2", "ETH": "3.2"}.items():
        tab.fill(f"#balance-{code}", balance)
    tab.click("#check")
    assert verdict(tab) == "0.5 BTC less is counted than you say you had"
    assert tab.locator("#checks svg.ok").count() == 0
    assert "nothing is proved of your balance" in tab.inner_text("#checks")


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "argument.rejected"),
        (lambda data: b"\x04" + data[1:], "argument.bad-point"),
        (lambda data: data[:-1], "bundle.wrong-argument"),
        (lambda data: data + b"\0", "bundle.wrong-argument"),
        (None, "bundle.missing-file"),
    ],
)
def test_a_spoiled_argument_convicts_nobody(
    asked: Asked,
    bundle: Bundle,
    spoil: Callable[[bytes], bytes] | None,
    code: str,
    *,
    everything: bool,
) -> None:
    file = bundle.folder / "arguments" / "ETH" / "0"
    if spoil is None:
        file.unlink()
    else:
        file.write_bytes(spoil(file.read_bytes()))
    tab = asked(everything=everything)
    title = ask(tab, ACCOUNT, BALANCES)
    assert title == (PART if spoil is None else DAMAGED)
    assert tab.locator("#verdict").get_attribute("data-look") == "warn"
    assert code_of(tab) == code


def test_an_opening_that_does_not_hold_is_kept_and_not_published(
    asked: Asked, bundle: Bundle
) -> None:
    first, *rest = bundle.parts["BTC"][ACCOUNT]
    bent = first.opening[:-1] + bytes([first.opening[-1] ^ 1])
    bundle.parts["BTC"][ACCOUNT] = (replace(first, opening=bent), *rest)
    tab = asked()
    assert ask(tab, ACCOUNT, BALANCES) == "The check failed"
    said = tab.inner_text("#verdict-text")
    assert "Keep this file" in said
    assert "Do not publish the file itself" in said
    assert code_of(tab) == "inclusion.wrong-amount"


def test_who_is_counted_is_told_to_keep_the_file(asked: Asked) -> None:
    tab = asked()
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED
    assert "Keep your inclusion file: nobody but the exchange can make it again." in tab.inner_text(
        "#verdict-notes"
    )


def test_only_arguments_of_its_own_pages_are_fetched(asked: Asked, bundle: Bundle) -> None:
    ranges: list[tuple[str, str | None]] = []
    tab = asked(
        on_request=lambda request: ranges.append((request.url, request.headers.get("range")))
    )
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED
    asked_for = [(url, part) for url, part in ranges if "/arguments" in url]
    assert asked_for
    assert all(part is not None for _, part in asked_for)
    assert not any("solvency" in url or "arguments." in url for url, _ in asked_for)
