"""The auditing host's page in a real browser, without scripts: history, alarms, pictures, forms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from prover.publish.publish import publish
from tests.support.auditing_host import Host, bundle_at, hosts, serving
from tests.support.forged_sample import ALICE, BOB
from tests.support.proven import block, proven
from tests.support.verifier_bundle import Bundle
from verifier.bundle.history import Entry, History, write_history
from verifier.format.keys import public_key_text

DAY = 86_400
RATIOS = [Fraction(1), Fraction(1), Fraction(21, 20), Fraction(11, 10), Fraction(11, 10)]


@dataclass
class Stage:
    """A host that watches two exchanges, and what the second one's customer has."""

    url: str
    host: Host
    package: Path
    failing: Path
    digests: list[str]
    keys: dict[str, str]


def healthy_exchange(folder: Path, now: int) -> bytes:
    """Publish a snapshot a day, its ether proved under a block 12 minutes older; return the key."""
    previous = bytes(32)
    for number, ratio in enumerate(RATIOS):
        at = now - 3600 - (len(RATIOS) - 1 - number) * DAY
        ether = 7_000_000_000 * ratio.denominator // ratio.numerator
        sample = proven(
            block(time=at - 750),
            customers={ALICE: {"ETH": [ether]}, BOB: {"USDT": [900_000]}},
            exchange="Example Exchange",
            snapshot_id=time.strftime("%Y-%m-%d", time.gmtime(at)),
            time=at,
            previous=previous,
        )
        for asset in sample.forger.assets:
            asset.ratio = ratio.as_integer_ratio()
        place = folder / f"snapshot-{number}"
        for name, data in sample.forger.bundle().items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        previous = publish(place, (folder / "served" / "good").as_uri()).manifest_digest
    return sample.forger.public_key


def failing_package(bundle: Bundle, folder: Path) -> tuple[Path, Path]:
    """Write a package that holds, and one that the exchange signed and that does not."""
    body = bundle.body("alice@example.com")
    part = replace(body.assets[0].parts[0], amount=1)
    asset = replace(body.assets[0], parts=(part, *body.assets[0].parts[1:]))
    holds, fails = folder / "holds.package", folder / "fails.package"
    holds.write_bytes(bundle.package(body))
    fails.write_bytes(bundle.package(replace(body, assets=(asset, *body.assets[1:]))))
    return holds, fails


NAMES = ["Ехаmрlе Exchange", "\u202eegnahcxE nekarK", "W" * 64]  # Cyrillic, turned around, long


def hand_in_strangers(host: Host, served: Path, url: str) -> list[Bundle]:
    """Have bundles audited that nobody watches, each of a key of its own; the last one fails."""
    made = []
    for number, name in enumerate(NAMES):
        head = {"exchange": name, "time": int(time.time()) - 3600}
        held = {"BTC": 10} if name == NAMES[-1] else {}
        bundle = bundle_at(served / f"s-{number}", seed=9 + number, head=head, assets_held=held)
        assert host.hand_in(f"{url}/s-{number}", bundle.key, f"192.0.2.{number}") == 202
        made.append(bundle)
    host.wait_for(
        "/submissions.json",
        lambda found: all(one["state"] != "waiting" for one in found["submissions"]),
    )
    return made


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One exchange as it should be, and one that signs two manifests, and drops a snapshot."""
    folder = tmp_path_factory.mktemp("host")
    now = int(time.time())
    key = healthy_exchange(folder, now)
    bad = folder / "served" / "bad"
    first = bundle_at(folder / "first", head={"time": now - 9 * DAY, "snapshot_id": "week-1"})
    head = {"time": now - 8 * DAY, "snapshot_id": "week-2", "previous": first.digest}
    second = bundle_at(folder / "second", head=head, assets_held={"BTC": 10})
    for bundle in (first, second):
        publish(bundle.folder, bad.as_uri())
    holds, fails = failing_package(first, folder)
    with serving(folder / "served") as url, hosts(folder) as start:
        host = start(
            ("Example Exchange", f"{url}/good", key, "history"),
            ("Second Exchange", f"{url}/bad", first.key, "history"),
        )
        host.wait(lambda found: [len(one["snapshots"]) for one in found] == [5, 2])
        rival = bundle_at(folder / "rival", head={**head, "time": now - 8 * DAY + 60})
        (bad / "snapshots" / "week-2").rename(folder / "gone")
        rival.folder.rename(bad / "snapshots" / "week-2")
        entry = Entry(rival.digest, first.digest, "week-2", rival.manifest.time)
        index = write_history(History("An Exchange", first.key, (entry,)))
        (bad / "history.json").write_bytes(index)
        host.wait(lambda found: len(found[1]["alarms"]) == 4)
        strangers = hand_in_strangers(host, folder / "served", url)
        digests = [bundle.digest.hex() for bundle in (second, rival)]
        keys = {"watched": key.hex(), "stranger": strangers[0].key.hex()}
        yield Stage(f"http://127.0.0.1:{host.port}", host, holds, fails, digests, keys)


Opener = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, stage: Stage) -> Iterator[Opener]:
    """Opens the page where scripts are off; nothing may be asked of others, or be blocked."""
    faults: list[str] = []
    contexts: list[BrowserContext] = []

    def note(text: str) -> None:
        if not text.startswith("Failed to load resource"):  # a refusal is an answer, too
            faults.append(text)

    def open_page(
        width: int = 1280, height: int = 900, scheme: str = "light", path: str = "/"
    ) -> Page:
        context = chromium.new_context(
            java_script_enabled=False,
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: note(message.text))
        tab.on(
            "request",
            lambda request: (
                None if request.url.startswith(stage.url) else faults.append(request.url)
            ),
        )
        tab.goto(stage.url + path)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def style(element: Locator, name: str) -> str:
    found: str = element.evaluate(f"element => getComputedStyle(element)['{name}']")
    return found


def contrast(element: Locator) -> float:
    """The contrast of an element's text, as WCAG has it."""
    one, other = (luminance(style(element, name)) for name in ("color", "backgroundColor"))
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844), (320, 600)], ids=["desk", "phone", "s"])
@pytest.mark.parametrize("page", ["front", "exchange", "strangers", "stranger", "absent"])
def test_it_reads_on_any_screen(
    opened: Opener, stage: Stage, tmp_path: Path, page: str, size: tuple[int, int], scheme: str
) -> None:
    paths = {
        "front": "/",
        "exchange": f"/exchanges/{stage.keys['watched']}",
        "strangers": "/submissions",
        "stranger": f"/exchanges/{stage.keys['stranger']}",
        "absent": "/nothing",
    }
    tab = opened(*size, scheme=scheme, path=paths[page])
    tab.screenshot(path=tmp_path / "page.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    for kind in (".alarm", ".warn", ".badge.good", ".badge.bad", ".badge.plain", "button"):
        for element in tab.locator(kind).all()[:2]:
            assert contrast(element) >= 4.5
    assert (luminance(style(tab.locator("body"), "backgroundColor")) < 0.1) == (scheme == "dark")


def test_alarms_are_red(opened: Opener) -> None:
    border = style(opened().locator(".alarm").first, "borderTopColor")
    red, green, blue = (int(part) for part in border[4:-1].split(","))
    assert red > 1.4 * max(green, blue)


def test_strangers_stand_apart_and_are_not_green(opened: Opener, stage: Stage) -> None:
    tab = opened()
    front = tab.inner_text("main")
    assert not any(name in front for name in NAMES)
    tab.click("text=on a page of their own")
    assert "Anybody can make this" in tab.inner_text("main")
    assert tab.locator(".badge.good").count() == 0
    assert sorted(tab.locator(".badge.plain").all_inner_texts()) == ["fails", "holds"]
    first = tab.locator("section", has_text=NAMES[0])
    assert "looks like that of Example Exchange" in first.inner_text()
    assert first.locator("h2 bdi").inner_text() == NAMES[0]
    table = tab.locator("form table").inner_text()
    assert "argument.rejected" in table  # of the last, whose copy counts for nothing
    assert not any(name in tab.inner_text("main") for name in NAMES[1:])
    first.locator("text=all under this key").click()
    assert tab.url.endswith(stage.keys["stranger"])
    assert "Anybody can make this" in tab.inner_text("main")
    assert tab.locator(".badge.good").count() == 0
    assert tab.locator("svg circle").count() == 0
    tab.click("text=Handed in")
    tab.click("text=Exchanges")
    assert tab.url == f"{stage.url}/"


def test_a_name_turns_nothing_around_it(opened: Opener) -> None:
    """What stands beside the name keeps its direction: its box begins where it would."""
    tab = opened(path="/submissions")
    sections = tab.locator("section").all()
    assert len(sections) == 2
    lefts = [section.locator("p.soft").first.bounding_box() for section in sections]
    assert all(left is not None for left in lefts)
    assert len({left["x"] for left in lefts if left}) == 1
    assert tab.locator("h2 bdi").count() == 2


def test_what_it_says_of_an_honest_exchange(opened: Opener) -> None:
    section = opened().locator("section", has_text="Example Exchange")
    text = section.inner_text()
    assert text.count("accepted") == 5
    assert "ETH 11/10, header" in text
    assert "24,000,000\n12 minutes before the snapshot" in text
    assert "900,000\ntime not proved" in text
    assert "UTC\n1 hour ago\n" in text
    assert "UTC\n4 days ago\n" in text
    assert section.get_by_role("alert").count() == 0
    assert section.locator("svg circle.good").count() == 5
    picture = section.get_by_role("img").get_attribute("aria-label")
    assert picture is not None
    assert picture.count("accepted, at least 1.10 of liabilities") == 2
    heights = [
        float(circle.get_attribute("cy") or "nan") for circle in section.locator("circle").all()
    ]
    assert heights[0] == heights[1] > heights[2] > heights[3] == heights[4]


def test_alarms_are_red_and_lead_to_the_evidence(opened: Opener, stage: Stage) -> None:
    tab = opened()
    section = tab.locator("section", has_text="Second Exchange")
    alarms = section.get_by_role("alert")
    said = alarms.all_inner_texts()
    for text in (
        "2 different manifests are signed for snapshot week-2",
        "The exchange’s history no longer has snapshot week-1",
        "The exchange’s history has changed what it says of snapshot week-2",
        "No new snapshot in time",
    ):
        assert any(text in alarm for alarm in said), said
    assert section.locator("svg circle.bad").count() == 2
    assert section.locator(".badge.good").count() == 1  # of week-1, which no alarm names
    assert "rejected" in section.inner_text()
    assert "argument.rejected" in section.inner_text()
    equivocation = alarms.filter(has_text="2 different manifests")
    links = [str(link.get_attribute("href")) for link in equivocation.get_by_role("link").all()]
    assert sorted(links) == sorted(
        f"/manifests/{digest}.{kind}" for digest in stage.digests for kind in ("msgpack", "sig")
    )


def test_a_customer_s_package(opened: Opener, stage: Stage) -> None:
    tab = opened()
    tab.set_input_files("#package", stage.package)
    tab.click("text=Check it")
    assert tab.inner_text("h1") == "The package holds"
    tab.click("text=Back")
    tab.set_input_files("#package", stage.failing)
    tab.click("text=Check it")
    assert tab.inner_text("h1") == "The package fails"
    assert "inclusion.wrong-amount" in tab.inner_text("main")
    tab.click("text=Back")
    assert tab.get_by_text("customer’s package fails").is_visible()
    tab.click("a:has-text('inclusion.wrong-amount')")
    assert "alice" not in tab.content()
    assert sha256(stage.failing.read_bytes()).hexdigest() in tab.content()
    assert tab.locator("button").count() == 0


def test_the_keyboard_is_enough(opened: Opener) -> None:
    tab = opened(path="/submissions")
    for _ in range(200):
        tab.keyboard.press("Tab")
        focused = tab.locator(":focus")
        assert style(focused, "outlineStyle") != "none"
        if focused.get_attribute("id") == "bundle":
            break
    tab.keyboard.type("https://user@example.com/proof")
    tab.keyboard.press("Tab")
    tab.keyboard.type(public_key_text(b"\x11" * 32))
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=Not taken")
    assert "without credentials" in tab.inner_text("main")


def test_every_field_has_a_label(opened: Opener) -> None:
    tab = opened(path="/submissions")
    assert tab.get_by_label("Address of the proof").get_attribute("id") == "bundle"
    assert tab.get_by_label("The exchange’s public key").get_attribute("id") == "key"
    other = opened()
    assert other.get_by_label("Inclusion file").get_attribute("id") == "package"
    for page in (tab, other):
        assert page.locator("th:not([scope])").count() == 0
        assert page.locator("html[lang=en]").count() == 1
