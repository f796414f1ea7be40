"""Addresses: the canonical mainnet text of a standard template, and nothing else.

One output script or account has exactly one accepted text, so comparing texts compares owners:
whatever the decoder took, the text must equal the re-encoding of what it decoded to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from verifier.format.keccak import keccak256
from verifier.ownership.errors import OwnershipError, unsupported_template

# BIP-173's limit for bech32; base58check and Ethereum addresses are shorter.
MAX_ADDRESS_CHARACTERS = 90

_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")


class Template(StrEnum):
    """The kinds of address whose owner can be proven."""

    P2PKH = "p2pkh"
    P2WPKH = "p2wpkh"
    P2SH = "p2sh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"
    EOA = "eoa"


@dataclass(frozen=True)
class Address:
    """A parsed address: ``script`` is the scriptPubKey on bitcoin, the 20-byte account on ethereum.

    For P2SH and P2WSH ``template`` says nothing yet about the script behind the hash.
    """

    chain: str
    text: str
    template: Template
    script: bytes


def parse_address(chain: str, address: str) -> Address:
    """Parse the canonical text of a ``bitcoin`` or ``ethereum`` mainnet address.

    Accepted are base58check, bech32 and bech32m in lower case, and Ethereum's mixed-case checksum
    (EIP-55). Sources: BIP-13, BIP-173, BIP-350, EIP-55.

    Raises:
        OwnershipError: ``evidence.unsupported-chain``, ``evidence.bad-address``, or
            ``evidence.unsupported-template`` for a witness version or program length without a
            standard template.
    """
    if chain not in ("bitcoin", "ethereum"):
        raise OwnershipError("evidence.unsupported-chain", "neither bitcoin nor ethereum")
    if len(address) > MAX_ADDRESS_CHARACTERS:
        raise OwnershipError("evidence.bad-address", "the address is too long")
    return _parse_bitcoin(address) if chain == "bitcoin" else _parse_ethereum(address)


def ethereum_text(account: bytes) -> str:
    """Return the checksummed text (EIP-55) of a 20-byte account."""
    digits = account.hex()
    checksum = keccak256(digits.encode()).hex()[: len(digits)]
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, checksum, strict=True)
    )


def _parse_bitcoin(text: str) -> Address:
    from bip322core.core import BIP322Error, decode_address
    from embit import bech32
    from embit.script import Script

    try:
        script = decode_address(text)
    except BIP322Error:
        raise OwnershipError("evidence.bad-address", "not a bitcoin address") from None
    kind = Script(script).script_type()
    if kind is None:  # a program of witness version 1 to 16, the only other thing that decodes
        canonical = bech32.encode("bc", script[0] - 0x50, script[2:])
    else:
        canonical = Script(script).address()
    if text != canonical:
        raise OwnershipError("evidence.bad-address", "not the canonical text of a mainnet address")
    if kind is None:
        raise unsupported_template("no standard template has this witness version and length")
    return Address("bitcoin", text, Template(kind), script)


def _parse_ethereum(text: str) -> Address:
    if not _ACCOUNT.fullmatch(text):
        raise OwnershipError("evidence.bad-address", "not an ethereum address")
    account = bytes.fromhex(text[2:])
    if text != ethereum_text(account):
        raise OwnershipError("evidence.bad-address", "the EIP-55 checksum is missing or wrong")
    return Address("ethereum", text, Template.EOA, account)
