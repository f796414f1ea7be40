"""The units of assets that this verifier knows by itself (protocol.md 2.1, errors.md 1.20)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spec.reference.address import check_contract
from spec.reference.chains import CHAINS


class Unit(NamedTuple):
    """What an asset is held in: contract is empty for a native coin, else its EIP-55 address."""

    code: str
    chain: str
    contract: str
    decimals: int


def parse_unit(text: str) -> Unit:
    """The unit of `CODE=chain:contract:decimals`; ValueError for another form."""
    code, _, rest = text.partition("=")
    parts = rest.split(":")
    if not code or len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit()):
        raise ValueError("a unit is CODE=chain:contract:decimals; a coin's contract is empty")
    chain, contract, decimals = parts
    if chain not in CHAINS:
        raise ValueError(f"{chain} is a chain that this verifier does not know")
    check_contract(chain, contract)
    return Unit(code, chain, contract, int(decimals))


KNOWN = frozenset(
    {
        Unit("BTC", "bitcoin", "", 8),
        Unit("ETH", "ethereum", "", 18),
        Unit("USDT", "ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec7", 6),
        Unit("USDC", "ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 6),
        Unit("DAI", "ethereum", "0x6B175474E89094C44Da98b954EedeAC495271d0F", 18),
        Unit("WBTC", "ethereum", "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", 8),
        Unit("SHIB", "ethereum", "0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE", 18),
        Unit("LINK", "ethereum", "0x514910771AF9Ca656af840dff83E8264EcF986CA", 18),
        Unit("BNB", "ethereum", "0xB8c77482e45F1F44dE1745F52C74426C631bDD52", 18),
    }
)


def all_known(named: Iterable[Unit]) -> dict[tuple[str, str], Unit]:
    """By (chain, contract) the units known, and those named, which may not contradict them."""
    codes = {(unit.code, unit.chain) for unit in KNOWN}
    known = {(unit.chain, unit.contract): unit for unit in KNOWN}
    for unit in named:
        place = unit.chain, unit.contract
        if place not in known and (unit.code, unit.chain) in codes:
            raise ValueError(f"another contract is known for {unit.code} on {unit.chain}")
        if known.setdefault(place, unit) != unit:
            raise ValueError(f"another unit is known for {unit.chain}:{unit.contract}")
    return known
