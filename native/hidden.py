"""Hidden keys: the argument over a public list of keys (spec/transcript.md, section 6).

Private keys come and go in buffers of the caller, who clears them: nothing here copies one. The
functions that take private keys are constant-time in them. All release the interpreter lock.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib
from native.errors import CODES, NativeError, Rejected, require

if TYPE_CHECKING:
    from typing_extensions import Buffer

POINT = 33
SCALAR = 32
AMOUNT = 16
DECODED = 64
DERIVED = 1 << 14
KEYS_MAX = 1 << 20
WEIGHTS = 5

_lock = threading.Lock()
_generators: list[Points] = []


@dataclass(frozen=True)
class Points:
    """Decoded points, 64 bytes each in a form of the core's own."""

    memory: Any
    count: int


def points_decode(points: Buffer) -> Points:
    """Decode n ≥ 0 points.

    Raises NativeError ``bad-point`` at the first that is no finite point's encoding.
    """
    count, rest = divmod(buffers.byte_length(points), POINT)
    if rest:
        raise ValueError("points: no multiple of 33 bytes")
    memory = buffers.aligned(DECODED * count)
    bad = ffi.new("size_t *")
    work = buffers.scratch(lib.assay_points_decode_scratch_size(count))
    source = buffers.items(points, POINT * count, "points")
    if lib.assay_points_decode_var(memory, bad, source, count, work) != lib.ASSAY_OK:
        raise NativeError("bad-point", int(bad[0]))
    return Points(memory, count)


def points_coordinates(points: Points, first: int, count: int) -> bytes:
    """Return x and y of ``count`` points from number ``first`` on, 32 big-endian bytes each."""
    if not 0 <= first <= first + count <= points.count:
        raise ValueError("no such points")
    coordinates = bytearray(DECODED * count)
    lib.assay_points_coordinates(buffers.out(coordinates), points.memory + DECODED * first, count)
    return bytes(coordinates)


def first_generators(count: int) -> Points:
    """Return Q_0, Q_1, … for ``count`` keys or more; they are derived once and kept."""
    with _lock:
        known = _generators[0] if _generators else Points(buffers.aligned(0), 0)
        if known.count < count:
            memory = buffers.aligned(DECODED * count)
            ffi.memmove(memory, known.memory, DECODED * known.count)
            work = buffers.scratch(lib.assay_generators_scratch_size())
            for first in range(known.count, count, DERIVED):
                size = min(DERIVED, count - first)
                lib.assay_generators_var(memory + DECODED * first, first, size, work)
            _generators[:] = [Points(memory, count)]
        return _generators[0]


def secrets_read(secrets: bytearray, text: Buffer, stride: int) -> None:
    """Write the private keys whose 64 hexadecimal digits begin every ``stride`` bytes of a text.

    Raises NativeError ``bad-scalar`` at the first that has another character.
    """
    count = buffers.byte_length(secrets) // SCALAR
    if stride < 2 * SCALAR:
        raise ValueError("stride: less than a key")
    source = buffers.items(text, stride * count, "text")
    bad, made = ffi.new("size_t *"), buffers.filled(secrets, SCALAR * count, "secrets")
    if lib.assay_secrets_read(made, bad, source, stride, count) != lib.ASSAY_OK:
        raise NativeError("bad-scalar", int(bad[0]))


def public_keys(secrets: bytearray) -> bytes:
    """Return the public keys of n private ones, 33 bytes each.

    Raises NativeError ``bad-scalar`` at the first that is zero or not below the group order.
    """
    count = buffers.byte_length(secrets) // SCALAR
    points, bad = bytearray(POINT * count), ffi.new("size_t *")
    work = buffers.scratch(lib.assay_public_keys_scratch_size())
    source = buffers.items(secrets, SCALAR * count, "secrets")
    if lib.assay_public_keys(buffers.out(points), bad, source, count, work) != lib.ASSAY_OK:
        raise NativeError("bad-scalar", int(bad[0]))
    return bytes(points)


def hidden_length(keys: int) -> int:
    """Return the bytes of an argument over ``keys`` keys, 1 to 2^20."""
    if not 1 <= keys <= KEYS_MAX:
        raise ValueError(f"no argument has {keys} keys")
    return int(lib.assay_hidden_length(keys))


def hidden_total(amounts: Buffer, secrets: bytearray) -> int:
    """Return the sum of the amounts of the keys that are owned, those whose secret is not zero.

    ``amounts`` are 16 big-endian bytes each. Raises ValueError for 2^128 or more.
    """
    count = buffers.byte_length(secrets) // SCALAR
    value = bytearray(AMOUNT)
    status = lib.assay_hidden_total(
        buffers.out(value),
        buffers.items(amounts, AMOUNT * count, "amounts"),
        buffers.items(secrets, SCALAR * count, "secrets"),
        count,
    )
    if status != lib.ASSAY_OK:
        raise ValueError("the amounts add up to 2^128 or more")
    return int.from_bytes(value, "big")


def _listed(keys: Points, amounts: Buffer) -> Any:
    return buffers.record(
        "assay_hidden_keys",
        keys=keys.memory,
        amounts=buffers.items(amounts, AMOUNT * keys.count, "amounts"),
        generators=first_generators(keys.count).memory,
        k=keys.count,
    )


def hidden_prove(
    state: Buffer,
    keys: Points,
    amounts: Buffer,
    secrets: bytearray,
    blinding: Buffer,
    fresh: Buffer,
) -> bytes:
    """Return the argument that `hidden_total` is committed to and that every owned key is known.

    ``state`` is that of the transcript after item 4, the commitment having ``blinding``;
    ``amounts`` are ledger units, 16 bytes a key; ``secrets`` 32 bytes a key, zero where it is not
    owned; ``fresh`` 32 bytes of the system's random source that serve nothing else. What is
    returned was checked by the verifier's rules.

    Raises:
        Damaged: a private key belongs to another public one, or the argument does not hold.
        ValueError: a length is wrong, or a private key or ``blinding`` not below the order.
    """
    argument = bytearray(hidden_length(keys.count))
    work = buffers.aligned(lib.assay_hidden_prove_scratch_size(keys.count))
    status = lib.assay_hidden_prove(
        buffers.out(argument),
        buffers.items(state, 32, "state"),
        _listed(keys, amounts),
        buffers.items(secrets, SCALAR * keys.count, "secrets"),
        buffers.items(blinding, SCALAR, "blinding"),
        buffers.items(fresh, 32, "fresh"),
        os.urandom(32 * WEIGHTS),
        buffers.tables(),
        work,
    )
    if status == lib.ASSAY_BAD_SCALAR:
        raise ValueError("a private key or the blinding factor is not below the group order")
    require(status)
    return bytes(argument)


def hidden_verify(
    state: Buffer,
    keys: Points,
    amounts: Buffer,
    commitment: Buffer,
    argument: Buffer,
) -> None:
    """Check an argument; ``state``, ``keys`` and ``amounts`` as for `hidden_prove`.

    ``argument`` is untrusted and of any length.

    Raises:
        Rejected: ``argument.bad-length``, ``bad-point``, ``bad-scalar`` or ``rejected``.
        ValueError: the commitment is no point, or a length other than the argument's is wrong.
    """
    length = buffers.byte_length(argument)
    if length != hidden_length(keys.count):
        raise Rejected("argument.bad-length")
    status = lib.assay_hidden_verify_var(
        buffers.items(state, 32, "state"),
        _listed(keys, amounts),
        buffers.items(commitment, POINT, "commitment"),
        buffers.items(argument, length, "argument"),
        length,
        os.urandom(32 * WEIGHTS),
        buffers.bases(),
        buffers.scratch(lib.assay_hidden_verify_scratch_size(keys.count)),
    )
    if status in CODES:
        raise Rejected(CODES[status])
    require(status)
