"""Lists of evidence: their columns, and how rows that are still to be signed are written.

Nothing is ever overwritten.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from prover.errors import ProverError
from prover.files.storage import naming

# Of the rows of evidence: who holds what where, and who signed for it.
EVIDENCE_COLUMNS = ("asset", "chain", "contract", "address", "amount", "format", "signature")


def write_evidence_rows(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows of evidence, with what they lack left empty, into a new file.

    Raises:
        ProverError: the file exists.
    """
    try:
        with naming(file), file.open("x", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, EVIDENCE_COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(rows)
    except FileExistsError:
        raise overwritten(file) from None


def refuse_existing(files: Iterable[Path]) -> None:
    """Raise `ProverError` if one of the files is there, before any of them is written."""
    for file in files:
        if file.exists():
            raise overwritten(file)


def overwritten(file: Path) -> ProverError:
    """Return the error that a file would be overwritten."""
    return ProverError(f"{file} exists already; nothing is overwritten")
