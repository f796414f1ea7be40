"""The folder of a snapshot of the service: the prover's, with what operators bring beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prover.snapshot.folder import SnapshotFolder

# What the draft names as evidence is below this folder.
UPLOADS: Final = "uploads"


@dataclass(frozen=True, slots=True)
class ServedFolder(SnapshotFolder):
    """Invariant: nothing in it but the bundle is for anybody but operators."""

    @property
    def draft(self) -> Path:
        """What the operator asked for; it never changes."""
        return self.path / "draft.toml"

    @property
    def config(self) -> Path:
        """What the prover reads: the draft, after the snapshot before."""
        return self.path / "snapshot.toml"

    @property
    def uploads(self) -> Path:
        """The files of evidence, each whole."""
        return self.path / UPLOADS

    @property
    def outcome(self) -> Path:
        """What the command says of the bundle."""
        return self.path / "outcome.txt"

    @property
    def shortfall(self) -> Path:
        """By how much the assets fall short, for operators alone."""
        return self.path / "short.txt"
