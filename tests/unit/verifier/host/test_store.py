"""What the host remembers: whose word counts, what is bounded, and what an older database had."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from verifier.errors import Code
from verifier.host import store as module
from verifier.host.store import (
    AUDITS,
    EVIDENCE,
    Audited,
    Complaint,
    FailedRecord,
    RecordFault,
    Store,
)

KEY, OTHER, STRANGER = b"k" * 32, b"o" * 32, b"s" * 32


def audited(number: int = 1, **fields: object) -> Audited:
    values: dict[str, object] = {
        "digest": number.to_bytes(32),
        "public_key": KEY,
        "exchange": "An Exchange",
        "snapshot_id": f"s-{number}",
        "previous": bytes(32),
        "time": number,
        "seen": 100 + number,
        "served": (100 + number) * bool(fields.get("own", True)),
        "url": "http://a",
        "own": True,
        "audited": 100 + number,
        "found": 100 + number,
        "code": "",
        "place": "",
        "details": {"assets": [], "chains": [], "old_keys": []},
        "manifest": b"m",
        "signature": b"s",
        "attestation": b"a",
        "attestation_signature": b"t",
        **fields,
    }
    return Audited(**values)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "host" / "host.sqlite")) as opened:
        yield opened


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "host.sqlite"
    file.touch(mode=0o644)
    with closing(Store(file)) as store:
        store.add_snapshot(audited())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "host.sqlite-wal" in modes


def test_a_stranger_s_copy_never_replaces_the_exchange_s_own(store: Store) -> None:
    copy, own = (
        audited(own=False, url="http://copy"),
        audited(code="page.bad-point", url="http://o"),
    )
    store.add_snapshot(copy)
    assert store.snapshot(copy.digest) == copy
    store.add_snapshot(replace(own, seen=500))
    assert store.snapshot(own.digest) == own  # first seen when the copy was
    store.add_snapshot(copy)
    assert store.snapshot(own.digest) == own
    assert store.places(own.digest) == ["http://o", "http://copy"]


def test_own_places_come_first_and_of_others_some_are_kept(store: Store) -> None:
    store.add_snapshot(audited(own=False, url="http://copy-0"))
    for number in range(1, 9):
        store.note_place(audited().digest, f"http://copy-{number}", 200 + number)
    store.add_snapshot(audited(url="http://own"))
    copies = [f"http://copy-{number}" for number in (8, 7, 6, 5)]
    assert store.places(audited().digest) == ["http://own", *copies]


def test_a_place_that_a_stranger_named_first_becomes_the_exchange_s(store: Store) -> None:
    store.add_snapshot(audited(own=False, url="http://b"))
    store.note_place(audited().digest, "http://c", 900)
    store.add_snapshot(audited(own=True, url="http://b"))
    assert store.places(audited().digest) == ["http://b", "http://c"]


def test_snapshots_come_newest_first_and_in_parts(store: Store) -> None:
    for number in (1, 2, 3):
        store.add_snapshot(audited(number))
    store.add_snapshot(audited(9, time=10**9, seen=2))  # ahead by decades
    assert [item.snapshot_id for item in store.snapshots([KEY])] == ["s-3", "s-2", "s-9", "s-1"]
    assert [item.snapshot_id for item in store.snapshots([KEY], 2, 1)] == ["s-2", "s-9"]
    assert (store.count([KEY]), store.count([OTHER]), store.count([])) == (4, 0, 0)


def submit(
    store: Store, url: str, sender: str = "192.0.2.1", time: int = 1, queue: str = AUDITS
) -> bool:
    return store.submit(url, STRANGER, sender, time, queue)


def test_the_queue_is_bounded_in_all_and_of_one_sender(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    monkeypatch.setattr(module, "MAX_WAITING_OF_SENDER", 2)
    assert submit(store, "a")
    assert submit(store, "b")
    assert not submit(store, "c")
    assert submit(store, "a")  # which waits already
    assert all(submit(store, f"{sender}", sender) for sender in "xyz")
    before = store.changes
    assert not submit(store, "w", "w")
    assert store.changes == before


def test_a_full_queue_fills_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    assert all(submit(store, name, name) for name in "ab")
    assert not submit(store, "c", "c")
    assert submit(store, "d", "d", queue=EVIDENCE)
    found = store.next_submission(EVIDENCE)
    assert found is not None
    assert found.url == "d"
    assert not store.move_to_audits(found.number)
    other = store.next_submission(AUDITS)
    assert other is not None
    store.end_submission(other.number, "accepted")
    assert store.move_to_audits(found.number)
    assert store.next_submission(EVIDENCE) is None


def test_what_is_not_audited_gives_way_to_any_audit_and_to_nothing_else(store: Store) -> None:
    unread = str(Code.CHECK_UNREADABLE)
    store.add_snapshot(audited(1, code=unread, own=True, url="http://own", seen=5))
    assert (store.unaudited(KEY), store.places(audited(1).digest)) == (1, [])
    store.add_snapshot(audited(1, own=False, url="http://copy", seen=9))
    (found,) = store.snapshots([KEY])
    assert (found.code, found.own, found.url, found.seen) == ("", False, "http://copy", 5)
    assert (store.unaudited(KEY), store.places(found.digest)) == (0, ["http://copy"])


def test_that_an_audit_came_to_nothing_replaces_no_outcome(store: Store) -> None:
    """Of two threads the one that kept the manifest may write after the one that audited it."""
    unread = str(Code.CHECK_UNREADABLE)
    for own, late in ((False, False), (False, True), (True, True)):
        digest = bytes([own, late]) * 16
        store.add_snapshot(audited(digest=digest, own=own))
        store.add_snapshot(audited(digest=digest, code=unread, own=late))
        found = store.snapshot(digest)
        assert found is not None
        assert (found.code, found.own) == ("", own)


def test_when_it_was_served_first_is_when_it_was_audited_at_its_own_place(store: Store) -> None:
    unread = str(Code.CHECK_UNREADABLE)
    store.add_snapshot(audited(1, code=unread, own=True, seen=5, served=0))
    store.add_snapshot(audited(1, code="argument.rejected", own=True, seen=9, served=9))
    store.add_snapshot(audited(1, code="", own=True, seen=12, served=12))
    (found,) = store.snapshots([KEY])
    assert (found.code, found.seen, found.served) == ("", 5, 9)


def test_when_an_outcome_was_found_is_the_first_time(store: Store) -> None:
    for code, own, time, found in (
        ("argument.rejected", True, 5, 5),
        ("argument.rejected", True, 9, 5),
        ("", True, 12, 12),
        ("", True, 15, 12),
        ("page.bad-point", True, 20, 20),
    ):
        store.add_snapshot(audited(1, code=code, own=own, audited=time, found=time))
        (kept,) = store.snapshots([KEY])
        assert (kept.audited, kept.found) == (time, found)


def test_the_queue_is_first_come_first_served(store: Store) -> None:
    for at, url in enumerate("abc"):
        submit(store, url, url, time=at)
    first = store.next_submission(AUDITS)
    assert first is not None
    assert first.url == "a"
    store.end_submission(first.number, "accepted")
    submit(store, "a", "a", time=9)  # once more: it waits behind the others
    ended = []
    while (found := store.next_submission(AUDITS)) is not None:
        ended.append(found.url)
        store.end_submission(found.number, "accepted")
    assert ended == ["b", "c", "a"]
    assert [item.url for item in store.submissions(2)] == ["a", "c"]


def test_who_handed_in_what_is_forgotten_with_the_end(store: Store, tmp_path: Path) -> None:
    submit(store, "a", "192.0.2.77")
    found = store.next_submission(AUDITS)
    assert found is not None
    store.end_submission(found.number, "accepted")
    with closing(sqlite3.connect(tmp_path / "host" / "host.sqlite")) as database:
        assert database.execute("SELECT sender FROM submission").fetchall() == [("",)]


def test_ended_submissions_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SUBMISSIONS", 3)
    for number in range(6):
        submit(store, str(number), time=number)
        found = store.next_submission(AUDITS)
        assert found is not None
        store.end_submission(found.number, "accepted")
    assert [item.url for item in store.submissions(99)] == ["5", "4", "3"]


def complaint(number: int, manifest: int = 1) -> Complaint:
    return Complaint(number.to_bytes(32), manifest.to_bytes(32), "code", "place", number)


def test_a_complaint_is_kept_once(store: Store) -> None:
    store.add_snapshot(audited())
    assert store.add_complaint(KEY, complaint(1))
    assert store.add_complaint(KEY, replace(complaint(1), time=2))
    assert store.complaint(complaint(1).digest) == complaint(1)


def test_complaints_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPLAINTS", 4)
    store.add_snapshot(audited())
    kept = [store.add_complaint(KEY, complaint(number)) for number in range(1, 7)]
    assert kept == [True] * 4 + [False] * 2
    assert store.add_complaint(KEY, complaint(3))  # one that is kept already
    found = store.complaints([KEY], 3)[audited().digest]
    assert found.total == 4
    assert [digest[-1] for digest, _ in found.newest] == [4, 3, 2]
    assert store.complaints([OTHER], 3) == {}


def failed(number: int, manifest: int = 1) -> FailedRecord:
    digests = number.to_bytes(32), manifest.to_bytes(32)
    return FailedRecord(*digests, "code", "place", number, b"record", b"signature")


def test_records_that_fail_are_kept_once_and_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 2)
    store.add_snapshot(audited())
    for number in (1, 1, 2, 3):
        store.add_record(KEY, failed(number))
    store.add_record(KEY, failed(4, manifest=2))  # of a manifest that is not known
    assert store.record(failed(1).digest) == failed(1)
    assert store.record(failed(3).digest) is None
    listed = [RecordFault(failed(number).digest, "code", "place", number) for number in (1, 2)]
    assert store.records([KEY]) == {audited().digest: listed}
    assert store.records([OTHER]) == {}


def test_what_strangers_handed_in_is_forgotten_the_oldest_first(store: Store) -> None:
    store.add_snapshot(audited(1, seen=1))
    store.add_snapshot(audited(2, seen=1, own=False))  # of a watched exchange
    store.add_snapshot(audited(3, public_key=OTHER, seen=1))  # once watched
    for number in range(4, 9):
        store.add_snapshot(audited(number, public_key=STRANGER, own=False, seen=number))
        store.add_complaint(STRANGER, complaint(number, manifest=number))
        store.add_record(STRANGER, failed(number, manifest=number))
    store.forget_strangers([KEY], 2)
    assert {item.snapshot_id for item in store.snapshots([KEY, OTHER, STRANGER])} == {
        *("s-1", "s-2", "s-3"),
        *("s-7", "s-8"),
    }
    assert [store.complaint(complaint(number).digest) is None for number in (6, 7)] == [True, False]
    assert [store.record(failed(number).digest) is None for number in (6, 7)] == [True, False]
    assert (store.places(audited(6).digest), store.places(audited(7).digest)) == ([], ["http://a"])
    assert [item.snapshot_id for item in store.strangers([KEY], 2)] == ["s-8", "s-7"]


def test_versions_grow_with_what_they_are_of(store: Store) -> None:
    def versions() -> tuple[int, int, int]:
        return store.changes, store.version([KEY]), store.version([OTHER])

    seen = [versions()]
    store.add_snapshot(audited(1))
    seen.append(versions())
    store.note_look(KEY, 1, "")
    seen.append(versions())
    store.note_look(KEY, 2, "")  # which is no news
    seen.append(versions())
    store.add_complaint(OTHER, complaint(1))
    seen.append(versions())
    store.note_place(audited(1).digest, "http://b", 5)
    seen.append(versions())
    assert seen == [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 2, 0), (4, 2, 1), (5, 2, 1)]
    assert store.looks() == {KEY: (2, "")}


def test_an_older_database_is_taken_over(tmp_path: Path) -> None:
    """What was handed in was a stranger's copy; all else was at the exchange's own place."""
    file = tmp_path / "host.sqlite"
    with sqlite3.connect(file) as database:
        for schema in module._SCHEMAS[:2]:
            database.executescript(schema)
        database.execute("PRAGMA user_version = 2")
        for number, url in ((1, "http://own"), (2, "http://copy")):
            found = vars(audited(number, url=url, audited=50))
            del found["own"], found["seen"], found["served"], found["found"]
            found["details"] = '{"assets": [], "chains": [], "old_keys": []}'
            marks = ", ".join("?" * len(found))
            query = f"INSERT INTO snapshot ({', '.join(found)}) VALUES ({marks})"  # noqa: S608
            database.execute(query, tuple(found.values()))
        database.execute(
            "INSERT INTO submission (url, public_key, time, state) VALUES (?, ?, 1, 'waiting')",
            ("http://copy", KEY),
        )
    database.close()
    with closing(Store(file)) as store:
        own, copy = store.snapshots([KEY])[::-1]
        assert (own.own, own.seen, own.found, copy.own) == (True, 50, 50, False)
        assert store.places(own.digest) == ["http://own"]
        assert store.next_submission(AUDITS) is not None
