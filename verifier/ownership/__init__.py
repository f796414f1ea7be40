"""Wallet signatures: does the holder of this address say that it belongs to this exchange?

Two steps, both raising when they refuse and returning when they accept: `parse_address` takes the
canonical text of an address of a standard template, `check_ownership` a signature over the text of
`ownership_message`. The template is checked here before a library is asked, since a script engine
rightly calls an anyone-can-spend script valid, and that proves no owner.

The libraries take as long to load as a customer's whole check, which needs none of them: they are
imported in the functions that do.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.ownership.addresses import Address, Template, parse_address
from verifier.ownership.errors import OwnershipCode, OwnershipError, bad_signature
from verifier.ownership.message import ownership_message

__all__ = [
    "Address",
    "Ownership",
    "OwnershipCode",
    "OwnershipError",
    "Template",
    "bad_signature",
    "check_ownership",
    "ownership_message",
    "parse_address",
]

# The largest honest proof, 16 of 16 keys in P2WSH, is 2.3 kB of base64.
MAX_SIGNATURE_CHARACTERS = 16 * 1024

_BITCOIN = frozenset(Template) - {Template.EOA}
_TEMPLATES = {
    "bip322": _BITCOIN,
    "bip137": frozenset({Template.P2PKH, Template.P2WPKH, Template.P2SH}),
    "eip191": frozenset({Template.EOA}),
}


@dataclass(frozen=True)
class Ownership:
    """What a signature proved: ``template`` is the full template, such as ``p2wsh 2-of-3``."""

    template: str


def check_ownership(address: Address, message: str, format: str, signature: str) -> Ownership:
    """Check that the keys behind ``address`` signed ``message``; return what template they prove.

    ``format`` is ``bip322`` (simple or full; see `verifier.ownership.bip322`), ``bip137`` or
    ``eip191``; ``signature`` is untrusted text, at most 16 KiB.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` or
            ``evidence.bad-signature``.
        UnicodeEncodeError: ``message``, which is the caller's own, is not encodable as UTF-8.
    """
    if format not in _TEMPLATES:
        raise OwnershipError("evidence.unsupported-signature", "unknown signature format")
    if address.template not in _TEMPLATES[format]:
        raise OwnershipError(
            "evidence.unsupported-signature", f"{format} does not serve {address.template}"
        )
    if len(signature) > MAX_SIGNATURE_CHARACTERS:
        raise bad_signature("the signature is too long")
    from verifier.ownership.bip322 import check_bip322
    from verifier.ownership.recovery import check_bip137, check_eip191

    checks = {"bip322": check_bip322, "bip137": check_bip137, "eip191": check_eip191}
    return Ownership(checks[format](address, message, signature))
