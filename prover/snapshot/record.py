"""The record that a snapshot's private folder opens with: what may not change between two runs.

It is written before anything else, with the snapshot's salt and a MAC under the master key. Once
something was made from it, a later run over the folder must come with the same TOML bytes, the same
keys and the same version of the prover; then every byte that follows is the same.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left
from dataclasses import dataclass
from hmac import compare_digest
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import native
from prover.errors import Damaged, ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.files.storage import fresh_file, path_text, read_at_most, read_own
from prover.liabilities.derivation import derive
from verifier.checks.manifest import rotation_body
from verifier.format import wire
from verifier.format.keys import is_signed, sign
from verifier.format.params import (
    CAPACITIES,
    ID_BYTES,
    MAX_LEAVES,
    MAX_MANIFEST_BYTES,
    PAGE_SIZES,
    SIGNATURE_BYTES,
)
from verifier.format.statement import manifest_digest
from verifier.format.times import utc_text

if TYPE_CHECKING:
    from prover.config.snapshot_toml import SnapshotConfig

SALT_BYTES = 32

_REMEDY = "restore it, or begin anew in another folder"


@dataclass(frozen=True, slots=True)
class Room:
    """How many leaves an asset's tree had room for in the snapshot before."""

    code: str
    leaves: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """``snapshot.msgpack`` of the private folder, in front of a MAC of 32 bytes.

    before: the room of the previous manifest's assets, ascending by code; master_key: its SHA-256;
    previous: the previous manifest's digest, or zeros; signing_key: the path, for `packages`; toml:
    the SHA-256 of it and of what it lists assets by; version: the prover's.
    """

    before: tuple[Room, ...]
    master_key: wire.Bin32
    previous: wire.Bin32
    public_key: wire.Bin32
    rotation: tuple[wire.Rotation, ...]
    salt: wire.Bin32
    signing_key: str
    toml: wire.Bin32
    version: str

    def previous_leaves(self, code: str) -> int:
        """Return how many leaves an asset had room for before; 0 if it is new."""
        at = bisect_left(self.before, code, key=attrgetter("code"))
        is_there = at < len(self.before) and self.before[at].code == code
        return self.before[at].leaves if is_there else 0


def read_frozen(path: Path) -> Frozen:
    """Read the record; only who has the master key can tell whether it is as it was written.

    Raises:
        Damaged: it is not there, or malformed.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Frozen, bytes, bytes]:
    """Return the record, its bytes and its MAC."""
    try:
        data = read_own(path)
        record, mac = data[:-ID_BYTES], data[-ID_BYTES:]
        return wire.read_record(Frozen, record), record, mac
    except (wire.NotCanonical, wire.BadFields):
        raise Damaged(f"{path}: damaged; {_REMEDY}") from None
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}; {_REMEDY}") from None


def _mac(master: bytes, record: bytes) -> bytes:
    return derive(master, "frozen", record)


def freeze(
    path: Path,
    config: SnapshotConfig,
    signing: Ed25519PrivateKey,
    master: bytes,
    *,
    replaceable: bool,
) -> Frozen:
    """Return the record of this snapshot; make it if there is none.

    ``replaceable``: nothing has been made from a record that is there, so another input gets a new
    one, with a salt of its own.

    Raises:
        ProverError: the record is of another TOML, key or version, or the previous manifest is not
            a fit predecessor.
        Damaged: the record is not as it was written.
    """
    from importlib.metadata import version  # what only reads a record does not wait for it

    now = (
        native.sha256(config.stated),
        public_bytes(signing),
        native.sha256(master),
        version("assay"),
    )
    if path.exists():
        try:
            return _read_same(path, now, master)
        except ProverError:
            if not replaceable:
                raise
    previous, before, rotation = predecessor(config, signing)
    toml_digest, public_key, master_digest, prover_version = now
    frozen = Frozen(
        before=before,
        master_key=master_digest,
        previous=previous,
        public_key=public_key,
        rotation=rotation,
        salt=secrets.token_bytes(SALT_BYTES),
        signing_key=path_text(config.signing_key.resolve()),
        toml=toml_digest,
        version=prover_version,
    )
    record = wire.write_record(frozen)
    with fresh_file(path) as file:
        file.write(record + _mac(master, record))
    return frozen


def _read_same(path: Path, now: tuple[bytes, bytes, bytes, str], master: bytes) -> Frozen:
    """Return the record that is there, if it is of the same inputs and as it was written."""
    frozen, record, mac = _read(path)
    then = (frozen.toml, frozen.public_key, frozen.master_key, frozen.version)
    names = ("TOML, or list of its assets", "signing key", "master key", "prover's version")
    changed = next((name for name, a, b in zip(names, then, now, strict=True) if a != b), None)
    if changed is not None:
        raise ProverError(
            f"{path.parent}: this snapshot was begun with another {changed}; {_REMEDY}"
        )
    if not compare_digest(mac, _mac(master, record)):
        raise Damaged(f"{path}: not as it was frozen; {_REMEDY}")
    return frozen


def predecessor(
    config: SnapshotConfig, signing: Ed25519PrivateKey
) -> tuple[bytes, tuple[Room, ...], tuple[wire.Rotation, ...]]:
    """Check the previous manifest; return its digest, the room that its assets had, and a rotation.

    There is a rotation if the key has changed.

    Raises:
        ProverError: it is not a fit predecessor.
    """
    path = config.previous_manifest
    if path is None:
        return bytes(ID_BYTES), (), ()
    data, manifest = read_signed_manifest(path)
    _check_before(path, manifest, config)
    digest = manifest_digest(data)
    before = tuple(Room(asset.code, asset.shape.leaves) for asset in manifest.assets)
    return digest, before, _rotation(config, signing, manifest, digest)


def read_signed_manifest(path: Path) -> tuple[bytes, wire.Manifest]:
    """Read a manifest that its own key signed, in the file ``.sig`` beside it; nothing else of it
    is checked.

    Raises:
        ProverError: one of the two cannot be read, or the manifest is none, or not what was signed.
    """
    try:
        data = read_at_most(path, MAX_MANIFEST_BYTES)
        signature = read_at_most(path.with_suffix(".sig"), SIGNATURE_BYTES)
        manifest = wire.read_record(wire.Manifest, data)
    except OSError as error:
        raise ProverError(f"{error.filename}: {error.strerror}") from None
    except (wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{path}: not a manifest") from None
    if not is_signed(manifest.public_key, "manifest-signature", data, signature):
        raise ProverError(f"{path}: manifest.sig is no signature of it by its own key")
    return data, manifest


def _check_before(path: Path, manifest: wire.Manifest, config: SnapshotConfig) -> None:
    """Check that a snapshot may follow a manifest."""
    if manifest.snapshot_id == config.snapshot_id or manifest.time >= config.time:
        raise ProverError(
            f"{path}: the previous snapshot must have another id and be earlier; "
            f"it is {manifest.snapshot_id}, of {utc_text(manifest.time)}"
        )
    if manifest.exchange != config.exchange:
        raise ProverError(f"{path}: of another exchange")
    for asset in manifest.assets:
        is_known = asset.page_size in PAGE_SIZES and asset.capacity in CAPACITIES
        if not is_known or asset.shape.leaves > MAX_LEAVES:
            raise ProverError(f"{path}: no verifier would take the page size or capacity of assets")


def _rotation(
    config: SnapshotConfig, signing: Ed25519PrivateKey, manifest: wire.Manifest, digest: bytes
) -> tuple[wire.Rotation, ...]:
    """Return the statement of a new key, if it is another than that of the manifest before."""
    new_key = public_bytes(signing)
    if manifest.public_key == new_key:
        if config.old_signing_key is not None:
            raise ProverError("previous.old_signing is given, but the signing key has not changed")
        return ()
    if config.old_signing_key is None:
        raise ProverError("the signing key has changed: previous.old_signing must name the old one")
    old = read_signing_key(config.old_signing_key)
    if public_bytes(old) != manifest.public_key:
        raise ProverError(f"{config.old_signing_key}: not the key of the previous manifest")
    body = rotation_body(manifest.public_key, new_key, config.exchange, digest)
    signed = (sign(key, "rotation", body) for key in (signing, old))
    new_signature, old_signature = signed
    return (wire.Rotation(new_signature, manifest.public_key, old_signature),)
