"""Hidden sets of bitcoin against a node over RPC: exact at the block, or left open, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from tests.support.bitcoin_exchange import HELD, Exchange
from tests.support.bitcoin_regtest import MINER, pay
from tests.support.bitcoin_rpc_server import Core, serve
from tests.support.bitcoin_snapshot import REGTEST, Unspent
from tests.support.bitcoin_spend import Wallet, wallet
from verifier import BitcoinNode, CannotCheck, Level, Rejected
from verifier.checks.holdings import HiddenHolding
from verifier.format.evidence_records import HiddenSet
from verifier.nodes import bitcoin_node, bitcoin_rpc
from verifier.nodes.bitcoin_snapshot import SnapshotNode
from verifier.nodes.nodes import Node
from verifier.nodes.utxo_snapshot import UtxoSnapshot

TYPES = ("p2pkh", "p2tr", "p2wpkh")
FIRST, TAPROOT = 21, 22
SHORT, LEGACY, OUTPUT = wallet("p2wpkh", FIRST), wallet("p2pkh", FIRST), wallet("p2tr", TAPROOT)
# Keys, each with the wallets of its scripts and their coins; the last has nothing.
LISTED: dict[bytes, dict[Wallet, tuple[int, ...]]] = {
    PrivateKey(SHORT.keys[0]).public_key.format(): {SHORT: (5_000, 7_000), LEGACY: (9_000,)},
    b"\x02" + OUTPUT.output[2:]: {OUTPUT: (11_000, 13_000)},
    PrivateKey(bytes([9]) * 32).public_key.format(): {},
}
KEYS = sorted(LISTED, key=lambda key: key[1:])
AMOUNTS = [sum(map(sum, LISTED[key].values())) for key in KEYS]
HOLDER = KEYS.index(b"\x02" + OUTPUT.output[2:])


class Hidden:
    """A chain on which the keys have coins at the bundle's block."""

    def __init__(self, folder: Path) -> None:
        self.exchange = Exchange(folder)
        self.chain = self.exchange.chain
        outputs = [
            (amount, owner.output)
            for wallets in LISTED.values()
            for owner, amounts in wallets.items()
            for amount in amounts
        ]
        self.pay(2, outputs)
        self.height, self.block = self.chain.height, self.chain.tip

    def pay(self, height: int, outputs: Sequence[tuple[int, bytes]]) -> None:
        """Mine a block that pays what a block's miner got."""
        (coin,) = (c for c in self.chain.unspent() if c.height == height)
        rest = coin.amount - sum(amount for amount, _ in outputs)
        self.chain.mine([pay([(MINER, coin)], [*outputs, (rest, MINER.output)])])

    def coins(self, owner: Wallet) -> list[Unspent]:
        return [coin for coin in self.chain.unspent() if coin.script == owner.output]

    def spend(self, owner: Wallet) -> None:
        """Mine a block in which all that a wallet has goes to the miner."""
        coins = self.coins(owner)
        total = sum(coin.amount for coin in coins)
        self.chain.mine([pay([(owner, coin) for coin in coins], [(total, MINER.output)])])

    def move(self) -> None:
        """Spend coins after the block, pay the keys anew, and spend some of that again."""
        self.spend(SHORT)
        self.pay(3, [(1_000, OUTPUT.output), (2_000, SHORT.output)])
        self.spend(SHORT)

    def ask(self, node: Node, amounts: Sequence[int] = AMOUNTS, sets: int = 1) -> list[Level]:
        """Let a node confirm the set, beside the exchange's rows; return the sets' levels."""
        held = self.exchange.held(block=self.block, height=self.height)
        stated = b"".join(amount.to_bytes(16, "big") for amount in amounts)
        listed = HiddenSet(stated, b"", "bitcoin", b"", "", b"".join(KEYS), TYPES)
        holding = HiddenHolding(listed, stated, sum(amounts), Level.CLAIMED)
        evidence = [replace(held.evidence[0], hidden=(holding,) * sets)]
        (found,) = node.confirm(held.checked, evidence)
        return [holding.level for holding in found.hidden]

    def by_rpc(
        self,
        amounts: Sequence[int] = AMOUNTS,
        *,
        core: Core | None = None,
        change: Callable[[str, Any], Any] | None = None,
    ) -> Level:
        with serve(core or Core(self.chain), change=change) as url:
            return self.ask(BitcoinNode(url, network="regtest"), amounts)[0]

    def rejected(self, amounts: Sequence[int], **how: Any) -> None:
        with pytest.raises(Rejected) as rejected:
            self.by_rpc(amounts, **how)
        assert rejected.value.code.value == "chain.wrong-amount"
        assert rejected.value.where == "BTC, hidden set 0"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Hidden:
    """The block is the tip."""
    return Hidden(tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Hidden:
    """Three blocks later."""
    made = Hidden(tmp_path_factory.mktemp("moved"))
    made.move()
    assert made.chain.height == made.height + 3
    return made


def changed(change: int) -> list[int]:
    """The amounts, that of the taproot key otherwise by so much."""
    return [amount + change * (at == HOLDER) for at, amount in enumerate(AMOUNTS)]


def test_a_node_at_the_block_knows_exactly(here: Hidden) -> None:
    core = Core(here.chain, pruned=True)
    assert here.by_rpc(core=core) is Level.CHAIN
    assert (core.calls.count("scantxoutset"), core.calls.count("getblock")) == (1, 0)
    for change in (1, -1):
        here.rejected(changed(change))
    here.rejected([amount + (amount == 0) for amount in AMOUNTS])


def test_a_later_node_adds_what_its_blocks_spent(moved: Hidden) -> None:
    """What came after the block does not count, whether it is there still or not."""
    core = Core(moved.chain)
    assert moved.by_rpc(core=core) is Level.CHAIN
    assert core.calls.count("getblock") == 3
    for change in (1, -1, -1_000, 1_000):
        moved.rejected(changed(change))
    # A node and a snapshot of the block agree.
    path = moved.exchange.folder / "utxo.dat"
    path.write_bytes(moved.chain.snapshot(moved.height))
    assert moved.ask(SnapshotNode(UtxoSnapshot(path, REGTEST))) == [Level.CHAIN]


def test_without_blocks_a_set_stays_claimed(moved: Hidden, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing raises it: neither amounts that fit what is there still, nor greater ones."""
    still = [amount - 12_000 * (at != HOLDER and amount > 0) for at, amount in enumerate(AMOUNTS)]
    for amounts in (AMOUNTS, still, changed(1)):
        core = Core(moved.chain, pruned=True)
        assert moved.by_rpc(amounts, core=core) is Level.CLAIMED
    # Less than what is there still, and was there at the block, is false all the same.
    moved.rejected(changed(-1), core=Core(moved.chain, pruned=True))
    monkeypatch.setattr(bitcoin_node, "MOST_BLOCKS", 2)
    core = Core(moved.chain)
    assert moved.by_rpc(core=core) is Level.CLAIMED
    assert "getblock" not in core.calls


def test_an_old_node_does_not_say_what_was_spent(moved: Hidden) -> None:
    def change(method: str, result: Any) -> Any:
        if method == "getblock":
            for item in result["tx"][1:]:
                del item["vin"][0]["prevout"]
        return result

    assert moved.by_rpc(change=change) is Level.CLAIMED


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hash",), "ab" * 32),
        (("hash",), None),
        (("previousblockhash",), "x"),
        (("tx",), {}),
        (("tx", 1), 5),
        (("tx", 1, "vin"), None),
        (("tx", 1, "vin", 0, "txid"), "00"),
        (("tx", 1, "vin", 0, "vout"), 2**32),
        (("tx", 1, "vin", 0, "prevout"), []),
        (("tx", 1, "vin", 0, "prevout", "height"), -1),
        (("tx", 1, "vin", 0, "prevout", "value"), 1e-9),
        (("tx", 1, "vin", 0, "prevout", "value"), 21_000_001),
        (("tx", 1, "vin", 0, "prevout", "scriptPubKey"), "00"),
        (("tx", 1, "vin", 0, "prevout", "scriptPubKey", "hex"), "0"),
    ],
)
def test_a_block_that_is_malformed(
    moved: Hidden, path: tuple[str | int, ...], value: object
) -> None:
    def change(method: str, result: Any) -> Any:
        if method == "getblock":
            inner = result
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = value
        return result

    with pytest.raises(CannotCheck, match="getblock: the answer is malformed"):
        moved.by_rpc(change=change)


def test_blocks_that_do_not_lead_to_the_manifests(moved: Hidden) -> None:
    def change(method: str, result: Any) -> Any:
        if method == "getblock" and result["height"] == moved.height + 1:
            result["previousblockhash"] = moved.chain.hash_at(moved.height - 1).hex()
        return result

    with pytest.raises(CannotCheck, match="moves while it is asked"):
        moved.by_rpc(change=change)


def test_a_block_without_end(moved: Hidden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitcoin_rpc, "_BLOCK_BYTES", 1 << 16)
    huge = b'{"id": 1, "result": "' + b"x" * (1 << 17) + b'"}'

    def change(method: str, result: Any) -> Any:
        return huge if method == "getblock" else result

    assert moved.by_rpc(change=change) is Level.CLAIMED


def test_a_scan_is_split_where_its_answer_is_too_long(
    moved: Hidden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoin_rpc, "_SCAN_BYTES", 1_700)
    core = Core(moved.chain)
    assert moved.by_rpc(core=core) is Level.CHAIN
    assert core.calls.count("scantxoutset") > 4
    # A script with more coins than any answer holds leaves the set that it is of.
    monkeypatch.setattr(bitcoin_rpc, "_SCAN_BYTES", 100)
    assert moved.by_rpc() is Level.CLAIMED


def test_scripts_beyond_the_bound_are_not_asked_for(
    here: Hidden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoin_node, "MOST_HIDDEN_SCRIPTS", 4 * len(KEYS) + 1)
    with serve(Core(here.chain)) as url:
        levels = here.ask(BitcoinNode(url, network="regtest"), sets=2)
    assert levels == [Level.CHAIN, Level.CLAIMED]


def test_the_chain_moves_between_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scan counts at its own tip: what is spent after it was there as it was asked."""
    made = Hidden(tmp_path)
    monkeypatch.setattr(bitcoin_rpc, "_SCRIPTS_A_SCAN", 4)
    core = Core(made.chain)
    moves: list[Callable[[], object]] = [made.move, made.chain.mine, lambda: made.spend(LEGACY)]

    def move() -> None:
        if moves:
            moves.pop(0)()
            core.before["scantxoutset"] = move

    core.before["scantxoutset"] = move
    assert made.by_rpc(core=core) is Level.CHAIN
    assert made.coins(LEGACY) == []
    made.rejected(changed(1))

    # A tip that a scan was told of is left behind by the next.
    def reorganise() -> None:
        made.chain.mine()
        left = made.chain.tip
        core.before["scantxoutset"] = lambda: replace_tip(left)

    def replace_tip(left: bytes) -> None:
        parent = made.chain.hash_at(made.chain.height - 1)
        rival = made.chain.mine(on=parent, expect_tip=False)
        made.chain.mine(on=rival)
        assert made.chain.hash_at(made.chain.height - 1) != left

    core.before["scantxoutset"] = reorganise
    scans = core.calls.count("scantxoutset")
    assert made.by_rpc(core=core) is Level.CHAIN
    assert core.calls.count("scantxoutset") - scans > 4  # asked again from the start


def test_the_rows_keep_their_own(moved: Hidden) -> None:
    """A set does not touch what is known of rows."""
    held = moved.exchange.held(block=moved.block, height=moved.height)
    with serve(Core(moved.chain)) as url:
        levels = held.ask(BitcoinNode(url, network="regtest"))
    assert levels == {Level.CHAIN: sum(sum(amounts) for _, amounts, _ in HELD)}
