"""The seal: which private files are those of the signed manifest.

It is written before the manifest is signed, with the manifest's digest and those of the ledger and
of the small files. One of these is the file of digests of `prover.liabilities.blocks`, so a few
blocks are all that has to be read of what is large. Everything else the signed pages bear out.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from prover.errors import RESTORE, Damaged
from prover.files.storage import fresh_file
from prover.ledger.saved import HEAD
from prover.liabilities.blocks import DIGESTS
from prover.liabilities.parts import SIZES
from prover.snapshot.folder import SnapshotFolder
from verifier.format import wire
from verifier.format.params import ID_BYTES


@dataclass(frozen=True, slots=True)
class Seal:
    """``seal`` of the private folder, in msgpack, before the SHA-256 of that.

    ledger: its digest, which a later check compares; manifest: its digest; the others: the SHA-256
    of a file each.
    """

    blocks: wire.Bin32
    head: wire.Bin32
    ledger: wire.Bin32
    manifest: wire.Bin32
    opening_secret: wire.Bin32
    record: wire.Bin32
    sizes: wire.Bin32


def _sealed(folder: SnapshotFolder) -> dict[str, Path]:
    """Return the files that are sealed by the SHA-256 of all of each, by their fields."""
    return {
        "blocks": folder.parts / DIGESTS,
        "head": folder.ledger / HEAD,
        "opening_secret": folder.opening_secret,
        "record": folder.record,
        "sizes": folder.parts / SIZES,
    }


def write_seal(folder: SnapshotFolder, manifest: bytes, ledger: bytes) -> None:
    """Seal the private files for the manifest of a digest; ``ledger`` is the ledger's digest.

    A seal that an interrupted run left is replaced.
    """
    digests = {name: _digest(path) for name, path in _sealed(folder).items()}
    record = wire.write_record(Seal(manifest=manifest, ledger=ledger, **digests))
    with fresh_file(folder.seal) as file:
        file.write(record + sha256(record).digest())


def read_seal(folder: SnapshotFolder, manifest: bytes) -> Seal:
    """Return the seal, once everything is found as it was sealed for the manifest of a digest.

    Raises:
        Damaged: something is not; the message names the file.
        OSError: a file cannot be read.
    """
    data = folder.seal.read_bytes()
    record, digest = data[:-ID_BYTES], data[-ID_BYTES:]
    if sha256(record).digest() != digest:
        raise Damaged(f"{folder.seal}: damaged; {RESTORE}")
    try:
        seal = wire.read_record(Seal, record)
    except (wire.NotCanonical, wire.BadFields):
        raise Damaged(
            f"{folder.seal}: damaged, or of another version of the prover; run the version that "
            f"made it, or {RESTORE}"
        ) from None
    if seal.manifest != manifest:
        raise Damaged(f"{folder.seal}: of another run than {folder.bundle}; {RESTORE}")
    for name, path in _sealed(folder).items():
        if _digest(path) != getattr(seal, name):
            raise Damaged(f"{path}: damaged, or of another run than {folder.bundle}; {RESTORE}")
    return seal


def _digest(path: Path) -> bytes:
    return sha256(path.read_bytes()).digest()
