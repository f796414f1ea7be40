"""What is wrong with an exchange's history as a whole, told from the manifests that were seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verifier.host.store import CHANGED, DROPPED, Listed, Outcome
from verifier.verify import utc_text

EQUIVOCATION, BROKEN_CHAIN, OVERDUE, REJECTED, REWRITTEN, UNAUDITED = (
    "equivocation",
    "broken-chain",
    "overdue",
    "rejected",
    "rewritten-history",
    "unaudited",
)

# How the pages write a time.
MINUTES = "%Y-%m-%d %H:%M UTC"

_MOST_NAMES = 5


@dataclass(frozen=True)
class Alarm:
    """A kind of alarm, and the manifests that show it."""

    kind: str
    text: str
    digests: tuple[bytes, ...] = ()


def alarms(
    history: Sequence[Outcome], listed: Sequence[Listed], now: int, overdue_seconds: int | None
) -> list[Alarm]:
    """Return what is wrong with a history, in any order; ``overdue_seconds`` after the last time.

    Two manifests for one snapshot id are equivocation. A manifest breaks the chain if it does not
    name the one before it; the first that was seen may name one that was not. ``listed`` is what
    the exchange's index has had, if it keeps one.
    """
    found: list[Alarm] = []
    oldest_first = sorted(history, key=lambda item: (item.time, item.audited))
    by_id: dict[str, list[Outcome]] = {}
    for item in oldest_first:
        if item.snapshot_id:
            by_id.setdefault(item.snapshot_id, []).append(item)
    for name, items in by_id.items():
        if len(items) > 1:
            text = f"{len(items)} different manifests are signed for snapshot {name}"
            found.append(Alarm(EQUIVOCATION, text, tuple(item.digest for item in items)))
    digests = {item.digest for item in oldest_first}
    for item in oldest_first[1:]:
        if item.previous not in digests:
            text = f"snapshot {item.snapshot_id} does not follow one that was seen"
            found.append(Alarm(BROKEN_CHAIN, text, (item.digest,)))
    followers: dict[bytes, list[Outcome]] = {}
    for item in oldest_first:
        if item.previous in digests:
            followers.setdefault(item.previous, []).append(item)
    for digest, items in followers.items():
        if len({item.snapshot_id for item in items}) > 1:
            text = "two different snapshots follow the same one"
            found.append(Alarm(BROKEN_CHAIN, text, (digest, *(item.digest for item in items))))
    if oldest_first and oldest_first[-1].code:
        newest = oldest_first[-1]
        found.append(Alarm(REJECTED, f"the newest snapshot fails: {newest.code}", (newest.digest,)))
    found += _listed_alarms(history, listed)
    last = max((item.time for item in oldest_first), default=None)
    if overdue_seconds is not None and (last is None or now - last > overdue_seconds):
        found.append(Alarm(OVERDUE, "no new snapshot in time"))
    return found


def _listed_alarms(history: Sequence[Outcome], listed: Sequence[Listed]) -> Iterator[Alarm]:
    """Yield what is wrong with an exchange's index: it forgets, changes its word, or is untrue."""
    audited = {item.digest: item for item in history}
    dropped, changed, untrue, unread = [], [], [], []
    for item in listed:
        found = audited.get(item.entry.manifest)
        seen = f"{item.entry.snapshot_id} (seen on {utc_text(item.seen, MINUTES)})"
        if item.state == DROPPED:
            dropped.append(seen)
        elif item.state == CHANGED:
            changed.append(seen)
        elif found is not None and found.entry != item.entry:
            untrue.append(item.entry.snapshot_id)
        elif found is None and item.fault:
            unread.append(f"{item.entry.snapshot_id} ({item.fault})")
    for kind, text, names in (
        (REWRITTEN, "the exchange’s history no longer has snapshot", dropped),
        (REWRITTEN, "the exchange’s history has changed what it says of snapshot", changed),
        (REWRITTEN, "the exchange’s history says what the manifest does not, of snapshot", untrue),
        (UNAUDITED, "listed by the exchange, and not audited: snapshot", unread),
    ):
        if names:
            more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
            yield Alarm(kind, f"{text} {', '.join(names[:_MOST_NAMES])}{more}")
