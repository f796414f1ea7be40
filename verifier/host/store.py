"""What the host remembers: manifests that it saw, what became of them, submissions and complaints.

One SQLite file, of which this process alone writes. Every write is one transaction; a killed host
has done a thing or has not, and an audit that was cut off is done again. Manifests are kept whole
with their signatures: two of them for one snapshot are evidence. Of what strangers hand in, the
number is bounded.
"""

# ruff: noqa: S608 (queries are put together of names in this file and of question marks)
from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from verifier.bundle.history import Entry
from verifier.errors import Code

# The statements that lead from each version of the schema to the next.
_SCHEMAS = (
    """
CREATE TABLE snapshot (
    digest BLOB PRIMARY KEY, public_key BLOB NOT NULL, exchange TEXT NOT NULL,
    snapshot_id TEXT NOT NULL, previous BLOB NOT NULL, time INTEGER NOT NULL, url TEXT NOT NULL,
    audited INTEGER NOT NULL, code TEXT NOT NULL, place TEXT NOT NULL, details TEXT NOT NULL,
    manifest BLOB NOT NULL, signature BLOB NOT NULL,
    attestation BLOB NOT NULL, attestation_signature BLOB NOT NULL
) STRICT;
CREATE INDEX by_exchange ON snapshot (public_key, time);
CREATE TABLE look (
    public_key BLOB PRIMARY KEY, time INTEGER NOT NULL, fault TEXT NOT NULL
) STRICT;
CREATE TABLE submission (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL, public_key BLOB NOT NULL, time INTEGER NOT NULL,
    state TEXT NOT NULL, UNIQUE (url, public_key)
) STRICT;
CREATE TABLE complaint (
    digest BLOB PRIMARY KEY, manifest BLOB NOT NULL, code TEXT NOT NULL, place TEXT NOT NULL,
    time INTEGER NOT NULL, package BLOB
) STRICT;
""",
    """
CREATE TABLE listed (
    public_key BLOB NOT NULL, snapshot_id TEXT NOT NULL, manifest BLOB NOT NULL,
    previous BLOB NOT NULL, time INTEGER NOT NULL, seen INTEGER NOT NULL, state TEXT NOT NULL,
    tried INTEGER NOT NULL, fault TEXT NOT NULL, PRIMARY KEY (public_key, snapshot_id)
) STRICT;
""",
    # Before, every URL was the exchange's own, or one that somebody had handed in.
    """
ALTER TABLE snapshot ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
ALTER TABLE snapshot ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
UPDATE snapshot SET seen = audited, own = url NOT IN (SELECT url FROM submission);
ALTER TABLE submission ADD COLUMN sender TEXT NOT NULL DEFAULT '';
CREATE TABLE place (
    digest BLOB NOT NULL, url TEXT NOT NULL, own INTEGER NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY (digest, url)
) STRICT;
INSERT INTO place SELECT digest, url, own, seen FROM snapshot;
CREATE INDEX by_manifest ON complaint (manifest, time);
""",
    # What a host was too old for was a rejection before: it is looked at anew.
    """
ALTER TABLE submission ADD COLUMN queue TEXT NOT NULL DEFAULT 'audit';
ALTER TABLE snapshot ADD COLUMN served INTEGER NOT NULL DEFAULT 0;
UPDATE snapshot SET served = seen WHERE own;
DELETE FROM snapshot WHERE code IN ('manifest.unknown-unit', 'manifest.unsupported-version');
""",
    # An opening that does not hold can tell of strangers: no package is kept.
    """
ALTER TABLE complaint DROP COLUMN package;
CREATE TABLE record (
    digest BLOB PRIMARY KEY, manifest BLOB NOT NULL, code TEXT NOT NULL, place TEXT NOT NULL,
    time INTEGER NOT NULL, data BLOB NOT NULL, signature BLOB NOT NULL
) STRICT;
CREATE INDEX record_of_manifest ON record (manifest, time);
""",
    # Pages by month ask for what is of an exchange and a span of time.
    """
CREATE INDEX by_date ON snapshot (public_key, min(time, seen));
ALTER TABLE listed ADD COLUMN turned INTEGER NOT NULL DEFAULT 0;
UPDATE listed SET turned = seen;
""",
    # What an audit comes to again is no news. What is of an id is asked for by anybody.
    """
ALTER TABLE snapshot ADD COLUMN found INTEGER NOT NULL DEFAULT 0;
UPDATE snapshot SET found = audited;
CREATE INDEX by_id ON snapshot (public_key, snapshot_id, seen, digest);
""",
)

# Of places of one manifest, the exchange's own and others each, the newest so many are kept.
MAX_PLACES = 4
# Of failing packages for one manifest so many are remembered, and so many records of arguments.
MAX_COMPLAINTS, MAX_RECORDS = 1000, 10
# What was handed in waits to be read, if it is under the key of a watched exchange, then to be
# audited. So many may wait in each queue, and of one sender in both.
EVIDENCE, AUDITS = "evidence", "audit"
MAX_WAITING, MAX_WAITING_OF_SENDER = 30, 3
# Of bundles that were handed in and looked at, so many are remembered.
MAX_SUBMISSIONS = 200

# From, and up to, such a time; a manifest is of the earlier of its own time and when it was seen.
Dates = tuple[int, int]
ALWAYS: Dates = (-(2**63), 2**63 - 1)

# What has become of an entry of an index.
DROPPED, CHANGED = "dropped", "changed"


@dataclass(frozen=True)
class Outcome:
    """What became of a manifest; ``code`` is empty if its bundle was accepted, and
    ``check.unreadable`` if that could not be audited yet.

    ``own``: the bundle at ``url`` is the exchange's own copy, and not one that somebody handed in.
    ``details`` has for each asset its code, level and ratio, for each chain its block, the times of
    those blocks whose header the evidence shows, the key that a change of keys replaced, the codes
    that were set aside, those shown under blocks not known to be of the day, and what is declared
    (absent in what an older host wrote). Times in Unix seconds: ``time`` is the manifest's own
    word, ``seen`` when this host first read it, and ``served`` when its bundle was first audited at
    the exchange's own place, 0 if it never was; ``audited`` is when it was audited last, and
    ``found`` when that came to this code for the first time.
    """

    digest: bytes
    public_key: bytes
    exchange: str
    snapshot_id: str
    previous: bytes
    time: int
    seen: int
    served: int
    url: str
    own: bool
    audited: int
    found: int
    code: str
    place: str
    details: dict[str, Any]

    @property
    def entry(self) -> Entry:
        """What a true index says of it."""
        return Entry(self.digest, self.previous, self.snapshot_id, self.time)

    @property
    def set_aside(self) -> list[str]:
        """The codes of the assets of which this host does not know what they stand for."""
        return list(self.details.get("set_aside", []))

    @property
    def undated(self) -> list[str]:
        """The codes of those shown under a block that is not known to be of the snapshot's day."""
        return list(self.details.get("undated", []))

    @property
    def acceptance(self) -> str:
        """What is said of it where it was accepted: of how much."""
        if not self.set_aside:
            return "accepted"
        return f"accepted but for {len(self.set_aside)} of {len(self.details['assets'])} assets"

    @property
    def is_audited(self) -> bool:
        """Whether its bundle was read and checked, whatever came of it."""
        return self.code != Code.CHECK_UNREADABLE

    @property
    def is_settled(self) -> bool:
        """Whether what came of it stands as long as its bundle does."""
        return self.code not in (Code.CHECK_UNREADABLE, Code.CHECK_FUTURE)

    @property
    def dated(self) -> int:
        """The time from which it counts: its own, but no later than it was seen."""
        return min(self.time, self.seen)


@dataclass(frozen=True)
class Audited(Outcome):
    """The same, with the manifest and what the host says of it, as bytes."""

    manifest: bytes
    signature: bytes
    attestation: bytes
    attestation_signature: bytes


@dataclass(frozen=True)
class Listed:
    """An entry of an exchange's index as it was first ``seen``, and what came of it.

    ``state`` is empty while the index has it so, and ``turned`` is when it last changed; if its
    last audit came to nothing, ``tried`` is when that was, else 0, and ``fault`` why. Times in Unix
    seconds.
    """

    entry: Entry
    seen: int
    state: str = ""
    tried: int = 0
    fault: str = ""
    turned: int = 0


@dataclass(frozen=True)
class Submission:
    """A bundle that somebody handed in; ``state`` is ``waiting``, or how it ended."""

    number: int
    url: str
    public_key: bytes
    time: int
    state: str


@dataclass(frozen=True)
class Complaint:
    """A package that the exchange signed and that fails, by its digest."""

    digest: bytes
    manifest: bytes
    code: str
    place: str
    time: int


@dataclass(frozen=True)
class FailedRecord:
    """A record of arguments that the exchange signed, and that names one which fails.

    ``digest`` is the SHA-256 of its ``data``; code and place are those of the argument.
    """

    digest: bytes
    manifest: bytes
    code: str
    place: str
    time: int
    data: bytes
    signature: bytes


@dataclass(frozen=True)
class RecordFault:
    """What is told of such a record; the fields are those of `FailedRecord`."""

    digest: bytes
    code: str
    place: str
    time: int


@dataclass(frozen=True)
class Complaints:
    """Of one manifest how many packages fail, of the newest digest and code, and when it came."""

    total: int
    last: int
    newest: tuple[tuple[bytes, str], ...]


class Store:
    """The database of a host, its owner's alone; its methods may be called from any thread."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        self._lock = threading.RLock()
        self._changes = 0
        self._versions: Counter[bytes] = Counter()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        for version, schema in enumerate(_SCHEMAS[found:], found + 1):
            self._database.executescript(
                f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @property
    def changes(self) -> int:
        """A number that grows with every change of anything."""
        return self._changes

    def version(self, keys: Collection[bytes]) -> int:
        """Return a number that grows with every change of what is known of some keys.

        That an exchange was looked at with the same success is no change.
        """
        return sum(self._versions[key] for key in keys)

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _changing(self, public_key: bytes | None = None) -> Iterator[sqlite3.Connection]:
        """One transaction that changes something, of what is known of a key if one is given."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            self._changes += 1
            if public_key is not None:
                self._versions[public_key] += 1

    def add_snapshot(self, found: Audited) -> None:
        """Keep the outcome of an audit, in place of an earlier one of the same manifest.

        What was found of a copy that somebody handed in never replaces what was found of the
        exchange's own, but where that could not be audited; that it could not replaces nothing.
        When the manifest was first seen, and first served, stays, as does when the same was found.
        """
        values = {name: getattr(found, name) for name in Audited.__dataclass_fields__}
        values["details"] = json.dumps(found.details)
        marks, unread = ", ".join("?" * len(values)), f"'{Code.CHECK_UNREADABLE}'"
        kept = ("seen", "served", "found")
        fresh = ", ".join(f"{name} = excluded.{name}" for name in values if name not in kept)
        with self._changing(found.public_key) as database:
            database.execute(
                f"INSERT INTO snapshot ({', '.join(values)}) VALUES ({marks}) "
                f"ON CONFLICT (digest) DO UPDATE SET {fresh}, seen = min(seen, excluded.seen), "
                "served = iif(served, served, excluded.served), "
                "found = iif(code = excluded.code AND own = excluded.own, found, excluded.found) "
                f"WHERE (excluded.own >= own AND excluded.code <> {unread}) OR "
                f"(code = {unread} AND (excluded.own >= own OR excluded.code <> {unread}))",
                tuple(values.values()),
            )
            if found.is_audited:
                _note_place(database, found.digest, found.url, found.own, found.audited)

    def note_place(self, digest: bytes, url: str, time: int) -> None:
        """Keep where somebody has a copy of a manifest's bundle."""
        with self._changing() as database:
            _note_place(database, digest, url, False, time)

    def places(self, digest: bytes) -> list[str]:
        """Return where a manifest's bundle is: the exchange's own places first, then others."""
        query = "SELECT url FROM place WHERE digest = ? ORDER BY own DESC, seen DESC"
        return [row[0] for row in self._all(query, digest)]

    def snapshot(self, digest: bytes) -> Audited | None:
        """Return what is known of a manifest."""
        rows = self._all(f"SELECT {_names(Audited)} FROM snapshot WHERE digest = ?", digest)
        return _read(Audited, rows[0]) if rows else None

    def snapshots(
        self, keys: Sequence[bytes], most: int = -1, after: int = 0, dates: Dates = ALWAYS
    ) -> list[Outcome]:
        """Return manifests of an exchange's keys, the newest first: ``most`` ``after`` so many."""
        query = (
            f"SELECT {_names(Outcome)} FROM snapshot WHERE public_key IN ({_marks(keys)}) "
            "AND min(time, seen) >= ? AND min(time, seen) < ? "
            "ORDER BY min(time, seen) DESC, seen DESC, time DESC LIMIT ? OFFSET ?"
        )
        return [_read(Outcome, row) for row in self._all(query, *keys, *dates, most, after)]

    def count(self, keys: Sequence[bytes], dates: Dates = ALWAYS) -> int:
        """Return how many manifests of some keys there are."""
        query = (
            f"SELECT count(*) FROM snapshot WHERE public_key IN ({_marks(keys)}) "
            "AND min(time, seen) >= ? AND min(time, seen) < ?"
        )
        count: int = self._all(query, *keys, *dates)[0][0]
        return count

    def around(self, keys: Sequence[bytes], dates: Dates) -> tuple[int | None, int | None]:
        """Return the last date of some keys before a span, and the first after it."""
        query = (
            "SELECT max(iif(min(time, seen) < ?, min(time, seen), NULL)), "
            "min(iif(min(time, seen) >= ?, min(time, seen), NULL)) "
            f"FROM snapshot WHERE public_key IN ({_marks(keys)})"
        )
        before, after = self._all(query, *dates, *keys)[0]
        return before, after

    def manifests(self, keys: Sequence[bytes], snapshot_id: str, most: int) -> list[bytes]:
        """Return the digests of the manifests of an id, those that were seen first first."""
        query = (
            f"SELECT digest FROM snapshot WHERE public_key IN ({_marks(keys)}) "
            "AND snapshot_id = ? ORDER BY seen, digest LIMIT ?"
        )
        return [row[0] for row in self._all(query, *keys, snapshot_id, most)]

    def unaudited(self, public_key: bytes) -> int:
        """Return how many manifests of a key are kept that could not be audited.

        One that is larger than a MiB counts for as many as it has MiB, and one more.
        """
        query = (
            f"SELECT coalesce(sum(1 + length(manifest) / {2**20}), 0) FROM snapshot "
            "WHERE public_key = ? AND code = ?"
        )
        count: int = self._all(query, public_key, str(Code.CHECK_UNREADABLE))[0][0]
        return count

    def rivals(self, public_key: bytes, snapshot_id: str, previous: bytes, time: int) -> int:
        """Return how many manifests of a key have an id, a predecessor or a time."""
        query = (
            "SELECT count(*) FROM snapshot WHERE public_key = ? "
            "AND (snapshot_id = ? OR previous = ? OR time = ?)"
        )
        count: int = self._all(query, public_key, snapshot_id, previous, time)[0][0]
        return count

    def strangers(self, watched: Sequence[bytes], most: int) -> list[Outcome]:
        """Return the manifests of all other keys, those that were seen last first."""
        keys = self._others(watched)
        query = (
            f"SELECT {_names(Outcome)} FROM snapshot WHERE public_key IN ({_marks(keys)}) "
            "ORDER BY seen DESC, digest LIMIT ?"
        )
        return [_read(Outcome, row) for row in self._all(query, *keys, most)]

    def count_strangers(self, watched: Sequence[bytes]) -> Counter[str]:
        """Return how many manifests of all other keys ended with each code."""
        keys = self._others(watched)
        query = (
            f"SELECT code, count(*) FROM snapshot WHERE public_key IN ({_marks(keys)}) "
            "GROUP BY code"
        )
        return Counter(dict(self._all(query, *keys)))

    def _others(self, watched: Sequence[bytes]) -> list[bytes]:
        """Return all other keys; it steps from key to key, whatever there is of each."""
        query = (
            "WITH RECURSIVE found(key) AS (SELECT min(public_key) FROM snapshot UNION ALL "
            "SELECT (SELECT min(public_key) FROM snapshot WHERE public_key > key) FROM found "
            "WHERE key IS NOT NULL) SELECT key FROM found WHERE key IS NOT NULL"
        )
        known = frozenset(watched)
        return [key for (key,) in self._all(query) if key not in known]

    def forget_strangers(self, watched: Sequence[bytes], most: int) -> None:
        """Forget what was handed in under all other keys, but for what was seen last."""
        keys = self._others(watched)
        query = (
            "SELECT digest, public_key FROM snapshot "
            f"WHERE NOT own AND public_key IN ({_marks(keys)}) "
            "ORDER BY seen DESC, digest LIMIT -1 OFFSET ?"
        )
        for digest, public_key in self._all(query, *keys, most):
            with self._changing(public_key) as database:
                database.execute("DELETE FROM complaint WHERE manifest = ?", (digest,))
                database.execute("DELETE FROM record WHERE manifest = ?", (digest,))
                database.execute("DELETE FROM place WHERE digest = ?", (digest,))
                database.execute("DELETE FROM snapshot WHERE digest = ?", (digest,))

    def keys_of(self, public_key: bytes) -> list[bytes]:
        """Return an exchange's key, and those before it, as manifests that were seen prove."""
        query = (
            "SELECT DISTINCT value FROM snapshot, json_each(details, '$.old_keys') "
            "WHERE public_key = ?"
        )
        keys = [public_key]
        for key in keys:  # which grows meanwhile
            old = [bytes.fromhex(row[0]) for row in self._all(query, key)]
            keys += [found for found in old if found not in keys]
        return keys

    def keys_and_version(self, public_key: bytes) -> tuple[list[bytes], int]:
        """Return `keys_of` an exchange and the `version` of these, at one moment."""
        with self._lock:
            keys = self.keys_of(public_key)
            return keys, self.version(keys)

    def audited(self, keys: Sequence[bytes]) -> dict[bytes, tuple[str, int, bool]]:
        """Return, of every manifest of some keys, code, time of audit, and if of its own place."""
        query = (
            f"SELECT digest, code, audited, own FROM snapshot WHERE public_key IN ({_marks(keys)})"
        )
        return {row[0]: (row[1], row[2], bool(row[3])) for row in self._all(query, *keys)}

    def listed(self, public_key: bytes) -> list[Listed]:
        """Return every entry that an exchange's index has ever had, the oldest first."""
        query = (
            "SELECT manifest, previous, snapshot_id, time, seen, state, tried, fault, turned "
            "FROM listed WHERE public_key = ? ORDER BY time, snapshot_id"
        )
        return [Listed(Entry(*row[:4]), *row[4:]) for row in self._all(query, public_key)]

    def keep_listed(self, public_key: bytes, items: Sequence[Listed]) -> None:
        """Keep entries, in place of earlier ones of the same snapshots."""
        rows = [
            (
                public_key,
                item.entry.snapshot_id,
                item.entry.manifest,
                item.entry.previous,
                item.entry.time,
                item.seen,
                item.state,
                item.tried,
                item.fault,
                item.turned,
            )
            for item in items
        ]
        if not rows:
            return
        query = "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        with self._changing(public_key) as database:
            database.executemany(query, rows)

    def note_try(self, public_key: bytes, snapshot_id: str, time: int, fault: str) -> None:
        """Keep when the audit of a listed snapshot came to nothing, and why; 0 if it did not."""
        query = "UPDATE listed SET tried = ?, fault = ? WHERE public_key = ? AND snapshot_id = ?"
        with self._changing(public_key) as database:
            database.execute(query, (time, fault, public_key, snapshot_id))

    def note_look(self, public_key: bytes, time: int, fault: str) -> None:
        """Keep when an exchange was last looked at, and why it could not be read, if so."""
        with self._lock:
            before = self._all("SELECT fault FROM look WHERE public_key = ?", public_key)
            with self._changing(None if before == [(fault,)] else public_key) as database:
                values = (public_key, time, fault)
                database.execute("INSERT OR REPLACE INTO look VALUES (?, ?, ?)", values)

    def looks(self) -> dict[bytes, tuple[int, str]]:
        """Return, of every exchange that was looked at, what `note_look` kept last."""
        rows = self._all("SELECT public_key, time, fault FROM look")
        return {key: (time, fault) for key, time, fault in rows}

    def submit(self, url: str, public_key: bytes, sender: str, time: int, queue: str) -> bool:
        """Queue a bundle, once; return whether there is room for it, and for one of ``sender``."""
        with self._lock:
            waiting = self._all(
                "SELECT url, public_key, sender, queue FROM submission WHERE state = 'waiting'"
            )
            if any(row[:2] == (url, public_key) for row in waiting):
                return True
            is_full = sum(row[3] == queue for row in waiting) >= MAX_WAITING
            if is_full or sum(row[2] == sender for row in waiting) >= MAX_WAITING_OF_SENDER:
                return False
            with self._changing() as database:
                database.execute(
                    "INSERT INTO submission (url, public_key, sender, time, state, queue) "
                    "VALUES (?, ?, ?, ?, 'waiting', ?) ON CONFLICT (url, public_key) DO UPDATE "
                    "SET state = 'waiting', time = excluded.time, sender = excluded.sender, "
                    "queue = excluded.queue",
                    (url, public_key, sender, time, queue),
                )
        return True

    def next_submission(self, queue: str) -> Submission | None:
        """Return the submission that has waited longest in a queue."""
        query = f"{_SUBMISSION} WHERE state = 'waiting' AND queue = ? ORDER BY time, id LIMIT 1"
        return next((Submission(*row) for row in self._all(query, queue)), None)

    def move_to_audits(self, number: int) -> bool:
        """Queue a submission for its audit; return whether there is room for it."""
        query = "SELECT count(*) FROM submission WHERE state = 'waiting' AND queue = ?"
        with self._lock:
            if self._all(query, AUDITS)[0][0] >= MAX_WAITING:
                return False
            with self._changing() as database:
                database.execute("UPDATE submission SET queue = ? WHERE id = ?", (AUDITS, number))
        return True

    def submissions(self, most: int) -> list[Submission]:
        """Return submissions, the newest first."""
        query = f"{_SUBMISSION} ORDER BY time DESC, id DESC LIMIT ?"
        return [Submission(*row) for row in self._all(query, most)]

    def end_submission(self, number: int, state: str) -> None:
        """Keep how a submission ended, and no longer of whom it was; forget the oldest of many."""
        ended = "SELECT id FROM submission WHERE state <> 'waiting' ORDER BY time DESC, id DESC"
        with self._changing() as database:
            database.execute(
                "UPDATE submission SET state = ?, sender = '' WHERE id = ?", (state, number)
            )
            database.execute(
                f"DELETE FROM submission WHERE id IN ({ended} LIMIT -1 OFFSET ?)",
                (MAX_SUBMISSIONS,),
            )

    def add_complaint(self, public_key: bytes, found: Complaint) -> bool:
        """Keep that a package for a manifest of a key fails; return whether there is room."""
        with self._lock:
            if self.complaint(found.digest) is not None:
                return True
            query = "SELECT count(*) FROM complaint WHERE manifest = ?"
            if self._all(query, found.manifest)[0][0] >= MAX_COMPLAINTS:
                return False
            with self._changing(public_key) as database:
                database.execute(
                    "INSERT INTO complaint VALUES (?, ?, ?, ?, ?)",
                    (found.digest, found.manifest, found.code, found.place, found.time),
                )
        return True

    def add_record(self, public_key: bytes, found: FailedRecord) -> None:
        """Keep a failing record of a manifest of a key, whatever another record comes to later."""
        query = "SELECT count(*) FROM record WHERE manifest = ?"
        with self._lock:
            if self._all(query, found.manifest)[0][0] >= MAX_RECORDS or self.record(found.digest):
                return
            with self._changing(public_key) as database:
                values = tuple(vars(found).values())
                database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def record(self, digest: bytes) -> FailedRecord | None:
        """Return a failing record by its digest."""
        rows = self._all("SELECT * FROM record WHERE digest = ?", digest)
        return FailedRecord(*rows[0]) if rows else None

    def records(
        self, keys: Sequence[bytes], dates: Dates = ALWAYS
    ) -> dict[bytes, list[RecordFault]]:
        """Return, of each manifest of some keys, its failing records, the oldest first."""
        query = (
            "SELECT r.manifest, r.digest, r.code, r.place, r.time FROM record r "
            "JOIN snapshot s ON s.digest = r.manifest "
            f"WHERE s.public_key IN ({_marks(keys)}) "
            "AND min(s.time, s.seen) >= ? AND min(s.time, s.seen) < ? ORDER BY r.time, r.digest"
        )
        found: dict[bytes, list[RecordFault]] = {}
        for manifest, *fault in self._all(query, *keys, *dates):
            found.setdefault(manifest, []).append(RecordFault(*fault))
        return found

    def complaint(self, digest: bytes) -> Complaint | None:
        """Return a failing package by its digest."""
        rows = self._all("SELECT * FROM complaint WHERE digest = ?", digest)
        return Complaint(*rows[0]) if rows else None

    def complaints(
        self, keys: Sequence[bytes], most: int, dates: Dates = ALWAYS
    ) -> dict[bytes, Complaints]:
        """Return, of each manifest of some keys, its failing packages and the newest of them."""
        query = (
            "SELECT manifest, total, last, digest, code FROM ("
            "SELECT c.manifest, c.digest, c.code, "
            "count(*) OVER (PARTITION BY c.manifest) AS total, "
            "max(c.time) OVER (PARTITION BY c.manifest) AS last, "
            "row_number() OVER (PARTITION BY c.manifest ORDER BY c.time DESC, c.digest) AS rank "
            "FROM complaint c JOIN snapshot s ON s.digest = c.manifest "
            f"WHERE s.public_key IN ({_marks(keys)}) AND min(s.time, s.seen) >= ? "
            "AND min(s.time, s.seen) < ?) WHERE rank <= ? ORDER BY rank"
        )
        found: dict[bytes, Complaints] = {}
        for manifest, total, last, digest, code in self._all(query, *keys, *dates, most):
            earlier = found[manifest].newest if manifest in found else ()
            found[manifest] = Complaints(total, last, (*earlier, (digest, code)))
        return found


_SUBMISSION = "SELECT id, url, public_key, time, state FROM submission"
_Row = TypeVar("_Row", bound=Outcome)


def _names(kind: type[Outcome]) -> str:
    return ", ".join(kind.__dataclass_fields__)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _read(kind: type[_Row], row: Sequence[Any]) -> _Row:
    values = dict(zip(kind.__dataclass_fields__, row, strict=True))
    values["details"] = json.loads(values["details"])
    values["own"] = bool(values["own"])
    return kind(**values)


def _note_place(
    database: sqlite3.Connection, digest: bytes, url: str, own: bool, time: int
) -> None:
    database.execute(
        "INSERT INTO place VALUES (?, ?, ?, ?) "
        "ON CONFLICT (digest, url) DO UPDATE SET own = max(own, excluded.own)",
        (digest, url, own, time),
    )
    database.execute(
        "DELETE FROM place WHERE digest = ? AND own = ? AND url NOT IN "
        "(SELECT url FROM place WHERE digest = ? AND own = ? ORDER BY seen DESC, rowid DESC "
        "LIMIT ?)",
        (digest, own, digest, own, MAX_PLACES),
    )
