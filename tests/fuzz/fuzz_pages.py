"""Pages: nothing but the honest bytes is accepted, and no bytes crash the core.

An input is a list of edits of honest pages and arguments, so that headers, points and arguments are
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
from tests.support.verifier_bundle import Denominated
from verifier.format.params import TreeShape
from verifier.format.statement import tree_of
from verifier.format.wire import Unit

FORGER = base("honest").forger
ASSET = FORGER.assets[0]
FILES = base_files("honest")
LEVELS = [(FILES[f"pages/BTC/{level}"], FILES[f"arguments/BTC/{level}"]) for level in range(2)]
TREE = tree_of(
    FORGER.context,
    Denominated(ASSET.code, ASSET.decimals, tuple(Unit(*unit) for unit in ASSET.units)),
    TreeShape(ASSET.capacity, ASSET.page_size),
)
HONEST = [
    native.pages_check(TREE, level, 0, pages, None) for level, (pages, _) in enumerate(LEVELS)
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
    level = source.ConsumeIntInRange(0, 1)
    raw = source.ConsumeIntInRange(0, 7) == 0
    honest = LEVELS[level]
    pages, arguments = (
        source.ConsumeBytes(20000)
        if raw
        else edited(source, part)
        if source.ConsumeBool()
        else part
        for part in honest
    )
    alone = source.ConsumeBool()
    try:
        found = native.pages_check(TREE, level, 0, pages, None if alone else arguments)
    except native.PageRejected as fault:
        if fault.code not in CODES or not 0 <= fault.index < 3:
            raise AssertionError("an unknown code or page") from fault
    except ValueError:
        if [len(pages), len(arguments)] == [len(part) for part in honest]:
            raise
    else:
        if alone and (found == HONEST[level]) != (pages == honest[0]):
            raise AssertionError("other bytes have the same ids")
        if not alone and (pages, arguments) != honest:
            raise AssertionError("changed bytes were accepted")


if __name__ == "__main__":
    run(target, [bytes([n]) * 40 for n in range(8)], 4096)
