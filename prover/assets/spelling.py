"""Cells of operators' lists as others spell them, in the one spelling that evidence has.

Chains may be named by CAIP-2 (``eip155:56``), contracts by CAIP-19
(``eip155:56/erc20:0x…``, ``eip155:56/slip44:714``), addresses by CAIP-10 (``eip155:56:0x…``).
Wallets of accounts write the same signature with and without ``0x``, in upper case, and with a
last byte of 0 or 1 where others have 27 or 28; the files take one spelling.
"""

from __future__ import annotations

import re

from verifier.format.chains import CHAINS, Family, of_caip2

# What a signature by an account's key is where a list does not say.
_ACCOUNT_FORMATS = {Family.EVM: "eip191", Family.TRON: "tip191"}
_HEX = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})+)")
_SIGNATURE_DIGITS = 130
_RECOVERY = {"00": "1b", "01": "1c"}


def chain_name(text: str) -> str:
    """Return a chain's own name for its CAIP-2 id; any other text as it is."""
    network = of_caip2(text)
    return network.name if network else text


def contract_text(chain: str, text: str) -> str:
    """Return the contract of a CAIP-19 asset, empty for the chain's coin; other texts as they are.

    Raises:
        ValueError: it is an asset of another chain, or of a kind that the chain does not have.
    """
    place, slash, asset = text.partition("/")
    if not slash or of_caip2(place) is None:
        return text
    network = CHAINS.get(chain)
    if network is None or network.caip2 != place:
        raise ValueError(f"an asset of another chain than {chain}")
    if asset == network.native:
        return ""
    kind, _, contract = asset.partition(":")
    if kind != network.tokens or not contract:
        raise ValueError(
            f"{chain} has {network.native} and tokens of {network.tokens or 'no kind'}"
        )
    return contract


def address_text(chain: str, text: str) -> str:
    """Return the address of a CAIP-10 account; any other text as it is.

    Raises:
        ValueError: it is an account of another chain.
    """
    place, _, address = text.rpartition(":")
    network = of_caip2(place)
    if network is None:
        return text
    if network.name != chain:
        raise ValueError(f"an account of another chain than {chain}")
    return address


def format_name(chain: str, format: str, signature: str) -> str:
    """Return the format of a signature: where none is named, that of the chain's accounts."""
    if format or not signature or chain not in CHAINS:
        return format
    return _ACCOUNT_FORMATS.get(CHAINS[chain].family, "")


def signature_text(chain: str, format: str, text: str) -> str:
    """Return a signature of an account or a contract as evidence has it; other texts as they are.

    A contract decides what its bytes mean, so only their spelling is changed.
    """
    account_format = _ACCOUNT_FORMATS.get(CHAINS[chain].family) if chain in CHAINS else None
    match = _HEX.fullmatch(text)
    if account_format is None or match is None:
        return text
    digits = match[1].lower()
    if format.partition("@")[0] == account_format and len(digits) == _SIGNATURE_DIGITS:
        digits = digits[:-2] + _RECOVERY.get(digits[-2:], digits[-2:])
    return "0x" + digits
