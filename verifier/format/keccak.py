"""Ethereum's hash."""

from __future__ import annotations


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's hash of ``data``: Keccak with the padding from before SHA-3, 32 bytes."""
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()
