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
    sign_bip137_p2pkh,
    sign_bip322_simple_p2wpkh,
    sign_eip191,
    sign_tip191,
)
from verifier.format.keys import public_key_text
from verifier.ownership import check_ownership, ownership_message, parse_address

# By format: the chain, who signs, and a share of the rows asked for, since BIP-322 runs a script.
FORMATS: dict[str, tuple[str, Callable[[bytes, str], Signed], int]] = {
    "eip191": ("ethereum", sign_eip191, 1),
    "tip191": ("tron", sign_tip191, 1),
    "bip137": ("bitcoin", sign_bip137_p2pkh, 1),
    "bip322": ("bitcoin", sign_bip322_simple_p2wpkh, 100),
}


def microseconds(form: str, rows: int) -> float:
    """The mean time of an address and its signature, on one core."""
    chain, sign, share = FORMATS[form]
    rows //= share
    key = public_key_text(sha256(b"key").digest())
    message = ownership_message(key, "Example Exchange", "2026-11-21", chain, bytes(32))
    signed = [sign(sha256(b"row %d" % row).digest(), message) for row in range(rows)]
    start = time.perf_counter()
    for address, signature in signed:
        check_ownership(parse_address(chain, address), message, form, signature)
    return 1e6 * (time.perf_counter() - start) / rows
