"""Bitcoin's part of checked evidence: what a node or a snapshot is asked, and what it confirms.

A row is confirmed when its address holds at least its amount at the manifest's block, and every
coin listed for it is there as listed; a hidden set when each of its keys holds just what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from verifier.checks.hidden import key_owners, scripts_a_key, set_name
from verifier.checks.holdings import CheckedEvidence, HiddenHolding, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.evidence_records import HiddenSet
from verifier.format.levels import Level
from verifier.format.params import POINT_BYTES
from verifier.format.wire import Chain

CHAIN = "bitcoin"

_Holding = TypeVar("_Holding", Holding, HiddenHolding)
Outpoint = tuple[bytes, int]  # transaction id as displayed, index


@dataclass(frozen=True, slots=True)
class BitcoinRow:
    """A row of bitcoin: the numbers of asset and row, and what it says is there, in satoshi."""

    asset: int
    row: int
    where: str
    address: str
    script: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class HiddenPlace:
    """A hidden set of bitcoin: the numbers of asset and set, and what it lists."""

    asset: int
    number: int
    where: str
    listed: HiddenSet

    @property
    def scripts(self) -> int:
        """How many scripts its keys stand for."""
        return len(self.listed.keys) // POINT_BYTES * scripts_a_key(self.listed.scripts)

    def owned(self) -> Iterator[list[bytes]]:
        """Yield the scripts of each key."""
        return key_owners(self.listed.keys, self.listed.scripts)


@dataclass(frozen=True, slots=True)
class ListedCoin:
    """A coin of the evidence; ``place`` is the number of its row among the `places`."""

    where: str
    outpoint: Outpoint
    amount: int
    place: int


def block_of(checked: CheckedManifest) -> Chain:
    """Return the manifest's block of bitcoin.

    Raises:
        CannotCheck: it names none.
    """
    for chain in checked.manifest.chains:
        if chain.name == CHAIN:
            return chain
    raise CannotCheck(Code.CHECK_UNREADABLE, "the manifest names no block of bitcoin")


def places(checked: CheckedManifest, evidence: Sequence[CheckedEvidence]) -> list[BitcoinRow]:
    """Return the rows of the chain's own coin; those whose address lists coins come first."""
    found = []
    for at, (asset, holdings) in enumerate(zip(checked.manifest.assets, evidence, strict=True)):
        backed = {coin.address for coin in holdings.coins}
        for number, holding in enumerate(holdings.rows):
            row = holding.row
            if (row.chain, row.contract) == (CHAIN, ""):
                amount = int.from_bytes(row.amount)
                script = holding.address.owner
                where = f"{asset.code}, row {number}"
                place = BitcoinRow(at, number, where, row.address, script, amount)
                found.append((row.address not in backed, place))
    return [place for _, place in sorted(found, key=lambda entry: entry[0])]


def hidden_places(
    checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
) -> list[HiddenPlace]:
    """Return the hidden sets of the chain's own coin."""
    return [
        HiddenPlace(at, number, set_name(asset, number), holding.listed)
        for at, (asset, found) in enumerate(zip(checked.manifest.assets, evidence, strict=True))
        for number, holding in enumerate(found.hidden)
        if (holding.chain, holding.listed.contract) == (CHAIN, "")
    ]


def coins(
    checked: CheckedManifest, evidence: Sequence[CheckedEvidence], among: Sequence[BitcoinRow]
) -> list[ListedCoin]:
    """Return all coins listed, each with its row ``among`` the places."""
    numbers = {(place.asset, place.address): number for number, place in enumerate(among)}
    return [
        ListedCoin(
            f"{asset.code}, coin {number}",
            (coin.txid, coin.index),
            coin.amount,
            numbers[at, coin.address],
        )
        for at, (asset, holdings) in enumerate(zip(checked.manifest.assets, evidence, strict=True))
        for number, coin in enumerate(holdings.coins)
    ]


def confirmed(
    evidence: Sequence[CheckedEvidence],
    rows: Iterable[BitcoinRow],
    sets: Iterable[HiddenPlace],
    why: str = "",
) -> list[CheckedEvidence]:
    """Return the evidence with these rows and sets known as ``chain``.

    ``why`` the chain's others are not, is noted of them.
    """
    known_rows = {(place.asset, place.row) for place in rows}
    known_sets = {(place.asset, place.number) for place in sets}
    return [
        replace(
            found,
            rows=tuple(
                _settled(holding, why, is_known=(at, number) in known_rows)
                for number, holding in enumerate(found.rows)
            ),
            hidden=tuple(
                _settled(holding, why, is_known=(at, number) in known_sets)
                for number, holding in enumerate(found.hidden)
            ),
        )
        for at, found in enumerate(evidence)
    ]


def _settled(holding: _Holding, why: str, *, is_known: bool) -> _Holding:
    if is_known:
        return replace(holding, level=Level.CHAIN)
    return replace(holding, undecided=why) if holding.chain == CHAIN else holding


def wrong_amount(where: str, message: str) -> Rejected:
    """Return the rejection of an amount that is not there."""
    return Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
