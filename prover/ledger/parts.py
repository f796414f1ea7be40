"""Folders of part files, as Spark, Snowflake and BigQuery export them.

Parts are read in the order of the bytes of their names, as if they stood one behind the other in
one file. Nobody could tell a part that was overlooked from one that never was, and what is owed in
it would not be proved. So everything in a folder is a part, is known to be none, or is refused; and
no file may change while it is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Sequence
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
_MARKS: Final = ("_SUCCESS", "_metadata", "_common_metadata", ".DS_Store")
_MARKS_OF_DATABRICKS: Final = ("_started_", "_committed_")
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
        names = {entry.name for entry in entries}
        faults = dict.fromkeys(
            fault for entry in entries if (fault := _fault(source, entry, names))
        )
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
    sources = [replace(source, path=source.path / name) for name in parts]
    _check_different(sources)
    return sources


def read_parts(
    source: FileSource,
    parts: Sequence[CsvSource | ParquetSource],
    read: Callable[[CsvSource | ParquetSource], Batches],
) -> Batches:
    """Yield the rows of all files of a source, numbered through them.

    Raises:
        LedgerError: a file is refused, or one changes meanwhile, or the folder gets another.
    """
    states = [_state(part) for part in parts]
    for index, part in enumerate(parts):
        with closing(read(part)) as batches:
            for batch in batches:
                yield batch.moved(base_of(index))
    if list(parts) != parts_of(source):
        detail = "parts came or went while they were read"
        raise LedgerError(source.name, Fault.of(Code.UNREADABLE, detail=detail, remedy=_FINISH))
    for part, state in zip(parts, states, strict=True):
        if _state(part) != state:
            detail = "changed while it was read"
            raise LedgerError(part.name, Fault.of(Code.UNREADABLE, detail=detail, remedy=_FINISH))


def _state(source: FileSource) -> tuple[int, ...] | None:
    """Return what tells a file from another that has its name later; None of a pipe."""
    try:
        found = source.path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_dev, found.st_ino, found.st_size, *times


def _check_different(sources: Sequence[Source]) -> None:
    """Check that no two parts are one file.

    Raises:
        LedgerError: the first that is another's.
    """
    earlier: dict[tuple[int, ...], str] = {}
    for source in sources:
        if (state := _state(source)) is None:
            continue
        other = earlier.setdefault(state[:2], source.path.name)
        if other != source.path.name:
            fault = Fault.of(
                Code.WRONG_FORMAT,
                detail=f"the same file as {other}",
                remedy="remove one of them: its rows would count twice",
            )
            raise LedgerError(source.name, fault)


def _is_part(source: FileSource, name: str) -> bool:
    return name.lower().endswith(source.ending) and not name.startswith(_HIDDEN)


def _is_known(name: str, names: Collection[str]) -> bool:
    """Tell whether a file is known to be no part: a mark of an export, or a checksum, as Hadoop
    writes them, beside the file that it is of.
    """
    if name.lower().endswith(tuple(_FORMATS)):
        return False
    if name.startswith(".") and name.endswith(_CHECKSUM):
        return name[1 : -len(_CHECKSUM)] in names
    return name in _MARKS or name.startswith(_MARKS_OF_DATABRICKS)


def _fault(source: FileSource, entry: os.DirEntry[str], names: Collection[str]) -> Fault | None:
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
    elif _is_part(source, name) or _is_known(name, names):
        return None
    elif name.startswith(_HIDDEN):
        detail, remedy = "hidden, and it may be a part", f"{_FINISH}, or move it away"
    else:
        detail = f"a name that does not end in {source.ending}"
        remedy = f"unpack it or name it *{source.ending} if it is a part, else move it away"
        if form := _FORMATS.get(name[name.rfind(".") :].lower()):
            remedy = f'set ledger.format = "{form}", or move it away'
    column, is_partition, _ = name.partition("=")
    place = source.path / (f"{column}=…" if is_partition else name)
    return Fault.of(rule, detail=detail, remedy=remedy).within(str(place))
