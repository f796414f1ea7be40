"""Sets of hidden keys and what they open to, as they were made (`prover.hidden`): read and checked.

No private key of theirs is ever here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import native
from prover.assets.evidence import evidence_total
from prover.config.announcement import Announcement
from prover.errors import ProverError
from prover.files.storage import read_at_most
from verifier.checks.hidden import (
    AMOUNT_BYTES,
    Owners,
    check_argument,
    check_sets,
    set_name,
)
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.evidence_records import Evidence, HiddenSet
from verifier.format.params import (
    ASSETS_LIMIT,
    GROUP_ORDER,
    MAX_EVIDENCE_BYTES,
)
from verifier.format.statement import Denomination
from verifier.ownership import parse_address

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig, HiddenConfig

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a set's commitment opens to: ledger units in 16 bytes, and the blinding factor."""

    blinding: wire.Bin32
    commitment: wire.Point
    value: bytes

    @property
    def units(self) -> int:
        """The ledger units that the exchange's own keys hold."""
        return int.from_bytes(self.value)


@dataclass(frozen=True, slots=True)
class Opened:
    """The openings of an asset's hidden sets, in the order of the sets."""

    openings: tuple[Opening, ...] = ()

    @property
    def units(self) -> int:
        """The ledger units that the exchange's own keys hold in all sets."""
        return sum(opening.units for opening in self.openings)

    @property
    def blinding(self) -> int:
        """The sum of the blinding factors."""
        return sum(int.from_bytes(opening.blinding) for opening in self.openings)


@contextmanager
def _as_the_verifier() -> Iterator[None]:
    try:
        yield
    except Rejected as error:
        raise ProverError(f"a verifier would reject this: {error}") from None


def _check(
    stated: Announcement, asset: Denomination, sets: Sequence[HiddenSet], owners: Owners
) -> int:
    """Check sets as a verifier does; return the ledger units of all keys listed."""
    with _as_the_verifier():
        holdings = check_sets(asset, sets, owners)
        for at, holding in enumerate(holdings):
            block = stated.block(holding.chain)
            check_argument(stated.context, asset, block, holding, set_name(asset, at))
    return sum(holding.units for holding in holdings)


def load_hidden(
    files: Sequence[HiddenConfig], assets: Sequence[AssetConfig]
) -> tuple[dict[str, tuple[HiddenSet, ...]], dict[str, Opened]]:
    """Read all sets and their openings; return those of each asset that has some, by its code.

    Raises:
        ProverError: unreadable, malformed, not of each other, or one that no list can be.
    """
    sets: dict[str, tuple[HiddenSet, ...]] = {}
    openings: dict[str, Opened] = {}
    for entry in files:
        listed, opening = _load(entry)
        sets[entry.code] = (*sets.get(entry.code, ()), listed)
        before = openings.get(entry.code, Opened())
        openings[entry.code] = Opened((*before.openings, opening))
    for asset in assets:
        with _as_the_verifier():
            check_sets(asset, sets.get(asset.code, ()), ())
    return sets, openings


def check_hidden(stated: Announcement, asset: AssetConfig, evidence: Evidence) -> None:
    """Check the hidden sets in an asset's evidence.

    Raises:
        ProverError: a verifier would reject one.
    """
    if not evidence.hidden:
        return
    owners = {
        (row.chain, row.contract, parse_address(row.chain, row.address).owner)
        for row in evidence.rows
    }
    listed = _check(stated, asset, evidence.hidden, owners)
    if listed + evidence_total(asset, evidence) >= ASSETS_LIMIT:
        raise ProverError(f"asset {asset.code}: the evidence adds up to 2^96 ledger units or more")


def check_made(stated: Announcement, asset: Denomination, made: HiddenSet) -> None:
    """Check a set that was just made, as a verifier does.

    Raises:
        ProverError: a verifier would reject it.
    """
    _check(stated, asset, (made,), ())


def check_set(path: Path, stated: Announcement, asset: AssetConfig) -> None:
    """Check a file of a set of hidden keys by itself, as one of an asset of a snapshot.

    Raises:
        ProverError: unreadable or malformed, or a verifier would reject it.
    """
    _check(stated, asset, (read_set(path),), ())


def read_set(path: Path) -> HiddenSet:
    """Read a file of a set of hidden keys, as it stands.

    Raises:
        ProverError: unreadable or malformed.
    """
    return _read_record(HiddenSet, path, "set of hidden keys")


def read_opening(path: Path) -> Opening:
    """Read a file of an opening, as it stands.

    Raises:
        ProverError: unreadable or malformed.
    """
    return _read_record(Opening, path, "opening")


def _load(entry: HiddenConfig) -> tuple[HiddenSet, Opening]:
    listed, opening = read_set(entry.set_file), read_opening(entry.opening)
    if (
        len(opening.value) != AMOUNT_BYTES
        or int.from_bytes(opening.blinding) >= GROUP_ORDER
        or native.commit(opening.value, opening.blinding, 128) != opening.commitment
        or opening.commitment != listed.commitment
    ):
        raise ProverError(f"{entry.opening}: not the opening of {entry.set_file}")
    return listed, opening


def _read_record(kind: type[Record], path: Path, name: str) -> Record:
    try:
        return wire.read_record(kind, read_at_most(path, MAX_EVIDENCE_BYTES))
    except (wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{path}: not a {name}") from None
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None
