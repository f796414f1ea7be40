"""The exchange's public key as a user gives it: its text, or a file that holds it."""

from __future__ import annotations

from verifier.bundle.source import read_file
from verifier.errors import Misuse
from verifier.format.keys import KEY_PREFIX, parse_public_key

_MAX_FILE_BYTES = 1024


def read_public_key(text: str) -> bytes:
    """Return the key that is given as text, or held by a file of that name.

    Raises:
        CannotCheck: the file cannot be read.
        Misuse: it holds no key.
    """
    if text.startswith(KEY_PREFIX):
        return parse_public_key(text)
    data = read_file(text, _MAX_FILE_BYTES, "key")
    try:
        return parse_public_key(data.decode("ascii"))
    except UnicodeDecodeError:
        raise Misuse("the key's file holds no public key") from None
