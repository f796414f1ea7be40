"""Lists that operators keep: CSV with a header, or JSON Lines (``.jsonl``), row by row.

A list is refused whole at its first malformed row. Blank lines at its end are no rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from prover.errors import Code, InputError, ProverError
from verifier.bundle.json_text import no_duplicates

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

_MOST_BRACKETS = 100
_LONGEST_LINE = 1 << 20

_Row = TypeVar("_Row", str, list[str])


def read_list(
    file: Path, columns: Sequence[str], required: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and cells of each row; a CSV's header is row 1. Cells of JSON are of any type.

    Raises:
        ProverError: unreadable, not UTF-8, or a row has not the ``required`` ones of ``columns``,
            has others, or one twice.
    """
    read = _read_json_lines if file.suffix == ".jsonl" else _read_csv
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from read(file, _bounded(file, lines), columns, frozenset(required))
    except UnicodeDecodeError:
        raise InputError(str(file), Code.MALFORMED_LIST, "not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise ProverError(f"{file}: {error.strerror}") from None


def _bounded(file: Path, lines: TextIO) -> Iterator[str]:
    """Yield lines, as far as each is one: what has no end is not read into memory.

    Raises:
        InputError: one is longer than any row.
    """
    for number, line in enumerate(iter(lambda: lines.readline(_LONGEST_LINE + 1), ""), 1):
        if len(line) > _LONGEST_LINE:
            words = f"a line of more than {_LONGEST_LINE:,} characters"
            raise InputError(f"{file}: line {number}", Code.MALFORMED_LIST, words)
        yield line


def _read_csv(
    file: Path, lines: Iterable[str], columns: Sequence[str], required: frozenset[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) != len(header):
            raise InputError(f"{file}: row 1", Code.WRONG_COLUMNS, "a column occurs twice")
        if not required <= set(header) <= set(columns):
            words = f"the columns are {', '.join(columns)}"
            raise InputError(f"{file}: row 1", Code.WRONG_COLUMNS, words)
        for number, cells in csv_rows(file, reader, len(header)):
            yield number, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        where = f"{file}: row {reader.line_num}"
        raise InputError(where, Code.MALFORMED_LIST, str(error)) from None


def csv_rows(file: Path, reader: CsvReader, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row that ``reader`` has behind the header.

    Raises:
        InputError: a row has another number of cells than there are columns, or is blank.
        csv.Error: it is not CSV.
    """
    numbered = ((reader.line_num, cells) for cells in reader)
    for number, cells in _without_blank_end(file, numbered, _is_blank):
        if len(cells) != columns:
            words = f"{len(cells)} columns instead of {columns}"
            raise InputError(f"{file}: row {number}", Code.MALFORMED_LIST, words)
        yield number, cells


def _without_blank_end(
    file: Path, numbered: Iterable[tuple[int, _Row]], is_blank: Callable[[_Row], bool]
) -> Iterator[tuple[int, _Row]]:
    """Yield rows until all that follow are blank, and refuse one that is blank before that."""
    first = 0
    for number, row in numbered:
        if is_blank(row):
            first = first or number
            continue
        if first:
            words = "a blank line between rows"
            raise InputError(f"{file}: row {first}", Code.MALFORMED_LIST, words, "remove it")
        yield number, row


def _read_json_lines(
    file: Path, lines: Iterable[str], columns: Sequence[str], required: frozenset[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _without_blank_end(
        file, enumerate(lines, 1), lambda line: not line.strip()
    ):
        try:
            # The parser recurses in C as deep as the interpreter's limit lets it, whatever that is.
            if line.count("[") + line.count("{") > _MOST_BRACKETS:
                raise ValueError("no row nests")
            cells = json.loads(line, object_pairs_hook=no_duplicates) if _is_object(line) else None
        except ValueError:
            words = "not JSON, or a key occurs twice"
            raise InputError(f"{file}: row {number}", Code.MALFORMED_LIST, words) from None
        if not isinstance(cells, dict) or not required <= cells.keys() <= set(columns):
            words = f"not an object of the keys {', '.join(columns)}"
            raise InputError(f"{file}: row {number}", Code.WRONG_COLUMNS, words)
        yield number, cells


def _is_blank(cells: list[str]) -> bool:
    return len(cells) < 2 and not "".join(cells).strip()


def _is_object(line: str) -> bool:
    return not line.lstrip().startswith("[")
