"""What the pages of the host show: plain facts for the templates, and a picture of a history.

What a page costs does not grow with what strangers hand in, nor with the years: it shows so many
snapshots, alarms and complaints, and what is wrong with a whole history is told anew only when that
history has changed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from verifier.errors import Code
from verifier.format.chains import FIAT
from verifier.format.keys import public_key_text
from verifier.format.times import utc_text
from verifier.host.alarms import (
    MINUTES,
    Alarm,
    Clock,
    ahead_alarms,
    is_ahead,
    lasting_alarms,
    passing_alarms,
)
from verifier.host.lookalike import resembled
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Complaints, Outcome, Store
from verifier.texts import explain, listed

_WIDTH, _HEIGHT, _MARGIN = 400, 60, 8
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

# How many snapshots of an exchange the first page shows, and each page of its own; how many of what
# strangers handed in; of one kind of alarm, manifests of one alarm, and complaints of one snapshot.
NEWEST, ON_PAGE, STRANGERS = 14, 50, 50
_ALARMS, _MANIFESTS, _COMPLAINTS = 5, 10, 3

# How the picture writes a time.
_DATE = "%Y-%m-%d"


@dataclass(frozen=True)
class Dot:
    """A snapshot in the picture: its place, colour class and label."""

    x: float
    y: float
    look: str
    label: str


@dataclass(frozen=True)
class Picture:
    """Snapshots by time, and by the least ratio that they prove, up to ``top``."""

    dots: list[Dot]
    top: str
    first: str
    last: str


@dataclass(frozen=True)
class ExchangeView:
    """An exchange as its page shows it, the newest snapshot first.

    ``looked`` is when it was looked at last, in Unix seconds, and ``fault`` why it could not be
    read then; ``pages`` how many pages its history has.
    """

    name: str
    key: str
    path: str
    url: str
    follows: bool
    watched: bool
    looked: int | None
    fault: str
    alarms: list[Alarm]
    snapshots: list[dict[str, Any]]
    total: int
    pages: int
    picture: Picture | None

    @property
    def looked_at(self) -> str:
        """When it was looked at last, as the pages write it; empty if it never was."""
        return "" if self.looked is None else utc_text(self.looked, MINUTES)


@dataclass(frozen=True)
class _History:
    """What is known of an exchange, as long as nothing of it changes."""

    version: int
    keys: list[bytes]
    newest: list[Outcome]
    total: int
    last: int | None
    ahead: list[Outcome]
    lasting: list[Alarm]
    complaints: dict[bytes, Complaints]
    records: dict[bytes, list[tuple[bytes, str, str]]]


class Views:
    """Makes views of what a store has; ``started`` is when the host was, in Unix seconds."""

    def __init__(self, settings: Settings, store: Store, started: int) -> None:
        self._settings = settings
        self._store = store
        self._started = started
        self._watched = {entry.public_key: entry for entry in settings.exchanges}
        self._histories: dict[bytes, _History] = {}
        self._present_keys: tuple[int, dict[bytes, bytes]] = (-1, dict.fromkeys(self._watched, b""))

    def present_keys(self) -> dict[bytes, bytes]:
        """Return, of every key that an exchange of the settings has or had, the one it has now."""
        version, found = self._present_keys
        if version != self._store.version(found):  # a snapshot of theirs may tell of an older one
            found = {key: now for now in self._watched for key in self._store.keys_of(now)}
            self._present_keys = self._store.version(found), found
        return found

    def watched(self, key: bytes) -> WatchedExchange | None:
        """Return the exchange of the settings that has, or had, a key."""
        return self._watched.get(self.present_keys().get(key, key))

    def front_version(self) -> Hashable:
        """Return what changes whenever the view of the watched exchanges does, but for the time."""
        return self._store.version(self.present_keys()), self._store.looks

    def front(self, now: int) -> list[ExchangeView]:
        """Return every exchange of the settings, with its newest snapshots."""
        return [self._view(key, self._history(key), now, NEWEST) for key in self._watched]

    def exchange(self, key: bytes, page: int, now: int) -> ExchangeView:
        """Return an exchange with a page of its snapshots."""
        return self._view(key, self._history(key), now, ON_PAGE, (page - 1) * ON_PAGE)

    def strangers(self, now: int) -> list[dict[str, Any]]:
        """Return what was handed in last under keys that nobody watches, as facts."""
        names = self._names()
        return [
            {
                "name": item.exchange,
                "resembles": resembled(item.exchange, names),
                "public_key": public_key_text(item.public_key),
                "path": _path(item.public_key),
                "bundle": item.url,
                "id": item.snapshot_id or "unreadable",
                "time": utc_text(item.time, MINUTES),
                "audited": utc_text(item.audited, MINUTES),
                "accepted": not item.code,
                "outcome": _outcome(item, now),
                "set_aside": item.set_aside,
                "ahead": _is_ahead(item, now),
                "code": item.code,
                "digest": item.digest.hex(),
                **_explained(item.code),
            }
            for item in self._store.strangers(sorted(self.present_keys()), STRANGERS)
        ]

    def resembled(self, view: ExchangeView) -> str | None:
        """Return the exchange of the settings that one which is none of them may be taken for."""
        return None if view.watched else resembled(view.name, self._names())

    def _names(self) -> list[str]:
        """Return the names of the exchanges that are watched, also as they call themselves."""
        names = [entry.name for entry in self._settings.exchanges]
        for key in self._watched:
            names += [item.exchange for item in self._history(key).newest[:1]]
        return names

    def version(self, key: bytes) -> tuple[bytes, Hashable, int]:
        """Return the key that an exchange has now, what changes whenever the view of it does, but
        for the time, and how many pages it has: none, if nothing is known of it.
        """
        key = self.present_keys().get(key, key)
        keys = self._store.keys_of(key)
        total = self._store.count(keys)
        version = self._store.version(keys), self._store.look(key)
        return key, version, _pages(total) if total or key in self._watched else 0

    def _history(self, key: bytes) -> _History:
        keys = self._store.keys_of(key)
        version = self._store.version(keys)
        known = self._histories.get(key)
        if known is None or known.version != version or known.keys != keys:
            known = _read_history(self._store, key, keys, version)
        if key in self._watched:
            self._histories[key] = known
        return known

    def _view(
        self, key: bytes, history: _History, now: int, most: int, after: int = 0
    ) -> ExchangeView:
        entry = self._watched.get(key)
        look = self._store.look(key)
        shown = history.newest[after : after + most]
        if after + most > ON_PAGE:
            shown = self._store.snapshots(history.keys, most, after)
        name, url = (entry.name, entry.place) if entry else _newest(history)
        looked, fault = look or (None, "")
        found = self._alarms(entry, history, look, now)
        alarming = {digest for alarm in found for digest in alarm.digests}
        return ExchangeView(
            name=name,
            key=public_key_text(key),
            path=_path(key),
            url=url,
            follows=entry is not None and bool(entry.history),
            watched=entry is not None,
            looked=looked,
            fault=fault,
            alarms=_bounded(found),
            snapshots=[
                snapshot_facts(item, history.complaints.get(item.digest), now)
                | {"failed_records": _records(history.records.get(item.digest, ()))}
                | {"look": _look(item, alarming, now) if entry else "plain"}
                for item in shown
            ],
            total=history.total,
            pages=_pages(history.total),
            picture=_picture([item for item in shown if item.is_audited], alarming)
            if entry
            else None,
        )

    def _alarms(
        self,
        entry: WatchedExchange | None,
        history: _History,
        look: tuple[int, str] | None,
        now: int,
    ) -> list[Alarm]:
        found = [*history.lasting, *ahead_alarms(history.ahead, now)]
        if entry is not None:
            looked = look[0] if look else self._started
            every = self._settings.every_seconds
            clock = Clock(now, history.last, entry.overdue_seconds, looked, every)
            found += passing_alarms(clock)
        return found


def _read_history(store: Store, key: bytes, keys: list[bytes], version: int) -> _History:
    history = store.snapshots(keys)
    return _History(
        version=version,
        keys=keys,
        newest=history[:ON_PAGE],
        total=len(history),
        last=max((item.dated for item in history if item.own and item.is_audited), default=None),
        ahead=[item for item in history if is_ahead(item, item.seen)],
        lasting=lasting_alarms(history, store.listed(key)),
        complaints=store.complaints(keys, _COMPLAINTS),
        records=store.records(keys),
    )


def _newest(history: _History) -> tuple[str, str]:
    """Return how an exchange that nobody watches calls itself, and where it was seen."""
    return next(((item.exchange, item.url) for item in history.newest), ("", ""))


def _pages(total: int) -> int:
    return max(1, -(-total // ON_PAGE))


def _path(key: bytes) -> str:
    return f"/exchanges/{key.hex()}"


def _bounded(found: Iterable[Alarm]) -> list[Alarm]:
    """Return the first alarms of each kind, and how many more there are of it."""
    kinds: dict[str, list[Alarm]] = {}
    for alarm in found:
        kinds.setdefault(alarm.kind, []).append(alarm)
    bounded: list[Alarm] = []
    for kind, alarms in kinds.items():
        bounded += [
            Alarm(kind, alarm.text, alarm.digests[:_MANIFESTS]) for alarm in alarms[:_ALARMS]
        ]
        if len(alarms) > _ALARMS:
            bounded.append(Alarm(kind, f"and {len(alarms) - _ALARMS:,} more of this kind"))
    return bounded


def snapshot_facts(item: Outcome, complaints: Complaints | None, now: int) -> dict[str, Any]:
    """Return one snapshot's facts, as text."""
    times = item.details.get("block_times", {})
    aside = frozenset(item.set_aside)
    newest = complaints.newest if complaints else ()
    return {
        "id": item.snapshot_id or "unreadable",
        "time": utc_text(item.time, MINUTES),
        "age": f"{span(now - item.time)} ago" if item.time <= now else "dated in the future",
        "ahead": _is_ahead(item, now),
        "seen": utc_text(item.seen, MINUTES),
        "audited": utc_text(item.audited, MINUTES) if item.is_audited else None,
        "own": item.own,
        "accepted": not item.code,
        "outcome": _outcome(item, now),
        "code": item.code,
        "place": item.place,
        **_explained(item.code),
        "digest": item.digest.hex(),
        "assets": [
            {
                "code": code,
                "level": level,
                "ratio": f"{num}/{den}",
                "set_aside": code in aside,
            }
            for code, level, num, den in item.details["assets"]
        ],
        "attested": [
            {"code": code, "lines": lines} for code, lines in item.details.get("attested", [])
        ],
        "attested_total": item.details.get("attested_total", 0),
        "authority_unchecked": listed(item.details.get("authority_unchecked", [])),
        "chains": [
            {
                "name": name,
                "height": height,
                "hash": block_hash,
                "time": utc_text(times[name]) if name in times else None,
                "age": _block_age(item.time, times.get(name)),
            }
            for name, height, block_hash in item.details["chains"]
            if name != FIAT
        ],
        "declared": item.details.get("declared"),
        "complaints": [{"digest": digest.hex(), "code": code} for digest, code in newest],
        "complaints_total": complaints.total if complaints else 0,
    }


def _records(found: Iterable[tuple[bytes, str, str]]) -> list[dict[str, str]]:
    """Return the facts of a snapshot's records of arguments that fail, as text."""
    return [{"digest": digest.hex(), "code": code, "place": place} for digest, code, place in found]


def _look(item: Outcome, alarming: set[bytes], now: int) -> str:
    """Return the colour of a snapshot: good only where nothing at all is wrong with it."""
    if not item.is_audited:
        return "plain"
    if item.code or _is_ahead(item, now):
        return "bad"
    if item.digest in alarming:
        return "plain"
    return "partly" if item.set_aside else "good"


def _outcome(item: Outcome, now: int) -> str:
    """Return what came of a snapshot, in one word or two."""
    if not item.is_audited:
        return "not audited"
    if _is_ahead(item, now):
        return "dated ahead"
    return "rejected" if item.code else item.acceptance


def _is_ahead(item: Outcome, now: int) -> bool:
    return item.code == Code.CHECK_FUTURE or is_ahead(item, now)


def _explained(code: str) -> dict[str, str]:
    """Return what a code means, and what to do; of accepted ones nothing."""
    if not code:
        return {"finding": "", "advice": ""}
    return asdict(explain(Code(code)))


def span(seconds: int) -> str:
    """Return a length of time in its greatest unit, rounded down; of days from two on."""
    for unit, name, least in ((_DAY, "day", 2), (_HOUR, "hour", 1), (_MINUTE, "minute", 1)):
        count = seconds // unit
        if count >= least:
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    return "less than a minute"


def _block_age(snapshot: int, block: int | None) -> str:
    """Say how far a block's time is from its snapshot's, where evidence shows it."""
    if block is None:
        return "time not proved"
    return (
        f"{span(abs(snapshot - block))} {'before' if block <= snapshot else 'after'} the snapshot"
    )


def _picture(history: Sequence[Outcome], alarming: set[bytes]) -> Picture | None:
    """Place snapshots by time from left to right, and by the least ratio from below to above."""
    if not history:
        return None
    oldest_first = history[::-1]
    first, last = oldest_first[0].dated, oldest_first[-1].dated
    ratios = {item.digest: _floor(item) for item in history}
    top = max(*ratios.values(), 1.1)
    dots = []
    for item in oldest_first:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (item.dated - first) / max(last - first, _DAY)
        share = (ratios[item.digest] - 1) / (top - 1)
        y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * max(0.0, min(share, 1.0))
        bad = item.code or ("see the alarm above" if item.digest in alarming else "")
        said = bad or f"{item.acceptance}, at least {ratios[item.digest]:.2f} of liabilities"
        label = f"{utc_text(item.time, MINUTES)}: {said}"
        good = "partly" if item.set_aside else "good"
        dots.append(Dot(x, y, "bad" if bad else good, label))
    return Picture(dots, f"{top:.2f}", utc_text(first, _DATE), utc_text(last, _DATE))


def _floor(item: Outcome) -> float:
    """Return the least ratio of assets to liabilities that a snapshot proves of any asset; of one
    that is set aside it counts only where no other is left.
    """
    ratios = {code: num / den for code, _, num, den in item.details["assets"] if den}
    aside = frozenset(item.set_aside)
    known = [ratio for code, ratio in ratios.items() if code not in aside]
    return min(known or ratios.values(), default=1.0)


def exchange_facts(view: ExchangeView) -> dict[str, Any]:
    """Return an exchange for programs."""
    return {
        "name": view.name,
        "public_key": view.key,
        "history" if view.follows else "bundle": view.url,
        "watched": view.watched,
        "looked_at": None if view.looked is None else utc_text(view.looked),
        "look_succeeded": view.looked is not None and not view.fault,
        "fault": view.fault,
        "alarms": [
            {"kind": alarm.kind, "text": alarm.text, "manifests": [d.hex() for d in alarm.digests]}
            for alarm in view.alarms
        ],
        "snapshots": view.snapshots,
        "snapshots_total": view.total,
        "all_snapshots": f"{view.path}.json",
    }
