"""How long work tells the operator that it goes on; it carries counts of work alone, no secret."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shown by the command line, silent by default."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage of ``total`` units of work, None if nobody knows."""

    def advance(self, done: int) -> None:
        """Report ``done`` more units of the current stage."""

    def reach(self, done: int) -> None:
        """Report ``done`` units of the current stage in all."""


class Silent:
    """No progress."""

    def stage(self, name: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, done: int) -> None:
        """Do nothing."""

    def reach(self, done: int) -> None:
        """Do nothing."""
