"""The auditing host's pages in a real browser, without scripts: standing, alarms, bars, forms."""

from __future__ import annotations

import re
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
    place: str

    def path(self, of: str) -> str:
        """The page of an exchange."""
        return f"/exchanges/{self.keys[of]}"


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
def stage(tmp_path_factory: pytest.TempPathFactory, check_page: Path) -> Iterator[Stage]:
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
            more=f'page = "{check_page}"\n',
        )
        host.wait(lambda found: [len(one["snapshots"]) for one in found] == [5, 2])
        rival = bundle_at(folder / "rival", head={**head, "time": now - 8 * DAY + 60})
        (bad / "snapshots" / "week-2").rename(folder / "gone")
        rival.folder.rename(bad / "snapshots" / "week-2")
        entry = Entry(rival.digest, first.digest, "week-2", rival.manifest.time)
        index = write_history(History("An Exchange", first.key, (entry,)))
        (bad / "history.json").write_bytes(index)
        host.wait(lambda found: len(found[1]["alarms"]) == 5)
        strangers = hand_in_strangers(host, folder / "served", url)
        digests = [bundle.digest.hex() for bundle in (second, rival)]
        keys = {"good": key.hex(), "bad": first.key.hex(), "stranger": strangers[0].key.hex()}
        place = f"{url}/good"
        yield Stage(f"http://127.0.0.1:{host.port}", host, holds, fails, digests, keys, place)


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


PAGES = ("front", "search", "good", "bad", "month", "strangers", "stranger", "absent")


def path_of(stage: Stage, page: str) -> str:
    if page in stage.keys:
        return stage.path(page)
    month = time.strftime("%Y-%m", time.gmtime(time.time() - 3600))
    return {
        "front": "/",
        "search": "/?q=second",
        "month": f"{stage.path('good')}?month={month}",
        "strangers": "/submissions",
        "absent": "/nothing",
    }[page]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844), (320, 600)], ids=["desk", "phone", "s"])
@pytest.mark.parametrize("page", PAGES)
def test_it_reads_on_any_screen(
    opened: Opener, stage: Stage, tmp_path: Path, page: str, size: tuple[int, int], scheme: str
) -> None:
    tab = opened(*size, scheme=scheme, path=path_of(stage, page))
    tab.screenshot(path=tmp_path / "page.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert (luminance(style(tab.locator("body"), "backgroundColor")) < 0.1) == (scheme == "dark")
    for details in tab.locator("summary").all()[:3]:
        details.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(
    chromium: Browser, stage: Stage, axe: str, page: str, scheme: str
) -> None:
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(stage.url + path_of(stage, page))
    for details in tab.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    tab.evaluate(axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    context.close()
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 10


def test_alarms_have_the_colours_of_what_they_show(opened: Opener, stage: Stage) -> None:
    tab = opened(path=stage.path("bad"))
    colours = {}
    for kind in ("bad", "warn"):
        text = style(tab.locator(f".alarm.{kind} h3").first, "color")
        colours[kind] = [int(part) for part in text[4:-1].split(",")]
    red, green, blue = colours["bad"]
    assert red > 3 * max(green, blue)
    red, green, blue = colours["warn"]
    assert red > green > blue  # amber


def test_strangers_stand_apart_and_are_not_green(opened: Opener, stage: Stage) -> None:
    tab = opened()
    front = tab.inner_text("main")
    assert not any(name in front for name in NAMES)
    assert "See 1 that holds and 1 that fails" in front
    tab.click("text=on a page of their own")
    assert "Anybody can make this" in tab.inner_text("main")
    assert not_green(tab)
    assert sorted(tab.locator(".b.plain").all_inner_texts()) == ["Fails", "Holds"]
    first = tab.locator("section", has_text=NAMES[0])
    assert "looks like that of Example Exchange" in first.inner_text()
    assert first.locator("h2 bdi").inner_text() == NAMES[0]
    table = tab.locator("form table").inner_text()
    assert "argument.rejected" in table  # of the last, whose copy counts for nothing
    assert not any(name in tab.inner_text("main") for name in NAMES[1:])
    first.locator("text=all under this key").click()
    assert tab.url.endswith(stage.keys["stranger"])
    assert "Anybody can make this" in tab.inner_text("main")
    assert not_green(tab)
    assert tab.locator(".days").count() == 0
    tab.click("main >> text=Handed in")
    tab.click("main >> text=Exchanges")
    assert tab.url == f"{stage.url}/"


def not_green(tab: Page) -> bool:
    """Nothing has the colours of what holds, or of a coin that was confirmed."""
    return tab.locator(".good, .coin.chain, .held").count() == 0


def test_a_name_turns_nothing_around_it(opened: Opener) -> None:
    """What stands beside the name keeps its direction: its box begins where it would."""
    tab = opened(path="/submissions")
    sections = tab.locator("section").all()
    assert len(sections) == 2
    lefts = [section.locator("p.soft").first.bounding_box() for section in sections]
    assert all(left is not None for left in lefts)
    assert len({left["x"] for left in lefts if left}) == 1
    assert tab.locator("h2 bdi").count() == 2


def test_the_front_says_how_all_stand(opened: Opener, stage: Stage) -> None:
    tab = opened()
    assert tab.inner_text("h1") == "2 exchanges watched. 1 needs your attention."
    numbers = [text.split("\n")[0] for text in tab.locator(".num").all_inner_texts()]
    assert numbers == ["1", "0", "1", "0"]
    bad, good = tab.locator("tbody tr").all()
    assert "Second Exchange" in bad.inner_text()
    assert "Fails" in bad.inner_text()  # signed arguments do, of a proof that was replaced
    assert "no figures: see the alarm" in bad.inner_text()
    assert bad.locator(".coin").count() == 0
    assert good.locator(".b.good").inner_text() == "Holds"
    assert good.locator(".coin.header").all_inner_texts() == ["ETH 1.10", "USDT 1.10"]
    assert good.get_by_role("img").get_attribute("aria-label") == "Last 30 days: 5 held"
    path = good.locator("path.held").get_attribute("d") or ""
    heights = [float(part.split("v-")[1]) for part in path.split("M")[1:]]
    assert heights == sorted(heights)
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]
    alarms = tab.locator(".alarm").all_inner_texts()
    assert "Second Exchange signed different proofs for one snapshot" in alarms[0] + alarms[1]
    assert len(alarms) == 2  # of one exchange; its page has all
    assert "and 2 more" in tab.inner_text("main")
    tab.click("a.n:has-text('Second Exchange')")
    assert tab.url == stage.url + stage.path("bad")


def test_a_customer_gets_to_the_page_with_the_address_filled_in(
    opened: Opener, chromium: Browser, stage: Stage
) -> None:
    link = opened().locator("tr", has_text="Example Exchange").get_by_text("Check mine")
    href = link.get_attribute("href") or ""
    assert href.startswith("/check.html#bundle=http%3A%2F%2F")
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto(stage.url + href)
    assert tab.input_value("#bundle") == stage.place
    assert tab.input_value("#key") == ""
    tab.wait_for_selector("#notices:not([hidden])")  # the host's list, under its own key
    assert "You are here for the first time" in tab.inner_text("#notices")
    assert "Exchanges that" in (tab.text_content("#auditors") or "")
    context.close()
    policy = stage.host.request("GET", "/check.html").headers["Content-Security-Policy"]
    assert policy == "frame-ancestors 'none'"


def test_a_search_is_a_form(opened: Opener, stage: Stage) -> None:
    tab = opened()
    tab.fill("#q", "EXAMPLE")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/?q=EXAMPLE")
    assert tab.locator("tbody tr").count() == 1
    assert "1 of 2 has “EXAMPLE”" in tab.inner_text("[role=status]")
    tab.fill("#q", "<script>alert(1)</script>")
    tab.click("button:has-text('Find')")
    assert "0 of 2 have “<script>alert(1)</script>”" in tab.inner_text("[role=status]")
    tab.click("text=Show all")
    assert tab.locator("tbody tr").count() == 2


def test_what_it_says_of_an_honest_exchange(opened: Opener, stage: Stage) -> None:
    tab = opened(path=stage.path("good"))
    assert tab.locator("h1 bdi").inner_text() == "Example Exchange"
    lead = tab.inner_text(".lead")
    assert "its coins covered what it proved to owe" in lead
    assert "Shown by evidence, under blocks that we did not confirm: ETH, USDT." in lead
    table = tab.locator("table.snapshots")
    assert table.locator(".b.good").all_inner_texts() == ["Holds"] * 5
    text = table.inner_text()
    assert "UTC\n1 hour ago" in text
    assert "UTC\n4 days ago" in text
    assert tab.locator(".alarm").count() == 0
    assert "24,000,000" not in text
    tab.click("summary >> nth=0")
    opened_text = table.inner_text()
    assert "ETH 11/10, header" in opened_text
    assert "ethereum 24,000,000, 12 minutes before the snapshot" in opened_text
    assert "bitcoin 900,000, time not proved" in opened_text
    facts = tab.inner_text("aside")
    assert "a new proof within 2 days" in facts
    assert "none that holds" in facts
    key = tab.locator(".key span").all_inner_texts()
    assert "".join(key) == public_key_text(bytes.fromhex(stage.keys["good"]))
    assert [len(part) for part in key] == [6, *[4] * 14, 2]
    badge = tab.locator("aside svg[role=img] >> nth=1").get_attribute("aria-label") or ""
    assert badge.startswith("solvency proof: holds · ")
    tab.click("text=All 5 proofs, by month")
    total = tab.locator("table.snapshots tbody").count()
    while tab.locator("nav.pager a").count():  # to the oldest month, if yesterday was one
        tab.locator("nav.pager a").last.click()
        total += tab.locator("table.snapshots tbody").count()
        if total >= 5:
            break
    assert total == 5


def test_alarms_lead_to_the_evidence(opened: Opener, stage: Stage) -> None:
    tab = opened()
    tab.click("text=See what shows it >> nth=0")
    assert tab.url == f"{stage.url}{stage.path('bad')}#alarms"
    alarms = tab.locator(".alarm")
    said = alarms.all_inner_texts()
    for text in (
        "2 different manifests are signed for snapshot week-2",
        "the exchange’s history no longer has snapshot week-1",
        "the exchange’s history has changed what it says of snapshot week-2",
        "no new snapshot in time",
    ):
        assert any(text in alarm for alarm in said), said
    assert tab.locator(".hd .b.bad").inner_text() == "Fails"
    assert not_green(tab)  # what is not named by an alarm is on its word
    assert "Holds, but see the alarm" in tab.inner_text("table")
    assert "argument.rejected" in tab.inner_text("table")
    assert "rejected" in tab.inner_text("table").lower()
    equivocation = alarms.filter(has_text="2 different manifests")
    links = [str(link.get_attribute("href")) for link in equivocation.get_by_role("link").all()]
    assert sorted(links) == sorted(
        f"/manifests/{digest}.{kind}" for digest in stage.digests for kind in ("msgpack", "sig")
    )


def test_a_second_manifest_is_found_by_its_snapshot(stage: Stage) -> None:
    found = stage.host.read(f"/snapshots/{stage.keys['bad']}/week-2")
    assert sorted(found["manifests"]) == sorted(stage.digests)
    answer = stage.host.request("GET", f"/snapshots/{stage.keys['bad']}/week-2")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_badge_is_a_picture(opened: Opener, stage: Stage) -> None:
    tab = opened(path=f"{stage.path('bad')}.svg")
    assert tab.locator("text").all_text_contents()[0] == "solvency proof"
    title = tab.locator("svg").get_attribute("aria-label") or ""
    assert re.fullmatch(r"solvency proof: fails · \d{1,2} \w{3} \d{4}", title)
    for text in tab.locator("text").all():
        box, picture = text.bounding_box(), tab.locator("svg").bounding_box()
        assert box is not None
        assert picture is not None
        assert picture["x"] <= box["x"]
        assert box["x"] + box["width"] <= picture["x"] + picture["width"]


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
    tab.goto(stage.url + stage.path("bad"))
    assert tab.get_by_text("Customer’s package fails").first.is_visible()
    assert "1 customer’s file fails" in tab.inner_text("aside")
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
    assert other.get_by_label("Find an exchange").get_attribute("id") == "q"
    for page in (tab, other):
        assert page.locator("th:not([scope])").count() == 0
        assert page.locator("html[lang=en]").count() == 1
