"""Account ids of a whole column to canonical form.

Almost every id is plain ASCII that is canonical already, or would be but for its capital letters:
those are recognised and mapped in numpy. All others go one by one through
`verifier.format.account.canonical_account_id`, which alone decides what canonical is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.errors import Code
from prover.ledger.errors import Kind, Marks
from prover.ledger.text import Text
from verifier.format.account import MAX_ACCOUNT_ID_BYTES, AccountError, IdType, canonical_account_id

Mask = npt.NDArray[np.bool_]

_BYTES: Final = np.arange(256)
_GRAPHIC: Final = (_BYTES > ord(" ")) & (_BYTES < 0x7F)
_PLAIN: Final[dict[IdType, Mask]] = {
    "email": _GRAPHIC,
    "phone": ((ord("0") <= _BYTES) & (ord("9") >= _BYTES)) | (_BYTES == ord("+")),
    "opaque": _GRAPHIC | (_BYTES == ord(" ")),
}
_CAPITAL: Final = (ord("A") <= _BYTES) & (ord("Z") >= _BYTES)
_LOWER: Final = np.where(_CAPITAL, _BYTES + 32, _BYTES).astype(np.uint8)
_PHONE_BYTES: Final = (1 + 7, 1 + 15)

_CODES: Final = {"empty": Code.EMPTY_ID, "too-long": Code.TOO_LONG_ID}


@dataclass(frozen=True)
class Canonical:
    """Canonical ids of n rows, and which of them differ from what the source has."""

    ids: Any
    """A ``pyarrow.BinaryArray`` (n)."""
    changed: Mask


def canonical_column(source: Any, id_type: IdType, column: str, marks: Marks) -> Canonical:
    """Canonicalise a ``pyarrow.BinaryArray`` without nulls.

    Rows that are refused are noted in ``marks``, and empty.
    """
    text = Text.of(source)
    ids, changed = source, np.zeros(len(text), dtype=np.bool_)
    plain = _plain(text, id_type)
    if id_type == "email":
        changed = _rows_with(text, _CAPITAL) > 0
        if changed.any():
            ids = _lowered(source, text)
    rest = np.flatnonzero(~plain)
    if rest.size:
        texts = [text.row(row) for row in rest]
        others = [
            _canonical(source, id_type, int(row), column, marks)
            for source, row in zip(texts, rest, strict=True)
        ]
        changed[rest] = [source != other for source, other in zip(texts, others, strict=True)]
        ids = pc.replace_with_mask(ids, pa.array(~plain), pa.array(others, pa.binary()))
    return Canonical(ids, changed)


def _plain(text: Text, id_type: IdType) -> Mask:
    """Tell which rows are canonical but for capital letters of an email."""
    lengths = text.ends - text.starts
    plain = (lengths > 0) & (lengths <= MAX_ACCOUNT_ID_BYTES)
    plain &= _rows_with(text, ~_PLAIN[id_type]) == 0
    if not plain.any():
        return plain
    first = text.data.take(text.starts, mode="clip")
    last = text.data.take(text.ends - 1, mode="clip")
    if id_type == "email":
        plain &= _rows_with(text, _BYTES == ord("@")) == 1
        plain &= (first != ord("@")) & (last != ord("@"))
    elif id_type == "phone":
        plain &= (lengths >= _PHONE_BYTES[0]) & (lengths <= _PHONE_BYTES[1])
        plain &= (_rows_with(text, _BYTES == ord("+")) == 1) & (first == ord("+"))
    else:
        plain &= (first != ord(" ")) & (last != ord(" "))
    return plain


def _rows_with(text: Text, wanted: Mask) -> npt.NDArray[np.int64]:
    """Return, for each row, how many of its bytes are in the set ``wanted`` (256)."""
    found = np.flatnonzero(wanted[text.span]) + (text.starts[0] if len(text) else 0)
    return np.bincount(np.searchsorted(text.ends, found, side="right"), minlength=len(text))


def _lowered(source: Any, text: Text) -> Any:
    _, offsets, _ = source.buffers()
    data = pa.py_buffer(_LOWER[text.data])
    return pa.Array.from_buffers(
        pa.binary(), len(source), [None, offsets, data], offset=source.offset
    )


def _canonical(source: bytes, id_type: IdType, row: int, column: str, marks: Marks) -> bytes:
    try:
        return canonical_account_id(source.decode(), id_type).encode()
    except UnicodeDecodeError:
        kind = Kind(Code.BAD_UNICODE, column)
    except AccountError as error:
        code = _CODES.get(error.rule, Code.BAD_ID)
        kind = Kind(code, column, str(error) if code is Code.BAD_ID else "")
    marks.setdefault(kind, []).append(row)
    return b""
