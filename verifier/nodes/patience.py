"""Which questions a node was too slow for: it would be for every row that needs the same.

What a contract takes to answer is up to whoever made it. So a slow one is not asked again, and
says nothing of how others answer; and contracts that may be the exchange's own have a time
together, however swift each of them is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from verifier.errors import Code
from verifier.nodes.json_rpc import TooSlow

APART_SECONDS: Final = 300.0


class Patience:
    """Lets a kind of question that was once too slow not be asked again.

    Those ``apart`` are of contracts that may be the exchange's own. All that they take comes to
    APART_SECONDS at most, and one answer.
    """

    def __init__(self) -> None:
        self._slow: dict[Hashable, str] = {}
        self._taken = 0.0

    @contextmanager
    def unless_slow(self, kind: Hashable, *, apart: bool = False) -> Iterator[None]:
        """Ask a question of a kind: what is asked of one contract, or of the coin.

        Raises:
            TooSlow: it is, or one of the kind was, or those apart were altogether.
        """
        if kind in self._slow:
            raise TooSlow(Code.CHECK_UNREADABLE, self._slow[kind])
        if apart and self._taken > APART_SECONDS:
            message = "contracts whose makers are not known took too long altogether"
            raise TooSlow(Code.CHECK_UNREADABLE, message)
        start = monotonic()
        try:
            yield
        except TooSlow as error:
            self._slow[kind] = error.message
            raise
        finally:
            if apart:
                self._taken += monotonic() - start
