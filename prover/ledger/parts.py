"""Folders of part files, as Spark, Snowflake and BigQuery export them.

Parts are read in the order of the bytes of their names, as if they stood one behind the other in
one file. Nobody could tell a part that was overlooked from one that never was, and what is owed in
it would not be proved. So everything in a folder is a part, is known to be none, or is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final, TypeVar

from prover.errors import Code
from prover.ledger.errors import Fault, LedgerError, base_of
from prover.ledger.readers import Batches
from prover.ledger.source import CsvSource, FileSource, ParquetSource

Source = TypeVar("Source", bound=FileSource)

_CHECKSUM: Final = ".crc"
_HIDDEN: Final = ("_", ".")
_UNFINISHED: Final = "_temporary"
_FINISH: Final = "let the export finish, or export anew into an empty folder"
_FLAT: Final = "export all parts into one folder, without partitions"
_FORMATS: Final = {CsvSource.ending: "csv", ParquetSource.ending: "parquet"}


def parts_of(source: Source) -> Sequence[Source]:
    """Return the files of a source, each as a source: itself, or of a folder its parts, in order.

    Raises:
        LedgerError: the folder has no part, or something that may be one.
    """
    try:
        if not source.path.is_dir():
            return [source]
        entries = sorted(os.scandir(source.path), key=lambda entry: os.fsencode(entry.name))
        faults = dict.fromkeys(fault for entry in entries if (fault := _fault(source, entry)))
    except OSError as error:
        fault = Fault.of(Code.UNREADABLE, detail=error.strerror or "")
        raise LedgerError(error.filename or source.name, fault) from None
    if faults:
        raise LedgerError(source.name, *faults)
    parts = [entry.name for entry in entries if _is_part(source, entry.name)]
    if not parts:
        detail = f"a folder without a file that ends in {source.ending}"
        remedy = "correct ledger.path, or finish the export"
        raise LedgerError(source.name, Fault.of(Code.UNREADABLE, detail=detail, remedy=remedy))
    return [replace(source, path=source.path / name) for name in parts]


def read_parts(
    source: FileSource,
    parts: Sequence[CsvSource | ParquetSource],
    read: Callable[[CsvSource | ParquetSource], Batches],
) -> Batches:
    """Yield the rows of all files of a source, numbered through them.

    Raises:
        LedgerError: a file is refused, or by the end the folder has other parts.
    """
    for index, part in enumerate(parts):
        with closing(read(part)) as batches:
            for batch in batches:
                yield batch.moved(base_of(index))
    if list(parts) != parts_of(source):
        detail = "parts came or went while they were read"
        raise LedgerError(source.name, Fault.of(Code.UNREADABLE, detail=detail, remedy=_FINISH))


def _is_part(source: FileSource, name: str) -> bool:
    return name.lower().endswith(source.ending) and not name.startswith(_HIDDEN)


def _is_known(name: str) -> bool:
    """Tell whether a file is known to be no part: a checksum, or a mark that holds no rows."""
    is_mark = name.startswith(_HIDDEN) and not any(end in name.lower() for end in _FORMATS)
    return is_mark or name.endswith(_CHECKSUM)


def _fault(source: FileSource, entry: os.DirEntry[str]) -> Fault | None:
    """Return what is wrong with something in the folder of a source; None if it may stand there.

    Of a partition's name only the column is repeated: what follows may be an account's.
    """
    rule, name = Code.WRONG_FORMAT, entry.name
    if name == _UNFINISHED:
        rule, detail, remedy = Code.TRUNCATED, "an export that has not finished", _FINISH
    elif entry.is_dir():
        detail, remedy = "a folder among part files", _FLAT
    elif not entry.is_file():
        rule, detail, remedy = Code.UNREADABLE, "neither a file nor a link to one", "remove it"
    elif _is_part(source, name) or _is_known(name):
        return None
    elif name.startswith(_HIDDEN):
        detail, remedy = "hidden, and it may be a part", _FINISH
    else:
        detail = f"a name that does not end in {source.ending}"
        remedy = f"unpack it or name it *{source.ending} if it is a part, else move it away"
        if form := _FORMATS.get(name[name.rfind(".") :].lower()):
            remedy = f'set ledger.format = "{form}", or move it away'
    column, is_partition, _ = name.partition("=")
    place = source.path / (f"{column}=…" if is_partition else name)
    return Fault.of(rule, detail=detail, remedy=remedy).within(str(place))
