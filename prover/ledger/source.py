"""Where a ledger comes from, and which of its columns mean what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_DECIMALS: Final = 18
_CODE: Final = re.compile(r"[A-Z0-9]{1,16}")


@dataclass(frozen=True, order=True)
class LedgerAsset:
    """An asset of the snapshot: a balance of 1 is 10^decimals ledger units.

    With more than 18 decimals, not even a total of 10 would stay below 2^63 ledger units.
    """

    code: str
    decimals: int

    def __post_init__(self) -> None:
        """Refuse a code or a number of decimals that no ledger can have."""
        if not _CODE.fullmatch(self.code):
            raise ValueError("an asset code is 1 to 16 of A-Z and 0-9")
        if not 0 <= self.decimals <= MAX_DECIMALS:
            raise ValueError(f"ledger decimals are 0 to {MAX_DECIMALS}")


@dataclass(frozen=True)
class LongColumns:
    """One row for each balance: the names of three columns.

    ``in_units``: balances are in ledger units already, not in whole coins.
    """

    account: str
    asset: str
    balance: str
    in_units: bool = False


@dataclass(frozen=True)
class WideColumns:
    """One row for each account: a column for each asset code, and one of debts for some of them.

    A debt lowers what its own account is owed in its own asset, at most to zero, and nothing else.
    ``in_units`` as in `LongColumns`.
    """

    account: str
    assets: Mapping[str, str]
    debts: Mapping[str, str] = field(default_factory=dict)
    in_units: bool = False


Columns = LongColumns | WideColumns


@dataclass(frozen=True)
class CsvSource:
    """A CSV file: UTF-8, comma, double quotes as in RFC 4180, a header, no blank line.

    A file that ends inside a quoted value or inside a row is refused. One that was cut inside the
    last number of its last row, or after a whole row, cannot be told from a complete one.
    """

    path: Path
    columns: Columns

    @property
    def name(self) -> str:
        """What error messages call it: the path."""
        return str(self.path)


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file; balances are text, integers or decimals, never floating point."""

    path: Path
    columns: Columns

    @property
    def name(self) -> str:
        """What error messages call it: the path."""
        return str(self.path)


@dataclass(frozen=True)
class SqlSource:
    """The rows of one query; balances are text, integers or numerics, never floating point.

    ``url`` is SQLAlchemy's and may hold a password; ``query`` is sent as it stands.
    """

    url: str = field(repr=False)
    query: str
    columns: Columns

    @property
    def name(self) -> str:
        """What error messages call it: the URL without its password."""
        from sqlalchemy import make_url  # a fifth of a second that few need
        from sqlalchemy.exc import ArgumentError

        try:
            return make_url(self.url).render_as_string(hide_password=True)
        except ArgumentError:
            return "database"


LedgerSource = CsvSource | ParquetSource | SqlSource
