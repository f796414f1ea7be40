"""Ledgers that other projects publish as samples, proved under throw-away keys and audited."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from pathlib import Path

import verifier
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager
from tests.support.exchange_files import own_exchange, public_key


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def ledger_units(balance: str, decimals: int) -> int:
    return int(Decimal(balance).scaleb(decimals).to_integral_value(ROUND_CEILING))


def check(
    config: Path, out: Path, holdings: dict[str, dict[str, str]], decimals: dict[str, int]
) -> None:
    """Prove, audit, and check the packages of some accounts."""
    bundle = make_snapshot(config, out, jobs=2).bundle
    key = public_key(config)
    verifier.audit(bundle, key)
    packager = Packager(out)
    assert len(packager) == len(holdings)
    for account in list(holdings)[::9]:
        package = packager.package(packager.index_of(account))
        report = verifier.check_inclusion(package, bundle, key, account, holdings[account])
        counted = {amount.code: amount.counted for amount in report.amounts}
        assert counted == {
            code: ledger_units(text, decimals[code]) for code, text in holdings[account].items()
        }


WIDE = """
[ledger]
format = "csv"
path = "{path}"
layout = "wide"
ignore = ["*"]
[ledger.columns]
account = "id"
[ledger.columns.assets]
BTC = "e_btc"
ETH = "e_eth"
LINK = "e_shib"
"""


def test_an_exchanges_export_with_a_column_for_each_asset(test_data: Path, tmp_path: Path) -> None:
    path = test_data / "binance_sample_users.csv"
    columns = {"BTC": "e_btc", "ETH": "e_eth", "LINK": "e_shib"}
    holdings = {
        row["id"]: {code: row[column] for code, column in columns.items()} for row in rows(path)
    }
    decimals = dict.fromkeys(columns, 8)
    held = {
        code: sum(ledger_units(held[code], 8) for held in holdings.values()) for code in columns
    }
    config = own_exchange(tmp_path / "exchange", WIDE.format(path=path), held, decimals=decimals)
    check(config, tmp_path / "out", holdings, decimals)


COMBINED = """
[ledger]
format = "csv"
path = "{path}"
layout = "wide"
[ledger.columns]
account = "id"
[ledger.columns.assets]
USDT = "liability"
"""


def test_a_list_of_liabilities_by_email(test_data: Path, tmp_path: Path) -> None:
    path = test_data / "dapol_entities.csv"
    holdings = {row["id"]: {"USDT": row["liability"]} for row in rows(path)}
    decimals = {"USDT": 0}
    held = {"USDT": sum(int(balance["USDT"]) for balance in holdings.values())}
    config = own_exchange(
        tmp_path / "exchange",
        COMBINED.format(path=path),
        held,
        decimals=decimals,
        id_type="email",
    )
    check(config, tmp_path / "out", holdings, decimals)
