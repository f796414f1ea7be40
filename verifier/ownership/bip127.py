"""BIP-127 proof-of-reserves transactions: coins spent by a transaction that no block can hold.

The first input spends an output that does not exist: its previous transaction id, as serialised,
is SHA-256 of ``Proof-of-Reserves: `` and the message. All other inputs are the coins, signed as
for any spend; so one transaction names the owners of all of them, of this message, and moves
nothing.

The text is base64 of the transaction. Lock time and sequences are free, as in BIP-322, for no
accepted script reads them; so are the one output's script and the place of the coins.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from verifier.ownership.addresses import Address
from verifier.ownership.errors import OwnershipError, bad_signature
from verifier.ownership.spends import Spending
from verifier.ownership.templates import Spend, match_template
from verifier.ownership.transaction import Output, Transaction, parse_transaction

# The text of 98,304 bytes: some 660 inputs of P2WPKH, or 330 of P2WSH 2-of-3.
MAX_TRANSACTION_CHARACTERS = 1 << 17
MAX_MONEY = 2_100_000_000_000_000

# What the commitment input is taken to spend (BIP-127): no value, under OP_TRUE.
_COMMITMENT = Output(0, b"\x51")
_VERSIONS = (b"\x01\x00\x00\x00", b"\x02\x00\x00\x00")
_PREFIX = "Proof-of-Reserves: "


@dataclass(frozen=True)
class SpentCoin:
    """An unspent output of ``address``; ``txid`` as displayed, ``amount`` in satoshi."""

    address: Address
    txid: bytes
    index: int
    amount: int


def commitment(message: str) -> bytes:
    """Return the serialised previous transaction id of the first input, 32 bytes."""
    return sha256((_PREFIX + message).encode()).digest()


def check_bip127(coins: Sequence[SpentCoin], message: str, text: str) -> dict[str, str]:
    """Check a transaction that proves who owns ``coins``, one or more.

    1. Text: canonical base64, a canonical transaction of version 1 or 2.
    2. The first input is the commitment to the message, with nothing in it. The others are the
       coins, each once, and no more. The one output has the sum of the coins.
    3. Every input has exactly the shape that its address demands.
    4. Signatures: by the keys of the scripts, over this transaction.

    Returns:
        The template of each address, such as ``p2wsh 2-of-3``, by its text.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` (of
            any input, before all else in 3 and 4) or ``evidence.bad-signature``.
    """
    # 1
    transaction = _decode(text)
    # 2
    spent = _check_inputs(transaction, coins, message)
    total = sum(coin.amount for coin in coins)
    if len(transaction.outputs) != 1 or not transaction.outputs[0].amount == total <= MAX_MONEY:
        raise bad_signature("not one output of the sum of the coins")
    # 3
    spends = _match_templates(transaction, spent)
    # 4
    outputs = [_COMMITMENT, *(Output(coin.amount, coin.address.owner) for coin in spent)]
    spending = Spending(transaction, outputs)
    if not all(spending.is_signed(at, spend) for at, spend in enumerate(spends, start=1)):
        raise bad_signature("a signature of the transaction does not verify")
    return {coin.address.text: spend.template for coin, spend in zip(spent, spends, strict=True)}


def _decode(text: str) -> Transaction:
    if len(text) > MAX_TRANSACTION_CHARACTERS:
        raise bad_signature("the transaction is too long")
    try:
        raw = b64decode(text, validate=True)
        transaction = parse_transaction(raw)
    except ValueError:
        raise bad_signature("not a transaction in base64") from None
    if b64encode(raw).decode() != text:
        raise bad_signature("the base64 is not canonical")
    if transaction.version not in _VERSIONS:
        raise OwnershipError("evidence.unsupported-signature", "an unknown transaction version")
    return transaction


def _check_inputs(
    transaction: Transaction, coins: Sequence[SpentCoin], message: str
) -> list[SpentCoin]:
    """Return the coins that the inputs after the first spend, in their order."""
    if not transaction.inputs:
        raise bad_signature("a transaction without inputs")
    first, *others = transaction.inputs
    if first.outpoint != commitment(message) + bytes(4):
        raise bad_signature("the first input does not commit to the message", is_of_another=True)
    if first.script_sig or first.witness:
        raise bad_signature("the commitment input is not empty")
    by_outpoint = {(coin.txid, coin.index): coin for coin in coins}
    outpoints = [entry.coin for entry in others]
    # A coin that is listed twice is two coins, and nothing can spend it twice.
    if not coins or len(by_outpoint) != len(coins) or sorted(outpoints) != sorted(by_outpoint):
        raise bad_signature("the inputs are not exactly the coins listed")
    return [by_outpoint[outpoint] for outpoint in outpoints]


def _match_templates(transaction: Transaction, spent: Sequence[SpentCoin]) -> list[Spend]:
    """Return what the inputs after the first are to be signed with."""
    spends: list[Spend] = []
    faults: list[OwnershipError] = []
    for coin, entry in zip(spent, transaction.inputs[1:], strict=True):
        try:
            spends.append(match_template(coin.address, entry.script_sig, entry.witness))
        except OwnershipError as fault:
            faults.append(fault)
    if faults:
        raise min(faults, key=lambda fault: fault.code != "evidence.unsupported-template")
    return spends
