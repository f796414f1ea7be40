"""The C core and its one binding.

Buffers in are bytes, bytearray, memoryview or C-contiguous arrays; results are bytes. All functions
release the interpreter lock while the core works, and no buffer may change meanwhile: what the core
has checked it reads again, and a copy of whole columns would cost too much. Beside what a function
says, TypeError is raised for what is no buffer or integer, OverflowError for an integer that the
core's type for it cannot hold. A name is imported when it is first asked for: who checks loads
nothing that proves.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from native._core import ffi, lib

if TYPE_CHECKING:
    from native.buffers import begin_tables
    from native.checks import OpeningToCheck, PageToCheck, check, pages_check
    from native.derivation import (
        account_keys,
        gather_leaves,
        place_leaves,
        place_padding,
        rank,
        sort_keys,
        sort_positions,
        split,
        stream,
        take_ranks,
    )
    from native.errors import Damaged, NativeError, OpeningRejected, PageRejected, Rejected
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
    from native.pages import (
        Committed,
        PageToOpen,
        leaves_commit,
        leaves_open,
        openings_make,
        pages_argue,
        sums_commit,
    )
    from native.range import range_length, range_prove, range_verify
    from native.tree import Tree, identity, identity_nodes, identity_path, path_node
    from native.utxo import FoundCoin, UtxoScanner

__all__ = [
    "Committed",
    "Damaged",
    "FoundCoin",
    "NativeError",
    "OpeningRejected",
    "OpeningToCheck",
    "PageRejected",
    "PageToCheck",
    "PageToOpen",
    "Points",
    "Rejected",
    "Transcript",
    "Tree",
    "UtxoScanner",
    "account_keys",
    "begin_tables",
    "check",
    "commit",
    "gather_leaves",
    "generator",
    "hidden_length",
    "hidden_prove",
    "hidden_total",
    "hidden_verify",
    "identity",
    "identity_nodes",
    "identity_path",
    "kernel_name",
    "leaves_commit",
    "leaves_open",
    "msm",
    "openings_make",
    "pages_argue",
    "pages_check",
    "path_node",
    "place_leaves",
    "place_padding",
    "point_is_valid",
    "points_coordinates",
    "points_decode",
    "public_keys",
    "range_length",
    "range_prove",
    "range_verify",
    "rank",
    "secrets_read",
    "sha256",
    "sort_keys",
    "sort_positions",
    "split",
    "stream",
    "sums_commit",
    "tagged_hash",
    "take_ranks",
    "version",
]

_PLACES = {
    "Committed": "pages",
    "Damaged": "errors",
    "FoundCoin": "utxo",
    "NativeError": "errors",
    "OpeningRejected": "errors",
    "OpeningToCheck": "checks",
    "PageRejected": "errors",
    "PageToCheck": "checks",
    "PageToOpen": "pages",
    "Points": "hidden",
    "Rejected": "errors",
    "Transcript": "hashing",
    "Tree": "tree",
    "UtxoScanner": "utxo",
    "account_keys": "derivation",
    "begin_tables": "buffers",
    "check": "checks",
    "commit": "group",
    "gather_leaves": "derivation",
    "generator": "group",
    "hidden_length": "hidden",
    "hidden_prove": "hidden",
    "hidden_total": "hidden",
    "hidden_verify": "hidden",
    "identity": "tree",
    "identity_nodes": "tree",
    "identity_path": "tree",
    "leaves_commit": "pages",
    "leaves_open": "pages",
    "msm": "group",
    "openings_make": "pages",
    "pages_argue": "pages",
    "pages_check": "checks",
    "path_node": "tree",
    "place_leaves": "derivation",
    "place_padding": "derivation",
    "point_is_valid": "group",
    "points_coordinates": "hidden",
    "points_decode": "hidden",
    "public_keys": "hidden",
    "range_length": "range",
    "range_prove": "range",
    "range_verify": "range",
    "rank": "derivation",
    "secrets_read": "hidden",
    "sha256": "hashing",
    "sort_keys": "derivation",
    "sort_positions": "derivation",
    "split": "derivation",
    "stream": "derivation",
    "sums_commit": "pages",
    "tagged_hash": "hashing",
    "take_ranks": "derivation",
}

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


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
