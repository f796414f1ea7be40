"""What was read of a ledger, in figures that an operator can compare with their own books.

A summary is as secret as the ledger. It stands in the private folder, beside the frozen ledger, so
that the next snapshot can be compared with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from prover.files.storage import fresh_file
from prover.ledger.ledger import Ledger
from verifier.bundle.json_text import parse_json
from verifier.format.params import MAX_LEDGER_DECIMALS
from verifier.format.units import coins_text

FORMAT: Final = "assay/ledger-summary/1"

_DEEPEST: Final = 3  # an asset
_AMOUNTS: Final = ("largest", "total")
_AMOUNT: Final = re.compile(r"[0-9]{1,60}(?:\.[0-9]{1,60})?")


@dataclass(frozen=True)
class AssetSummary:
    """One asset: in how many rows it stood, and for how many accounts with and without a balance.

    ``total`` and the ``largest`` balance of an account are in ledger units.
    """

    decimals: int
    rows: int
    holders: int
    zero: int
    total: int
    largest: int


@dataclass(frozen=True)
class Summary:
    """A ledger in figures: see `prover.ledger.ledger.Tally`.

    without_balance: accounts that are owed nothing in any asset.
    """

    snapshot_id: str
    rows: int
    accounts: int
    without_balance: int
    merged: int
    unread: tuple[str, ...]
    ignored: Mapping[str, int]
    skipped: Mapping[str, int]
    renamed: Mapping[str, int]
    assets: Mapping[str, AssetSummary]

    @property
    def proven(self) -> tuple[str, ...]:
        """The codes of the snapshot's assets that occur in the ledger."""
        return tuple(code for code, asset in self.assets.items() if asset.rows)

    @property
    def not_covered(self) -> tuple[str, ...]:
        """The codes that occur in the ledger, and of which the snapshot proves nothing."""
        return (*self.ignored, *(name for name, rows in self.skipped.items() if rows))


def summarise(snapshot_id: str, ledger: Ledger) -> Summary:
    """Return the figures of a ledger."""
    tally = ledger.tally
    owed = np.zeros(len(ledger), np.bool_)
    assets = {}
    for asset in ledger.assets:
        balances, counted = ledger.balances[asset.code], tally.assets[asset.code]
        owed[balances.holders] = True
        holders = len(balances)
        assets[asset.code] = AssetSummary(
            decimals=asset.decimals,
            rows=counted.rows,
            holders=holders,
            zero=counted.accounts - holders,
            total=ledger.totals[asset.code],
            largest=int(balances.units.max(initial=0)),
        )
    return Summary(
        snapshot_id=snapshot_id,
        rows=tally.rows,
        accounts=len(ledger),
        without_balance=len(ledger) - int(np.count_nonzero(owed)),
        merged=tally.merged,
        unread=tally.unread,
        ignored=tally.ignored,
        skipped=tally.skipped,
        renamed=tally.renamed,
        assets=assets,
    )


@dataclass(frozen=True)
class Previous:
    """The snapshot before: its summary, or why that is not at hand; neither before the first."""

    summary: Summary | None = None
    missing: str = ""


def figures(summary: Summary) -> dict[str, Fraction]:
    """Return what one snapshot is compared with another by: accounts, and each total in coins."""
    totals = {
        f"total of {code}": Fraction(asset.total, 10**asset.decimals)
        for code, asset in summary.assets.items()
    }
    return {"accounts": Fraction(summary.accounts), **totals}


def to_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON has it: amounts as decimal text, in coins."""
    assets = {code: _in_coins(asset) for code, asset in summary.assets.items()}
    return asdict(summary) | {"assets": assets, "format": FORMAT}


def _in_coins(asset: AssetSummary) -> dict[str, Any]:
    amounts = {name: coins_text(getattr(asset, name), asset.decimals) for name in _AMOUNTS}
    return asdict(asset) | amounts


def save_summary(path: Path, summary: Summary) -> None:
    """Write a summary, mode 0600, durably."""
    with fresh_file(path) as file:
        file.write(json.dumps(to_json(summary), indent=1, sort_keys=True).encode())


def load_summary(path: Path) -> Summary:
    """Read what `save_summary` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or of another version.
    """
    found = parse_json(path.read_bytes().decode(), _DEEPEST)
    try:
        if found.pop("format") != FORMAT:
            raise ValueError("of another version")
        assets = {code: AssetSummary(**_in_units(asset)) for code, asset in found["assets"].items()}
        return Summary(**found | {"assets": assets, "unread": tuple(found["unread"])})
    except (AttributeError, KeyError, TypeError):
        raise ValueError("not as it was written") from None


def _in_units(asset: dict[str, Any]) -> dict[str, Any]:
    decimals, texts = asset["decimals"], [asset[name] for name in _AMOUNTS]
    # A power, or a fraction with an exponent, would take for ever.
    if not 0 <= decimals <= MAX_LEDGER_DECIMALS or not all(map(_AMOUNT.fullmatch, texts)):
        raise ValueError("not as it was written")
    scale = 10**decimals
    return asset | {name: int(Fraction(asset[name]) * scale) for name in _AMOUNTS}
