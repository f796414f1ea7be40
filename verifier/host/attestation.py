"""What the host signs about one manifest (spec/wire.md, section 9), and its list of exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.format.keys import sign
from verifier.format.wire import Bin32, Size, Value, encode, write_record
from verifier.host.settings import WatchedExchange

ATTESTATION_VERSION = 1

# What an audit comes to, whatever the bundle.
CHECKED = (
    "manifest and its signature",
    "files",
    "declaration of loans and pledges",
    "evidence: ownership signatures and proofs",
    "solvency argument of every asset",
    "every page of every tree",
)
NOT_CHECKED = (
    "that the ledger is complete: customers check that",
    "that coins are not borrowed, and keys not lent",
)
NO_NODE = "amounts against a node of the auditor's own"
SET_ASIDE = "what the codes that are not listed stand for: this verifier does not know their units"


@dataclass(frozen=True, slots=True)
class AttestedAsset:
    """An asset, the ``level`` at which its amounts are known, and its ratio."""

    code: str
    den: int
    level: str
    num: int


@dataclass(frozen=True, slots=True)
class Attestation:
    """The outcome of an audit; ``code`` is empty if it accepted, ``time`` in Unix seconds."""

    assets: tuple[AttestedAsset, ...]
    checked: tuple[str, ...]
    code: str
    exchange: str
    manifest: Bin32
    not_checked: tuple[str, ...]
    place: Annotated[str, Size(0, 1024)]
    public_key: Bin32
    snapshot_id: str
    time: int
    verifier: str
    version: int


def verifier_version() -> str:
    """Return the name and version of the verifier that audits."""
    return f"assay {version('assay')}"


def sign_attestation(key: Ed25519PrivateKey, attestation: Attestation) -> tuple[bytes, bytes]:
    """Return the file of an attestation, and its signature."""
    data = write_record(attestation)
    return data, sign(key, "attestation", data)


def sign_exchange_list(
    key: Ed25519PrivateKey, exchanges: Sequence[WatchedExchange], time: int
) -> tuple[bytes, bytes]:
    """Return the list of exchanges that are watched, and its signature (wire.md, section 8)."""
    entries: list[Value] = [
        {"bundle": entry.place, "name": entry.name, "public_key": entry.public_key}
        for entry in exchanges
    ]
    data = encode({"exchanges": entries, "time": time, "version": 1})
    return data, sign(key, "exchange-list", data)
