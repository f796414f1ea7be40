"""What is wrong with an exchange's history as a whole, told from the manifests that were seen.

A manifest's own time counts only as far as this host's clock has come: what was seen before its
time counts from when it was seen, so a date ahead ends no history, and silences no alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verifier.format.params import DAY_SECONDS
from verifier.format.times import utc_text
from verifier.host.store import CHANGED, DROPPED, Complaints, Listed, Outcome, RecordFault
from verifier.texts import listed as listed_names

# Those of the first line show what the exchange signed, or took back; the others do not convict it.
EQUIVOCATION, BROKEN_CHAIN, REJECTED, REWRITTEN, FUTURE, COMPLAINT, RECORD = SIGNED = (
    "equivocation",
    "broken-chain",
    "rejected",
    "rewritten-history",
    "future",
    "complaint",
    "failed-record",
)
OVERDUE, UNAUDITED, UNWATCHED = ("overdue", "unaudited", "unwatched")

# How the pages write a time.
MINUTES = "%Y-%m-%d %H:%M UTC"

# So far may an exchange's clock, or its time zone, be ahead.
AHEAD_SECONDS = DAY_SECONDS
# A customer's package that fails, or a record, is news for as long as its snapshot is so young.
NEWS_SECONDS = 30 * DAY_SECONDS
# A host that missed so many looks at an exchange says that it knows no better.
MISSED_LOOKS = 12

_MOST_NAMES = 5


@dataclass(frozen=True)
class Alarm:
    """A kind of alarm, and the manifests that show it.

    ``since`` is from when this host could tell, in Unix seconds, None if no time says so; ``code``
    is why a snapshot fails.
    """

    kind: str
    text: str
    digests: tuple[bytes, ...] = ()
    since: int | None = None
    code: str = ""


@dataclass(frozen=True)
class Clock:
    """What the alarms of time compare: all in Unix seconds, or seconds.

    ``last`` is from when the newest snapshot at the exchange's own place counts; ``looked`` is the
    last look at it, or the host's start if there was none yet.
    """

    now: int
    last: int | None
    overdue_seconds: int
    looked: int
    every_seconds: int


def is_ahead(item: Outcome, now: int) -> bool:
    """Tell whether a snapshot is dated further ahead than clocks differ."""
    return item.time - now > AHEAD_SECONDS


def lasting_alarms(history: Sequence[Outcome], listed: Sequence[Listed]) -> list[Alarm]:
    """Return what is wrong with a history whatever the time, given the newest first.

    ``listed`` is what the exchange's index has had, if it keeps one.
    """
    oldest_first = history[::-1]
    found = [*_equivocations(oldest_first), *_loose_ends(oldest_first), *_forks(oldest_first)]
    found += [*_disorders(oldest_first), *_failures(history)]
    return found + list(_listed_alarms(history, listed))


def passing_alarms(clock: Clock) -> Iterator[Alarm]:
    """Yield what is wrong with a watched exchange at this time."""
    if clock.last is None:
        yield Alarm(OVERDUE, "no new snapshot in time")
    elif clock.now - clock.last > clock.overdue_seconds:
        since = clock.last + clock.overdue_seconds
        yield Alarm(OVERDUE, "no new snapshot in time", since=since)
    if clock.now - clock.looked > MISSED_LOOKS * clock.every_seconds:
        text = f"this host has not looked at it since {utc_text(clock.looked, MINUTES)}"
        yield Alarm(UNWATCHED, text, since=clock.looked)


def unread_alarms(
    items: Iterable[Outcome], fault: str, now: int, audit_seconds: int
) -> Iterator[Alarm]:
    """Yield the newest at an exchange's own place that have no outcome, and could not be audited.

    ``fault`` is why the last look failed. Without one an audit may go on, for as long as one may.
    """
    for item in items:
        if not is_ahead(item, now) and (fault or now - item.seen > audit_seconds):
            text = f"snapshot {_shown(item)} could not be audited: {fault or 'it is gone'}"
            yield Alarm(UNAUDITED, text, (item.digest,), item.seen)


def ahead_alarms(history: Iterable[Outcome], now: int) -> Iterator[Alarm]:
    """Yield the snapshots that are dated ahead of this host's clock."""
    for item in history:
        if is_ahead(item, now):
            text = (
                f"snapshot {item.snapshot_id} is dated {utc_text(item.time, MINUTES)}, "
                f"and was there on {utc_text(item.seen, MINUTES)}"
            )
            yield Alarm(FUTURE, text, (item.digest,), item.seen)


def told_alarms(
    history: Iterable[Outcome],
    complaints: Mapping[bytes, Complaints],
    records: Mapping[bytes, Sequence[RecordFault]],
    lasting: Iterable[Alarm],
) -> Iterator[Alarm]:
    """Yield the snapshots of which something else fails that the exchange signed.

    By manifest, ``complaints`` are the customers' packages that fail; ``records`` are of arguments,
    and no further news where ``lasting`` says that the snapshot itself fails.
    """
    rejected = {digest for alarm in lasting if alarm.kind == REJECTED for digest in alarm.digests}
    for item in history:
        if item.digest in complaints:
            text = f"a customer’s package of snapshot {_shown(item)} fails"
            yield Alarm(COMPLAINT, text, (item.digest,), complaints[item.digest].last)
        if item.digest in records and item.digest not in rejected:
            text = f"signed arguments of snapshot {_shown(item)} fail"
            yield Alarm(RECORD, text, (item.digest,), records[item.digest][-1].time)


def _shown(item: Outcome) -> str:
    return item.snapshot_id or "unreadable"


def _since(items: Iterable[Outcome]) -> int:
    return max(item.seen for item in items)


def _by_id(history: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Return manifests by snapshot id; one whose id cannot be read stands by its digest."""
    found: dict[str, list[Outcome]] = {}
    for item in history:
        found.setdefault(item.snapshot_id or item.digest.hex(), []).append(item)
    return found


def _equivocations(oldest_first: Sequence[Outcome]) -> Iterator[Alarm]:
    """Yield the snapshot ids for which two manifests are signed."""
    for name, items in _by_id(oldest_first).items():
        if len(items) > 1:
            text = f"{len(items)} different manifests are signed for snapshot {name}"
            yield Alarm(EQUIVOCATION, text, tuple(item.digest for item in items), _since(items))


def _loose_ends(oldest_first: Sequence[Outcome]) -> Iterator[Alarm]:
    """Yield the snapshots that follow none that was seen, though the host has looked since before.

    Of what came before its own first look, and of what others hand in, it knows a part at best:
    that says nothing. Two manifests of one snapshot are told as such: what either follows is no
    further news, if either follows one.
    """
    seen = {item.digest for item in oldest_first}
    groups = [items for items in _by_id(oldest_first).values() if any(item.own for item in items)]
    for items in groups[1:]:
        if not any(item.previous in seen for item in items):
            text = f"snapshot {_shown(items[0])} does not follow one that was seen"
            yield Alarm(BROKEN_CHAIN, text, tuple(item.digest for item in items), _since(items))


# Of a manifest that fails so nothing is known but its digest.
_UNREADABLE = frozenset({"manifest.too-large", "manifest.not-canonical", "manifest.bad-fields"})


def _readable(history: Iterable[Outcome]) -> list[Outcome]:
    """Return the manifests whose fields are known, though the id may be none that can be shown."""
    return [item for item in history if item.code not in _UNREADABLE]


def _are_different(items: Sequence[Outcome]) -> bool:
    """Tell whether manifests are not all of one snapshot id, which is an alarm of its own."""
    return len({item.snapshot_id or item.digest.hex() for item in items}) > 1


def _forks(oldest_first: Sequence[Outcome]) -> Iterator[Alarm]:
    """Yield what two snapshots follow: a manifest, seen or not, or none (spec/protocol.md 7)."""
    seen = {item.digest for item in oldest_first}
    followers: dict[bytes, list[Outcome]] = {}
    for item in _readable(oldest_first):
        followers.setdefault(item.previous, []).append(item)
    for digest, items in followers.items():
        if _are_different(items):
            how = "follow the same one" if any(digest) else "are each said to be the first"
            before = (digest,) if digest in seen else ()
            digests = (*before, *(item.digest for item in items))
            yield Alarm(BROKEN_CHAIN, f"two different snapshots {how}", digests, _since(items))


def _disorders(oldest_first: Sequence[Outcome]) -> Iterator[Alarm]:
    """Yield snapshots that are not later than the one that they follow, or than another at all."""
    known = {item.digest: item for item in _readable(oldest_first)}
    times: dict[int, list[Outcome]] = {}
    for item in known.values():
        times.setdefault(item.time, []).append(item)
        before = known.get(item.previous)
        if before is not None and before.time > item.time:
            text = f"snapshot {_shown(item)} follows {_shown(before)}, which is later"
            yield Alarm(BROKEN_CHAIN, text, (before.digest, item.digest), _since((before, item)))
    for items in times.values():
        if _are_different(items):
            text = "two different snapshots are of one time"
            yield Alarm(BROKEN_CHAIN, text, tuple(item.digest for item in items), _since(items))


def _failures(history: Sequence[Outcome]) -> Iterator[Alarm]:
    """Yield the newest snapshot, and the last at the exchange's own place, if they fail."""
    audited = [item for item in history if item.is_settled]
    told = {item.digest: ("newest snapshot", item) for item in audited[:1]}
    for item in _last_served(history, audited):
        told.setdefault(item.digest, ("snapshot that was seen last", item))
    for what, item in told.values():
        if item.code:
            text = f"the {what} fails: {item.code}"
            yield Alarm(REJECTED, text, (item.digest,), item.found, item.code)


def _last_served(history: Sequence[Outcome], audited: Sequence[Outcome]) -> list[Outcome]:
    """Return the last snapshot at the exchange's own place, if there is one.

    The time of a snapshot is the exchange's word: one that fails may be dated back behind others.
    But what the newest one there follows was there before it, however late this host reads it.
    """
    own = [item for item in audited if item.own]
    if not own:
        return []
    last = max(own, key=lambda item: (item.served, item.dated))
    known = {item.digest: item for item in history}
    before: set[bytes] = set()
    at = known.get(own[0].previous)
    while at is not None and at.digest not in before:
        before.add(at.digest)
        at = known.get(at.previous)
    return [own[0] if last.digest in before else last]


def _listed_alarms(history: Sequence[Outcome], listed: Sequence[Listed]) -> Iterator[Alarm]:
    """Yield what is wrong with an exchange's index: it forgets, changes its word, or is untrue."""
    kept = {item.digest: item for item in history}
    dropped: list[tuple[str, int]] = []
    changed: list[tuple[str, int]] = []
    untrue: list[tuple[str, int]] = []
    unread: list[tuple[str, int]] = []
    for item in listed:
        found, name = kept.get(item.entry.manifest), item.entry.snapshot_id
        seen = f"{name} (seen on {utc_text(item.seen, MINUTES)})"
        if item.state == DROPPED:
            dropped.append((seen, item.turned))
        elif item.state == CHANGED:
            changed.append((seen, item.turned))
        elif found is not None and found.entry != item.entry:
            untrue.append((name, max(item.seen, found.seen)))
        elif item.fault and not (found is not None and found.own and found.is_settled):
            unread.append((f"{name} ({item.fault})", item.seen))
    for kind, text, items in (
        (REWRITTEN, "the exchange’s history no longer has snapshot", dropped),
        (REWRITTEN, "the exchange’s history has changed what it says of snapshot", changed),
        (REWRITTEN, "the exchange’s history says what the manifest does not, of snapshot", untrue),
        (UNAUDITED, "listed by the exchange, and not audited: snapshot", unread),
    ):
        if items:
            names = listed_names([name for name, _ in items], _MOST_NAMES)
            yield Alarm(kind, f"{text} {names}", since=max(since for _, since in items))
