"""From a source to batches of columns, in row order, all cells as byte strings.

A reader yields every whole row that stands before a fault of the file and only then raises, so
that the first fault in row order is the one that is told first. Rows that have a fault of their own
are left out of their batch, and noted in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prover.errors import Code
from prover.ledger.amounts import Notation
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import Fault, Faults, LedgerError
from prover.ledger.source import Columns, LongColumns, Reading

Rows = npt.NDArray[np.int64]

_SHOWN_NAMES: Final = 500
_SHOWN_CHARACTERS: Final = 64
_NO_NAME: Final = re.compile(r"[\W\d_]*|null|none|nan|n/?a|[+-]?[\d.,]+e[+-]?\d+", re.IGNORECASE)
# What a header calls a column. No e-mail address is one, no number, no row that is not cut at its
# delimiter, and no account number: three digits stand in a row in none.
_NAME: Final = re.compile(r"(?!.*\d{3})[^\W\d]\w*(?:[ -][^\W\d]\w*)*")
# Where the columns that are read have their names, the others have theirs; but for a stray value.
_LIKE_A_VALUE: Final = re.compile(r".*(?:@|\d{3}).*", re.DOTALL)


def quoted(names: Sequence[str]) -> str:
    """Return names of columns or assets for a message: bounded, and unusual ones in quotes."""
    shown = [
        name if re.fullmatch(r"\w(?:[\w .-]*\w)?", name) else repr(name[:_SHOWN_CHARACTERS])
        for name in names[:_SHOWN_NAMES]
    ]
    more = [f"{len(names) - len(shown)} more"] if len(names) > len(shown) else []
    return ", ".join(shown + more)


@dataclass(frozen=True)
class Layout:
    """The columns to read: one balance column if there is an asset column, else one an asset.

    ``debts`` has a name, or None, for each of ``balances``; ``notations`` are by asset. ``present``
    are all columns of the source, and ``types`` those of the ones that are read, once they were
    checked in its first file.
    """

    account: str
    asset: str | None
    balances: tuple[str, ...]
    debts: tuple[str | None, ...]
    notations: tuple[Notation, ...]
    reading: Reading
    present: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, file: str, columns: Columns, assets: Sequence[LedgerAsset]) -> Layout:
        """Lay out the columns of a source for the snapshot's assets, in their order.

        Raises:
            LedgerError: wide columns that are not exactly those of the assets, or one name twice.
        """
        notations = tuple(columns.notation(asset) for asset in assets)
        if isinstance(columns, LongColumns):
            balances: tuple[str, ...] = (columns.balance,)
            layout = cls(columns.account, columns.asset, balances, (None,), notations, columns)
        else:
            codes = [asset.code for asset in assets]
            for code in codes:
                if code not in columns.assets:
                    detail = f"none given for {code}"
                    raise LedgerError(file, Fault.of(Code.MISSING_COLUMN, detail=detail))
            for code, name in (*columns.assets.items(), *columns.debts.items()):
                if code not in codes:
                    raise LedgerError(file, Fault.of(Code.UNKNOWN_ASSET, column=name))
            balances = tuple(columns.assets[code] for code in codes)
            debts = tuple(columns.debts.get(code) for code in codes)
            layout = cls(columns.account, None, balances, debts, notations, columns)
        for name, count in Counter(layout.names).items():
            if count > 1:
                fault = Fault.of(Code.DUPLICATE_COLUMN, column=name, detail="named twice")
                raise LedgerError(file, fault)
        return layout

    @property
    def names(self) -> list[str]:
        """All names: account, asset if any, balances, debts."""
        return [self.account, *([] if self.asset is None else [self.asset]), *self.amounts]

    @property
    def amounts(self) -> list[str]:
        """The names of the columns that hold balances and debts."""
        return [*self.balances, *(name for name in self.debts if name is not None)]

    @property
    def unread(self) -> list[str]:
        """The columns of the source that are not read."""
        read = set(self.names)
        return [name for name in self.present if name not in read]

    def check(self, file: str, present: Sequence[str]) -> None:
        """Require every column to be there once, every other one of a wide layout to be ignored,
        and all of them to be those of the source's first file.

        Raises:
            LedgerError: naming all that are not.
        """
        counts = Counter(present)
        faults = [
            Fault.of(Code.MISSING_COLUMN, column=name, detail=_missing(name, present))
            if not counts[name]
            else Fault.of(Code.DUPLICATE_COLUMN, column=name)
            for name in self.names
            if counts[name] != 1
        ]
        if faults:
            raise LedgerError(file, *faults)
        if self.present and list(present) != self.present:
            detail = f"not the columns of the first part: {_difference(self.present, present)}"
            raise LedgerError(file, Fault.of(Code.OTHER_COLUMNS, detail=detail))
        self.present[:] = present
        reading = self.reading
        left = [
            name
            for name in self.unread
            if not reading.is_ignored(name) and name not in reading.skip
        ]
        if self.asset is None and left:
            detail = f"columns that nothing reads: {_unread(left)}"
            raise LedgerError(file, Fault.of(Code.UNREAD_COLUMN, detail=detail))

    def check_types(self, file: str, types: Sequence[str]) -> None:
        """Require the columns that are read to have the types that the first file has.

        Raises:
            LedgerError: naming all that have not.
        """
        faults = [
            Fault.of(
                Code.OTHER_COLUMNS, column=name, detail=f"of type {kind}; in the first part {first}"
            )
            for name, kind, first in zip(self.names, types, self.types or types, strict=True)
            if kind != first
        ]
        if faults:
            raise LedgerError(file, *faults)
        self.types[:] = types


def _difference(first: Sequence[str], present: Sequence[str]) -> str:
    """Say how columns differ from those of the first file."""
    lacking = [name for name in first if name not in present]
    more = [name for name in present if name not in first]
    said = [f"without {_unread(lacking)}"] if lacking else []
    said += [f"with {_unread(more)}"] if more else []
    return ", ".join(said) or "in another order"


def _unread(columns: Sequence[str]) -> str:
    """Name columns, but for those whose names may be a customer's."""
    values = (_LIKE_A_VALUE, _NO_NAME)
    named = [name for name in columns if not any(form.fullmatch(name) for form in values)]
    said = [quoted(named)] if named else []
    if len(named) < len(columns):
        said.append(f"{len(columns) - len(named)} whose names look like an id or an amount")
    return " and ".join(said)


def _missing(name: str, present: Sequence[str]) -> str:
    """Say what stands in place of a column, unless the first row may be a customer's.

    A customer's has a balance: a number, or nothing. An index without a name stands first.
    """
    rest = present[1:] if present[:1] == [""] else present
    if not any(other.strip() for other in rest):
        return "the first row is empty"
    if any(_NO_NAME.fullmatch(other.strip()) for other in rest):
        return "not in the source; is its first row a header?"
    if not all(_NAME.fullmatch(other.strip()) for other in rest):
        count = f"{len(present)} columns" if len(present) > 1 else "1 column"
        return f"not in the source, whose first row has {count}; is it a header?"
    for other in present:
        if other.strip().lower() == name.strip().lower():
            how = "spaces" if other.strip() == name.strip() else "letters"
            return f"the source has {other!r}: other {how}"
    return f"the source has {quoted(present)}"


@dataclass(frozen=True)
class Batch:
    """Consecutive rows. Columns are ``pyarrow.BinaryArray`` without nulls (a null is empty).

    ``rows`` are their numbers: a reader counts those of its file. Balances and debts may be a
    ``Decimal128Array`` without nulls instead. ``debts`` has None where the layout has none.
    ``faults`` are those of rows that are left out, among these or behind them.
    """

    rows: Rows
    accounts: Any
    assets: Any | None
    balances: tuple[Any, ...]
    debts: tuple[Any | None, ...]
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def of(cls, rows: Rows, layout: Layout, columns: dict[str, Any], faults: Faults) -> Batch:
        """Sort the columns of a reader into their roles."""
        filled = {
            name: column.fill_null(b"") if column.null_count else column
            for name, column in columns.items()
        }
        return cls(
            rows,
            filled[layout.account],
            None if layout.asset is None else filled[layout.asset],
            tuple(filled[name] for name in layout.balances),
            tuple(None if name is None else filled[name] for name in layout.debts),
            faults,
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.accounts)

    def moved(self, base: int) -> Batch:
        """Return the same rows with numbers that are greater by ``base``."""
        return replace(self, rows=self.rows + base, faults=self.faults.moved(base))

    def where(self, kept: npt.NDArray[np.bool_]) -> Batch:
        """Return some of the rows (a mask), without the faults of others."""
        mask = pa.array(kept)
        return Batch(
            self.rows[kept],
            self.accounts.filter(mask),
            None if self.assets is None else self.assets.filter(mask),
            tuple(column.filter(mask) for column in self.balances),
            tuple(None if column is None else column.filter(mask) for column in self.debts),
        )


Batches = Generator[Batch, None, None]
"""To be closed by who reads it, which closes the file or the connection."""
