"""JSON from others never meets the parser deeper than it may, whatever the interpreter's limit."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from re import _parser as sre_parse  # type: ignore[attr-defined]
from typing import Any

import pytest

from verifier.bundle import json_text
from verifier.bundle.history import BadHistory, read_history
from verifier.bundle.json_text import parse_json


@pytest.fixture
def no_limit() -> Iterator[None]:
    """What a library may do to the interpreter: the parser would then overrun the stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**7)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1000,
        '{"a":' * 1000,
        "[" * 400_000,
        '{"a":' * 150_000,
        '[{"a":' * 100_000,
        "[" * 60_000 + " " * 500_000,
    ],
)
def test_what_nests_is_no_json(no_limit: None, text: str) -> None:
    with pytest.raises(ValueError, match=r"deeper than 100|more values"):
        parse_json(text, 100)
    with pytest.raises(BadHistory, match="not JSON"):
        read_history(text.encode())


@pytest.mark.parametrize("item", ["[]", "{}", "0", '""', "[[]]"])
def test_objects_are_bounded_as_characters_are(item: str) -> None:
    """A value takes sixty bytes of memory, and two of the text."""
    few = "[" + ",".join([item] * 300) + "]"
    assert len(parse_json(few, 10)) == 300
    many = "[" + ",".join([item] * 100_000) + "]"
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more values"):
            parse_json(many, 10)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(many)
    finally:
        tracemalloc.stop()


def repeats(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield every repeat of a parsed pattern: its kind, and how often at most."""
    for kind, value in tree:
        if "REPEAT" in str(kind):
            yield str(kind), value[1]
        for part in value if isinstance(value, tuple) else ():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, sre_parse.SubPattern):
                    yield from repeats(inner)


def test_a_string_is_looked_at_once() -> None:
    """No repeat of the pattern gives back what it took, but for the closing quote."""
    found = list(repeats(sre_parse.parse(json_text._STRING.pattern)))
    assert [kind for kind, _ in found if kind == "POSSESSIVE_REPEAT"] == ["POSSESSIVE_REPEAT"] * 2
    assert all(most == 1 for kind, most in found if kind != "POSSESSIVE_REPEAT")


@pytest.mark.parametrize(
    "text", ['"' + '\\"' * 500_000, '"' + "\\" * 1_000_000, '"' * 1_000_001, '"' + "a" * 2**20]
)
def test_strings_without_an_end(text: str) -> None:
    """A megabyte that took half an hour."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text, 3)
    with pytest.raises(BadHistory):
        read_history(text.encode())


def test_the_depth_is_that_of_arrays_and_objects() -> None:
    assert parse_json('["[[[", "\\"[[", {"{": "]"}]', 2) == ["[[[", '"[[', {"{": "]"}]
    assert parse_json("[[[1]], [2]]", 3) == [[[1]], [2]]
    for text in ("[[[1]]]", '{"a": [[]]}', "[" * 3):
        with pytest.raises(ValueError, match="deeper than 2"):
            parse_json(text, 2)
    for text in ("", "[", "]]]", '"[', "[1}", "nul"):
        with pytest.raises(ValueError, match=r".+"):
            parse_json(text, 2)
