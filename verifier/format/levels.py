"""The levels at which an amount is known to be there (spec/protocol.md, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Level(StrEnum):
    """How an amount is known; the members stand weakest first.

    UNVERIFIED: a contract wallet is said to have signed, and nobody asked it; or the message is of
    a chain that the reader does not know. CLAIMED: the
    exchange's word. HEADER: proved under the block that the manifest names. ATTESTED: signed for by
    a third party whom the reader named. LISTED: the reader's own table has as much. CHAIN:
    confirmed by the reader's own node.
    """

    UNVERIFIED = "unverified"
    CLAIMED = "claimed"
    HEADER = "header"
    ATTESTED = "attested"
    LISTED = "listed"
    CHAIN = "chain"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for the weakest."""
        return list(Level).index(self)


def weakest(levels: Iterable[Level]) -> Level:
    """Return the weakest of some levels; of none ``claimed``, since nothing was shown."""
    return min(levels, key=lambda level: level.rank, default=Level.CLAIMED)
