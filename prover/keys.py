"""The exchange's private keys: making them, reading them, and the log of what one has signed.

A key file is readable by its owner alone, or it is refused. Before a signing key signs a manifest,
(snapshot id, manifest digest) is appended and synced to the log beside it, so that no crash and no
second folder makes it sign two manifests for one snapshot.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
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
from prover.storage import create_private, locked, sync_file
from verifier.keys import public_key_text

MASTER_KEY_BYTES = 32

SIGNING_KEY_FILE = "signing.pem"
MASTER_KEY_FILE = "master.key"
PUBLIC_KEY_FILE = "exchange.pub"

_LOG_LINE = re.compile(r"(?P<id>[a-z0-9-]{1,64}) (?P<digest>[0-9a-f]{64})")


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
    """
    for path in (folder / SIGNING_KEY_FILE, folder / MASTER_KEY_FILE, public):
        if path.exists():
            raise ProverError(f"{path} exists already; keys are never overwritten")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    create_private(folder / SIGNING_KEY_FILE, pem)
    create_private(folder / MASTER_KEY_FILE, f"{master.hex()}\n".encode())
    text = public_key_text(public_bytes(signing))
    public.write_text(f"{text}\n", encoding="ascii")
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
        key = load_pem_private_key(_read_owned(path), password=None)
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
    text = _read_owned(path).removesuffix(b"\n")
    if len(text) != 2 * MASTER_KEY_BYTES or not set(text) <= set(b"0123456789abcdef"):
        raise ProverError(f"{path}: a master key is 64 lower-case hex digits")
    return bytes.fromhex(text.decode("ascii"))


def _read_owned(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ProverError(f"{path}: a key file must be its owner's alone; run chmod 600")
            return file.read(1 << 16)
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None


class SigningLog:
    """What a signing key has signed: one line a snapshot, its id and the manifest's digest in hex.

    The log stands beside the key file itself, whatever link leads there.
    """

    def __init__(self, signing_key: Path) -> None:
        key = signing_key.resolve()
        self.path = key.with_name(key.name + ".log")

    def digest_of(self, snapshot_id: str) -> bytes | None:
        """Return the digest of the manifest signed for a snapshot; None if there is none."""
        if not self.path.exists():
            return None
        for line in self.path.read_text(encoding="ascii", errors="replace").splitlines():
            # A line torn by a crash belongs to a manifest that was not signed.
            entry = _LOG_LINE.fullmatch(line)
            if entry and entry["id"] == snapshot_id:
                return bytes.fromhex(entry["digest"])
        return None

    def record(self, snapshot_id: str, digest: bytes) -> None:
        """Append (snapshot id, digest) and sync it, unless that very line stands there.

        Raises:
            ProverError: another digest was signed for this id, or the log is in use.
        """
        with locked(self.path, f"{self.path} is in use by another run"):
            signed = self.digest_of(snapshot_id)
            if signed == digest:
                return
            if signed is not None:
                raise ProverError(
                    f"{self.path}: this key has signed another manifest for snapshot "
                    f"{snapshot_id}; two manifests for one snapshot are evidence of fraud"
                )
            written = self.path.read_bytes()
            end_of_torn_line = b"" if written.endswith(b"\n") or not written else b"\n"
            with self.path.open("ab") as file:
                file.write(end_of_torn_line + f"{snapshot_id} {digest.hex()}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            sync_file(self.path.parent)
