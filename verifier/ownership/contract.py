"""Signatures of contract wallets: only the contract can tell whether it takes one (EIP-1271).

What can be checked without a node is the form. The question for the contract is whether it takes
the signature of the hash that a wallet's user signs (EIP-191) for the ownership message.
"""

from __future__ import annotations

import re

from verifier.format.chains import CHAINS, Family
from verifier.ownership.addresses import Address
from verifier.ownership.errors import OwnershipError, bad_signature

CONTRACT_FORMAT = "eip1271"

# isValidSignature(bytes32,bytes): what is called, and what a contract that agrees returns.
MAGIC_VALUE = bytes.fromhex("1626ba7e")

_TEXT = re.compile(r"0x(?:[0-9a-f]{2}){0,8191}")


def contract_signature(address: Address, text: str) -> bytes:
    """Return the bytes of a contract's signature: ``0x`` and lower-case hex digits.

    Raises:
        OwnershipError: ``evidence.unsupported-signature`` where the chain is no EVM chain,
            or ``evidence.bad-signature``.
    """
    if CHAINS[address.chain].family is not Family.EVM:
        raise OwnershipError(
            "evidence.unsupported-signature",
            f"{CONTRACT_FORMAT} is a format of EVM chains",
        )
    if not _TEXT.fullmatch(text):
        raise bad_signature("a contract's signature is 0x and pairs of lower-case hex digits")
    return bytes.fromhex(text[2:])


def validity_call(digest: bytes, signature: bytes) -> bytes:
    """Return the call data of ``isValidSignature`` for a 32-byte digest."""
    words = [digest, (64).to_bytes(32), len(signature).to_bytes(32)]
    return MAGIC_VALUE + b"".join(words) + signature + bytes(-len(signature) % 32)
