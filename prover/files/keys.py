"""The exchange's private keys: making them, reading them, and the log of what one has signed.

A key file is readable by its owner alone, or it is refused. Before a signing key signs a manifest,
(snapshot id, manifest digest, digest of the manifest before) is appended and synced to the log
beside it, so that no crash and no second folder makes it sign two manifests for one snapshot, or
two snapshots that follow the same one: both are evidence of fraud (spec/protocol.md 7).
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from prover.errors import ProverError
from prover.files.storage import create_private, locked, sync_file
from verifier.format.keys import public_key_text
from verifier.format.params import SNAPSHOT_ID

MASTER_KEY_BYTES = 32

SIGNING_KEY_FILE = "signing.pem"
MASTER_KEY_FILE = "master.key"
PUBLIC_KEY_FILE = "exchange.pub"

_LOG_LINE = re.compile(
    f"(?P<id>{SNAPSHOT_ID.pattern}) (?P<digest>[0-9a-f]{{64}}) (?P<previous>[0-9a-f]{{64}})"
)


def make_keys(folder: Path) -> str:
    """Make ``signing.pem``, ``master.key`` and ``exchange.pub``; return the public key's text.

    Raises:
        ProverError: one of them exists; nothing is written.
    """
    signing, master = Ed25519PrivateKey.generate(), secrets.token_bytes(MASTER_KEY_BYTES)
    return write_keys(folder, signing, master, folder / PUBLIC_KEY_FILE)


def write_keys(folder: Path, signing: Ed25519PrivateKey, master: bytes, public: Path) -> str:
    """Write the two private keys into ``folder``, the public one to ``public``; return its text.

    Raises:
        ProverError: one of the files exists; nothing is written.
        OSError: they cannot be written; none is left.
    """
    paths = (folder / SIGNING_KEY_FILE, folder / MASTER_KEY_FILE, public)
    for path in paths:
        if path.exists():
            raise ProverError(f"{path} exists already; keys are never overwritten")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    text = public_key_text(public_bytes(signing))
    contents = (pem, f"{master.hex()}\n".encode(), f"{text}\n".encode())
    written: list[Path] = []
    try:
        for path, content in zip(paths, contents, strict=True):
            create_private(path, content)
            written.append(path)
        public.chmod(0o644)
    except BaseException:
        for path in written:
            path.unlink()
        raise
    return text


def public_bytes(signing: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public key of ``signing``."""
    return signing.public_key().public_bytes_raw()


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key, PKCS#8 in PEM without a passphrase.

    Raises:
        ProverError: unreadable, readable by others, or no such key.
    """
    try:
        key = load_pem_private_key(read_owned(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ProverError(f"{path}: not an Ed25519 private key in PKCS#8 PEM, unencrypted")
    return key


def read_master_key(path: Path) -> bytes:
    """Read a master key: 64 lower-case hex digits, optionally one LF; return its 32 bytes.

    Raises:
        ProverError: unreadable, readable by others, or not of that form.
    """
    text = read_owned(path).removesuffix(b"\n")
    if len(text) != 2 * MASTER_KEY_BYTES or not set(text) <= set(b"0123456789abcdef"):
        raise ProverError(f"{path}: a master key is 64 lower-case hex digits")
    return bytes.fromhex(text.decode("ascii"))


def read_owned(path: Path) -> bytes:
    """Return what a key file holds, up to 64 KiB.

    Raises:
        ProverError: unreadable, or readable by others than its owner.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ProverError(f"{path}: a key file must be its owner's alone; run chmod 600")
            return file.read(1 << 16)
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest that a key has signed: its snapshot id, digest, and that of the one before."""

    snapshot_id: str
    digest: bytes
    previous: bytes


class SigningLog:
    """What a signing key has signed: one line a snapshot.

    The log stands beside the key file itself, whatever link leads there.
    """

    def __init__(self, signing_key: Path) -> None:
        key = signing_key.resolve()
        self.path = key.with_name(key.name + ".log")

    def digest_of(self, snapshot_id: str) -> bytes | None:
        """Return the digest of the manifest signed for a snapshot; None if there is none."""
        found = (signed.digest for signed in self._entries() if signed.snapshot_id == snapshot_id)
        return next(found, None)

    def followers(self, previous: bytes) -> set[str]:
        """Return the ids of the snapshots signed to follow the manifest of a digest, or zeros."""
        return {signed.snapshot_id for signed in self._entries() if signed.previous == previous}

    def check(self, snapshot_id: str, previous: bytes, abandoned: Collection[str]) -> None:
        """Check that a snapshot may follow the manifest of digest ``previous``, or zeros.

        ``abandoned`` are ids of snapshots that were signed and that nobody ever got.

        Raises:
            ProverError: another snapshot is signed as the one after the same manifest.
        """
        for other in self.followers(previous) - {snapshot_id, *abandoned}:
            before = "the same manifest" if any(previous) else "none: as the first one"
            raise ProverError(
                f"{self.path}: this key has signed snapshot {other} already, to follow {before}; "
                "two are evidence of fraud. Name its manifest.msgpack under [previous] manifest; "
                "or, if nobody ever got it, its id under [previous] abandoned, and delete its "
                "bundle"
            )

    def check_signing(self, signing: Signed, abandoned: Collection[str] = ()) -> None:
        """Check that the key has signed nothing that contradicts a manifest, or has signed it.

        Raises:
            ProverError: another manifest was signed for this id or after the same one.
        """
        digest = self.digest_of(signing.snapshot_id)
        if digest == signing.digest:
            return
        if digest is not None:
            raise ProverError(
                f"{self.path}: this key has signed another manifest for snapshot "
                f"{signing.snapshot_id}; two manifests for one snapshot are evidence of fraud"
            )
        self.check(signing.snapshot_id, signing.previous, abandoned)

    def record(self, signing: Signed, abandoned: Collection[str] = ()) -> None:
        """Append a line and sync it, unless that very line stands there.

        Raises:
            ProverError: another manifest was signed for this id or after the same one, or the log
                is in use.
        """
        with locked(self.path, f"{self.path} is in use by another run"):
            self.check_signing(signing, abandoned)
            if self.digest_of(signing.snapshot_id) == signing.digest:
                return
            written = self.path.read_bytes()
            end_of_torn_line = "\n" if written and not written.endswith(b"\n") else ""
            line = f"{signing.snapshot_id} {signing.digest.hex()} {signing.previous.hex()}\n"
            with self.path.open("ab") as file:
                file.write((end_of_torn_line + line).encode())
                file.flush()
                os.fsync(file.fileno())
            sync_file(self.path.parent)

    def _entries(self) -> Iterator[Signed]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="ascii", errors="replace").splitlines():
            # A line torn by a crash belongs to a manifest that was not signed.
            if entry := _LOG_LINE.fullmatch(line):
                digests = (bytes.fromhex(entry[name]) for name in ("digest", "previous"))
                yield Signed(entry["id"], *digests)
