"""What the host remembers: manifests that it saw, what became of them, submissions and complaints.

One SQLite file. Every write is one transaction; a killed host has done a thing or has not, and an
audit that was cut off is done again. Manifests are kept whole with their signatures: two of them
for one snapshot are evidence.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from verifier.history import Entry

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
)

# What has become of an entry of an index.
DROPPED, CHANGED = "dropped", "changed"


@dataclass(frozen=True)
class Outcome:
    """What became of a manifest; ``code`` is empty if its bundle was accepted.

    ``details`` has for each asset its code, level and ratio, for each chain its block, the times of
    those blocks whose header the evidence shows, and the key that a change of keys replaced.
    """

    digest: bytes
    public_key: bytes
    exchange: str
    snapshot_id: str
    previous: bytes
    time: int
    url: str
    audited: int
    code: str
    place: str
    details: dict[str, Any]

    @property
    def entry(self) -> Entry:
        """What a true index says of it."""
        return Entry(self.digest, self.previous, self.snapshot_id, self.time)


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

    ``state`` is empty while the index has it so; if its last audit came to nothing, ``tried`` is
    when that was, else 0, and ``fault`` why. Times in Unix seconds.
    """

    entry: Entry
    seen: int
    state: str = ""
    tried: int = 0
    fault: str = ""


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
    """A package that the exchange signed and that fails; ``package`` only if its owner agreed."""

    digest: bytes
    manifest: bytes
    code: str
    place: str
    time: int
    package: bytes | None


class Store:
    """The database of a host; its methods may be called from any thread."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
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

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def add_snapshot(self, found: Audited) -> None:
        """Keep the outcome of an audit, in place of an earlier one of the same manifest."""
        values = {name: getattr(found, name) for name in Audited.__dataclass_fields__}
        values["details"] = json.dumps(found.details)
        marks = ", ".join("?" * len(values))
        self._all(f"INSERT OR REPLACE INTO snapshot VALUES ({marks})", *values.values())  # noqa: S608

    def snapshot(self, digest: bytes) -> Audited | None:
        """Return what is known of a manifest."""
        rows = self._all("SELECT * FROM snapshot WHERE digest = ?", digest)
        return _read(Audited, rows[0]) if rows else None

    def snapshots(self, public_key: bytes) -> list[Outcome]:
        """Return all manifests of an exchange, the newest first."""
        names = ", ".join(Outcome.__dataclass_fields__)
        query = f"SELECT {names} FROM snapshot WHERE public_key = ? "  # noqa: S608
        rows = self._all(query + "ORDER BY time DESC, audited DESC", public_key)
        return [_read(Outcome, row) for row in rows]

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

    def public_keys(self) -> list[bytes]:
        """Return the keys of all exchanges that something is known of."""
        return [row[0] for row in self._all("SELECT DISTINCT public_key FROM snapshot")]

    def outcomes(self) -> dict[bytes, tuple[str, int]]:
        """Return, of every manifest that was audited, its code and when."""
        rows = self._all("SELECT digest, code, audited FROM snapshot")
        return {digest: (code, audited) for digest, code, audited in rows}

    def listed(self, public_key: bytes) -> list[Listed]:
        """Return every entry that an exchange's index has ever had, the oldest first."""
        query = (
            "SELECT manifest, previous, snapshot_id, time, seen, state, tried, fault "
            "FROM listed WHERE public_key = ? ORDER BY time, snapshot_id"
        )
        return [Listed(Entry(*row[:4]), *row[4:]) for row in self._all(query, public_key)]

    def keep_listed(self, public_key: bytes, items: Sequence[Listed]) -> None:
        """Keep entries, in place of earlier ones of the same snapshots, in one transaction."""
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
            )
            for item in items
        ]
        query = "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(query, rows)
            self._database.execute("COMMIT")

    def note_try(self, public_key: bytes, snapshot_id: str, time: int, fault: str) -> None:
        """Keep when the audit of a listed snapshot came to nothing, and why; 0 if it did not."""
        query = "UPDATE listed SET tried = ?, fault = ? WHERE public_key = ? AND snapshot_id = ?"
        self._all(query, time, fault, public_key, snapshot_id)

    def note_look(self, public_key: bytes, time: int, fault: str) -> None:
        """Keep when an exchange was last looked at, and why it could not be read, if so."""
        self._all("INSERT OR REPLACE INTO look VALUES (?, ?, ?)", public_key, time, fault)

    def look(self, public_key: bytes) -> tuple[int, str] | None:
        """Return what `note_look` kept last."""
        rows = self._all("SELECT time, fault FROM look WHERE public_key = ?", public_key)
        return (rows[0][0], rows[0][1]) if rows else None

    def submit(self, url: str, public_key: bytes, time: int, most: int) -> bool:
        """Queue a bundle, once; return whether there is room, ``most`` being the longest queue."""
        with self._lock:
            (waiting,) = self._database.execute(
                "SELECT count(*) FROM submission WHERE state = 'waiting'"
            ).fetchone()
            if waiting >= most:
                return False
            self._database.execute(
                "INSERT INTO submission (url, public_key, time, state) VALUES (?, ?, ?, 'waiting') "
                "ON CONFLICT (url, public_key) DO UPDATE SET state = 'waiting', time = ?",
                (url, public_key, time, time),
            )
            return True

    def submissions(self, state: str | None = None) -> list[Submission]:
        """Return submissions, the oldest first; of one state or all."""
        query = "SELECT id, url, public_key, time, state FROM submission"
        if state is None:
            rows = self._all(f"{query} ORDER BY id")
        else:
            rows = self._all(f"{query} WHERE state = ? ORDER BY id", state)
        return [Submission(*row) for row in rows]

    def end_submission(self, number: int, state: str) -> None:
        """Keep how a submission ended."""
        self._all("UPDATE submission SET state = ? WHERE id = ?", state, number)

    def add_complaint(self, found: Complaint) -> None:
        """Keep a failing package; a package that was there already keeps its owner's choice."""
        values = [getattr(found, name) for name in Complaint.__dataclass_fields__]
        self._all("INSERT OR IGNORE INTO complaint VALUES (?, ?, ?, ?, ?, ?)", *values)

    def complaint(self, digest: bytes) -> Complaint | None:
        """Return a failing package by its digest."""
        rows = self._all("SELECT * FROM complaint WHERE digest = ?", digest)
        return Complaint(*rows[0]) if rows else None

    def complaints(self, manifests: Sequence[bytes]) -> list[Complaint]:
        """Return the failing packages of some manifests, the newest first."""
        wanted = set(manifests)
        rows = self._all("SELECT * FROM complaint ORDER BY time DESC")
        return [Complaint(*row) for row in rows if row[1] in wanted]


_Row = TypeVar("_Row", bound=Outcome)


def _read(kind: type[_Row], row: Sequence[Any]) -> _Row:
    values = dict(zip(kind.__dataclass_fields__, row, strict=True))
    values["details"] = json.loads(values["details"])
    return kind(**values)
