"""What the customer's page takes from auditors, and from a link.

Whose a key is, who was shown which proof, and where else it is.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.auditors import (
    CLOCK,
    HOST,
    TIME,
    Auditor,
    Made,
    add,
    give,
    knows,
    made_of,
    opened,
    serves,
)
from tests.browser.conftest import Site, ask, name_account, other_ways, reopen, verdict, visit
from tests.support.forged_sample import ALICE, BTC, sample
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.statement import manifest_digest
from verifier.format.wire import Value

COUNTED = "Your balances are counted"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return made_of(sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [150_000_000]}}), tmp_path)


@pytest.fixture
def context(chromium: Browser, made: Made) -> Iterator[BrowserContext]:
    """A browser that remembers nothing yet, with the proof at its address."""
    new = chromium.new_context(locale="en-US", timezone_id="UTC")
    new.route(f"{made.url}**", serves(made.files, made.url))
    yield new
    new.close()


@pytest.fixture
def auditor(context: BrowserContext) -> Auditor:
    return knows(context, Auditor())


def check_of(tab: Page, number: int) -> tuple[str, str, str]:
    """Of one of the five lines: the picture's name, who, and the words."""
    item = tab.locator("#checks > li").nth(number)
    picture = item.locator("svg").get_attribute("class") or ""
    return picture, item.locator(".tag").inner_text(), item.locator("div").inner_text()


# --- whose a key is


def test_a_key_is_looked_up_and_the_name_is_the_list_s(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    assert tab.is_visible("#question")
    assert tab.inner_text("#named") == "Listed Name"
    assert tab.inner_text("#confirmed") == f"Name and key confirmed by {HOST}"
    assert tab.input_value("#key") == ""
    assert ask(tab, ALICE, {}) == COUNTED


def test_a_key_that_nobody_lists_is_compared_by_the_reader(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Somebody Else", public_key_text(b"\x11" * 32), ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    assert tab.is_visible("#unknown")
    assert tab.is_hidden("#question")
    assert (tab.text_content("#unknown-key") or "").replace(" ", "") == made.key
    assert "another key" not in tab.inner_text("#unknown")
    assert "nobody confirmed it" in tab.inner_text("#confirmed")
    assert not any(path.startswith("attestations/") for path in auditor.asked)
    tab.click("#stop")
    assert tab.is_hidden("#unknown")
    tab.click("#open")
    tab.click("#compared")
    assert "You vouch for the key" in tab.inner_text("#confirmed")
    assert ask(tab, ALICE, {}) == COUNTED


@pytest.mark.parametrize("listed", ["Example Exchange", "Ехаmрlе  Exchange".replace("  ", " ")])
def test_the_same_name_with_another_key_is_said(
    context: BrowserContext, published: Site, auditor: Auditor, tmp_path: Path, listed: str
) -> None:
    """Or one that looks like it."""
    one = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [5]}}, exchange="Example Exchange")
    made = made_of(one, tmp_path)
    context.unroute(f"{made.url}**")
    context.route(f"{made.url}**", serves(made.files, made.url))
    auditor.lists((listed, public_key_text(b"\x11" * 32), ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    for _ in ("asked", "compared"):
        said = tab.inner_text("#doubts")
        assert f"{HOST} lists this name, or one that looks like it, with another key" in said
        assert said.endswith(f": {listed}")
        if tab.is_visible("#compared"):
            tab.click("#compared")
    reopen(tab)
    other_ways(tab)
    tab.fill("#key", made.key)
    give(tab, made)
    assert tab.is_visible("#doubts")
    assert tab.is_hidden("#unknown")


def test_where_lists_differ_each_is_quoted(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """None confirms a name that it does not have, and who has another key for it is heard."""
    auditor.lists(("Listed Name", made.key, ""))
    second = knows(context, Auditor("second.example"))
    second.lists(("Other Name", made.key, ""), ("Listed Name", made.key, ""))
    third = knows(context, Auditor("third.example").lists(("Third Name", made.key, "")))
    fourth = knows(context, Auditor("fourth.example"))
    fourth.lists(("Listed Name", public_key_text(b"\x11" * 32), ""))
    tab = opened(context, published, auditor, second, third, fourth)
    give(tab, made)
    assert tab.inner_text("#named") == "Listed Name"
    assert tab.inner_text("#confirmed") == f"Name and key confirmed by {HOST} and second.example"
    doubts = tab.locator("#doubts p").all_inner_texts()
    assert doubts[0] == "third.example lists this key under another name: Third Name"
    assert doubts[1].startswith("fourth.example lists this name, or one that looks like it")
    assert len(doubts) == 2


def test_nobody_vouches_for_their_own_key(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """As where the exchange's address and key were typed as an auditor's."""
    auditor.key = Ed25519PrivateKey.from_private_bytes(sample([]).forger.signing_seed)
    assert auditor.key_text == made.key
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    assert tab.is_visible("#unknown")


def test_an_older_list_is_not_believed(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """A key that was taken off a list does not come back by what was signed before."""
    day = 86_400
    auditor.lists(("Listed Name", made.key, ""), time=TIME)
    older = dict(auditor.files)
    auditor.lists(time=TIME + day)
    tab = opened(context, published, auditor)
    expect(tab.locator("#auditors")).to_contain_text("lists: 0")
    auditor.files = dict(older)  # as from a cache
    tab.reload()
    expect(tab.locator("#auditors")).to_contain_text("lists: 1")
    auditor.lists(time=TIME + day + 1)
    tab.reload()
    expect(tab.locator("#auditors")).to_contain_text("lists: 0")
    auditor.files = older
    tab.reload()
    tab.wait_for_selector("#notices .warn")
    assert f"The list of {HOST} is older than one" in tab.inner_text("#notices")
    give(tab, made)
    assert tab.is_visible("#unknown")


def test_a_list_dated_ahead_makes_no_later_one_old(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(time=CLOCK + 2 * 86_400)
    tab = opened(context, published, auditor)
    expect(tab.locator("#auditors")).to_contain_text("lists: 0")
    auditor.lists(("Listed Name", made.key, ""), time=CLOCK)
    tab.reload()
    give(tab, made)
    assert tab.is_visible("#question")


def test_what_is_false_under_a_key_of_nobody_s_convicts_nobody(
    context: BrowserContext, published: Site, auditor: Auditor, tmp_path: Path
) -> None:
    """Anybody can sign it; under a key that somebody vouches for, it is red."""
    one = sample([replace(BTC, capacity=1, ratio=(1, 2))], {ALICE: {"BTC": [5]}})
    made = made_of(one, tmp_path)
    context.unroute(f"{made.url}**")
    context.route(f"{made.url}**", serves(made.files, made.url))
    tab = opened(context, published, auditor.lists())
    give(tab, made)
    assert verdict(tab) == "No auditor that you trust knows this exchange’s key"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert "says nothing about the exchange" in tab.inner_text("#verdict-text")
    auditor.lists(("Listed Name", made.key, ""), time=2)
    tab.reload()
    give(tab, made)
    assert verdict(tab) == "The check failed"
    assert tab.get_attribute("#verdict", "data-look") == "bad"


def test_a_list_that_another_key_signed_is_not_believed(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """A change of the key is told each time, in amber, and the exchange is unknown."""
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    auditor.key = Ed25519PrivateKey.generate()
    auditor.lists(("Listed Name", made.key, ""))
    tab.reload()
    notice = tab.locator("#notices .warn")
    notice.wait_for()
    assert f"The list of {HOST} is not signed by the key that this device remembers" in (
        notice.inner_text()
    )
    give(tab, made)
    assert tab.is_visible("#unknown")


def test_a_list_that_renames_a_coin_is_not_believed(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    unit = {"chain": "bitcoin", "code": "XYZ", "contract": "", "decimals": 8, "kind": "named"}
    auditor.lists(("Listed Name", made.key, ""), units=[unit])
    tab = opened(context, published, auditor)
    assert "contradicts what this page knows of a coin" in tab.inner_text("#notices")
    give(tab, made)
    assert tab.is_visible("#unknown")


def test_who_serves_the_page_is_remembered_at_the_first_visit(
    context: BrowserContext, check_page: Path, made: Made
) -> None:
    """And the key in the link or the proof is nobody's word."""
    auditor = knows(context, Auditor().lists(("Listed Name", made.key, "")))
    auditor.files["check.html"] = check_page.read_bytes()
    context.route(
        f"{auditor.address}check.html",
        lambda route: route.fulfill(content_type="text/html", body=check_page.read_text()),
    )
    tab = context.new_page()
    visit(tab, f"{auditor.address}check.html")
    tab.wait_for_selector("#notices:not([hidden])")
    assert f"This device remembers the key of {HOST} from now on" in tab.inner_text("#notices")
    give(tab, made)
    assert tab.inner_text("#confirmed") == f"Name and key confirmed by {HOST}"
    assert tab.is_hidden("#own-copy")
    tab.goto("about:blank")
    auditor.asked.clear()
    visit(tab, f"{auditor.address}check.html")
    other_ways(tab)
    tab.wait_for_selector(f"#auditors li:has-text('Exchanges that {HOST} lists: 1')")
    assert "auditor.pub" not in auditor.asked
    assert tab.is_hidden("#notices")
    auditor.key = Ed25519PrivateKey.generate()
    auditor.lists(("Listed Name", made.key, ""))
    tab.reload()
    tab.wait_for_selector("#notices .warn")


def test_who_serves_page_and_proof_vouches_for_nobody(
    context: BrowserContext, check_page: Path, made: Made
) -> None:
    own = knows(context, Auditor("northwind.example").lists(("Listed Name", made.key, "")))
    own.files |= {f"proof/{path}": data for path, data in made.files.items()}
    context.route(
        f"{own.address}check.html",
        lambda route: route.fulfill(content_type="text/html", body=check_page.read_text()),
    )
    tab = context.new_page()
    visit(tab, f"{own.address}check.html")
    give(tab, replace(made, url=f"{own.address}proof/"))
    assert tab.is_visible("#unknown")
    assert "most likely from the exchange itself" in tab.inner_text("#own-copy")


def test_nor_does_another_folder_of_theirs(
    context: BrowserContext, check_page: Path, made: Made
) -> None:
    """What is remembered of the first one is not an auditor's word in the second one."""
    own = knows(context, Auditor("northwind.example").lists(("Listed Name", made.key, "")))
    own.files = {f"a/{path}": data for path, data in own.files.items()}
    own.files |= {f"proof/{path}": data for path, data in made.files.items()}
    for folder in ("a", "b"):
        context.route(
            f"{own.address}{folder}/check.html",
            lambda route: route.fulfill(content_type="text/html", body=check_page.read_text()),
        )
    tab = context.new_page()
    visit(tab, f"{own.address}a/check.html")
    tab.wait_for_selector("#notices:not([hidden])")
    visit(tab, f"{own.address}b/check.html")
    give(tab, replace(made, url=f"{own.address}proof/"))
    assert tab.is_visible("#unknown")


def test_who_serves_the_page_and_is_removed_stays_away(
    context: BrowserContext, check_page: Path, made: Made
) -> None:
    auditor = knows(context, Auditor().lists(("Listed Name", made.key, "")))
    context.route(
        f"{auditor.address}check.html",
        lambda route: route.fulfill(content_type="text/html", body=check_page.read_text()),
    )
    tab = context.new_page()
    visit(tab, f"{auditor.address}check.html")
    tab.wait_for_selector("#notices:not([hidden])")
    other_ways(tab)
    tab.click("#auditors button")
    expect(tab.locator("#auditors")).to_contain_text("None yet")
    tab.reload()
    give(tab, made)
    assert tab.is_visible("#unknown")
    tab.click("#again")
    add(tab, auditor)
    tab.wait_for_selector("#question:not([hidden])")


@pytest.mark.parametrize(
    "kept",
    [
        *("{", "null", "5", '"s"', "[1]", '{"auditors":"abc"}', '{"auditors":[1]}'),
        '{"auditors":{"x":{"key":"assay1","time":0}}}',
        '{"auditors":{"https://a.example/":5}}',
        '{"auditors":{"https://a.example/":{"key":5,"time":0}}}',
        '{"auditors":{"https://a.example/":{"key":"assay1","time":0}}}',
    ],
)
def test_whatever_is_kept_here_the_page_works(
    context: BrowserContext, published: Site, made: Made, kept: str
) -> None:
    """Another page of its place may have written there."""
    context.add_init_script(f"localStorage.setItem('assay', {json.dumps(kept)})")
    tab = opened(context, published)
    other_ways(tab)
    tab.fill("#key", made.key)
    give(tab, made)
    assert tab.is_visible("#question")


def test_two_tabs_forget_nothing_of_each_other(
    context: BrowserContext, published: Site, auditor: Auditor
) -> None:
    first, second = (opened(context, published) for _ in range(2))
    add(first, auditor.lists())
    other_ways(second)
    second.check("#ask-nobody")
    third = opened(context, published)
    other_ways(third)
    assert third.is_checked("#ask-nobody")
    expect(third.locator("#auditors")).to_contain_text(HOST)


def test_an_auditor_too_many_is_told(context: BrowserContext, published: Site) -> None:
    kept = {f"https://a{n}.example/": {"key": "assay1", "time": 0} for n in range(16)}
    value = json.dumps(json.dumps({"auditors": kept}))
    context.add_init_script(f"localStorage.setItem('assay', {value})")
    tab = opened(context, published)
    other_ways(tab)
    tab.fill("#auditor-address", HOST)
    tab.fill("#auditor-key", Auditor().key_text)
    tab.click("#auditor-add")
    assert "no room for another auditor" in tab.inner_text("#auditor-error")


def test_an_auditor_without_a_list_is_asked_too(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.attests(made)
    tab = opened(context, published, auditor)
    tab.fill("#key", made.key)
    assert concluded(tab, made) == COUNTED
    assert f"these have this very one: {HOST}" in check_of(tab, 1)[2]


def test_an_auditor_that_is_removed_is_forgotten(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    tab.click("#auditors button")
    tab.wait_for_selector("#auditors li:has-text('None yet')")
    give(tab, made)
    assert tab.is_visible("#unknown")
    tab.reload()
    tab.wait_for_selector("#auditors li:has-text('None yet')", state="attached")


@pytest.mark.parametrize(
    ("address", "key", "said"),
    [("ftp://x.example", "", "https://"), (HOST, "assay1", "64 letters and digits")],
)
def test_an_auditor_that_is_mistyped_is_explained(
    context: BrowserContext, published: Site, address: str, key: str, said: str
) -> None:
    tab = opened(context, published)
    other_ways(tab)
    tab.fill("#auditor-address", address)
    tab.fill("#auditor-key", key)
    tab.click("#auditor-add")
    assert said in tab.inner_text("#auditor-error")


# --- who was shown which proof


def concluded(tab: Page, made: Made) -> str:
    """The verdict's title, once every auditor has answered."""
    give(tab, made)
    title = ask(tab, ALICE, {})
    expect(tab.locator("#checks")).not_to_contain_text("being asked")
    return tab.inner_text("#verdict-title") or title


def test_nobody_is_green_where_nobody_was_asked(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, "")).attests(made)
    tab = opened(context, published, auditor)
    tab.check("#ask-nobody")
    tab.fill("#key", made.key)
    auditor.asked.clear()
    assert concluded(tab, made) == COUNTED
    assert auditor.asked == []
    assert [check_of(tab, at)[:2] for at in range(5)] == [
        ("ok", "this device"),
        ("no", "nobody"),
        ("part", "this device"),
        ("no", "nobody"),
        ("no", "nobody"),
    ]
    assert "not checked here: whether the exchange holds the coins" in check_of(tab, 3)[2]
    tab.reload()
    assert tab.is_checked("#ask-nobody")


def test_what_auditors_found_is_said_in_their_name(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, "")).attests(made)
    other = knows(context, Auditor("watch.example").lists())
    tab = opened(context, published, auditor, other)
    assert concluded(tab, made) == COUNTED
    assert [check_of(tab, at)[:2] for at in range(5)] == [
        ("ok", "this device"),
        ("ok", "this device"),
        ("ok", "auditors"),
        ("ok", "auditors"),
        ("no", "nobody"),
    ]
    same = check_of(tab, 1)[2]
    assert f"these have this very one: {HOST}" in same
    assert "have not seen this proof: watch.example" in same
    assert f"On all pages by {HOST}" in check_of(tab, 2)[2]
    assert f"Confirmed on their chains by {HOST}: BTC" in check_of(tab, 3)[2]
    sent = [path for path in auditor.asked + other.asked if "@" in path or "150" in path]
    assert sent == []


@pytest.mark.parametrize(
    ("level", "state", "said"),
    [
        ("listed", "ok", "Confirmed on their chains"),
        ("header", "part", "did not confirm on a chain"),
        ("attested", "part", "did not confirm on a chain"),
        ("claimed", "part", "On the exchange’s word alone"),
        ("unverified", "part", "On the exchange’s word alone"),
    ],
)
def test_only_what_a_chain_confirms_is_green(
    context: BrowserContext,
    published: Site,
    auditor: Auditor,
    made: Made,
    level: str,
    state: str,
    said: str,
) -> None:
    asset: dict[str, Value] = {"code": "BTC", "den": 1, "level": level, "num": 1}
    auditor.lists(("Listed Name", made.key, "")).attests(made, assets=[asset])
    tab = opened(context, published, auditor)
    concluded(tab, made)
    assert check_of(tab, 3)[0] == state
    assert said in check_of(tab, 3)[2]


@pytest.mark.parametrize(
    "change",
    [
        {"level": "certain"},
        {"manifest": bytes(32)},
        {"public_key": b"\x11" * 32},
        {"version": 2},
        {"signed": False},
        {"large": True},
        {"html": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_no_auditor_signed_for_this_proof_is_no_answer(
    context: BrowserContext,
    published: Site,
    auditor: Auditor,
    made: Made,
    change: dict[str, Any],
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    path = f"attestations/{made.digest}"
    match change:
        case {"level": level}:
            asset: dict[str, Value] = {"code": "BTC", "den": 1, "level": level, "num": 1}
            auditor.attests(made, assets=[asset])
        case {"signed": _}:
            auditor.attests(made)
            auditor.files[f"{path}.sig"] = bytes(64)
        case {"large": _}:
            auditor.attests(made)
            auditor.files[f"{path}.msgpack"] += bytes(2**20)
        case {"html": _}:
            for end in ("msgpack", "sig"):
                auditor.files[f"{path}.{end}"] = b"<!doctype html>"
        case _:
            auditor.attests(made, **change)
    tab = opened(context, published, auditor)
    assert concluded(tab, made) == COUNTED
    picture, _, words = check_of(tab, 1)
    assert picture == "no"
    assert f"These gave no answer: {HOST}" in words
    assert check_of(tab, 2)[0] == "part"


@pytest.mark.parametrize(("hours", "state"), [(23, "no"), (25, "part")])
def test_a_proof_that_nobody_has_seen_is_grey_for_a_day(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made, hours: int, state: str
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    tab.clock.set_fixed_time(TIME + 3600 * hours)
    assert concluded(tab, made) == COUNTED
    picture, _, words = check_of(tab, 1)
    assert picture == state
    assert "have not seen this proof" in words
    assert ("less than a day old" in words) == (state == "no")


def test_a_fault_that_an_auditor_found_is_not_green(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    auditor.attests(made, code="evidence.bad-signature", assets=[])
    tab = opened(context, published, auditor)
    assert concluded(tab, made) == "Counted, but an auditor found a fault"
    assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert check_of(tab, 2)[0] == "bad"
    assert "evidence.bad-signature" in check_of(tab, 2)[2]


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_second_manifest_of_the_same_id(
    context: BrowserContext,
    published: Site,
    auditor: Auditor,
    made: Made,
    tmp_path: Path,
    *,
    is_shown: bool,
) -> None:
    """Red where the exchange signed it; what is only said to be there convicts nobody."""
    rival = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [7]}})
    files = rival.forger.bundle()
    (tmp_path / "rival").mkdir()
    other = made_of(rival, tmp_path / "rival")
    assert other.key == made.key
    assert other.digest != made.digest
    auditor.lists(("Listed Name", made.key, "")).attests(made)
    facts = {"manifests": [made.digest, other.digest]}
    path = f"snapshots/{parse_public_key(made.key).hex()}/{made.snapshot_id}"
    auditor.files[path] = json.dumps(facts).encode()
    auditor.files[f"manifests/{other.digest}.msgpack"] = files["manifest.msgpack"]
    signature = files["manifest.sig"] if is_shown else bytes(64)
    auditor.files[f"manifests/{other.digest}.sig"] = signature
    tab = opened(context, published, auditor)
    title = concluded(tab, made)
    if is_shown:
        assert title == "An auditor was shown another proof for this date"
        assert tab.get_attribute("#verdict", "data-look") == "bad"
        assert other.digest in tab.inner_text("#verdict-text")
        assert made.digest in tab.inner_text("#verdict-text")
        assert check_of(tab, 1)[0] == "bad"
    else:
        assert title == COUNTED
        assert check_of(tab, 1)[0] == "part"
        assert "did not show it" in check_of(tab, 1)[2]


def test_an_auditor_that_does_not_answer_keeps_nobody_waiting(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    context.route(f"{auditor.address}attestations/**", lambda _: None)
    give(tab, made)
    assert ask(tab, ALICE, {}) == COUNTED
    assert "being asked" in check_of(tab, 1)[2]
    begun = time.monotonic()
    tab.wait_for_selector(f"#checks :text('These gave no answer: {HOST}')", timeout=15_000)
    assert time.monotonic() - begun < 12


# --- other copies


def damaged(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same proof with a bit of a page changed on its way."""
    changed = dict(files)
    page = bytearray(changed["pages/BTC/0"])
    page[-1] ^= 1
    changed["pages/BTC/0"] = bytes(page)
    return changed


@pytest.mark.parametrize(
    ("first", "second", "title", "look"),
    [
        (damaged, lambda files: files, COUNTED, "good"),
        (lambda _: {}, lambda files: files, COUNTED, "good"),
        (damaged, damaged, "The published proof is false", "bad"),
        (damaged, lambda _: {}, "This copy of the proof is damaged", "warn"),
        (lambda _: {}, lambda _: {}, "Nothing was found at this address", "warn"),
    ],
    ids=["damaged-good", "absent-good", "twice", "damaged-absent", "absent-absent"],
)
@pytest.mark.parametrize("known_by", ["list", "reader"])
def test_red_only_after_a_second_copy(
    context: BrowserContext,
    published: Site,
    auditor: Auditor,
    made: Made,
    first: Callable[..., Any],
    second: Callable[..., Any],
    title: str,
    look: str,
    known_by: str,
) -> None:
    mirror = "https://mirror.example/copy/"
    context.unroute(f"{made.url}**")
    context.route(f"{made.url}**", serves(first(made.files), made.url))
    context.route(f"{mirror}**", serves(second(made.files), mirror))
    auditor.lists(("Listed Name", made.key, mirror if known_by == "list" else ""))
    tab = opened(context, published, auditor)
    tab.fill("#key", made.key)
    if known_by == "reader":
        tab.fill("#copy", mirror)
    give(tab, made)
    if tab.is_visible("#question"):
        assert ask(tab, ALICE, {}) == title
    assert verdict(tab) == title
    assert tab.get_attribute("#verdict", "data-look") == look
    if look == "bad":
        assert made.url in tab.inner_text("#verdict-text")
        assert mirror in tab.inner_text("#verdict-text")


def test_a_folder_of_a_list_is_tried_once(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """It leads to a bundle of another address than its own."""
    folder = "https://folder.example/"
    bad = damaged(made.files)
    files = {f"snapshots/{made.snapshot_id}/{path}": data for path, data in bad.items()}
    entry = {"snapshot_id": made.snapshot_id, "manifest": made.digest, "time": "2026-01-01"}
    files["history.json"] = json.dumps({"snapshots": [entry]}).encode()
    context.route(f"{folder}**", serves(files, folder))
    auditor.lists(("Listed Name", made.key, folder))
    tab = opened(context, published, auditor)
    indexes: list[str] = []
    tab.on("request", lambda request: indexes.append(Path(request.url).name))
    give(tab, replace(made, url=folder))
    assert ask(tab, ALICE, {}) == "This copy of the proof is damaged"
    assert indexes.count("history.json") <= 3


def test_one_copy_alone_convicts_nobody(
    context: BrowserContext, published: Site, made: Made
) -> None:
    context.unroute(f"{made.url}**")
    context.route(f"{made.url}**", serves(damaged(made.files), made.url))
    tab = opened(context, published)
    other_ways(tab)
    tab.fill("#key", made.key)
    give(tab, made)
    assert ask(tab, ALICE, {}) == "This copy of the proof is damaged"
    assert tab.get_attribute("#verdict", "data-look") == "warn"


# --- links


def link(**given: str) -> str:
    return "#" + "&".join(f"{key}={value}" for key, value in given.items())


def packed(made: Made) -> str:
    return base64.urlsafe_b64encode(made.package.read_bytes()).decode().rstrip("=")


def test_a_link_is_all_that_it_takes(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """Link, account, look: and nothing of the link stays in the address."""
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    tab.goto("about:blank")
    visit(tab, f"{published.url}/check.html{link(package=packed(made), bundle=made.url, key='x')}")
    name_account(tab, ALICE)
    assert tab.url == f"{published.url}/check.html"
    assert tab.evaluate("history.length") <= 4
    assert tab.input_value("#key") == ""
    tab.click("#agree")
    assert verdict(tab) == COUNTED


def test_a_copy_on_a_disk_takes_links_and_auditors(
    context: BrowserContext, auditor: Auditor, made: Made, check_page: Path
) -> None:
    """No place serves it, so none is asked for a list of its own."""
    auditor.lists(("Listed Name", made.key, ""))
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    visit(tab, f"{check_page.as_uri()}{link(package=packed(made), bundle=made.url)}")
    tab.wait_for_selector("#unknown:not([hidden])")
    assert tab.url == check_page.as_uri()
    assert not any("auditor.pub" in url for url in asked)
    tab.click("#again")
    add(tab, auditor)
    tab.wait_for_selector("#question:not([hidden])")
    assert tab.inner_text("#confirmed") == f"Name and key confirmed by {HOST}"
    assert tab.is_hidden("#own-copy")
    assert ask(tab, ALICE, {}) == COUNTED


@pytest.mark.parametrize("is_served", [True, False])
def test_a_package_is_fetched_where_the_link_says(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made, *, is_served: bool
) -> None:
    """It is too large for a link; the token works once."""
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    asked: list[str] = []

    def once(route: Route) -> None:
        asked.append(route.request.url)
        body = made.package.read_bytes() if is_served else b""
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(status=200 if is_served else 404, headers=headers, body=body)

    context.route("https://service.example/**", once)
    tab.goto("about:blank")
    source = "https://service.example/links/abc"
    visit(tab, f"{published.url}/check.html{link(**{'from': source}, bundle=made.url)}")
    if is_served:
        assert ask(tab, ALICE, {}) == COUNTED
    else:
        assert verdict(tab) == "Your file could not be fetched"
        assert tab.get_attribute("#verdict", "data-look") == "warn"
    assert asked == [source]
    assert tab.url == f"{published.url}/check.html"


@pytest.mark.parametrize("source", ["http://service.example/x", "javascript:alert(1)", "nonsense"])
def test_a_package_is_fetched_over_https_alone(
    context: BrowserContext, published: Site, made: Made, source: str
) -> None:
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    visit(tab, f"{published.url}/check.html{link(**{'from': source}, bundle=made.url)}")
    assert verdict(tab) == "Your file could not be fetched"
    assert not any("service" in url for url in asked)


def fetching(context: BrowserContext, published: Site) -> tuple[Page, Route]:
    """The page that a link told to fetch a package, and that request, which a test answers."""
    held: list[Route] = []
    context.route("https://service.example/**", lambda route: held.append(route))
    tab = context.new_page()
    with tab.expect_request("https://service.example/x"):
        visit(tab, f"{published.url}/check.html{link(**{'from': 'https://service.example/x'})}")
    expect(tab.locator("#package-name")).to_contain_text("Fetching")
    return tab, held[0]


def test_an_address_that_is_typed_meanwhile_loses_no_package(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    """The link's address works once."""
    auditor.lists(("Listed Name", made.key, ""))
    opened(context, published, auditor).close()
    tab, request = fetching(context, published)
    tab.fill("#bundle", made.url)
    headers = {"Access-Control-Allow-Origin": "*"}
    request.fulfill(headers=headers, body=made.package.read_bytes())
    tab.wait_for_selector("#question:not([hidden])")


def test_the_link_that_came_last_waits_for_none_before_it(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    opened(context, published, auditor).close()
    tab, request = fetching(context, published)
    second = link(package=packed(made), bundle=made.url)
    tab.evaluate("fragment => { location.hash = fragment; }", second)
    tab.wait_for_selector("#question:not([hidden])")
    request.fulfill(headers={"Access-Control-Allow-Origin": "*"}, body="late")
    assert ask(tab, ALICE, {}) == COUNTED


def test_the_file_that_was_chosen_last_counts(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    tab.fill("#bundle", made.url)
    tab.evaluate(
        """(good) => {
            const drop = (name, wait, bytes) => {
                const read = () => new Promise((done) => setTimeout(done, wait, bytes.buffer));
                const file = { name, size: bytes.length, slice: () => ({ arrayBuffer: read }) };
                const event = new Event("drop", { cancelable: true });
                Object.defineProperty(event, "dataTransfer", { value: { files: [file] } });
                document.getElementById("drop").dispatchEvent(event);
            };
            drop("slow", 1500, new Uint8Array(3));
            drop("last", 10, Uint8Array.from(good));
        }""",
        list(made.package.read_bytes()),
    )
    tab.wait_for_selector("#question:not([hidden])")
    tab.wait_for_timeout(2000)
    assert "last" in (tab.text_content("#package-name") or "")
    assert ask(tab, ALICE, {}) == COUNTED


@pytest.mark.parametrize("lead", ["##", "#/", "#!", "#?", "#Package=x&", "#x"])
def test_nothing_stays_in_the_address(
    context: BrowserContext, published: Site, made: Made, lead: str
) -> None:
    """A package has balances, also behind a mark too many."""
    tab = context.new_page()
    fragment = link(package=packed(made), bundle=made.url)[1:]
    visit(tab, f"{published.url}/check.html{lead}{fragment}")
    tab.wait_for_function("location.hash === ''")
    if lead not in ("#x", "#Package=x&"):
        tab.wait_for_selector("#unknown:not([hidden])")


@pytest.mark.parametrize("order", ["package-first", "bundle-first", "short"])
def test_a_link_that_was_cut_says_so(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made, order: str
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    opened(context, published, auditor).close()
    text = packed(made)
    fragments = {
        "package-first": f"#package={text[: len(text) // 2]}",
        "bundle-first": f"#bundle={made.url}&package={text[: len(text) // 4 * 3]}",
        "short": f"#bundle={made.url}&package={text[:5]}",
    }
    tab = context.new_page()
    visit(tab, f"{published.url}/check.html{fragments[order]}")
    assert verdict(tab) == "This link is incomplete"
    assert tab.get_attribute("#verdict", "data-look") == "warn"


# --- several dates, and what is shared


@pytest.fixture
def dated(context: BrowserContext, auditor: Auditor, tmp_path: Path) -> tuple[str, list[Made]]:
    """A published folder of two dates, and the files of both."""
    url = "https://folder.example/"
    found: list[Made] = []
    files: dict[str, bytes] = {}
    entries: list[dict[str, str]] = []
    for number, (day, balance) in enumerate({"2026-01-01": 150_000_000, "2026-01-02": 7}.items()):
        one = sample(
            [replace(BTC, capacity=1)],
            {ALICE: {"BTC": [balance]}},
            snapshot_id=day,
            time=TIME + number * 86_400,
        )
        folder = tmp_path / day
        folder.mkdir()
        made = replace(made_of(one, folder), snapshot_id=day)
        found.append(made)
        files |= {f"snapshots/{day}/{path}": data for path, data in made.files.items()}
        time_text = f"{day}T00:00:00Z"
        entries.append({"snapshot_id": day, "manifest": made.digest, "time": time_text})
    files["history.json"] = json.dumps({"snapshots": entries}).encode()
    context.route(f"{url}**", serves(files, url))
    auditor.lists(("Listed Name", found[0].key, ""))
    return url, found


def test_several_dates_have_a_line_each(
    context: BrowserContext, published: Site, auditor: Auditor, dated: tuple[str, list[Made]]
) -> None:
    """None is green before it was compared; a file of another account is said in its line."""
    url, (first, second) = dated
    broken = first.package.with_name("broken.package")
    broken.write_bytes(first.package.read_bytes()[:-1])
    tab = opened(context, published, auditor)
    tab.set_input_files("#package", [str(first.package), str(second.package), str(broken)])
    tab.fill("#bundle", url)
    tab.click("#open")
    tab.wait_for_selector("#question:not([hidden])")
    tab.fill("#account", ALICE)
    tab.click("#show")
    tab.wait_for_selector("#dates li:nth-child(3):has-text('not your inclusion file')")
    lines = tab.locator("#dates li").all_inner_texts()
    assert "1 January 2026" in lines[0] or "January 1, 2026" in lines[0]
    assert "all its entries are in the proof: 1.5 BTC" in lines[0]
    assert "all its entries are in the proof: 0.00000007 BTC" in lines[1]
    assert tab.is_hidden("#verdict")
    tab.click("#dates li:nth-child(2) button")
    tab.click("#agree")
    assert verdict(tab) == COUNTED
    assert "0.00000007 BTC" in tab.inner_text("#verdict-text")
    assert f"you compared it: {COUNTED}" in tab.locator("#dates li").nth(1).inner_text()
    tab.click("#dates li:nth-child(1) button")
    tab.fill("#balance-BTC", "2")
    tab.click("#missing")
    assert verdict(tab) == "0.5 BTC less is counted than you say you had"
    tab.click("#others")
    tab.wait_for_selector("#published-list li:nth-child(2)")
    assert tab.locator("#published-list li").count() == 2


def first_form(tab: Page, url: str, *files: Path) -> None:
    tab.set_input_files("#package", [str(file) for file in files])
    tab.fill("#bundle", url)
    tab.click("#open")
    tab.wait_for_selector("#question:not([hidden])")


def all_checked(tab: Page) -> list[str]:
    """Name the account; the lines once both dates were checked."""
    tab.fill("#account", ALICE)
    tab.click("#show")
    tab.wait_for_selector("#dates li:nth-child(2):has-text('all its entries')")
    return tab.locator("#dates li").all_inner_texts()


def test_no_account_is_told_of_once_for_all_dates(
    context: BrowserContext, published: Site, auditor: Auditor, dated: tuple[str, list[Made]]
) -> None:
    url, made = dated
    tab = opened(context, published, auditor)
    first_form(tab, url, *(one.package for one in made))
    tab.fill("#account", "alice")
    tab.click("#show")
    tab.wait_for_selector("#account-error:not([hidden])")
    assert tab.is_hidden("#dates")
    assert "all its entries" in all_checked(tab)[0]


def test_several_dates_hide_what_is_counted_too(
    context: BrowserContext, published: Site, auditor: Auditor, dated: tuple[str, list[Made]]
) -> None:
    url, made = dated
    tab = opened(context, published, auditor)
    tab.check("#typed-only")
    first_form(tab, url, *(one.package for one in made))
    assert not any("BTC" in said for said in all_checked(tab))
    assert "1.5" not in tab.inner_text("body")


def test_a_date_that_fails_is_no_other_date_s_verdict(
    context: BrowserContext,
    published: Site,
    auditor: Auditor,
    dated: tuple[str, list[Made]],
) -> None:
    """Neither its line, nor another proof that an auditor has, nor what was looked at."""
    url, (first, second) = dated
    rival = sample([replace(BTC, capacity=1)], {ALICE: {"BTC": [9]}}, time=TIME)
    files = rival.forger.bundle()
    digest = manifest_digest(files["manifest.msgpack"]).hex()
    path = f"snapshots/{parse_public_key(first.key).hex()}/{first.snapshot_id}"
    auditor.files[path] = json.dumps({"manifests": [digest]}).encode()
    for end in ("msgpack", "sig"):
        auditor.files[f"manifests/{digest}.{end}"] = files[f"manifest.{end}"]
    tab = opened(context, published, auditor)
    first_form(tab, url, first.package, second.package)
    all_checked(tab)
    lines = tab.locator("#dates li")
    lines.nth(0).locator("button").click()
    tab.click("#agree")
    tab.wait_for_selector("#verdict[data-look=bad]")
    context.route(f"{url}snapshots/{second.snapshot_id}/pages/**", lambda route: route.abort())
    lines.nth(1).locator("button").click()
    tab.wait_for_selector("#verdict-title:text('could not be read')")
    assert "another proof" in lines.nth(0).inner_text()
    assert "could not be read" in lines.nth(1).inner_text()
    assert "January 2" in tab.inner_text("#moment")
    tab.click("#back")
    assert tab.is_hidden("#compare")
    assert tab.is_visible("#question")


def test_what_is_shared_of_less_has_no_amount(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    name_account(tab, ALICE)
    tab.fill("#balance-BTC", "2")
    tab.click("#missing")
    assert verdict(tab) == "0.5 BTC less is counted than you say you had"
    tab.evaluate("() => { navigator.share = async ({ text }) => { window.shared = text; }; }")
    tab.click("#share")
    shared: str = tab.evaluate("window.shared")
    assert shared.startswith("Less is counted than you say you had")
    assert "0.5" not in shared
    assert "BTC" not in shared


def test_an_index_says_dates_alone(
    context: BrowserContext, published: Site, auditor: Auditor, dated: tuple[str, list[Made]]
) -> None:
    url, (first, _) = dated
    index = [
        {"snapshot_id": "a", "manifest": first.digest, "time": "Call us at once"},
        {"snapshot_id": "2026-01-01", "manifest": first.digest, "time": "2026-01-01T00:00:00Z"},
    ]
    body = json.dumps({"snapshots": index})
    headers = {"Access-Control-Allow-Origin": "*"}
    tab = opened(context, published, auditor)
    give(tab, replace(first, url=f"{url}snapshots/2026-01-01/"))
    context.route(f"{url}history.json", lambda route: route.fulfill(body=body, headers=headers))
    assert ask(tab, ALICE, {}) == COUNTED
    tab.click("#others")
    tab.wait_for_selector("#published-list li")
    assert tab.locator("#published-list li").all_inner_texts() == ["January 1, 2026 at 12:00 AM"]


def test_what_is_shared_has_neither_amounts_nor_account(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    assert ask(tab, ALICE, {}) == COUNTED
    tab.evaluate("() => { navigator.share = async ({ text }) => { window.shared = text; }; }")
    tab.click("#share")
    shared: str = tab.evaluate("window.shared")
    assert made.digest in shared
    assert COUNTED in shared
    assert "BTC" not in shared
    assert "1.5" not in shared
    assert ALICE not in shared


@pytest.mark.parametrize("is_known", [True, False])
def test_the_code_is_of_the_fingerprint(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made, *, is_known: bool
) -> None:
    """As another reader decodes it; where an auditor has the proof, of its place there."""
    decoder = (
        Path(__file__).parents[1] / "javascript" / "node_modules" / "jsqr" / "dist" / "jsQR.js"
    )
    if not decoder.exists():
        pytest.skip("jsQR: tests/javascript/install has not run, or npm is missing")
    auditor.lists(("Listed Name", made.key, ""))
    if is_known:
        auditor.attests(made)
    tab = opened(context, published, auditor)
    concluded(tab, made)
    tab.click("#device summary")
    picture = tab.evaluate(
        """() => {
            const picture = document.getElementById("qr").cloneNode(true);
            picture.setAttribute("xmlns", "http://www.w3.org/2000/svg");
            return picture.outerHTML;
        }"""
    )
    other = context.new_page()
    other.add_script_tag(path=decoder)
    found = other.evaluate(
        """async (picture) => {
            const image = new Image();
            image.src = `data:image/svg+xml,${encodeURIComponent(picture)}`;
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.width, image.height];
            const context = canvas.getContext("2d");
            context.fillStyle = "#fff";
            context.fillRect(0, 0, image.width, image.height);
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, image.width, image.height);
            return jsQR(data, image.width, image.height)?.data;
        }""",
        picture,
    )
    place = f"{auditor.address}attestations/{made.digest}.msgpack"
    assert found == (place if is_known else made.digest)


def test_what_is_printed_is_the_outcome(
    context: BrowserContext, published: Site, auditor: Auditor, made: Made
) -> None:
    auditor.lists(("Listed Name", made.key, ""))
    tab = opened(context, published, auditor)
    give(tab, made)
    ask(tab, ALICE, {})
    tab.emulate_media(media="print")
    for shown in ("#who", "#verdict-head", "#verdict-table", "#checks"):
        assert tab.is_visible(shown)
    for hidden in ("#setup", "#compare", "#keep", "#again", "footer"):
        assert tab.is_hidden(hidden)
