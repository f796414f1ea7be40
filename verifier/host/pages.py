"""What the pages of the host show: plain facts for the templates, and a picture of a history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier.host.alarms import MINUTES, Alarm, alarms
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Complaint, Outcome, Store
from verifier.keys import public_key_text
from verifier.verify import utc_text

_WIDTH, _HEIGHT, _MARGIN = 400, 60, 8
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

# How many snapshots the page shows, and how many of them stand open; the others are folded.
SHOWN, OPEN = 366, 14

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
    """An exchange as its page shows it, the newest snapshot first."""

    name: str
    key: str
    url: str
    follows: bool
    watched: bool
    looked: str
    fault: str
    alarms: list[Alarm]
    snapshots: list[dict[str, Any]]
    older: bool
    picture: Picture | None


def exchange_views(
    settings: Settings, store: Store, now: int, most: int | None = None
) -> list[ExchangeView]:
    """Return every exchange that is watched, then those that were handed in.

    ``most`` is how many snapshots of each are described; alarms are about all.
    """
    watched = {entry.public_key: entry for entry in settings.exchanges}
    own = {key for entry in watched for key in store.keys_of(entry)}
    others = [key for key in store.public_keys() if key not in own]
    return [_view(watched.get(key), store, key, now, most) for key in [*watched, *others]]


def _view(
    entry: WatchedExchange | None, store: Store, key: bytes, now: int, most: int | None
) -> ExchangeView:
    history = [item for one in store.keys_of(key) for item in store.snapshots(one)]
    history.sort(key=lambda item: (item.time, item.audited), reverse=True)
    look = store.look(key)
    newest = history[0] if history else None
    complaints = store.complaints([item.digest for item in history])
    overdue = entry.overdue_seconds if entry else None
    found = alarms(history, store.listed(key), now, overdue)
    return ExchangeView(
        name=entry.name if entry else (newest.exchange if newest else ""),
        key=public_key_text(key),
        url=entry.place if entry else (newest.url if newest else ""),
        follows=entry is not None and bool(entry.history),
        watched=entry is not None,
        looked=utc_text(look[0], MINUTES) if look else "never",
        fault=look[1] if look else "",
        alarms=found,
        snapshots=[snapshot_view(item, complaints, now) for item in history[:most]],
        older=len(history[:most]) < len(history),
        picture=_picture(history[:most], {digest for alarm in found for digest in alarm.digests}),
    )


def snapshot_view(item: Outcome, complaints: list[Complaint], now: int) -> dict[str, Any]:
    """Return one snapshot's facts, as text."""
    times = item.details.get("block_times", {})
    return {
        "id": item.snapshot_id or "unreadable",
        "time": utc_text(item.time, MINUTES),
        "age": f"{span(now - item.time)} ago" if item.time <= now else "dated in the future",
        "audited": utc_text(item.audited, MINUTES),
        "accepted": not item.code,
        "code": item.code,
        "place": item.place,
        "digest": item.digest.hex(),
        "assets": [
            {"code": code, "level": level, "ratio": f"{num}/{den}"}
            for code, level, num, den in item.details["assets"]
        ],
        "chains": [
            {
                "name": name,
                "height": height,
                "hash": block_hash,
                "time": utc_text(times[name]) if name in times else None,
                "age": _block_age(item.time, times.get(name)),
            }
            for name, height, block_hash in item.details["chains"]
        ],
        "complaints": [
            {"digest": one.digest.hex(), "code": one.code, "shown": one.package is not None}
            for one in complaints
            if one.manifest == item.digest
        ],
    }


def span(seconds: int) -> str:
    """Return a length of time in its greatest unit, rounded down; of days from two on."""
    for unit, name, least in ((_DAY, "day", 2), (_HOUR, "hour", 1), (_MINUTE, "minute", 1)):
        count = seconds // unit
        if count >= least:
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    return "less than a minute"


def _block_age(snapshot: int, block: int | None) -> str:
    """Say how far a block's time is from its snapshot's; no evidence but Ethereum's shows one."""
    if block is None:
        return "time not proved"
    return (
        f"{span(abs(snapshot - block))} {'before' if block <= snapshot else 'after'} the snapshot"
    )


def _picture(history: list[Outcome], alarming: set[bytes]) -> Picture | None:
    """Place snapshots by time from left to right, and by the least ratio from below to above."""
    if not history:
        return None
    oldest_first = sorted(history, key=lambda item: item.time)
    first, last = oldest_first[0].time, oldest_first[-1].time
    ratios = {item.digest: _floor(item) for item in history}
    top = max(*ratios.values(), 1.1)
    dots = []
    for item in oldest_first:
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (item.time - first) / max(last - first, _DAY)
        share = (ratios[item.digest] - 1) / (top - 1)
        y = _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * max(0.0, min(share, 1.0))
        bad = item.code or ("see the alarm above" if item.digest in alarming else "")
        said = bad or f"accepted, at least {ratios[item.digest]:.2f} of liabilities"
        label = f"{utc_text(item.time, MINUTES)}: {said}"
        dots.append(Dot(x, y, "bad" if bad else "good", label))
    return Picture(dots, f"{top:.2f}", utc_text(first, _DATE), utc_text(last, _DATE))


def _floor(item: Outcome) -> float:
    """Return the least ratio of assets to liabilities that any asset of a snapshot proves."""
    return min((num / den for _, _, num, den in item.details["assets"] if den), default=1.0)


def facts(view: ExchangeView) -> dict[str, Any]:
    """Return an exchange for programs."""
    return {
        "name": view.name,
        "public_key": view.key,
        "history" if view.follows else "bundle": view.url,
        "watched": view.watched,
        "alarms": [
            {"kind": alarm.kind, "text": alarm.text, "manifests": [d.hex() for d in alarm.digests]}
            for alarm in view.alarms
        ],
        "snapshots": view.snapshots,
    }
