"""``assay-verify attest-holding``: a third party signs for what an exchange holds with it.

What is signed passes the checks of every reader first. The file is the attester's to give to the
exchange, which puts it into its evidence (spec/wire.md, section 4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verifier.bundle.key_file import read_public_key
from verifier.bundle.own_file import keep_file
from verifier.bundle.source import read_file
from verifier.checks import records
from verifier.checks.attested import Attestations
from verifier.checks.holdings import AttestedHolding
from verifier.commands.options import TEXTS
from verifier.commands.output import holding_object
from verifier.errors import Code, Misuse, Rejected
from verifier.format.account import AccountError, canonical_name
from verifier.format.chains import CHAINS
from verifier.format.evidence_records import HoldingAttestation, HoldingBody
from verifier.format.holding import ATTESTATION_PURPOSE, HOLDING_VERSION
from verifier.format.keys import KEY_PREFIX, is_signed, public_key_text, sign
from verifier.format.params import (
    CHAIN_NAME,
    MAX_TEXT_BYTES,
    MAX_TIME,
    MAX_UNIT_DECIMALS,
    SNAPSHOT_ID,
)
from verifier.format.times import RFC3339, utc_seconds
from verifier.format.wire import (
    Unit,
    write_record,
)
from verifier.ownership import OwnershipError, check_contract

_OPTIONAL = {"encumbered": "0"}
_MAX_BYTES = 1 << 16
_AMOUNT_LIMIT = 1 << 256
_UNIT = re.compile(f"({CHAIN_NAME.pattern}):([^:]*):([0-9]{{1,2}})")
_AMOUNT = re.compile(r"([0-9]{1,78})(?:\.([0-9]{1,36}))?")


@dataclass(frozen=True, slots=True)
class _Held:
    """The unit of a holding, as an asset that is held in nothing else."""

    unit: Unit
    code: str = "holding"

    @property
    def decimals(self) -> int:
        return self.unit.decimals

    @property
    def units(self) -> tuple[Unit, ...]:
        return (self.unit,)


@dataclass(frozen=True, slots=True)
class _Stated:
    """The snapshot, at the time of the holding: its own is the exchange's to say."""

    public_key: bytes
    snapshot_id: str
    time: int


def attest_holding(options: Mapping[str, str | None], settings: str | None) -> dict[str, Any]:
    """Sign for a holding, and write the file; return what is signed, as `show_attestation` does.

    ``options`` are texts by the names of `TEXTS`; what is None is taken from the TOML file
    ``settings``, if that is given.

    Raises:
        Misuse: something is missing or malformed, or another file stands where this is to be.
        CannotCheck: a file cannot be read.
    """
    from verifier.bundle.private_key import read_private_key

    said = _settings(settings) if settings is not None else {}
    said |= {name: text for name, text in options.items() if text is not None}
    said = _OPTIONAL | said
    for name in TEXTS:
        if name not in said:
            raise Misuse(f"missing: --{name.replace('_', '-')}: {TEXTS[name]}")
    key = read_private_key(Path(said["key"]))
    unit, body = _body(said)
    data = write_record(body)
    public_key = key.public_key().public_bytes_raw()
    entry = HoldingAttestation(data, public_key, sign(key, ATTESTATION_PURPOSE, data))
    _check(_Held(unit), entry, body)
    _write(Path(said["out"]), write_record(entry))
    return _shown(said["out"], entry, body, unit.decimals)


def show_attestation(path: str) -> dict[str, Any]:
    """Return what the file of an attestation says; amounts in base units of its unit.

    Raises:
        CannotCheck: it cannot be read.
        Rejected: it is none, or not signed by the key that stands in it.
    """
    data = read_file(path, _MAX_BYTES, path)
    entry = records.read(HoldingAttestation, data, "attestation", path)
    body = records.read(HoldingBody, entry.body, "attestation", path)
    if not is_signed(entry.key, ATTESTATION_PURPOSE, entry.body, entry.signature):
        raise Rejected(Code.ATTESTATION_BAD_SIGNATURE, path, "not signed by the key that it names")
    return _shown(path, entry, body)


def attestation_lines(shown: Mapping[str, Any]) -> list[str]:
    """Return for people what `attest_holding` and `show_attestation` return."""
    return [f"{name.replace('_', ' ')}: {value}" for name, value in shown.items()]


def _shown(
    path: str, entry: HoldingAttestation, body: HoldingBody, decimals: int | None = None
) -> dict[str, Any]:
    """``decimals`` are those of the unit, where they are known: what is signed lacks them."""
    in_coins = decimals is not None
    holding = AttestedHolding(body, entry.key, 0, decimals or 0, "")
    return {
        "file": path,
        "key": public_key_text(entry.key),
        **holding_object(body, holding.amount_text, holding.encumbered_text),
        "amounts_in": "whole coins" if in_coins else "base units",
    }


def _settings(path: str) -> dict[str, str]:
    """Read a file of settings: names as in `TEXTS`, all texts but the times; paths are its own."""
    import tomllib

    data = read_file(path, _MAX_BYTES, path)
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise Misuse(f"{path}: {error}") from None
    said: dict[str, str] = {}
    for name, value in found.items():
        if name not in TEXTS:
            raise Misuse(f"{path}: unknown key {name}; known are {', '.join(TEXTS)}")
        if isinstance(value, datetime) and value.tzinfo is not None:
            value = value.astimezone(UTC).strftime(RFC3339)
        if not isinstance(value, str):
            raise Misuse(f"{path}: {name} is no text")
        is_path = name in ("key", "document", "out")
        if is_path or (name == "exchange_key" and not value.startswith(KEY_PREFIX)):
            value = str(Path(path).parent / value)
        said[name] = value
    return said


def _body(said: Mapping[str, str]) -> tuple[Unit, HoldingBody]:
    unit = _unit(said["unit"])
    body = HoldingBody(
        amount=_amount("amount", said["amount"], unit),
        attester=_text("attester", said["attester"]),
        chain=unit.chain,
        contract=unit.contract,
        document=_digest(said["document"]),
        encumbered=_amount("encumbered", said["encumbered"], unit),
        exchange_key=read_public_key(said["exchange_key"]),
        holder=_text("holder", said["holder"]),
        kind=said["kind"],
        not_after=_time("not-after", said["not_after"]),
        reference=_text("reference", said["reference"]),
        snapshot_id=said["snapshot_id"],
        time=_time("time", said["time"]),
        version=HOLDING_VERSION,
    )
    if not SNAPSHOT_ID.fullmatch(body.snapshot_id):
        raise Misuse("--snapshot-id: 1 to 64 of a-z, 0-9 and hyphen")
    return unit, body


def _check(held: _Held, entry: HoldingAttestation, body: HoldingBody) -> None:
    """Check what is to be given away as a reader will."""
    stated = _Stated(body.exchange_key, body.snapshot_id, body.time)
    try:
        checks = Attestations(stated, {entry.key: body.attester})
        found = checks.check(held, entry, "the attestation")
    except Rejected as error:
        raise Misuse(f"every reader would reject this: {error.message}") from None
    if found.is_own:
        raise Misuse("--key: it is the exchange's own, whose word is no third party's: take yours")


def _unit(text: str) -> Unit:
    match = _UNIT.fullmatch(text)
    if match is None or int(match[3]) > MAX_UNIT_DECIMALS:
        raise Misuse(f"--unit: {TEXTS['unit']}")
    chain, contract = match[1], match[2]
    if chain not in CHAINS:
        raise Misuse(f"--unit: {chain} is no chain that is known; known are {', '.join(CHAINS)}")
    try:
        check_contract(chain, contract)
    except OwnershipError as error:
        raise Misuse(f"--unit: {error.message}") from None
    return Unit(chain, contract, int(match[3]))


def _amount(name: str, text: str, unit: Unit) -> bytes:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise Misuse(f"--{name}: not a decimal number, such as 1500.25")
    fraction = (match[2] or "").ljust(unit.decimals, "0")
    if len(fraction) > unit.decimals:
        raise Misuse(f"--{name}: more than {unit.decimals} decimals, those of the unit")
    units = int(match[1] + fraction)
    if units >= _AMOUNT_LIMIT:
        raise Misuse(f"--{name}: not below 2^256 base units")
    return units.to_bytes(32)


def _text(name: str, text: str) -> str:
    try:
        return canonical_name(text, MAX_TEXT_BYTES)
    except AccountError as error:
        raise Misuse(f"--{name}: {error}; write it as names are, in at most 128 bytes") from None


def _time(name: str, text: str) -> int:
    try:
        seconds = utc_seconds(text)
    except ValueError:
        raise Misuse(f"--{name}: not a time such as 2026-11-28T00:00:00Z") from None
    if not 1 <= seconds <= MAX_TIME:
        raise Misuse(f"--{name}: out of range")
    return seconds


def _digest(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise Misuse(f"--document: {path}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    """Write a file whole, or not at all; what stands there must be the same."""
    try:
        keep_file(path, data)
    except FileExistsError:
        raise Misuse(f"{path} exists, and says something else; nothing is overwritten") from None
    except OSError as error:
        raise Misuse(f"{path}: {error.strerror}") from None
