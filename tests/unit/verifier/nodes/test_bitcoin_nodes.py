"""A bundle's bitcoin against a real regtest chain: a snapshot of it, and a node over RPC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.bitcoin_exchange import HELD, Exchange, Held, coin_fields, message_of
from tests.support.bitcoin_regtest import MINER, RefusedBlockError, pay
from tests.support.bitcoin_rpc_server import Core, serve
from tests.support.bitcoin_snapshot import REGTEST, snapshot
from tests.support.bitcoin_spend import Wallet, reserves, text_of, wallet
from tests.support.forger import Fields
from verifier import CannotCheck, Level, Rejected
from verifier.nodes.bitcoin_node import BitcoinNode
from verifier.nodes.bitcoin_snapshot import SnapshotNode
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.ownership import parse_address
from verifier.ownership.bip127 import SpentCoin

Edit = Callable[[Fields], None]
UNITS = sum(sum(amounts) for _, amounts, _ in HELD)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """Its block is the tip; tests leave it so."""
    return Exchange(tmp_path_factory.mktemp("regtest"))


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """Three blocks later: of each kind of row one has been spent in part."""
    made = Exchange(tmp_path_factory.mktemp("moved"))
    made.spend(HELD[0][0])
    made.spend(HELD[3][0], 1)
    made.chain.mine()
    return made


def node_of(exchange: Exchange, data: bytes) -> SnapshotNode:
    path = exchange.folder / "utxo.dat"
    path.write_bytes(data)
    return SnapshotNode(UtxoSnapshot(path, REGTEST))


def ask(exchange: Exchange, held: Held, core: Core | None = None) -> dict[Level, int]:
    """Let a node over RPC confirm what is held."""
    with serve(core or Core(exchange.chain)) as url:
        return held.ask(BitcoinNode(url, network="regtest"))


def rejection(run: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Rejected) as rejected:
        run()
    return rejected.value.code.value, rejected.value.where


def inconclusive(run: Callable[[], object]) -> str:
    with pytest.raises(CannotCheck) as raised:
        run()
    assert raised.value.code == "check.unreadable"
    return raised.value.message


def test_the_engine_refuses_what_is_not_signed_or_not_there(exchange: Exchange) -> None:
    """The spends that the other tests trust are true because false ones are refused."""
    chain = exchange.chain
    tip = chain.tip
    coin = exchange.coins_of(HELD[0][0])[0]
    stranger = wallet("p2wpkh", seed=5)
    false = [
        pay([(stranger, coin)], [(coin.amount, MINER.output)]),
        pay([(HELD[0][0], coin)], [(coin.amount + 1, MINER.output)]),
        pay([(MINER, exchange.first)], [(1, MINER.output)]),  # spent before
    ]
    for transaction in false:
        with pytest.raises(RefusedBlockError):
            chain.mine([transaction])
        assert chain.tip == tip


def test_no_block_can_hold_a_proof_of_reserves(exchange: Exchange) -> None:
    coin = exchange.coins_of(HELD[0][0])[0]
    owner = HELD[0][0]
    address = parse_address("bitcoin", owner.address)
    made = [(owner, SpentCoin(address, coin.txid, coin.index, coin.amount))]
    proof = reserves(made, "a message")
    with pytest.raises(RefusedBlockError):
        exchange.chain.mine([proof])


def test_a_snapshot_confirms_every_row(exchange: Exchange, moved: Exchange) -> None:
    for made in (exchange, moved):  # what came after does not matter
        node = node_of(made, made.chain.snapshot(made.height))
        assert made.held().ask(node) == {Level.CHAIN: UNITS}


def test_a_node_at_the_block_confirms_every_row(exchange: Exchange) -> None:
    core = Core(exchange.chain)
    levels = ask(exchange, exchange.held(), core)
    assert levels == {Level.CHAIN: UNITS}
    assert core.calls.count("gettxout") == 4
    assert core.calls.count("scantxoutset") == 1


def test_a_node_beyond_the_block_finds_what_was_spent_since_in_its_blocks(moved: Exchange) -> None:
    core = Core(moved.chain)
    assert ask(moved, moved.held(), core) == {Level.CHAIN: UNITS}
    assert core.calls.count("getblock") == 3


def test_a_node_without_its_blocks_leaves_open_what_was_spent_since(moved: Exchange) -> None:
    core = Core(moved.chain, pruned=True)
    levels = ask(moved, moved.held(), core)
    spent = sum(HELD[0][1]) + sum(HELD[3][1])
    assert levels == {Level.CHAIN: UNITS - spent, Level.CLAIMED: spent}


def test_what_came_after_the_block_does_not_count(moved: Exchange, tmp_path: Path) -> None:
    """Coins that pay an address after the block make up for none that were missing at it."""
    made = Exchange(tmp_path)
    owner, amounts, _ = HELD[3]
    made.spend(owner, 0)
    coin = next(c for c in made.chain.unspent(made.height) if c.height == 2)
    paid = [(sum(amounts), owner.output), (coin.amount - sum(amounts), MINER.output)]
    made.chain.mine([pay([(MINER, coin)], paid)])
    levels = ask(made, made.held(), Core(made.chain, pruned=True))
    assert levels[Level.CLAIMED] == sum(amounts)
    assert ask(made, made.held()) == {Level.CHAIN: UNITS}
    # Its blocks show what was spent, and no more.
    held = made.held(changed_row(owner, 1, HELD[4][0]))
    assert rejection(lambda: ask(made, held))[0] == "chain.wrong-amount"


def changed_row(owner: Wallet, amount: int, other: Wallet) -> Edit:
    """Move an amount from a row to another, so that the sum stays."""

    def edit(fields: Fields) -> None:
        for wallet_, change in ((owner, amount), (other, -amount)):
            (row,) = (row for row in fields["rows"] if row["address"] == wallet_.address)
            row["amount"] = (int.from_bytes(row["amount"], "big") + change).to_bytes(32, "big")

    return edit


def test_a_row_of_more_than_is_there(exchange: Exchange, moved: Exchange) -> None:
    unlisted = [owner for owner, _, is_listed in HELD if not is_listed]
    edit = changed_row(unlisted[0], 1, unlisted[1])
    held = exchange.held(edit)
    where = f"BTC, row {sorted(owner.address for owner, _, _ in HELD).index(unlisted[0].address)}"
    node = node_of(exchange, exchange.chain.snapshot())
    assert rejection(lambda: held.ask(node)) == ("chain.wrong-amount", where)
    assert rejection(lambda: ask(exchange, held)) == ("chain.wrong-amount", where)
    # A node beyond the block can tell that from coins that were spent since by its blocks alone.
    later = moved.held(edit)
    assert rejection(lambda: ask(moved, later))[0] == "chain.wrong-amount"
    open_ = ask(moved, later, Core(moved.chain, pruned=True))[Level.CLAIMED]
    assert open_ == sum(HELD[0][1]) + sum(HELD[3][1]) + 1
    node = node_of(moved, moved.chain.snapshot(moved.height))
    assert rejection(lambda: later.ask(node))[0] == "chain.wrong-amount"


def lie_about_coins(exchange: Exchange, change: Callable[[list[SpentCoin]], None]) -> Edit:
    """List other coins of the wallets than they have, and sign these."""

    def edit(fields: Fields) -> None:
        owners = {owner.address: owner for owner, _ in exchange.listed()}
        listed = [coin for _, coin in exchange.listed()]
        change(listed)
        made = [(owners[coin.address.text], coin) for coin in listed]
        signed = text_of(reserves(made, message_of(exchange.chains())))
        for item in fields["signatures"]:
            if item["format"] == "bip127" and not item["text"].startswith("@"):
                item["text"] = signed
        fields["coins"] = coin_fields(listed)

    return edit


def other_amounts(listed: list[SpentCoin]) -> None:
    """The same sum, of other amounts."""
    listed[0] = replace(listed[0], amount=listed[0].amount + 1)
    listed[1] = replace(listed[1], amount=listed[1].amount - 1)


def absent(listed: list[SpentCoin]) -> None:
    listed[2] = replace(listed[2], txid=bytes(32))


def no_such_index(listed: list[SpentCoin]) -> None:
    listed[2] = replace(listed[2], index=listed[2].index + 1000)


def of_another(listed: list[SpentCoin]) -> None:
    """A coin of somebody else, of whatever amount."""
    listed[2] = replace(listed[2], index=listed[0].index, txid=listed[0].txid)
    listed[0] = replace(listed[0], txid=bytes([7]) * 32)


@pytest.mark.parametrize("change", [other_amounts, absent, no_such_index, of_another])
def test_coins_that_are_not_there(
    exchange: Exchange, change: Callable[[list[SpentCoin]], None]
) -> None:
    held = exchange.held(lie_about_coins(exchange, change))
    node = node_of(exchange, exchange.chain.snapshot())
    code, where = rejection(lambda: held.ask(node))
    assert code == "chain.wrong-amount"
    assert where.startswith("BTC, coin ")
    assert rejection(lambda: ask(exchange, held))[0] == "chain.wrong-amount"


@pytest.mark.parametrize("change", [absent, no_such_index])
def test_coins_that_were_not_there_at_an_earlier_block(
    moved: Exchange, change: Callable[[list[SpentCoin]], None]
) -> None:
    """Coins that are not there now were spent since, or never were; the blocks tell which."""
    held = moved.held(lie_about_coins(moved, change))
    assert rejection(lambda: ask(moved, held))[0] == "chain.wrong-amount"
    assert Level.CLAIMED in ask(moved, held, Core(moved.chain, pruned=True))


def test_a_spent_coin_of_another_amount(moved: Exchange) -> None:
    """The first wallet's first coin was spent since; its two coins swap a satoshi."""
    spent = moved.coins_of(HELD[0][0])[0]

    def change(listed: list[SpentCoin]) -> None:
        (at,) = (n for n, c in enumerate(listed) if (c.txid, c.index) == (spent.txid, spent.index))
        listed[at] = replace(listed[at], amount=listed[at].amount + 1)
        (other,) = (n for n, c in enumerate(listed) if n != at and c.address == listed[at].address)
        listed[other] = replace(listed[other], amount=listed[other].amount - 1)

    held = moved.held(lie_about_coins(moved, change))
    assert rejection(lambda: ask(moved, held))[0] == "chain.wrong-amount"


def test_a_coin_that_is_younger_than_the_block(moved: Exchange) -> None:
    """At an earlier block of the same chain the coins had not been paid yet."""
    early = moved.height - 2
    held = moved.held(block=moved.chain.hash_at(early), height=early)
    with pytest.raises(Rejected) as rejected:
        held.ask(node_of(moved, moved.chain.snapshot(early)))
    assert rejected.value.code == "chain.wrong-amount"
    assert rejection(lambda: ask(moved, held))[0] == "chain.wrong-amount"


def test_a_block_that_a_reorganisation_left_behind(tmp_path: Path) -> None:
    made = Exchange(tmp_path)
    held = made.held()
    parent = made.chain.hash_at(made.height - 1)
    rival = made.chain.mine(on=parent, expect_tip=False)
    assert made.chain.tip == made.block  # the first seen stays
    assert ask(made, held) == {Level.CHAIN: UNITS}
    made.chain.mine(on=rival)
    assert made.chain.hash_at(made.height) == rival
    assert rejection(lambda: ask(made, held)) == ("chain.wrong-block", "bitcoin")
    other = node_of(made, made.chain.snapshot(made.height))
    assert "of block" in inconclusive(lambda: held.ask(other))


def test_the_chain_moves_while_it_is_asked(tmp_path: Path) -> None:
    made = Exchange(tmp_path)
    held = made.held()
    core = Core(made.chain)
    # A block arrives between two questions of a batch: that batch is asked again.
    core.before["gettxout"] = made.chain.mine
    assert ask(made, held, core) == {Level.CHAIN: UNITS}
    assert core.calls.count("gettxout") == 8
    # The scan meets a later tip than the coins did.
    core.before["scantxoutset"] = made.chain.mine
    assert ask(made, held, core) == {Level.CHAIN: UNITS}

    # The block itself is left behind after it was found in place.
    def reorganise() -> None:
        tip = made.chain.hash_at(made.height - 1)
        for _ in range(made.chain.height - made.height + 2):
            tip = made.chain.mine(on=tip, expect_tip=False)
        assert made.chain.tip == tip

    core.before["scantxoutset"] = reorganise
    assert rejection(lambda: ask(made, held, core)) == ("chain.wrong-block", "bitcoin")


def test_a_chain_that_never_rests(exchange: Exchange) -> None:
    """Whatever is asked, the best block has changed when it is asked again."""
    count = 0

    def change(method: str, result: Any) -> Any:
        nonlocal count
        if method != "getbestblockhash":
            return result
        count += 1
        return exchange.chain.hash_at(exchange.height - count % 2).hex()

    held = exchange.held()
    with serve(Core(exchange.chain), change=change) as url:
        node = BitcoinNode(url, network="regtest")
        assert "moves while it is asked" in inconclusive(lambda: held.ask(node))


def test_nodes_that_cannot_tell(exchange: Exchange, moved: Exchange) -> None:
    held = moved.held()
    with serve(Core(moved.chain)) as url:
        message = inconclusive(lambda: held.ask(BitcoinNode(url)))
        assert message == "the node is on the network regtest, not main"
    message = inconclusive(lambda: ask(exchange, exchange.held(height=999)))
    assert "has not got as far as block 999" in message


def test_a_manifest_with_another_height(moved: Exchange) -> None:
    """The hash is the block's, and the height that is signed is not."""
    node = node_of(moved, moved.chain.snapshot(moved.height))
    lower = moved.held(height=moved.height - 1)
    assert rejection(lambda: lower.ask(node)) == ("chain.wrong-block", "bitcoin")
    assert rejection(lambda: ask(moved, lower)) == ("chain.wrong-block", "bitcoin")


def test_a_snapshot_whose_youngest_coin_is_older_than_the_block(exchange: Exchange) -> None:
    """A block without any coin can be; so it is a remark, and no rejection."""
    held = exchange.held()
    whole = node_of(exchange, exchange.chain.snapshot(exchange.height))
    (found,) = whole.confirm(held.checked, held.evidence)
    assert found.remarks == ()
    older = [coin for coin in exchange.chain.unspent() if coin.height < exchange.height]
    node = node_of(exchange, snapshot(exchange.block, older, REGTEST))
    (found,) = node.confirm(held.checked, held.evidence)
    assert found.level is Level.CHAIN
    assert [f"of height {exchange.height - 1}, and" in remark for remark in found.remarks] == [True]
    claimed = exchange.held(height=10**9)
    (found,) = node_of(exchange, exchange.chain.snapshot(exchange.height)).confirm(
        claimed.checked, claimed.evidence
    )
    assert len(found.remarks) == 1


def test_a_node_tells_the_time_that_is_in_the_header(exchange: Exchange) -> None:
    held = exchange.held()
    header = exchange.chain.headers[exchange.block]
    with serve(Core(exchange.chain)) as url:
        (found,) = BitcoinNode(url, network="regtest").confirm(held.checked, held.evidence)
    assert found.block_times == {"bitcoin": int.from_bytes(header[68:72], "little")}


def test_a_snapshot_without_some_coin(exchange: Exchange) -> None:
    """Each coin of the exchange matters to it."""
    everything = exchange.chain.unspent()
    held = exchange.held()
    scripts = {owner.output for owner, _, _ in HELD}
    for coin in everything:
        if coin.script in scripts:
            rest = [other for other in everything if other != coin]
            node = node_of(exchange, snapshot(exchange.block, rest, REGTEST))
            assert rejection(lambda node=node: held.ask(node))[0] == "chain.wrong-amount"  # type: ignore[misc]
    rest = [coin for coin in everything if coin.script in scripts]
    node = node_of(exchange, snapshot(exchange.block, rest, REGTEST))
    assert held.ask(node) == {Level.CHAIN: UNITS}
