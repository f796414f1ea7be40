"""What tests ask of the inside of the core."""

from __future__ import annotations

from native._core import ffi, lib
from native.buffers import scratch


def points_sum(points: bytes) -> bytes:
    """Return the sum of points of 33 bytes each; zeros are infinity."""
    count = len(points) // 33
    r, work = ffi.new("uint8_t[33]"), scratch(lib.assay_test_scratch_size(count))
    assert lib.assay_test_points_sum(r, points, count, work) == lib.ASSAY_OK
    return bytes(ffi.buffer(r))
