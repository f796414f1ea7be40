"""Every rule of a ledger source, with its row and column, in all four kinds of source."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from prover.ledger import csv_source, parquet_source, sql_source
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
from tests.support.ledger_tables import (
    KINDS,
    Table,
    Writer,
    connect,
    csv_bytes,
    write_postgresql,
    writer,
)
from verifier.format.account import IdType

ASSETS = (LedgerAsset("BTC", 8), LedgerAsset("ETH", 6))
LONG = LongColumns("id", "asset", "balance")
WIDE = WideColumns("id", {"BTC": "b", "ETH": "e"})

SECRETS = ("alice", "bob", "73519", "ALICE")


@pytest.fixture(params=KINDS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    kind = request.param
    url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""
    return writer(kind, tmp_path, url)


def read(
    source: LedgerSource,
    work_dir: Path,
    id_type: IdType = "opaque",
    assets: tuple[LedgerAsset, ...] = ASSETS,
) -> Ledger:
    return read_ledger(
        source,
        assets,
        id_type,
        merge_duplicates=False,
        work_dir=work_dir,
        progress=lambda rows: None,
    )


def refused(
    source: LedgerSource,
    work_dir: Path,
    id_type: IdType = "opaque",
    assets: tuple[LedgerAsset, ...] = ASSETS,
) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read(source, work_dir, id_type, assets)
    error = caught.value
    assert error.file == source.name
    # Nothing of the content is repeated, not even by way of the chain of causes.
    assert not [word for word in SECRETS if word in str(error).replace(error.file, "")]
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


def place(error: LedgerError, source: LedgerSource) -> tuple[str, int | None, str | None]:
    """Return rule, row without header, and column."""
    header = 1 if isinstance(source, CsvSource) else 0
    return error.rule, None if error.row is None else error.row - header, error.column


BALANCES = [
    ("-73519", "negative"),
    ("-.5", "negative"),
    ("-0.00000001", "negative"),
    ("-1e-5", "negative"),
    ("NaN", "non-finite"),
    ("nan", "non-finite"),
    ("-NaN", "non-finite"),
    ("sNaN", "non-finite"),
    ("inf", "non-finite"),
    ("-Infinity", "non-finite"),
    ("", "not-a-number"),
    (" 73519", "not-a-number"),
    ("73519 ", "not-a-number"),
    ("+-73519", "not-a-number"),
    ("-+0", "not-a-number"),
    (".", "not-a-number"),
    ("+", "not-a-number"),
    ("-", "not-a-number"),
    (".e1", "not-a-number"),
    ("- 0", "not-a-number"),
    ("73519.5.", "not-a-number"),
    ("$73519", "not-a-number"),
    ("73519 USD", "not-a-number"),
    ("7.3519.1", "not-a-number"),
    ("73,519", "not-a-number"),
    ("73_519", "not-a-number"),
    ("73519\n", "not-a-number"),
    ("0x73519", "not-a-number"),
    ("73519e", "not-a-number"),
    ("73519e1.5", "not-a-number"),
    ("73519e1000", "not-a-number"),
    ("\uff11\u0661", "not-a-number"),
    ("--1", "not-a-number"),
    ("None", "not-a-number"),
    ("1e999", "too-large"),
    ("1e11", "too-large"),
    ("92233720368.54775808", "too-large"),
    ("92233720368547758079999", "too-large"),
    ("0" * 41, "too-large"),
    ("0" * 11 + "." + "0" * 30, "too-large"),
    ("9" * 41, "too-large"),
    ("9" * 4000, "too-large"),
    ("0." + "0" * 30 + "1", "not-exact"),
    ("0." + "0" * 31, "not-exact"),
    ("1e-31", "not-exact"),
    ("1e-999", "not-exact"),
]


@pytest.mark.parametrize(("balance", "rule"), BALANCES)
def test_balance(write: Writer, tmp_path: Path, balance: str, rule: str) -> None:
    rows = [("alice", "BTC", "1.5"), ("bob", "BTC", balance), ("bob", "BTC", "-1")]
    source = write(Table.of("id asset balance", rows), LONG)
    assert place(refused(source, tmp_path), source) == (rule, 2, "balance")


def test_balance_of_a_wide_column(write: Writer, tmp_path: Path) -> None:
    rows = [("alice", "1.5", "1"), ("bob", "1", "-73519"), ("carol", "x", "x")]
    source = write(Table.of("id b e", rows), WIDE)
    assert place(refused(source, tmp_path), source) == ("negative", 2, "e")


CONTROL = "a control character"
NO_EMAIL = "no e-mail address"
NO_PHONE = "not + and 7 to 15 digits"
IDS = [
    (b"", "opaque", "empty-id", ""),
    (b" \t\r\n", "opaque", "empty-id", ""),
    (b"a" * 129, "opaque", "too-long-id", ""),
    (b"\xc3\xa9" * 65, "opaque", "too-long-id", ""),
    (b"alice\x01", "opaque", "bad-id", CONTROL),
    (b"alice\nbob", "opaque", "bad-id", CONTROL),
    ("alice\u0378".encode(), "opaque", "bad-id", "a character that Unicode 15.0 does not have"),
    (b"alice", "email", "bad-id", NO_EMAIL),
    (b"alice@bob@example", "email", "bad-id", NO_EMAIL),
    (b"@alice", "email", "bad-id", NO_EMAIL),
    (b"ALICE@", "email", "bad-id", NO_EMAIL),
    (b"alice bob@example", "email", "bad-id", NO_EMAIL),
    (b"73519735", "phone", "bad-id", NO_PHONE),
    (b"+735197", "phone", "bad-id", NO_PHONE),
    (b"+7351973519735197", "phone", "bad-id", NO_PHONE),
    (b"7351973+5", "phone", "bad-id", NO_PHONE),
    (b"alice\xff", "opaque", "bad-unicode", ""),
    (b"alice\xc3", "opaque", "bad-unicode", ""),
    (b"\xed\xa0\x80", "opaque", "bad-unicode", ""),  # a surrogate
    (b"\xc0\xaf", "opaque", "bad-unicode", ""),  # overlong
]
GOOD_ID: dict[IdType, bytes] = {"opaque": b"Zo\xc3\xab", "email": b"z@z", "phone": b"+1234567"}


@pytest.mark.parametrize(("account", "id_type", "rule", "detail"), IDS)
def test_account_id(
    write: Writer, tmp_path: Path, account: bytes, id_type: IdType, rule: str, detail: str
) -> None:
    good = GOOD_ID[id_type]
    rows = [(good, b"BTC", b"1"), (good, b"ETH", b"2"), (account, b"?", b"-"), (b"", b"", b"")]
    source = write(Table(["id", "asset", "balance"], rows), LONG)
    error = refused(source, tmp_path, id_type)
    assert (*place(error, source), error.detail) == (rule, 3, "id", detail)


@pytest.mark.parametrize("asset", ["", "btc", " BTC", "BTC ", "DOGE", "alice", "BTC\n"])
def test_unknown_asset(write: Writer, tmp_path: Path, asset: str) -> None:
    rows = [("alice", "BTC", "1"), ("alice", asset, "-1"), ("", "ETH", "2")]
    source = write(Table.of("id asset balance", rows), LONG)
    assert place(refused(source, tmp_path), source) == ("unknown-asset", 2, "asset")


def test_ids_that_become_one(write: Writer, tmp_path: Path) -> None:
    rows = [
        ("alice@x", "BTC", "1"),
        ("bob@x", "BTC", "1"),
        ("alice@x", "ETH", "1"),
        ("ALICE@x", "BTC", "1"),
        ("Bob@x", "ETH", "1"),
        ("CAROL@x", "ETH", "1"),
        ("CAROL@x", "BTC", "1"),
        ("dave@x", "BTC", "1"),
        ("Erin@x", "BTC", "1"),
        ("eRin@x", "BTC", "1"),
        (" erin@x", "BTC", "1"),
    ]
    source = write(Table.of("id asset balance", rows), LONG)
    error = refused(source, tmp_path, "email")
    assert place(error, source) == ("duplicate-id", 4, "id")
    header = 1 if isinstance(source, CsvSource) else 0
    pairs = [(4, 1), (5, 2), (10, 9)]
    listed = "; ".join(f"row {a + header} as row {b + header}" for a, b in pairs)
    assert error.detail == f"3 written in several ways and not to be merged: {listed}"


def test_ten_of_many_ids_that_become_one_are_listed(tmp_path: Path) -> None:
    rows = [(name, "1", "1") for i in range(30) for name in (f"a{i}@x", f"A{i}@x")]
    source = writer("csv", tmp_path, "")(Table.of("id b e", rows), WIDE)
    detail = refused(source, tmp_path, "email").detail
    assert detail.startswith("30 written in several ways")
    assert detail.count(" as row ") == 10
    assert detail.endswith("row 21 as row 20")


def test_total_too_large(write: Writer, tmp_path: Path) -> None:
    rows = [("alice", "92233720368", "0"), ("bob", "0.54775807", "0"), ("carol", "0.00000001", "0")]
    source = write(Table.of("id b e", rows), WIDE)
    error = refused(source, tmp_path)
    assert place(error, source) == ("too-large", 3, "b")
    assert error.detail == "the total of BTC reaches 2^63 ledger units"


def test_total_too_large_before_another_fault(write: Writer, tmp_path: Path) -> None:
    rows = [("alice", "BTC", "92233720368"), ("bob", "BTC", "1"), ("bob", "BTC", "-1")]
    source = write(Table.of("id asset balance", rows), LONG)
    assert place(refused(source, tmp_path), source) == ("too-large", 2, "balance")
    source = write(Table.of("id asset balance", [rows[0], rows[2], rows[1]]), LONG)
    assert place(refused(source, tmp_path), source) == ("negative", 2, "balance")


def test_total_too_large_only_when_rounded_up(write: Writer, tmp_path: Path) -> None:
    rows = [("alice", "BTC", "92233720368.547758069"), ("bob", "BTC", "0.000000001")]
    source = write(Table.of("id asset balance", rows), LONG)
    error = refused(source, tmp_path)
    assert place(error, source) == ("too-large", None, None)
    assert error.detail == "the total of BTC, rounded up, reaches 2^63 ledger units"


@pytest.mark.parametrize("missing", ["id", "asset", "balance"])
def test_missing_column(write: Writer, tmp_path: Path, missing: str) -> None:
    names = {"id": "id", "asset": "asset", "balance": "balance"} | {missing: "other"}
    source = write(Table.of(" ".join(names.values()), [("alice", "BTC", "1")]), LONG)
    assert place(refused(source, tmp_path), source) == ("missing-column", None, missing)


@pytest.mark.parametrize("column", ["ID", "id ", "\ufeffid"])
def test_column_name_is_exact(write: Writer, tmp_path: Path, column: str) -> None:
    columns = LongColumns(column, "asset", "balance")
    source = write(Table.of("id asset balance", [("alice", "BTC", "1")]), columns)
    assert place(refused(source, tmp_path), source) == ("missing-column", None, column)


def test_duplicate_column(tmp_path: Path, postgresql_url: str) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("id,asset,balance,balance\nalice,BTC,1,1\n")
    arrays = [pa.array([cell]) for cell in ("alice", "BTC", "1", "1")]
    table = pa.table(arrays, names=["id", "asset", "balance", "balance"])
    pa.parquet.write_table(table, tmp_path / "ledger.parquet")
    query = "SELECT 'alice' AS id, 'BTC' AS asset, 1 AS balance, 2 AS balance"
    for source in (
        CsvSource(path, LONG),
        ParquetSource(tmp_path / "ledger.parquet", LONG),
        SqlSource("sqlite://", query, LONG),
        SqlSource(postgresql_url, query, LONG),
    ):
        assert place(refused(source, tmp_path), source) == ("duplicate-column", None, "balance")


@pytest.mark.parametrize(
    ("columns", "rule", "column"),
    [
        (WideColumns("id", {"BTC": "b"}), "missing-column", None),
        (WideColumns("id", {"BTC": "b", "ETH": "e", "DOGE": "d"}), "unknown-asset", "d"),
        (WideColumns("id", {"BTC": "b", "ETH": "b"}), "duplicate-column", "b"),
        (WideColumns("id", {"BTC": "b", "ETH": "id"}), "duplicate-column", "id"),
        (LongColumns("id", "b", "b"), "duplicate-column", "b"),
    ],
)
def test_columns_that_contradict_the_assets(
    tmp_path: Path, columns: Columns, rule: str, column: str | None
) -> None:
    source = CsvSource(tmp_path / "never-opened.csv", columns)
    assert place(refused(source, tmp_path), source) == (rule, None, column)


CSV_SHAPES = [
    (b"", "missing-column", None),
    (b"id,asset,balance\nalice,BTC,1\nbob,BTC", "truncated", 3),
    (b"id,asset,balance\nalice,BTC,1\nbob,BTC\ncarol,BTC,1\n", "truncated", 3),
    (b"id,asset,balance\nalice,BTC,1\nbob,BTC,1,735\ncarol,BTC,1\n", "truncated", 3),
    (b"id,asset,balance\nalice,BTC,1\nbob\n", "truncated", 3),
    (b'id,asset,balance\nalice,BTC,1\nbob,BTC,"735', "truncated", 3),
    (b'id,asset,balance\nalice,BTC,1\nbob,BTC,"735\n', "truncated", 3),
    (b'id,asset,balance\nalice,BTC,1\n"bob,BTC,735\n', "truncated", 3),
    (b'id,asset,balance\n"alice,BTC,1\nbob,BTC,1\ncarol,BTC,1\n', "truncated", 2),
    (b'id,asset,balance\nalice,BTC,"', "truncated", 2),
    (b"id,asset,balance\nalice,BTC,1\n\nbob,BTC,1\n", "empty-id", 3),
    (b"id,asset,balance\nalice,BTC,1\n\n", "empty-id", 3),
    (b"id,asset,balance\nalice,BTC,-1\nbob,BTC\n", "negative", 2),
    (b'id,asset,balance\nalice,BTC,-1\nbob,BTC,"1', "negative", 2),
    (b"id,asset,balance\nalice,BTC\nbob,BTC,-1\n", "truncated", 2),
    (b'id,asset,balance\n"alice\n",BTC,1\nbob,BTC,-1\n', "negative", 3),
    (b"alice,BTC,1\nbob,BTC,1\n", "missing-column", None),
    (b"id;asset;balance\nalice;BTC;1\n", "missing-column", None),
    (b'"id,asset,balance\nalice,BTC,1\n', "truncated", 1),
    (b"\xff\xfei\0d\0,\0", "bad-unicode", 1),
    ("\ufeffid,asset,balance\nalice,BTC,-1\n".encode(), "negative", 2),
]


@pytest.mark.parametrize("block_bytes", [40, 100, 1 << 20])
@pytest.mark.parametrize(("content", "rule", "row"), CSV_SHAPES)
def test_shape_of_a_csv_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    rule: str,
    row: int | None,
    block_bytes: int,
) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "ledger.csv"
    path.write_bytes(content)
    error = refused(CsvSource(path, LONG), tmp_path)
    assert (error.rule, error.row) == (rule, row)


def test_every_cut_of_a_csv_file(tmp_path: Path) -> None:
    """Refused, but for cuts behind a whole row or behind the quote that closes its last value."""
    content = b'id,asset,balance\n"alice","BTC","12"\n"bob","ETH",0.25\n'
    path = tmp_path / "ledger.csv"
    header, first = content.index(b"\n"), content.index(b'"bob"') - 1
    accepted = {header + 1, first, first + 1}
    for length in range(len(content)):
        path.write_bytes(content[:length])
        source = CsvSource(path, LONG)
        if length in accepted:
            assert len(read(source, tmp_path)) == (length > header + 1)
            continue
        error = refused(source, tmp_path)
        expected: tuple[str, int | None] = ("truncated", 1 + (length > header) + (length > first))
        if length < header:
            expected = ("missing-column", None)
        assert (error.rule, error.row) == expected, length


def test_row_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 64)
    path = tmp_path / "ledger.csv"
    rows = b"alice,BTC,1\n" * 40
    path.write_bytes(b"id,asset,balance\n" + rows + b'"bob' + b"x" * 200 + b'",BTC,1\n' + rows)
    error = refused(CsvSource(path, LONG), tmp_path)
    assert (error.rule, error.row) == ("truncated", 42)


@pytest.mark.parametrize("kept", [0, 3, 4, 11, 12, 0.5, -1])
def test_cut_parquet_file(tmp_path: Path, kept: float) -> None:
    table = Table.of("id asset balance", [(f"alice{i}", "BTC", "1") for i in range(100)])
    source = writer("parquet", tmp_path, "")(table, LONG)
    assert isinstance(source, ParquetSource)
    content = source.path.read_bytes()
    source.path.write_bytes(content[: int(len(content) * kept) if kept == 0.5 else int(kept)])
    error = refused(source, tmp_path)
    assert (error.rule, error.row) == ("truncated", None)


def test_damaged_parquet_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_source, "BATCH_ROWS", 1000)
    arrays = [pa.array([cell % i for i in range(5000)]) for cell in ("alice%d", "BTC%.0s", "%d")]
    path = tmp_path / "ledger.parquet"
    table = pa.table(arrays, names=["id", "asset", "balance"])
    pa.parquet.write_table(
        table, path, row_group_size=1000, compression="none", write_page_checksum=True
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    error = refused(ParquetSource(path, LONG), tmp_path)
    assert (error.rule, error.row, error.column) == ("unreadable", 2001, None)


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (pa.float64(), "not-exact"),
        (pa.float32(), "not-exact"),
        (pa.float16(), "not-exact"),
        (pa.bool_(), "not-a-number"),
        (pa.date32(), "not-a-number"),
        (pa.list_(pa.int64()), "not-a-number"),
        (pa.null(), "not-a-number"),
    ],
)
def test_type_of_a_parquet_balance(tmp_path: Path, kind: pa.DataType, rule: str) -> None:
    path = tmp_path / "ledger.parquet"
    columns = [pa.array(["alice"]), pa.array([1]), pa.nulls(1, kind)]
    pa.parquet.write_table(pa.table(columns, names=["id", "b", "e"]), path)
    source = ParquetSource(path, WIDE)
    assert place(refused(source, tmp_path), source) == (rule, None, "e")


@pytest.mark.parametrize(("column", "rule"), [("id", "bad-id"), ("asset", "unknown-asset")])
def test_type_of_another_parquet_column(tmp_path: Path, column: str, rule: str) -> None:
    path = tmp_path / "ledger.parquet"
    cells = {"id": pa.array(["alice"]), "asset": pa.array(["BTC"]), "balance": pa.array([1])}
    pa.parquet.write_table(pa.table(cells | {column: pa.array([1.5])}), path)
    source = ParquetSource(path, LONG)
    assert place(refused(source, tmp_path), source) == (rule, None, column)


@pytest.mark.parametrize(
    ("column", "rule"),
    [("id", "empty-id"), ("asset", "unknown-asset"), ("balance", "not-a-number")],
)
def test_null(tmp_path: Path, postgresql_url: str, column: str, rule: str) -> None:
    nulled: dict[str, list[str | None]] = {
        "id": ["bob", "alice"],
        "asset": ["BTC", "BTC"],
        "balance": ["1", "1"],
    }
    nulled[column][1] = None
    path = tmp_path / "ledger.parquet"
    pa.parquet.write_table(pa.table(nulled), path)
    values = ["NULL" if cells[1] is None else f"'{cells[1]}'" for cells in nulled.values()]
    query = (
        f"SELECT 'bob' AS id, 'BTC' AS asset, '1' AS balance UNION ALL SELECT {', '.join(values)}"
    )
    for source in (
        ParquetSource(path, LONG),
        SqlSource("sqlite://", query, LONG),
        SqlSource(postgresql_url, query, LONG),
    ):
        assert place(refused(source, tmp_path), source) == (rule, 2, column)


@pytest.mark.parametrize(
    ("balance", "rule"),
    [
        ("CAST(1 AS double precision)", "not-exact"),
        ("CAST(1 AS real)", "not-exact"),
        ("CAST('NaN' AS numeric)", "non-finite"),
        ("CAST('Infinity' AS numeric)", "non-finite"),
        ("-73519", "negative"),
        ("-73519.5", "negative"),
        ("CAST(1 AS numeric(40,35))", "not-exact"),
        ("power(10::numeric, 40)", "too-large"),
        ("true", "not-a-number"),
        ("now()", "not-a-number"),
    ],
)
def test_type_of_a_postgresql_balance(
    tmp_path: Path, postgresql_url: str, balance: str, rule: str
) -> None:
    # A column has one type: what is no number at all stands in the first row.
    query = f"SELECT 'alice' AS id, 1 AS b, 1.5 AS e UNION ALL SELECT 'bob', 1, {balance}"
    if "double" in balance or "real" in balance or "true" in balance or "now" in balance:
        query = f"SELECT 'alice' AS id, 1 AS b, {balance} AS e"
    source = SqlSource(postgresql_url, query, WIDE)
    rule_found, row, column = place(refused(source, tmp_path), source)
    assert (rule_found, row, column) == (rule, query.count("SELECT"), "e")


@pytest.mark.parametrize("account", ["true", "1.5", "now()", "ARRAY['alice']"])
def test_type_of_a_postgresql_id(tmp_path: Path, postgresql_url: str, account: str) -> None:
    query = f"SELECT {account} AS id, 1 AS b, 1 AS e"
    source = SqlSource(postgresql_url, query, WIDE)
    assert place(refused(source, tmp_path), source) == ("bad-id", 1, "id")


def test_type_of_an_sqlite_value(tmp_path: Path) -> None:
    for id_, balance, place_ in [
        ("'alice'", "0.1", ("not-exact", 1, "b")),
        ("'alice'", "CAST('1' AS REAL)", ("not-exact", 1, "b")),
        ("1.5", "1", ("bad-id", 1, "id")),
    ]:
        query = f"SELECT {id_} AS id, {balance} AS b, 1 AS e"
        source = SqlSource("sqlite://", query, WIDE)
        assert place(refused(source, tmp_path), source) == place_


def test_fault_before_a_value_of_another_type(tmp_path: Path, postgresql_url: str) -> None:
    query = "SELECT 'a' AS id, '-1' AS b, '1' AS e UNION ALL SELECT 'b', '1', 1.5"
    source = SqlSource("sqlite://", query, WIDE)
    assert place(refused(source, tmp_path), source) == ("negative", 1, "b")
    query = "SELECT 'a' AS id, '1' AS b, 1.5 AS e UNION ALL SELECT 'b', '-1', '1'"
    source = SqlSource("sqlite://", query, WIDE)
    assert place(refused(source, tmp_path), source) == ("not-exact", 1, "e")


def test_unreadable_file(tmp_path: Path) -> None:
    for source in (
        CsvSource(tmp_path / "none.csv", LONG),
        ParquetSource(tmp_path / "none.parquet", LONG),
        CsvSource(tmp_path, LONG),
    ):
        assert place(refused(source, tmp_path), source) == ("unreadable", None, None)


def test_unreadable_database(tmp_path: Path, postgresql_url: str) -> None:
    query = "SELECT * FROM no_such_table"
    for url, text, said in [
        (postgresql_url, query, "no_such_table"),
        ("sqlite://", query, "no_such_table"),
        (postgresql_url, "SELECT 1/0 AS id, '' AS asset, 1 AS balance", "DivisionByZero"),
        (postgresql_url, "CREATE TEMP TABLE t (x int)", ""),
        ("sqlite://", "CREATE TABLE t (x int)", "returns no rows"),
        ("postgresql+psycopg://bob:hunter2@127.0.0.1:1/x", query, "refused"),
        ("postgresql+psycopg://127.0.0.1:1/x?user=bob&password=hunter2", query, "refused"),
        ("postgresql+psycopg://127.0.0.1:1/x?sslpassword=hunter2", query, ""),
        ("postgresql+psycopg://bob:p@hunter2@127.0.0.1:1/x", query, "%40"),
        ("postgresql+psycopg://bob:hunter2@127.0.0.1:port/x", query, "not a database's URL"),
        ("postgresql+psycopg://bob:hunter2@[::1/x", query, "not a database's URL"),
        ("sqlite:////no/such/folder/x.sqlite", query, "no such file"),
        (f"sqlite:///{tmp_path / 'mistyped.sqlite'}", query, "no such file"),
        ("nosuchdb://bob:hunter2@host/x", query, ""),
        ("hunter2", query, ""),
    ]:
        source = SqlSource(url, text, LONG)
        error = refused(source, tmp_path)
        assert place(error, source) == ("unreadable", None, None) or said == "DivisionByZero"
        assert said in error.detail
        assert "hunter2" not in str(error)
        assert "hunter2" not in repr(source)
    assert not (tmp_path / "mistyped.sqlite").exists()


def test_a_database_error_about_a_row_quotes_no_value(tmp_path: Path, postgresql_url: str) -> None:
    """Whatever its class: a path made of an id, a function that raises what it likes."""
    file = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE t (id TEXT, b TEXT)")
        database.execute("INSERT INTO t VALUES ('ann.hunter2', '[]')")
        database.commit()
    write_postgresql(postgresql_url, Table.of("id asset balance", [("hunter2", "BTC", "1")]), LONG)
    named = "'SELECT * FROM ' || convert_from(id, 'UTF8')"
    for url, query in (
        (f"sqlite:///{file}", "SELECT json_extract(b, '$[' || id || ']') AS id FROM t"),
        (postgresql_url, f"SELECT query_to_xml({named}, true, true, '') AS id FROM ledger"),  # noqa: S608
    ):
        error = refused(SqlSource(url, query, LONG), tmp_path)
        assert error.rule == "unreadable"
        assert "hunter2" not in str(error)


def test_late_database_error_does_not_quote_values(tmp_path: Path, postgresql_url: str) -> None:
    table = Table.of("id asset balance", [("alice", "BTC", "1"), ("bob", "BTC", "x73519")])
    write_postgresql(postgresql_url, table, LONG)
    cast = "convert_from(balance, 'UTF8')::numeric"
    query = f"SELECT id, asset, {cast} AS balance FROM ledger ORDER BY number"  # noqa: S608
    error = refused(SqlSource(postgresql_url, query, LONG), tmp_path)
    assert (error.rule, error.detail) == ("unreadable", "InvalidTextRepresentation")


def test_query_changes_nothing(tmp_path: Path, postgresql_url: str) -> None:
    table = Table.of("id asset balance", [("alice", "BTC", "-1")])
    write_postgresql(postgresql_url, table, LONG)
    query = "WITH gone AS (DELETE FROM ledger RETURNING *) SELECT * FROM gone"
    for text in (query, "SELECT * FROM ledger; DELETE FROM ledger"):
        refused(SqlSource(postgresql_url, text, LONG), tmp_path)
    with connect(postgresql_url) as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchone() == (1,)


def test_first_fault_whatever_the_size_of_batches(
    write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"alice{i}", "BTC" if i % 3 else "ETH", "0.000000001") for i in range(300)]
    rows[211] = ("alice211", "BTC", "-1")
    rows[212] = ("", "ETH", "1")
    rows[250] = ("\x01", "XXX", "x")
    source = write(Table.of("id asset balance", rows), LONG)
    for size in (1, 2, 7, 64, 211, 212, 1000):
        monkeypatch.setattr(csv_source, "BLOCK_BYTES", size * 32 + 40)
        monkeypatch.setattr(parquet_source, "BATCH_ROWS", size)
        monkeypatch.setattr(sql_source, "BATCH_ROWS", size)
        assert place(refused(source, tmp_path), source) == ("negative", 212, "balance")


def test_csv_with_nothing_quoted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    table = Table.of("id asset balance", [("alice", "BTC", "1"), ("bob", "BTC", "-1")])
    path.write_bytes(csv_bytes(table).replace(b'"', b"").replace(b"\n", b"\r\n"))
    source = CsvSource(path, LONG)
    assert place(refused(source, tmp_path), source) == ("negative", 2, "balance")
