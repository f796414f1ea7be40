"""JSON from others never meets the parser deeper than it may, whatever the interpreter's limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from verifier.history import BadHistory, read_history
from verifier.json_text import parse_json


@pytest.fixture
def no_limit() -> Iterator[None]:
    """What a library may do to the interpreter: the parser would then overrun the stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**7)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("text", ["[" * 400_000, '{"a":' * 150_000, '[{"a":' * 100_000])
def test_what_nests_is_no_json(no_limit: None, text: str) -> None:
    with pytest.raises(ValueError, match="deeper than 100"):
        parse_json(text, 100)
    with pytest.raises(BadHistory, match="not JSON"):
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
