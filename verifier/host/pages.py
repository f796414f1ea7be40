"""What the pages of the host show: plain facts for the templates, and a picture of a history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verifier.host.alarms import Alarm, alarms
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Audited, Complaint, Store
from verifier.keys import public_key_text
from verifier.verify import utc_text

_WIDTH, _HEIGHT, _MARGIN = 640, 96, 14
_DAY = 86_400

# How the pages write a time.
MINUTES = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Dot:
    """A snapshot in the picture: its place, colour class and label."""

    x: float
    y: float
    look: str
    label: str


@dataclass(frozen=True)
class ExchangeView:
    """An exchange as its page shows it, the newest snapshot first."""

    name: str
    key: str
    url: str
    watched: bool
    looked: str
    fault: str
    alarms: list[Alarm]
    snapshots: list[dict[str, Any]]
    dots: list[Dot]


def exchange_views(settings: Settings, store: Store, now: int) -> list[ExchangeView]:
    """Return every exchange that is watched, then those that were handed in."""
    watched = {entry.public_key: entry for entry in settings.exchanges}
    others = [key for key in store.public_keys() if key not in watched]
    return [_view(watched.get(key), store, key, now) for key in [*watched, *others]]


def _view(entry: WatchedExchange | None, store: Store, key: bytes, now: int) -> ExchangeView:
    history = store.snapshots(key)
    look = store.look(key)
    newest = history[0] if history else None
    complaints = store.complaints([item.digest for item in history])
    return ExchangeView(
        name=entry.name if entry else (newest.exchange if newest else ""),
        key=public_key_text(key),
        url=entry.bundle if entry else (newest.url if newest else ""),
        watched=entry is not None,
        looked=utc_text(look[0], MINUTES) if look else "never",
        fault=look[1] if look else "",
        alarms=alarms(history, now, entry.overdue_seconds if entry else None),
        snapshots=[snapshot_view(item, complaints) for item in history],
        dots=_dots(history),
    )


def snapshot_view(item: Audited, complaints: list[Complaint]) -> dict[str, Any]:
    """Return one snapshot's facts, as text."""
    return {
        "id": item.snapshot_id or "unreadable",
        "time": utc_text(item.time, MINUTES),
        "audited": utc_text(item.audited, MINUTES),
        "accepted": not item.code,
        "code": item.code,
        "place": item.place,
        "digest": item.digest.hex(),
        "assets": [
            {"code": code, "level": level, "ratio": f"{num}/{den}"}
            for code, level, num, den in item.details["assets"]
        ],
        "chains": [{"name": name, "height": height} for name, height, _ in item.details["chains"]],
        "complaints": [
            {"digest": one.digest.hex(), "code": one.code, "shown": one.package is not None}
            for one in complaints
            if one.manifest == item.digest
        ],
    }


def _dots(history: list[Audited]) -> list[Dot]:
    """Place snapshots by time from left to right, and by the least ratio from below to above."""
    if not history:
        return []
    first = min(item.time for item in history)
    span = max(max(item.time for item in history) - first, _DAY)
    ratios = {item.digest: _floor(item) for item in history}
    top = max(max(ratios.values()), 1.01)
    dots = []
    for item in sorted(history, key=lambda item: item.time):
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * (item.time - first) / span
        share = (ratios[item.digest] - 1) / (top - 1)
        y = _HEIGHT - 2 * _MARGIN - (_HEIGHT - 4 * _MARGIN) * max(0.0, min(share, 1.0))
        said = item.code or f"accepted, at least {ratios[item.digest]:.2f} of liabilities"
        dots.append(
            Dot(x, y, "bad" if item.code else "good", f"{utc_text(item.time, MINUTES)}: {said}")
        )
    return dots


def _floor(item: Audited) -> float:
    """Return the least ratio of assets to liabilities that any asset of a snapshot proves."""
    return min((num / den for _, _, num, den in item.details["assets"] if den), default=1.0)


def facts(view: ExchangeView) -> dict[str, Any]:
    """Return an exchange for programs."""
    return {
        "name": view.name,
        "public_key": view.key,
        "bundle": view.url,
        "watched": view.watched,
        "alarms": [
            {"kind": alarm.kind, "text": alarm.text, "manifests": [d.hex() for d in alarm.digests]}
            for alarm in view.alarms
        ],
        "snapshots": view.snapshots,
    }
