"""Columns too long to hold while a source is read: unnamed files, written once, read back."""

from __future__ import annotations

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
        self._file.seek(0)
        while (piece := self._read(_PIECE_ITEMS)).size:
            yield piece

    def whole(self) -> Array:
        """Read all items back at once."""
        self._file.seek(0)
        return self._read(self._items)

    def _read(self, items: int) -> Array:
        self._file.flush()
        return np.fromfile(self._file, dtype=self._dtype, count=items)


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
