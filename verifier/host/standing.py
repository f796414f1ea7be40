"""How an exchange stands, in a word and a colour: one outcome, its coins, and its last thirty days.

Green says that the host itself found it: everything holds, no alarm names it, and of one coin at
least the evidence shows more than the exchange's word. What rests on that word is amber, and named.
So is a coin that is shown under a block which is not known to be of the proof's day: it may be gone
since, or be counted once more as another coin. What nobody checked has no colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from verifier.errors import Code
from verifier.format.levels import Level
from verifier.format.params import DAY_SECONDS
from verifier.format.times import utc_text
from verifier.host.alarms import (
    BROKEN_CHAIN,
    COMPLAINT,
    EQUIVOCATION,
    FUTURE,
    OVERDUE,
    RECORD,
    REJECTED,
    REWRITTEN,
    UNAUDITED,
    UNWATCHED,
    Alarm,
)
from verifier.host.store import Outcome
from verifier.texts import listed

DAYS = 30
SHORT_DATE = "%-d %b %Y"

# So much of a bar's ten units stands for a ratio of one, and the whole of it for this and more.
_LEAST_BAR, _WHOLE_BAR, _TALLEST_RATIO = 4, 10, 1.25
_MOST_RATIO = 100

# What thirty bars are counted as.
_SAID = {
    "held": "held",
    "word": "held on its word or in part",
    "failed": "failed",
    "unaudited": "not audited",
    "late": "late",
}
# What a list of coins follows.
_KNOWN = {
    "aside": "Not known here:",
    "chain": "Confirmed on the chain:",
    "header": "Shown by evidence, under blocks that we did not confirm:",
    "undated": "Shown under blocks that are not known to be of that day:",
    "word": "On its word alone:",
}

_CONFIRMED = frozenset({Level.LISTED, Level.CHAIN})
_SHOWN = frozenset({Level.HEADER, Level.ATTESTED})


class Standing(StrEnum):
    """How an exchange stands, the worst first; the value is what a chip says."""

    FAILS = "fails"
    CONTRADICTS = "contradicts itself"
    AHEAD = "dated ahead"
    OVERDUE = "overdue"
    NONE = "no proof yet"
    UNAUDITED = "not all audited"
    UNWATCHED = "not looked at"
    UNDATED = "not shown for that day"
    PARTLY = "holds in part"
    WORD = "on its word"
    HOLDS = "holds"

    @property
    def look(self) -> str:
        """Its colour: ``good``, ``warn`` or ``bad``."""
        if self in (Standing.FAILS, Standing.CONTRADICTS, Standing.AHEAD):
            return "bad"
        return "good" if self is Standing.HOLDS else "warn"

    @property
    def group(self) -> str:
        """Which of the four numbers counts it: ``holds``, ``word``, ``fails`` or ``unknown``."""
        if self.look == "bad":
            return "fails"
        if self in (Standing.UNDATED, Standing.PARTLY, Standing.WORD):
            return "word"
        return "holds" if self is Standing.HOLDS else "unknown"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for the worst."""
        return _RANKS[self]


_RANKS = {one: rank for rank, one in enumerate(Standing)}
_OF_ALARM = {
    REJECTED: Standing.FAILS,
    COMPLAINT: Standing.FAILS,
    RECORD: Standing.FAILS,
    EQUIVOCATION: Standing.CONTRADICTS,
    BROKEN_CHAIN: Standing.CONTRADICTS,
    REWRITTEN: Standing.CONTRADICTS,
    FUTURE: Standing.AHEAD,
    OVERDUE: Standing.OVERDUE,
    UNAUDITED: Standing.UNAUDITED,
    UNWATCHED: Standing.UNWATCHED,
}


@dataclass(frozen=True)
class Coin:
    """An asset of a proof that holds: at least how much there is for 1 owed, and how well known.

    ``look`` is ``chain``, ``header``, ``word``, ``undated`` if it is shown under a block that is
    not known to be of the day, or ``aside`` if the host does not know what the code stands for.
    """

    code: str
    ratio: str
    look: str


@dataclass(frozen=True)
class Bar:
    """A day: ``held``, ``word``, ``failed``, ``unaudited``, ``none`` or ``late``; 0 to 10 high."""

    look: str
    height: int


@dataclass(frozen=True)
class Days:
    """Bars as they are drawn: how many, a path for each look, and what they show in words."""

    count: int
    paths: list[tuple[str, str]]
    said: str


def standing(newest: Standing, alarms: Iterable[Alarm]) -> Standing:
    """Return how an exchange stands by its newest snapshot that was audited, and its alarms."""
    found = [_OF_ALARM[alarm.kind] for alarm in alarms]
    if newest is Standing.NONE:  # whatever is late, or unread, there is no more to say
        found = [one for one in found if one.look == "bad"]
    return min([newest, *found], key=_RANKS.__getitem__)


def alone(item: Outcome | None) -> Standing:
    """Return how an exchange stands by a snapshot beside which no alarm stands."""
    if item is None:
        return Standing.NONE
    if item.code:
        return Standing.AHEAD if item.code == Code.CHECK_FUTURE else Standing.FAILS
    looks = {coin.look for coin in coins(item)}
    if "undated" in looks:
        return Standing.UNDATED
    if item.set_aside:
        return Standing.PARTLY
    return Standing.WORD if looks <= {"word"} else Standing.HOLDS


def coins(item: Outcome) -> list[Coin]:
    """Return the coins of a snapshot; none if it does not hold, since they then say nothing."""
    special = dict.fromkeys(item.undated, "undated") | dict.fromkeys(item.set_aside, "aside")
    return [
        Coin(code, floor_text(num, den), special.get(code) or _level_look(level))
        for code, level, num, den in item.details.get("assets", ())
        if not item.code
    ]


def _level_look(level: str) -> str:
    """Return the class of a level: confirmed, shown by evidence, or the exchange's word."""
    if level in _CONFIRMED:
        return "chain"
    return "header" if level in _SHOWN else "word"


def floor_text(num: int, den: int) -> str:
    """Return a ratio in hundredths, rounded down, so that it is never said to be more."""
    if not den:
        return ""
    cents = 100 * num // den
    if cents >= 100 * _MOST_RATIO:
        return f"{_MOST_RATIO}+"
    return f"{cents // 100}.{cents % 100:02}"


def least_ratio(item: Outcome) -> float:
    """Return the least ratio of assets to liabilities that a snapshot proves of any asset; of one
    that is set aside it counts only where no other is left.
    """
    ratios = {code: num / den for code, _, num, den in item.details["assets"] if den}
    aside = frozenset(item.set_aside)
    known = [ratio for code, ratio in ratios.items() if code not in aside]
    return min(known or ratios.values(), default=1.0)


def bar(item: Outcome, alarming: Collection[bytes]) -> Bar:
    """Return the bar of a snapshot."""
    if item.digest in alarming:
        return Bar("failed", _WHOLE_BAR)
    if not item.is_audited:
        return Bar("unaudited", _LEAST_BAR)
    if item.code:
        return Bar("failed", _WHOLE_BAR)
    share = (least_ratio(item) - 1) / (_TALLEST_RATIO - 1)
    height = _LEAST_BAR + round((_WHOLE_BAR - _LEAST_BAR) * max(0.0, min(share, 1.0)))
    return Bar("held" if alone(item) is Standing.HOLDS else "word", height)


_LATE, _EMPTY = Bar("late", _WHOLE_BAR), Bar("none", 1)
_WORST_FIRST = ("failed", "unaudited", "word", "held")


def worst_bars(items: Iterable[Outcome], alarming: Collection[bytes]) -> dict[int, Bar]:
    """Return, of every day since 1970 that snapshots are of, the worst bar of them."""
    found: dict[int, Bar] = {}
    for item in items:
        day, new = item.dated // DAY_SECONDS, bar(item, alarming)
        known = found.get(day, new)
        found[day] = min(new, known, key=lambda one: (_WORST_FIRST.index(one.look), one.height))
    return found


def last_days(
    bars: Mapping[int, Bar], before: int | None, overdue_seconds: int, now: int
) -> list[Bar]:
    """Return the bars of the last days, today's last; ``before`` is the last time before ``bars``.

    A day without a snapshot is ``late`` if the one before it was too long ago when the day ended,
    and ``none`` otherwise.
    """
    today = now // DAY_SECONDS
    first = today - DAYS + 1
    shown = []
    last = max((day for day in bars if day < first), default=None)
    if last is None and before is not None:
        last = before // DAY_SECONDS
    for day in range(first, today + 1):
        if day in bars:
            last = day
            shown.append(bars[day])
            continue
        end = min((day + 1) * DAY_SECONDS, now)
        is_late = last is not None and end - (last + 1) * DAY_SECONDS > overdue_seconds
        shown.append(_LATE if is_late else _EMPTY)
    return shown


def draw(bars: Sequence[Bar]) -> Days:
    """Return bars as paths, a unit wide each, and in words."""
    paths: dict[str, str] = {}
    for at, one in enumerate(bars):
        paths[one.look] = f"{paths.get(one.look, '')}M{at}.5 10v-{one.height}"
    counts = Counter(one.look for one in bars)
    said = [f"{counts[look]} {words}" for look, words in _SAID.items() if counts[look]]
    text = f"Last {len(bars)} days: {', '.join(said) or 'no proof'}"
    return Days(len(bars), list(paths.items()), text)


def sentence(item: Outcome) -> str:
    """Return what a snapshot that holds shows, and on whose word."""
    date = utc_text(item.time, "%-d %B %Y, %H:%M UTC")
    known: dict[str, list[str]] = {}
    for coin in coins(item):
        known.setdefault(coin.look, []).append(coin.code)
    stated = f"On {date}, the coins that it states cover what it proved to owe."
    if set(known) <= {"word"}:
        return f"{stated} Nobody confirmed them: they are its word alone."
    if set(known) <= {"chain", "header"}:
        stated = f"On {date}, its coins covered what it proved to owe."
    said = [f"{_KNOWN[look]} {listed(names)}" for look, names in sorted(known.items())]
    return (
        f"{stated} {'. '.join(said)}. Its debts stay hidden. Whether all of them are on the list "
        "is shown by customers who check."
    )
