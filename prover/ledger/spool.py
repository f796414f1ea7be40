"""Columns too long to hold while a source is read: unnamed files, written once, read back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prover.ledger.text import Text

Array = npt.NDArray[Any]

_PIECE_ITEMS = 1 << 17


class Spool:
    """A column of one type in a temporary file, which no one else can open and no crash leaves."""

    def __init__(self, folder: Path, dtype: npt.DTypeLike) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._dtype = np.dtype(dtype)
        self._items = 0

    def __len__(self) -> int:
        """Return the number of items written."""
        return self._items

    def __enter__(self) -> Spool:
        """Return the spool, to be closed on leaving."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close and thereby delete the file."""
        self._file.close()

    def append(self, items: Array) -> None:
        """Write items at the end."""
        self._file.write(np.ascontiguousarray(items, dtype=self._dtype).data)
        self._items += len(items)

    def pieces(self) -> Iterator[Array]:
        """Read all items back, some at a time."""
        return self.items(0, self._items)

    def items(self, start: int, stop: int) -> Iterator[Array]:
        """Read items ``start`` to ``stop - 1`` back, some at a time."""
        self._file.flush()
        for at in range(start, stop, _PIECE_ITEMS):
            yield self._read(at, min(at + _PIECE_ITEMS, stop))

    def whole(self) -> Array:
        """Read all items back at once."""
        self._file.flush()
        self._file.seek(0)
        return np.fromfile(self._file, dtype=self._dtype, count=self._items)

    def chosen(self, indices: npt.NDArray[np.int64]) -> Array:
        """Read a few items back, without those between them; there are some items."""
        self._file.flush()
        return np.array(np.memmap(self._file, self._dtype, "r", shape=len(self))[indices])

    def _read(self, start: int, stop: int) -> Array:
        size = self._dtype.itemsize
        data = os.pread(self._file.fileno(), (stop - start) * size, start * size)
        return np.frombuffer(data, self._dtype)


class SortedSpool:
    """A column of which every part is sorted by asset: one file, however many assets there are."""

    def __init__(self, spool: Spool, assets: int) -> None:
        self._spool = spool
        self._bounds: list[npt.NDArray[np.uint64]] = []
        self._counts = np.zeros(assets, np.int64)

    def count(self, asset: int) -> int:
        """Return the number of items of an asset."""
        return int(self._counts[asset])

    def append(self, items: Array, assets: npt.NDArray[np.int32]) -> None:
        """Write items at the end; ``assets`` has the asset of each, and ascends."""
        bounds = np.searchsorted(assets, np.arange(len(self._counts) + 1))
        self._counts += np.diff(bounds)
        self._bounds.append((bounds + len(self._spool)).astype(np.uint64))
        self._spool.append(items)

    def pieces(self, asset: int) -> Iterator[Array]:
        """Read the items of an asset back, in their order, some at a time."""
        for bounds in self._bounds:
            start, stop = int(bounds[asset]), int(bounds[asset + 1])
            if start < stop:
                yield from self._spool.items(start, stop)


class TextSpool:
    """A column of byte strings: one spool of their bytes, one of their lengths."""

    def __init__(self, data: Spool, lengths: Spool) -> None:
        self._data = data
        self._lengths = lengths

    def __len__(self) -> int:
        """Return the number of strings written."""
        return len(self._lengths)

    def append(self, array: Any) -> None:
        """Write the strings of a ``pyarrow.BinaryArray`` without nulls at the end."""
        text = Text.of(array)
        self._data.append(text.span)
        self._lengths.append(text.ends - text.starts)

    def whole(self) -> Any:
        """Read all strings back, as a ``pyarrow.LargeBinaryArray``."""
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(self._lengths.whole(), out=offsets[1:])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._data.whole())]
        return pa.Array.from_buffers(pa.large_binary(), len(self), buffers)
