"""What each code means and what to do about it, in words: the entries of ``codes.en.json``.

The command line, the auditing host and the customer's page all read this one file. An
entry belongs to one code: what helps against one fault is wrong advice against its neighbour.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
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


def explain(code: Code) -> Explanation:
    """Return the words for a code."""
    return _explanations()[code]


@cache
def _explanations() -> dict[Code, Explanation]:
    text = resources.files("verifier").joinpath("codes.en.json").read_text("utf-8")
    return {Code(name): Explanation(**entry) for name, entry in json.loads(text).items()}
