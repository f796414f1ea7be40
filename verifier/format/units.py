"""What an asset's code stands for: the units that the verifier knows without being told.

A manifest that contradicts them is false; of other units its word is all there is. Source:
spec/protocol.md 2.1.
Contracts are those of Ethereum's main network, in EIP-55 form; decimals are the chain's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class KnownUnit(NamedTuple):
    """An asset's code and one unit it is held in; ``contract`` is empty for a native coin."""

    code: str
    chain: str
    contract: str
    decimals: int


KNOWN_UNITS = frozenset(
    {
        KnownUnit("BTC", "bitcoin", "", 8),
        KnownUnit("ETH", "ethereum", "", 18),
        KnownUnit("USDT", "ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec7", 6),
        KnownUnit("USDC", "ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 6),
        KnownUnit("DAI", "ethereum", "0x6B175474E89094C44Da98b954EedeAC495271d0F", 18),
        KnownUnit("WBTC", "ethereum", "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", 8),
        KnownUnit("SHIB", "ethereum", "0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE", 18),
        KnownUnit("LINK", "ethereum", "0x514910771AF9Ca656af840dff83E8264EcF986CA", 18),
        KnownUnit("BNB", "ethereum", "0xB8c77482e45F1F44dE1745F52C74426C631bDD52", 18),
    }
)


class UnitTable:
    """What a reader knows of units: the table, and those that they named beside it.

    Raises:
        ValueError: a unit named contradicts the table, or another one.
    """

    def __init__(self, named: Iterable[KnownUnit] = ()) -> None:
        self._by_contract = {(unit.chain, unit.contract): unit for unit in KNOWN_UNITS}
        self._codes = {(unit.code, unit.chain) for unit in KNOWN_UNITS}
        named = tuple(named)
        for unit in named:
            if self.contradicts(unit):
                raise ValueError(f"{unit.code} on {unit.chain} is known to be something else")
        for unit in named:
            if self._by_contract.setdefault((unit.chain, unit.contract), unit) != unit:
                raise ValueError(f"{unit.code} on {unit.chain} is named in two ways")
        self._codes.update((unit.code, unit.chain) for unit in named)

    def __contains__(self, unit: KnownUnit) -> bool:
        """Tell whether this very unit is known."""
        return self._by_contract.get((unit.chain, unit.contract)) == unit

    def contradicts(self, unit: KnownUnit) -> bool:
        """Tell whether its contract is known as another unit, or its code has others there."""
        if (unit.chain, unit.contract) in self._by_contract:
            return unit not in self
        return (unit.code, unit.chain) in self._codes


def coins_text(units: int, decimals: int) -> str:
    """Return an amount of ledger units as a decimal number of whole coins."""
    whole, rest = divmod(units, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
