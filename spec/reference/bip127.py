"""BIP 127 proof-of-reserves transactions (protocol.md 3.1): one transaction spends many coins.

Its first input spends an output that does not exist, whose transaction id commits to the message.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from spec.reference.address import bitcoin_script
from spec.reference.bip322 import decode_base64
from spec.reference.errors import UnsupportedError
from spec.reference.script import template_of
from spec.reference.transaction import Spent, Transaction, check_spend, parse_transaction

MAX_MONEY = 2_100_000_000_000_000


class Plan:
    """Which addresses of an evidence file each transaction serves, and the coins of each."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.signers: set[str] = set()  # addresses with a transaction
        self.others: dict[str, set[str]] = {}  # by signer, the addresses that point at it
        self.coins: dict[str, list[dict[str, Any]]] = {}
        for entry in fields["signatures"]:
            if (entry["chain"], entry["format"]) == ("bitcoin", "bip127"):
                if entry["text"].startswith("@"):
                    self.others.setdefault(entry["text"][1:], set()).add(entry["address"])
                else:
                    self.signers.add(entry["address"])
        for coin in fields["coins"]:
            self.coins.setdefault(coin["address"], []).append(coin)


def check(item: dict[str, Any], plan: Plan, message: bytes) -> None:
    """Check a signature of this format, an entry of an evidence file.

    Raises UnsupportedError, and ValueError for a bad signature.
    """
    address = item["address"]
    template_of(bitcoin_script(address))
    if item["text"].startswith("@"):
        if item["text"][1:] not in plan.signers or item["text"][1:] >= address:
            raise ValueError("not an earlier address with a transaction")
        return
    served = sorted({address} | plan.others.get(address, set()))
    scripts, coins = {}, []
    for other in served:
        scripts[other] = bitcoin_script(other)
        template_of(scripts[other])
        if other not in plan.coins:
            raise ValueError("an address without coins")
        coins += plan.coins[other]
    _check_transaction(item["text"], coins, scripts, message)


def _check_transaction(
    text: str, coins: list[dict[str, Any]], scripts: dict[str, bytes], message: bytes
) -> None:
    transaction = parse_transaction(decode_base64(text))
    if transaction.version not in (1, 2):
        raise UnsupportedError("signature", "a transaction version other than 1 and 2")
    _check_commitment(transaction, message)
    by_prevout = _by_prevout(coins)
    prevouts = [spend.prevout for spend in transaction.inputs[1:]]
    if sorted(prevouts) != sorted(by_prevout) or len(prevouts) != len(coins):
        raise ValueError("the inputs are not the coins")
    total = sum(coin["amount"] for coin in coins)
    output = transaction.outputs[0][:8] if len(transaction.outputs) == 1 else b""
    if total > MAX_MONEY or output != total.to_bytes(8, "little"):
        raise ValueError("not one output of all")
    spent = [Spent(0, b"\x51")]  # what the commitment is taken to spend: nothing, for anyone
    for prevout in prevouts:
        coin = by_prevout[prevout]
        spent.append(Spent(coin["amount"], scripts[coin["address"]]))
    _check_spends(transaction, spent)


def _check_commitment(transaction: Transaction, message: bytes) -> None:
    """The first input spends nothing: it names the message."""
    commitment = sha256(b"Proof-of-Reserves: " + message).digest() + bytes(4)
    if not transaction.inputs:
        raise ValueError("no inputs")
    first = transaction.inputs[0]
    if first.prevout != commitment or first.script_sig or first.witness:
        raise ValueError("the first input is not the commitment alone")


def _by_prevout(coins: list[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    return {
        coin["txid"][::-1] + coin["index"].to_bytes(8, "little")[:4]: coin
        for coin in coins
        if coin["index"] < 1 << 32
    }


def _check_spends(transaction: Transaction, spent: list[Spent]) -> None:
    """Every input but the first; an unsupported template of any comes before all else."""
    faults: list[ValueError] = []
    for index in range(1, len(spent)):
        try:
            check_spend(transaction, index, spent)
        except ValueError as fault:
            faults.append(fault)  # unless a later input is of another template
    if faults:
        raise faults[0]
