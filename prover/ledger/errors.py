"""What is wrong with a ledger source, and where: file, row, column and rule, never the content."""

from __future__ import annotations

from prover.errors import ProverError


class CellFault(Exception):
    """A rule broken at ``index`` (0-based) of a batch's ``column``, before its file is known."""

    def __init__(self, index: int, column: str, rule: str, detail: str = "") -> None:
        super().__init__(rule)
        self.index = index
        self.column = column
        self.rule = rule
        self.detail = detail


class LedgerError(ProverError):
    """A ledger source that is refused.

    ``file`` is the path, or the database URL without its password. ``row`` is 1-based: in a CSV
    file the header is row 1 and a row may span lines; in Parquet and SQL the first row is row 1.
    ``row`` and ``column`` are None where the rule is not about one. ``rule`` is one of:
    ``negative``, ``non-finite``, ``not-a-number``, ``not-exact``, ``too-large``, ``empty-id``,
    ``too-long-id``, ``bad-id``, ``bad-unicode``, ``duplicate-id``, ``unknown-asset``,
    ``missing-column``, ``duplicate-column``, ``truncated``, ``unreadable``.
    """

    def __init__(
        self,
        file: str,
        rule: str,
        *,
        row: int | None = None,
        column: str | None = None,
        detail: str = "",
    ) -> None:
        place = [file]
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(f"{', '.join(place)}: {rule}" + (f" ({detail})" if detail else ""))
        self.file = file
        self.row = row
        self.column = column
        self.rule = rule
        self.detail = detail
