"""What each code means and what to do about it, in words: the entries of ``codes.en.json``.

The command line, the auditing host and the customer's page all read this one file. An
entry belongs to one code: what helps against one fault is wrong advice against its neighbour.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from verifier.errors import Code


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
