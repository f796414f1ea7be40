"""What an import says of each row of a list of reserves, and in sum.

A row counts only if its signatures verify over this snapshot's own ownership message in a form that
a bundle takes. Everything else is reported for what it is, and never becomes evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from prover.errors import ProverError

MAX_ROWS = 1 << 20
MAX_FILE_BYTES = 1 << 28
MAX_NAMED = 20


class Status(StrEnum):
    """How far a row could be checked."""

    COUNTS = "counts"
    """Signed for this snapshot, in a form that a bundle takes."""
    VERIFIED = "verified"
    """Signed for this snapshot, in a form that no bundle takes."""
    STALE = "stale"
    """Signed, over a message that does not name this exchange, snapshot and block."""
    IMPLIED = "implied"
    """Nothing signed: the address belongs to keys that the list names."""
    UNCHECKED = "unchecked"
    """Cannot be checked here."""
    FAILED = "failed"
    """Contradicts itself, or a signature does not verify."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row, and why; ``format`` is the evidence format of a row that counts."""

    status: Status
    reason: str
    format: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``asset`` and ``network`` are the table's names, or else the file's own.

    ``amount`` is in the chain's base units; None where the file gives none, or its unit is unknown.
    ``chain`` and ``contract`` are those of a bundle; ``signature`` that of a row that counts.
    """

    line: int
    asset: str
    network: str
    address: str
    amount: int | None
    verdict: Verdict
    chain: str = ""
    contract: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """A total that the file itself states: a name, and amounts as the file writes them.

    ``rows`` is what its rows add up to, None where that cannot be told; ``agrees`` whether it is
    the total.
    """

    name: str
    amount: str
    rows: str | None = None
    agrees: bool = False

    @property
    def is_contradicted(self) -> bool:
        """Tell whether the rows add up to something else."""
        return self.rows is not None and not self.agrees


@dataclass(frozen=True, slots=True)
class Imported:
    """A whole list. ``unread`` names every column, key and section that nothing here knows."""

    format: str
    rows: Sequence[Row]
    stated: Sequence[Stated]
    unread: Sequence[str]


@dataclass(slots=True)
class Total:
    """The rows of one asset on one network: how many, and how much where it is known, by status."""

    rows: dict[Status, int] = field(default_factory=dict)
    amounts: dict[Status, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a snapshot wants signed on a chain, at the block of this height."""

    message: str
    height: int


Challenges = Mapping[str, Challenge]
"""By chain; empty where no snapshot is given to compare with."""


class ImportFileError(ProverError):
    """A file that is refused as a whole: named by file, line, column and rule."""

    def __init__(self, file: object, rule: str, line: int = 0, column: object = None) -> None:
        where = [str(file)]
        if line:
            where.append(f"line {line}")
        if column is not None:
            where.append(f"column {column}")
        super().__init__(f"{', '.join(where)}: {rule}")


def once(row: Row, seen: dict[tuple[str, str, str], int]) -> Row:
    """Return a row, failed if its asset has stood at its address before; note it in ``seen``.

    What failed before does not stand in the way of what holds.
    """
    if row.verdict.status is Status.FAILED:
        return row
    earlier = seen.setdefault((row.asset, row.network, row.address), row.line)
    if earlier == row.line:
        return row
    return replace(row, verdict=Verdict(Status.FAILED, f"counted already in line {earlier}"))


def named(what: str, names: Iterable[str]) -> list[str]:
    """Return what is not read, as ``what`` and a name each; of very many names, how many more."""
    known = sorted(set(names))
    more = [f"{len(known) - MAX_NAMED} more of them"] if len(known) > MAX_NAMED else []
    return [f"{what} {shown(name) or '(without a name)'}" for name in known[:MAX_NAMED]] + more


def totals(rows: Sequence[Row]) -> dict[tuple[str, str], Total]:
    """Return the totals by (asset, network), in ascending order."""
    found: dict[tuple[str, str], Total] = {}
    for row in rows:
        total = found.setdefault((row.asset, row.network), Total())
        status = row.verdict.status
        total.rows[status] = total.rows.get(status, 0) + 1
        if row.amount is not None:
            total.amounts[status] = total.amounts.get(status, 0) + row.amount
    return dict(sorted(found.items()))


def shown(text: str, most: int = 80) -> str:
    """Return text of a file in a form that no terminal acts on, shortened."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return short if short.isprintable() else ascii(short)[1:-1]
