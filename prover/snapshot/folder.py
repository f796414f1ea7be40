"""Where everything of one snapshot is: the names in its folder.

What lies deeper (saved ledgers, columns of parts and leaves) is named by the module that writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prover.liabilities.tree import TreeFiles


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """The folder of a snapshot: what is published, and what nobody else may see.

    Who makes packages needs of the private files `record`, `ledger`, `account_keys`, `parts`,
    `opening_secret`, `seal` and the leaves of `trees`; it may have no other, above all not the
    sums.
    """

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
    def unfinished_pages(self) -> Path:
        """The pages of the bundle while it is made."""
        return self.unfinished / "pages"

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
    def opening_secret(self) -> Path:
        """The secret that openings are made with, 32 bytes."""
        return self.private / "opening-secret"

    @property
    def parts(self) -> Path:
        """The parts of all balances, and their leaves (`prover.liabilities.parts`)."""
        return self.private / "parts"

    @property
    def trees(self) -> Path:
        """The private side of all pages, whole once it is there (`prover.liabilities.tree`)."""
        return self.private / "trees"

    @property
    def stages(self) -> Path:
        """What stages leave to each other until all is proved (`prover.snapshot.job`)."""
        return self.private / "stages"

    @property
    def seal(self) -> Path:
        """Of which manifest the files of this folder are (`prover.snapshot.seal`)."""
        return self.private / "seal"

    @property
    def packages(self) -> Path:
        """Packages that were made for customers who asked, and are kept."""
        return self.private / "packages"

    def tree(self, code: str, public: Path, trees: Path | None = None) -> TreeFiles:
        """Return where an asset's tree is, of a bundle that is at ``public``; ``trees`` is where
        its private side is made.
        """
        private = trees or self.trees
        return TreeFiles(
            pages=public / "pages" / code,
            arguments=public / "arguments" / code,
            leaves=private / "leaves" / code,
            sums=private / "sums" / code,
        )
