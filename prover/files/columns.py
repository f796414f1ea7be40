"""Flat files of fixed-size items: appended to once, mapped into memory ever after.

Items are in the machine's byte order, for this machine alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from prover.errors import Damaged

Item = TypeVar("Item", bound=np.generic)

U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]


def map_column(path: Path, kind: type[Item] | np.dtype[Item]) -> npt.NDArray[Item]:
    """Map a file of whole items into memory, read-only; an empty file is no items."""
    return map_end(path, kind, path.stat().st_size // np.dtype(kind).itemsize)


def map_rows(path: Path, count: int, size: int = 32) -> Bytes:
    """Map a file of ``count`` rows of so many bytes, read-only.

    Raises:
        Damaged: it has another length.
    """
    return _map_whole(path, np.dtype(np.uint8), count, size).reshape(count, size)


def map_items(path: Path, kind: type[Item], count: int) -> npt.NDArray[Item]:
    """Map a file of ``count`` items, read-only.

    Raises:
        Damaged: it has another length.
    """
    return _map_whole(path, np.dtype(kind), count, 1)


def _map_whole(path: Path, kind: np.dtype[Item], count: int, size: int) -> npt.NDArray[Item]:
    if path.stat().st_size != count * size * kind.itemsize:
        raise Damaged(f"{path}: damaged: not {count:,} times {size * kind.itemsize} bytes")
    return map_end(path, kind, count * size)


def map_end(path: Path, kind: type[Item] | np.dtype[Item], items: int) -> npt.NDArray[Item]:
    """Map the last items of such a file."""
    if not items:
        return np.empty(0, kind)
    offset = path.stat().st_size - items * np.dtype(kind).itemsize
    # A plain array is cut faster.
    return np.asarray(np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(items,)))
