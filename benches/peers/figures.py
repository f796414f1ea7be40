"""What a peer's figure is, and which of Assay's figures it is set against."""

from __future__ import annotations

from dataclasses import dataclass

UNITS = {"us": "µs", "ms": "ms", "mb": "MB"}


@dataclass(frozen=True)
class Figure:
    """A measured figure of a peer, in the unit that the name of Assay's figure ends in."""

    peer: str
    what: str
    value: float
    against: str

    @property
    def unit(self) -> str:
        """The unit of both figures."""
        return UNITS[self.against.rpartition("_")[2]]
