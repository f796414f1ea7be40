"""Hidden sets: what a key stands for, and a UTXO snapshot that confirms what all of them hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from coincurve import PrivateKey
from embit import ec, script

import verifier
from spec.reference.group import decode
from spec.reference.hidden_sets import expand
from tests.support.bitcoin_snapshot import MAIN, Unspent, snapshot
from tests.support.forged_sample import BTC, sample
from verifier.checks.hidden import SCRIPT_TYPES, key_owners, ledger_amounts, scripts_a_key
from verifier.checks.holdings import CheckedEvidence, HiddenHolding
from verifier.checks.manifest import CheckedManifest
from verifier.format import wire
from verifier.format.evidence_records import HiddenSet
from verifier.format.levels import Level
from verifier.nodes.bitcoin_snapshot import SnapshotNode
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.ownership.families.evm import account_of

ALL = SCRIPT_TYPES["bitcoin"]
HEIGHT = 900_000


def keys(count: int, seed: int = 0) -> list[bytes]:
    """Return public keys, ascending by x."""
    random = Random(seed)
    found = [PrivateKey(random.randbytes(32)).public_key.format() for _ in range(count)]
    return sorted(found, key=lambda key: key[1:])


def test_a_key_stands_for_the_scripts_that_wallets_make_of_it() -> None:
    for key in keys(5):
        public = ec.PublicKey.parse(key)
        long = ec.PublicKey.parse(key)
        long.compressed = False
        (owned,) = key_owners(key, ALL)
        made = [
            script.Script(bytes([33]) + key + b"\xac"),
            script.Script(bytes([65]) + long.sec() + b"\xac"),
            script.p2pkh(public),
            script.p2pkh(long),
            script.p2sh(script.p2wpkh(public)),
            script.Script(b"\x51\x20" + key[1:]),
            script.p2wpkh(public),
        ]
        assert owned == [entry.data for entry in made]
        assert len(owned) == scripts_a_key(ALL)
        assert owned == list(expand(key, decode(key), list(ALL)))


def test_a_key_stands_for_its_account() -> None:
    random = Random(2)
    private = [PrivateKey(random.randbytes(32)).public_key for _ in range(3)]
    joined = b"".join(key.format() for key in private)
    assert list(key_owners(joined, ("account",))) == [[account_of(key)] for key in private]


def test_blocks_of_keys_join() -> None:
    some = keys(40)
    many = b"".join(some) * 103  # more than a block
    assert list(key_owners(many, ("p2tr",))) == [[b"\x51\x20" + key[1:]] for key in some] * 103


def test_amounts_are_rounded_down_one_by_one() -> None:
    amounts = b"".join(value.to_bytes(16) for value in (0, 9, 10, 19, 2**127))
    assert ledger_amounts(amounts, 1) == amounts
    expected = (0, 0, 1, 1, 2**127 // 10)
    assert ledger_amounts(amounts, 10) == b"".join(value.to_bytes(16) for value in expected)


class Chain:
    """A set of three keys, and the coins that they have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.forger = sample([BTC]).forger
        self.block = bytes(31) + b"\x01"
        manifest = wire.read_record(wire.Manifest, self.forger.bundle()["manifest.msgpack"])
        self.checked = CheckedManifest(manifest, bytes(32), bytes(32), set_aside=())
        self.keys = keys(3, seed=9)
        owned = list(key_owners(b"".join(self.keys), ALL))
        self.coins = [
            Unspent(bytes([1 + at]) * 32, number, 10 * at + number + 1, output, HEIGHT - 5)
            for at, outputs in enumerate(owned)
            for number, output in enumerate(outputs)
        ]
        stranger = next(key_owners(keys(1, seed=10)[0], ("p2tr",)))[0]
        self.coins.append(Unspent(b"\xaa" * 32, 0, 10**9, stranger, HEIGHT))
        self.amounts = [
            sum(coin.amount for coin in self.coins if coin.script in outputs) for outputs in owned
        ]

    def confirm(self, amounts: list[int], coins: list[Unspent]) -> Level:
        """Return the level that a snapshot with these coins gives a set with these amounts."""
        path = self.folder / "utxo.dat"
        path.write_bytes(snapshot(self.block, coins, MAIN))
        stated = b"".join(amount.to_bytes(16) for amount in amounts)
        listed = HiddenSet(stated, b"", "bitcoin", b"", "", b"".join(self.keys), ALL)
        holding = HiddenHolding(listed, stated, sum(amounts), Level.CLAIMED)
        evidence = CheckedEvidence((), (), (holding,), 0)
        (found,) = SnapshotNode(UtxoSnapshot(path)).confirm(self.checked, [evidence])
        return found.hidden[0].level


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


def test_a_snapshot_confirms_what_keys_hold_over_all_their_scripts(chain: Chain) -> None:
    assert chain.confirm(chain.amounts, chain.coins) is Level.CHAIN


@pytest.mark.parametrize(
    "change",
    [
        lambda amounts, coins: ([amounts[0] + 1, *amounts[1:]], coins),
        lambda amounts, coins: ([*amounts[:-1], amounts[-1] - 1], coins),
        lambda amounts, coins: ([amounts[1], amounts[0], amounts[2]], coins),
        lambda amounts, coins: (amounts, coins[1:]),
        lambda amounts, coins: (amounts, [replace(coins[0], amount=2), *coins[1:]]),
        lambda amounts, coins: (
            amounts,
            [*coins, Unspent(b"\x99" * 32, 7, 1, coins[3].script, HEIGHT)],
        ),
    ],
)
def test_a_snapshot_refuses_another_amount(
    chain: Chain, change: Callable[[list[int], list[Unspent]], tuple[list[int], list[Unspent]]]
) -> None:
    with pytest.raises(verifier.Rejected) as rejected:
        chain.confirm(*change(chain.amounts, chain.coins))
    assert (rejected.value.code, rejected.value.where) == (
        "chain.wrong-amount",
        "BTC, hidden set 0",
    )
