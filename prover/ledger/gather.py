"""From batches of rows to the canonical ledger.

While the source is read, each batch's ids are made unique and canonical, its balances parsed, and
both go to spools: what stays in memory is one batch. An *entry* is a distinct source id of one
batch; rows refer to their entry. In the end all entries are sorted by canonical bytes, equal ones
become one account, and the rows of an asset are added up through the ranks of their entries.
Assets whose balances are written in one notation are parsed together, so that many cost no more
than few, and share one spool, so that they need no more open files. Rows are numbered through all
part files of a source (`prover.ledger.errors.base_of`).

Faults: the first in row order is told first, whatever the size of the batches; within a row the id,
then the asset, then the balances. After it the source is read on for all others, and nothing is
kept of it. Totals are not looked at any more: they are not those of the source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.errors import Code
from prover.ledger.amounts import (
    LIMIT,
    MAX_TERMS,
    TAIL_WORDS,
    Amounts,
    Notation,
    carry,
    net,
    parse_cells,
    settle,
    total,
)
from prover.ledger.asset import LedgerAsset
from prover.ledger.csv_source import read_csv
from prover.ledger.duplicates import find_duplicates, refuse_duplicates
from prover.ledger.errors import Fault, Faults, Kind, LedgerError, Marks
from prover.ledger.identifiers import Canonical, canonical_column
from prover.ledger.ledger import AssetTally, Balances, Ledger, Tally
from prover.ledger.parquet_source import read_parquet
from prover.ledger.parts import parts_of, read_parts
from prover.ledger.ranks import rank_ids
from prover.ledger.readers import Batch, Batches, Layout, Rows, quoted
from prover.ledger.source import (
    CsvSource,
    FileSource,
    LedgerSource,
    ParquetSource,
    SqlSource,
    WideColumns,
)
from prover.ledger.spool import SortedSpool, Spool, TextSpool
from verifier.format.account import IdType
from verifier.format.params import ASSET_CODE
from verifier.ordered import in_order

MAX_ROWS: Final = 1 << 34
"""More rows are refused, before their numbers reach those of another file, or what tails carry
brings a balance below 2^63 to 2^64."""

MAX_ENTRIES: Final = (1 << 32) - 1
"""More entries are refused: each row of the spools names one in four bytes. So many take some
150 GB of memory to sort, and a source in the order of its accounts has one an account."""

Indices = npt.NDArray[np.int32]

_ROW: Final = np.dtype([("entry", "<u4"), ("units", "<u8")])
_TAIL: Final = np.dtype([("entry", "<u4"), ("words", "<u8", (TAIL_WORDS,))])

# Assets that the snapshot lacks, told by name.
_MOST_NAMES: Final = 10_000
_SHOWN_CODES: Final = 20
_ONCE: Final = "a pipe, and assets from the ledger take reading it twice"
_NAME_ASSETS: Final = "write the ledger to a file, or name the assets"
# What looks like a code: 1INCH and 1000000MOG do, an account number such as U10023455 does not.
_CODE: Final = re.compile(r"(?=[0-9]*[A-Z])(?:10*)?(?!.*\d{3})[A-Z0-9]{1,16}")


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
        LedgerError: all faults of the source, by kind.
        ValueError: an asset code twice, or none.
    """
    ordered = sorted(assets)
    codes = [asset.code for asset in ordered]
    if not codes or len(set(codes)) != len(codes):
        raise ValueError("a ledger has one asset or more, each code once")
    files, layout, batches = _open(source, ordered, jobs)
    with ExitStack() as stack:
        gathering = _Gathering(source.name, files, layout, ordered, id_type, work_dir, stack)
        stack.enter_context(closing(batches))
        try:
            for parsed in in_order(gathering.parse, batches, jobs):
                gathering.take(parsed)
                progress(gathering.rows)
        except LedgerError as error:
            raise gathering.with_earlier(error) from None
        return gathering.finish(merge_duplicates, jobs)


def ledger_codes(source: LedgerSource) -> frozenset[str]:
    """Return the codes of assets that occur in a source, or that its columns are named for.

    What is ignored or skipped is left out, and what is no code: reading the source refuses that.

    Raises:
        LedgerError: the source is refused, or cannot be read twice.
    """
    columns = source.columns
    if isinstance(columns, WideColumns):
        return frozenset(columns.assets)
    if isinstance(source, FileSource) and source.is_pipe:
        fault = Fault.of(Code.UNREADABLE, detail=_ONCE, remedy=_NAME_ASSETS)
        raise LedgerError(source.name, fault)
    found: set[str] = set()
    _, _, batches = _open(source, (), 1)
    with closing(batches):
        for batch in batches:
            for value in batch.assets.unique().to_pylist() if batch.assets is not None else ():
                name = value.decode(errors="replace")
                code = columns.name_of(name)
                if code is None or name in columns.skip or columns.is_ignored(name):
                    continue
                if ASSET_CODE.fullmatch(code) and len(found) < _MOST_NAMES:
                    found.add(code)
    return frozenset(found)


def _open(
    source: LedgerSource, assets: Sequence[LedgerAsset], jobs: int
) -> tuple[Sequence[str], Layout, Batches]:
    """Return what the files of a source are called, its layout, and its rows."""
    layout = Layout.of(source.name, source.columns, assets)
    if isinstance(source, SqlSource):
        from prover.ledger.sql_source import read_sql  # a fifth of a second that few need

        return [source.name], layout, read_sql(source, layout)

    def read(part: CsvSource | ParquetSource) -> Batches:
        if isinstance(part, CsvSource):
            return read_csv(part, layout, jobs)
        return read_parquet(part, layout, jobs)

    parts = parts_of(source)
    return [part.name for part in parts], layout, read_parts(source, parts, read)


@dataclass(frozen=True)
class _Part:
    """Balances in a batch, the rows (0-based) they stand in, ascending, and the assets of these."""

    rows: Rows
    assets: Indices
    column: str
    amounts: Amounts


@dataclass(frozen=True)
class _Cells:
    """Cells of a batch in one notation: their rows and assets, their balances and debts."""

    rows: Rows
    assets: Indices
    column: str
    balances: Any
    notation: Notation
    debt_column: str | None = None
    debts: Any | None = None

    def parse(self, marks: Marks) -> Amounts:
        """Return what is owed in each row; note rows that are refused, counted in the batch."""
        found: Marks = {}
        amounts = parse_cells(self.balances, self.notation, self.column, found)
        if self.debt_column is not None:
            debts = parse_cells(self.debts, self.notation, self.debt_column, found)
            amounts = net(amounts, debts)
        for kind, indices in found.items():
            earlier = marks.get(kind, [])  # of another asset in the same column
            marks[kind] = sorted([*earlier, *self.rows[indices].tolist()])
        return amounts


@dataclass(frozen=True)
class _Assets:
    """Which asset each row of a batch is of: its index, -1 where it is unknown.

    Of the names in the source, ``ignored`` and ``skipped`` count the rows that were left out of the
    batch, ``renamed`` those of names that are not their asset's, ``unknown`` those that nobody
    named.
    """

    indices: Indices
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    renamed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Parsed:
    """A batch of ``read`` rows: ``entries[i]`` is the index of row i's id among ``sources``."""

    read: int
    batch: Batch
    entries: npt.NDArray[np.int32]
    sources: Any
    canonical: Canonical
    assets: _Assets
    parts: list[_Part]
    faults: Faults


class _Gathering:
    """All spools of one reading."""

    def __init__(
        self,
        name: str,
        files: Sequence[str],
        layout: Layout,
        assets: Sequence[LedgerAsset],
        id_type: IdType,
        work_dir: Path,
        stack: ExitStack,
    ) -> None:
        def spool(dtype: npt.DTypeLike) -> Spool:
            return stack.enter_context(Spool(work_dir, dtype))

        self.rows = 0
        self._name = name
        self._files = files
        self._layout = layout
        self._assets = tuple(assets)
        self._id_type = id_type
        self._totals = [0] * len(assets)
        self._faults = Faults()
        self._ignored: Counter[str] = Counter()
        self._skipped = Counter(dict.fromkeys(layout.reading.skip, 0))
        self._renamed = Counter(dict.fromkeys(layout.reading.rename, 0))
        self._unknown: Counter[str] = Counter()
        self._names = pa.array([name.encode() for name, _ in _names(layout, assets)], pa.binary())
        self._of_names = np.array([index for _, index in _names(layout, assets)], np.int32)
        self._known = 0
        self._ids = TextSpool(spool("u1"), spool("<u4"))
        self._first_rows = spool("<i8")
        self._changed = spool("<u4")
        self._sources = TextSpool(spool("u1"), spool("<u4"))
        self._balances = SortedSpool(spool(_ROW), len(assets))
        self._tails = SortedSpool(spool(_TAIL), len(assets))

    def take(self, parsed: _Parsed) -> None:
        """Add the next rows to the totals and write them to the spools, or keep their faults.

        Raises:
            LedgerError: too many rows or entries, or a total that is too large before the first
                fault.
        """
        self.rows += parsed.read
        if self.rows > MAX_ROWS:
            self._refuse_length(f"more than {MAX_ROWS:,} rows", "add up the rows of an account")
        _count(self._ignored, parsed.assets.ignored)
        _count(self._unknown, parsed.assets.unknown)
        self._skipped.update(parsed.assets.skipped)
        self._renamed.update(parsed.assets.renamed)
        self._known += sum(len(part.rows) for part in parsed.parts)
        if not self._faults:
            first = parsed.faults.first_row
            if first is None:
                self._add_totals(parsed)
                self._store(parsed)
            else:  # the rows before it are sound one by one, but their total may be too large
                self._add_totals(self.parse(parsed.batch.where(parsed.batch.rows < first)))
        self._faults.merge(parsed.faults)

    def _refuse_length(self, detail: str, remedy: str) -> None:
        fault = Fault.of(Code.TOO_LARGE, detail=detail, remedy=f"{remedy} in the export")
        raise LedgerError(self._name, fault)

    def with_earlier(self, error: LedgerError) -> LedgerError:
        """Return an error of the source that tells first of what was found before it."""
        self._describe_unknown()
        return self._faults.error(self._files, *error.faults) if self._faults else error

    def parse(self, batch: Batch) -> _Parsed:
        """Return a batch with its ids and balances, and its faults; any thread may."""
        whole = batch
        batch, assets = self._assets_of(whole)
        encoded = batch.accounts.dictionary_encode()
        entries = np.asarray(encoded.indices)
        bad: Marks = {}
        canonical = canonical_column(encoded.dictionary, self._id_type, self._layout.account, bad)
        marks = {kind: np.flatnonzero(np.isin(entries, ids)).tolist() for kind, ids in bad.items()}
        if assets.unknown:
            kind = Kind(Code.UNKNOWN_ASSET, self._layout.asset)
            marks[kind] = np.flatnonzero(assets.indices < 0).tolist()
        parts = [
            _Part(cells.rows, cells.assets, cells.column, cells.parse(marks))
            for cells in self._cells(batch, assets.indices)
        ]
        faults = Faults()
        faults.add(marks, batch.rows)
        faults.merge(whole.faults)
        return _Parsed(
            len(whole), batch, entries, encoded.dictionary, canonical, assets, parts, faults
        )

    def _assets_of(self, batch: Batch) -> tuple[Batch, _Assets]:
        """Return the rows whose asset is not ignored, and which it is."""
        reading = self._layout.reading
        if batch.assets is None:
            return batch, _Assets(np.zeros(len(batch), np.int32))
        names = np.asarray(pc.index_in(batch.assets, value_set=self._names).fill_null(-1))
        indices = np.append(self._of_names, np.int32(-1))[names]
        assets = _Assets(indices)
        for name in reading.rename:
            at = self._names.index(name.encode()).as_py()
            assets.renamed[name] += int(np.count_nonzero(names == at))
        if (indices >= 0).all():
            return batch, assets
        others = batch.assets.filter(pa.array(indices < 0)).value_counts()
        left_out = []
        for value, count in zip(*others.flatten(), strict=True):
            name = value.as_py().decode(errors="replace")
            if reading.is_ignored(name) or name in reading.skip:
                counted = assets.skipped if name in reading.skip else assets.ignored
                counted[name] += count.as_py()
                left_out.append(value.as_py())
            else:
                assets.unknown[name] += count.as_py()
        kept = ~np.asarray(pc.is_in(batch.assets, value_set=pa.array(left_out, pa.binary())))
        return batch.where(kept), replace(assets, indices=indices[kept])

    def _cells(self, batch: Batch, indices: Indices) -> Iterator[_Cells]:
        """Give the cells of each column; in the one of a long layout, those of each notation."""
        layout = self._layout
        if batch.assets is None:
            rows = np.arange(len(batch))
            for index, (notation, name, cells, debt, debts) in enumerate(
                zip(
                    layout.notations,
                    layout.balances,
                    batch.balances,
                    layout.debts,
                    batch.debts,
                    strict=True,
                )
            ):
                assets = np.full(len(batch), index, np.int32)
                yield _Cells(rows, assets, name, cells, notation, debt, debts)
            return
        name, cells = layout.balances[0], batch.balances[0]
        notations = list(dict.fromkeys(layout.notations))
        numbers = {notation: number for number, notation in enumerate(notations)}
        by_asset = np.array([*map(numbers.__getitem__, layout.notations), -1])  # -1: unknown
        of_rows = by_asset[indices]
        for number, notation in enumerate(notations):
            rows = np.flatnonzero(of_rows == number)
            yield _Cells(rows, indices[rows], name, cells.take(pa.array(rows)), notation)

    def _describe_unknown(self) -> None:
        """Say which assets are not known."""
        if self._unknown:
            rename = self._layout.reading.rename
            detail = _unknown(self._unknown, self._assets, rename, has_known=self._known > 0)
            self._faults.describe(Code.UNKNOWN_ASSET, detail)

    def _add_totals(self, parsed: _Parsed) -> None:
        """Add to the running totals.

        Raises:
            LedgerError: the first row at which one becomes too large.
        """
        marks: Marks = {}
        for part in parsed.parts:
            for index, more in _sums(part, len(self._assets)):
                before = self._totals[index]
                self._totals[index] += more
                if self._totals[index] >= LIMIT:
                    mine = np.flatnonzero(part.assets == index)
                    running = accumulate(part.amounts.units[mine].tolist(), initial=before)
                    row = mine[sum(1 for value in running if value < LIMIT) - 1]
                    detail = f"the total of {self._assets[index].code} reaches 2^63 ledger units"
                    marks[Kind(Code.TOO_LARGE, part.column, detail)] = [int(part.rows[row])]
        if marks:
            faults = Faults()
            faults.add(marks, parsed.batch.rows)
            raise faults.error(self._files)

    def _store(self, parsed: _Parsed) -> None:
        if len(self._ids) + len(parsed.sources) > MAX_ENTRIES:
            detail = f"more than {MAX_ENTRIES:,} ids, each counted once in a block that is read"
            self._refuse_length(detail, "sort by account")
        entries = parsed.entries + np.int64(len(self._ids))
        first = np.empty(len(parsed.sources), dtype=np.int64)
        first[parsed.entries[::-1]] = np.arange(len(entries))[::-1]
        self._first_rows.append(parsed.batch.rows[first])
        changed = np.flatnonzero(parsed.canonical.changed)
        self._changed.append(changed + len(self._ids))
        self._sources.append(parsed.sources.take(pa.array(changed)))
        self._ids.append(parsed.canonical.ids)
        parts = parsed.parts
        rows = np.empty(sum(len(part.rows) for part in parts), _ROW)
        rows["entry"] = entries[_joined([part.rows for part in parts], np.int64)]
        rows["units"] = _joined([part.amounts.units for part in parts], np.uint64)
        _append(self._balances, rows, _joined([part.assets for part in parts], np.int32))
        at = _joined([part.rows[part.amounts.tail_rows] for part in parts], np.int64)
        rest = np.empty(len(at), _TAIL)
        rest["entry"] = entries[at]
        for word in range(TAIL_WORDS):
            words = [part.amounts.tail_words[:, word] for part in parts]
            rest["words"][:, word] = _joined(words, np.uint64)
        of = [part.assets[part.amounts.tail_rows] for part in parts]
        _append(self._tails, rest, _joined(of, np.int32))

    def finish(self, merge_duplicates: bool, jobs: int) -> Ledger:
        """Sort, make unique and add up.

        Raises:
            LedgerError: the faults of the source; ids that are not to be merged; a total that is
                too large when it is rounded up.
        """
        if self._faults:
            self._describe_unknown()
            raise self._faults.error(self._files)
        ids, offsets, ranks = rank_ids(self._ids.whole(), jobs)
        merged = find_duplicates(ranks, self._first_rows, self._changed.whole(), self._sources)
        if merged and not merge_duplicates:
            refuse_duplicates(self._files, self._layout.account, merged)
        balances, totals, tallies = {}, {}, {}
        sums = _Sums(ranks, len(offsets) - 1)
        for index, asset in enumerate(self._assets):
            balance, named = sums.of(self._balances.pieces(index), self._tails.pieces(index))
            balances[asset.code], totals[asset.code] = balance, total(balance.units)
            tallies[asset.code] = AssetTally(self._balances.count(index), named)
            if totals[asset.code] >= LIMIT:
                detail = f"the total of {asset.code}, rounded up, reaches 2^63 ledger units"
                raise LedgerError(self._name, Fault.of(Code.TOO_LARGE, detail=detail))
        tally = Tally(
            rows=self.rows,
            merged=len(merged),
            unread=tuple(self._layout.unread),
            ignored=dict(sorted(self._ignored.items())),
            skipped=self._all_skipped(),
            renamed=dict(sorted(self._renamed.items())),
            assets=tallies,
        )
        return Ledger(self._id_type, self._assets, ids, offsets, balances, totals, tally)

    def _all_skipped(self) -> dict[str, int]:
        """Return in how many rows each skipped name stood: a column of a wide source in all."""
        if self._layout.asset is not None:
            return dict(sorted(self._skipped.items()))
        there = set(self._layout.unread)
        return {name: self.rows if name in there else 0 for name in sorted(self._skipped)}


class _Sums:
    """Adds up assets, one after the other, in columns of all accounts that are cleared between."""

    def __init__(self, ranks: npt.NDArray[np.uint32], accounts: int) -> None:
        self._ranks = ranks
        self._units = np.zeros(accounts, np.uint64)
        self._named = np.zeros(accounts, np.bool_)
        self._words = np.zeros((TAIL_WORDS, 0), np.uint64)

    def of(self, rows: Iterable[Any], tails: Iterable[Any]) -> tuple[Balances, int]:
        """Return the balances of one asset, and how many accounts have a row."""
        for piece in rows:
            accounts = self._ranks[piece["entry"]]
            self._named[accounts] = True
            np.add.at(self._units, accounts, piece["units"].copy())
        terms = 0
        for piece in tails:
            if not self._words.size:
                self._words = np.zeros((TAIL_WORDS, len(self._units)), np.uint64)
            if terms + len(piece) > MAX_TERMS:
                carry(self._units, self._words)
                terms = 1
            terms += len(piece)
            accounts = self._ranks[piece["entry"]]
            for word, digits in zip(self._words, piece["words"].T, strict=True):
                np.add.at(word, accounts, digits.copy())
        named = np.flatnonzero(self._named)
        units = self._units[named]
        if terms:
            settle(units, self._words[:, named])
            self._words[:, named] = 0
        self._units[named] = 0
        self._named[named] = False
        held = units > 0
        return Balances(named[held].astype(np.uint32), units[held]), len(named)


def _joined(columns: Sequence[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return columns one behind the other; there may be none."""
    return np.concatenate([np.empty(0, kind), *columns])


def _append(spool: SortedSpool, items: npt.NDArray[Any], assets: Indices) -> None:
    """Write items, in the order of their assets and then in their own."""
    order = np.argsort(assets, kind="stable")
    spool.append(items[order], assets[order])


def _sums(part: _Part, assets: int) -> Iterator[tuple[int, int]]:
    """Yield each asset of a part, and the sum of its balances, exactly."""
    low = np.zeros(assets, np.uint64)
    high = np.zeros(assets, np.uint64)
    np.add.at(low, part.assets, part.amounts.units & np.uint64((1 << 32) - 1))
    np.add.at(high, part.assets, part.amounts.units >> np.uint64(32))
    for index in np.flatnonzero(low | high).tolist():
        yield index, (int(high[index]) << 32) + int(low[index])


def _count(names: Counter[str], more: Counter[str]) -> None:
    """Add up rows by asset; a column of something else may hold any number of names."""
    for name, rows in more.items():
        is_kept = name in names or len(names) < _MOST_NAMES
        names[name if is_kept else "(others)"] += rows


def _names(layout: Layout, assets: Sequence[LedgerAsset]) -> list[tuple[str, int]]:
    """Return the names that assets have in the source, each with the number of its asset."""
    reading, numbers = layout.reading, {asset.code: at for at, asset in enumerate(assets)}
    own = [(code, at) for code, at in numbers.items() if reading.name_of(code) == code]
    others = [(name, numbers[code]) for name, code in reading.rename.items() if name != code]
    return own + others


def _unknown(
    names: Collection[str],
    assets: Sequence[LedgerAsset],
    rename: Mapping[str, str],
    *,
    has_known: bool,
) -> str:
    """Return what to say of assets that are not known.

    What looks like no code may be an id or a balance, and so may all that a column holds if no
    value of it is known: it may be the wrong one.
    """
    known = {asset.code for asset in assets}
    codes = sorted(name for name in names if _CODE.fullmatch(name))
    near = [
        f"{name!r} for {code}"
        for name in sorted(names)
        if name not in codes and (code := name.strip().upper()) in known
    ]
    said = [f"with a space, or in small letters: {', '.join(near)}"] if near else []
    merged = sorted(set(rename.values()) & set(names))
    said += [
        f'{code}, which others are renamed to: write {code} = "{code}" in ledger.rename if one of '
        "each is the same"
        for code in merged
    ]
    codes = [code for code in codes if code not in merged]
    shown = quoted(sorted(known)[:_SHOWN_CODES])
    if len(known) > _SHOWN_CODES:
        shown += f" and {len(known) - _SHOWN_CODES:,} more"
    if not has_known:
        return "; ".join([f"no value of this column is one of {shown}", *said])
    if codes:
        said.insert(0, quoted(codes))
    if len(names) > len(near) + len(codes) + len(merged):
        said.append("others, which look like no code")
    return "; ".join([*said, f"the snapshot has {shown}"])
