"""Lists that operators keep: CSV with a header, or JSON Lines (``.jsonl``), row by row.

A list is refused whole at its first malformed row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prover.errors import Code, InputError, ProverError

_MOST_BRACKETS = 100


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
            yield from read(file, lines, columns, frozenset(required))
    except UnicodeDecodeError:
        raise InputError(str(file), Code.MALFORMED_LIST, "not UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise ProverError(f"{file}: {error.strerror}") from None


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
        for cells in reader:
            if len(cells) != len(header):
                words = f"{len(cells)} columns instead of {len(header)}"
                raise InputError(f"{file}: row {reader.line_num}", Code.MALFORMED_LIST, words)
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        where = f"{file}: row {reader.line_num}"
        raise InputError(where, Code.MALFORMED_LIST, str(error)) from None


def _read_json_lines(
    file: Path, lines: Iterable[str], columns: Sequence[str], required: frozenset[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            # The parser recurses in C as deep as the interpreter's limit lets it, whatever that is.
            if line.count("[") + line.count("{") > _MOST_BRACKETS:
                raise ValueError("no row nests")
            cells = json.loads(line, object_pairs_hook=_unique_keys) if _is_object(line) else None
        except ValueError:
            words = "not JSON, or a key occurs twice"
            raise InputError(f"{file}: row {number}", Code.MALFORMED_LIST, words) from None
        if not isinstance(cells, dict) or not required <= cells.keys() <= set(columns):
            words = f"not an object of the keys {', '.join(columns)}"
            raise InputError(f"{file}: row {number}", Code.WRONG_COLUMNS, words)
        yield number, cells


def _is_object(line: str) -> bool:
    return not line.lstrip().startswith("[")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    cells = dict(pairs)
    if len(cells) != len(pairs):
        raise ValueError("a key occurs twice")
    return cells
