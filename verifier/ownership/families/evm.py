"""Ethereum and the chains that run its machine: accounts, tokens, EIP-191.

A contract wallet's signature (EIP-1271) is read in `verifier.ownership.contract`, for a node to
check.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from verifier.format.chains import Network
from verifier.format.keccak import keccak256
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError, bad_signature

if TYPE_CHECKING:
    from coincurve import PublicKey

FORMATS = {"eip191": frozenset({Template.ACCOUNT})}
ROTATES = False

_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"0x[0-9a-f]{130}")


def parse(network: Network, text: str) -> Address:
    """Parse the mixed-case checksum form (EIP-55).

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    return Address(network.name, text, Template.ACCOUNT, _account(text))


def check_contract(network: Network, text: str) -> None:
    """Check that a contract is an address in EIP-55 form.

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    _account(text)


def check(address: Address, message: str, format: str, signature: str) -> str:
    """Check an EIP-191 ``personal_sign`` signature; return the template's name.

    Raises:
        OwnershipError: ``evidence.bad-signature``.
    """
    if account_of(recovered(eip191_digest(message), signature)) != address.owner:
        raise bad_signature("the signature is by another key or message", is_of_another=True)
    return "account"


def account_text(account: bytes) -> str:
    """Return the checksummed text (EIP-55) of a 20-byte account."""
    digits = account.hex()
    checksum = keccak256(digits.encode()).hex()[: len(digits)]
    pairs = zip(digits, checksum, strict=True)
    return "0x" + "".join([digit.upper() if nibble > "7" else digit for digit, nibble in pairs])


@lru_cache(maxsize=64)  # one message is signed by many
def eip191_digest(message: str) -> bytes:
    """Return the 32 bytes that an Ethereum signed message signs (EIP-191, version 0x45)."""
    text = message.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)


def account_of(key: PublicKey) -> bytes:
    """Return the 20-byte account of a public key."""
    return keccak256(key.format(compressed=False)[1:])[12:]


def recovered(digest: bytes, signature: str) -> PublicKey:
    """Return the key that signed a 32-byte digest: ``0x``, r, s, and v, which is 27 or 28, in hex.

    Raises:
        OwnershipError: ``evidence.bad-signature``.
    """
    from verifier.ownership.recovery import recover_key  # which loads libraries

    if not _SIGNATURE.fullmatch(signature):
        raise bad_signature("the signature is not 0x and 130 lower-case hex digits")
    raw = bytes.fromhex(signature[2:])
    if raw[64] not in (27, 28):
        raise bad_signature("v is neither 27 nor 28")
    return recover_key(raw[:64], raw[64] - 27, digest)


def _account(text: str) -> bytes:
    if not _ACCOUNT.fullmatch(text):
        raise OwnershipError("evidence.bad-address", "not an address of 0x and 40 hex digits")
    account = bytes.fromhex(text[2:])
    if text != account_text(account):
        raise OwnershipError("evidence.bad-address", "the EIP-55 checksum is missing or wrong")
    return account
