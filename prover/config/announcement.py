"""What a snapshot says of itself before it is made: public, and all that an offline machine needs.

`assay challenge --announcement` writes it, `assay hide-keys` reads it: a canonical msgpack file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prover.errors import ProverError
from verifier.format import wire
from verifier.format.params import MAX_MANIFEST_BYTES
from verifier.format.statement import context

if TYPE_CHECKING:
    from prover.config.snapshot_toml import SnapshotConfig


@dataclass(frozen=True, slots=True)
class AnnouncedAsset:
    """An asset as the manifest will have it."""

    code: str
    decimals: int
    units: tuple[wire.Unit, ...]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a snapshot says of itself before it is made: all public, and all that hiding needs."""

    assets: tuple[AnnouncedAsset, ...]
    chains: tuple[wire.Chain, ...]
    exchange: str
    public_key: wire.Bin32
    snapshot_id: str
    time: int

    @property
    def context(self) -> bytes:
        """The snapshot's context, 32 bytes."""
        return context(self.public_key, self.exchange, self.snapshot_id, self.time)

    def asset(self, code: str) -> AnnouncedAsset:
        """Return the asset of a code.

        Raises:
            ProverError: the snapshot has none.
        """
        for asset in self.assets:
            if asset.code == code:
                return asset
        raise ProverError(f"{code}: not an asset of the snapshot")

    def block(self, chain: str) -> wire.Chain:
        """Return the block of a chain.

        Raises:
            ProverError: the snapshot has none.
        """
        for block in self.chains:
            if block.name == chain:
                return block
        raise ProverError(f"{chain}: not a chain of the snapshot")


def announce(config: SnapshotConfig, public_key: bytes) -> Announcement:
    """Return what a snapshot says of itself, under the exchange's public key, 32 bytes."""
    return Announcement(
        assets=tuple(
            AnnouncedAsset(asset.code, asset.decimals, asset.units) for asset in config.assets
        ),
        chains=config.chains,
        exchange=config.exchange,
        public_key=public_key,
        snapshot_id=config.snapshot_id,
        time=config.time,
    )


def read_announcement(path: Path) -> Announcement:
    """Read the file of a statement.

    Raises:
        ProverError: unreadable or malformed.
    """
    try:
        with path.open("rb") as file:
            return wire.read_record(Announcement, file.read(MAX_MANIFEST_BYTES + 1))
    except (wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{path}: not the statement of a snapshot") from None
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None
