"""Feeds in Atom (RFC 4287): what came of every snapshot, and every alarm that has a time.

An entry keeps its id for as long as it is of one manifest, or of one kind of alarm since one time;
what came of a manifest later is the same entry, updated. Links are relative to the feed's own
address: this host is told its name by nobody whom it trusts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.format.times import utc_text
from verifier.host.facts import TIME, AlarmGroup, code_words
from verifier.host.front import Row
from verifier.host.settings import Settings
from verifier.host.standing import coins
from verifier.host.store import Outcome
from verifier.texts import listed

ATOM = "application/atom+xml"
_KNOWN = {
    "chain": "confirmed on the chain",
    "header": "shown by evidence",
    "undated": "shown under a block that is not known to be of that day",
    "word": "on its word",
    "aside": "not known here",
}
_NO_TIME = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class News:
    """A snapshot of an exchange and what is said of it, or a kind of alarm, and since when."""

    row: Row
    item: Outcome | AlarmGroup
    said: str
    time: int


@dataclass(frozen=True)
class Entry:
    """One piece of news; ``updated`` is in RFC 3339."""

    id: str
    title: str
    updated: str
    path: str
    summary: str


@dataclass(frozen=True)
class Feed:
    """A feed, and whose it is."""

    id: str
    title: str
    author: str
    path: str
    updated: str
    entries: list[Entry]


def feed_of(
    key: str,
    title: str,
    path: str,
    news: Iterable[News],
    settings: Settings,
) -> Feed:
    """Return the feed of the page ``path``, of news, the newest first.

    ``key`` is the host's: what two hosts say of one manifest is different news.
    """
    entries = [
        _of_alarm(key, one, one.item)
        if isinstance(one.item, AlarmGroup)
        else _of_outcome(key, one, one.item)
        for one in news
    ]
    return Feed(
        id=_id(key, path),
        title=title,
        author=settings.name,
        path=path,
        updated=entries[0].updated if entries else _NO_TIME,
        entries=entries,
    )


def _of_outcome(key: str, news: News, item: Outcome) -> Entry:
    if item.code:
        summary = f"{code_words(item.code).finding} {item.code}"
    else:
        summary = listed([f"{one.code} {one.ratio} ({_KNOWN[one.look]})" for one in coins(item)])
    return Entry(
        id=_id(key, item.digest.hex()),
        title=f"{news.row.name}, {utc_text(item.time, TIME)}: {news.said}",
        updated=utc_text(news.time),
        path=news.row.path,
        summary=summary,
    )


def _of_alarm(key: str, news: News, group: AlarmGroup) -> Entry:
    return Entry(
        id=_id(key, news.row.path, group.kind, group.code, str(news.time)),
        title=f"{news.row.name} {group.title}",
        updated=utc_text(news.time),
        path=news.row.path,
        summary=f"{group.finding} {group.advice} {group.code or group.kind}",
    )


def _id(*parts: str) -> str:
    """Return an IRI that nothing else has, the same each time."""
    return uuid.uuid5(uuid.NAMESPACE_OID, " ".join(parts)).urn
