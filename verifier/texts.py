"""What each code means and what to do about it, and what an attested holding is worth, in words.

The entries of ``codes.en.json``, ``holdings.en.json`` and ``alarms.en.json``. The command line, the
auditing host and the customer's page read the first; the command line, the host and the report the
second; the host the third. An entry belongs to one code: what helps against one fault is wrong
advice against its neighbour.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from verifier.errors import Code

MOST_LISTED: Final = 20
"""A line for people names so many of a kind, and counts the others; ``--json`` has all."""


def listed(names: Sequence[str], most: int = MOST_LISTED) -> str:
    """Return names for people, of many the first and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found, and what a reader does about it; a sentence or three each."""

    finding: str
    advice: str


@dataclass(frozen=True, slots=True)
class AlarmWords:
    """Of one kind of alarm: what the exchange did, what that means, and what a reader does."""

    title: str
    finding: str
    advice: str


@dataclass(frozen=True, slots=True)
class HoldingWords:
    """Of one kind of attested holding: what it is, what it is worth, and what it may repeat."""

    what: str
    worth: str
    overlap: str


def explain(code: Code) -> Explanation:
    """Return the words for a code."""
    return _explanations()[code]


def holding_words(kind: str) -> HoldingWords:
    """Return the words for a kind of attested holding."""
    return _holdings()[kind]


def alarm_words(kind: str) -> AlarmWords:
    """Return the words for a kind of alarm of the auditing host."""
    return _alarms()[kind]


@cache
def _alarms() -> dict[str, AlarmWords]:
    return {name: AlarmWords(**entry) for name, entry in _table("alarms.en.json").items()}


@cache
def _explanations() -> dict[Code, Explanation]:
    return {Code(name): Explanation(**entry) for name, entry in _table("codes.en.json").items()}


@cache
def _holdings() -> dict[str, HoldingWords]:
    return {name: HoldingWords(**entry) for name, entry in _table("holdings.en.json").items()}


def _table(name: str) -> dict[str, dict[str, str]]:
    text = Path(__file__).with_name(name).read_text("utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table
