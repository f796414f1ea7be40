"""What tests ask of the inside of the core."""

from __future__ import annotations

import os

import native
from native import buffers
from native._core import ffi, lib
from native.buffers import bases
from native.errors import CODES

OPENING_BYTES = 545


def points_sum(points: bytes) -> bytes:
    """Return the sum of points of 33 bytes each; zeros are infinity."""
    count = len(points) // 33
    r, work = ffi.new("uint8_t[33]"), buffers.scratch(lib.assay_test_scratch_size(count))
    assert lib.assay_test_points_sum(r, points, count, work) == lib.ASSAY_OK
    return bytes(ffi.buffer(r))


def leaves_verify(state: bytes, page_size: int, entries: bytes, argument: bytes) -> None:
    """Check the argument of a page of leaves over a state of the transcript after item 4.

    Raises:
        native.Rejected: ``page.bad-point``, ``argument.bad-length``, ``bad-point``, ``bad-scalar``
            or ``rejected``.
    """
    tree = native.Tree(bytes(32), b"", 1, page_size)
    assert (len(state), len(entries)) == (32, tree.page_length(0) - 15)
    if len(argument) != tree.argument_length(0):
        raise native.Rejected("argument.bad-length")
    _require(
        lib.assay_test_leaves_verify(
            state, page_size, entries, argument, os.urandom(32 * 5), bases(), _work(tree)
        )
    )


def opening_verify(
    state: bytes,
    page_id: bytes,
    leaf: int,
    amount: int,
    identity: bytes,
    vector: bytes,
    opening: bytes,
) -> None:
    """Check an opening over a state of the transcript after item 4; ``leaf`` is in its page.

    Raises:
        native.Rejected: ``opening.bad-length``, ``bad-point``, ``bad-scalar`` or
            ``inclusion.wrong-amount``.
    """
    assert (len(state), len(page_id), len(identity), len(vector)) == (32, 32, 32, 33)
    if len(opening) != OPENING_BYTES:
        raise native.Rejected("opening.bad-length")
    work = _work(native.Tree(bytes(32), b"", 1, 16))
    given = (state, page_id, leaf, amount, identity, vector, opening)
    _require(lib.assay_test_opening_verify(*given, os.urandom(32), bases(), work))


def _work(tree: native.Tree) -> object:
    page = ffi.new("assay_checked_page *", {"tree": tree.core})
    return buffers.scratch(lib.assay_check_scratch_size(page, 1, 0))


def _require(status: int) -> None:
    if status in CODES:
        raise native.Rejected(CODES[status])
    assert status == lib.ASSAY_OK
