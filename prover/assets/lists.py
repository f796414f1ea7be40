"""Lists of evidence: their columns, and how rows that are still to be signed are written.

Nothing is ever overwritten.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from prover.errors import ProverError
from prover.files.storage import output_text

# Of the rows of evidence: who holds what where, and who signed for it.
EVIDENCE_COLUMNS = ("asset", "chain", "contract", "address", "amount", "format", "signature")


def write_evidence_rows(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows of evidence, with what they lack left empty, into a new file.

    Raises:
        ProverError: the file exists.
    """
    refuse_existing([file])
    with output_text(file) as out:
        writer = csv.DictWriter(out, EVIDENCE_COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def refuse_existing(files: Iterable[Path]) -> None:
    """Raise `ProverError` if one of the files is there, before any of them is written."""
    for file in files:
        if file.exists():
            raise ProverError(f"{file} exists already; nothing is overwritten")
