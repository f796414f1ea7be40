"""What the page's JavaScript repeats of the core's header is what the header says."""

from __future__ import annotations

import re
from pathlib import Path

from native._core import ffi
from native.range import CODES

CORE = (Path(__file__).parents[4] / "verifier" / "web" / "src" / "core.js").read_text("utf-8")
# Field of the struct by what the script stores there; names of the script differ in two.
PLACE = {"level": "level", "levels": "levels", "index": "first_index", "pageSize": "page_size"}


def test_the_page_has_the_core_s_codes() -> None:
    found = {int(status): code for status, code in re.findall(r"\[(\d+), \"([a-z.-]+)\"\]", CORE)}
    # No bytes that a page is given have another length than the core is told.
    assert found == {
        status: code for status, code in CODES.items() if code != "argument.bad-length"
    }


def test_the_page_lays_out_a_place_as_the_core_does() -> None:
    kind = ffi.typeof("assay_page_place")
    stores = re.findall(r"setUint(8|32)\(at \+ (\d+), place\.(\w+)", CORE)
    fields = {PLACE.get(name, name): (int(bits) // 8, int(at)) for bits, at, name in stores}
    assert fields == {
        name: (ffi.sizeof(field.type.cname), field.offset)
        for name, field in kind.fields
        if name != "asset_state"
    }
    assert ffi.offsetof("assay_page_place", "asset_state") == 0
    (padding,) = re.findall(r"put\(concat\(place\.assetState, new Uint8Array\((\d+)\)", CORE)
    assert ffi.sizeof("assay_page_place") == 32 + int(padding)
