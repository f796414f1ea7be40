"""A bundle of an exchange whose bitcoin is on a regtest chain, and that chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from prover.assets.signing import sign_bip322_simple_p2tr, sign_bip322_simple_p2wpkh
from tests.support.bases import base, forged
from tests.support.bitcoin_regtest import MINER, SUBSIDY, Regtest, pay
from tests.support.bitcoin_snapshot import Unspent
from tests.support.bitcoin_spend import Wallet, reserves, text_of, wallet
from tests.support.forged_sample import BTC, sample
from tests.support.forger import Fields, Lies
from tests.support.subjects import write_files
from verifier import Level
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.holdings import CheckedEvidence, report_asset
from verifier.checks.manifest import CheckedManifest
from verifier.format import wire
from verifier.format.statement import evidence_digest
from verifier.nodes.nodes import Node
from verifier.ownership import parse_address
from verifier.ownership.bip127 import SpentCoin

# What each wallet gets, in one transaction, and whether its coins are listed: 2 BTC, which is
# what the sample's exchange holds.
HELD: tuple[tuple[Wallet, tuple[int, ...], bool], ...] = (
    (wallet("p2wpkh"), (30_000_000, 20_000_000), True),
    (wallet("p2wsh"), (40_000_000,), True),
    (wallet("p2sh", seed=2), (10_000_001,), True),
    (wallet("p2tr", seed=3), (59_999_999, 39_000_000), False),
    (wallet("p2wpkh", seed=4), (1_000_000,), False),
)
SIGNERS = {"p2wpkh": sign_bip322_simple_p2wpkh, "p2tr": sign_bip322_simple_p2tr}
Edit = Callable[[Fields], None]
Chains = list[tuple[str, int, bytes]]


@dataclass(frozen=True)
class Held:
    """The evidence of the one asset BTC, checked as far as it can be without a node."""

    checked: CheckedManifest
    evidence: list[CheckedEvidence]

    def ask(self, node: Node) -> dict[Level, int]:
        """Let a node confirm it; return the ledger units by level."""
        (found,) = node.confirm(self.checked, self.evidence)
        return dict(report_asset("BTC", 8, found).disclosed)


class Exchange:
    """The chain, with the exchange's coins in the block before the last; that one is the bundle's.

    A later block may then be mined on top.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain = Regtest(folder / "chain")
        self.chain.mine_many(101)
        (self.first,) = (coin for coin in self.chain.unspent() if coin.height == 1)
        outputs = [(amount, owner.output) for owner, amounts, _ in HELD for amount in amounts]
        change = SUBSIDY - sum(amount for amount, _ in outputs)
        self.chain.mine([pay([(MINER, self.first)], [*outputs, (change, MINER.output)])])
        self.block = self.chain.mine()
        self.height = self.chain.height

    def coins_of(self, owner: Wallet) -> list[Unspent]:
        """Return what a wallet has at the bundle's block."""
        return [coin for coin in self.chain.unspent(self.height) if coin.script == owner.output]

    def spend(self, owner: Wallet, number: int = 0) -> bytes:
        """Mine a block in which a wallet's coin goes to the miner; return its hash."""
        coin = self.coins_of(owner)[number]
        return self.chain.mine([pay([(owner, coin)], [(coin.amount, MINER.output)])])

    def held(
        self,
        edit: Edit = lambda _: None,
        *,
        block: bytes | None = None,
        height: int | None = None,
    ) -> Held:
        """Return the evidence of BTC as it is when it has passed all checks without a node.

        ``edit`` changes it before; ``block`` and ``height`` are put into the manifest in place of
        the true ones.
        """
        chains = self.chains(block, height)
        forger = sample([BTC], chains=chains).forger
        data = wire.encode(self._filled(chains, edit))
        manifest = wire.read_record(wire.Manifest, forger.bundle()["manifest.msgpack"])
        asset = replace(manifest.assets[0], evidence=evidence_digest(data))
        manifest = replace(manifest, assets=(asset,))
        checked = CheckedManifest(manifest, bytes(32), bytes(32), set_aside=())
        return Held(checked, [check_evidence(checked, asset, data, Seen())])

    def bundle(self, name: str, edit: Edit = lambda _: None) -> tuple[Path, bytes]:
        """Write a whole bundle of the same; return its folder and key."""
        chains = self.chains()

        def lie(code: str, fields: Fields) -> None:
            if code == "BTC":
                fields.update(self._filled(chains, edit))

        files = forged(Lies(evidence=lie), chains=chains)
        return write_files(self.folder / name, files), base("honest").forger.public_key

    def chains(self, block: bytes | None = None, height: int | None = None) -> Chains:
        """Return the blocks of the manifest."""
        bitcoin = "bitcoin", height or self.height, block or self.block
        return [bitcoin, ("ethereum", 24_000_000, bytes(31) + b"\x02")]

    def listed(self) -> list[tuple[Wallet, SpentCoin]]:
        """Return the coins that the evidence lists, and whose they are."""
        return [
            (owner, SpentCoin(parse_address("bitcoin", owner.address), c.txid, c.index, c.amount))
            for owner, _, is_listed in HELD
            for c in (self.coins_of(owner) if is_listed else ())
        ]

    def _filled(self, chains: Chains, edit: Edit) -> Fields:
        """Return the evidence: what the wallets hold, signed by them, and then changed."""
        message = message_of(chains)
        listed = self.listed()
        by_transaction = sorted({owner.address for owner, _ in listed})
        texts = dict.fromkeys(by_transaction, f"@{by_transaction[0]}")
        texts[by_transaction[0]] = text_of(reserves(listed, message))
        rows, signatures = [], []
        for owner, amounts, is_listed in HELD:
            address = owner.address
            amount = sum(amounts).to_bytes(32, "big")
            row = {"address": address, "amount": amount, "chain": "bitcoin", "contract": ""}
            form, text = "bip127", texts.get(address, "")
            if not is_listed:
                form, text = "bip322", SIGNERS[owner.kind](owner.keys[0], message).signature
            rows.append(row)
            signatures.append(
                {"address": address, "chain": "bitcoin", "format": form, "text": text}
            )
        fields: Fields = {
            "attestations": [],
            "code": "BTC",
            "rows": sorted(rows, key=lambda row: str(row["address"])),
            "signatures": sorted(signatures, key=lambda item: item["address"]),
            "coins": coin_fields(coin for _, coin in listed),
            "hidden": [],
            "proofs": [],
            "validators": [],
            "version": 1,
        }
        edit(fields)
        return fields


def coin_fields(coins: Iterable[SpentCoin]) -> list[Fields]:
    """Return coins as the evidence has them."""
    listed: list[Fields] = [
        {"address": c.address.text, "amount": c.amount, "index": c.index, "txid": c.txid}
        for c in coins
    ]
    return sorted(listed, key=lambda item: (item["address"], item["txid"], item["index"]))


def message_of(chains: Chains) -> str:
    """Return what the sample's exchange has signed for bitcoin at these blocks."""
    return sample(chains=chains).forger.ownership_message("bitcoin")
