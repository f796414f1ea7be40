"""The C core and its one binding.

Buffers in are bytes, bytearray, memoryview or C-contiguous arrays; results are bytes. All functions
release the interpreter lock while the core works.
"""

from __future__ import annotations

from typing import Any

from native._core import ffi, lib
from native.derivation import account_keys, order, place_leaves, place_padding, split, stream
from native.errors import NativeError
from native.group import commit, generator, msm, point_is_valid
from native.hashing import Transcript, sha256, tagged_hash
from native.hidden import (
    Points,
    hidden_length,
    hidden_prove,
    hidden_total,
    hidden_verify,
    points_coordinates,
    points_decode,
    public_keys,
    secrets_read,
)
from native.range import (
    PageRejected,
    Rejected,
    page_length,
    pages_prove,
    pages_verify,
    range_length,
    range_prove,
    range_verify,
)
from native.utxo import FoundCoin, UtxoScanner

__all__ = [
    "FoundCoin",
    "NativeError",
    "PageRejected",
    "Points",
    "Rejected",
    "Transcript",
    "UtxoScanner",
    "account_keys",
    "commit",
    "generator",
    "hidden_length",
    "hidden_prove",
    "hidden_total",
    "hidden_verify",
    "kernel_name",
    "msm",
    "order",
    "page_length",
    "pages_prove",
    "pages_verify",
    "place_leaves",
    "place_padding",
    "point_is_valid",
    "points_coordinates",
    "points_decode",
    "public_keys",
    "range_length",
    "range_prove",
    "range_verify",
    "secrets_read",
    "sha256",
    "split",
    "stream",
    "tagged_hash",
    "version",
]

if lib.assay_init() != lib.ASSAY_OK:
    raise RuntimeError("ASSAY_KERNEL names no kernel of this machine")


def _text(pointer: Any) -> str:
    text = ffi.string(pointer)
    return text.decode("ascii") if isinstance(text, bytes) else text


def version() -> str:
    """Return the version of the C core."""
    return _text(lib.assay_version())


def kernel_name() -> str:
    """Return the name of the kernel in use; the environment variable ASSAY_KERNEL chooses it."""
    return _text(lib.assay_kernel_name())
