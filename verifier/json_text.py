"""JSON from others: bounded in depth before it is parsed.

The parser recurses in C, as deep as an interpreter's limit lets it, which any library may have
raised beyond what the stack holds. So nesting is measured first, and what is too deep is no JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def parse_json(text: str, deepest: int, **options: Any) -> Any:
    """Parse a text whose arrays and objects nest at most so deep; ``options`` of `json.loads`.

    Raises:
        ValueError: it is no JSON, or nests deeper.
    """
    if _depth(text) > deepest:
        raise ValueError(f"arrays and objects nest deeper than {deepest}")
    return json.loads(text, **options)


def _depth(text: str) -> int:
    """Return how deep arrays and objects nest in a text that may be JSON."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
