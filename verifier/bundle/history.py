"""The index of a published folder (spec/wire.md, section 10): which snapshots there are, and where.

It is not signed. Whoever reads it takes from it where to look and nothing else: what is there is
proved by the signed manifests, each of which names the one before.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from verifier.bundle.json_text import no_duplicates, parse_json
from verifier.bundle.open import open_bundle
from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.format.account import AccountError, canonical_name
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.params import MANIFEST_PATH, MAX_MANIFEST_BYTES, SNAPSHOT_ID
from verifier.format.times import utc_seconds, utc_text
from verifier.format.wire import Package, PackageBody, read_record

HISTORY_PATH = "history.json"
HISTORY_VERSION = 1
MAX_HISTORY_BYTES = 2**20

_DIGEST = re.compile("[0-9a-f]{64}")
_FIELDS = {"exchange", "public_key", "snapshots", "version"}
_DEEPEST = 3
_ENTRY_FIELDS = {"manifest", "path", "previous", "snapshot_id", "time"}


class BadHistory(ValueError):
    """An index that is not as the specification has it; the message says where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A published snapshot: two digests of 32 bytes, and its time in Unix seconds."""

    manifest: bytes
    previous: bytes
    snapshot_id: str
    time: int

    @property
    def path(self) -> str:
        """Where its bundle is, below the folder."""
        return snapshot_path(self.snapshot_id)


@dataclass(frozen=True, slots=True)
class History:
    """An exchange's snapshots, the oldest first; name and 32-byte key are the newest manifest's."""

    exchange: str
    public_key: bytes
    snapshots: tuple[Entry, ...]


def snapshot_path(snapshot_id: str) -> str:
    """Return where a snapshot's bundle is in a published folder."""
    return f"snapshots/{snapshot_id}/"


def find_bundle(place: str, package: bytes) -> str:
    """Return where an untrusted package's bundle is: ``place``, or below it, a published folder.

    Where neither can be told it is ``place``, and whoever checks there says what is wrong.
    """
    try:
        wanted = read_record(PackageBody, read_record(Package, package).body).manifest
        with closing(open_bundle(place)) as source:
            try:
                source.read(MANIFEST_PATH, MAX_MANIFEST_BYTES)
                return place
            except (Rejected, CannotCheck):  # some hosts forbid what is not there
                index = read_history(source.read(HISTORY_PATH, MAX_HISTORY_BYTES))
    except (Rejected, CannotCheck, Misuse, ValueError):
        return place
    found = (entry.path for entry in index.snapshots if entry.manifest == wanted)
    return next((f"{place.rstrip('/')}/{path}" for path in found), place)


def write_history(history: History) -> bytes:
    """Return the bytes of an index."""
    entries = [
        {
            "manifest": entry.manifest.hex(),
            "path": entry.path,
            "previous": entry.previous.hex(),
            "snapshot_id": entry.snapshot_id,
            "time": utc_text(entry.time),
        }
        for entry in history.snapshots
    ]
    content = {
        "exchange": history.exchange,
        "public_key": public_key_text(history.public_key),
        "snapshots": entries,
        "version": HISTORY_VERSION,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_history(data: bytes) -> History:
    """Read an untrusted index.

    Raises:
        BadHistory: it is not as the specification has it.
    """
    if not 1 <= len(data) <= MAX_HISTORY_BYTES:
        raise BadHistory("empty, or larger than 1 MiB")
    try:
        found = parse_json(data.decode("utf-8"), _DEEPEST, object_pairs_hook=no_duplicates)
    except ValueError:
        raise BadHistory("not JSON, or a key occurs twice") from None
    if not isinstance(found, dict) or set(found) != _FIELDS:
        raise BadHistory(f"not an object of exactly {', '.join(sorted(_FIELDS))}")
    version, entries = found["version"], found["snapshots"]
    if type(version) is not int or version != HISTORY_VERSION:
        raise BadHistory("version is not 1")
    if not isinstance(entries, list):
        raise BadHistory("snapshots is no list")
    try:
        exchange = _text(found["exchange"])
        public_key = parse_public_key(_text(found["public_key"]))
        is_canonical = canonical_name(exchange) == exchange
    except (AccountError, Misuse):
        is_canonical = False
    if not is_canonical:
        raise BadHistory("exchange or public_key is malformed")
    snapshots = tuple(_entry(at, entry) for at, entry in enumerate(entries, 1))
    _check_order(snapshots)
    return History(exchange, public_key, snapshots)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadHistory("text is expected")
    return value


def _entry(at: int, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != _ENTRY_FIELDS:
        raise BadHistory(
            f"snapshot {at}: not an object of exactly {', '.join(sorted(_ENTRY_FIELDS))}"
        )
    texts = {name: _text(field) for name, field in value.items()}
    if not SNAPSHOT_ID.fullmatch(texts["snapshot_id"]):
        raise BadHistory(f"snapshot {at}: snapshot_id is not 1 to 64 of a-z, 0-9, -")
    if not all(_DIGEST.fullmatch(texts[name]) for name in ("manifest", "previous")):
        raise BadHistory(f"snapshot {at}: a digest is not 64 hex digits in lower case")
    try:
        seconds = utc_seconds(texts["time"])
    except ValueError:
        seconds = 0
    if seconds < 1 or utc_text(seconds) != texts["time"]:
        raise BadHistory(f"snapshot {at}: time is not YYYY-MM-DDTHH:MM:SSZ, from 1970 on")
    entry = Entry(
        manifest=bytes.fromhex(texts["manifest"]),
        previous=bytes.fromhex(texts["previous"]),
        snapshot_id=texts["snapshot_id"],
        time=seconds,
    )
    if texts["path"] != entry.path:
        raise BadHistory(f"snapshot {at}: path is not snapshots/ID/")
    return entry


def _check_order(snapshots: tuple[Entry, ...]) -> None:
    if len({entry.snapshot_id for entry in snapshots}) != len(snapshots):
        raise BadHistory("a snapshot_id occurs twice")
    for at, (before, entry) in enumerate(pairwise(snapshots), 2):
        if entry.previous != before.manifest or entry.time <= before.time:
            raise BadHistory(f"snapshot {at}: does not follow the one before it")
