"""What the host concludes of a history: which alarms, in which order of time, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.outcomes import DAY, EXCHANGE, KEY, NOW, digest, keep, named, seen, settings
from verifier.bundle.history import Entry
from verifier.compare import _bad_times, _same_id, _same_previous
from verifier.host.alarms import (
    MISSED_LOOKS,
    Alarm,
    Clock,
    ahead_alarms,
    lasting_alarms,
    passing_alarms,
)
from verifier.host.pages import Views
from verifier.host.store import Listed, Outcome, Store


def newest_first(*items: Outcome) -> list[Outcome]:
    return sorted(items, key=lambda item: (item.dated, item.seen, item.time), reverse=True)


def kinds(found: list[Alarm]) -> list[str]:
    return [alarm.kind for alarm in found]


def test_what_is_not_audited_is_evidence_and_no_outcome() -> None:
    """It forks, it hides no failure before it, and it is no failure itself."""
    unread = "check.unreadable"
    first = named("a", time=NOW - 3 * DAY, at=NOW - 3 * DAY)
    failing = named("b", follows="a", time=NOW - 2 * DAY, code="argument.rejected")
    newer = named("c", follows="b", time=NOW - DAY, code=unread)
    (alarm,) = lasting_alarms(newest_first(first, failing, newer), [])
    assert (alarm.kind, alarm.digests) == ("rejected", (failing.digest,))
    fork = named("d", follows="a", time=NOW - DAY, code=unread)
    (alarm,) = lasting_alarms(newest_first(first, fork, named("e", follows="a", time=NOW)), [])
    assert (alarm.kind, fork.digest in alarm.digests) == ("broken-chain", True)
    entry = Entry(fork.digest, fork.previous, "d", fork.time)
    (alarm,) = lasting_alarms(newest_first(first, fork), [Listed(entry, NOW, fault="no file")])
    assert alarm.kind == "unaudited"


def test_two_manifests_of_the_first_snapshot_are_one_alarm() -> None:
    one, other = seen("a"), seen("a", time=NOW - DAY + 1)
    (alarm,) = lasting_alarms(newest_first(one, other), [])
    assert alarm.kind == "equivocation"
    assert alarm.digests == (one.digest, other.digest)


def test_a_rival_that_follows_nothing_is_told_once() -> None:
    """The second manifest of a later snapshot, which names no predecessor that was seen."""
    history = newest_first(
        named("a"),
        named("b", follows="a", time=NOW - 3600),
        seen("b", follows="elsewhere", time=NOW - 3000),
    )
    assert kinds(lasting_alarms(history, [])) == ["equivocation"]


def test_a_snapshot_that_follows_nothing_is_an_alarm() -> None:
    loose = seen("b", follows="elsewhere", time=NOW - 3600)
    (alarm,) = lasting_alarms(newest_first(named("a"), loose), [])
    assert (alarm.kind, alarm.digests) == ("broken-chain", (loose.digest,))
    assert "snapshot b does not follow one that was seen" in alarm.text


def test_an_old_snapshot_that_somebody_hands_in_frames_nobody() -> None:
    """There may be others between it and the first one that the host saw itself."""
    old = seen("old", time=NOW - 9 * DAY, own=False)
    first, second = named("a", follows="between"), named("b", follows="a", time=NOW - 3600)
    assert lasting_alarms(newest_first(old, first, second), []) == []
    after = named("c", follows="elsewhere", time=NOW - 60, own=False)
    assert lasting_alarms(newest_first(old, first, second, after), []) == []  # its turn may come
    (alarm,) = lasting_alarms(newest_first(old, first, second, replace(after, own=True)), [])
    assert (alarm.kind, alarm.digests) == ("broken-chain", (after.digest,))
    others = [seen("x", time=NOW - 4), seen("y", follows="elsewhere", time=NOW - 2)]
    handed_in = [replace(item, own=False) for item in others]
    assert lasting_alarms(newest_first(*handed_in), []) == []  # nothing of its own was seen yet


def test_a_failing_snapshot_that_was_handed_in_before_it_was_served_is_an_alarm() -> None:
    """When it was first seen is not when the exchange served it."""
    good = named("a", time=NOW - DAY, at=NOW - 600)
    bad = named("b", follows="a", time=NOW + 1200, at=NOW - 900, code="argument.rejected")
    (alarm,) = lasting_alarms(newest_first(good, replace(bad, served=NOW)), [])
    assert (alarm.kind, alarm.digests) == ("rejected", (bad.digest,))


def test_a_copy_of_what_follows_hides_no_failure() -> None:
    bad = named("a", time=NOW - DAY, code="argument.rejected")
    after = named("b", follows="a", time=NOW - 600, own=False)
    (alarm,) = lasting_alarms(newest_first(bad, after), [])
    assert (alarm.kind, alarm.digests) == ("rejected", (bad.digest,))
    assert lasting_alarms(newest_first(bad, replace(after, own=True, served=NOW)), []) == []


def test_two_snapshots_after_one_are_an_alarm() -> None:
    history = newest_first(
        named("a"),
        seen("b", follows="a", time=NOW - 3600),
        seen("c", follows="a", time=NOW - 3000),
    )
    (alarm,) = lasting_alarms(history, [])
    assert alarm.kind == "broken-chain"
    assert alarm.digests[0] == digest("a")


@pytest.mark.parametrize("follows", ["", "elsewhere"])
def test_two_snapshots_after_none_that_was_seen_are_an_alarm(follows: str) -> None:
    """What `assay-verify compare` proves of two manifests, the host finds in what it saw."""
    own = named("a", follows=follows, time=NOW - DAY)
    other = seen("z", follows=follows, time=NOW - 2 * DAY, at=NOW, own=False)
    (alarm,) = lasting_alarms(newest_first(own, other), [])
    assert (alarm.kind, set(alarm.digests)) == ("broken-chain", {own.digest, other.digest})


def test_two_snapshots_of_one_time_are_an_alarm() -> None:
    one, other = named("a", follows="x"), seen("b", follows="a", own=False)
    (alarm,) = lasting_alarms(newest_first(one, other), [])
    assert (alarm.kind, alarm.text) == ("broken-chain", "two different snapshots are of one time")


@pytest.mark.parametrize("times", [(NOW - 9, NOW - 9), (NOW - 9, NOW - 8), (NOW - 8, NOW - 9)])
@pytest.mark.parametrize("follows", ["", "elsewhere", "first"])
@pytest.mark.parametrize("name", ["first", "second"])
@pytest.mark.parametrize("before", ["", "elsewhere"])
def test_the_host_alarms_for_what_compare_proves(
    before: str, name: str, follows: str, times: tuple[int, int]
) -> None:
    """The rules of spec/protocol.md 7 over two manifests, and over a history that has them."""
    first = named("first", follows=before, time=times[0])
    second = seen(name, follows=follows, time=times[1], digest=digest("other"))
    pair: list[Any] = [SimpleNamespace(digest=item.digest, fields=item) for item in (first, second)]
    both = {first.digest, second.digest}
    found = lasting_alarms(newest_first(first, second), [])
    proved = [rule(*pair) for rule in (_same_id, _same_previous, _bad_times)]
    assert any(both <= set(alarm.digests) for alarm in found) == any(proved)


def test_a_snapshot_that_fails_is_not_hidden_by_its_date() -> None:
    """The exchange dates it behind one that was accepted, and serves it now."""
    first = named("a", time=NOW - 3 * DAY)
    second = named("b", follows="a", time=NOW - DAY)
    failing = named("c", follows="b", time=NOW - 2 * DAY, at=NOW - 60, code="argument.rejected")
    history = newest_first(first, second, failing)
    assert [item.snapshot_id for item in history] == ["b", "c", "a"]
    found = lasting_alarms(history, [])
    assert kinds(found) == ["broken-chain", "rejected"]
    assert found[1].text == "the snapshot that was seen last fails: argument.rejected"


def test_an_old_snapshot_that_fails_and_is_read_late_is_not_the_last() -> None:
    """A host that begins late, or tries again, reads what the newest follows after the newest."""
    old = named("a", time=NOW - 3 * DAY, at=NOW, code="manifest.unknown-unit")
    between, newest = named("b", follows="a", time=NOW - 2 * DAY), named("c", follows="b")
    assert lasting_alarms(newest_first(old, between, newest), []) == []


def test_a_fork_shows_whose_id_cannot_be_shown() -> None:
    """A liar must not be able to spoil the evidence by an id that breaks a rule."""
    history = newest_first(
        named("a", time=NOW - 2 * DAY),
        named("b", follows="a"),
        seen("", follows="a", time=NOW - 60, code="manifest.bad-snapshot-id"),
    )
    found = lasting_alarms(history, [])
    assert "two different snapshots follow the same one" in [alarm.text for alarm in found]


def test_manifests_that_cannot_be_read_are_not_equivocation() -> None:
    broken = [seen("", code="manifest.bad-fields", time=NOW - number) for number in (1, 2)]
    found = lasting_alarms(newest_first(named("a"), *broken), [])
    assert kinds(found) == ["broken-chain", "broken-chain", "rejected"]
    assert "snapshot unreadable does not follow" in found[0].text


YEARS_AHEAD = 36 * 365 * DAY


def test_a_snapshot_of_the_future_counts_from_when_it_was_seen() -> None:
    """Dated decades ahead and seen today, it is neither the end of the history nor its newest."""
    past = named("a", time=NOW - 10 * DAY)
    ahead = named("b", follows="a", time=NOW + YEARS_AHEAD, at=NOW - 5 * DAY)
    after = named("c", follows="b", time=NOW - DAY)
    history = newest_first(past, ahead, after)
    assert [item.snapshot_id for item in history] == ["c", "b", "a"]
    (alarm,) = lasting_alarms(history, [])  # as every reader finds who is given `b` before `c`
    assert (alarm.text, alarm.digests) == (
        "snapshot c follows b, which is later",
        (ahead.digest, after.digest),
    )
    (alarm,) = ahead_alarms(history, NOW)
    assert (alarm.kind, alarm.digests) == ("future", (ahead.digest,))
    assert "snapshot b is dated 206" in alarm.text


@pytest.mark.parametrize(("ahead", "alarms"), [(DAY, 0), (DAY + 1, 1), (2**40 - NOW, 1)])
def test_how_far_ahead_a_clock_may_be(ahead: int, alarms: int) -> None:
    assert len(list(ahead_alarms([seen("a", time=NOW + ahead, at=NOW)], NOW))) == alarms


def clock(last: int | None, *, now: int = NOW, looked: int = NOW) -> Clock:
    return Clock(now, last, overdue_seconds=2 * DAY, looked=looked, every_seconds=300)


def test_overdue() -> None:
    assert kinds(list(passing_alarms(clock(None)))) == ["overdue"]
    assert kinds(list(passing_alarms(clock(NOW - 2 * DAY)))) == []
    assert kinds(list(passing_alarms(clock(NOW - 2 * DAY - 1)))) == ["overdue"]


def test_a_host_that_does_not_look_says_so() -> None:
    late = MISSED_LOOKS * 300
    assert kinds(list(passing_alarms(clock(NOW, looked=NOW - late)))) == []
    (alarm,) = passing_alarms(clock(NOW, looked=NOW - late - 1))
    assert alarm.kind == "unwatched"
    assert alarm.text.startswith("this host has not looked at it since 2027-01-")


def test_a_listed_snapshot_that_only_a_stranger_serves_is_unaudited() -> None:
    item = named("a", own=False)
    listed = Listed(Entry(item.digest, item.previous, "a", item.time), NOW, fault="check.x: gone")
    (alarm,) = lasting_alarms([item], [listed])
    assert alarm.kind == "unaudited"
    assert "a (check.x: gone)" in alarm.text


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "host.sqlite")) as opened:
        yield opened


def views(store: Store, started: int = NOW) -> Views:
    return Views(settings(EXCHANGE), store, started)


def test_what_is_dated_ahead_is_not_green_and_silences_nothing(store: Store) -> None:
    keep(store, named("a", time=NOW - 10 * DAY))
    keep(store, named("b", follows="a", time=NOW + YEARS_AHEAD, at=NOW - 5 * DAY))
    view = views(store).exchange(KEY, 1, NOW)
    assert kinds(view.alarms) == ["future", "overdue"]
    assert [(item["id"], item["look"]) for item in view.snapshots] == [("b", "bad"), ("a", "word")]
    assert view.standing == "dated ahead"
    assert view.days is not None
    assert view.days.said == "Last 30 days: 1 held on its word or in part, 1 failed, 5 late"
    assert dict(view.days.paths)["failed"] == "M24.5 10v-10"  # the day when it was seen


def test_what_an_alarm_names_is_not_green(store: Store) -> None:
    for number in range(2):
        keep(store, seen("a", time=NOW - number))
    view = views(store).exchange(KEY, 1, NOW)
    assert kinds(view.alarms) == ["equivocation"]
    assert [item["look"] for item in view.snapshots] == ["plain", "plain"]


def test_a_copy_of_a_stranger_is_no_new_snapshot_in_time(store: Store) -> None:
    keep(store, named("a", own=False))
    view = views(store).exchange(KEY, 1, NOW)
    assert kinds(view.alarms) == ["overdue"]
    assert [item["own"] for item in view.snapshots] == [False]


def test_the_time_of_looks_counts_from_the_start(store: Store) -> None:
    keep(store, named("a"))
    hour = NOW + 3601
    assert kinds(views(store).exchange(KEY, 1, hour).alarms) == ["unwatched"]
    store.note_look(KEY, NOW + 1, "")
    assert kinds(views(store).exchange(KEY, 1, hour).alarms) == []
    assert kinds(views(store).exchange(KEY, 1, hour + 1).alarms) == ["unwatched"]


def test_alarms_are_bounded(store: Store) -> None:
    for number in range(20):
        keep(store, seen(f"s{number}", follows="elsewhere", time=NOW - number))
    view = views(store).exchange(KEY, 1, NOW)
    assert [alarm.text for alarm in view.alarms][-1] == "and 15 more of this kind"
    newest = [NOW, *(NOW - number for number in range(4))]  # one of them names all
    assert [alarm.since for alarm in view.alarms[:-1]] == newest
    assert len(view.alarms) == 6
    assert {item["look"] for item in view.snapshots[:-1]} == {"plain"}
