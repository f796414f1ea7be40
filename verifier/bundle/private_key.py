"""The private key of an auditor or an attester: Ed25519, PKCS#8 in PEM, its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from verifier.errors import Misuse

_MAX_FILE_BYTES = 1 << 16


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """Read a signing key.

    Raises:
        Misuse: there is none, or others than its owner may read it.
    """
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(_MAX_FILE_BYTES)
        key = load_pem_private_key(data, None)
    except (OSError, ValueError, TypeError):
        raise Misuse(f"{file}: no Ed25519 key in PKCS#8 PEM") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misuse(f"{file}: a key file must be its owner's alone; run chmod 600")
    if not isinstance(key, Ed25519PrivateKey):
        raise Misuse(f"{file}: not an Ed25519 key")
    return key
