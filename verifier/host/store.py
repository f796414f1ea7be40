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
from typing import Any

SCHEMA_VERSION = 1
_SCHEMA = """
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
"""


@dataclass(frozen=True)
class Audited:
    """A manifest and what became of it; ``code`` is empty if its bundle was accepted.

    ``details`` has for each asset its code, level and ratio, and for each chain its block.
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
    manifest: bytes
    signature: bytes
    attestation: bytes
    attestation_signature: bytes


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
        if found == 0:
            self._database.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
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
        return _audited(rows[0]) if rows else None

    def snapshots(self, public_key: bytes) -> list[Audited]:
        """Return all manifests of an exchange, the newest first."""
        query = "SELECT * FROM snapshot WHERE public_key = ? ORDER BY time DESC, audited DESC"
        return [_audited(row) for row in self._all(query, public_key)]

    def public_keys(self) -> list[bytes]:
        """Return the keys of all exchanges that something is known of."""
        return [row[0] for row in self._all("SELECT DISTINCT public_key FROM snapshot")]

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


def _audited(row: Sequence[Any]) -> Audited:
    values = dict(zip(Audited.__dataclass_fields__, row, strict=True))
    values["details"] = json.loads(values["details"])
    return Audited(**values)
