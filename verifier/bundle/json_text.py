"""JSON from others: bounded in depth and in number of values before it is parsed.

The parser recurses in C, as deep as an interpreter's limit lets it, which any library may have
raised beyond what the stack holds. It makes an object of some 60 bytes for every value, and a value
may take two bytes. So both are counted first, in one pass that never looks at a character twice.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Possessive: a string without an end is taken to the end of the text at once, and only once.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
# Honest JSON has names, digits and hex: some twenty characters a value.
_CHARACTERS_A_VALUE = 8
_FREE_VALUES = 1000


def parse_json(text: str, deepest: int, **options: Any) -> Any:
    """Parse a text whose arrays and objects nest at most so deep; ``options`` of `json.loads`.

    Raises:
        ValueError: it is no JSON, nests deeper, or has more values than its length is good for.
    """
    structure = _STRING.sub("", text)
    values = structure.count(",") + structure.count("[") + structure.count("{")
    if values > _FREE_VALUES + len(text) // _CHARACTERS_A_VALUE:
        raise ValueError("more values than a text of this length holds")
    if _depth(structure) > deepest:
        raise ValueError(f"arrays and objects nest deeper than {deepest}")
    return json.loads(text, **options)


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members; an ``object_pairs_hook`` of `json.loads`.

    Raises:
        ValueError: a key occurs twice: another reader would take the other value.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return members


def _depth(structure: str) -> int:
    """Return how deep arrays and objects nest in a text without its strings."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(structure):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
