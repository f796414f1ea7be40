"""From batches of rows to the canonical ledger.

While the source is read, each batch's ids are made unique and canonical, its balances parsed, and
both go to spools: what stays in memory is one batch. An *entry* is a distinct source id of one
batch; rows refer to their entry. In the end all entries are sorted by canonical bytes, equal ones
become one account, and the rows of an asset are added up through the ranks of their entries.

Faults: the first in row order is raised, whatever the size of the batches; within a row the id,
then the asset, then the balances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.ledger.amounts import (
    LIMIT,
    TAIL_WORDS,
    U64,
    Amounts,
    net,
    parse_cells,
    settle,
    total,
)
from prover.ledger.csv_source import read_csv
from prover.ledger.duplicates import refuse_duplicates
from prover.ledger.errors import CellFault, LedgerError
from prover.ledger.identifiers import Canonical, canonical_column
from prover.ledger.ledger import Ledger
from prover.ledger.parquet_source import read_parquet
from prover.ledger.ranks import rank_ids
from prover.ledger.readers import Batch, Batches, Layout
from prover.ledger.source import CsvSource, LedgerAsset, LedgerSource, ParquetSource
from prover.ledger.spool import Spool, TextSpool
from prover.ordered import in_order
from verifier.account import IdType

MAX_ROWS: Final = 1 << 30
"""More rows are refused: the sums in `prover.ledger.amounts` are exact up to here."""

_ROW: Final = np.dtype([("entry", "<u4"), ("units", "<u8")])
_TAIL: Final = np.dtype([("entry", "<u4"), ("words", "<u8", (TAIL_WORDS,))])

Rows = npt.NDArray[np.int64]


def read_ledger(
    source: LedgerSource,
    assets: Sequence[LedgerAsset],
    id_type: IdType,
    *,
    merge_duplicates: bool,
    work_dir: Path,
    progress: Callable[[int], None],
    jobs: int = 1,
) -> Ledger:
    """Read, check and add up a whole source.

    Rows with one id add up; ids that differ in the source and are one in canonical form add up
    only if ``merge_duplicates``. ``work_dir`` takes temporary files without a name, about as large
    as the source. ``progress`` is called with the number of rows read so far. ``jobs`` is how many
    threads parse and sort.

    Raises:
        LedgerError: the first fault of the source; see its rules.
        ValueError: an asset code twice, or none.
    """
    ordered = sorted(assets)
    codes = [asset.code for asset in ordered]
    if not codes or len(set(codes)) != len(codes):
        raise ValueError("a ledger has one asset or more, each code once")
    file, layout, batches = _open(source, ordered, jobs)
    with ExitStack() as stack:
        gathering = _Gathering(file, layout, ordered, id_type, work_dir, stack)
        stack.enter_context(closing(batches))
        for batch, parsed in in_order(gathering.parse, batches, jobs):
            gathering.take(batch, parsed)
            progress(gathering.rows)
        return gathering.finish(merge_duplicates, jobs)


def _open(
    source: LedgerSource, assets: Sequence[LedgerAsset], jobs: int
) -> tuple[str, Layout, Batches]:
    layout = Layout.of(source.name, source.columns, assets)
    if isinstance(source, CsvSource):
        return source.name, layout, read_csv(source, layout)
    if isinstance(source, ParquetSource):
        return source.name, layout, read_parquet(source, layout, jobs)
    from prover.ledger.sql_source import read_sql  # a fifth of a second that few need

    return source.name, layout, read_sql(source, layout)


@dataclass(frozen=True)
class _Part:
    """The balances of one asset in a batch, and the rows (0-based) they stand in, ascending."""

    rows: Rows
    column: str
    amounts: Amounts


@dataclass(frozen=True)
class _Cells:
    """The cells of one asset in a batch: their rows, and a column of balances and one of debts."""

    rows: Rows
    column: str
    balances: Any
    decimals: int
    debt_column: str | None = None
    debts: Any | None = None

    def parse(self) -> Amounts:
        """Return what is owed in each row.

        Raises:
            CellFault: ``index`` counts the rows of this asset.
        """
        amounts = parse_cells(self.balances, self.decimals, self.column)
        if self.debt_column is None:
            return amounts
        return net(amounts, parse_cells(self.debts, self.decimals, self.debt_column))


@dataclass(frozen=True)
class _Parsed:
    """A batch without faults: ``entries[i]`` is the index of row i's id among ``sources``."""

    entries: npt.NDArray[np.int32]
    sources: Any
    canonical: Canonical
    parts: list[_Part]


class _Gathering:
    """All spools of one reading."""

    def __init__(
        self,
        file: str,
        layout: Layout,
        assets: Sequence[LedgerAsset],
        id_type: IdType,
        work_dir: Path,
        stack: ExitStack,
    ) -> None:
        def spool(dtype: npt.DTypeLike) -> Spool:
            return stack.enter_context(Spool(work_dir, dtype))

        self.rows = 0
        self._file = file
        self._layout = layout
        self._assets = tuple(assets)
        self._id_type = id_type
        self._totals = [0] * len(assets)
        self._ids = TextSpool(spool("u1"), spool("<u4"))
        self._first_rows = spool("<u4")
        self._changed = spool("<u4")
        self._sources = TextSpool(spool("u1"), spool("<u4"))
        self._balances = [spool(_ROW) for _ in assets]
        self._tails = [spool(_TAIL) for _ in assets]

    def parse(self, batch: Batch) -> tuple[Batch, _Parsed | CellFault]:
        """Return a batch with its ids and balances, or with its first fault; any thread may."""
        return batch, self._parse(batch)

    def take(self, batch: Batch, parsed: _Parsed | CellFault) -> None:
        """Add the next rows to the totals and write them to the spools.

        Raises:
            LedgerError: the first fault.
        """
        if self.rows + len(batch) > MAX_ROWS:
            raise LedgerError(self._file, "too-large", detail=f"more than {MAX_ROWS} rows")
        if isinstance(parsed, CellFault):
            # The rows before it are sound one by one, but their total may be too large.
            self.take(*self.parse(batch.head(parsed.index)))
            raise self._located(parsed, batch.first_row)
        excess = self._add_totals(parsed)
        if excess is not None:
            raise self._located(excess, batch.first_row)
        self._store(parsed, batch.first_row)
        self.rows += len(batch)

    def _located(self, fault: CellFault, first_row: int) -> LedgerError:
        return LedgerError(
            self._file,
            fault.rule,
            row=first_row + fault.index,
            column=fault.column,
            detail=fault.detail,
        )

    def _parse(self, batch: Batch) -> _Parsed | CellFault:
        """Read ids and balances of a batch, or return its first fault in row order."""
        faults: list[CellFault] = []
        encoded = batch.accounts.dictionary_encode()
        entries = np.asarray(encoded.indices)
        canonical = None
        try:
            canonical = canonical_column(encoded.dictionary, self._id_type, self._layout.account)
        except CellFault as fault:
            row = int(np.argmax(entries == fault.index))
            faults.append(CellFault(row, fault.column, fault.rule, fault.detail))
        parts = []
        for cells in self._cells(batch, faults):
            try:
                parts.append(_Part(cells.rows, cells.column, cells.parse()))
            except CellFault as fault:
                row = int(cells.rows[fault.index])
                faults.append(CellFault(row, fault.column, fault.rule, fault.detail))
        if faults or canonical is None:
            return min(faults, key=lambda fault: fault.index)
        return _Parsed(entries, encoded.dictionary, canonical, parts)

    def _cells(self, batch: Batch, faults: list[CellFault]) -> Iterator[_Cells]:
        """Give the cells of each asset; note an unknown asset."""
        layout = self._layout
        decimals = [0 if layout.in_units else asset.decimals for asset in self._assets]
        if batch.assets is None:
            rows = np.arange(len(batch))
            for places, name, cells, debt, debts in zip(
                decimals, layout.balances, batch.balances, layout.debts, batch.debts, strict=True
            ):
                yield _Cells(rows, name, cells, places, debt, debts)
            return
        name, cells = layout.balances[0], batch.balances[0]
        codes = pa.array([asset.code.encode() for asset in self._assets], pa.binary())
        indices = np.asarray(pc.index_in(batch.assets, value_set=codes).fill_null(-1))
        unknown = np.flatnonzero(indices < 0)
        if unknown.size:
            faults.append(CellFault(int(unknown[0]), layout.asset or "", "unknown-asset"))
        for index, places in enumerate(decimals):
            rows = np.flatnonzero(indices == index)
            yield _Cells(rows, name, cells.take(pa.array(rows)), places)

    def _add_totals(self, parsed: _Parsed) -> CellFault | None:
        """Add to the running totals; return the first row at which one becomes too large."""
        faults = []
        for index, part in enumerate(parsed.parts):
            before = self._totals[index]
            self._totals[index] += total(part.amounts.units)
            if self._totals[index] >= LIMIT:
                running = accumulate(part.amounts.units.tolist(), initial=before)
                row = sum(1 for value in running if value < LIMIT) - 1
                detail = f"the total of {self._assets[index].code} reaches 2^63 ledger units"
                faults.append(CellFault(int(part.rows[row]), part.column, "too-large", detail))
        return min(faults, key=lambda fault: fault.index, default=None)

    def _store(self, parsed: _Parsed, first_row: int) -> None:
        entries = parsed.entries + np.int64(len(self._ids))
        first = np.empty(len(parsed.sources), dtype=np.int64)
        first[parsed.entries[::-1]] = np.arange(len(entries))[::-1]
        self._first_rows.append(first + first_row)
        changed = np.flatnonzero(parsed.canonical.changed)
        self._changed.append(changed + len(self._ids))
        self._sources.append(parsed.sources.take(pa.array(changed)))
        self._ids.append(parsed.canonical.ids)
        for part, balances, tails in zip(parsed.parts, self._balances, self._tails, strict=True):
            rows = np.empty(len(part.rows), _ROW)
            rows["entry"] = entries[part.rows]
            rows["units"] = part.amounts.units
            balances.append(rows)
            rest = np.empty(len(part.amounts.tail_rows), _TAIL)
            rest["entry"] = entries[part.rows[part.amounts.tail_rows]]
            rest["words"] = part.amounts.tail_words
            tails.append(rest)

    def finish(self, merge_duplicates: bool, jobs: int) -> Ledger:
        """Sort, make unique and add up."""
        ids, offsets, ranks = rank_ids(self._ids.whole(), jobs)
        if not merge_duplicates:
            refuse_duplicates(
                self._file,
                self._layout.account,
                ranks,
                self._first_rows,
                self._changed.whole(),
                self._sources,
            )
        balances, totals = {}, {}
        for index, asset in enumerate(self._assets):
            balance = self._sum(index, ranks, len(offsets) - 1)
            balances[asset.code], totals[asset.code] = balance, total(balance)
            if totals[asset.code] >= LIMIT:
                detail = f"the total of {asset.code}, rounded up, reaches 2^63 ledger units"
                raise LedgerError(self._file, "too-large", detail=detail)
        return Ledger(self._id_type, self._assets, ids, offsets, balances, totals)

    def _sum(self, index: int, ranks: npt.NDArray[np.uint32], accounts: int) -> U64:
        """Return the balances of one asset, in account order."""
        balance = np.zeros(accounts, dtype=np.uint64)
        for piece in self._balances[index].pieces():
            np.add.at(balance, ranks[piece["entry"]], piece["units"].copy())
        if len(self._tails[index]):
            words = np.zeros((TAIL_WORDS, accounts), dtype=np.uint64)
            for piece in self._tails[index].pieces():
                accounts_of = ranks[piece["entry"]]
                for word, digits in zip(words, piece["words"].T, strict=True):
                    np.add.at(word, accounts_of, digits.copy())
            settle(balance, words)
        return balance
