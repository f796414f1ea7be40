"""The chains that this verifier knows (protocol.md 3.1), from the table beside this package."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple


class Chain(NamedTuple):
    """What kind of chain it is, and what a header of it is: `none` proves nothing.

    A header of `avalanche` or `bitcoin` shows the block's time, and no state.
    """

    family: str
    header: str

    @property
    def proves_state(self) -> bool:
        return self.header in ("bsc", "ethereum", "evm")


def _read() -> dict[str, Chain]:
    table = Path(__file__).parent.parent / "chains.csv"
    with table.open(newline="", encoding="utf-8") as file:
        return {row["name"]: Chain(row["family"], row["header"]) for row in csv.DictReader(file)}


CHAINS = _read()
