"""A UTXO snapshot as the verifier's source for bitcoin: it decides every row, coin and key.

The snapshot is of the very block that the manifest names, so what it does not hold was not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from native import FoundCoin
from verifier.checks.hidden import scripts_a_key, split_amounts
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.nodes.bitcoin_evidence import (
    BitcoinRow,
    HiddenPlace,
    ListedCoin,
    Outpoint,
    block_of,
    coins,
    confirmed,
    hidden_places,
    places,
    wrong_amount,
)
from verifier.nodes.utxo_snapshot import UtxoSnapshot


class SnapshotNode:
    """A `Node` that reads a snapshot; ``progress`` gets the coins read, and all there are."""

    def __init__(
        self, snapshot: UtxoSnapshot, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._snapshot = snapshot
        self._progress = progress

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """Check all that is on bitcoin; every row and hidden set is confirmed, or rejected.

        Raises:
            Rejected: ``chain.wrong-amount``; ``chain.wrong-block`` where the snapshot has coins
                that are younger than the manifest says its block is. Where all are older there is
                a remark: almost every block leaves the coin that pays for it.
            CannotCheck: unreadable, or of another block.
        """
        block = block_of(checked)
        if self._snapshot.block_hash != block.hash:
            rule = f"of block {self._snapshot.block_hash.hex()}, not of the manifest's"
            raise CannotCheck(Code.CHECK_UNREADABLE, f"{self._snapshot.path}: {rule}")
        among = places(checked, evidence)
        listed = coins(checked, evidence, among)
        sets = hidden_places(checked, evidence)
        search = _Search(listed)
        totals, highest = self._snapshot.totals(
            chain(
                (place.script for place in among),
                (script for place in sets for owned in place.owned() for script in owned),
            ),
            listed=len({coin.place for coin in listed}),
            found=search.found,
            progress=self._advance,
        )
        if highest > block.height:
            message = "the block of this hash is higher than the manifest says"
            raise Rejected(Code.CHAIN_WRONG_BLOCK, "bitcoin", message)
        _check_rows(among, totals)
        search.check_found()
        _check_sets(sets, iter(totals[len(among) :]))
        return [
            replace(found, remarks=(*found.remarks, *_remarks(block.height, highest)))
            for found in confirmed(evidence, among, sets)
        ]

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._snapshot.coins)


def _remarks(height: int, highest: int) -> list[str]:
    """Return what is odd about a snapshot's youngest coin."""
    if highest == height:
        return []
    return [
        f"the youngest coin of your snapshot is of height {highest}, and the manifest says that "
        f"its block is of height {height}: a block seldom leaves no coin"
    ]


def _check_rows(among: Sequence[BitcoinRow], totals: Sequence[int]) -> None:
    short = [
        place
        for place, total in zip(among, totals[: len(among)], strict=True)
        if total < place.amount
    ]
    if short:
        first = min(short, key=lambda place: (place.asset, place.row))
        raise wrong_amount(first.where, "the address held less at the block")


def _check_sets(sets: Sequence[HiddenPlace], totals: Iterator[int]) -> None:
    """Check that each key held just what its set says; ``totals`` are of all scripts, in order."""
    for place in sets:
        scripts = scripts_a_key(place.listed.scripts)
        for amount in split_amounts(place.listed.amounts):
            if sum(islice(totals, scripts)) != amount:
                raise wrong_amount(place.where, "a key held another amount")


class _Search:
    """The coins listed that a scan has still to find."""

    def __init__(self, listed: Sequence[ListedCoin]) -> None:
        self._missing: dict[Outpoint, ListedCoin] = {coin.outpoint: coin for coin in listed}

    def found(self, coin: FoundCoin) -> None:
        outpoint = coin.txid, coin.index
        wanted = self._missing.get(outpoint)
        if wanted is not None and (wanted.place, wanted.amount) == (coin.script, coin.amount):
            del self._missing[outpoint]

    def check_found(self) -> None:
        if self._missing:
            first = next(iter(self._missing.values()))  # in the order of the evidence
            raise wrong_amount(first.where, "no such coin was unspent at the block")
