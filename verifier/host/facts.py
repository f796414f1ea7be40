"""What the host says of one snapshot, or of one alarm, as plain text for pages and programs."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from verifier.errors import Code
from verifier.format.chains import FIAT
from verifier.format.params import DAY_SECONDS
from verifier.format.times import utc_text
from verifier.host.alarms import MINUTES, SIGNED, Alarm, is_ahead
from verifier.host.standing import Standing, alone, coins
from verifier.host.store import Complaints, Outcome, RecordFault
from verifier.texts import Explanation, alarm_words, explain, listed

_MINUTE, _HOUR = 60, 3600

# Of one kind of alarm so many are shown, and of one alarm so many manifests.
_ALARMS, _MANIFESTS = 5, 10
# Of one snapshot so many assets; the attestation has all.
MOST_ASSETS = 200

# What is seen of a snapshot beside which the levels of its coins have colours.
COLOURED = ("good", "word", "partly", "undated")
_LOOKS = {
    Standing.HOLDS: "good",
    Standing.WORD: "word",
    Standing.PARTLY: "partly",
    Standing.UNDATED: "undated",
}

# How pages write a time for people.
TIME = "%-d %b %Y, %H:%M UTC"


@dataclass(frozen=True)
class AlarmGroup:
    """The alarms of one kind as people are told of them, the gravest kind first.

    ``look`` is ``bad`` or ``warn``; ``code`` is why a snapshot fails, else empty; ``since`` is in
    Unix seconds, None if no time says so.
    """

    kind: str
    look: str
    title: str
    finding: str
    advice: str
    code: str
    since: int | None
    alarms: list[Alarm]

    @property
    def since_text(self) -> str:
        """From when the host could tell, for people."""
        return "" if self.since is None else utc_text(self.since, TIME)


def grouped(alarms: Iterable[Alarm]) -> list[AlarmGroup]:
    """Return alarms by kind, and failures by code, too."""
    kinds: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in alarms:
        kinds.setdefault((alarm.kind, alarm.code), []).append(alarm)
    groups = [_group(*kind, found) for kind, found in kinds.items()]
    return sorted(groups, key=lambda group: (group.look, -(group.since or 0)))


def _group(kind: str, code: str, alarms: list[Alarm]) -> AlarmGroup:
    words = alarm_words(kind)
    why = code_words(code) if code else words
    times = [alarm.since for alarm in alarms if alarm.since is not None]
    return AlarmGroup(
        kind=kind,
        look="bad" if kind in SIGNED else "warn",
        title=words.title,
        finding=why.finding,
        advice=why.advice,
        code=code,
        since=max(times, default=None),
        alarms=alarms,
    )


def bounded(found: Iterable[Alarm]) -> list[Alarm]:
    """Return the newest alarms of each kind, and how many more there are of it."""
    kinds: dict[str, list[Alarm]] = {}
    for alarm in found:
        kinds.setdefault(alarm.kind, []).append(alarm)
    shown: list[Alarm] = []
    for kind, alarms in kinds.items():
        newest = heapq.nlargest(_ALARMS, alarms, key=lambda alarm: alarm.since or 0)
        shown += [replace(alarm, digests=alarm.digests[:_MANIFESTS]) for alarm in newest]
        if len(alarms) > _ALARMS:
            shown.append(Alarm(kind, f"and {len(alarms) - _ALARMS:,} more of this kind"))
    return shown


def alarm_facts(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm for programs."""
    return {
        "kind": alarm.kind,
        "text": alarm.text,
        "manifests": [digest.hex() for digest in alarm.digests],
        "since": None if alarm.since is None else utc_text(alarm.since),
    }


def snapshot_facts(item: Outcome, complaints: Complaints | None, now: int) -> dict[str, Any]:
    """Return one snapshot's facts, as text; of its assets the first."""
    times = item.details.get("block_times", {})
    newest = complaints.newest if complaints else ()
    assets = list(zip(item.details["assets"], coins(item), strict=False))  # none if it fails
    return {
        "id": item.snapshot_id or "unreadable",
        "time": utc_text(item.time, MINUTES),
        "date": utc_text(item.time, TIME),
        "age": f"{span(now - item.time)} ago" if item.time <= now else "dated in the future",
        "ahead": is_ahead(item, now),
        "seen": utc_text(item.seen, MINUTES),
        "audited": utc_text(item.audited, MINUTES) if item.is_audited else None,
        "own": item.own,
        "accepted": not item.code,
        "outcome": outcome(item, now),
        "code": item.code,
        "place": item.place,
        **explained(item.code),
        "digest": item.digest.hex(),
        "assets": [
            {
                "code": code,
                "level": level,
                "ratio": f"{num}/{den}",
                "at_least": coin.ratio,
                "set_aside": coin.look == "aside",
                "look": coin.look,
            }
            for (code, level, num, den), coin in assets[:MOST_ASSETS]
        ],
        "assets_total": len(assets),
        "attested": [
            {"code": code, "lines": lines} for code, lines in item.details.get("attested", [])
        ],
        "attested_total": item.details.get("attested_total", 0),
        "undated": listed([coin.code for _, coin in assets if coin.look == "undated"]),
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


def record_facts(found: Iterable[RecordFault]) -> list[dict[str, str]]:
    """Return the facts of a snapshot's records of arguments that fail, as text."""
    return [{"digest": one.digest.hex(), "code": one.code, "place": one.place} for one in found]


def judged(
    item: Outcome, alarming: Collection[bytes], failing: Collection[bytes], now: int
) -> tuple[str, str]:
    """Return the look of a snapshot, and what is said of it in a word or two.

    It is good only where nothing at all is wrong with it, and more than the exchange's word stands
    for a coin. ``alarming`` are the manifests that an alarm names; of ``failing`` ones a customer's
    package or a record of arguments fails, however long ago.
    """
    if item.digest in failing:
        return "bad", "fails"
    if not item.is_audited or (not item.is_settled and not is_ahead(item, now)):
        return "plain", "not audited"
    if is_ahead(item, now):
        return "bad", "dated ahead"
    if item.code:
        return "bad", "fails"
    if item.digest in alarming:
        return "plain", "holds, but see the alarm"
    stands = alone(item)
    return _LOOKS[stands], item.acceptance if stands is Standing.PARTLY else stands


def outcome(item: Outcome, now: int) -> str:
    """Return what came of a snapshot, in one word or two."""
    if not item.is_audited:
        return "not audited"
    if is_ahead(item, now):
        return "dated ahead"
    if not item.is_settled:
        return "not audited"  # since its date has come
    return "rejected" if item.code else item.acceptance


def explained(code: str) -> dict[str, str]:
    """Return what a code means, and what to do; of accepted ones nothing."""
    if not code:
        return {"finding": "", "advice": ""}
    return asdict(code_words(code))


def code_words(code: str) -> Explanation:
    """Return the words for a code of the database, of an earlier version as well."""
    try:
        return explain(Code(code))
    except ValueError:
        return Explanation(
            "An earlier version of this host found this, and this version has no words for it.",
            "Run an audit of your own.",
        )


def span(seconds: int) -> str:
    """Return a length of time in its greatest unit, rounded down; of days from two on."""
    for unit, name, least in ((DAY_SECONDS, "day", 2), (_HOUR, "hour", 1), (_MINUTE, "minute", 1)):
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
