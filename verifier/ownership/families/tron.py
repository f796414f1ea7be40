"""Tron: accounts and TRC-20 contracts in base58check, TIP-191.

An account is the hash of its key, as Ethereum's is, until the chain says otherwise: its owner can
give the power over it to other keys (account permissions), and then its own key signs for nothing.
"""

from __future__ import annotations

from verifier.format import base58
from verifier.format.chains import Network
from verifier.format.keccak import keccak256
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError, bad_signature
from verifier.ownership.families.evm import account_of, recovered

FORMATS = {"tip191": frozenset({Template.ACCOUNT})}
ROTATES = True

_VERSION = b"\x41"
_CHARACTERS = 34  # as many as 25 bytes that begin with the version take
_ACCOUNT_BYTES = 20


def parse(network: Network, text: str) -> Address:
    """Parse base58check of the version byte 0x41 and the 20 bytes of an account.

    It is one text: leading zeros alone would leave a choice, and the version is none.

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    return Address(network.name, text, Template.ACCOUNT, _account(text))


def check_contract(network: Network, text: str) -> None:
    """Check that a contract is an address, in the same text.

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    _account(text)


def check(address: Address, message: str, format: str, signature: str) -> str:
    """Check a TIP-191 signature, as TronWeb's ``signMessageV2`` makes it; return the template.

    The older form, over the message's hash, is another format, and refused.

    Raises:
        OwnershipError: ``evidence.bad-signature``.
    """
    if account_of(recovered(tip191_digest(message), signature)) != address.owner:
        raise bad_signature("the signature is by another key or message", is_of_another=True)
    return "account"


def tron_text(account: bytes) -> str:
    """Return the text of a 20-byte account."""
    return base58.encode_check(_VERSION + account)


def tip191_digest(message: str) -> bytes:
    """Return the 32 bytes that a Tron signed message signs (TIP-191)."""
    text = message.encode()
    return keccak256(b"\x19TRON Signed Message:\n" + str(len(text)).encode() + text)


def _account(text: str) -> bytes:
    if len(text) != _CHARACTERS:
        raise OwnershipError("evidence.bad-address", "a Tron address has 34 characters")
    try:
        raw = base58.decode_check(text)
    except ValueError:
        raise OwnershipError("evidence.bad-address", "not base58, or mistyped") from None
    if raw[:1] != _VERSION or len(raw) != 1 + _ACCOUNT_BYTES:
        raise OwnershipError(
            "evidence.bad-address", "not of Tron's main network: no 0x41, 20 bytes"
        )
    return raw[1:]
