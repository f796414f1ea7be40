"""Indexes of published folders: what is read is what would be written, and in order."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from tests.fuzz.corpus import run
from verifier.bundle.history import BadHistory, Entry, History, read_history, write_history

ENTRIES = (
    Entry(b"\x01" * 32, bytes(32), "one", 1_700_000_000),
    Entry(b"\x02" * 32, b"\x01" * 32, "2023-11-15", 1_700_086_400),
)


def target(data: bytes) -> None:
    try:
        found = read_history(data)
    except BadHistory:
        return
    if read_history(write_history(found)) != found:
        raise AssertionError("what is written is not what was read")
    for before, entry in pairwise(found.snapshots):
        if entry.previous != before.manifest or entry.time <= before.time:
            raise AssertionError("entries out of order")
    for entry in found.snapshots:
        if entry.path != f"snapshots/{entry.snapshot_id}/" or set("./") & set(entry.snapshot_id):
            raise AssertionError("a path that leads elsewhere")


if __name__ == "__main__":
    histories = [History("Börse", bytes(range(32)), ENTRIES[:count]) for count in range(3)]
    run(target, map(write_history, histories), 4096)
