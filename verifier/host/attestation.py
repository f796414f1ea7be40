"""What the host signs about one manifest (spec/wire.md, section 9), and its list of exchanges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.checks.policy import Attester
from verifier.errors import Misuse
from verifier.format.keys import sign
from verifier.format.units import Kind, KnownUnit
from verifier.format.wire import Bin32, Size, write_record
from verifier.host.settings import WatchedExchange

ATTESTATION_VERSION = 1
LIST_VERSION = 1
MAX_LIST_BYTES = 2**22
MAX_LIST_UNITS = 16_384
MAX_LISTED = 4096  # exchanges; attesters

# What an audit comes to, whatever the bundle.
CHECKED = (
    "manifest and its signature",
    "files",
    "record of arguments and its signature",
    "declaration of loans and pledges",
    "evidence: ownership signatures and proofs",
    "solvency argument of every asset",
    "every page of every tree, with its argument",
)
NOT_CHECKED = (
    "that the ledger is complete: customers check that",
    "that coins are not borrowed, and keys not lent",
)
NO_NODE = "amounts against a node of the auditor's own"
ATTESTED = (
    "that what third parties attest is there: those whom the auditor names are believed, and what "
    "others signed is the exchange's word"
)
NO_DAY = "that the blocks of these chains are of the snapshot's day: {}"
NO_AUTHORITY = "that accounts' own keys still have the power over them, on: {}"
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


@dataclass(frozen=True, slots=True)
class ListedExchange:
    """An exchange that the auditor watches, and where its proofs are, if that is said."""

    bundle: str
    name: str
    public_key: Bin32


@dataclass(frozen=True, slots=True)
class ListedUnit:
    """A unit that the auditor knows; ``kind`` is native, issuer, bridged or named."""

    chain: str
    code: str
    contract: str
    decimals: int
    kind: str


@dataclass(frozen=True, slots=True)
class ExchangeList:
    """``exchanges.msgpack``; nothing reads the ``policy`` yet, and it is empty."""

    attesters: tuple[Attester, ...]
    exchanges: tuple[ListedExchange, ...]
    policy: str
    time: int
    units: tuple[ListedUnit, ...]
    version: int


def verifier_version() -> str:
    """Return the name and version of the verifier that audits."""
    return f"assay {version('assay')}"


def sign_attestation(key: Ed25519PrivateKey, attestation: Attestation) -> tuple[bytes, bytes]:
    """Return the file of an attestation, and its signature."""
    data = write_record(attestation)
    return data, sign(key, "attestation", data)


def sign_exchange_list(
    key: Ed25519PrivateKey,
    exchanges: Sequence[WatchedExchange],
    attesters: Sequence[Attester],
    units: Iterable[KnownUnit],
    time: int,
) -> tuple[bytes, bytes]:
    """Return the list of what the auditor vouches for, and its signature (wire.md, section 8).

    Raises:
        Misuse: it is more than readers take.
    """
    named = sorted(set(units), key=lambda unit: (unit.chain, unit.contract))
    listed = ExchangeList(
        attesters=tuple(attesters),
        exchanges=tuple(
            ListedExchange(entry.place, entry.name, entry.public_key) for entry in exchanges
        ),
        policy="",
        time=time,
        units=tuple(
            ListedUnit(unit.chain, unit.code, unit.contract, unit.decimals, Kind.NAMED.value)
            for unit in named
        ),
        version=LIST_VERSION,
    )
    data = write_record(listed)
    if (
        max(len(exchanges), len(attesters)) > MAX_LISTED
        or len(named) > MAX_LIST_UNITS
        or len(data) > MAX_LIST_BYTES
    ):
        raise Misuse(
            f"readers take {MAX_LISTED:,} exchanges and as many attesters, "
            f"{MAX_LIST_UNITS:,} units, and a list of {MAX_LIST_BYTES} bytes"
        )
    return data, sign(key, "exchange-list", data)
