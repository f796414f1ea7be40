"""Ledger sources to the one canonical, validated ledger: `read_ledger` and what it returns."""

from __future__ import annotations

from prover.ledger.errors import LedgerError
from prover.ledger.gather import ledger_codes, read_ledger
from prover.ledger.ledger import Balances, Ledger, Tally, find_account, ledger_digest
from prover.ledger.saved import load_ledger, save_ledger
from prover.ledger.source import (
    CsvSource,
    LedgerAsset,
    LedgerSource,
    LongColumns,
    ParquetSource,
    SqlSource,
    WideColumns,
)

__all__ = [
    "Balances",
    "CsvSource",
    "Ledger",
    "LedgerAsset",
    "LedgerError",
    "LedgerSource",
    "LongColumns",
    "ParquetSource",
    "SqlSource",
    "Tally",
    "WideColumns",
    "find_account",
    "ledger_codes",
    "ledger_digest",
    "load_ledger",
    "read_ledger",
    "save_ledger",
]
