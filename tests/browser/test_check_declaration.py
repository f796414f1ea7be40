"""What the page says of declared loans, over a real host: shown, absent, or another's file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opener, Site, ask, other_ways, reopen
from tests.support.verifier_bundle import Bundle
from verifier.format.wire import Loan

ACCOUNT = "alice@example.com"
BALANCES = {"BTC": "1.5", "ETH": "3.2"}
COUNTED = "Your balances are counted"
SENTENCE = "nobody. The exchange declares no loans"  # which is a name, too


@pytest.fixture
def bundle(published: Site, request: pytest.FixtureRequest) -> Bundle:
    folder = published.root / re.sub(r"\W", "-", request.node.name)
    folder.mkdir()
    made = Bundle(folder)
    pledged = (made.pledge("BTC"), made.pledge("ETH"))
    made.declare(
        (
            Loan("12.5", "BTC", "First Lender", pledged),
            Loan("", "EUR", SENTENCE, ()),
        )
    )
    return made


def asked(opened: Opener, published: Site, bundle: Bundle, tmp_path: Path, **how: str) -> Page:
    package = tmp_path / "inclusion.package"
    package.write_bytes(bundle.package(ACCOUNT))
    tab = opened(**how)
    other_ways(tab)
    tab.fill("#key", bundle.key_text)
    tab.set_input_files("#package", str(package))
    tab.fill("#bundle", f"{published.url}/{bundle.folder.name}")
    tab.click("#open")
    return tab


def test_loans_are_shown_in_words(
    opened: Opener, published: Site, bundle: Bundle, tmp_path: Path
) -> None:
    tab = asked(opened, published, bundle, tmp_path)
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED
    lines = tab.locator("#checks p").all_inner_texts()
    first = next(at for at, line in enumerate(lines) if "declares that it borrowed coins" in line)
    assert lines[first + 1 : first + 3] == [
        "12.5 BTC, with the coins of 2 addresses as a pledge, borrowed from: First Lender",
        f"EUR, amount not said, borrowed from: {SENTENCE}",
    ]
    assert "was not checked on this device" in lines[first + 3]
    isolated = tab.locator("#checks bdi").all_inner_texts()
    assert SENTENCE in isolated
    tab.click("#expert summary")
    details = tab.inner_text("#expert-list")
    assert bundle.pledge("BTC").address in details
    reopen(tab)
    tab.check("#everything")
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED
    assert "First Lender" in tab.inner_text("#checks")


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (None, "declaration.msgpack is not at "),
        (b"\x90", "is not the one that the exchange signed for"),
        (b"", "is empty, or larger than any may be"),
    ],
)
def test_the_verdict_stands_whatever_is_served_in_its_place(
    opened: Opener,
    published: Site,
    bundle: Bundle,
    tmp_path: Path,
    served: bytes | None,
    why: str,
) -> None:
    path = bundle.folder / "declaration.msgpack"
    path.unlink()
    if served is not None:
        path.write_bytes(served)
    tab = asked(opened, published, bundle, tmp_path)
    assert ask(tab, ACCOUNT, BALANCES) == COUNTED
    text = tab.inner_text("#checks")
    assert "declares that it borrowed could not be read" in text
    assert why in text
    assert "First Lender" not in text


def test_a_declaration_that_is_none_fails_the_check(
    opened: Opener, published: Site, bundle: Bundle, tmp_path: Path
) -> None:
    bundle.declare(b"\x90")
    tab = asked(opened, published, bundle, tmp_path)
    assert ask(tab, ACCOUNT, BALANCES) == "The check failed"
    tab.click("#expert summary")
    assert "declaration.bad-fields" in tab.inner_text("#expert-list")
