"""What the pages of the host show: plain facts for the templates.

What a page costs does not grow with what strangers hand in, nor with the years: it shows so many
exchanges, snapshots, alarms and complaints, and what is wrong with a whole history is told anew
only when that history has changed.
"""

from __future__ import annotations

import heapq
import re
import threading
from calendar import monthrange
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from verifier.errors import Code
from verifier.format.keys import public_key_text
from verifier.format.params import DAY_SECONDS
from verifier.format.times import utc_text
from verifier.host.alarms import (
    MINUTES,
    NEWS_SECONDS,
    Alarm,
    Clock,
    ahead_alarms,
    is_ahead,
    lasting_alarms,
    passing_alarms,
    told_alarms,
    unread_alarms,
)
from verifier.host.badge import Badge, badge_of
from verifier.host.facts import (
    COLOURED,
    TIME,
    AlarmGroup,
    alarm_facts,
    bounded,
    explained,
    grouped,
    judged,
    outcome,
    record_facts,
    snapshot_facts,
    span,
)
from verifier.host.feed import News
from verifier.host.front import Front, Row, make_front
from verifier.host.lookalike import resembled
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.standing import (
    Bar,
    Coin,
    Days,
    Standing,
    alone,
    coins,
    draw,
    last_days,
    sentence,
    standing,
    worst_bars,
)
from verifier.host.store import ALWAYS, Complaints, Dates, Listed, Outcome, RecordFault, Store
from verifier.texts import listed

# How many snapshots of an exchange its first page shows, and each further page; how many exchanges
# a page of theirs for programs has; how many of what strangers handed in, and entries of a feed;
# how many failing packages of one snapshot.
NEWEST, ON_PAGE, EXCHANGES, STRANGERS, ENTRIES = 14, 50, 20, 50, 50
_COMPLAINTS = 3

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class ExchangeView:
    """An exchange as its page shows it, the newest snapshot first.

    ``looked`` is when it was looked at last, in Unix seconds, and ``fault`` why it could not be
    read then; ``pages`` how many pages its history has, and ``failing`` how many packages of
    customers fail. ``newest`` is the newest snapshot at its own place that was audited, ``late``
    says for how long one has been due, and ``check`` is where a customer checks their balance;
    either may be empty.
    """

    name: str
    key: str
    path: str
    url: str
    follows: bool
    entry: WatchedExchange | None
    looked: int | None
    fault: str
    alarms: list[Alarm]
    newest: Outcome | None
    snapshots: list[dict[str, Any]]
    total: int
    pages: int
    failing: int
    days: Days | None
    late: str
    check: str

    @property
    def watched(self) -> bool:
        """Whether it is one of the settings."""
        return self.entry is not None

    @property
    def standing(self) -> Standing:
        """How it stands."""
        return standing(alone(self.newest), self.alarms)

    @property
    def lead(self) -> str:
        """What the newest snapshot shows, in words; nothing where an alarm says more."""
        return sentence(self.newest) if self.newest and self.standing.look != "bad" else ""

    @property
    def looks(self) -> set[str]:
        """How well the coins that are shown are known."""
        return {
            asset["look"]
            for item in self.snapshots
            if item["look"] in COLOURED
            for asset in item["assets"]
        }

    @property
    def date(self) -> str:
        """The time of that newest snapshot, for people."""
        return "" if self.newest is None else utc_text(self.newest.time, TIME)

    @property
    def due(self) -> str:
        """In what time a new snapshot is expected."""
        return "" if self.entry is None else span(self.entry.overdue_seconds)

    @property
    def badge(self) -> Badge:
        """The badge of it."""
        return badge_of(self.standing, self.newest)

    @property
    def groups(self) -> list[AlarmGroup]:
        """Its alarms by kind."""
        return grouped(self.alarms)

    @property
    def looked_at(self) -> str:
        """When it was looked at last, as the pages write it; empty if it never was."""
        return "" if self.looked is None else utc_text(self.looked, TIME)


@dataclass(frozen=True)
class Month:
    """A calendar month, ``2026-11``, and the nearest ones of an exchange that have a snapshot."""

    name: str
    dates: Dates
    earlier: str
    later: str
    total: int
    pages: int

    @property
    def title(self) -> str:
        """The month in words."""
        return _title(self.name)

    @property
    def earlier_title(self) -> str:
        """The one before in words."""
        return _title(self.earlier)

    @property
    def later_title(self) -> str:
        """The one after in words."""
        return _title(self.later)


@dataclass(frozen=True)
class _History:
    """What is known of an exchange, as long as nothing of it changes."""

    version: int
    keys: list[bytes]
    newest: list[Outcome]
    unread: list[Outcome]
    audited: Outcome | None
    alone: Standing
    coins: list[Coin]
    total: int
    last: int | None
    ahead: list[Outcome]
    lasting: list[Alarm]
    alarming: frozenset[bytes]
    failing: frozenset[bytes]
    complaints: dict[bytes, Complaints]
    records: dict[bytes, list[RecordFault]]
    bars: dict[int, Bar]
    before: int | None


@dataclass(frozen=True)
class _Moment:
    """What time and the last look at an exchange add to its history, in its row."""

    alarms: tuple[Alarm, ...]
    late: str
    fault: str


class Views:
    """Makes views of what a store has; ``started`` is when the host was, in Unix seconds."""

    def __init__(self, settings: Settings, store: Store, started: int) -> None:
        self._settings = settings
        self._store = store
        self._started = started
        self._watched = {entry.public_key: entry for entry in settings.exchanges}
        self._histories: dict[bytes, _History] = {}
        self._rows: dict[bytes, tuple[_History, _Moment, Row]] = {}
        self._reading = threading.Lock()
        self._front: tuple[Hashable, Front | None] = (None, None)
        self._present_keys: tuple[int, dict[bytes, bytes]] = (-1, dict.fromkeys(self._watched, b""))

    def present_keys(self) -> dict[bytes, bytes]:
        """Return, of every key that an exchange of the settings has or had, the one it has now."""
        known, found = self._present_keys
        version = self._store.version(found)  # before they are read: what comes meanwhile is later
        if known != version:  # a snapshot of theirs may tell of an older one
            found = {key: now for now in self._watched for key in self._history(now).keys}
            self._present_keys = version, found
        return found

    def watched(self, key: bytes) -> WatchedExchange | None:
        """Return the exchange of the settings that has, or had, a key."""
        return self._watched.get(self.present_keys().get(key, key))

    def front_version(self) -> int:
        """Return what changes whenever the view of the watched exchanges does, but for the time."""
        return self._store.version(self.present_keys())

    def front(self, now: int) -> Front:
        """Return how every exchange of the settings stands, the worst first; once a minute."""
        version = self.front_version(), now // 60
        kept, front = self._front
        if front is None or kept != version:
            looks = self._store.looks()
            front = make_front(self._row(key, looks.get(key), now) for key in self._watched)
            self._front = version, front
        return front

    def strangers_count(self) -> tuple[int, int]:
        """Return how many proofs hold, and how many fail, under keys that nobody watches."""
        codes = self._store.count_strangers(sorted(self.present_keys()))
        unknown = codes[Code.CHECK_UNREADABLE] + codes[Code.CHECK_FUTURE]
        return codes[""], codes.total() - codes[""] - unknown

    def exchanges(self, page: int, now: int) -> list[ExchangeView]:
        """Return a page of the exchanges of the settings, each with its newest snapshots."""
        keys = list(self._watched)[(page - 1) * EXCHANGES : page * EXCHANGES]
        return [self._view(key, now, NEWEST) for key in keys]

    def exchange_pages(self) -> int:
        """Return how many pages these have."""
        return max(1, -(-len(self._watched) // EXCHANGES))

    def overview(self, key: bytes, now: int) -> ExchangeView:
        """Return an exchange with its newest snapshots."""
        return self._view(key, now, NEWEST)

    def exchange(self, key: bytes, page: int, now: int, dates: Dates = ALWAYS) -> ExchangeView:
        """Return an exchange with a page of its snapshots."""
        return self._view(key, now, ON_PAGE, (page - 1) * ON_PAGE, dates)

    def month(self, key: bytes, name: str) -> Month | None:
        """Return a month of an exchange's history, None if there is no such month of it."""
        dates = _month_dates(name)
        if dates is None:
            return None
        keys = self._keys(key)
        total = self._store.count(keys, dates)
        earlier, later = (_month_of(time) for time in self._store.around(keys, dates))
        return Month(name, dates, earlier, later, total, _pages(total)) if total else None

    def newest_month(self, key: bytes) -> str:
        """Return the month of an exchange's newest snapshot, nothing if it has none."""
        newest = self._store.snapshots(self._keys(key), 1)
        return _month_of(newest[0].dated) if newest else ""

    def feed(self, key: bytes | None, now: int) -> list[News]:
        """Return what is news of one exchange of the settings, or of all, the newest first."""
        rows = [row for row in self.front(now).rows if key in (None, row.key)]
        found = heapq.nlargest(ENTRIES, self._found(rows, now), key=lambda each: each[2])
        return [self._news(*each, now) for each in found]

    def _found(
        self, rows: Iterable[Row], now: int
    ) -> Iterator[tuple[Row, Outcome | AlarmGroup, int]]:
        """Yield whatever may be news, and when it was found; no words are made of it yet."""
        for row in rows:
            for item in self._history(row.key).newest:
                if item.is_settled or is_ahead(item, now):
                    yield row, item, item.found
            for group in row.alarms:
                if group.since is not None:
                    yield row, group, group.since

    def _news(self, row: Row, what: Outcome | AlarmGroup, found: int, now: int) -> News:
        if isinstance(what, AlarmGroup):
            return News(row, what, "", found)
        history = self._history(row.key)
        _, said = judged(what, history.alarming, history.failing, now)
        copy = "" if what.own else ", in a copy that somebody handed in"
        return News(row, what, f"{said}{copy}", found)

    def manifests(self, key: bytes, snapshot_id: str) -> list[bytes]:
        """Return the digests of the manifests of a snapshot, under all keys of its exchange."""
        now = self.present_keys().get(key, key)
        return self._store.manifests(self._keys(now), snapshot_id, ON_PAGE)

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
                "outcome": outcome(item, now),
                "set_aside": item.set_aside,
                "undated": listed(item.undated),
                "ahead": is_ahead(item, now),
                "code": item.code,
                "digest": item.digest.hex(),
                **explained(item.code),
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
        if key in self._watched:
            history = self._history(key)
            return key, history.version, _pages(history.total)
        version, total = self._store.version([key]), self._store.count([key])
        return key, version, _pages(total) if total else 0

    def _keys(self, key: bytes) -> list[bytes]:
        """Return the keys of an exchange of the settings; of another only the one."""
        return self._history(key).keys if key in self._watched else [key]

    def _history(self, key: bytes) -> _History:
        """Return the history of an exchange of the settings."""
        with self._reading:  # once, however many ask
            known = self._histories.get(key)
            if known is None or known.version != self._store.version(known.keys):
                known = self._histories[key] = self._read(key)
        return known

    def _read(self, key: bytes) -> _History:
        keys, version = self._store.keys_and_version(key)
        history = self._store.snapshots(keys)
        return _history_of(
            history,
            self._store.listed(key),
            self._store.complaints(keys, _COMPLAINTS),
            self._store.records(keys),
            keys,
            version,
        )

    def _excerpt(self, key: bytes, most: int, after: int, dates: Dates) -> _History:
        """Return so many snapshots under a key that nobody watches, as if there were no others.

        What it costs does not grow with what somebody has signed with that key.
        """
        shown = self._store.snapshots([key], most, after, dates)
        span = (shown[-1].dated, shown[0].dated + 1) if shown else (0, 0)
        return _history_of(
            shown,
            [],
            self._store.complaints([key], _COMPLAINTS, span),
            self._store.records([key], span),
            [key],
            0,
        )

    def _row(self, key: bytes, looked: tuple[int, str] | None, now: int) -> Row:
        """Return the row of an exchange: the one that is kept, unless its history or time says
        otherwise by now.
        """
        entry, history = self._watched[key], self._history(key)
        moment = _Moment(
            alarms=tuple(self._passing(entry, history, looked, now)),
            late=_late(entry, history, now),
            fault=looked[1] if looked else "",
        )
        kept = self._rows.get(key)
        if kept is None or kept[0] is not history or kept[1] != moment:
            kept = self._rows[key] = history, moment, self._make_row(entry, history, moment)
        return kept[2]

    def _make_row(self, entry: WatchedExchange, history: _History, moment: _Moment) -> Row:
        alarms = [*history.lasting, *moment.alarms]
        newest, waits = history.audited, history.newest[:1]
        stands = standing(history.alone, alarms)
        return Row(
            key=entry.public_key,
            name=entry.name,
            path=_path(entry.public_key),
            place=entry.place,
            check=self._check(entry),
            standing=stands,
            newest=newest,
            late=moment.late,
            is_newer_waiting=bool(waits) and not waits[0].is_audited,
            fault=moment.fault,
            coins=history.coins if stands.look != "bad" else [],
            alarms=grouped(bounded(alarms)),
            last_days=partial(_last_days, history, entry),
        )

    def _check(self, entry: WatchedExchange) -> str:
        """Return where a customer checks their balance, with the address of the proofs."""
        if self._settings.page is None:
            return ""
        return f"/check.html#bundle={quote(entry.place, safe='')}"

    def _view(
        self,
        key: bytes,
        now: int,
        most: int,
        after: int = 0,
        dates: Dates = ALWAYS,
    ) -> ExchangeView:
        entry = self._watched.get(key)
        looked = self._store.looks().get(key)
        if entry is None:
            history = self._excerpt(key, most, after, dates)
            shown, total = history.newest, self._store.count([key])
        else:
            history = self._history(key)
            shown, total = history.newest[after : after + most], history.total
            if after + most > ON_PAGE or dates != ALWAYS:
                shown = self._store.snapshots(history.keys, most, after, dates)
        name, url = (entry.name, entry.place) if entry else _newest(history)
        found = [*history.lasting, *self._passing(entry, history, looked, now)]
        alarming = _named(found)
        return ExchangeView(
            name=name,
            key=public_key_text(key),
            path=_path(key),
            url=url,
            follows=entry is not None and bool(entry.history),
            entry=entry,
            looked=looked[0] if looked else None,
            fault=looked[1] if looked else "",
            alarms=bounded(found),
            newest=history.audited,
            snapshots=[self._snapshot(item, entry, history, alarming, now) for item in shown],
            total=total,
            pages=_pages(total),
            failing=sum(one.total for one in history.complaints.values()),
            days=draw(_last_days(history, entry, now)) if entry else None,
            late=_late(entry, history, now) if entry else "",
            check=self._check(entry) if entry else "",
        )

    def _snapshot(
        self,
        item: Outcome,
        entry: WatchedExchange | None,
        history: _History,
        alarming: frozenset[bytes],
        now: int,
    ) -> dict[str, Any]:
        seen, said = judged(item, alarming, history.failing, now)
        return {
            **snapshot_facts(item, history.complaints.get(item.digest), now),
            "failed_records": record_facts(history.records.get(item.digest, ())),
            "look": seen if entry else "plain",
            "said": said,
        }

    def _passing(
        self,
        entry: WatchedExchange | None,
        history: _History,
        looked: tuple[int, str] | None,
        now: int,
    ) -> Iterator[Alarm]:
        """Yield the alarms that come and go with time."""
        yield from ahead_alarms(history.ahead, now)
        if entry is not None:
            at = looked[0] if looked else self._started
            every = self._settings.every_seconds
            yield from passing_alarms(Clock(now, history.last, entry.overdue_seconds, at, every))
            if entry.bundle:
                fault = looked[1] if looked else ""
                yield from unread_alarms(history.unread, fault, now, self._settings.audit_seconds)


def _history_of(
    history: list[Outcome],
    index: list[Listed],
    complaints: dict[bytes, Complaints],
    records: dict[bytes, list[RecordFault]],
    keys: list[bytes],
    version: int,
) -> _History:
    ahead = [item for item in history if is_ahead(item, item.seen)]
    start = history[0].dated - NEWS_SECONDS if history else 0
    recent = [item for item in history if item.dated >= start]
    lasting = lasting_alarms(history, index)
    lasting += told_alarms(recent, complaints, records, lasting)
    alarming = _named(lasting)
    own = [item for item in history if item.own]
    audited = next((item for item in own if item.is_settled), None)
    return _History(
        version=version,
        keys=keys,
        newest=history[:ON_PAGE],
        unread=[item for item in own[:1] if not item.is_settled],
        audited=audited,
        alone=alone(audited),
        coins=coins(audited) if audited else [],
        total=len(history),
        last=max((item.dated for item in own if item.is_audited), default=None),
        ahead=ahead,
        lasting=lasting,
        alarming=alarming,
        failing=frozenset(complaints) | frozenset(records),
        complaints=complaints,
        records=records,
        bars=worst_bars(recent, alarming.union(item.digest for item in ahead)),
        before=next((item.dated for item in history if item.dated < start), None),
    )


def _named(alarms: Iterable[Alarm]) -> frozenset[bytes]:
    return frozenset(digest for alarm in alarms for digest in alarm.digests)


def _newest(history: _History) -> tuple[str, str]:
    """Return how an exchange that nobody watches calls itself, and where it was seen."""
    return next(((item.exchange, item.url) for item in history.newest), ("", ""))


def _last_days(history: _History, entry: WatchedExchange, now: int) -> list[Bar]:
    return last_days(history.bars, history.before, entry.overdue_seconds, now)


def _late(entry: WatchedExchange, history: _History, now: int) -> str:
    """Return for how long a snapshot has been due, if so."""
    if history.last is None:
        return ""
    seconds = now - history.last - entry.overdue_seconds
    return span(seconds) if seconds > 0 else ""


def _pages(total: int) -> int:
    return max(1, -(-total // ON_PAGE))


def _path(key: bytes) -> str:
    return f"/exchanges/{key.hex()}"


def _month_dates(name: str) -> Dates | None:
    """Return from when to when a month is, None if the text is no month."""
    found = _MONTH.fullmatch(name)
    if found is None or name[:4] == "0000":
        return None
    year, month = int(found[1]), int(found[2])
    first = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
    return first, first + monthrange(year, month)[1] * DAY_SECONDS


def _title(name: str) -> str:
    """Return a month in words; of none, nothing."""
    dates = _month_dates(name)
    return "" if dates is None else utc_text(dates[0], "%B %Y")


def _month_of(time: int | None) -> str:
    """Return the month of a time, nothing if there is none or no calendar has it."""
    text = "" if time is None else utc_text(time, "%Y-%m")
    return text if _MONTH.fullmatch(text) else ""


def exchange_facts(view: ExchangeView) -> dict[str, Any]:
    """Return an exchange for programs."""
    return {
        "name": view.name,
        "public_key": view.key,
        "history" if view.follows else "bundle": view.url,
        "watched": view.watched,
        **({"standing": view.standing} if view.watched else {}),
        "looked_at": None if view.looked is None else utc_text(view.looked),
        "look_succeeded": view.looked is not None and not view.fault,
        "fault": view.fault,
        "alarms": [alarm_facts(alarm) for alarm in view.alarms],
        "snapshots": view.snapshots,
        "snapshots_total": view.total,
        "all_snapshots": f"{view.path}.json",
    }
