"""The C core and its one binding."""

from __future__ import annotations

from native._core import ffi, lib

__all__ = ["version"]


def version() -> str:
    """Return the version of the C core."""
    text = ffi.string(lib.assay_version())
    return text.decode("ascii") if isinstance(text, bytes) else text
