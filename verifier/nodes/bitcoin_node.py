"""A Bitcoin Core node of the verifier's own, as the source for bitcoin.

Such a node knows what is unspent at its tip, not at the manifest's block. A coin that is unspent
now and was created at or before the block was unspent at the block; so what is there now, of that
age, bounds from below what an address held then. What was there and is not any more was spent in
the blocks since, which the node is asked for if there are not too many: then nothing is open.

A chain moves while it is asked. Every answer is bound to the tip that it was given for, and counts
only while that tip and the block are on the node's chain.

Network and block must be told, or there is no verdict. Coins and scripts of which the node answers
that it cannot tell, or tells too much to be read, leave their rows as they were: anybody can send
dust to an address until its coins fill no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from verifier.checks.hidden import split_amounts
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.nodes.bitcoin_evidence import (
    CHAIN,
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
from verifier.nodes.bitcoin_rpc import (
    COINS_A_BATCH,
    MAIN_NETWORK,
    BitcoinRpc,
    FoundOutput,
    Moved,
    Scan,
    Tip,
    parts,
    steady,
)
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, AnswerTooLong, CannotTell, NodeError
from verifier.stateproof.bitcoin_header import parse_block_header

# A day's blocks: some minutes, and 3 GB of answers of the main network.
MOST_BLOCKS = 144
# Six scans; the node reads all of its unspent outputs for each.
MOST_HIDDEN_SCRIPTS = 1 << 18

_NO_BLOCKS = (
    f"of the blocks since there are more than {MOST_BLOCKS}, or the node has let go of some, "
    "and so it cannot tell what was spent in them"
)


@dataclass(frozen=True)
class _Spent:
    """A coin that was there at the block, and the height at which it was spent."""

    height: int
    output: FoundOutput


_SpentSince = Mapping[Outpoint, _Spent]


@dataclass
class _Found:
    """What a node has told so far, of what was created at or before the block.

    amounts, heights: of each script what is unspent still, and the tip's height as it was asked;
    tips: the hash of every tip that was met, by height; untold: the places of listed coins of which
    it did not tell; has_gaps: of some scripts it did not tell; why: the first reason that it gave.
    """

    block: Tip
    amounts: dict[bytes, int] = field(default_factory=dict)
    heights: dict[bytes, int] = field(default_factory=dict)
    tips: dict[int, bytes] = field(default_factory=dict)
    untold: set[int] = field(default_factory=set)
    has_gaps: bool = False
    why: str = ""

    def told_of(
        self, rows: Sequence[BitcoinRow], sets: Sequence[HiddenPlace]
    ) -> tuple[list[BitcoinRow], list[HiddenPlace]]:
        """Return the rows and sets of whose scripts it told."""
        if not self.has_gaps:
            return [*rows], [*sets]
        told = [row for row in rows if row.script in self.amounts]
        return told, [place for place in sets if self.has_all(place)]

    def meet(self, tip: Tip) -> None:
        """Note a tip.

        Raises:
            Moved: the chain had another block at this height.
        """
        if self.tips.setdefault(tip.height, tip.hash) != tip.hash:
            raise Moved

    def add(self, scripts: Iterable[bytes], told: Scan) -> None:
        """Take the unspent outputs of scripts at a tip."""
        self.meet(told.tip)
        for script in scripts:
            self.amounts[script] = 0
            self.heights[script] = told.tip.height
        for output in told.outputs:
            if output.height <= self.block.height and output.script in self.amounts:
                self.amounts[output.script] += output.amount

    def add_spent(self, since: _SpentSince) -> None:
        """Add what was spent between the block and the tip at which its script was asked."""
        for spent in since.values():
            script = spent.output.script
            if spent.height <= self.heights.get(script, self.block.height):
                self.amounts[script] += spent.output.amount

    def has_all(self, place: HiddenPlace) -> bool:
        """Tell whether the node told of all scripts of a set."""
        return all(script in self.amounts for owned in place.owned() for script in owned)

    def is_all(self, script: bytes) -> bool:
        """Tell whether what is unspent of a script is all that it held at the block."""
        return self.heights[script] == self.block.height


class BitcoinNode:
    """A `Node` that asks Bitcoin Core; ``network`` as `getblockchaininfo` names it."""

    def __init__(
        self,
        url: str,
        *,
        credentials: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        network: str = MAIN_NETWORK,
    ) -> None:
        """Take a node's URL; ``credentials``, as USER:PASSWORD, come before those of the URL.

        ``timeout`` is in seconds, of every call but a scan of all unspent outputs.

        Raises:
            Misuse: the URL is none.
        """
        self._rpc = BitcoinRpc(url, credentials=credentials, timeout=timeout)
        self._network = network

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """Check the block, every coin listed, every row that lists none, and hidden sets.

        What cannot be decided keeps its level: where more than `MOST_BLOCKS` came since, or the
        node has let go of them, and coins were spent or sets are to be known exactly; sets beyond
        `MOST_HIDDEN_SCRIPTS` scripts in all; and what the node says that it cannot tell.

        Raises:
            Rejected: ``chain.wrong-block``, ``chain.wrong-amount``.
            CannotCheck: no answer, another network, not as far as the block, or a chain that keeps
                moving.
        """
        block_ = block_of(checked)
        block = Tip(block_.height, block_.hash)
        among = places(checked, evidence)
        listed = coins(checked, evidence, among)
        sets = list(_affordable(hidden_places(checked, evidence)))
        try:
            rows, known, why = steady(lambda: self._ask(block, among, listed, sets))
            time = parse_block_header(self._rpc.block_header(block.hash)).time
        finally:
            self._rpc.close()
        return [
            replace(found, block_times={**found.block_times, CHAIN: time})
            for found in confirmed(evidence, rows, known, why)
        ]

    def _ask(
        self,
        block: Tip,
        among: Sequence[BitcoinRow],
        listed: Sequence[ListedCoin],
        sets: Sequence[HiddenPlace],
    ) -> tuple[list[BitcoinRow], list[HiddenPlace], str]:
        """Return the rows and sets that are confirmed, and why others are not, if any."""
        self._check_block(block)
        found = _Found(block)
        spent = self._ask_coins(found, among, listed)
        backed = {coin.place for coin in listed}
        others = [place for number, place in enumerate(among) if number not in backed]
        self._ask_scripts(found, others, sets)
        others, sets = found.told_of(others, sets)
        short = any(found.amounts[place.script] < place.amount for place in others)
        since = None
        if spent or short or sets:
            since = self._look_back(found, [among[coin.place].script for coin in spent])
        open_ = _check_spent(among, spent, since) | found.untold
        if since is not None:
            found.add_spent(since)
        is_decided = since is not None
        rows = _known_rows(found, others, is_decided=is_decided)
        rows += [among[number] for number in backed - open_]
        known = [place for place in sets if _is_known(found, place, is_decided=is_decided)]
        return rows, known, found.why

    def _look_back(self, found: _Found, scripts: Sequence[bytes]) -> _SpentSince | None:
        """Return what was spent since the block of scripts, and of those found, if that is told."""
        since = self._spent_since(found, {*found.amounts, *scripts})
        if since is None:
            found.why = found.why or _NO_BLOCKS
        return since

    def _ask_coins(
        self, found: _Found, among: Sequence[BitcoinRow], listed: Sequence[ListedCoin]
    ) -> list[ListedCoin]:
        """Ask for listed coins; return those that are spent now."""
        spent: list[ListedCoin] = []
        for part in parts(listed, COINS_A_BATCH):
            try:
                tip, gone = steady(partial(self._check_coins, found.block, among, part))
            except (NodeError, AnswerTooLong) as error:
                found.untold |= {coin.place for coin in part}
                found.why = found.why or error.message
            else:
                found.meet(tip)
                spent += gone
        return spent

    def _ask_scripts(
        self, found: _Found, others: Sequence[BitcoinRow], sets: Sequence[HiddenPlace]
    ) -> None:
        """Ask for all that is unspent of the rows' scripts, and of the sets'."""
        scripts = [place.script for place in others]
        scripts += (script for place in sets for owned in place.owned() for script in owned)
        for part, told in self._rpc.scans(scripts):
            if isinstance(told, CannotTell):
                found.has_gaps = True
                found.why = found.why or told.message
            else:
                self._check_steady(found.block, told.tip)
                found.add(part, told)

    def _check_block(self, block: Tip) -> None:
        if self._rpc.tip(self._network).height < block.height:
            message = f"the node has not got as far as block {block.height}"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)
        if self._rpc.block_hash(block.height) != block.hash:
            message = "your node has another block at this height"
            raise Rejected(Code.CHAIN_WRONG_BLOCK, "bitcoin", message)

    def _check_coins(
        self, block: Tip, among: Sequence[BitcoinRow], listed: Sequence[ListedCoin]
    ) -> tuple[Tip, list[ListedCoin]]:
        """Return the coins that are spent at a tip, and that tip."""
        tip, outputs = self._rpc.outputs([coin.outpoint for coin in listed])
        self._check_steady(block, tip)
        spent = []
        for coin, output in zip(listed, outputs, strict=True):
            if output is None:
                spent.append(coin)
            elif (output.script, output.amount) != (among[coin.place].script, coin.amount):
                raise wrong_amount(coin.where, "the coin has another amount or address")
            elif output.height > block.height:
                raise wrong_amount(coin.where, "the coin is younger than the block")
        return tip, spent

    def _check_steady(self, block: Tip, tip: Tip) -> None:
        """Check that a tip is on the block, so that what is unspent at it can be told of the block.

        Raises:
            Moved: it is not, or no longer.
        """
        if tip.height < block.height or self._rpc.height_on_chain(tip.hash) != tip.height:
            raise Moved
        if self._rpc.block_hash(block.height) != block.hash:
            raise Moved

    def _spent_since(self, found: _Found, scripts: Set[bytes]) -> _SpentSince | None:
        """Return the coins of scripts that were there at the block and were spent since.

        From the highest tip that was met, block by block, each named by the one after it. None: the
        node cannot tell, or there are too many blocks.

        Raises:
            Moved: a tip that was met, or the block, is not on this chain.
        """
        block, tips = found.block, found.tips
        top = max(tips)
        if top - block.height > MOST_BLOCKS:
            return None
        spent: dict[Outpoint, _Spent] = {}
        at = tips[top]
        for height in range(top, block.height, -1):
            if tips.get(height, at) != at:
                raise Moved
            told = self._rpc.spends(at)
            if told is None:
                return None
            at, outputs = told
            for output in outputs:
                if output.height <= block.height and output.script in scripts:
                    spent[output.txid, output.index] = _Spent(height, output)
        if at != block.hash or tips.get(block.height, at) != at:
            raise Moved
        return spent


def _check_spent(
    among: Sequence[BitcoinRow], coins_: Sequence[ListedCoin], since: _SpentSince | None
) -> set[int]:
    """Check that listed coins which are spent now were there; return the places left open."""
    if since is None:
        return {coin.place for coin in coins_}
    for coin in coins_:
        spent = since.get(coin.outpoint)
        if spent is None:
            raise wrong_amount(coin.where, "no such coin was unspent at the block")
        if (spent.output.script, spent.output.amount) != (among[coin.place].script, coin.amount):
            raise wrong_amount(coin.where, "the coin had another amount or address")
    return set()


def _known_rows(found: _Found, rows: Iterable[BitcoinRow], *, is_decided: bool) -> list[BitcoinRow]:
    """Return the rows whose addresses held enough; ``is_decided``: nothing else was there."""
    known = []
    false = []
    for place in rows:
        if found.amounts[place.script] >= place.amount:
            known.append(place)
        elif is_decided or found.is_all(place.script):
            false.append(place)
    if false:
        first = min(false, key=lambda place: (place.asset, place.row))
        raise wrong_amount(first.where, "the address held less at the block")
    return known


def _is_known(found: _Found, place: HiddenPlace, *, is_decided: bool) -> bool:
    """Tell whether each key of a set held just what it says; ``is_decided`` as above.

    Raises:
        Rejected: ``chain.wrong-amount``.
    """
    is_known = True
    amounts = split_amounts(place.listed.amounts)
    for owned, amount in zip(place.owned(), amounts, strict=True):
        total = sum(found.amounts[script] for script in owned)
        is_all = is_decided or all(map(found.is_all, owned))
        if total > amount or (is_all and total < amount):
            raise wrong_amount(place.where, "a key held another amount")
        is_known &= is_all
    return is_known


def _affordable(sets: Iterable[HiddenPlace]) -> Iterator[HiddenPlace]:
    """Yield the sets, in their order, that are few enough scripts together."""
    left = MOST_HIDDEN_SCRIPTS
    for place in sets:
        if place.scripts <= left:
            left -= place.scripts
            yield place
