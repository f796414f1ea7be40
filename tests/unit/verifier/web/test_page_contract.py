"""What the page's JavaScript repeats of the core's header is what the header says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from native._core import ffi
from native.errors import CODES

CORE = (Path(__file__).parents[4] / "verifier" / "web" / "src" / "core.js").read_text("utf-8")
STRUCTS = re.findall(r"^  (assay_\w+): \{ (.*) \},$", CORE, re.M)


def test_the_page_has_the_core_s_codes() -> None:
    found = {int(status): code for status, code in re.findall(r"\[(\d+), \"([a-z.-]+)\"\]", CORE)}
    # No bytes that a page is given have another length than the core is told.
    assert found == {
        status: code for status, code in CODES.items() if code != "argument.bad-length"
    }


def test_every_struct_of_the_page_is_looked_at() -> None:
    assert [name for name, _ in STRUCTS] == [
        "assay_tree",
        "assay_checked_page",
        "assay_checked_opening",
    ]


@pytest.mark.parametrize(("name", "fields"), STRUCTS)
def test_the_page_lays_out_a_struct_as_a_machine_of_32_bits_does(name: str, fields: str) -> None:
    laid = {field: int(size) for field, size in re.findall(r"(\w+): (\d+)", fields)}

    def size(kind: Any) -> int:
        is_word = kind.kind == "pointer" or kind.cname == "size_t"
        return 4 if is_word else int(ffi.sizeof(kind))

    declared = ffi.typeof(name).fields
    assert declared is not None
    assert list(laid.items()) == [(field, size(place.type)) for field, place in declared]
    # Each field stands at a multiple of its own size, which C has of scalars, and here of arrays.
    assert all(at == 0 or place.type.kind != "array" for at, (_, place) in enumerate(declared))
    # Those that stand behind one another are as long as the greatest scalar wants.
    end = 0
    for length in laid.values():
        end = -(-end // length) * length + length
    greatest = max(length for length in laid.values() if length <= 8)
    assert end % greatest == 0
