"""The host's settings: one TOML file, read once, every key of it known."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from verifier.bundle.history import snapshot_path
from verifier.bundle.unit_lists import UnitList, read_units
from verifier.checks.policy import Attester, Policy
from verifier.errors import CannotCheck, Misuse
from verifier.format.account import AccountError, canonical_name
from verifier.format.keys import parse_public_key
from verifier.format.units import KnownUnit

_MINUTE, _HOUR = 60, 3600
_KEYS: dict[str, type] = {
    "name": str,
    "key": str,
    "folder": str,
    "every_seconds": int,
    "bundle_gigabytes": int,
    "audit_hours": int,
    "jobs": int,
    "submissions": bool,
    "submission_minutes": int,
    "submission_bytes": int,
    "units": list,
    "page": str,
    "attester": list,
    "exchange": list,
}
_ATTESTER_KEYS: dict[str, type] = {"name": str, "public_key": str}
_EXCHANGE_KEYS: dict[str, type] = {
    "name": str,
    "bundle": str,
    "history": str,
    "public_key": str,
    "overdue_hours": int,
    "key_compared": date,
}


@dataclass(frozen=True)
class WatchedExchange:
    """An exchange; ``public_key`` has 32 bytes.

    One of two URLs is empty: ``bundle`` is where its newest bundle is, ``history`` its published
    folder (spec/wire.md, section 10). ``key_compared`` is when the auditor compared the key with
    the exchange, None if they do not say.
    """

    name: str
    bundle: str
    history: str
    public_key: bytes
    overdue_seconds: int
    key_compared: date | None = None

    @property
    def place(self) -> str:
        """The URL that is given."""
        return self.bundle or self.history

    def place_of(self, snapshot_id: str) -> str:
        """Return where the bundle of a snapshot is, or was when it was the newest."""
        if self.bundle:
            return self.bundle
        return f"{self.history.rstrip('/')}/{snapshot_path(snapshot_id)}"


@dataclass(frozen=True)
class Settings:
    """What the host is told at its start.

    name: the auditor's own. key: file of its Ed25519 key (PKCS#8 PEM). folder: where it keeps its
    database. every_seconds: between two looks at one exchange. bundle_bytes, audit_seconds: the
    most that one audit of a watched exchange may read and take; submission_bytes and
    submission_seconds: the same of what a stranger handed in. jobs: threads of an audit.
    units: lists of what the auditor knows beside the verifier's table. attesters: whose word on
    holdings the auditor takes. page: the customer's page, which is served beside the host's own.
    loopback: admits plain HTTP to this machine; for tests.
    """

    name: str
    key: Path
    folder: Path
    exchanges: tuple[WatchedExchange, ...]
    every_seconds: int = 300
    bundle_bytes: int = 64 * 10**9
    audit_seconds: int = 6 * _HOUR
    jobs: int = 1
    submissions: bool = True
    submission_seconds: int = 10 * _MINUTE
    submission_bytes: int = 10**9
    units: tuple[UnitList, ...] = ()
    attesters: tuple[Attester, ...] = ()
    page: Path | None = None
    loopback: bool = False

    @property
    def named(self) -> tuple[KnownUnit, ...]:
        """All units of the lists."""
        return tuple(unit for found in self.units for unit in found.units)


def read_settings(file: Path, *, loopback: bool = False) -> Settings:
    """Read the settings; paths in them are relative to the file's folder.

    Raises:
        Misuse: unreadable, or a key is unknown, missing or out of range.
    """
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Misuse(f"{file}: {reason}") from None
    _check_keys(str(file), found, _KEYS, required={"name", "key", "folder"})
    exchanges = tuple(
        _exchange(f"{file}: exchange {at}", entry)
        for at, entry in enumerate(found.get("exchange", []), 1)
    )
    if len({entry.public_key for entry in exchanges}) != len(exchanges):
        raise Misuse(f"{file}: an exchange's key occurs twice")
    if len({entry.name.casefold() for entry in exchanges}) != len(exchanges):
        raise Misuse(f"{file}: an exchange's name occurs twice")
    return Settings(
        name=_name(f"{file}: name", found["name"]),
        key=file.parent / found["key"],
        folder=file.parent / found["folder"],
        exchanges=exchanges,
        every_seconds=_whole(file, found, "every_seconds", 300),
        bundle_bytes=_whole(file, found, "bundle_gigabytes", 64) * 10**9,
        audit_seconds=_whole(file, found, "audit_hours", 6) * _HOUR,
        jobs=_whole(file, found, "jobs", 1),
        submissions=found.get("submissions", True),
        submission_seconds=_whole(file, found, "submission_minutes", 10) * _MINUTE,
        submission_bytes=_whole(file, found, "submission_bytes", 10**9, most=10**15),
        units=_unit_lists(file, found.get("units", [])),
        attesters=_attesters(file, found.get("attester", [])),
        page=file.parent / found["page"] if "page" in found else None,
        loopback=loopback,
    )


def _unit_lists(file: Path, names: list[Any]) -> tuple[UnitList, ...]:
    if not all(isinstance(name, str) for name in names):
        raise Misuse(f"{file}: units is no list of file names")
    try:
        lists = tuple(read_units(str(file.parent / name)) for name in names)
        Policy(units=tuple(unit for found in lists for unit in found.units))
    except (CannotCheck, Misuse) as error:
        raise Misuse(f"{file}: units: {error}") from None
    return lists


def _attesters(file: Path, entries: list[Any]) -> tuple[Attester, ...]:
    attesters = []
    for at, entry in enumerate(entries, 1):
        where = f"{file}: attester {at}"
        if not isinstance(entry, dict):
            raise Misuse(f"{where}: not a table")
        _check_keys(where, entry, _ATTESTER_KEYS, required=set(_ATTESTER_KEYS))
        name = _name(f"{where}: name", entry["name"])
        attesters.append(Attester(name, parse_public_key(entry["public_key"])))
    try:
        return Policy(attesters=tuple(attesters)).attesters
    except Misuse as error:
        raise Misuse(f"{file}: attester: {error}") from None


def _exchange(where: str, entry: Any) -> WatchedExchange:
    if not isinstance(entry, dict):
        raise Misuse(f"{where}: not a table")
    _check_keys(where, entry, _EXCHANGE_KEYS, required={"name", "public_key"})
    places = {"bundle", "history"} & entry.keys()
    if len(places) != 1:
        raise Misuse(f"{where}: one of bundle and history is needed, and not both")
    for key in places:
        if not re.fullmatch(r"https?://[!-~]{1,2000}", entry[key]):
            raise Misuse(f"{where}: {key} is no http(s) URL")
    return WatchedExchange(
        name=_name(f"{where}: name", entry["name"]),
        bundle=entry.get("bundle", ""),
        history=entry.get("history", ""),
        public_key=parse_public_key(entry["public_key"]),
        overdue_seconds=_whole(where, entry, "overdue_hours", 48) * _HOUR,
        key_compared=entry.get("key_compared"),
    )


def _check_keys(
    where: str, found: dict[str, Any], known: dict[str, type], required: set[str]
) -> None:
    for key, value in found.items():
        if key not in known:
            raise Misuse(f"{where}: unknown key {key}")
        if type(value) is not known[key]:
            raise Misuse(f"{where}: {key} is not of type {known[key].__name__}")
    for key in sorted(required - found.keys()):
        raise Misuse(f"{where}: {key} is missing")


def _whole(
    where: object, found: dict[str, Any], key: str, default: int, *, most: int = 10**6
) -> int:
    value: int = found.get(key, default)
    if not 1 <= value <= most:
        raise Misuse(f"{where}: {key} is not 1 to {most:,}")
    return value


def _name(where: str, text: str) -> str:
    try:
        return canonical_name(text)
    except AccountError as error:
        raise Misuse(f"{where}: {error.rule}") from None
