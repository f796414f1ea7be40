"""Which kinds of questions a node was too slow for: it would be for every row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from verifier.errors import Code
from verifier.nodes.json_rpc import TooSlow


class Patience:
    """Lets a kind of question that was once too slow not be asked again."""

    def __init__(self) -> None:
        self._slow: dict[str, str] = {}

    @contextmanager
    def unless_slow(self, kind: str) -> Iterator[None]:
        """Ask a question of a kind.

        Raises:
            TooSlow: it is, or one of the kind was.
        """
        if kind in self._slow:
            raise TooSlow(Code.CHECK_UNREADABLE, self._slow[kind])
        try:
            yield
        except TooSlow as error:
            self._slow[kind] = error.message
            raise
