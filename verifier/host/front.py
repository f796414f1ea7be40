"""The first page: how every exchange of the settings stands, the ones in trouble first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from verifier.format.keys import public_key_text
from verifier.format.times import utc_text
from verifier.host.facts import TIME, AlarmGroup
from verifier.host.standing import Bar, Coin, Standing
from verifier.host.store import Outcome
from verifier.texts import listed

# How many exchanges a page shows, and alarms above them; of one exchange alarms, coins, and names
# of coins in a line.
ROWS, ALARMS = 50, 8
_ALARMS_OF_ONE, _COINS, _NAMES = 2, 4, 3

_LOOKS = ("aside", "word", "undated", "header", "chain")


@dataclass(frozen=True)
class Row:
    """An exchange in the table.

    ``name`` and ``place`` are those of the settings; ``check`` is where a customer checks their
    balance, empty if this host has no page for it. ``late`` says for how long a snapshot has been
    due, and ``fault`` why the exchange could not be read at the last look. The days are asked
    for only where a row is shown, as they are at a time.
    """

    key: bytes
    name: str
    path: str
    place: str
    check: str
    standing: Standing
    newest: Outcome | None
    late: str
    is_newer_waiting: bool
    fault: str
    coins: list[Coin]
    alarms: list[AlarmGroup]
    last_days: Callable[[int], list[Bar]]

    @property
    def site(self) -> str:
        """The name of the server that its proofs are on."""
        return urlsplit(self.place).hostname or ""

    @property
    def date(self) -> str:
        """The time of the newest snapshot, for people."""
        return "" if self.newest is None else utc_text(self.newest.time, TIME)

    @property
    def shown_coins(self) -> list[Coin]:
        """The first coins, and one that stands for the rest and is as weak as the weakest."""
        if len(self.coins) <= _COINS:
            return self.coins
        rest = self.coins[_COINS - 1 :]
        weakest = min(rest, key=lambda coin: _LOOKS.index(coin.look))
        return [*self.coins[: _COINS - 1], Coin(f"+{len(rest)}", "", weakest.look)]

    @property
    def on_word(self) -> str:
        """The coins that only the exchange vouches for, of a proof that holds otherwise."""
        return self._names("word")

    @property
    def aside(self) -> str:
        """The coins that the host does not know."""
        return self._names("aside")

    @property
    def undated(self) -> str:
        """The coins that are shown under a block which is not known to be of the day."""
        return self._names("undated")

    def _names(self, look: str) -> str:
        return listed([coin.code for coin in self.coins if coin.look == look], _NAMES)

    def matches(self, text: str) -> bool:
        """Tell whether its name has a text in it, or its key begins so."""
        words = text.casefold()
        return words in self.name.casefold() or any(key.startswith(words) for key in self._keys)

    @cached_property
    def _keys(self) -> tuple[str, str]:
        return public_key_text(self.key), self.key.hex()


@dataclass(frozen=True)
class Front:
    """All exchanges, the ones in trouble first."""

    rows: list[Row]

    @property
    def sentence(self) -> str:
        """How many are watched, and how many of them need attention."""
        watched, troubled = len(self.rows), self.counts["fails"] + self.counts["unknown"]
        if not watched:
            return "No exchange is watched yet."
        verb = "needs" if troubled == 1 else "need"
        first = f"{watched:,} exchange{'s' if watched > 1 else ''} watched."
        return f"{first} {f'{troubled:,} {verb}' if troubled else 'None needs'} your attention."

    @cached_property
    def counts(self) -> Counter[str]:
        """How many exchanges each of the four numbers counts."""
        return Counter(row.standing.group for row in self.rows)

    @cached_property
    def alarms(self) -> list[tuple[Row, AlarmGroup]]:
        """The alarms that stand above the table, the gravest first, and of these the newest."""
        found = [(row, group) for row in self.rows for group in row.alarms[:_ALARMS_OF_ONE]]
        found.sort(key=lambda item: (item[1].look, -(item[1].since or 0)))
        return found[:ALARMS]

    @property
    def alarms_total(self) -> int:
        """How many alarms there are."""
        return sum(len(row.alarms) for row in self.rows)

    def page(self, number: int, text: str) -> tuple[list[Row], int, int]:
        """Return a page of the rows that match a text, how many match, and how many pages."""
        found = [row for row in self.rows if row.matches(text)] if text else self.rows
        return (
            found[(number - 1) * ROWS : number * ROWS],
            len(found),
            max(1, -(-len(found) // ROWS)),
        )


def looks(rows: Iterable[Row]) -> set[str]:
    """Return how well the coins of some exchanges are known."""
    return {coin.look for row in rows for coin in row.coins}


def make_front(rows: Iterable[Row]) -> Front:
    """Return exchanges by how they stand, and by name."""
    return Front(sorted(rows, key=lambda row: (row.standing.rank, row.name.casefold(), row.key)))
