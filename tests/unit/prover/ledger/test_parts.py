"""Folders of part files: the same as one file, or refused with the part's name and row."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from prover.ledger import csv_source, gather, parquet_source, parts, spool
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.gather import MAX_ROWS, ledger_codes, read_ledger
from prover.ledger.ledger import Ledger
from prover.ledger.saved import save_ledger
from prover.ledger.source import (
    CsvSource,
    LedgerSource,
    LongColumns,
    ParquetSource,
    WideColumns,
)
from tests.support.ledger_tables import Table, write_csv, write_parquet, write_parts
from verifier.format.account import IdType

ASSETS = (LedgerAsset("BTC", 8), LedgerAsset("ETH", 6))
LONG = LongColumns("id", "asset", "balance", ignore=("TEST*",))
NAMES = "id asset balance note"
SECRETS = ("alice", "ALICE", "73519")


def read(
    source: LedgerSource,
    work_dir: Path,
    id_type: IdType = "email",
    *,
    merge: bool = True,
    jobs: int = 1,
) -> Ledger:
    return read_ledger(
        source,
        ASSETS,
        id_type,
        merge_duplicates=merge,
        work_dir=work_dir,
        progress=lambda rows: None,
        jobs=jobs,
    )


def refused(source: LedgerSource, work_dir: Path, *, merge: bool = True) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read(source, work_dir, merge=merge)
    assert not [word for word in SECRETS if word in str(caught.value)]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def places(error: LedgerError) -> list[tuple[str, str, list[int]]]:
    """Return rule, file and rows of all faults."""
    return [
        (str(fault.kind.rule), Path(fault.files[0]).name, list(fault.rows))
        for fault in error.faults
    ]


def folder_of(path: Path, **files: str) -> CsvSource:
    """Write parts of CSV, ``a`` as ``a.csv``."""
    path.mkdir()
    for name, rows in files.items():
        (path / f"{name}.csv").write_text(f"id,asset,balance\n{rows}")
    return CsvSource(path, LONG)


# Sums of 0.000000009, 0.000000001 and so on become whole only over parts; ids are written in
# several ways, and amounts of an account stand in all parts.
ROWS = [
    [
        f"{'ALICE' if number % 3 else 'alice'}{number % 11}@x",
        asset,
        f"{number}.{number % 10:0>9}7",
        "n",
    ]
    for number in range(60)
    for asset in ("BTC", "ETH", "TESTBTC")
]


@pytest.mark.parametrize("as_csv", [True, False])
@pytest.mark.parametrize(
    "bounds", [[], [0, 1, 1, 100], [7, 14, 59, 60, 179], list(range(0, 180, 3))]
)
def test_parts_are_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounds: list[int], as_csv: bool
) -> None:
    table = Table.of(NAMES, ROWS)
    write = write_csv if as_csv else write_parquet
    save_ledger(read(write(tmp_path, table, LONG), tmp_path), tmp_path / "one")
    source = write_parts(tmp_path, table, LONG, bounds, as_csv=as_csv)
    part = next(source.path.iterdir()).name
    for mark in ("_SUCCESS", "._SUCCESS.crc", "_metadata", "_committed_8", f".{part}.crc"):
        (source.path / mark).write_bytes(b"not read")
    assert ledger_codes(source) == {"BTC", "ETH"}
    for jobs in (1, 2):
        monkeypatch.setattr(csv_source, "BLOCK_BYTES", 1 << (7 * jobs))
        monkeypatch.setattr(parquet_source, "BATCH_ROWS", 5 * jobs)
        monkeypatch.setattr(spool, "_PIECE_ITEMS", 3)
        monkeypatch.setattr(gather, "MAX_TERMS", 4)
        frozen = tmp_path / f"frozen-{jobs}"
        save_ledger(read(source, tmp_path, jobs=jobs), frozen)
        names = sorted(path.name for path in (tmp_path / "one").iterdir())
        assert filecmp.cmpfiles(tmp_path / "one", frozen, names, shallow=False) == (names, [], [])
        assert sorted(path.name for path in frozen.iterdir()) == names


def test_parts_have_the_order_of_the_bytes_of_their_names(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", B="", a="", **{"a-10": "", "a-9": "", "é": "x,BTC,x\n"})
    names = [part.path.name for part in parts.parts_of(source)]
    assert names == ["B.csv", "a-10.csv", "a-9.csv", "a.csv", "é.csv"]
    assert places(refused(source, tmp_path))[0][1] == "é.csv"


def test_a_part_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "away.csv").write_text("id,asset,balance\na@x,BTC,1\n")
    source = folder_of(tmp_path / "p", b="a@x,BTC,2\n")
    (source.path / "a.csv").symlink_to(tmp_path / "away.csv")
    assert read(source, tmp_path).totals["BTC"] == 3 * 10**8


def test_the_first_fault_of_all_parts_is_told_first(tmp_path: Path) -> None:
    source = folder_of(
        tmp_path / "p",
        a="a@x,BTC,1\n",
        b="a@x,BTC,1\na@x,BTC,-73519\n",
        c="alice,BTC,-73519\n",
        d="\n".join(["a@x,BTC,-1"] * 9) + "\nalice,BTC,1\n",
    )
    error = refused(source, tmp_path)
    assert (error.file, error.row, error.column) == (str(source.path / "b.csv"), 3, "balance")
    assert places(error) == [
        ("negative", "b.csv", [3, 2, *range(2, 10)]),
        ("bad-id", "c.csv", [2, 11]),
    ]
    first, second = str(error).splitlines()
    assert first.startswith(f"{source.path}/b.csv, row 3, column balance: negative (below zero); ")
    assert first.endswith("; 11 rows: 3; in c.csv 2; in d.csv 2, 3, 4, 5, 6, 7, 8, 9, ...")
    assert second.endswith("; 2 rows: 2; in d.csv 11")


def test_a_part_that_ends_the_reading_is_told_behind_the_faults_before(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n", b="a@x,BTC,x\n", c='a@x,BTC,"1\n', d="x")
    assert places(refused(source, tmp_path)) == [
        ("not-a-number", "b.csv", [2]),
        ("truncated", "c.csv", [2]),
    ]


def test_rows_that_are_no_rows_are_told_with_their_part(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n", b="a@x,BTC,1\na@x,BTC\n\n")
    assert places(refused(source, tmp_path)) == [
        ("truncated", "b.csv", [3]),
        ("empty-id", "b.csv", [4]),
    ]


def test_a_total_that_is_too_large_over_parts(tmp_path: Path) -> None:
    half = "a@x,BTC,50000000000\n"
    error = refused(folder_of(tmp_path / "p", a=half, b="b@x,BTC,1\n" + half), tmp_path)
    assert places(error) == [("too-large", "b.csv", [3])]


def test_two_ways_of_writing_an_id_are_told_with_their_parts(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="c@x,BTC,1\nalice@x,BTC,1\n", b="ALICE@x,BTC,1\n")
    error = refused(source, tmp_path, merge=False)
    assert places(error) == [("duplicate-id", "b.csv", [2])]
    assert (
        "1 written in several ways and not to be merged: row 2 of b.csv as row 3 of a.csv"
        in str(error)
    )


def test_parts_with_other_columns(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n")
    for header, words in (
        ("id,asset,balance,note", "with note"),
        ("balance,asset,id", "in another order"),
        ("id,asset,balance,alice@x", "with 1 whose names look like an id or an amount"),
    ):
        (source.path / "b.csv").write_text(f"{header}\na@x,BTC,1\n")
        error = refused(source, tmp_path)
        assert places(error) == [("other-columns", "b.csv", [])]
        assert f"not the columns of the first part: {words})" in str(error)
    (source.path / "b.csv").write_text("alice@x,BTC,73519\n")
    error = refused(source, tmp_path)
    assert places(error)[0] == ("missing-column", "b.csv", [])


def test_a_part_without_the_column_of_an_asset(tmp_path: Path) -> None:
    wide = WideColumns("id", {"BTC": "b", "ETH": "e"}, ignore=("*",))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.csv").write_text("id,b,e,note\na@x,1,1,\n")
    (tmp_path / "p" / "b.csv").write_text("id,b,note\nb@x,1,\n")
    error = refused(CsvSource(tmp_path / "p", wide), tmp_path)
    assert (error.file, str(error.rule)) == (str(tmp_path / "p" / "b.csv"), "missing-column")


def test_parts_with_other_types(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    names = NAMES.split()[:3]
    kinds = (pa.decimal128(38, 8), pa.decimal128(38, 8), pa.string())
    for number, kind in enumerate(kinds):
        cells = [
            pa.array(["a@x"]),
            pa.array(["BTC"]).dictionary_encode(),
            pa.array(["1"]).cast(kind),
        ]
        if number:
            cells[1] = cells[1].cast(pa.string())
        pa.parquet.write_table(pa.table(cells, names), tmp_path / "p" / f"{number}.parquet")
    source = ParquetSource(tmp_path / "p", LONG)
    error = refused(source, tmp_path)
    assert (*places(error), error.column) == (("other-columns", "2.parquet", []), "balance")
    (tmp_path / "p" / "2.parquet").unlink()
    assert read(source, tmp_path).totals["BTC"] == 2 * 10**8


def make_folder(path: Path) -> None:
    path.mkdir()


def link_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def link_folder(path: Path) -> None:
    path.symlink_to(path.parent.parent, target_is_directory=True)


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("part-1.csv.gz", Path.touch, r"wrong-format \(a name that does not end in .csv\); unpack"),
        ("part-1", Path.touch, r"wrong-format .*name it \*.csv if it is a part"),
        ("part-1.csv~", Path.touch, "wrong-format .*move it away"),
        ("part-1.parquet", Path.touch, 'wrong-format .*set ledger.format = "parquet", or move'),
        (".part-1.csv", Path.touch, "wrong-format .*hidden, and it may be a part"),
        (".part-1.parquet.Xa2b3c", Path.touch, "wrong-format .*hidden, and it may be a part"),
        ("_part-0001", Path.touch, "wrong-format .*hidden, and it may be a part"),
        ("_part.tsv", Path.touch, "wrong-format .*hidden, and it may be a part"),
        (".part-0001.gz", Path.touch, "wrong-format .*hidden, and it may be a part"),
        (".a.crc", Path.touch, "wrong-format .*hidden, and it may be a part"),
        ("a.csv.crc", Path.touch, "wrong-format .*move it away"),
        ("_temporary", make_folder, "truncated .*not finished.*let the export finish"),
        ("more", make_folder, "wrong-format .*a folder among part files.*into one folder"),
        ("_delta_log", make_folder, "wrong-format .*a folder among part files"),
        ("asset=BTC", make_folder, "asset=…: wrong-format .*without partitions"),
        ("id=alice@x", make_folder, "id=…: wrong-format .*without partitions"),
        ("links.csv", link_folder, "wrong-format .*a folder among part files"),
        ("part-1.csv", link_nowhere, "unreadable .*neither a file nor a link to one"),
        ("part-1.csv", os.mkfifo, "unreadable .*neither a file nor a link to one"),
        ("_pipe", os.mkfifo, "unreadable .*neither a file nor a link to one"),
    ],
)
def test_what_may_be_a_part_is_not_left_out(
    tmp_path: Path, name: str, make: Callable[[Path], None], words: str
) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n")
    make(source.path / name)
    error = refused(source, tmp_path)
    with pytest.raises(LedgerError, match=words):
        raise error
    with pytest.raises(LedgerError, match=words):
        ledger_codes(source)


def test_all_that_is_no_part_is_told_at_once(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n")
    for number in range(3):
        (source.path / f"id={number}").mkdir()
    (source.path / "z.txt").touch()
    assert len(str(refused(source, tmp_path)).splitlines()) == 2


def test_a_folder_without_a_part(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p")
    for _ in range(2):
        error = refused(source, tmp_path)
        assert (error.file, str(error.rule), error.row) == (source.name, "unreadable", None)
        assert "a folder without a file that ends in .csv); correct ledger.path, or" in str(error)
        (source.path / "_SUCCESS").touch()


def test_a_part_without_rows_and_one_without_anything(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "p", a="", b="a@x,BTC,1\n", c="")
    assert read(source, tmp_path).tally.rows == 1
    (source.path / "c.csv").write_bytes(b"")
    assert places(refused(source, tmp_path))[0] == ("missing-column", "c.csv", [])


@pytest.mark.parametrize(
    "change", [lambda path: (path / "c.csv").touch(), lambda path: (path / "b.csv").unlink()]
)
def test_parts_that_come_or_go_meanwhile(tmp_path: Path, change: Callable[[Path], None]) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n", b="a@x,BTC,1\n")
    with pytest.raises(LedgerError, match="came or went while they were read"):
        read_ledger(
            source,
            ASSETS,
            "email",
            merge_duplicates=False,
            work_dir=tmp_path,
            progress=lambda rows: change(source.path) if rows == 1 else None,
        )


def rewrite(path: Path) -> None:
    """Write a file in place with as many bytes."""
    before = path.stat()
    path.write_text(path.read_text().replace("1\n", "0\n"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def replace(path: Path) -> None:
    other = path.parent.with_name("other")
    other.write_text(path.read_text())
    other.replace(path)


@pytest.mark.parametrize("as_folder", [True, False])
@pytest.mark.parametrize("change", [rewrite, replace, Path.unlink])
def test_a_file_that_changes_meanwhile(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    as_folder: bool,
) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 64)
    folder = folder_of(tmp_path / "p", a="a@x,BTC,1\n" * 40).path
    path = folder / "a.csv"

    def meanwhile(rows: int) -> None:
        if path.exists() and not before:
            before.append(rows)
            change(path)

    before: list[int] = []
    with pytest.raises(LedgerError, match=r"came or went|changed while|without a file"):
        read_ledger(
            CsvSource(folder if as_folder else path, LONG),
            ASSETS,
            "email",
            merge_duplicates=False,
            work_dir=tmp_path,
            progress=meanwhile,
        )
    assert before


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_one_part_under_two_names(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\n")
    link(source.path / "b.csv", source.path / "a.csv")
    error = refused(source, tmp_path)
    assert str(error).startswith(f"{source.path}/b.csv: wrong-format (the same file as a.csv); ")


def test_too_many_rows_and_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder_of(tmp_path / "p", a="a@x,BTC,1\na@x,BTC,1\n", b="a@x,BTC,1\na@x,BTC,1\n")
    assert MAX_ROWS == 2**34
    monkeypatch.setattr(gather, "MAX_ROWS", 3)
    error = refused(source, tmp_path)
    assert str(error) == (
        f"{source.path}: too-large (more than 3 rows); add up the rows of an account in the export"
    )
    monkeypatch.setattr(gather, "MAX_ROWS", 4)
    monkeypatch.setattr(gather, "MAX_ENTRIES", 2)
    assert read(source, tmp_path).totals["BTC"] == 4 * 10**8
    monkeypatch.setattr(gather, "MAX_ENTRIES", 1)
    assert "sort by account in the export" in str(refused(source, tmp_path))
