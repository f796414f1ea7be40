"""Wallet signatures: does the holder of this address say that it belongs to this exchange?

Two steps, both raising when they refuse and returning when they accept: `parse_address` takes the
canonical text of an address of a standard template, `check_ownership` a signature over the text of
`ownership_message`. Only scripts with one owner, or a majority of keys, are templates: a script
that anyone can spend is valid, and proves no owner. What differs from chain to chain is its
family's (`verifier.ownership.families`).
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.format.chains import CHAINS, Family
from verifier.format.params import CHAIN_NAME
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipCode, OwnershipError, bad_signature
from verifier.ownership.families import check_contract, parse_address, rules_of
from verifier.ownership.message import ownership_message

__all__ = [
    "ELSEWHERE",
    "Address",
    "Ownership",
    "OwnershipCode",
    "OwnershipError",
    "Template",
    "bad_signature",
    "check_contract",
    "check_ownership",
    "ownership_message",
    "parse_address",
    "rules_of",
    "signed_chain",
]

# The largest honest proof, 16 of 16 keys in P2WSH, is 2.3 kB of base64.
MAX_SIGNATURE_CHARACTERS = 16 * 1024

# EIP-191 over the message of another EVM chain, whose name follows.
ELSEWHERE = "eip191@"


@dataclass(frozen=True)
class Ownership:
    """What a signature proved: ``template`` is the full template, such as ``p2wsh 2-of-3``."""

    template: str


def signed_chain(chain: str, format: str) -> tuple[str, str]:
    """Return the chain whose message a signature of ``format`` signs, and the format itself.

    An account of Ethereum's kind is the same key's on every EVM chain, so one signature serves all:
    ``eip191@NAME`` signs the message of that chain. A contract wallet of one address may be
    another's elsewhere, so its signatures serve their own chain alone. NAME may be a chain that is
    not known.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``: the two are not chains of that kind, or
            are one chain.
    """
    if not format.startswith(ELSEWHERE):
        return chain, format
    other = format.removeprefix(ELSEWHERE)
    families = {CHAINS[name].family for name in (chain, other) if name in CHAINS}
    is_name = CHAIN_NAME.fullmatch(other) is not None
    if not is_name or families != {Family.EVM} or chain not in CHAINS or other == chain:
        raise OwnershipError(
            "evidence.unsupported-signature", "eip191@ names no other EVM chain, or stands on none"
        )
    return other, "eip191"


def check_ownership(address: Address, message: str, format: str, signature: str) -> Ownership:
    """Check that the keys behind ``address`` signed ``message``; return what template they prove.

    ``format`` is one of the FORMATS of the chain's family; ``signature`` is untrusted text, at most
    16 KiB.

    Raises:
        OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` or
            ``evidence.bad-signature``.
        UnicodeEncodeError: ``message``, which is the caller's own, is not encodable as UTF-8.
    """
    rules = rules_of(CHAINS[address.chain])
    if format not in rules.FORMATS:
        raise OwnershipError(
            "evidence.unsupported-signature", f"no signature format of {address.chain}"
        )
    if address.template not in rules.FORMATS[format]:
        raise OwnershipError(
            "evidence.unsupported-signature", f"{format} does not serve {address.template}"
        )
    if len(signature) > MAX_SIGNATURE_CHARACTERS:
        raise bad_signature("the signature is too long")
    return Ownership(rules.check(address, message, format, signature))
