"""How ``assay`` reads its command line.

A command is a function: its parameters have the names of its arguments, its docstring is its help.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

USAGE = 2

MAX_JOBS = 9999

OWN_PACKAGES = frozenset({"native", "verifier", "prover", "api"})

Run = Callable[..., int | None]


class Usage(Exception):
    """Arguments that do not go with each other, or that a command cannot take."""


class Commands:
    """The commands of a parser; where none is named, they are shown."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._parsers = parser.add_subparsers(metavar="COMMAND")
        parser.set_defaults(run=self._show)

    def command(self, name: str, run: Run) -> argparse.ArgumentParser:
        """Add a command; return its parser, for its arguments."""
        added = self._added(name, run.__doc__ or "")
        added.set_defaults(run=run)
        return added

    def group(self, name: str, text: str) -> Commands:
        """Add a command that has commands of its own; return these."""
        return Commands(self._added(name, text))

    def _added(self, name: str, text: str) -> argparse.ArgumentParser:
        short = text.partition("\n\n")[0]
        added: argparse.ArgumentParser = self._parsers.add_parser(
            name, help=short, description=text, allow_abbrev=False
        )
        for action in (None, "store"):
            added.register("action", action, _Once)
        return added

    def _show(self) -> int:
        self._parser.print_help()
        return USAGE


class _Once(argparse.Action):
    """Keeps a value, and refuses a second one: which of the two was meant?"""

    _is_given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep it."""
        del parser, option_string
        if self._is_given:
            raise argparse.ArgumentError(self, "given twice")
        self._is_given = True
        setattr(namespace, self.dest, values)


def path(text: str) -> Path:
    """Read a path; an empty one, as of a variable that is not set, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("not a path: it is empty")
    return Path(text)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch("[0-9]{1,18}", text) else -1
        if number < least or (most is not None and number > most):
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"not a whole number, {bounds}")
        return number

    return read


def values(kind: type[StrEnum]) -> list[str]:
    """Return the texts among which an argument chooses."""
    return [member.value for member in kind]


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say what to install and exit 1 where a library of ``extra`` is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OWN_PACKAGES:
            raise
        sys.exit(f"assay: {missing} is not installed; run: pip install 'assay[{extra}]'")
