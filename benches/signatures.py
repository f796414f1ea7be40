"""What it costs to check the signature of one key: figures of evidence with many rows.

Each of many rows has a key of its own, and is read as an audit reads it: address and signature,
over one message of usual length.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256

from prover.assets.signing import (
    Signed,
    sign_bip322_simple_p2wpkh,
    sign_eip191,
    sign_tip191,
)
from verifier.format.keys import public_key_text
from verifier.ownership import check_ownership, ownership_message, parse_address

KINDS: dict[str, tuple[str, str, Callable[[bytes, str], Signed]]] = {
    "evm": ("ethereum", "eip191", sign_eip191),
    "tron": ("tron", "tip191", sign_tip191),
    "p2wpkh": ("bitcoin", "bip322", sign_bip322_simple_p2wpkh),
}


def microseconds(kind: str, rows: int) -> float:
    """The mean time of a row, on one core."""
    chain, form, sign = KINDS[kind]
    key = public_key_text(sha256(b"key").digest())
    message = ownership_message(key, "Example Exchange", "2026-11-21", chain, bytes(32))
    signed = [sign(sha256(b"row %d" % row).digest(), message) for row in range(rows)]
    start = time.perf_counter()
    for address, signature in signed:
        check_ownership(parse_address(chain, address), message, form, signature)
    return 1e6 * (time.perf_counter() - start) / rows
