"""From a source to batches of columns, in row order, all cells as byte strings.

A reader yields every whole row that stands before a fault of the file and only then raises, so
that the first fault in row order is the one that is reported.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from prover.ledger.errors import LedgerError
from prover.ledger.source import Columns, LedgerAsset, LongColumns


@dataclass(frozen=True)
class Layout:
    """The columns to read: one balance column if there is an asset column, else one an asset.

    ``debts`` has a name, or None, for each of ``balances``.
    """

    account: str
    asset: str | None
    balances: tuple[str, ...]
    debts: tuple[str | None, ...]
    in_units: bool

    @classmethod
    def of(cls, file: str, columns: Columns, assets: Sequence[LedgerAsset]) -> Layout:
        """Lay out the columns of a source for the snapshot's assets, in their order.

        Raises:
            LedgerError: wide columns that are not exactly those of the assets, or one name twice.
        """
        if isinstance(columns, LongColumns):
            layout = cls(
                columns.account, columns.asset, (columns.balance,), (None,), columns.in_units
            )
        else:
            codes = [asset.code for asset in assets]
            for code in codes:
                if code not in columns.assets:
                    raise LedgerError(file, "missing-column", detail=f"none given for {code}")
            for code, name in (*columns.assets.items(), *columns.debts.items()):
                if code not in codes:
                    raise LedgerError(file, "unknown-asset", column=name)
            balances = tuple(columns.assets[code] for code in codes)
            debts = tuple(columns.debts.get(code) for code in codes)
            layout = cls(columns.account, None, balances, debts, columns.in_units)
        for number, name in enumerate(layout.names):
            if name in layout.names[:number]:
                raise LedgerError(file, "duplicate-column", column=name, detail="named twice")
        return layout

    @property
    def names(self) -> list[str]:
        """All names: account, asset if any, balances, debts."""
        return [self.account, *([] if self.asset is None else [self.asset]), *self.amounts]

    @property
    def amounts(self) -> list[str]:
        """The names of the columns that hold balances and debts."""
        return [*self.balances, *(name for name in self.debts if name is not None)]

    def check(self, file: str, present: Sequence[str]) -> None:
        """Require every column to be there once.

        Raises:
            LedgerError: naming the first that is not.
        """
        for name in self.names:
            count = list(present).count(name)
            if count != 1:
                rule = "duplicate-column" if count else "missing-column"
                raise LedgerError(file, rule, column=name)


@dataclass(frozen=True)
class Batch:
    """Consecutive rows. Columns are ``pyarrow.BinaryArray`` without nulls (a null is empty).

    Balances and debts may be a ``Decimal128Array`` without nulls instead. ``debts`` has None where
    the layout has none.
    """

    first_row: int
    accounts: Any
    assets: Any | None
    balances: tuple[Any, ...]
    debts: tuple[Any | None, ...]

    @classmethod
    def of(cls, first_row: int, layout: Layout, columns: dict[str, Any]) -> Batch:
        """Sort the columns of a reader into their roles."""
        filled = {
            name: column.fill_null(b"") if column.null_count else column
            for name, column in columns.items()
        }
        return cls(
            first_row,
            filled[layout.account],
            None if layout.asset is None else filled[layout.asset],
            tuple(filled[name] for name in layout.balances),
            tuple(None if name is None else filled[name] for name in layout.debts),
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.accounts)

    def head(self, rows: int) -> Batch:
        """Return the first ``rows`` rows."""
        return Batch(
            self.first_row,
            self.accounts.slice(0, rows),
            None if self.assets is None else self.assets.slice(0, rows),
            tuple(column.slice(0, rows) for column in self.balances),
            tuple(None if column is None else column.slice(0, rows) for column in self.debts),
        )


Batches = Generator[Batch, None, None]
"""To be closed by who reads it, which closes the file or the connection."""
