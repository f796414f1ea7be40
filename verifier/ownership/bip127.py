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

from bip322core.core import BIP322Error, parse_transaction
from bip322core.engines import BTCLIB_REQUIRED, btclib_run
from embit.transaction import Transaction

from verifier.ownership.addresses import Address
from verifier.ownership.errors import OwnershipError, bad_signature
from verifier.ownership.templates import check_template

# A transaction that nodes relay has at most 100,000 virtual bytes, and so wallets make none larger;
# this is the text of 98,304 bytes.
MAX_TRANSACTION_CHARACTERS = 1 << 17
MAX_MONEY = 2_100_000_000_000_000

# What the commitment input is taken to spend (BIP-127): no value, under OP_TRUE.
_COMMITMENT = (0, b"\x51")
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
    """Check a transaction that proves who owns ``coins``, one or more, no outpoint twice.

    1. Text: canonical base64, a canonical transaction of version 1 or 2.
    2. The first input is the commitment to the message, with nothing in it. The others are the
       coins, each once, and no more. The one output has the sum of the coins.
    3. Every input has exactly the shape that its address demands.
    4. btclib evaluates scripts and signatures.

    Returns:
        The template of each address, such as ``p2wsh 2-of-3``, by its text.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` (of
            any input, before all else in 3 and 4) or ``evidence.bad-signature``.
    """
    # 1
    transaction, raw = _decode(text)
    # 2
    spent = _check_inputs(transaction, coins, message)
    total = sum(coin.amount for coin in coins)
    if len(transaction.vout) != 1 or not transaction.vout[0].value == total <= MAX_MONEY:
        raise bad_signature("not one output of the sum of the coins")
    # 3
    templates = _check_templates(transaction, spent)
    # 4
    outputs = [_COMMITMENT, *((coin.amount, coin.address.owner) for coin in spent)]
    if not btclib_run(outputs, raw, BTCLIB_REQUIRED).ok:
        raise bad_signature("a signature of the transaction does not verify")
    return templates


def _decode(text: str) -> tuple[Transaction, bytes]:
    if len(text) > MAX_TRANSACTION_CHARACTERS:
        raise bad_signature("the transaction is too long")
    try:
        raw = b64decode(text, validate=True)
        transaction = parse_transaction(raw)
    except (BIP322Error, ValueError):
        raise bad_signature("not a transaction in base64") from None
    if b64encode(raw).decode() != text:
        raise bad_signature("the base64 is not canonical")
    if transaction.version not in (1, 2):
        raise OwnershipError("evidence.unsupported-signature", "an unknown transaction version")
    return transaction, raw


def _check_inputs(
    transaction: Transaction, coins: Sequence[SpentCoin], message: str
) -> list[SpentCoin]:
    """Return the coins that the inputs after the first spend, in their order."""
    if not transaction.vin:
        raise bad_signature("a transaction without inputs")
    first, *others = transaction.vin
    if (first.txid[::-1], first.vout) != (commitment(message), 0):
        raise bad_signature("the first input does not commit to the message", is_of_another=True)
    if first.script_sig.data or first.witness.items:
        raise bad_signature("the commitment input is not empty")
    by_outpoint = {(coin.txid, coin.index): coin for coin in coins}
    outpoints = [(spend.txid, spend.vout) for spend in others]
    if not coins or len(outpoints) != len(coins) or set(outpoints) != by_outpoint.keys():
        raise bad_signature("the inputs are not exactly the coins listed")
    return [by_outpoint[outpoint] for outpoint in outpoints]


def _check_templates(transaction: Transaction, spent: Sequence[SpentCoin]) -> dict[str, str]:
    templates: dict[str, str] = {}
    faults: list[OwnershipError] = []
    for coin, spend in zip(spent, transaction.vin[1:], strict=True):
        try:
            template = check_template(coin.address, spend.script_sig.data, spend.witness.items)
        except OwnershipError as fault:
            faults.append(fault)
        else:
            templates[coin.address.text] = template
    if faults:
        raise min(faults, key=lambda fault: fault.code != "evidence.unsupported-template")
    return templates
