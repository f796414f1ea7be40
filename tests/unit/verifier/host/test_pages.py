"""What the host's pages hold: the front and its order, months, feeds, and words for all of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.outcomes import DAY, EXCHANGE, KEY, NOW, holding, keep, named, seen, settings
from verifier.errors import Code
from verifier.format.times import utc_text
from verifier.host import alarms
from verifier.host import store as store_module
from verifier.host.alarms import Alarm
from verifier.host.answers import Table, render
from verifier.host.facts import grouped
from verifier.host.feed import feed_of
from verifier.host.front import ALARMS, ROWS
from verifier.host.pages import ENTRIES, NEWEST, Views
from verifier.host.settings import WatchedExchange
from verifier.host.standing import Bar
from verifier.host.store import Complaint, FailedRecord, Outcome, Store
from verifier.texts import alarm_words, explain

OTHER = b"o" * 32
ATOM = "{http://www.w3.org/2005/Atom}"
SHOWN = holding(("BTC", "header", 105, 100), ("USDT", "claimed", 1, 1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "host.sqlite")) as opened:
        yield opened


def watched(number: int, name: str) -> WatchedExchange:
    return WatchedExchange(name, "", f"https://{number}.example", bytes([number]) * 32, 2 * DAY)


def filled(store: Store, *exchanges: WatchedExchange) -> Views:
    for entry in exchanges:
        store.note_look(entry.public_key, NOW, "")
    return Views(settings(*exchanges), store, NOW)


def test_the_front_says_how_all_stand_and_trouble_comes_first(store: Store) -> None:
    names = ("Word", "Holds", "Late", "Fails", "None", "Forks", "abc holds")
    exchanges = [watched(number, name) for number, name in enumerate(names, 1)]
    word, holds, late, fails, _, forks, second = (one.public_key for one in exchanges)
    claimed = holding(("BTC", "claimed", 1, 1))
    keep(store, seen("a", public_key=word, details=claimed))
    keep(store, seen("a", public_key=holds, details=SHOWN))
    keep(store, seen("a", public_key=late, details=SHOWN, time=NOW - 9 * DAY))
    keep(store, seen("a", public_key=fails, code="argument.rejected"))
    for time in (NOW - 60, NOW - 120):
        keep(store, seen("a", public_key=forks, details=SHOWN, time=time))
    keep(store, seen("a", public_key=second, details=SHOWN))
    front = filled(store, *exchanges).front(NOW)
    assert front.sentence == "7 exchanges watched. 4 need your attention."
    assert dict(front.counts) == {"holds": 2, "word": 1, "fails": 2, "unknown": 2}
    order = ["Fails", "Forks", "Late", "None", "Word", "abc holds", "Holds"]
    assert [row.name for row in front.rows] == order
    assert [row.standing.look for row in front.rows] == [*["bad"] * 2, *["warn"] * 3, *["good"] * 2]
    assert [(row.name, group.kind) for row, group in front.alarms] == [
        ("Forks", "equivocation"),
        ("Fails", "rejected"),
        ("Late", "overdue"),
        ("None", "overdue"),
    ]
    by_name = {row.name: row for row in front.rows}
    assert by_name["Holds"].on_word == "USDT"
    assert by_name["Late"].late == "7 days"
    assert by_name["Forks"].coins == by_name["Fails"].coins == []


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "No exchange is watched yet."),
        (1, "1 exchange watched. 1 needs your attention."),
        (2, "2 exchanges watched. 2 need your attention."),
    ],
)
def test_the_sentence_counts(store: Store, count: int, sentence: str) -> None:
    front = filled(store, *(watched(number, "A") for number in range(1, count + 1))).front(NOW)
    assert front.sentence == sentence


def test_nothing_wrong_is_said_so(store: Store) -> None:
    keep(store, seen("a", details=SHOWN))
    assert filled(store, EXCHANGE).front(NOW).sentence.endswith("None needs your attention.")


def test_the_front_is_constant_in_size(store: Store) -> None:
    front = filled(store, *(watched(number, f"Number {number}") for number in range(1, 121)))
    found = front.front(NOW)
    rows, total, pages = found.page(1, "")
    assert (len(rows), total, pages) == (ROWS, 120, 3)
    assert [len(found.page(number, "")[0]) for number in (2, 3, 4)] == [ROWS, 20, 0]
    assert (len(found.alarms), found.alarms_total) == (ALARMS, 120)
    assert len(front.exchanges(6, NOW)) == 20
    assert front.exchange_pages() == 6


def test_a_search_finds_names_and_keys(store: Store) -> None:
    found = filled(store, watched(1, "Northwind Exchange"), watched(2, "Kestrel")).front(NOW)

    def names(text: str) -> list[str]:
        return [row.name for row in found.page(1, text)[0]]

    assert names("NORTH") == names("wind ex") == ["Northwind Exchange"]
    assert names("0202") == ["Kestrel"]
    assert names("assay1") == names("e")
    assert names("<b>") == []


def no_days(_: int) -> list[Bar]:
    """In place of a function that a row has of its own."""
    return []


def test_what_is_kept_of_the_front_is_what_is_made_anew(store: Store) -> None:
    """As the clock goes on, looks succeed, fail or stay away, and histories change."""
    names = ("Word", "Holds", "Ahead", "None", "Told")
    exchanges = [watched(number, name) for number, name in enumerate(names, 1)]
    word, holds, ahead, none, told = (one.public_key for one in exchanges)
    keep(store, seen("a", public_key=word, details=holding(("BTC", "claimed", 1, 1))))
    keep(store, seen("a", public_key=holds, details=SHOWN))
    keep(store, seen("a", public_key=ahead, details=SHOWN, time=NOW + 3 * DAY, at=NOW - DAY))
    first = seen("a", public_key=told, details=SHOWN)
    keep(store, first)
    views, table = filled(store, *exchanges), Table()
    changes: dict[int, Callable[[], object]] = {
        NOW + 2 * DAY: lambda: store.note_look(holds, NOW + 2 * DAY, "no answer"),
        NOW + 4 * DAY: lambda: keep(
            store, seen("b", public_key=none, details=SHOWN, time=NOW + 4 * DAY)
        ),
        NOW + 5 * DAY: lambda: store.add_complaint(
            told, Complaint(b"c" * 32, first.digest, "inclusion.wrong-amount", "", NOW)
        ),
        NOW + 6 * DAY: lambda: keep(
            store,
            seen("c", public_key=holds, code="argument.rejected", time=NOW + 6 * DAY),
        ),
    }
    shown: dict[bytes, set[str]] = {}
    for now in range(NOW, NOW + 8 * DAY, DAY // 6):
        if now in changes:
            changes[now]()
        kept, fresh = views.front(now), Views(settings(*exchanges), store, NOW).front(now)
        assert [replace(row, last_days=no_days) for row in kept.rows] == [
            replace(row, last_days=no_days) for row in fresh.rows
        ]
        for one, other in zip(kept.rows, fresh.rows, strict=True):
            html = table.row(one, now)
            assert html == Table().row(other, now)
            shown.setdefault(one.key, set()).add(html)
    assert all(len(drawn) > 3 for drawn in shown.values())


def test_a_row_is_kept_until_it_says_something_else(store: Store) -> None:
    keep(store, seen("a", details=SHOWN))
    views, table = filled(store, EXCHANGE), Table()
    ((first,), (later,)) = (views.front(now).rows for now in (NOW, NOW + 60))
    assert later is first
    assert table.row(later, NOW + 60) is table.row(first, NOW)
    store.note_look(KEY, NOW + 120, "no answer")
    (other,) = views.front(NOW + 120).rows
    assert "could not be read" in table.row(other, NOW + 120)


def test_many_coins_are_no_better_than_the_weakest(store: Store) -> None:
    levels = ["header"] * 5 + ["claimed"]
    assets = [(f"C{number}", level, 1, 1) for number, level in enumerate(levels)]
    keep(store, seen("a", details=holding(*assets)))
    (row,) = filled(store, EXCHANGE).front(NOW).rows
    assert [(coin.code, coin.look) for coin in row.shown_coins] == [
        *((f"C{number}", "header") for number in range(3)),
        ("+3", "word"),
    ]


def test_what_else_was_signed_and_fails_is_an_alarm_for_a_month(store: Store) -> None:
    old, new = named("old", time=NOW - 40 * DAY), named("new", follows="old", details=SHOWN)
    keep(store, old)
    keep(store, new)
    views = filled(store, EXCHANGE)
    assert views.overview(KEY, NOW).standing == "holds"
    store.add_complaint(KEY, Complaint(b"c" * 32, old.digest, "inclusion.wrong-amount", "", NOW))
    view = views.overview(KEY, NOW)
    assert (view.standing, view.failing) == ("holds", 1)
    store.add_complaint(KEY, Complaint(b"d" * 32, new.digest, "inclusion.wrong-amount", "", 7))
    record = FailedRecord(b"r" * 32, new.digest, "argument.rejected", "BTC", NOW, b"r", b"s")
    store.add_record(KEY, record)
    view = views.overview(KEY, NOW)
    assert [(one.kind, one.since) for one in view.alarms] == [
        ("complaint", 7),
        ("failed-record", NOW),
    ]
    assert view.standing == "fails"
    assert view.snapshots[0]["look"] == "bad"


def stands(store: Store, **looked: str) -> tuple[str, str, str]:
    """How the front, the badge and the page have the exchange, once it was looked at."""
    views = filled(store, EXCHANGE)
    store.note_look(KEY, NOW, looked.get("fault", ""))
    (row,) = views.front(NOW).rows
    view = views.overview(KEY, NOW)
    assert (view.standing, view.badge.text.split(" · ")[0]) == (row.standing, row.standing)
    return row.standing, row.date[:6], view.snapshots[0]["said"]


def test_a_newest_proof_that_cannot_be_audited_is_amber(store: Store) -> None:
    """Also where there is no index; for as long as an audit may go on it says nothing."""
    fault = "bundle.missing-file: arguments.msgpack"
    keep(store, named("a", details=SHOWN, time=NOW - DAY))
    item = named("b", follows="a", time=NOW - 3600, code="check.unreadable")
    keep(store, replace(item, own=False))
    assert stands(store, fault=fault)[0] == "holds"  # whatever else was handed in
    keep(store, item)
    assert stands(store)[0] == "holds"
    assert stands(store, fault=fault) == ("not all audited", "14 Jan", "not audited")
    views = filled(store, EXCHANGE)
    store.note_look(KEY, NOW, fault)
    (alarm,) = views.overview(KEY, NOW).alarms
    assert (alarm.kind, alarm.since) == ("unaudited", NOW - 3600)
    assert alarm.text == f"snapshot b could not be audited: {fault}"
    store.note_look(KEY, NOW, "")  # the place has the one before again
    late = NOW + settings().audit_seconds
    kinds = [[one.kind for one in views.overview(KEY, at).alarms] for at in (NOW, late)]
    assert kinds == [[], ["unwatched", "unaudited"]]


def test_a_proof_that_was_dated_ahead_is_grey_once_its_date_has_come(store: Store) -> None:
    """It is audited again then; where its bundle is gone, nobody knows whether it holds."""
    keep(store, named("a", details=SHOWN, time=NOW - 2 * DAY))
    ahead = named("b", follows="a", time=NOW - 60, at=NOW - DAY - 7200, code="check.future")
    keep(store, ahead)
    before = filled(store, EXCHANGE).overview(KEY, NOW - DAY - 3600)
    assert (before.standing, before.snapshots[0]["said"]) == ("dated ahead", "dated ahead")
    found = stands(store, fault="bundle.missing-file")
    assert found == ("not all audited", "13 Jan", "not audited")
    (shown, _) = filled(store, EXCHANGE).overview(KEY, NOW).snapshots
    assert (shown["look"], shown["ahead"], shown["outcome"]) == ("plain", False, "not audited")
    keep(store, replace(ahead, code="", details=SHOWN))
    assert stands(store) == ("holds", "15 Jan", "holds")


def test_a_copy_is_no_newest_proof(store: Store) -> None:
    """How an exchange stands is told by what it publishes, as is whether it is late."""
    copy = named("c", follows="a", time=NOW - 3600, details=SHOWN, own=False)
    keep(store, copy)
    assert stands(store) == ("no proof yet", "", "holds")
    word = holding(("BTC", "claimed", 1, 1))
    keep(store, named("a", details=word, time=NOW - DAY))
    assert stands(store) == ("on its word", "14 Jan", "holds")
    keep(store, replace(copy, own=True, served=NOW))
    assert stands(store) == ("holds", "15 Jan", "holds")


@pytest.mark.parametrize("code", ["check.unreadable", "argument.rejected", ""])
def test_signed_arguments_that_fail_are_told_once_whatever_came_of_the_snapshot(
    store: Store, code: str
) -> None:
    """A copy is enough to show what the exchange signed, though that copy cannot be audited."""
    keep(store, named("a", details=SHOWN, time=NOW - 7200))
    item = named("b", follows="a", time=NOW - 3600, own=bool(code != "check.unreadable"), code=code)
    keep(store, item)
    record = FailedRecord(b"r" * 32, item.digest, "argument.rejected", "BTC", NOW, b"r", b"s")
    store.add_record(KEY, record)
    views = filled(store, EXCHANGE)
    (row,) = views.front(NOW).rows
    told = "rejected" if code == "argument.rejected" else "failed-record"
    assert (row.standing, [group.kind for group in row.alarms]) == ("fails", [told])
    assert views.overview(KEY, NOW).badge.text.startswith("fails")
    assert row.last_days(NOW)[-1] == Bar("failed", 10)


def test_a_history_is_paged_by_month(store: Store) -> None:
    times = [datetime.fromisoformat(f"2026-{text}T12:00:00+00:00").timestamp() for text in DATES]
    for number, time in enumerate(times):
        keep(store, named(f"s{number}", follows=f"s{number - 1}", time=int(time), at=int(time)))
    views = filled(store, EXCHANGE)
    assert views.newest_month(KEY) == "2026-11"
    month = views.month(KEY, "2026-09")
    assert month is not None
    assert (month.earlier, month.later, month.total) == ("2026-02", "2026-11", 2)
    assert (month.title, month.earlier_title) == ("September 2026", "February 2026")
    view = views.exchange(KEY, 1, NOW, month.dates)
    assert [item["id"] for item in view.snapshots] == ["s2", "s1"]
    first, last = views.month(KEY, "2026-02"), views.month(KEY, "2026-11")
    assert first is not None
    assert last is not None
    assert (first.earlier, last.later) == ("", "")
    for name in ("2026-10", "2026-13", "0000-01", "2026-1", "9999-12", "", "２０２６-09"):
        assert views.month(KEY, name) is None


DATES = ("02-28", "09-01", "09-30", "11-01")


def parsed(views: Views, key: bytes | None = None) -> ElementTree.Element:
    page = "/" if key is None else f"/exchanges/{key.hex()}"
    news = views.feed(key, NOW)
    feed = feed_of("assay1key", "<b>&", page, news, settings(EXCHANGE))
    return ElementTree.fromstring(render("feed.atom", feed=feed))  # noqa: S314 (our own text)


def test_a_feed_has_what_atom_asks_for(store: Store) -> None:
    """RFC 4287, 4.1.1 and 4.1.2: ids, titles, times, an author; one link of a kind."""
    keep(store, named("a", time=NOW - 2 * DAY, details=SHOWN))
    keep(store, named("b", follows="a", code="argument.rejected"))
    keep(store, named("c", follows="b", code="check.unreadable", time=NOW - 60))
    views = filled(store, EXCHANGE)
    for key in (None, KEY):
        root = parsed(views, key)
        assert root.tag == f"{ATOM}feed"
        links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
        page = "/" if key is None else f"/exchanges/{KEY.hex()}"
        assert links == {"self": "/feed.atom" if key is None else f"{page}.atom", "alternate": page}
        assert root.findtext(f"{ATOM}author/{ATOM}name") == "A"
        entries = root.findall(f"{ATOM}entry")
        assert [one.findtext(f"{ATOM}title") for one in entries] == [
            "An Exchange, 14 Jan 2027, 08:00 UTC: fails",
            "An Exchange published a proof that fails",
            "An Exchange, 13 Jan 2027, 08:00 UTC: holds",
        ]
        ids = [one.findtext(f"{ATOM}id") or "" for one in (root, *entries)]
        assert len(set(ids)) == 4
        assert all(one.startswith("urn:uuid:") for one in ids)
        times = [one.findtext(f"{ATOM}updated") or "" for one in (root, *entries)]
        assert times == sorted(times, reverse=True)
        assert all(datetime.fromisoformat(time).tzinfo for time in times)
        for one in entries:
            assert one.findtext(f"{ATOM}summary")
            assert len(one.findall(f"{ATOM}link")) == 1
    assert "BTC 1.05 (shown by evidence), USDT 1.00 (on its word)" in ElementTree.tostring(
        parsed(views), encoding="unicode"
    )


def test_what_came_of_a_snapshot_later_is_the_same_entry(store: Store) -> None:
    first = named("a", code="argument.rejected")
    keep(store, first)
    views = filled(store, EXCHANGE)
    before = [one.findtext(f"{ATOM}id") for one in parsed(views).findall(f"{ATOM}entry")]
    keep(store, replace(first, code="", audited=NOW, found=NOW, details=SHOWN))
    (after,) = parsed(views).findall(f"{ATOM}entry")
    assert after.findtext(f"{ATOM}id") in before
    assert after.findtext(f"{ATOM}updated") == "2027-01-15T08:00:00Z"


def test_what_an_audit_comes_to_again_is_no_news(store: Store) -> None:
    """A rejected proof is audited each hour."""
    first = named("c", time=NOW - 9 * 3600, code="argument.rejected")
    shown = []
    for hour in range(4):
        at = NOW - (8 - hour) * 3600
        keep(store, replace(first, audited=at, found=at))
        shown.append(ElementTree.tostring(parsed(filled(store, EXCHANGE))))
    assert len(set(shown)) == 1


def test_a_feed_says_what_the_page_says(store: Store) -> None:
    """Of two manifests for one snapshot, of a copy, and of one of which a package fails."""
    for time in (NOW - 7200, NOW - 7140):
        keep(store, seen("a", details=SHOWN, time=time))
    failing = seen("b", follows="x", details=SHOWN, time=NOW - 3600)
    keep(store, failing)
    store.add_complaint(KEY, Complaint(b"c" * 32, failing.digest, "inclusion.wrong-amount", "", 1))
    keep(store, seen("c", details=SHOWN, time=NOW - 60, own=False, follows="y"))
    views = filled(store, EXCHANGE)
    titles = [one.findtext(f"{ATOM}title") or "" for one in parsed(views).findall(f"{ATOM}entry")]
    said = [title.split("UTC: ")[1] for title in titles if "UTC: " in title]
    assert said == [
        "holds, in a copy that somebody handed in",
        "fails",
        *["holds, but see the alarm"] * 2,
    ]
    shown = [item["said"] for item in views.overview(KEY, NOW).snapshots]
    assert shown == ["holds", *said[1:]]


def test_what_is_signed_and_fails_is_red_in_its_own_row_however_old(store: Store) -> None:
    old, new = named("old", time=NOW - 40 * DAY, details=SHOWN), named("new", follows="old")
    other = named("other", follows="new", time=NOW - 3600, details=SHOWN)
    for item in (old, new, other):
        keep(store, item)
    store.add_complaint(KEY, Complaint(b"c" * 32, old.digest, "inclusion.wrong-amount", "", NOW))
    record = FailedRecord(b"r" * 32, new.digest, "argument.rejected", "BTC", NOW, b"r", b"s")
    store.add_record(KEY, record)
    shown = filled(store, EXCHANGE).overview(KEY, NOW).snapshots
    assert [(item["look"], item["said"]) for item in shown] == [
        ("good", "holds"),
        *[("bad", "fails")] * 2,
    ]
    assert filled(store, EXCHANGE).overview(KEY, NOW).standing == "fails"


def test_a_feed_is_bounded_and_may_be_empty(store: Store) -> None:
    views = filled(store, EXCHANGE)
    assert parsed(views).findall(f"{ATOM}entry") == []
    for number in range(60):
        keep(store, seen(f"s{number}", time=NOW - number))
    assert len(parsed(views).findall(f"{ATOM}entry")) == ENTRIES


@pytest.mark.parametrize(
    "code", ["proof.unknown-slot", "inclusion.wrong-opening", "evidence.too-many-rows"]
)
def test_a_code_that_an_earlier_version_wrote_is_shown_as_such(store: Store, code: str) -> None:
    """It takes down no page, neither of its exchange nor of all."""
    item = seen("a", code=code, details=SHOWN)
    keep(store, item)
    store.add_complaint(KEY, Complaint(b"c" * 32, item.digest, code, "BTC", NOW))
    views = filled(store, EXCHANGE, watched(1, "Innocent"))
    (row, other) = views.front(NOW).rows
    assert (row.standing, other.standing) == ("fails", "no proof yet")
    told = {group.kind: group for group in row.alarms}["rejected"]
    assert (told.code, "earlier version" in told.finding) == (code, True)
    assert code in ElementTree.tostring(parsed(views), encoding="unicode")
    (shown,) = views.overview(KEY, NOW).snapshots
    assert (shown["look"], shown["assets"]) == ("bad", [])
    assert (shown["code"], shown["finding"]) == (code, told.finding)
    keep(store, seen("a", public_key=OTHER, own=False, code=code))
    assert views.strangers(NOW)[0]["finding"] == shown["finding"]


def test_another_alarm_of_a_kind_is_news_however_many_there_are(store: Store) -> None:
    ids = set()
    for day in range(9, 0, -1):
        for at in (0, 60):
            name = f"{day}{'' if day == 9 else day + 1}"
            keep(store, seen(str(day), time=NOW - day * DAY + at, follows=name))
        entries = parsed(filled(store, EXCHANGE)).findall(f"{ATOM}entry")
        (found,) = [
            one for one in entries if "different proofs" in str(one.findtext(f"{ATOM}title"))
        ]
        ids.add(found.findtext(f"{ATOM}id"))
        assert found.findtext(f"{ATOM}updated") == utc_text(NOW - day * DAY + 60)
    assert len(ids) == 9


def test_what_comes_while_keys_are_read_is_read_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that tells of an older key, from the thread that watches, at the worst moment."""
    keep(store, seen("x", public_key=OTHER, time=NOW - 3 * DAY))
    keep(store, named("a", details=SHOWN, time=NOW - DAY))
    views, read = filled(store, EXCHANGE), store.snapshots
    change = {**SHOWN, "old_keys": [OTHER.hex()]}
    coming = [named("b", follows="a", details=change, time=NOW - 3600)]

    def snapshots(*values: object, **more: object) -> list[Outcome]:
        found = read(*values, **more)  # type: ignore[arg-type]
        if coming:
            keep(store, coming.pop())
        return found

    monkeypatch.setattr(store, "snapshots", snapshots)
    assert views.present_keys() == {KEY: KEY}
    assert views.present_keys() == {KEY: KEY, OTHER: KEY}
    assert views.overview(KEY, NOW).total == 3


@pytest.mark.parametrize("number", [60, 120])
def test_what_a_stranger_s_pages_read_does_not_grow(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for at in range(number):
        keep(store, seen(f"s{at}", public_key=OTHER, own=False, time=NOW - 60 * at))
    views = filled(store, EXCHANGE)
    views.present_keys()
    read, parse = [], store_module._read

    def counted(kind: Any, row: Any) -> Any:
        read.append(row)
        return parse(kind, row)

    monkeypatch.setattr(store_module, "_read", counted)
    assert views.version(OTHER)[2] == 1 + number // 50
    assert len(views.manifests(OTHER, "s7")) == 1
    assert views.month(OTHER, "2027-01") is not None
    assert read == []
    view = views.overview(OTHER, NOW)
    assert (view.total, len(view.snapshots), len(read)) == (number, NEWEST, NEWEST)
    assert len(views.exchange(OTHER, 2, NOW).snapshots) == min(number - 50, 50)


def test_what_a_stranger_signed_has_no_colour(store: Store) -> None:
    """Neither red: they chose the name that it stands under."""
    for at in (0, 60):
        item = seen("s", public_key=OTHER, own=False, time=NOW - 900 + at, details=SHOWN)
        keep(store, item)
    store.add_complaint(OTHER, Complaint(b"c" * 32, item.digest, "inclusion.wrong-amount", "", 1))
    record = FailedRecord(b"r" * 32, item.digest, "argument.rejected", "BTC", NOW, b"r", b"s")
    store.add_record(OTHER, record)
    view = filled(store, EXCHANGE).overview(OTHER, NOW)
    assert [alarm.kind for alarm in view.alarms] == ["equivocation", "complaint", "failed-record"]
    page = render("exchange.html", settings=settings(EXCHANGE), exchange=view, page=1).decode()
    looks = set(re.findall(r'class="(?:alarm|b|num|coin) (\w+)"', page))
    assert looks == {"plain", "header"}


def test_two_manifests_of_one_snapshot_are_found_by_key_and_id(store: Store) -> None:
    for number in range(3):
        keep(store, seen("a", time=NOW - number))
    keep(store, seen("b"))
    views = filled(store, EXCHANGE)
    assert len(views.manifests(KEY, "a")) == 3
    assert views.manifests(KEY, "c") == views.manifests(OTHER, "a") == []


def test_strangers_are_counted_and_nothing_more(store: Store) -> None:
    keep(store, seen("a"))
    for number, code in enumerate(["", "", "argument.rejected", "check.unreadable"]):
        keep(store, seen("a", public_key=bytes([number]) * 32, own=False, code=code))
    views = filled(store, EXCHANGE)
    assert views.strangers_count() == (2, 1)
    assert len(views.front(NOW).rows) == 1


def test_every_alarm_and_every_code_has_words() -> None:
    for kind in (*alarms.SIGNED, alarms.OVERDUE, alarms.UNAUDITED, alarms.UNWATCHED):
        words = alarm_words(kind)
        assert all((words.title, words.finding, words.advice))
        (group,) = grouped([Alarm(kind, "")])
        assert group.look == ("bad" if kind in alarms.SIGNED else "warn")
    for code in Code:
        assert explain(code).finding
        (group,) = grouped([Alarm(alarms.REJECTED, "", code=code)])
        assert (group.finding, group.advice) == (explain(code).finding, explain(code).advice)
