"""Where everything of one snapshot is: the names in its folder.

What lies deeper (saved ledgers, trees, openings) is named by the module that writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """The folder of a snapshot: what is published, and what nobody else may see."""

    path: Path

    @property
    def bundle(self) -> Path:
        """The bundle, whole and synced, once it is there."""
        return self.path / "public"

    @property
    def unfinished(self) -> Path:
        """The bundle while it is made."""
        return self.path / "public.partial"

    @property
    def private(self) -> Path:
        """All that opens balances; below are its parts."""
        return self.path / "private"

    @property
    def lock(self) -> Path:
        """The file that a run at work here locks."""
        return self.private / "lock"

    @property
    def record(self) -> Path:
        """What may not change between two runs (`prover.snapshot.record`)."""
        return self.private / "snapshot.msgpack"

    @property
    def ledger(self) -> Path:
        """The ledger, frozen once it is there."""
        return self.private / "ledger"

    @property
    def is_ledger_frozen(self) -> bool:
        """Whether the snapshot says what the ledger said, whatever that says by now."""
        return self.ledger.exists()

    @property
    def summary(self) -> Path:
        """The figures of the ledger."""
        return self.private / "summary.json"

    @property
    def evidence(self) -> Path:
        """The evidence, frozen once it is there, with the openings of hidden sets."""
        return self.private / "evidence"

    @property
    def account_keys(self) -> Path:
        """The account keys, a column of 32 bytes."""
        return self.private / "keys"

    @property
    def openings(self) -> Path:
        """The openings of all leaves."""
        return self.private / "openings"

    def records(self, code: str) -> Path:
        """Return where what each proved page of an asset came to is."""
        return self.private / "records" / code

    def unfinished_pages(self, code: str) -> Path:
        """Return where the pages of an asset are while the bundle is made."""
        return self.unfinished / "pages" / code
