"""Private keys that can spend coins: read, used, cleared; nowhere else in Python are there any.

They go from their file through buffers that are cleared, into constant-time code alone
(``native/src/hidden``). Nothing but `prover.hidden.make` may import this module.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import native
from prover.errors import ProverError
from verifier.format.params import MAX_HIDDEN_KEYS, POINT_BYTES

KEY_BYTES: Final = 32

_LINE = 2 * KEY_BYTES + 1


@contextmanager
def read_private_keys(path: Path, keys: bytes) -> Iterator[bytearray]:
    """Give the private key of each key of a list, zeros where it is not known; cleared after.

    Raises:
        ProverError: unreadable, readable by others, malformed, or a key is not of the list.
    """
    count = len(keys) // POINT_BYTES
    owned, known = bytearray(KEY_BYTES * count), bytearray()
    try:
        with _key_text(path) as text:
            known.extend(bytes(KEY_BYTES * (len(text) // _LINE)))
            _parse(path, text, known)
        try:
            listed = native.public_keys(known)
        except native.NativeError as error:
            raise ProverError(f"{path}: line {error.index + 1}: not a private key") from None
        places: dict[bytes, int] = {}
        for at in range(len(listed) // POINT_BYTES):
            key = listed[POINT_BYTES * at : POINT_BYTES * (at + 1)]
            if places.setdefault(key, at) != at:
                raise ProverError(f"{path}: line {at + 1}: the key of line {places[key] + 1}")
        with memoryview(owned) as target, memoryview(known) as source:
            for at in range(count):
                place = places.pop(keys[POINT_BYTES * at : POINT_BYTES * (at + 1)], None)
                if place is not None:
                    private = source[KEY_BYTES * place : KEY_BYTES * (place + 1)]
                    target[KEY_BYTES * at : KEY_BYTES * (at + 1)] = private
        if places:
            line = min(places.values()) + 1
            raise ProverError(f"{path}: line {line}: not the private key of a key of the list")
        yield owned
    finally:
        _clear(owned)
        _clear(known)


@contextmanager
def _key_text(path: Path) -> Iterator[bytearray]:
    """Give the text of a file of keys, with a line feed at its end; cleared after."""
    text = bytearray()
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ProverError(f"{path}: a key file must be its owner's alone; run chmod 600")
            if not 0 < status.st_size <= _LINE * MAX_HIDDEN_KEYS:
                raise ProverError(f"{path}: not 1 to {MAX_HIDDEN_KEYS} private keys")
            text.extend(bytes(-(-status.st_size // _LINE) * _LINE))
            with memoryview(text) as view:
                done = 0
                while got := file.readinto(view[done : status.st_size]):
                    done += got
        if done + 1 == len(text):
            text[done] = ord("\n")
            done += 1
        if done != len(text) or text[_LINE - 1 :: _LINE].strip(b"\n"):
            raise ProverError(f"{path}: not lines of 64 hex digits")
        yield text
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None
    finally:
        _clear(text)


def _parse(path: Path, text: bytearray, known: bytearray) -> None:
    try:
        native.secrets_read(known, text, _LINE)
    except native.NativeError as error:
        raise ProverError(f"{path}: line {error.index + 1}: not 64 hex digits") from None


def _clear(buffer: bytearray) -> None:
    """Write zeros over a buffer that held private keys."""
    with memoryview(buffer) as view:
        view[:] = bytes(len(buffer))
