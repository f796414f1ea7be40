"""Reading an untrusted record, with the codes of its family."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from verifier.errors import Code, Rejected
from verifier.format.wire import (
    BadFields,
    NotCanonical,
    Size,
    names_other_version,
    read_record,
    read_records,
)

Record = TypeVar("Record")


def read(kind: type[Record], data: bytes, family: str, where: str) -> Record:
    """Read a record: canonical msgpack first, then its fields (spec/errors.md).

    Raises:
        Rejected: ``FAMILY.not-canonical`` or ``FAMILY.bad-fields``.
    """
    try:
        return _read(lambda: read_record(kind, data), family, where)
    except Rejected as error:
        error.is_of_other_version = error.code.endswith("bad-fields") and names_other_version(data)
        raise


def read_all(
    kind: type[Record], data: bytes, size: Size, family: str, where: str
) -> tuple[Record, ...]:
    """Read an array of records of a ``size``, likewise.

    Raises:
        Rejected: ``FAMILY.not-canonical`` or ``FAMILY.bad-fields``.
    """
    return _read(lambda: read_records(kind, data, size), family, where)


def _read(reader: Callable[[], Record], family: str, where: str) -> Record:
    try:
        return reader()
    except NotCanonical as error:
        raise Rejected(Code(f"{family}.not-canonical"), where, str(error)) from None
    except BadFields as error:
        raise Rejected(Code(f"{family}.bad-fields"), where, str(error)) from None
