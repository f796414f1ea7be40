"""Pages and arguments: nothing but the honest bytes is accepted, and no bytes crash the core.

An input is a list of edits of honest pages and arguments, so that headers, points and scalars are
nearly right; or, one time in eight, raw bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import native
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files

FORGER = base("honest").forger
TREE = FORGER.place(FORGER.assets[0]).core()
LEVELS = [
    tuple(base_files("honest")[f"{kind}/BTC/{level}"] for kind in ("pages", "arguments"))
    for level in range(2)
]
CODES = {
    "page.bad-header",
    "page.bad-point",
    "argument.bad-point",
    "argument.bad-scalar",
    "argument.rejected",
    "page.infinite-sum",
}


def edited(source: atheris.FuzzedDataProvider, honest: bytes) -> bytes:
    """Honest bytes with up to four runs of bytes overwritten, or copied from elsewhere in them."""
    data = bytearray(honest)
    for _ in range(source.ConsumeIntInRange(1, 4)):
        at = source.ConsumeIntInRange(0, len(data) - 1)
        if source.ConsumeBool():
            put = source.ConsumeBytes(source.ConsumeIntInRange(1, 66))
        else:
            start = source.ConsumeIntInRange(0, len(data) - 1)
            put = bytes(data[start : start + source.ConsumeIntInRange(1, 4000)])
        put = put[: len(data) - at]
        data[at : at + len(put)] = put
    return bytes(data)


def target(data: bytes) -> None:
    source = atheris.FuzzedDataProvider(data)
    level, part = source.ConsumeIntInRange(0, 1), source.ConsumeIntInRange(0, 1)
    given = list(LEVELS[level])
    if source.ConsumeIntInRange(0, 7) == 0:
        given[part] = source.ConsumeBytes(20000)
    else:
        given[part] = edited(source, given[part])
    try:
        native.pages_check(TREE, level, 0, *given)
    except native.PageRejected as fault:
        if fault.code not in CODES or not 0 <= fault.index < 3:
            raise AssertionError("an unknown code or page") from fault
    except ValueError:
        if len(given[part]) == len(LEVELS[level][part]):
            raise
    else:
        if given[part] != LEVELS[level][part]:
            raise AssertionError("changed bytes were accepted")


if __name__ == "__main__":
    run(target, [bytes([n]) * 40 for n in range(8)], 4096)
