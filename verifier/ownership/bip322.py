"""BIP-322 signatures: the template checked here, script and signatures by bip322-core.

The text is ``smp`` (simple) or ``ful`` (full) and base64; without a prefix it is a simple
signature, as BIP-322 version 2 allows. ``pof`` (proof of funds) is refused.

nLockTime and nSequence of a full signature are free. BIP-322 calls such a signature "valid at time
T and age S", which limits an owner only where the script reads them: no template accepted here
does, so the same keys may spend at any time. Scripts that read them are refused as templates.
"""

from __future__ import annotations

from bip322core.core import (
    PREFIX_FULL,
    PREFIX_POF,
    PREFIX_SIMPLE,
    BIP322Error,
    build_to_spend,
    decode_signature,
    is_op_return_output,
    parse_transaction,
    parse_witness,
)
from bip322core.verify import State, verify_message

from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError, bad_signature
from verifier.ownership.templates import check_template

# A simple signature is a witness alone (BIP-322, "Simple"), and these are spent by a scriptSig.
_NOT_SIMPLE = {
    Template.P2PKH: "a simple signature does not serve P2PKH: make a full one, or bip137",
    Template.P2SH: "a simple signature does not serve P2SH: make a full one, or bip137",
}


def check_bip322(address: Address, message: str, signature: str) -> str:
    """Check a simple or full BIP-322 signature; return the template, such as ``p2wsh 2-of-3``.

    1. Kind: no proof of funds. Text: prefix, canonical base64, canonical payload.
    2. Full alone: version 0 or 2, as BIP-322 calls every other "inconclusive"; one input, spending
       this message's ``to_spend``; one output, a bare OP_RETURN of value 0.
    3. Template: scriptSig and witness have exactly the shape that the address demands.
    4. bip322-core evaluates script and signatures.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` or
            ``evidence.bad-signature``.
    """
    # 1, 2
    script_sig, witness = _decode(address, message, signature)
    # 3
    template = check_template(address, script_sig, witness)
    # 4. The library's third verdict, "inconclusive", needs another version or a script that a soft
    # fork could change, and neither gets here.
    result = verify_message(
        address.text, signature, message.encode(), allow_legacy=False, max_inputs=1
    )
    if result.state is not State.VALID:
        raise bad_signature("the signature does not verify", is_of_another=True)
    return template


def _decode(address: Address, message: str, signature: str) -> tuple[bytes, list[bytes]]:
    """Return scriptSig and witness stack of the one input that the signature describes."""
    if signature.startswith(PREFIX_POF):
        raise OwnershipError("evidence.unsupported-signature", "a proof of funds")
    if signature != signature.strip():
        raise bad_signature("white space around the signature")
    try:
        decoded = decode_signature(signature)
        if decoded.variant == PREFIX_SIMPLE:
            witness = parse_witness(decoded.payload)
            if address.template in _NOT_SIMPLE:
                raise bad_signature(_NOT_SIMPLE[address.template])
            return b"", witness
        if decoded.variant != PREFIX_FULL:
            raise bad_signature("neither a simple nor a full signature")
        to_sign = parse_transaction(decoded.payload)
    except BIP322Error:
        raise bad_signature("the signature is malformed") from None
    if to_sign.version not in (0, 2):
        raise OwnershipError("evidence.unsupported-signature", "to_sign has an unknown version")
    if len(to_sign.vin) != 1 or len(to_sign.vout) != 1:
        raise bad_signature("to_sign has not one input and one output")
    spent = to_sign.vin[0]
    to_spend = build_to_spend(message.encode(), address.owner)
    if (spent.txid, spent.vout) != (to_spend.txid(), 0):
        raise bad_signature("to_sign is for another message or address", is_of_another=True)
    if not is_op_return_output(to_sign.vout[0]):
        raise bad_signature("the output is not a bare OP_RETURN of 0")
    return spent.script_sig.data, spent.witness.items
