"""The evidence of one asset: disclosed addresses, their amounts, and who signed for them.

The amounts are the exchange's word (`claimed`); the signatures say that whoever can spend from an
address named this exchange, snapshot and block. Source: spec/protocol.md, section 3; the order of
checks is that of spec/errors.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import Code, Rejected
from verifier.keys import public_key_text
from verifier.manifest import CheckedManifest, is_ascending
from verifier.ownership import (
    Address,
    OwnershipError,
    check_ownership,
    ownership_message,
    parse_address,
)
from verifier.params import ASSETS_LIMIT, EVIDENCE_VERSION, MAX_EVIDENCE_BYTES
from verifier.statement import evidence_digest
from verifier.wire import Asset, BadFields, Evidence, NotCanonical, Row, Unit, read_record

SUPPORTED_CHAINS = frozenset({"bitcoin", "ethereum"})

Seen = set[tuple[str, str, bytes]]  # chain, contract, script or account
_Addresses = dict[tuple[str, str], Address | OwnershipError]


@dataclass(frozen=True)
class CheckedEvidence:
    """What the evidence of an asset comes to; ``total`` in ledger units, below 2^96."""

    total: int
    rows: int
    signatures: int


def ledger_units(row: Row, unit: Unit, decimals: int) -> int:
    """Return what a row counts for in ledger units of ``decimals``, rounded down."""
    scale: int = 10 ** (unit.decimals - decimals)
    return int.from_bytes(row.amount) // scale


def check_evidence(
    checked: CheckedManifest, asset: Asset, data: bytes, seen: Seen
) -> CheckedEvidence:
    """Check untrusted evidence of one asset; adds its addresses to those ``seen`` in the bundle.

    Raises:
        Rejected: the first fault, in the order of the numbers (spec/errors.md, section 2).
    """
    # 4 - 9
    evidence = _read(asset, data)
    # 10
    rows, signatures = evidence.rows, evidence.signatures
    places = [(row.chain, row.contract, row.address) for row in rows]
    if places != sorted(places):
        raise _fault(Code.EVIDENCE_UNSORTED, asset, "the rows are not in ascending order")
    if not is_ascending((entry.chain, entry.address) for entry in signatures):
        raise _fault(Code.EVIDENCE_UNSORTED, asset, "the signatures are not in ascending order")
    # 11
    addresses = _check_rows(asset, evidence, seen)
    # 12
    if [(entry.chain, entry.address) for entry in signatures] != sorted(addresses):
        raise _fault(
            Code.EVIDENCE_UNMATCHED_SIGNATURE, asset, "not one signature for every address"
        )
    # 13
    _check_signatures(checked, asset, evidence, addresses)
    # 14
    units = {(unit.chain, unit.contract): unit for unit in asset.units}
    total = sum(ledger_units(row, units[row.chain, row.contract], asset.decimals) for row in rows)
    if total >= ASSETS_LIMIT:
        raise _fault(Code.EVIDENCE_TOTAL_TOO_LARGE, asset, "2^96 ledger units or more")
    return CheckedEvidence(total, len(rows), len(signatures))


def _read(asset: Asset, data: bytes) -> Evidence:
    """Numbers 4 to 9."""
    if not 1 <= len(data) <= MAX_EVIDENCE_BYTES:
        raise _fault(Code.EVIDENCE_TOO_LARGE, asset, "empty, or larger than 64 MiB")
    if evidence_digest(data) != asset.evidence:
        raise _fault(Code.EVIDENCE_WRONG_DIGEST, asset, "not the evidence that the manifest names")
    try:
        evidence = read_record(Evidence, data)
    except NotCanonical as error:
        raise _fault(Code.EVIDENCE_NOT_CANONICAL, asset, str(error)) from None
    except BadFields as error:
        raise _fault(Code.EVIDENCE_BAD_FIELDS, asset, str(error)) from None
    if evidence.version != EVIDENCE_VERSION:
        raise _fault(Code.EVIDENCE_UNSUPPORTED_VERSION, asset, "the version is not 1")
    if evidence.code != asset.code:
        raise _fault(Code.EVIDENCE_WRONG_ASSET, asset, "it is of another asset")
    return evidence


def _check_rows(asset: Asset, evidence: Evidence, seen: Seen) -> _Addresses:
    """Number 11; return every (chain, address), parsed, or the refusal that its signature meets."""
    units = {(unit.chain, unit.contract) for unit in asset.units}
    addresses: _Addresses = {}
    for at, row in enumerate(evidence.rows):
        if (row.chain, row.contract) not in units:
            raise _fault(Code.EVIDENCE_UNKNOWN_UNIT, asset, "no unit of the asset", row=at)
        if row.chain not in SUPPORTED_CHAINS:
            raise _fault(
                Code.EVIDENCE_UNSUPPORTED_CHAIN, asset, "neither bitcoin nor ethereum", row=at
            )
        try:
            address: Address | OwnershipError = parse_address(row.chain, row.address)
        except OwnershipError as error:
            if error.code == "evidence.bad-address":
                raise _fault(Code.EVIDENCE_BAD_ADDRESS, asset, error.message, row=at) from None
            # The text is good and its template is not: that is a fault of the signature.
            address = error
        owner = address.script if isinstance(address, Address) else row.address.encode()
        if (row.chain, row.contract, owner) in seen:
            raise _fault(Code.EVIDENCE_DUPLICATE_ADDRESS, asset, "counted before", row=at)
        seen.add((row.chain, row.contract, owner))
        addresses[row.chain, row.address] = address
    return addresses


def _check_signatures(
    checked: CheckedManifest, asset: Asset, evidence: Evidence, addresses: _Addresses
) -> None:
    """Number 13."""
    manifest = checked.manifest
    key = public_key_text(manifest.public_key)
    for at, entry in enumerate(evidence.signatures):
        address = addresses[entry.chain, entry.address]
        try:
            if isinstance(address, OwnershipError):
                raise address
            block_hash = checked.block_hash(entry.chain)
            message = ownership_message(
                key, manifest.exchange, manifest.snapshot_id, entry.chain, block_hash
            )
            check_ownership(address, message, entry.format, entry.text)
        except OwnershipError as error:
            where = f"{asset.code}, signature {at}"
            raise Rejected(Code(error.code), where, error.message) from None


def _fault(code: Code, asset: Asset, message: str, *, row: int | None = None) -> Rejected:
    where = f"{asset.code}, evidence" if row is None else f"{asset.code}, row {row}"
    return Rejected(code, where, message)
