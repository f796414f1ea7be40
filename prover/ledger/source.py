"""Where a ledger comes from, and which of its columns mean what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from prover.ledger.amounts import MAX_SCALE, Notation
from prover.ledger.asset import LedgerAsset

MAX_SOURCE_DECIMALS: Final = MAX_SCALE
URL_FORMS: Final = (
    "write postgresql+psycopg://USER@HOST/DATABASE, with the password in PGPASSWORD or in "
    "~/.pgpass, or sqlite:////PATH; from another database export CSV or Parquet"
)
DELIMITERS: Final = (",", ";", "\t", "|")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How columns are read, whatever their layout.

    in_units: balances are whole numbers of units, not decimal numbers of coins. source_decimals: a
    coin is 10^that many units of the source, 0 to 30, by asset code; of others, and without it,
    units are ledger units. empty_is_zero: an empty balance or debt is 0. ignore: names that may
    stand in the source and are not read, of wide columns or of long assets; ``*`` is any text.
    skip: the same of what is owed and not to be covered, each in full. rename: asset codes by the
    names that a long source has for them.
    """

    in_units: bool = False
    source_decimals: Mapping[str, int] = field(default_factory=dict)
    empty_is_zero: bool = False
    ignore: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)

    def is_ignored(self, name: str) -> bool:
        """Tell whether a column or an asset is left out."""
        patterns = (".*".join(map(re.escape, text.split("*"))) for text in self.ignore)
        return any(re.fullmatch(pattern, name, re.DOTALL) for pattern in patterns)

    def name_of(self, name: str) -> str | None:
        """Return the code of the asset that a name of a long source stands for; None if unclear.

        An asset under which others are renamed is told by its own name only if that is named, too.
        """
        if name in self.rename:
            return self.rename[name]
        return None if name in self.rename.values() else name

    def notation(self, asset: LedgerAsset) -> Notation:
        """Return how balances of an asset are written."""
        decimals = asset.decimals
        if self.in_units:
            decimals -= self.source_decimals.get(asset.code, asset.decimals)
        return Notation(decimals, self.in_units, self.empty_is_zero)


@dataclass(frozen=True)
class LongColumns(Reading):
    """One row for each balance: the names of three columns. Other columns are not read."""

    account: str
    asset: str
    balance: str


@dataclass(frozen=True)
class WideColumns(Reading):
    """One row for each account: a column for each asset code, and one of debts for some of them.

    A debt lowers what its own account is owed in its own asset, at most to zero, and nothing else.
    A column that is neither named here nor ignored is refused: it may be an asset that is owed.
    """

    account: str
    assets: Mapping[str, str]
    debts: Mapping[str, str] = field(default_factory=dict)


Columns = LongColumns | WideColumns


@dataclass(frozen=True)
class FileSource:
    """A file, or a folder of part files, the names of which end in ``ending``."""

    path: Path
    columns: Columns
    ending: ClassVar[str]

    @property
    def name(self) -> str:
        """What error messages call it: the path."""
        return str(self.path)

    @property
    def is_pipe(self) -> bool:
        """Whether it is there, and can be read but once."""
        return self.path.exists() and not self.path.is_file() and not self.path.is_dir()


@dataclass(frozen=True)
class CsvSource(FileSource):
    """CSV: UTF-8, double quotes strictly as in RFC 4180, a header in each file, no blank line.

    ``delimiter`` is one of `DELIMITERS`. A file that ends inside a value or inside a row is
    refused; one that was cut behind a whole row cannot be told from a complete one.
    """

    delimiter: str = ","
    ending = ".csv"


@dataclass(frozen=True)
class ParquetSource(FileSource):
    """Parquet; balances are text, integers or decimals, never floating point."""

    ending = ".parquet"


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
        """What error messages call it: driver, host, port and database; no user, no option."""
        from sqlalchemy import URL, make_url  # a fifth of a second that few need
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(self.url)
        except (ArgumentError, ValueError):  # a port that is no number
            return "database"
        if "@" in (url.host or ""):  # then a part of the password is in it
            return "database"
        return URL.create(
            url.drivername, host=url.host, port=url.port, database=url.database
        ).render_as_string()


LedgerSource = CsvSource | ParquetSource | SqlSource
