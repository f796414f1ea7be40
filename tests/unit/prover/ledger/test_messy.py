"""Ledgers as exporters really write them: what is taken, what is refused, and in which words."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from prover.ledger import csv_source, gather
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.gather import read_ledger
from prover.ledger.ledger import Ledger
from prover.ledger.source import (
    Columns,
    CsvSource,
    LedgerSource,
    LongColumns,
    ParquetSource,
    SqlSource,
    WideColumns,
)
from tests.support.ledger_tables import KINDS, Table, Writer, writer

ASSETS = (LedgerAsset("BTC", 8), LedgerAsset("ETH", 6))
LONG = LongColumns("id", "asset", "balance")
WIDE = WideColumns("id", {"BTC": "b", "ETH": "e"})


@pytest.fixture(params=KINDS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    kind = request.param
    url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""
    return writer(kind, tmp_path, url)


def read(
    source: LedgerSource,
    folder: Path,
    assets: Sequence[LedgerAsset] = ASSETS,
    jobs: int = 1,
) -> Ledger:
    return read_ledger(
        source,
        assets,
        "opaque",
        merge_duplicates=False,
        work_dir=folder,
        progress=lambda rows: None,
        jobs=jobs,
    )


def refused(source: LedgerSource, folder: Path, jobs: int = 1) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read(source, folder, jobs=jobs)
    return caught.value


def csv_file(folder: Path, content: str | bytes, columns: Columns = LONG) -> CsvSource:
    path = folder / "ledger.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource(path, columns)


def held(ledger: Ledger) -> dict[str, list[int]]:
    return {
        ledger.account_id(i).decode(): [b.of(i) for b in ledger.balances.values()]
        for i in range(len(ledger))
    }


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("-0", 0),
        ("-0.00000000", 0),
        ("-.0", 0),
        ("-0.", 0),
        ("-0e5", 0),
        ("-0E-8", 0),
        ("-000.000", 0),
        (".5", 50_000_000),
        ("0.5", 50_000_000),
        ("5.", 500_000_000),
        ("+1.5", 150_000_000),
        ("+.5", 50_000_000),
        ("+0", 0),
        ("1.e2", 10**10),
        (".5e1", 500_000_000),
    ],
)
def test_numbers_that_mean_one_thing(write: Writer, tmp_path: Path, text: str, units: int) -> None:
    rows = [("a", "BTC", "1"), ("b", "BTC", text), ("c", "BTC", text)]
    found = held(read(write(Table.of("id asset balance", rows), LONG), tmp_path))
    assert [found[name][0] for name in "abc"] == [10**8, units, units]


def test_minus_zero_as_a_real_export_has_it(tmp_path: Path, test_cases: Path) -> None:
    columns = LongColumns("account_id", "asset", "balance")
    source = CsvSource(test_cases / "negative-zero.csv", columns)
    assert held(read(source, tmp_path)) == {"a@mail.example": [0, 0], "b@mail.example": [1, 0]}


UNITS = LongColumns("id", "asset", "balance", in_units=True)


@pytest.mark.parametrize("text", ["1.5", "1.0", "1.", ".5", "1e3", "1E0", "-0.0", "0.00000001"])
def test_a_unit_is_whole(write: Writer, tmp_path: Path, text: str) -> None:
    rows = [("a", "BTC", "1"), ("b", "BTC", text), ("c", "BTC", "7")]
    error = refused(write(Table.of("id asset balance", rows), UNITS), tmp_path)
    assert (error.rule, error.column) == ("not-whole", "balance")
    assert 'ledger.amounts = "coins"' in str(error)


def test_units_without_a_fraction(write: Writer, tmp_path: Path) -> None:
    rows = [("a", "BTC", "+12"), ("b", "ETH", "-0"), ("c", "BTC", "007")]
    source = write(Table.of("id asset balance", rows), UNITS)
    assert held(read(source, tmp_path)) == {"a": [12, 0], "b": [0, 0], "c": [7, 0]}


@pytest.mark.parametrize("kind", [pa.decimal128(20, 2), pa.decimal256(60, 1)])
def test_a_column_of_fractions_is_not_of_units(tmp_path: Path, kind: pa.DataType) -> None:
    cells = {"id": ["a"], "b": pa.array([Decimal(5)], kind), "e": pa.array([1])}
    pa.parquet.write_table(pa.table(cells), tmp_path / "ledger.parquet")
    source = ParquetSource(tmp_path / "ledger.parquet", replace(WIDE, in_units=True))
    error = refused(source, tmp_path)
    assert (error.rule, error.row, error.column) == ("not-whole", None, "b")
    whole = {**cells, "b": pa.array([5]).cast(pa.decimal128(38, 0))}
    pa.parquet.write_table(pa.table(whole), tmp_path / "ledger.parquet")
    assert held(read(source, tmp_path)) == {"a": [5, 1]}


WEI = replace(UNITS, source_decimals={"ETH": 18})


def test_decimals_of_the_source_are_not_those_of_the_ledger(write: Writer, tmp_path: Path) -> None:
    """A ledger in wei has more ether than 2^63 wei; it is rounded up once per account."""
    rows = [
        ("a", "ETH", "1000000000000000001"),
        ("a", "ETH", "999999999999"),
        ("b", "ETH", "25000000000000000000000"),
        ("c", "ETH", "1"),
        ("c", "BTC", "3"),
        ("d", "ETH", "600000000000"),
        ("d", "ETH", "400000000000"),
        ("e", "ETH", "0"),
    ]
    source = write(Table.of("id asset balance", rows), WEI)
    assert held(read(source, tmp_path)) == {
        "a": [0, 1_000_001],
        "b": [0, 25_000 * 10**6],
        "c": [3, 1],
        "d": [0, 1],
        "e": [0, 0],
    }


@pytest.mark.parametrize(
    ("source_decimals", "decimals"), [(30, 0), (30, 18), (0, 18), (18, 8), (2, 8), (8, 8)]
)
def test_any_decimals_of_the_source(
    tmp_path: Path, source_decimals: int, decimals: int, write: Writer
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    digits = min(38, 18 - decimals + source_decimals)
    amounts = [rng.randrange(10 ** rng.randrange(digits + 1)) for _ in range(60)]
    rows = [(f"{n % 20}", str(amount)) for n, amount in enumerate(amounts)]
    columns = WideColumns("id", {"X": "x"}, in_units=True, source_decimals={"X": source_decimals})
    ledger = read(write(Table.of("id x", rows), columns), tmp_path, [LedgerAsset("X", decimals)])
    expected = {
        str(name): [-(-sum(amounts[name::20]) * 10**decimals // 10**source_decimals)]
        for name in range(20)
    }
    assert held(ledger) == expected, f"seed {seed}"


def test_decimals_of_the_source_in_binary_columns(tmp_path: Path) -> None:
    for kind in (pa.int64(), pa.uint64(), pa.decimal128(38, 0), pa.decimal256(40, 0)):
        cells = {"id": ["a", "b"], "b": [1, 2], "e": pa.array([10**12, 1]).cast(kind)}
        pa.parquet.write_table(pa.table(cells), tmp_path / "ledger.parquet")
        columns = replace(WIDE, in_units=True, source_decimals={"ETH": 18})
        source = ParquetSource(tmp_path / "ledger.parquet", columns)
        assert held(read(source, tmp_path)) == {"a": [1, 1], "b": [2, 1]}


def test_an_empty_balance_is_zero_if_it_is_set_so(write: Writer, tmp_path: Path) -> None:
    columns = WideColumns("id", {"BTC": "b", "ETH": "e"}, {"ETH": "d"})
    rows = [("a", "", "1", ""), ("b", "2", "", ""), ("c", "", "3", "1")]
    table = Table.of("id b e d", rows)
    error = refused(write(table, columns), tmp_path)
    assert [(f.kind.column, list(f.rows), f.count) for f in error.faults] == [
        ("b", error.faults[0].rows, 2),
        ("d", error.faults[1].rows, 2),
        ("e", error.faults[2].rows, 1),
    ]
    assert "ledger.empty_is_zero = true" in str(error)
    ledger = read(write(table, replace(columns, empty_is_zero=True)), tmp_path)
    assert held(ledger) == {"a": [0, 10**6], "b": [2 * 10**8, 0], "c": [0, 2 * 10**6]}
    units = replace(columns, empty_is_zero=True, in_units=True)
    assert held(read(write(table, units), tmp_path)) == {"a": [0, 1], "b": [2, 0], "c": [0, 2]}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    lines = ["id,asset,balance", '"a,1",BTC,1', "b2,BTC,2"]
    text = "".join(
        line.replace(",", delimiter).replace(f"a{delimiter}1", "a,1") + "\n" for line in lines
    )
    source = csv_file(tmp_path, text)
    error = refused(source, tmp_path)
    assert error.rule == "missing-column"
    shown = "\\t" if delimiter == "\t" else delimiter
    assert f'set ledger.delimiter = "{shown}"' in str(error)
    found = held(read(replace(source, delimiter=delimiter), tmp_path))
    assert list(found) == ["a,1", "b2"]


def test_all_faults_of_a_source_are_told_at_once(write: Writer, tmp_path: Path) -> None:
    rows = [("a", "BTC", "1")] * 100
    rows[10:40] = [("a", "BTC", "1,5")] * 30
    rows[50] = ("", "BTC", "1")
    rows[60:62] = [("a", "XRP", "1"), ("a", "SOL", "1")]
    rows[70] = ("a", "BTC", "-1")
    source = write(Table.of("id asset balance", rows), LONG)
    error = refused(source, tmp_path, jobs=2)
    first = 2 if isinstance(source, CsvSource) else 1
    assert [(f.kind.rule, f.kind.column, f.rows[0] - first, f.count) for f in error.faults] == [
        ("not-a-number", "balance", 10, 30),
        ("empty-id", "id", 50, 1),
        ("unknown-asset", "asset", 60, 2),
        ("negative", "balance", 70, 1),
    ]
    assert error.faults[0].rows == [first + row for row in range(10, 20)]
    lines = str(error).splitlines()
    assert len(lines) == 4
    listed = ", ".join(str(first + row) for row in range(10, 20))
    assert lines[0].endswith(
        f"a comma); write a point, and group no digits; 30 rows: {listed}, ..."
    )
    assert "unknown-asset (SOL, XRP; the snapshot has BTC, ETH); add it" in lines[2]


def test_fifty_unknown_assets_are_one_run(write: Writer, tmp_path: Path) -> None:
    codes = [f"C{n}" for n in range(50)]
    rows = [("a", code, "1") for code in ["BTC", *codes]]
    said = str(refused(write(Table.of("id asset balance", rows), LONG), tmp_path))
    assert f"({', '.join(sorted(codes))}; the snapshot has BTC, ETH)" in said
    assert "ledger.ignore" in said


@pytest.mark.parametrize(
    ("asset", "said"),
    [
        ("BTC ", "with a space, or in small letters: 'BTC ' for BTC"),
        ("btc", "with a space, or in small letters: 'btc' for BTC"),
        ("alice@example.com", "others, which look like no code"),
        ("12.5", "others, which look like no code"),
    ],
)
def test_an_asset_is_named_only_if_it_looks_like_one(
    write: Writer, tmp_path: Path, asset: str, said: str
) -> None:
    rows = [("a", "BTC", "1"), ("b", asset, "1")]
    error = refused(write(Table.of("id asset balance", rows), LONG), tmp_path)
    assert said in error.detail
    assert "alice" not in str(error)
    assert "12.5" not in str(error)


def test_a_column_of_the_wrong_meaning_is_not_repeated(write: Writer, tmp_path: Path) -> None:
    """Ids in the column of assets: those in capital letters look like codes."""
    rows = [("BTC", "ALICE7", "1"), ("BTC", "BOB12", "2")]
    error = refused(write(Table.of("id asset balance", rows), LONG), tmp_path)
    assert error.rule == "unknown-asset"
    assert error.detail == "no value of this column is one of BTC, ETH"
    assert "ALICE" not in str(error)
    rows = [("a", "btc", "1"), ("b", "eth ", "2")]
    error = refused(write(Table.of("id asset balance", rows), LONG), tmp_path)
    assert error.detail.endswith("with a space, or in small letters: 'btc' for BTC, 'eth ' for ETH")


def test_assets_that_are_ignored(write: Writer, tmp_path: Path) -> None:
    rows = [
        ("a", "BTC", "1"),
        ("only-test", "TESTBTC", "-5"),
        ("", "SOL", "x"),
        ("a", "SOL", "1"),
        ("b", "ETH", "2"),
    ]
    columns = replace(LONG, ignore=("TEST*", "SOL"))
    ledger = read(write(Table.of("id asset balance", rows), columns), tmp_path)
    assert held(ledger) == {"a": [10**8, 0], "b": [0, 2 * 10**6]}
    assert dict(ledger.tally.ignored) == {"SOL": 2, "TESTBTC": 1}
    assert ledger.tally.rows == 5
    faulty = write(Table.of("id asset balance", [*rows, ("c", "BTC", "-1")]), columns)
    error = refused(faulty, tmp_path)
    assert (error.rule, error.row) == ("negative", 7 if isinstance(faulty, CsvSource) else 6)


def test_wide_columns_that_nothing_reads(write: Writer, tmp_path: Path) -> None:
    table = Table.of("id b e sol note v_1 v_2", [("a", "1", "1", "5", "x", "y", "z")])
    error = refused(write(table, WIDE), tmp_path)
    assert error.rule == "unread-column"
    assert "sol, note, v_1, v_2" in error.detail
    assert "sol" in str(refused(write(table, replace(WIDE, ignore=("note", "v_*"))), tmp_path))
    ledger = read(write(table, replace(WIDE, ignore=("note", "v_*", "sol"))), tmp_path)
    assert ledger.tally.unread == ("sol", "note", "v_1", "v_2")


def test_what_was_counted(write: Writer, tmp_path: Path) -> None:
    rows = [
        ("a", "BTC", "1", "x"),
        ("a", "BTC", "2", "y"),
        ("b", "BTC", "0", ""),
        ("b", "ETH", "1", ""),
    ]
    tally = read(write(Table.of("id asset balance note", rows), LONG), tmp_path).tally
    assert (tally.rows, tally.merged, tally.unread) == (4, 0, ("note",))
    counted = {code: (asset.rows, asset.accounts) for code, asset in tally.assets.items()}
    assert counted == {"BTC": (3, 2), "ETH": (1, 1)}


HEADER = "id,name,asset,balance\n"


def rows_of(names: dict[int, str], count: int = 1000) -> str:
    """Rows 2 to ``count`` + 1 of an export that quotes nothing."""
    return "".join(f"u{row},{names.get(row, 'Ann')},BTC,1\n" for row in range(2, count + 2))


@pytest.mark.parametrize("block_bytes", [1 << 20, 1 << 14, 600])
@pytest.mark.parametrize(
    ("names", "rule", "row"),
    [
        ({2: '"Ann', 402: '"Cy"'}, "bad-quote", 2),
        ({2: '"Ann', 402: 'Bob"'}, "bad-quote", 2),
        ({7: '"Ann', 8: 'Bob"'}, "bad-quote", 7),
        ({7: '"Ann', 8: '""Bob', 20: 'Cy"'}, "bad-quote", 7),
        ({7: 'Jo "the boss" Smith'}, "bad-quote", 7),
        ({7: 'Jo"'}, "bad-quote", 7),
        ({7: '"Jo" Smith'}, "bad-quote", 7),
        ({7: '"Jo"Smith"'}, "bad-quote", 7),
        ({7: '"Jo" '}, "bad-quote", 7),
        ({7: '"'}, "truncated", 7),
        ({7: '""""'}, None, None),
        ({7: '""'}, None, None),
        ({7: '"Jo ""the boss"" Smith"'}, None, None),
        ({7: '"one, two"'}, None, None),
        ({7: '"12 Long Road\nTown"'}, None, None),
        ({7: '"12 Long Road, Town\r\nCounty, Land\n"'}, None, None),
        ({7: '"a ""b,c\n"" d"'}, None, None),
    ],
)
def test_quotes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: dict[int, str],
    rule: str | None,
    row: int | None,
    block_bytes: int,
) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
    source = csv_file(tmp_path, HEADER + rows_of(names))
    for jobs in (1, 2):
        if rule is None:
            assert len(read(source, tmp_path, jobs=jobs)) == 1000
            continue
        error = refused(source, tmp_path, jobs=jobs)
        if block_bytes == 600 and 402 in names:  # no row may be longer
            rule = "truncated"
        assert (error.rule, error.row) == (rule, row)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_rows_of_another_width_are_all_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_break: str
) -> None:
    rows = rows_of({}, 60).splitlines()
    rows[3], rows[20], rows[21], rows[30] = (
        "u5,Ann,BTC",
        "u22,Smith, Ann,BTC,1",
        "u23,a,b,BTC,1",
        "",
    )
    rows[40] = "u42,Ann,BTC,-1"
    text = "".join(line + line_break for line in [HEADER.strip(), *rows])
    for block_bytes in (100, 700, 1 << 20):
        monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
        error = refused(csv_file(tmp_path, text), tmp_path)
        assert [(f.kind.rule, f.kind.detail, list(f.rows)) for f in error.faults] == [
            ("truncated", "3 values, where the header has 4", [5]),
            ("truncated", "5 values, where the header has 4", [22, 23]),
            ("empty-id", "a blank line", [32]),
            ("negative", "", [42]),
        ]


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\r"])
def test_line_breaks_at_the_edge_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_break: bytes
) -> None:
    text = (HEADER + rows_of({5: '"a\nb"'}, 30)).encode().replace(b"\n", line_break)
    for block_bytes in range(len(HEADER) - 1, 70):
        monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
        assert len(read(csv_file(tmp_path, text), tmp_path)) == 30


@pytest.mark.parametrize(
    ("content", "name", "rule", "said"),
    [
        (gzip.compress(b"id,asset,balance\n", mtime=0), "l.csv", "wrong-format", "gzip"),
        (b"id,asset,balance\n", "l.csv.gz", "wrong-format", ".gz is packed"),
        (b"BZh91AY&SY", "l.csv", "wrong-format", "bzip2"),
        (b"\xfd7zXZ\0", "l.csv", "wrong-format", "xz"),
        (b"\x28\xb5\x2f\xfd", "l.csv", "wrong-format", "Zstandard"),
        (b"x", "l.csv.br", "wrong-format", ".br is packed"),
        (b"]\x00\x00\x80", "l.csv", "wrong-format", "LZMA"),
        (b'[{"id":"a"}]', "l.csv", "wrong-format", "JSON"),
        (b"PK\x03\x04", "l.xlsx", "wrong-format", "Excel"),
        (b"PAR1\x15\x04", "l.csv", "wrong-format", 'format = "parquet"'),
        ("id,asset,balance\n".encode("utf-16"), "l.csv", "bad-unicode", "UTF-16"),
        ("id,asset,balance\n".encode("utf-16-le"), "l.csv", "bad-unicode", "UTF-16"),
        ("id,asset,balance\n".encode("utf-32"), "l.csv", "bad-unicode", "UTF-16"),
        ("größe,asset,balance\n".encode("latin-1"), "l.csv", "bad-unicode", "iconv"),
    ],
)
def test_files_of_another_format(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    content: bytes,
    name: str,
    rule: str,
    said: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = refused(CsvSource(path, LONG), tmp_path)
    assert error.rule == rule
    assert said in str(error)
    assert capfd.readouterr() == ("", "")


def test_text_that_begins_as_a_format_does_is_read(tmp_path: Path) -> None:
    for name in ("BZh9", "PAR1", "SQLite format 3"):
        columns = LongColumns(name, "asset", "balance")
        path = tmp_path / "ledger.xls"
        path.write_text(f"{name},asset,balance\na,BTC,1\n")
        assert held(read(CsvSource(path, columns), tmp_path)) == {"a": [10**8, 0]}


def test_columns_of_one_name_that_nothing_reads(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "id,x,x,asset,balance\na,1,2,BTC,1\n")
    assert held(read(source, tmp_path)) == {"a": [10**8, 0]}


def test_names_that_are_kept_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "_MOST_NAMES", 3)
    rows = "".join(f"a,X{n % 5},1\n" for n in range(20))
    source = csv_file(tmp_path, "id,asset,balance\na,BTC,1\n" + rows, replace(LONG, ignore=("*",)))
    assert read(source, tmp_path).tally.ignored == {"X0": 4, "X1": 4, "X2": 4, "(others)": 8}
    error = refused(replace(source, columns=LONG), tmp_path)
    assert error.faults[0].count == 20
    assert error.detail == "X0, X1, X2; others, which look like no code; the snapshot has BTC, ETH"


def test_a_row_that_is_not_utf8_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a column that is not read, in an id, and in a row of another width."""
    rows = b"id,name,asset,balance\na,Jos\xe9,BTC,1\nJos\xe9,x,BTC,1\nb,Jos\xe9, Jr,BTC,2\n"
    error = refused(csv_file(tmp_path, rows), tmp_path)
    assert [(f.kind.rule, f.kind.column, list(f.rows)) for f in error.faults] == [
        ("bad-unicode", "id", [3]),
        ("truncated", None, [4]),
    ]
    assert "Jos" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_no_parquet_file(tmp_path: Path) -> None:
    for content in (b"id,asset,balance\n", gzip.compress(b"PAR1")):
        (tmp_path / "ledger.parquet").write_bytes(content)
        error = refused(ParquetSource(tmp_path / "ledger.parquet", LONG), tmp_path)
        assert error.rule == "wrong-format"
        assert 'format = "csv"' in str(error)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id ,asset,balance", "'id ': other spaces"),
        ("ID,asset,balance", "'ID': other letters"),
        ("number,asset,balance", "the source has number, asset, balance"),
        ("Konto Nr,asset,Wert-in-BTC", "the source has Konto Nr, asset, Wert-in-BTC"),
        ('number,asset,"Balance, in BTC"', "whose first row has 3 columns; is it a header?"),
        ("  ,,", "the first row is empty"),
        (",number,asset,balance", "the source has '', number, asset, balance"),
    ],
)
def test_a_missing_column_is_told_beside_what_is_there(
    tmp_path: Path, header: str, said: str
) -> None:
    error = refused(csv_file(tmp_path, f"{header}\nalice,BTC,1\n"), tmp_path)
    assert (error.rule, error.column) == ("missing-column", "id")
    assert said in error.detail


@pytest.mark.parametrize("balance", ["1.5", "1e-7", "NULL", "", "+3", "0"])
def test_a_first_row_that_is_a_customers_is_not_repeated(tmp_path: Path, balance: str) -> None:
    error = refused(csv_file(tmp_path, f"alice,BTC,{balance}\nbob,BTC,1\n"), tmp_path)
    assert error.rule == "missing-column"
    assert "is its first row a header?" in str(error)
    assert not [word for word in ("alice", "1.5", "1e-7") if word in str(error)]


@pytest.mark.parametrize(
    "row",
    [
        "alice@example.org;BTC;0.25",
        "alice@example.org\tBTC\t0.25",
        "alice|BTC|0.25",
        "alice@example.org BTC 0.25",
        "id=alice asset=BTC balance=0.25",
        "id,asset,alice@example.org",
        "U1002345,BTC,much",
    ],
)
def test_a_first_row_of_another_form_is_not_repeated(tmp_path: Path, row: str) -> None:
    error = refused(csv_file(tmp_path, f"{row}\nbob,BTC,1\n"), tmp_path)
    assert error.rule == "missing-column"
    assert not [word for word in ("alice", "0.25", "U1002345") if word in str(error)]


def test_a_column_that_nothing_reads_is_not_named_if_its_name_may_be_an_id(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("id,b,e,fee (BTC),alice@example.org,U1002345,12.5\na,1,1,0,0,0,0\n")
    detail = refused(CsvSource(path, WIDE), tmp_path).detail
    assert "fee (BTC)" in detail
    assert "3 whose names look like an id" in detail
    assert not [value for value in ("alice", "U10", "12.5") if value in detail]


def test_an_unknown_asset_is_not_told_if_it_may_be_an_account(tmp_path: Path) -> None:
    rows = "id,asset,balance\na,BTC,1\nBTC,U10023455,1\nb,1INCH,1\nc,1000000MOG,1\n"
    detail = refused(csv_file(tmp_path, rows), tmp_path).detail
    assert "1000000MOG, 1INCH; others, which look like no code" in detail
    assert "U10" not in detail


def test_an_id_that_turns_the_direction_of_writing_is_told_by_row(tmp_path: Path) -> None:
    for point in "\u200e\u061c\u202e\u2066":
        error = refused(
            csv_file(tmp_path, f"id,asset,balance\na,BTC,1\nb{point}c,BTC,1\n"), tmp_path
        )
        assert (error.rule, list(error.faults[0].rows)) == ("bad-id", [3])
        assert "turns the direction of writing" in error.detail


def test_every_column_of_another_type_is_named(tmp_path: Path) -> None:
    cells = {"id": ["a"], "b": pa.array([1.5]), "e": pa.array([True])}
    pa.parquet.write_table(pa.table(cells), tmp_path / "ledger.parquet")
    error = refused(ParquetSource(tmp_path / "ledger.parquet", WIDE), tmp_path)
    assert [(f.kind.rule, f.kind.column) for f in error.faults] == [
        ("not-exact", "b"),
        ("not-a-number", "e"),
    ]


def test_values_of_another_type_do_not_hide_other_faults(tmp_path: Path) -> None:
    query = " UNION ALL ".join(
        [
            "SELECT 'a' AS id, '1' AS b, '1' AS e",
            "SELECT 'b', 1.5, '1'",
            "SELECT 'c', '1', '-1'",
            "SELECT 'd', 1.5, '1'",
        ]
    )
    error = refused(SqlSource("sqlite://", query, WIDE), tmp_path)
    assert [(f.kind.rule, f.kind.column, list(f.rows)) for f in error.faults] == [
        ("not-exact", "b", [2, 4]),
        ("negative", "e", [3]),
    ]


def test_assets_of_another_type_beside_unknown_ones(tmp_path: Path) -> None:
    query = " UNION ALL ".join(
        [
            "SELECT 'a' AS id, 'BTC' AS asset, '1' AS balance",
            "SELECT 'b', 1.5, '1'",
            "SELECT 'c', 'XRP', '1'",
        ]
    )
    error = refused(SqlSource("sqlite://", query, LONG), tmp_path)
    assert [(f.kind.detail, list(f.rows)) for f in error.faults] == [
        ("of type float", [2]),
        ("XRP; the snapshot has BTC, ETH", [3]),
    ]


def test_rows_of_another_width_beside_ignored_assets(tmp_path: Path) -> None:
    text = "id,asset,balance\na,BTC,1\nb,XRP\nc,SOL,1\nd,BTC,1,1\n"
    error = refused(csv_file(tmp_path, text, replace(LONG, ignore=("SOL",))), tmp_path)
    assert [list(f.rows) for f in error.faults] == [[3], [5]]


def test_a_database_that_is_not_found_is_told_how_to_name_one(tmp_path: Path) -> None:
    for url in ("nosuchdb://u:hunter2@h/d", "hunter2", "postgresql+psycopg2://u:hunter2@h/d"):
        error = refused(SqlSource(url, "SELECT 1", LONG), tmp_path)
        assert error.rule == "unreadable"
        assert "postgresql+psycopg://USER@HOST/DATABASE" in str(error)
        assert "hunter2" not in str(error)
