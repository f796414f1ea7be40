"""BIP-322 signatures: one virtual transaction spends the output of another, made of the message.

The text is ``smp`` (simple) or ``ful`` (full) and base64; without a prefix it is a simple
signature, as BIP-322 version 2 allows. ``pof`` (proof of funds) is refused.

nLockTime and nSequence of a full signature are free. BIP-322 calls such a signature "valid at time
T and age S", which limits an owner only where the script reads them: no template accepted here
does, so the same keys may spend at any time. Scripts that read them are refused as templates.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

import native
from verifier.format.bitcoin_hashes import double_sha256
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError, bad_signature
from verifier.ownership.spends import Spending
from verifier.ownership.templates import match_template
from verifier.ownership.transaction import (
    Input,
    Output,
    Transaction,
    parse_transaction,
    parse_witness,
    sized,
)

_SIMPLE = "smp"
_FULL = "ful"
_PROOF_OF_FUNDS = "pof"

# A simple signature is a witness alone (BIP-322, "Simple"), and these are spent by a scriptSig.
_NOT_SIMPLE = {
    Template.P2PKH: "a simple signature does not serve P2PKH: make a full one, or bip137",
    Template.P2SH: "a simple signature does not serve P2SH: make a full one, or bip137",
}

_VERSIONS = (bytes(4), b"\x02\x00\x00\x00")
# The version, lock time and sequence of `to_spend` and of a simple signature's `to_sign`.
_ZERO = bytes(4)
_FIRST = bytes(4)  # the index of an output
_OP_RETURN = Output(0, b"\x6a")


def check_bip322(address: Address, message: str, signature: str) -> str:
    """Check a simple or full BIP-322 signature; return the template, such as ``p2wsh 2-of-3``.

    1. Kind: no proof of funds. Text: prefix, canonical base64, canonical payload.
    2. Full alone: version 0 or 2, as BIP-322 calls every other "inconclusive"; one input, spending
       this message's ``to_spend``; one output, a bare OP_RETURN of value 0.
    3. Template: scriptSig and witness have exactly the shape that the address demands.
    4. Signatures: by the keys of the script, over this transaction.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` or
            ``evidence.bad-signature``.
    """
    # 1, 2
    to_sign = _decode(address, message, signature)
    # 3
    spent = to_sign.inputs[0]
    spend = match_template(address, spent.script_sig, spent.witness)
    # 4
    if not Spending(to_sign, [Output(0, address.owner)]).is_signed(0, spend):
        raise bad_signature("the signature does not verify", is_of_another=True)
    return spend.template


def _decode(address: Address, message: str, signature: str) -> Transaction:
    """Return the ``to_sign`` that a signature describes."""
    if signature.startswith(_PROOF_OF_FUNDS):
        raise OwnershipError("evidence.unsupported-signature", "a proof of funds")
    if signature != signature.strip():
        raise bad_signature("white space around the signature")
    is_full = signature.startswith(_FULL)
    text = signature[len(_FULL) :] if is_full else signature.removeprefix(_SIMPLE)
    try:
        payload = b64decode(text, validate=True)
        parsed = parse_transaction(payload) if is_full else parse_witness(payload)
    except ValueError:
        raise bad_signature("the signature is malformed") from None
    if b64encode(payload).decode() != text:
        raise bad_signature("the base64 is not canonical")
    outpoint = _to_spend_id(address, message) + _FIRST
    if not isinstance(parsed, Transaction):
        if address.template in _NOT_SIMPLE:
            raise bad_signature(_NOT_SIMPLE[address.template])
        return Transaction(_ZERO, [Input(outpoint, b"", _ZERO, parsed)], [_OP_RETURN], _ZERO)
    _check_to_sign(parsed, outpoint)
    return parsed


def _check_to_sign(to_sign: Transaction, outpoint: bytes) -> None:
    """Check all of a full signature's transaction but what is in its input."""
    if to_sign.version not in _VERSIONS:
        raise OwnershipError("evidence.unsupported-signature", "to_sign has an unknown version")
    if len(to_sign.inputs) != 1 or len(to_sign.outputs) != 1:
        raise bad_signature("to_sign has not one input and one output")
    if to_sign.inputs[0].outpoint != outpoint:
        raise bad_signature("to_sign is for another message or address", is_of_another=True)
    if to_sign.outputs[0] != _OP_RETURN:
        raise bad_signature("the output is not a bare OP_RETURN of 0")


def _to_spend_id(address: Address, message: str) -> bytes:
    """Return the id of ``to_spend``, which commits to message and script, as it is serialised."""
    digest = native.tagged_hash(b"BIP0322-signed-message", message.encode())
    nothing = bytes(32) + b"\xff" * 4
    return double_sha256(
        _ZERO
        + b"\x01"
        + nothing
        + sized(b"\x00\x20" + digest)
        + _ZERO
        + b"\x01"
        + Output(0, address.owner).serialised()
        + _ZERO
    )
