"""What is wrong with a ledger source, and where: file, row, column and rule.

Of the content only names of columns and codes of assets are repeated; never an id or a balance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from prover.errors import LISTED, Code, ProverError

_FILE_ROWS: Final = 1 << 36


class Words(NamedTuple):
    """A rule in words: what was found, and what helps."""

    found: str
    remedy: str


WORDS: Final[Mapping[Code, Words]] = {
    Code.BAD_ID: Words("no id of this account_id_type", "correct the id, or account_id_type"),
    Code.BAD_QUOTE: Words(
        "a quote that is not as RFC 4180 has it",
        'let the export quote values that hold a quote, and double it: "Ann ""the boss"" Smith"',
    ),
    Code.BAD_UNICODE: Words(
        "not UTF-8", "export in UTF-8, or convert it: iconv -f latin1 -t utf-8, if it is Latin-1"
    ),
    Code.DUPLICATE_COLUMN: Words("named more than once", "give every column a name of its own"),
    Code.DUPLICATE_ID: Words(
        "ids that differ in writing alone",
        "set ledger.merge_duplicates = true if they are one customer; else tell them apart",
    ),
    Code.EMPTY_ID: Words("no account id", "remove the row, or give it its id"),
    Code.MISSING_COLUMN: Words("not in the source", "correct ledger.columns, or the export"),
    Code.NEGATIVE: Words(
        "below zero", "name what accounts owe as a column of ledger.columns.debts"
    ),
    Code.NO_BALANCE: Words(
        "nothing is owed", "finish the export, or list the asset in ledger.expect.allow_empty"
    ),
    Code.NON_FINITE: Words("NaN or infinity", "export a decimal number"),
    Code.NOT_A_NUMBER: Words(
        "not a decimal number", "write digits with a point, such as 1234.5, and nothing else"
    ),
    Code.NOT_EXACT: Words("binary floating point", "export text, whole numbers or decimals"),
    Code.NOT_WHOLE: Words(
        'not whole, though amounts = "units"', 'set ledger.amounts = "coins", or export units'
    ),
    Code.OTHER_COLUMNS: Words(
        "not the columns of the first part", "export all parts in one run, into an empty folder"
    ),
    Code.TOO_LARGE: Words("2^63 ledger units or more", "give the asset fewer decimals"),
    Code.TOO_LONG_ID: Words("an id of more than 128 bytes", "export a shorter id"),
    Code.TRUNCATED: Words("cut off", "export the whole file anew"),
    Code.UNEXPECTED: Words("not as ledger.expect has it", "look at the export, or correct it"),
    Code.UNKNOWN_ASSET: Words(
        "not an asset of the snapshot",
        "add it to the assets; list it in ledger.skip if it is owed and not to be covered, or in "
        "ledger.ignore if it is not owed",
    ),
    Code.UNREAD_COLUMN: Words(
        "columns that nothing reads", "name them in ledger.columns, or list them in ledger.ignore"
    ),
    Code.UNREADABLE: Words("cannot be read", "see that it is there, whole, and may be read"),
    Code.WRONG_FORMAT: Words("of another format", "export CSV or Parquet, not compressed"),
}


class Place(NamedTuple):
    """A row of a file."""

    file: str
    row: int


def base_of(index: int) -> int:
    """Return what to add to a row of one of a source's files, to number the rows of all of them.

    Numbers ascend from file to file; in the first, and so in a single one, they are the rows.
    """
    return index * _FILE_ROWS


def place_of(number: int, files: Sequence[str]) -> Place:
    """Return which row has a number, by the names of a source's files."""
    index, row = divmod(number, _FILE_ROWS)
    return Place(files[index], row)


@dataclass(frozen=True)
class Kind:
    """A rule broken in one way in one column; an empty ``remedy`` is that of the rule."""

    rule: Code
    column: str | None
    detail: str = ""
    remedy: str = ""


Marks = dict[Kind, list[int]]
"""Where the faults of one batch are: indices (0-based) of each kind, ascending."""


@dataclass(frozen=True)
class Fault:
    """All faults of one kind: the first ten rows, in order, and how many there are.

    ``files`` has the file of each of these rows, or the one that is wrong as a whole. A reader
    leaves them to the `LedgerError`.
    """

    kind: Kind
    rows: Sequence[int] = ()
    count: int = 0
    files: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        rule: Code,
        *,
        row: int | None = None,
        column: str | None = None,
        detail: str = "",
        remedy: str = "",
    ) -> Fault:
        """Return a fault of one row, or of none."""
        kind = Kind(rule, column, detail, remedy)
        return cls(kind) if row is None else cls(kind, (row,), 1)

    def within(self, file: str) -> Fault:
        """Return it as one of a file, unless it says of which it is."""
        return self if self.files else replace(self, files=(file,) * max(1, len(self.rows)))

    def line(self) -> str:
        """Say in one line what is wrong, where, and what helps."""
        kind, words = self.kind, WORDS[self.kind.rule]
        place = [self.files[0], *(f"row {row}" for row in self.rows[:1])]
        if kind.column is not None:
            place.append(f"column {kind.column}")
        said = f"{', '.join(place)}: {kind.rule} ({kind.detail or words.found})"
        said += f"; {kind.remedy or words.remedy}"
        if self.count > 1:
            others = "; ".join(self._listed()) + (", ..." if self.count > LISTED else "")
            said += f"; {self.count:,} rows: {others}"
        return said

    def _listed(self) -> Iterator[str]:
        """Yield the rows of each file, those of the first without its name."""
        for file, places in groupby(map(Place, self.files, self.rows), lambda place: place.file):
            rows = ", ".join(str(place.row) for place in places)
            yield rows if file == self.files[0] else f"in {Path(file).name} {rows}"


class Faults:
    """The faults of rows of a source, by kind; rows have their numbers (`base_of`)."""

    def __init__(self) -> None:
        self._rows: dict[Kind, list[int]] = {}
        self._counts: dict[Kind, int] = {}

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._rows)

    @property
    def first_row(self) -> int | None:
        """The first row that has a fault."""
        return min((rows[0] for rows in self._rows.values()), default=None)

    def add(self, marks: Marks, rows: npt.NDArray[np.int64]) -> None:
        """Add those of the next batch; ``rows`` has the number of each of its rows."""
        for kind, indices in marks.items():
            listed = self._rows.setdefault(kind, [])
            listed += [int(rows[index]) for index in indices[: LISTED - len(listed)]]
            self._counts[kind] = self._counts.get(kind, 0) + len(indices)

    def merge(self, others: Faults) -> None:
        """Add those of other rows."""
        for kind, rows in others._rows.items():
            kept = sorted([*self._rows.get(kind, []), *rows])[:LISTED]
            self._rows[kind] = kept
            self._counts[kind] = self._counts.get(kind, 0) + others._counts[kind]

    def moved(self, base: int) -> Faults:
        """Return the faults of rows whose numbers are greater by ``base``."""
        others = Faults()
        others._rows = {kind: [row + base for row in rows] for kind, rows in self._rows.items()}
        others._counts = dict(self._counts)
        return others

    def describe(self, rule: Code, detail: str) -> None:
        """Say in particular what the faults of a rule are, of which nothing was said yet."""
        for kind in [kind for kind in self._rows if kind.rule is rule and not kind.detail]:
            told = replace(kind, detail=detail)
            self._rows[told], self._counts[told] = self._rows.pop(kind), self._counts.pop(kind)

    def error(self, files: Sequence[str], *later: Fault) -> LedgerError:
        """Return the error that tells of all, the first row's first, and of ``later`` ones."""
        found = []
        for kind, numbers in sorted(self._rows.items(), key=lambda item: item[1][0]):
            places = [place_of(number, files) for number in numbers]
            rows, names = [place.row for place in places], [place.file for place in places]
            found.append(Fault(kind, rows, self._counts[kind], names))
        return LedgerError(files[0], *found, *later)


class LedgerError(ProverError):
    """A ledger source that is refused, for one kind of fault or for several.

    ``file`` is the path, of a part if it is about one, or the database URL without its password.
    ``row`` is 1-based, in its own file: in CSV the header is row 1 and a row may span lines; in
    Parquet and SQL the first row is row 1. ``row`` and ``column`` are None where the rule is not
    about one. All of them, ``rule`` and ``detail`` are those of the first of ``faults``, which are
    in the order of their first rows.
    """

    def __init__(self, file: str, *faults: Fault) -> None:
        """Take faults; those that name no file are of ``file``."""
        faults = tuple(fault.within(file) for fault in faults)
        lines = [fault.line() for fault in faults[:LISTED]]
        if len(faults) > LISTED:
            lines.append(f"and {len(faults) - LISTED} more kinds of fault")
        super().__init__("\n".join(lines))
        first = faults[0]
        self.file = first.files[0]
        self.faults = faults
        self.row = first.rows[0] if first.rows else None
        self.column = first.kind.column
        self.rule = first.kind.rule
        self.detail = first.kind.detail
