"""Points and scalars of secp256k1 in bulk.

A point is 33 bytes, compressed, never infinity on input; infinity comes out as 33 zero bytes. A
scalar is 32 bytes, big-endian, below the group order. Arrays are concatenations. Time depends on
the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from native._core import ffi, lib
from native.buffers import byte_length, items, scratch, tables, whole
from native.errors import NativeError

if TYPE_CHECKING:
    from typing_extensions import Buffer

POINT = 33
SCALAR = 32


def _count(data: Buffer, size: int, name: str) -> int:
    length = byte_length(data)
    if length % size:
        raise ValueError(f"{name}: {length} bytes are no multiple of {size}")
    return length // size


def _check(status: int, bad: Any) -> None:
    if status == lib.ASSAY_BAD_POINT:
        raise NativeError("bad-point", int(bad[0]))
    if status == lib.ASSAY_BAD_SCALAR:
        raise NativeError("bad-scalar", int(bad[0]))
    if status != lib.ASSAY_OK:
        raise ValueError("a count is out of range")


def generator(name: Buffer, index: int) -> bytes:
    """Return the generator of a name and an index below 2^32 (spec/transcript.md, section 2)."""
    point = ffi.new("uint8_t[]", POINT)
    lib.assay_generator_var(point, *whole(name, "name"), index)
    return bytes(ffi.buffer(point))


def point_is_valid(point: Buffer) -> bool:
    """Return whether 33 bytes are the encoding of a finite point; another length is none."""
    if byte_length(point) != POINT:
        return False
    bad = ffi.new("size_t *")
    work = scratch(lib.assay_points_scratch_size(1))
    return bool(
        lib.assay_points_check_var(bad, items(point, POINT, "point"), 1, work) == lib.ASSAY_OK
    )


def msm(scalars: Buffer, points: Buffer) -> bytes:
    """Return Σ scalar·point over n ≥ 0 scalars and as many points.

    Raises NativeError ``bad-scalar`` or ``bad-point``, scalars first.
    """
    n = _count(points, POINT, "points")
    total, bad = ffi.new("uint8_t[]", POINT), ffi.new("size_t *")
    work = scratch(lib.assay_msm_scratch_size(n))
    status = lib.assay_msm_var(
        total,
        bad,
        items(scalars, SCALAR * n, "scalars"),
        items(points, POINT * n, "points"),
        n,
        work,
    )
    _check(status, bad)
    return bytes(ffi.buffer(total))


def commit(values: Buffer, blindings: Buffer, width: int = 64) -> bytes:
    """Return the n commitments v·V + r·B, 33 bytes each.

    ``blindings`` are n scalars; ``values`` are n native-endian 64-bit integers, or with ``width``
    128, n integers of 16 bytes, big-endian. Raises NativeError ``bad-scalar`` for a blinding
    that is not below the order.
    """
    n = _count(blindings, SCALAR, "blindings")
    if width == 64:
        integers = items(values, n, "values", "uint64_t")
    elif width == 128:
        raw = memoryview(values).tobytes()
        swapped = b"".join(raw[at : at + 16][::-1] for at in range(0, len(raw), 16))
        integers = items(swapped, 2 * n, "values", "uint64_t")
    else:
        raise ValueError("width is 64 or 128")
    points, bad = ffi.new("uint8_t[]", POINT * n), ffi.new("size_t *")
    work = scratch(lib.assay_commit_scratch_size(n))
    status = lib.assay_commit_var(
        points,
        bad,
        integers,
        width // 64,
        items(blindings, SCALAR * n, "blindings"),
        n,
        tables(),
        work,
    )
    _check(status, bad)
    return bytes(ffi.buffer(points))
