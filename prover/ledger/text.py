"""A view of an Arrow column of byte strings as numpy arrays, nothing copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class Text:
    """Byte strings: row i is ``data[starts[i]:ends[i]]``."""

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, array: Any) -> Text:
        """Look into a ``pyarrow.BinaryArray`` or ``LargeBinaryArray`` without nulls."""
        if not len(array):
            return cls(np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
        _, offsets, data = array.buffers()
        width = np.int64 if pa.types.is_large_binary(array.type) else np.int32
        bounds = np.frombuffer(offsets, width, count=array.offset + len(array) + 1)
        starts_and_end = bounds[array.offset :].astype(np.int64, copy=False)
        content = np.frombuffer(data or b"", np.uint8)
        return cls(content, starts_and_end[:-1], starts_and_end[1:])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.starts)

    @property
    def span(self) -> npt.NDArray[np.uint8]:
        """The bytes of all rows of an unsplit array, one row behind the other."""
        return self.data[self.starts[0] : self.ends[-1]] if len(self) else self.data[:0]

    def row(self, index: int | np.integer[Any]) -> bytes:
        """Return one row."""
        return self.data[self.starts[index] : self.ends[index]].tobytes()

    def find(self, byte: int) -> npt.NDArray[np.int64]:
        """Return the offset of the first ``byte`` of each row, or the row's end."""
        found = np.append(np.flatnonzero(self.data == byte), len(self.data))
        first: npt.NDArray[np.int64] = found[np.searchsorted(found, self.starts)]
        return np.minimum(first, self.ends)
