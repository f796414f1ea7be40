"""Reading an untrusted record, with the codes of its family."""

from __future__ import annotations

from typing import TypeVar

from verifier.errors import Code, Rejected
from verifier.format.wire import BadFields, NotCanonical, read_record

Record = TypeVar("Record")


def read(kind: type[Record], data: bytes, family: str, where: str) -> Record:
    """Read a record: canonical msgpack first, then its fields (spec/errors.md).

    Raises:
        Rejected: ``FAMILY.not-canonical`` or ``FAMILY.bad-fields``.
    """
    try:
        return read_record(kind, data)
    except NotCanonical as error:
        raise Rejected(Code(f"{family}.not-canonical"), where, str(error)) from None
    except BadFields as error:
        raise Rejected(Code(f"{family}.bad-fields"), where, str(error)) from None
