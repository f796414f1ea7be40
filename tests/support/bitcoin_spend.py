"""Wallets for the tests: outputs of every accepted template, and signed spends of any of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from prover import libraries as libraries  # isort: split

from coincurve import PrivateKey
from embit import ec, script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from tests.support.ownership_forge import KEYS, multisig, p2pkh, p2sh, p2wsh, push
from verifier.ownership import parse_address
from verifier.ownership.bip127 import SpentCoin, commitment

OP_TRUE = b"\x51"
SIGHASH_ALL = 1


@dataclass(frozen=True)
class Wallet:
    """An output script, and the keys that spend it."""

    kind: str
    output: bytes
    keys: tuple[bytes, ...]
    script_code: bytes = b""

    @property
    def address(self) -> str:
        """The main network's address."""
        text: str = script.Script(self.output).address()
        return text


def wallet(kind: str, seed: int = 0) -> Wallet:
    """Return a wallet of a kind; others of other seeds, alike but for the keys."""
    keys = tuple(sha256(b"%d" % seed + key).digest() if seed else key for key in KEYS[:3])
    public = [PrivateKey(key).public_key.format() for key in keys]
    one = p2pkh(public[0])
    program = b"\x00\x14" + one[3:23]
    two_of_three = multisig(2, public)
    return {
        "p2pkh": Wallet(kind, one, keys[:1], one),
        "p2wpkh": Wallet(kind, program, keys[:1], one),
        "p2sh-p2wpkh": Wallet(kind, p2sh(program), keys[:1], one),
        "p2tr": Wallet(kind, script.p2tr(ec.PublicKey.parse(public[0])).data, keys[:1]),
        "p2wsh": Wallet(kind, p2wsh(two_of_three), keys[:2], two_of_three),
        "p2sh": Wallet(kind, p2sh(two_of_three), keys[:2], two_of_three),
        "p2pk": Wallet(kind, push(public[0]) + b"\xac", keys[:1], push(public[0]) + b"\xac"),
    }[kind]


KINDS = ("p2pkh", "p2wpkh", "p2sh-p2wpkh", "p2tr", "p2wsh", "p2sh")
TEMPLATES = {"p2wsh": "p2wsh 2-of-3", "p2sh": "p2sh 2-of-3"}

Prevout = tuple[int, bytes]  # satoshi, output script


def sign_input(
    transaction: Transaction,
    at: int,
    owner: Wallet,
    prevouts: Sequence[Prevout],
    sighash: int | None = None,
) -> None:
    """Complete input ``at``, which spends an output of ``owner``."""
    spend = transaction.vin[at]
    code = script.Script(owner.script_code)
    if owner.kind == "p2tr":
        scripts = [script.Script(output) for _, output in prevouts]
        amounts = [amount for amount, _ in prevouts]
        digest = transaction.sighash_taproot(at, scripts, amounts, sighash=sighash or 0)
        secret = ec.PrivateKey(owner.keys[0]).taproot_tweak().secret
        suffix = bytes([sighash]) if sighash else b""
        witness = [PrivateKey(secret).sign_schnorr(digest, bytes(32)) + suffix]
        spend.witness = script.Witness(witness)
        return
    flag = SIGHASH_ALL if sighash is None else sighash
    if owner.kind in ("p2pkh", "p2sh", "p2pk"):
        digest = transaction.sighash_legacy(at, code, flag)
    else:
        digest = transaction.sighash_segwit(at, code, prevouts[at][0], flag)
    signatures = [PrivateKey(key).sign(digest, hasher=None) + bytes([flag]) for key in owner.keys]
    public = PrivateKey(owner.keys[0]).public_key.format()
    match owner.kind:
        case "p2pkh":
            spend.script_sig = script.Script(push(signatures[0]) + push(public))
        case "p2pk":
            spend.script_sig = script.Script(push(signatures[0]))
        case "p2sh":
            pushes = b"".join(map(push, [*signatures, owner.script_code]))
            spend.script_sig = script.Script(b"\x00" + pushes)
        case "p2wsh":
            spend.witness = script.Witness([b"", *signatures, owner.script_code])
        case _:
            spend.witness = script.Witness([signatures[0], public])
            if owner.kind == "p2sh-p2wpkh":
                spend.script_sig = script.Script(push(b"\x00\x14" + p2pkh(public)[3:23]))


def coin_of(owner: Wallet, number: int, amount: int) -> SpentCoin:
    """Return a made-up coin of a wallet's address."""
    txid = sha256(b"coin %d" % number).digest()
    return SpentCoin(parse_address("bitcoin", owner.address), txid, number, amount)


def reserves(
    coins: Sequence[tuple[Wallet, SpentCoin]],
    message: str,
    change: Callable[[Transaction], None] = lambda _: None,
    *,
    sighash: int | None = None,
    first: Prevout = (0, OP_TRUE),
) -> Transaction:
    """Return the BIP-127 transaction of coins, signed after ``change``.

    ``first`` is what the signatures take the first input to spend.
    """
    inputs = [TransactionInput(commitment(message)[::-1], 0, sequence=0xFFFFFFFF)]
    inputs += [TransactionInput(c.txid, c.index, sequence=0xFFFFFFFE) for _, c in coins]
    outputs = [TransactionOutput(sum(coin.amount for _, coin in coins), script.Script(b"\x6a"))]
    transaction = Transaction(version=2, vin=inputs, vout=outputs, locktime=0)
    change(transaction)
    owned = {(coin.txid, coin.index): (owner, coin.amount) for owner, coin in coins}
    spent = [owned.get((spend.txid, spend.vout)) for spend in transaction.vin]
    prevouts = [(entry[1], entry[0].output) if entry else first for entry in spent]
    for at, entry in enumerate(spent):
        if entry:
            sign_input(transaction, at, entry[0], prevouts, sighash)
    return transaction


def text_of(transaction: Transaction) -> str:
    """Return the text that a bundle has of a transaction."""
    return b64encode(transaction.serialize()).decode()
