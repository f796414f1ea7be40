"""BIP 322 signatures, simple and full, of the templates of protocol.md 3.

A signature is the witness (simple, prefix `smp`) or the whole (full, prefix `ful`) of a virtual
transaction `to_sign`, which spends the one output of a virtual transaction `to_spend`, which
commits to the message. Besides its input's scriptSig and witness `to_sign` is free in its version,
0 or 2, and in lock time and sequence, which no accepted script reads.
"""

from __future__ import annotations

import base64

from spec.reference.address import double_sha256
from spec.reference.errors import UnsupportedError
from spec.reference.script import compact_size
from spec.reference.transaction import (
    Input,
    Spent,
    Transaction,
    check_spend,
    parse_transaction,
    parse_witness,
)
from spec.reference.transcript import bip340_hash

MAX_TEXT = 16_384
_ZERO = bytes(4)  # a version, a lock time, a sequence, or an index
_OUTPUT = bytes(8) + b"\x01\x6a"  # value zero, script OP_RETURN


def decode_base64(text: str) -> bytes:
    """The bytes of canonical base64; ValueError for any other text."""
    data = base64.b64decode(text.encode(), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def to_spend_id(script: bytes, message: bytes) -> bytes:
    """The hash of `to_spend`, in the byte order of a prevout."""
    script_sig = b"\x00\x20" + bip340_hash(b"BIP0322-signed-message", message)
    spent = bytes(32) + b"\xff" * 4 + compact_size(len(script_sig)) + script_sig + _ZERO
    created = bytes(8) + compact_size(len(script)) + script
    return double_sha256(_ZERO + b"\x01" + spent + b"\x01" + created + _ZERO)


def _decode(text: str, prevout: bytes) -> Transaction:
    """The `to_sign` of a text. Without a prefix it is a simple signature."""
    if text.startswith("ful"):
        return parse_transaction(decode_base64(text[3:]))
    witness = parse_witness(decode_base64(text.removeprefix("smp")))
    return Transaction(0, [Input(prevout, b"", _ZERO, witness)], [_OUTPUT], _ZERO)


def _refuse_kinds(to_sign: Transaction) -> None:
    if to_sign.version not in (0, 2):
        raise UnsupportedError("signature", "a transaction version other than 0 and 2")


def verify(script: bytes, message: bytes, text: str) -> None:
    """Check the signature of a message for an output script.

    Raises UnsupportedError, and ValueError for a bad signature.
    """
    if len(text) > MAX_TEXT:
        raise ValueError("too long")
    if text.startswith("pof"):
        raise UnsupportedError("signature", "a proof of funds")
    prevout = to_spend_id(script, message) + _ZERO
    to_sign = _decode(text, prevout)
    _refuse_kinds(to_sign)
    if len(to_sign.inputs) != 1 or to_sign.inputs[0].prevout != prevout:
        raise ValueError("not a spend of the message's transaction")
    if to_sign.outputs != [_OUTPUT]:
        raise ValueError("not the one output")
    check_spend(to_sign, 0, [Spent(0, script)])
