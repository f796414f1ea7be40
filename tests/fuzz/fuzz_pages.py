"""Pages: nothing but the honest bytes is accepted, and no bytes crash the core.

An input is a list of edits of honest pages, so that headers, points and arguments are nearly right;
or, one time in eight, raw pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import native
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files
from tests.support.forge import Transcript

FORGER = base("honest").forger
LEVELS = [base_files("honest")[f"pages/BTC/{level}"] for level in range(2)]
CODES = {
    "page.bad-header",
    "page.bad-point",
    "argument.bad-point",
    "argument.bad-scalar",
    "argument.rejected",
    "page.infinite-sum",
}


def asset_state() -> bytes:
    """The transcript after item 3."""
    transcript = Transcript()
    for label, data in FORGER.items(FORGER.assets[0], "page", b"")[:3]:
        transcript.absorb(label, data)
    return transcript.state


STATE = asset_state()


def edited(source: atheris.FuzzedDataProvider, pages: bytes) -> bytes:
    """Honest pages with up to four runs of bytes overwritten, or copied from elsewhere in them."""
    data = bytearray(pages)
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
    last = 16 if level == 0 else 3
    pages = source.ConsumeBytes(20000) if raw else edited(source, LEVELS[level])
    try:
        native.pages_verify(STATE, level, 2, 0, 3, 16, last, pages, os.urandom(32))
    except native.PageRejected as fault:
        if fault.code not in CODES or not 0 <= fault.index < 3:
            raise AssertionError("an unknown code or page") from fault
    except ValueError:
        if len(pages) == len(LEVELS[level]):
            raise
    else:
        if pages != LEVELS[level]:
            raise AssertionError("changed pages were accepted")


if __name__ == "__main__":
    run(target, [bytes([n]) * 40 for n in range(8)], 4096)
