"""One ledger, whatever it is read from; its digest; and its frozen form."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from prover.errors import ProverError
from prover.ledger import csv_source, parquet_source, ranks, spool, sql_source
from prover.ledger import saved as frozen
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.gather import read_ledger
from prover.ledger.ledger import Ledger, count_below, ledger_digest
from prover.ledger.saved import load_ledger, save_ledger
from prover.ledger.source import (
    CsvSource,
    LedgerSource,
    LongColumns,
    ParquetSource,
    SqlSource,
    WideColumns,
)
from prover.ledger.summary import load_summary
from tests.support.ledger_tables import KINDS, Table, connect, write_plain_csv, writer
from verifier.format.account import IdType

ASSETS = (LedgerAsset("USDT", 2), LedgerAsset("BTC", 8), LedgerAsset("ETH", 6))
LONG = LongColumns("id", "asset", "balance")
WIDE = WideColumns("id", {"BTC": "b", "ETH": "e", "USDT": "u"})

Contents = Mapping[str, Sequence[int]]
"""By account id, the balances in ascending order of asset codes."""


def read(
    source: LedgerSource,
    work_dir: Path,
    id_type: IdType = "opaque",
    assets: Sequence[LedgerAsset] = ASSETS,
    merge_duplicates: bool = False,
) -> Ledger:
    return read_ledger(
        source,
        assets,
        id_type,
        merge_duplicates=merge_duplicates,
        work_dir=work_dir,
        progress=lambda rows: None,
    )


def contents(ledger: Ledger) -> Contents:
    found = {
        ledger.account_id(i).decode(): [b.of(i) for b in ledger.balances.values()]
        for i in range(len(ledger))
    }
    assert [name.encode() for name in found] == sorted(name.encode() for name in found)
    assert list(ledger.balances) == [asset.code for asset in ledger.assets] == sorted(ledger.totals)
    for code, balances in ledger.balances.items():
        assert ledger.totals[code] == sum(map(int, balances.units))
        assert balances.units.all()
    return found


def plain_digest(id_type: str, assets: Sequence[LedgerAsset], accounts: Contents) -> bytes:
    """The digest, by the letter of its definition."""

    def lp(text: str) -> bytes:
        return len(text.encode()).to_bytes(4, "big") + text.encode()

    message = lp(id_type) + len(accounts).to_bytes(8, "big")
    ordered = sorted(accounts, key=str.encode)
    message += b"".join(map(lp, ordered))
    for number, asset in enumerate(sorted(assets, key=lambda asset: asset.code)):
        message += lp(asset.code) + asset.decimals.to_bytes(1, "big")
        held = [(place, accounts[name][number]) for place, name in enumerate(ordered)]
        held = [(place, balance) for place, balance in held if balance]
        message += len(held).to_bytes(8, "big")
        message += b"".join(struct.pack(">QQ", *entry) for entry in held)
    tag = hashlib.sha256(b"assay/v1/ledger").digest()
    return hashlib.sha256(tag + tag + message).digest()


def test_one_ledger_from_all_sources(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = 20240607
    print("seed", seed)
    rng = random.Random(seed)
    names = ["zoe", "Zo\u00eb", "alice", "al", "a", "ab\U0001f600", "x" * 128, "alice@example.com"]
    names += [f"user{i:03}" for i in range(150)]
    cells = {name: [str(Decimal(rng.randrange(10**9)) / 10**8) for _ in "beu"] for name in names}
    wide = [(name, *row) for name, row in cells.items()]
    long = [
        (name, code, row[i]) for name, row in cells.items() for i, code in enumerate(WIDE.assets)
    ]
    scale = {"BTC": 8, "ETH": 6, "USDT": 2}
    expected = {
        name: [
            int((Decimal(cell) * 10 ** scale[code]).to_integral_value("ROUND_CEILING"))
            for code, cell in zip(WIDE.assets, row, strict=True)
        ]
        for name, row in cells.items()
    }
    digest = plain_digest("opaque", ASSETS, expected)
    for kind in KINDS:
        write = writer(kind, tmp_path, postgresql_url)
        for table, columns in (("id b e u", WIDE), ("id asset balance", LONG)):
            rows: list[tuple[str, ...]] = list(wide if columns is WIDE else long)
            for size in (5, 64, 10_000):
                monkeypatch.setattr(csv_source, "BLOCK_BYTES", 200 * size)
                monkeypatch.setattr(parquet_source, "BATCH_ROWS", size)
                monkeypatch.setattr(sql_source, "BATCH_ROWS", size)
                monkeypatch.setattr(ranks, "BUCKET", size)
                monkeypatch.setattr(spool, "_PIECE_ITEMS", size)
                rng.shuffle(rows)
                ledger = read(write(Table.of(table, rows), columns), tmp_path)
                assert contents(ledger) == expected
                assert ledger_digest(ledger) == digest


def test_digest_frozen(tmp_path: Path) -> None:
    rows = [("bob", "BTC", "1"), ("alice", "ETH", "0.0000001"), ("Zo\u00eb", "USDT", "3")]
    ledger = read(writer("csv", tmp_path, "")(Table.of("id asset balance", rows), LONG), tmp_path)
    assert ledger_digest(ledger) == plain_digest(
        "opaque", ASSETS, {"bob": [10**8, 0, 0], "alice": [0, 1, 0], "Zo\u00eb": [0, 0, 300]}
    )
    assert ledger_digest(ledger).hex() == (
        "051f79f95f60c2bf82d728d08c3605bfb0ee28eacfac6be56d4c91d9f173f81d"
    )


def test_digest_of_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"{'u' * (i % 40)}{i}", "1", str(i), "0") for i in range(1000)]
    ledger = read(writer("csv", tmp_path, "")(Table.of("id b e u", rows), WIDE), tmp_path)
    whole = ledger_digest(ledger)
    monkeypatch.setattr("prover.ledger.ledger._PIECE_ACCOUNTS", 7)
    assert ledger_digest(ledger) == whole == plain_digest("opaque", ASSETS, contents(ledger))


def test_digest_covers_everything(tmp_path: Path) -> None:
    write = writer("csv", tmp_path, "")
    rows = [("+1234567", "1", "1", "1"), ("+1234568", "1", "1", "1")]
    ledger = read(write(Table.of("id b e u", rows), WIDE), tmp_path)
    more = [*rows, ("+1234569", "0", "0", "0")]
    digests = [
        ledger_digest(ledger),
        ledger_digest(read(write(Table.of("id b e u", rows), WIDE), tmp_path, "phone")),
        ledger_digest(read(write(Table.of("id b e u", more), WIDE), tmp_path)),
        ledger_digest(
            read(
                write(Table.of("id b e u", rows), WIDE),
                tmp_path,
                assets=[ASSETS[0], LedgerAsset("BTC", 9), ASSETS[2]],
            )
        ),
    ]
    assert len(set(digests)) == 4


def test_rows_add_up_exactly_and_round_up_once(tmp_path: Path, postgresql_url: str) -> None:
    rows = [("alice", "BTC", "0.0000000025")] * 4 + [
        ("bob", "BTC", "0.000000001"),
        ("carol", "BTC", "0.078430690000000080000000000000"),
        ("carol", "ETH", "1e-30"),
        ("carol", "ETH", "0.000000999999999999999999999999"),
        ("dave", "BTC", "1E+2"),
        ("dave", "BTC", "1.5e-8"),
        ("dave", "USDT", "0"),
        ("erin", "USDT", "0e5"),
        ("erin", "BTC", "0000000000000000000000000000000000000007"),
        ("frank", "USDT", "92233720368547758.07"),
    ]
    expected = {
        "alice": [1, 0, 0],
        "bob": [1, 0, 0],
        "carol": [7843070, 1, 0],
        "dave": [10**10 + 2, 0, 0],
        "erin": [7 * 10**8, 0, 0],
        "frank": [0, 0, 2**63 - 1],
    }
    for kind in KINDS:
        source = writer(kind, tmp_path, postgresql_url)(Table.of("id asset balance", rows), LONG)
        assert contents(read(source, tmp_path)) == expected


def test_tails_of_many_rows(tmp_path: Path) -> None:
    rows = [("alice", "0." + "9" * 30, "1e-30", "0.010000000000000000000000000001")] * 5000
    source = writer("csv", tmp_path, "")(Table.of("id b e u", rows), WIDE)
    assert contents(read(source, tmp_path)) == {"alice": [5000 * 10**8, 1, 5001]}


def test_eighteen_decimals(tmp_path: Path) -> None:
    rows = [("alice", "9.223372036854775807"), ("bob", "0." + "0" * 29 + "1")]
    source = writer("csv", tmp_path, "")(Table.of("id x", rows[:1]), WideColumns("id", {"X": "x"}))
    ledger = read(source, tmp_path, assets=[LedgerAsset("X", 18)])
    assert contents(ledger) == {"alice": [2**63 - 1]}
    source = writer("csv", tmp_path, "")(Table.of("id x", rows[1:]), WideColumns("id", {"X": "x"}))
    assert contents(read(source, tmp_path, assets=[LedgerAsset("X", 18)])) == {"bob": [1]}
    assert contents(read(source, tmp_path, assets=[LedgerAsset("X", 0)])) == {"bob": [1]}


def test_merged_duplicates(tmp_path: Path, postgresql_url: str) -> None:
    rows = [
        ("alice@x", "1", "0", "0"),
        (" Alice@X", "2", "0", "0"),
        ("ALICE@x\n", "3", "0", "0.001"),
        ("Jose\u0301@x", "4", "0", "0"),
        ("jos\u00e9@x", "5", "0", "0"),
    ]
    for kind in KINDS:
        source = writer(kind, tmp_path, postgresql_url)(Table.of("id b e u", rows), WIDE)
        ledger = read(source, tmp_path, "email", merge_duplicates=True)
        assert contents(ledger) == {
            "alice@x": [6 * 10**8, 0, 1],
            "jos\u00e9@x": [9 * 10**8, 0, 0],
        }


def test_one_spelling_that_is_not_canonical_adds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 64)
    rows = [(name, "1", "0", "0") for name in ("ALICE@x", "bob@x", "Jose\u0301@x") * 40]
    source = writer("csv", tmp_path, "")(Table.of("id b e u", rows), WIDE)
    assert {name: b[0] for name, b in contents(read(source, tmp_path, "email")).items()} == {
        "alice@x": 40 * 10**8,
        "bob@x": 40 * 10**8,
        "jos\u00e9@x": 40 * 10**8,
    }


def test_phone_numbers(tmp_path: Path) -> None:
    names = ["+49 170 123-4567", "+1234567", " +123456789012345\t"]
    rows = [(name, "1", "0", "0") for name in names]
    source = writer("csv", tmp_path, "")(Table.of("id b e u", rows), WIDE)
    assert list(contents(read(source, tmp_path, "phone"))) == [
        "+1234567",
        "+123456789012345",
        "+491701234567",
    ]


def test_no_rows(tmp_path: Path, postgresql_url: str) -> None:
    for kind in KINDS:
        source = writer(kind, tmp_path, postgresql_url)(Table.of("id b e u", []), WIDE)
        ledger = read(source, tmp_path)
        assert contents(ledger) == {}
        assert ledger_digest(ledger) == plain_digest("opaque", ASSETS, {})
        assert count_below(ledger, "alice") == 0
        save_ledger(ledger, tmp_path / kind)
        assert ledger_digest(load_ledger(tmp_path / kind)) == ledger_digest(ledger)


def test_plain_csv(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    rows = [
        ("alice, the first", "1", "0", "0"),
        ('bob "b"', "2", "0", "0"),
        ("carol", "3", "0", "0"),
    ]
    write_plain_csv(path, Table.of("id b e u", rows))
    expected = {"alice, the first": 1, 'bob "b"': 2, "carol": 3}
    for content in (
        path.read_bytes(),
        path.read_bytes().replace(b"\r\n", b"\n"),
        path.read_bytes().replace(b"\r\n", b"\r"),
        b"\xef\xbb\xbf" + path.read_bytes(),
        b"note,id,b,unused,e,u\n"
        + b"".join(
            b'"any\nthing",' + line.replace(b"0,0", b"\xff,0,0") + b"\n"
            for line in path.read_bytes().splitlines()[1:]
        ),
    ):
        path.write_bytes(content)
        ledger = read(CsvSource(path, replace(WIDE, ignore=("note", "unused"))), tmp_path)
        assert {k: v[0] for k, v in contents(ledger).items()} == {
            name: count * 10**8 for name, count in expected.items()
        }


def test_parquet_types(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    decimals = [Decimal("1.5"), Decimal("0.00000001"), Decimal(0)]
    texts = ["1.5", "0.00000001", "0"]
    wholes = [2, 0, 10**11]
    exact: dict[str, list[pa.Array]] = {
        "b": [
            pa.array(decimals, pa.decimal128(38, 8)),
            pa.array(decimals, pa.decimal256(76, 30)),
            pa.array(texts),
            pa.array(texts).dictionary_encode(),
            pa.array(texts, pa.large_string()),
            pa.array(texts, pa.string_view()),
            pa.array([text.encode() for text in texts], pa.large_binary()),
            pa.array(decimals, pa.decimal128(38, 8)).dictionary_encode(),
        ],
        "e": [pa.array(wholes, kind) for kind in (pa.int64(), pa.uint64(), pa.decimal128(20))],
        "id": [
            pa.array(["7", "8", "9"]),
            pa.array(["7", "8", "9"]).dictionary_encode(),
            pa.array([b"7", b"8", b"9"], pa.binary_view()),
            pa.array([7, 8, 9], pa.int32()),
            pa.array([7, 8, 9], pa.uint64()),
        ],
    }
    for column, variants in exact.items():
        for variant in variants:
            cells = {name: arrays[0] for name, arrays in exact.items()} | {column: variant}
            pa.parquet.write_table(pa.table(cells | {"u": pa.array(["0"] * 3)}), path)
            assert contents(read(ParquetSource(path, WIDE), tmp_path)) == {
                "7": [150_000_000, 2 * 10**6, 0],
                "8": [1, 0, 0],
                "9": [0, 10**17, 0],
            }


def test_postgresql_types(tmp_path: Path, postgresql_url: str) -> None:
    with connect(postgresql_url) as connection:
        connection.execute("DROP TABLE IF EXISTS typed")
        connection.execute(
            "CREATE TABLE typed "
            "(id bigint, u uuid, v varchar, b numeric(30, 12), e integer, t text)"
        )
        connection.execute(
            "INSERT INTO typed VALUES "
            "(7, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '100%', 0.000000000001, 3, '1:2'),"
            "(8, 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', 12345678.5, 0, '1:2')"
        )
    for column, names in {
        "id": ["7", "8"],
        "u": [f"{c}0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" for c in "ab"],
        "v": ["100%", "x"],
    }.items():
        # A percent sign, a colon and a cast in the query are the database's business.
        query = (
            f"SELECT {column} AS id, b, e, '0'::text AS u FROM typed "  # noqa: S608
            "WHERE v LIKE '%' AND t = '1:2' ORDER BY typed.id"
        )
        ledger = read(SqlSource(postgresql_url, query, WIDE), tmp_path)
        assert contents(ledger) == {
            names[0]: [1, 3 * 10**6, 0],
            names[1]: [1234567850000000, 0, 0],
        }


def test_database_streams(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_source, "BATCH_ROWS", 7)
    # Inside a query sent by way of a cursor of the server's, that cursor is listed.
    cursors = "(SELECT count(*) FROM pg_cursors)"
    for url, one in ((postgresql_url, cursors), ("sqlite://", "1")):
        query = (
            "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 20) "  # noqa: S608
            f"SELECT i AS id, {one} AS b, 0 AS e, 0 AS u FROM t"
        )
        seen: list[int] = []
        ledger = read_ledger(
            SqlSource(url, query, WIDE),
            ASSETS,
            "opaque",
            merge_duplicates=False,
            work_dir=tmp_path,
            progress=seen.append,
        )
        assert seen == [7, 14, 20]
        assert ledger.totals == {"BTC": 20 * 10**8, "ETH": 0, "USDT": 0}


def test_progress_and_no_trace_in_the_work_folder(tmp_path: Path) -> None:
    source = writer("csv", tmp_path, "")(
        Table.of("id b e u", [(f"u{i}", "1", "1", "1") for i in range(100)]), WIDE
    )
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    seen: list[tuple[int, int]] = []
    read_ledger(
        source,
        ASSETS,
        "opaque",
        merge_duplicates=False,
        work_dir=work_dir,
        progress=lambda rows: seen.append((rows, len(list(work_dir.iterdir())))),
    )
    assert seen[-1] == (100, 0)
    assert not list(work_dir.iterdir())


@pytest.mark.parametrize("assets", [[], [LedgerAsset("BTC", 8), LedgerAsset("BTC", 6)]])
def test_assets_that_are_none_or_twice(tmp_path: Path, assets: list[LedgerAsset]) -> None:
    with pytest.raises(ValueError, match="each code once"):
        read(CsvSource(tmp_path / "x.csv", LONG), tmp_path, assets=assets)


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("", 8), ("btc", 8), ("B" * 17, 8), ("B/..", 8), ("BTC", -1), ("BTC", 19)],
)
def test_impossible_asset(code: str, decimals: int) -> None:
    with pytest.raises(ValueError, match=r"asset code|ledger decimals"):
        LedgerAsset(code, decimals)


def test_binance_sample(tmp_path: Path, test_data: Path) -> None:
    assets = [LedgerAsset("BTC", 8), LedgerAsset("ETH", 6), LedgerAsset("SHIB", 2)]
    path = test_data / "binance_sample_users.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    header = lines[0]
    for prefix in ("e_", ""):
        columns = {asset.code: prefix + asset.code.lower() for asset in assets}
        wide = WideColumns("id", columns, ignore=("*",))
        ledger = read(CsvSource(path, wide), tmp_path, "opaque", assets)
        expected = {
            row[header.index("id")]: [
                int(
                    (
                        Decimal(row[header.index(columns[a.code])]) * 10**a.decimals
                    ).to_integral_value("ROUND_CEILING")
                )
                for a in assets
            ]
            for row in lines[1:]
        }
        assert len(ledger) == 100
        assert contents(ledger) == expected


def test_dapol_sample(tmp_path: Path, test_data: Path) -> None:
    path = test_data / "dapol_entities.csv"
    columns = WideColumns("id", {"USDT": "liability"})
    ledger = read(CsvSource(path, columns), tmp_path, "email", [LedgerAsset("USDT", 6)])
    found = contents(ledger)
    assert found["john.doe@example.com"] == [893267 * 10**6]
    amounts = [int(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
    assert ledger.totals == {"USDT": sum(amounts) * 10**6}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    rows = [(f"user{i}@x", str(i), "0.5", "0") for i in range(500)]
    return read(writer("csv", tmp_path, "")(Table.of("id b e u", rows), WIDE), tmp_path, "email")


def test_accounts_are_found_by_how_many_stand_below(ledger: Ledger, tmp_path: Path) -> None:
    save_ledger(ledger, tmp_path / "frozen")
    for one in (ledger, load_ledger(tmp_path / "frozen")):
        for index, name in enumerate(contents(ledger)):
            assert count_below(one, name) == index
        for name in ("", "user", "user0@", "user0@xx", "user499@y", "zzz", "\u00e9", "User1@x"):
            below = [other for other in contents(ledger) if other.encode() < name.encode()]
            assert count_below(one, name) == len(below)


def test_frozen_ledger(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    save_ledger(ledger, folder)
    assert {path.name for path in folder.iterdir()} == {
        "ids.bin",
        "ids.off",
        "ledger.json",
        "holders.bin",
        "balances.bin",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    loaded = load_ledger(folder)
    assert contents(loaded) == contents(ledger)
    assert ledger_digest(loaded) == ledger_digest(ledger)
    assert (loaded.id_type, loaded.assets, loaded.totals) == (
        ledger.id_type,
        ledger.assets,
        ledger.totals,
    )
    assert isinstance(loaded.ids.base, np.memmap)
    for array in (
        loaded.ids,
        loaded.offsets,
        loaded.balances["BTC"].units,
        ledger.balances["BTC"].holders,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(ProverError, match="nothing is overwritten"):
        save_ledger(ledger, folder)


def test_loading_does_not_read_the_columns(ledger: Ledger, tmp_path: Path) -> None:
    save_ledger(ledger, tmp_path / "frozen")
    size = 1 << 28
    for name, count in (("ids.off", 8), ("holders.bin", 4)):
        path = tmp_path / "frozen" / name
        with path.open("r+b") as file:
            file.truncate(size * count)
    rest = tmp_path / "frozen" / "ledger.json"
    found = json.loads(rest.read_text())
    others = sum(asset["holders"] for asset in found["assets"][1:])
    found["assets"][0]["holders"] = size - others
    rest.write_text(json.dumps(found | {"accounts": size - 1}))
    tracemalloc.start()
    with pytest.raises(LedgerError, match="truncated"):  # the balances are short
        load_ledger(tmp_path / "frozen")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("steps", range(5))
def test_interrupted_save_leaves_nothing_that_loads(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    folder = tmp_path / "frozen"
    write = frozen._write
    done: list[Path] = []

    def interrupted(path: Path, pieces: Iterable[bytes]) -> None:
        if len(done) == steps:
            data = b"".join(pieces)
            path.write_bytes(data[: len(data) // 2])
            raise KeyboardInterrupt
        done.append(path)
        write(path, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(frozen, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_ledger(ledger, folder)
    with pytest.raises(LedgerError, match="unreadable"):
        load_ledger(folder)
    save_ledger(ledger, folder)
    assert ledger_digest(load_ledger(folder)) == ledger_digest(ledger)
    assert {path.name for path in tmp_path.iterdir()} == {"frozen", "ledger.csv"}


@pytest.mark.parametrize(
    "name", ["ids.bin", "ids.off", "holders.bin", "balances.bin", "ledger.json"]
)
def test_damaged_frozen_ledger(ledger: Ledger, tmp_path: Path, name: str) -> None:
    save_ledger(ledger, tmp_path / "frozen")
    path = tmp_path / "frozen" / name
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"x", b""):
        path.write_bytes(content)
        with pytest.raises(LedgerError) as caught:
            load_ledger(tmp_path / "frozen")
        assert caught.value.file == str(path)
    path.unlink()
    with pytest.raises(LedgerError, match="No such file"):
        load_ledger(tmp_path / "frozen")


def test_frozen_ledger_of_another_version(ledger: Ledger, tmp_path: Path) -> None:
    save_ledger(ledger, tmp_path / "frozen")
    path = tmp_path / "frozen" / "ledger.json"
    path.write_text(path.read_text().replace("frozen-ledger/1", "frozen-ledger/2"))
    with pytest.raises(LedgerError, match="another version"):
        load_ledger(tmp_path / "frozen")


@pytest.mark.parametrize("load", [load_ledger, lambda folder: load_summary(folder / "ledger.json")])
def test_what_nests_without_end_is_damaged(
    ledger: Ledger, tmp_path: Path, load: Callable[[Path], object]
) -> None:
    """A library may have raised the interpreter's limit beyond what the stack holds."""
    save_ledger(ledger, tmp_path / "frozen")
    (tmp_path / "frozen" / "ledger.json").write_bytes(b"[" * 400_000)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**7)
    try:
        with pytest.raises((LedgerError, ValueError)):
            load(tmp_path / "frozen")
    finally:
        sys.setrecursionlimit(before)
