"""What addresses hold on Bitcoin at a block, coin by coin: from a node of one's own or a snapshot.

The coins go into a file of their own, ``address,txid,index,amount``, which the snapshot's
configuration names under ``coins`` of the asset; the rows, to be signed, add them up.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from native import FoundCoin, NativeError
from prover.assets.lists import refuse_existing, write_evidence_rows
from prover.errors import Code, InputError, ProverError
from prover.files.lists import csv_rows
from prover.files.storage import output_text
from verifier.format.evidence_records import Coin
from verifier.format.params import MAX_COIN_INDEX
from verifier.nodes.bitcoin_evidence import CHAIN
from verifier.nodes.bitcoin_rpc import (
    COINS_A_BATCH,
    MAIN_NETWORK,
    BitcoinRpc,
    FoundOutput,
    Tip,
    parts,
    steady,
)
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, CannotTell
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.ownership import Address

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig

COINS_SUFFIX = ".coins.csv"
COIN_COLUMNS = ["address", "txid", "index", "amount"]
MAX_COINS = 1 << 20

_TXID = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class CollectedCoins:
    """Coins at a block, ascending by address, id and index; ``block_hash`` as displayed.

    header: the block's, of 80 bytes; None where the source does not have it.
    empty: how many addresses hold nothing. tip: the height of the node's tip; where it is above the
    block, coins spent since are missing. youngest: the height of the youngest coin of a snapshot;
    where it is below the block, nothing shows that hash and height are of one block.
    """

    block_hash: bytes
    header: bytes | None
    height: int
    tip: int
    coins: tuple[Coin, ...]
    empty: int
    youngest: int | None

    @property
    def amounts(self) -> Mapping[str, int]:
        """Satoshi by address, all of them more than zero."""
        return _sums(self.coins)


def collect_by_rpc(
    url: str,
    credentials: str | None,
    height: int,
    addresses: Sequence[Address],
    *,
    network: str = MAIN_NETWORK,
) -> CollectedCoins:
    """Ask a node of Bitcoin Core what is unspent of the coins created up to a block.

    A scan says what is unspent; each coin that it names is then looked up (`gettxout`), so that a
    list that readers check coin by coin in just this way is not signed for in vain.

    Raises:
        CannotCheck: the node does not answer, or is of another network.
        Misuse: the URL is none.
        ProverError: the node has not got to the block, or left it while it was asked; it tells of
            more than `MAX_COINS` coins, or two things of one.
    """
    rpc = BitcoinRpc(url, credentials=credentials, timeout=TIMEOUT_SECONDS)
    try:
        reached = rpc.tip(network).height
        if reached < height:
            raise ProverError(f"the node has got to block {reached}, not to {height}")
        block_hash = rpc.block_hash(height)
        texts = {address.owner: address.text for address in addresses}
        coins: list[Coin] = []
        for _, told in rpc.scans([*texts]):
            if isinstance(told, CannotTell):
                raise told
            tip = told.tip
            on_chain = rpc.height_on_chain(tip.hash) == tip.height
            if not on_chain or tip.height < height or rpc.block_hash(height) != block_hash:
                raise ProverError("the node's chain moved while it was asked: ask again")
            found = [
                output
                for output in told.outputs
                if output.height <= height and output.script in texts
            ]
            _look_up(rpc, tip, found)
            coins += [
                Coin(texts[output.script], output.amount, output.index, output.txid)
                for output in found
            ]
            if len(coins) > MAX_COINS:
                raise ProverError(f"the addresses have more than {MAX_COINS} coins")
        header = rpc.block_header(block_hash)
    finally:
        rpc.close()
    return _collected(block_hash, header, height, tip.height, coins, addresses)


def _look_up(rpc: BitcoinRpc, scanned: Tip, outputs: Sequence[FoundOutput]) -> None:
    """Check that a node says of each coin what its scan, at the tip ``scanned``, said.

    One that is gone at a later tip was spent meanwhile: it was there at the block, and stays.
    """
    for part in parts(outputs, COINS_A_BATCH):
        outpoints = [(output.txid, output.index) for output in part]
        tip, found = steady(partial(rpc.outputs, outpoints))
        for output, looked_up in zip(part, found, strict=True):
            if looked_up != output and not (looked_up is None and tip != scanned):
                coin = f"{output.txid.hex()}:{output.index}"
                raise ProverError(f"the node's scan tells of coin {coin} what it has not got")


def collect_from_snapshot(
    snapshot: UtxoSnapshot,
    height: int,
    addresses: Sequence[Address],
    progress: Callable[[int], None],
) -> CollectedCoins:
    """Read what is unspent from a snapshot, which names its block by hash alone.

    The youngest coin is of the snapshot's block, since a block's reward cannot be spent in it. It
    is older only where the block pays no reward, or one that nobody can spend.

    Raises:
        CannotCheck: unreadable or malformed.
        ProverError: a coin is younger than the block.
    """
    coins: list[Coin] = []

    def found(coin: FoundCoin) -> None:
        coins.append(Coin(addresses[coin.script].text, coin.amount, coin.index, coin.txid))

    scripts = [address.owner for address in addresses]
    try:
        _, highest = snapshot.totals(scripts, listed=len(scripts), found=found, progress=progress)
    except NativeError as error:
        raise ProverError(f"address {addresses[error.index].text} is given twice") from None
    if highest > height:
        raise ProverError(
            f"the snapshot has a coin of height {highest}, so it is of a later block than {height}"
        )
    return _collected(snapshot.block_hash, None, height, height, coins, addresses, youngest=highest)


def write_coins(found: CollectedCoins, asset: str, out: Path) -> Path:
    """Write the rows, still to be signed, and beside them the coins, whose path is returned.

    Raises:
        ProverError: one of the files exists.
    """
    beside = out.with_suffix(COINS_SUFFIX)
    refuse_existing((out, beside))
    with output_text(beside) as file:
        lines = csv.writer(file)
        lines.writerow(COIN_COLUMNS)
        for coin in found.coins:
            lines.writerow([coin.address, coin.txid.hex(), coin.index, coin.amount])
        file.flush()
        # Before the coins have their name: where one cannot be written, neither stands.
        write_evidence_rows(
            out,
            (
                {"asset": asset, "chain": CHAIN, "address": address, "amount": amount}
                for address, amount in found.amounts.items()
            ),
        )
    return beside


def read_coins(asset: AssetConfig, amounts: Mapping[str, int]) -> tuple[Coin, ...]:
    """Read the coins that an asset names, and check them against its rows' amounts by address.

    Raises:
        ProverError: unreadable, malformed, twice the same, or not what the rows add up to.
    """
    found: dict[tuple[bytes, int], Coin] = {}
    for file in asset.coins:
        for where, coin in read_coin_rows(file):
            if found.setdefault((coin.txid, coin.index), coin) is not coin:
                raise InputError(where, Code.COUNTED_TWICE, "this coin is listed already")
    coins = tuple(sorted(found.values(), key=_order))
    if len(coins) > MAX_COINS:
        raise ProverError(f"asset {asset.code}: more than {MAX_COINS} coins")
    for address, amount in _sums(coins).items():
        if amounts.get(address) != amount:
            words = (
                f"the coins of {address} add up to {amount}, "
                f"and its row says {amounts.get(address, 'nothing')}"
            )
            raise InputError(f"asset {asset.code}", Code.BAD_AMOUNT, words)
    return coins


def read_coin_rows(file: Path) -> Iterator[tuple[str, Coin]]:
    """Yield the coins of a file, each with the place of its row.

    Raises:
        ProverError: unreadable or malformed; the message names file, row and column.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            if next(reader, []) != COIN_COLUMNS:
                words = f"the columns are {', '.join(COIN_COLUMNS)}"
                raise InputError(f"{file}: row 1", Code.WRONG_COLUMNS, words)
            for number, cells in csv_rows(file, reader, len(COIN_COLUMNS)):
                where = f"{file}: row {number}"
                yield where, _coin(where, *cells)
    except (UnicodeDecodeError, csv.Error):
        raise InputError(str(file), Code.MALFORMED_LIST, "not CSV in UTF-8") from None
    except OSError as error:
        raise ProverError(f"{file}: {error.strerror}") from None


def _coin(where: str, address: str, txid: str, index: str, amount: str) -> Coin:
    if not _TXID.fullmatch(txid):
        words = "not 64 lower-case hex digits"
        raise InputError(f"{where}, column txid", Code.BAD_CELL, words)
    if not _NUMBER.fullmatch(index) or int(index) > MAX_COIN_INDEX:
        raise InputError(f"{where}, column index", Code.BAD_CELL, "not a number below 2^32")
    if not _NUMBER.fullmatch(amount) or int(amount) >= 1 << 64:
        words = "not a whole number of satoshi"
        raise InputError(f"{where}, column amount", Code.BAD_AMOUNT, words)
    return Coin(address, int(amount), int(index), bytes.fromhex(txid))


def _collected(
    block_hash: bytes,
    header: bytes | None,
    height: int,
    tip: int,
    coins: Iterable[Coin],
    addresses: Sequence[Address],
    *,
    youngest: int | None = None,
) -> CollectedCoins:
    ordered = tuple(sorted((coin for coin in coins if coin.amount), key=_order))
    empty = len(addresses) - len({coin.address for coin in ordered})
    return CollectedCoins(block_hash, header, height, tip, ordered, empty, youngest)


def _order(coin: Coin) -> tuple[str, bytes, int]:
    return coin.address, coin.txid, coin.index


def _sums(coins: Iterable[Coin]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for coin in coins:
        sums[coin.address] = sums.get(coin.address, 0) + coin.amount
    return sums
