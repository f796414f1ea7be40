"""Attested holdings: the files that third parties signed, checked as every reader checks them.

Who signed is for readers to know. The exchange is told of a signature that does not fit the key
beside it, since no reader who names that key would accept the snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prover.errors import Code, InputError, Refusals
from verifier.checks.attested import Attestations, Stated, check_alone, net_units, place
from verifier.checks.holdings import AttestedHolding
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.evidence_records import Evidence, HoldingAttestation, HoldingBody
from verifier.format.params import MAX_ATTESTATIONS
from verifier.format.statement import Denomination

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig

_MAX_FILE_BYTES = 1 << 14
_REMEDY = "get it anew from whoever signed it, by assay-verify attest-holding"


def read_attestations(
    assets: Iterable[AssetConfig], stated: Stated, replaced: Collection[bytes] = ()
) -> dict[str, tuple[HoldingAttestation, ...]]:
    """Return the attestations of every asset, in the order of its evidence.

    ``replaced`` are the keys that the exchange's takes the place of.

    Raises:
        ProverError: a file is unreadable, malformed, or one that a reader would reject; the message
            names it.
    """
    refusals = Refusals()
    checks = Attestations(stated, {}, set(), replaced)
    found: dict[str, tuple[HoldingAttestation, ...]] = {}
    for asset in assets:
        held: list[tuple[AttestedHolding, HoldingAttestation]] = []
        for path in asset.attestations:
            with refusals.part():
                entry = _read(path)
                held.append((_check(asset, checks, path, entry), entry))
        if len(held) > MAX_ATTESTATIONS:
            words = f"more than {MAX_ATTESTATIONS} attestations"
            raise InputError(f"asset {asset.code}", Code.BAD_ATTESTATION, words)
        found[asset.code] = tuple(entry for _, entry in sorted(held, key=lambda it: place(it[0])))
    refusals.settle()
    return found


def check_attestation(
    path: Path, asset: AssetConfig, stated: Stated, replaced: Collection[bytes] = ()
) -> None:
    """Check the file of an attestation by itself, as one of an asset of a snapshot.

    Raises:
        ProverError: see `read_attestations`.
    """
    _check(asset, Attestations(stated, {}, set(), replaced), path, _read(path))


def check_beside(asset: Denomination, evidence: Evidence) -> None:
    """Check that no report counts what else there is of an asset.

    Raises:
        InputError: one does.
    """
    kinds = [body.kind for body in attested_bodies(evidence)]
    where = f"asset {asset.code}: attestations"
    try:
        check_alone(kinds, has_coins=bool(evidence.rows or evidence.hidden), where=where)
    except Rejected as error:
        remedy = "leave out the report, or all that stands beside it"
        raise InputError(where, Code.CONTRADICTION, error.message, remedy) from None


def attested_bodies(evidence: Evidence) -> list[HoldingBody]:
    """Return what third parties sign for in evidence of one's own."""
    return [wire.read_record(HoldingBody, entry.body) for entry in evidence.attestations]


def attested_total(asset: Denomination, evidence: Evidence) -> int:
    """Return what the attested holdings of an asset count for, in ledger units."""
    units = {(unit.chain, unit.contract): unit for unit in asset.units}
    return sum(
        net_units(body, units[body.chain, body.contract], asset.decimals)
        for body in attested_bodies(evidence)
    )


def _read(path: Path) -> HoldingAttestation:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise InputError(str(path), Code.UNREADABLE, str(error.strerror)) from None
    try:
        return wire.read_record(HoldingAttestation, data)
    except ValueError:
        raise InputError(str(path), Code.BAD_ATTESTATION, "not an attestation", _REMEDY) from None


def _check(
    asset: AssetConfig, checks: Attestations, path: Path, entry: HoldingAttestation
) -> AttestedHolding:
    believed = replace(checks, attesters={entry.key: "its attester"})
    try:
        found = believed.check(asset, entry, str(path))
    except Rejected as error:
        words = f"{error.code}: {error.message}"
        raise InputError(str(path), Code.BAD_ATTESTATION, words, _REMEDY) from None
    if found.is_own:
        words = "signed by the exchange itself, whose word is no third party's"
        raise InputError(str(path), Code.BAD_ATTESTATION, words, _REMEDY)
    return found
