"""``assay ledger``, and what `assay prove` shows of a ledger before it proves it.

Of all commands these two alone print figures of the ledger, and on standard output alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from prover.commands.progress import shown_progress
from prover.files.storage import naming
from prover.ledger.expect import check_expected
from prover.ledger.readers import quoted
from prover.ledger.summary import Previous, Summary, figures, summarise, to_json
from prover.snapshot.inputs import read_source
from prover.snapshot.make import previous_summary, read_config
from verifier.format.units import coins_text
from verifier.texts import MOST_LISTED, listed

NOT_COVERED = "owed, and the proof does not cover customers of these"

_DECIMALS = 18


def show_ledger(config: Path, jobs: int, *, as_json: bool) -> None:
    """Read the ledger of a snapshot to come, and print what it holds; sign and keep nothing."""
    snapshot = read_config(config)
    folder = Path(tempfile.gettempdir())
    with shown_progress() as progress, naming(folder):
        read = read_source(snapshot, folder, progress, jobs)
    summary, previous = summarise(snapshot.snapshot_id, read), previous_summary(snapshot)
    if as_json:
        print(json.dumps(ledger_json(summary, previous), sort_keys=True))
    else:
        print(describe(summary, previous))
    check_expected(snapshot.ledger.name, summary, snapshot.expect, previous)


class Shown:
    """Keeps what a run read, for its result, and shows it first where that is wanted."""

    def __init__(self, *, is_printed: bool) -> None:
        self._is_printed = is_printed
        self.ledger: dict[str, Any] | None = None
        self.changes: Sequence[str] = ()

    def read(self, summary: Summary, previous: Previous) -> None:
        """Print the figures of the ledger."""
        self.ledger = ledger_json(summary, previous)
        if self._is_printed:
            print(describe(summary, previous), flush=True)

    def changed(self, changes: Sequence[str]) -> None:
        """Say that what is proved is what an earlier run froze."""
        self.changes = changes
        for change in changes:
            print(
                f"assay: {change}; the snapshot is of what an earlier run froze. To prove what is "
                "there now, begin anew in another folder",
                file=sys.stderr,
            )


def ledger_json(summary: Summary, previous: Previous) -> dict[str, Any]:
    """Return the figures of a ledger, and those of the snapshot before, as JSON has them."""
    before = None if previous.summary is None else to_json(previous.summary)
    coverage = {"proven": list(summary.proven), "not_covered": list(summary.not_covered)}
    found = {"coverage": coverage, "previous": before, "previous_missing": previous.missing}
    return to_json(summary) | found


def describe(summary: Summary, previous: Previous) -> str:
    """Return the figures of a ledger as lines for people."""
    lines = [*_read(summary), _coverage(summary), *_left_out(summary), *_change(summary, previous)]
    return "\n".join(lines)


def _read(summary: Summary) -> Iterator[str]:
    yield (
        f"ledger    {summary.rows:,} rows, {summary.accounts:,} accounts, "
        f"of which {summary.without_balance:,} are owed nothing"
    )
    coins = {
        code: (coins_text(asset.total, asset.decimals), coins_text(asset.largest, asset.decimals))
        for code, asset in summary.assets.items()
    }
    widths = [max(map(len, column)) for column in zip(*coins.values(), strict=True)]
    most = sorted(summary.assets, key=lambda code: -summary.assets[code].holders)[:MOST_LISTED]
    for code, asset in summary.assets.items():
        if code not in most:
            continue
        total, largest = (
            text.rjust(width) for text, width in zip(coins[code], widths, strict=True)
        )
        yield (
            f"  {code:8} total {total}  largest {largest}  "
            f"{asset.holders:,} accounts, {asset.zero:,} with zero"
        )
    if len(summary.assets) > len(most):
        others = [asset for code, asset in summary.assets.items() if code not in most]
        yield (
            f"  {len(others):,} more assets, each of at most "
            f"{max(asset.holders for asset in others):,} accounts: "
            "--json has all"
        )


def _coverage(summary: Summary) -> str:
    """Return which share of the asset codes is proven; how much is owed in the others is not read.

    A column of a wide ledger that was left out is told of as not read, whatever it holds.
    """
    proven, left = len(summary.proven), summary.not_covered
    text = f"proven    {proven} of {proven + len(left)} asset codes in the ledger"
    return f"{text}; not covered: {listed([quoted([code]) for code in left])}" if left else text


def _left_out(summary: Summary) -> Iterator[str]:
    if summary.unread:
        yield f"not read  columns {listed([quoted([name]) for name in summary.unread])}"
    if summary.ignored:
        rows = [f"{quoted([code])} ({count:,} rows)" for code, count in summary.ignored.items()]
        yield f"ignored   {listed(rows)}"
    yield from _skipped(summary)
    if summary.renamed:
        rows = [f"{quoted([name])} ({count:,} rows)" for name, count in summary.renamed.items()]
        yield f"renamed   {listed(rows)}"
    repeated = sum(asset.rows - asset.holders - asset.zero for asset in summary.assets.values())
    if repeated:
        yield f"added up  {repeated:,} balances of an account that has another of the same asset"
    if summary.merged:
        yield f"merged    {summary.merged:,} accounts that are written in several ways"


def _skipped(summary: Summary) -> Iterator[str]:
    rows = [
        f"{quoted([code])} ({count:,} rows)" for code, count in summary.skipped.items() if count
    ]
    if rows:
        yield f"skipped   {listed(rows)}: {NOT_COVERED}"
    absent = [quoted([code]) for code, count in summary.skipped.items() if not count]
    if absent:
        yield f"warning   ledger.skip names what the ledger does not have: {listed(absent)}"


def _change(summary: Summary, previous: Previous) -> Iterator[str]:
    if previous.missing:
        yield f"change    the figures of the snapshot before are not at hand: {previous.missing}"
    if previous.summary is None:
        return
    yield f"change    since snapshot {previous.summary.snapshot_id}"
    now, then = figures(summary), figures(previous.summary)
    names = [*now, *(name for name in then if name not in now)]
    shown = set(
        sorted(names, key=lambda name: -_changed(then.get(name), now.get(name)))[:MOST_LISTED]
    )
    for name in names:
        if name not in shown:
            continue
        before, after = then.get(name), now.get(name)
        percent = (
            f", {float((after - before) / before):+.2%}" if before and after is not None else ""
        )
        yield f"  {name:16} {_text(before)} -> {_text(after)}{percent}"
    if len(names) > len(shown):
        yield f"  {len(names) - len(shown):,} more, which changed by no more than these"


def _changed(before: Fraction | None, after: Fraction | None) -> float:
    """Return by how much a figure changed, relatively; one that is new or gone by more than any."""
    return float(abs(after - before) / before) if before and after is not None else float("inf")


def _text(figure: Fraction | None) -> str:
    return "none" if figure is None else coins_text(int(figure * 10**_DECIMALS), _DECIMALS)
