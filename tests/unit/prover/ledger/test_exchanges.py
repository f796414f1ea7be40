"""Ledgers as exchanges export them: debts beside balances, base units, float noise."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest

from prover.config.snapshot_toml import parse_config
from prover.errors import ProverError
from prover.ledger.amounts import TAIL_WORDS, Amounts, Notation, net, parse
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.gather import read_ledger
from prover.ledger.ledger import Ledger
from prover.ledger.source import CsvSource, LedgerSource, LongColumns, WideColumns
from tests.support.ledger_tables import KINDS, Table, writer
from tests.unit.prover.test_config import FILE, GOOD

ASSETS = (LedgerAsset("BTC", 8), LedgerAsset("ETH", 8))
MARGIN = WideColumns("id", {"BTC": "e_btc", "ETH": "e_eth"}, {"BTC": "d_btc", "ETH": "d_eth"})


def read(
    source: LedgerSource,
    folder: Path,
    assets: Sequence[LedgerAsset] = ASSETS,
    *,
    merge: bool = False,
) -> Ledger:
    return read_ledger(
        source,
        assets,
        "opaque",
        merge_duplicates=merge,
        work_dir=folder,
        progress=lambda rows: None,
    )


def contents(ledger: Ledger) -> Mapping[str, list[int]]:
    return {
        ledger.account_id(i).decode(): [b.of(i) for b in ledger.balances.values()]
        for i in range(len(ledger))
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_debt_lowers_its_own_account_and_asset_alone(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else ""
    rows = [
        ["a", "3", "1.25", "0.5", "0"],
        ["b", "1", "2", "7", "0.00000001"],
        ["c", "0.0", "9", "0", "0.0"],
        ["d", "2", "2", "1e-7", "1.00E-7"],
    ]
    table = Table.of("id e_btc d_btc e_eth d_eth", rows)
    ledger = read(writer(kind, tmp_path, url)(table, MARGIN), tmp_path)
    assert contents(ledger) == {
        "a": [175_000_000, 50_000_000],
        "b": [0, 699_999_999],
        "c": [0, 0],
        "d": [0, 0],
    }


def test_what_is_owed_is_exact_before_it_is_rounded_up(tmp_path: Path) -> None:
    rows = [
        ["a", "0.000000011", "0.000000001", "0", "0"],
        ["b", "0.000000010000000000000001", "0.00000001", "0", "0"],
        ["c", "1", "0.000000000000000000000000000001", "0", "0"],
        ["d", "0.000000004", "0.000000005", "0", "0"],
    ]
    table = Table.of("id e_btc d_btc e_eth d_eth", rows)
    ledger = read(writer("csv", tmp_path, "")(table, MARGIN), tmp_path)
    assert [held for held, _ in contents(ledger).values()] == [1, 1, 100_000_000, 0]


def test_rows_of_one_account_are_netted_one_by_one(tmp_path: Path) -> None:
    """The debt of one row does not lower what another owes, were they even of one account."""
    rows = [["a", "1", "5", "0", "0"], ["a", "3", "1", "0", "0"]]
    table = Table.of("id e_btc d_btc e_eth d_eth", rows)
    ledger = read(writer("csv", tmp_path, "")(table, MARGIN), tmp_path)
    assert contents(ledger) == {"a": [200_000_000, 0]}


def test_an_asset_without_debts(tmp_path: Path) -> None:
    columns = WideColumns(
        "id", {"BTC": "e_btc", "ETH": "e_eth"}, {"ETH": "d_eth"}, ignore=("d_btc",)
    )
    table = Table.of("id e_btc d_btc e_eth d_eth", [["a", "3", "nonsense", "0.5", "0.25"]])
    ledger = read(writer("csv", tmp_path, "")(table, columns), tmp_path)
    assert contents(ledger) == {"a": [300_000_000, 25_000_000]}


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        (["1", "-1", "1", "1"], "d_btc", "negative"),
        (["1", "1", "1", ""], "d_eth", "not-a-number"),
        (["1", "1", "1", "NaN"], "d_eth", "non-finite"),
        (["-0.5", "1", "1", "1"], "e_btc", "negative"),
        (["92233720368.54775808", "92233720368", "1", "1"], "e_btc", "too-large"),
    ],
)
def test_a_faulty_cell_is_named(tmp_path: Path, cells: list[str], column: str, rule: str) -> None:
    rows = [["a", "1", "0", "1", "0"], ["b", *cells], ["c", "x", "x", "x", "x"]]
    table = Table.of("id e_btc d_btc e_eth d_eth", rows)
    with pytest.raises(LedgerError) as caught:
        read(writer("csv", tmp_path, "")(table, MARGIN), tmp_path)
    assert (caught.value.row, caught.value.column, caught.value.rule) == (3, column, rule)


@pytest.mark.parametrize(
    ("names", "rule", "column"),
    [
        ("id e_btc e_eth d_eth", "missing-column", "d_btc"),
        ("id e_btc d_btc d_btc e_eth d_eth", "duplicate-column", "d_btc"),
    ],
)
def test_columns_of_debts(tmp_path: Path, names: str, rule: str, column: str) -> None:
    (tmp_path / "ledger.csv").write_text(names.replace(" ", ",") + "\n")
    with pytest.raises(LedgerError) as caught:
        read(CsvSource(tmp_path / "ledger.csv", MARGIN), tmp_path)
    assert (caught.value.rule, caught.value.column) == (rule, column)


@pytest.mark.parametrize(
    ("debts", "rule", "column"),
    [({"XRP": "d_xrp"}, "unknown-asset", "d_xrp"), ({"BTC": "e_eth"}, "duplicate-column", "e_eth")],
)
def test_impossible_debts(tmp_path: Path, debts: dict[str, str], rule: str, column: str) -> None:
    source = CsvSource(tmp_path / "ledger.csv", WideColumns("id", MARGIN.assets, debts))
    with pytest.raises(LedgerError) as caught:
        read(source, tmp_path)
    assert (caught.value.rule, caught.value.column) == (rule, column)


def test_binance_sample(tmp_path: Path, test_data: Path) -> None:
    """Equity and debt are exact there; the net column is 0 in most rows, else a noisy float."""
    path = test_data / "binance_sample_users.csv"
    assets = [
        LedgerAsset("BNB", 8), LedgerAsset("BTC", 8), LedgerAsset("ETH", 8), LedgerAsset("SHIB", 2)
    ]  # fmt: skip
    codes = [asset.code.lower() for asset in assets]
    columns = WideColumns(
        "id",
        {code.upper(): f"e_{code}" for code in codes},
        {code.upper(): f"d_{code}" for code in codes},
        ignore=("rn", *codes, "vl_*", "m_*", "pm_*", "total_*"),
    )
    found = contents(read(CsvSource(path, columns), tmp_path, assets))
    header, *lines = (line.split(",") for line in path.read_text().splitlines())
    floored = noisy = 0
    for line in lines:
        row = dict(zip(header, line, strict=True))
        for asset, code, units in zip(assets, codes, found[row["id"]], strict=True):
            owed = max(Decimal(row[f"e_{code}"]) - Decimal(row[f"d_{code}"]), Decimal(0))
            assert units == owed * 10**asset.decimals
            floored += Decimal(row[f"e_{code}"]) < Decimal(row[f"d_{code}"])
            noisy += 0 < abs(owed - Decimal(row[code])) < Decimal("1e-9")
    assert len(found) == 100
    assert (floored, noisy) == (113, 14)


def test_noise_of_a_float_costs_a_unit_at_most(tmp_path: Path) -> None:
    rows = [[text, text] for text in ("0.07843069000000008", "0.07843068999999992", "0.07843069")]
    table = Table.of("id btc", rows)
    source = writer("csv", tmp_path, "")(table, WideColumns("id", {"BTC": "btc"}))
    found = contents(read(source, tmp_path, ASSETS[:1]))
    assert [found[text][0] for text, _ in rows] == [7_843_070, 7_843_069, 7_843_069]


def test_gate_layout(tmp_path: Path) -> None:
    """As Gate's: a hashed id, three columns an asset, then prices and a total that are ignored."""
    header = (
        "rn,main_uid_hashed,e_btc,d_btc,btc,e_eth,d_eth,eth,btc_usdt_price,eth_usdt_price,total"
    )
    rows = ["1,00aa,0.0412,0.0,0.0412,0.0,0.0,0.0,97000.1,3000,3996.4", "2,00bb,1,2,-1,7,0,7,,,"]
    (tmp_path / "users.csv").write_text("\n".join([header, *rows]) + "\n")
    columns = WideColumns(
        "main_uid_hashed",
        MARGIN.assets,
        MARGIN.debts,
        ignore=("rn", "btc", "eth", "*_usdt_price", "total"),
    )
    ledger = read(CsvSource(tmp_path / "users.csv", columns), tmp_path)
    assert contents(ledger) == {"00aa": [4_120_000, 0], "00bb": [0, 700_000_000]}


def test_river_layout(tmp_path: Path) -> None:
    """As River's: one asset, no column for it, and balances in satoshi."""
    rows = ["1234,U78,60f8,100000000", "4567,A12,a6c1,523423434", "4321,VE6,9f4d,0"]
    header = "account_number,account_uid,account_nonce,balance"
    (tmp_path / "clients.csv").write_text("\n".join([header, *rows]) + "\n")
    columns = WideColumns(
        "account_number",
        {"BTC": "balance"},
        in_units=True,
        ignore=("account_uid", "account_nonce"),
    )
    ledger = read(CsvSource(tmp_path / "clients.csv", columns), tmp_path, ASSETS[:1])
    assert contents(ledger) == {"1234": [100_000_000], "4321": [0], "4567": [523_423_434]}


def test_long_rows_in_units(tmp_path: Path) -> None:
    columns = LongColumns("id", "asset", "balance", in_units=True)
    rows = [["a", "BTC", "12"], ["a", "ETH", "9223372036854775807"], ["a", "BTC", "1"]]
    table = Table.of("id asset balance", rows)
    ledger = read(writer("csv", tmp_path, "")(table, columns), tmp_path)
    assert contents(ledger) == {"a": [13, 2**63 - 1]}


def test_dapol_sample(tmp_path: Path, test_data: Path) -> None:
    source = CsvSource(
        test_data / "dapol_entities.csv", WideColumns("id", {"BTC": "liability"}, in_units=True)
    )
    found = contents(read(source, tmp_path, ASSETS[:1]))
    assert found["john.doe@example.com"] == [893_267]


def test_net_of_columns() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)

    def column(texts: Sequence[str]) -> Amounts:
        parsed = [parse(text.encode(), Notation(8)) for text in texts]
        rows = np.array([i for i, (_, tail) in enumerate(parsed) if tail], dtype=np.int64)
        words = [[parsed[i][1] // 10**p % 10**10 for p in (20, 10, 0)] for i in rows]
        return Amounts(
            np.array([units for units, _ in parsed], dtype=np.uint64),
            rows,
            np.array(words, dtype=np.uint64).reshape(-1, TAIL_WORDS),
        )

    for _ in range(50):
        texts = [
            [
                f"{rng.choice([0, 1, 92_233_720_368])}."
                f"{rng.choice([0, 1, 10**8 - 1, rng.randrange(10**8)]) % 54_775_808:08}"
                f"{rng.choice(['', '0' * 20 + '1', '9' * 21, f'{rng.randrange(10**21):021}'])}"
                for _ in range(20)
            ]
            for _ in range(2)
        ]
        found = net(column(texts[0]), column(texts[1]))
        tails = dict(zip(found.tail_rows.tolist(), found.tail_words.tolist(), strict=True))
        for row, (balance, debt) in enumerate(zip(*texts, strict=True)):
            owed = max(Fraction(balance) - Fraction(debt), Fraction(0)) * 10**8
            words = tails.get(row, [0, 0, 0])
            rest = sum(Fraction(word, 10 ** (10 * i)) for i, word in enumerate(words, 1))
            assert int(found.units[row]) + rest == owed, f"seed {seed}, {balance} - {debt}"
            assert ceil(owed) == int(found.units[row]) + any(words)
            assert row not in tails or any(words)


WIDE = """layout = "wide"
amounts = "units"
[ledger.columns]
account = "id"
assets = { BTC = "e_btc", USDT = "e_usdt" }
debts = { BTC = "d_btc" }
"""


def config(ledger: str) -> LedgerSource:
    start, end = GOOD.index('layout = "long"'), GOOD.index("[chains.ethereum]")
    return parse_config(FILE, (GOOD[:start] + ledger + GOOD[end:]).encode()).ledger


def test_configuration() -> None:
    assert config(WIDE) == CsvSource(
        Path("/snapshots/ledger.csv"),
        WideColumns("id", {"BTC": "e_btc", "USDT": "e_usdt"}, {"BTC": "d_btc"}, in_units=True),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units", "cents", "ledger.amounts: must be coins or units"),
        (
            "debts = { BTC",
            "debts = { XRP",
            "ledger.columns.debts.XRP: not an asset of the snapshot",
        ),
        ('"d_btc"', "1", "ledger.columns.debts.BTC: must be text"),
    ],
)
def test_configuration_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ProverError, match=message):
        config(WIDE.replace(old, new))
