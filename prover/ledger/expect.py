"""What the operator expects of a ledger, checked before anything is signed over it.

An export that is empty, cut at a row, or of another table is as well-formed as the right one. Only
who knows about what is owed can tell, so the snapshot file may say it: how many accounts, which
totals, by how much they change from one snapshot to the next. That nothing at all is owed is never
taken unless it says so. No message holds a figure of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from prover.errors import Code
from prover.ledger.errors import Fault, LedgerError
from prover.ledger.summary import Previous, Summary, figures

_LOOK = "look at what was read (assay ledger SNAPSHOT.toml), then correct the export, or expect"


@dataclass(frozen=True)
class Bounds:
    """The least and the most of a figure; None where there is no bound."""

    least: Fraction | None = None
    most: Fraction | None = None


@dataclass(frozen=True)
class Expect:
    """Section ``[ledger.expect]``.

    totals: of coins, by asset; change_percent: by how much accounts and totals may differ from
    those of the snapshot before; allow_empty: assets of which nothing may be owed.
    """

    accounts: Bounds = Bounds()
    totals: Mapping[str, Bounds] = field(default_factory=dict)
    change_percent: int | None = None
    allow_empty: frozenset[str] = frozenset()


def check_expected(source: str, summary: Summary, expect: Expect, previous: Previous) -> None:
    """Check what was read from a source.

    Raises:
        LedgerError: all that is not as expected.
    """
    faults = [
        *_empty(summary, expect),
        *_out_of_bounds(summary, expect),
        *_changed(summary, expect, previous),
    ]
    if faults:
        raise LedgerError(source, *faults)


def _empty(summary: Summary, expect: Expect) -> Iterator[Fault]:
    empty = [code for code, asset in summary.assets.items() if not asset.total]
    missing = [code for code in empty if code not in expect.allow_empty]
    if missing:
        owed = "no account; " if not summary.accounts else ""
        detail = f"{owed}nothing is owed in {', '.join(missing)}"
        yield Fault.of(Code.NO_BALANCE, detail=detail)


def _out_of_bounds(summary: Summary, expect: Expect) -> Iterator[Fault]:
    totals = {f"total of {code}": (f"totals.{code}", expect.totals[code]) for code in expect.totals}
    bounds = {"accounts": ("accounts", expect.accounts), **totals}
    now = figures(summary)
    for name, (key, bound) in bounds.items():
        for side, limit in (("least", bound.least), ("most", bound.most)):
            if limit is not None and (now[name] < limit if side == "least" else now[name] > limit):
                how = "below" if side == "least" else "above"
                detail = f"{name}: {how} ledger.expect.{key}.{side}"
                yield Fault.of(Code.UNEXPECTED, detail=detail, remedy=_LOOK)


def _changed(summary: Summary, expect: Expect, previous: Previous) -> Iterator[Fault]:
    percent, before = expect.change_percent, previous.summary
    if percent is None:
        return
    if previous.missing:
        detail = f"ledger.expect.change_percent: nothing to compare with: {previous.missing}"
        yield Fault.of(Code.UNEXPECTED, detail=detail, remedy="bring that back, or leave it out")
    if before is None:
        return
    now, then = figures(summary), figures(before)
    for name in now:
        if then.get(name) and abs(now[name] - then[name]) * 100 > then[name] * percent:
            detail = (
                f"{name}: changed by more than ledger.expect.change_percent since snapshot "
                f"{before.snapshot_id}"
            )
            yield Fault.of(Code.UNEXPECTED, detail=detail, remedy=_LOOK)
