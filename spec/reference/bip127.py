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
from spec.reference.transaction import Spent, check_spend, parse_transaction

MAX_MONEY = 2_100_000_000_000_000


def check(item: dict[str, Any], fields: dict[str, Any], message: bytes) -> None:
    """Check a signature of this format, an entry of an evidence file.

    Raises UnsupportedError, and ValueError for a bad signature.
    """
    template_of(bitcoin_script(item["address"]))
    entries = [
        entry
        for entry in fields["signatures"]
        if (entry["chain"], entry["format"]) == ("bitcoin", "bip127")
    ]
    if item["text"].startswith("@"):
        signers = {entry["address"] for entry in entries if not entry["text"].startswith("@")}
        if item["text"][1:] not in signers or item["text"][1:] >= item["address"]:
            raise ValueError("not an earlier address with a transaction")
        return
    others = {entry["address"] for entry in entries if entry["text"] == "@" + item["address"]}
    served = {item["address"]} | others
    scripts = {}
    for address in sorted(served):
        scripts[address] = bitcoin_script(address)
        template_of(scripts[address])
        if not any(coin["address"] == address for coin in fields.get("coins", [])):
            raise ValueError("an address without coins")
    coins = [coin for coin in fields.get("coins", []) if coin["address"] in served]
    _check_transaction(item["text"], coins, scripts, message)


def _check_transaction(
    text: str, coins: list[dict[str, Any]], scripts: dict[str, bytes], message: bytes
) -> None:
    transaction = parse_transaction(decode_base64(text))
    if transaction.version not in (1, 2):
        raise UnsupportedError("signature", "a transaction version other than 1 and 2")
    commitment = sha256(b"Proof-of-Reserves: " + message).digest() + bytes(4)
    if not transaction.inputs:
        raise ValueError("no inputs")
    first, *others = transaction.inputs
    if first.prevout != commitment or first.script_sig or first.witness:
        raise ValueError("the first input is not the commitment alone")
    by_prevout = {
        coin["txid"][::-1] + coin["index"].to_bytes(8, "little")[:4]: coin
        for coin in coins
        if coin["index"] < 1 << 32
    }
    prevouts = [spend.prevout for spend in others]
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
    faults: list[ValueError] = []
    for index in range(1, len(spent)):
        try:
            check_spend(transaction, index, spent)
        except ValueError as fault:
            faults.append(fault)  # unless a later input is of another template
    if faults:
        raise faults[0]
