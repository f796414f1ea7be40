"""An asset as a ledger counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from verifier.format.params import ASSET_CODE

MAX_DECIMALS: Final = 18


@dataclass(frozen=True, order=True)
class LedgerAsset:
    """An asset of the snapshot: a balance of 1 is 10^decimals ledger units.

    With more than 18 decimals, not even a total of 10 would stay below 2^63 ledger units.
    """

    code: str
    decimals: int

    def __post_init__(self) -> None:
        """Refuse a code or a number of decimals that no ledger can have."""
        if not ASSET_CODE.fullmatch(self.code):
            raise ValueError("an asset code is 1 to 16 of A-Z and 0-9")
        if not 0 <= self.decimals <= MAX_DECIMALS:
            raise ValueError(f"ledger decimals are 0 to {MAX_DECIMALS}")
