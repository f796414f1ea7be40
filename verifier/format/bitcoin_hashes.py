"""Bitcoin's two hashes."""

from __future__ import annotations

from hashlib import sha256


def double_sha256(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of ``data``, 32 bytes: of blocks, transactions and messages."""
    return sha256(sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256 of ``data``, 20 bytes: of keys and scripts."""
    from Crypto.Hash import RIPEMD160

    return RIPEMD160.new(sha256(data).digest()).digest()
