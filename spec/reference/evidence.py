"""Evidence of disclosed addresses (wire.md 4), checked in the order of errors.md 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spec.reference import ownership, wire
from spec.reference.errors import Rejected, UnsupportedError
from spec.reference.group import Point, V, multi_multiply
from spec.reference.manifest import (
    Asset,
    Manifest,
    ascending,
    decode_fields,
    read_limited,
    require,
)
from spec.reference.transcript import tagged_hash

MAX_BYTES = 1 << 26
_ROW = {
    "address": wire.text(1, 128),
    "amount": wire.binary(32),
    "chain": wire.text(),
    "contract": wire.text(),
}
_SIGNATURE = {
    "address": wire.text(),
    "chain": wire.text(),
    "format": wire.text(),
    "text": wire.text(1, 16384),
}
_EVIDENCE = wire.record(
    {
        "code": wire.text(),
        "rows": wire.array(wire.record(_ROW), 0, 1 << 20),
        "signatures": wire.array(wire.record(_SIGNATURE)),
        "version": wire.integer,
    }
)
Seen = set[tuple[str, str, bytes]]  # (chain, contract, script or account)


def check(bundle: Path, manifest: Manifest, asset: Asset, seen: Seen) -> Point:
    """C_A of one asset, after numbers 4 to 14. `seen` is shared by the assets of the bundle."""
    name = f"evidence/{asset.code}.msgpack"
    data = read_limited(bundle / name, MAX_BYTES, "evidence.too-large", name)
    require(tagged_hash("evidence", data) == asset.evidence, "evidence.wrong-digest", name)
    fields = decode_fields(data, _EVIDENCE, "evidence", name)
    require(fields["version"] == 1, "evidence.unsupported-version", name)
    require(fields["code"] == asset.code, "evidence.wrong-asset", name)
    rows, signatures = fields["rows"], fields["signatures"]
    places = [(row["chain"], row["contract"], row["address"]) for row in rows]
    signature_order = ascending((item["chain"], item["address"]) for item in signatures)
    require(places == sorted(places) and signature_order, "evidence.unsorted", name)
    for number, row in enumerate(rows):
        _check_row(row, asset, seen, f"{name}, row {number}")
    pairs = sorted({(row["chain"], row["address"]) for row in rows})
    matched = pairs == [(item["chain"], item["address"]) for item in signatures]
    require(matched, "evidence.unmatched-signature", name)
    for number, item in enumerate(signatures):
        _check_signature(item, manifest, f"{name}, signature {number}")
    total = sum(_ledger_units(row, asset) for row in rows)
    require(total < 1 << 96, "evidence.total-too-large", name)
    return multi_multiply([(total, V)])


def _check_row(row: dict[str, Any], asset: Asset, seen: Seen, where: str) -> None:
    unit = (row["chain"], row["contract"])
    require(unit in asset.units, "evidence.unknown-unit", where)
    supported = row["chain"] in ownership.FORMATS.values()
    require(supported, "evidence.unsupported-chain", where)
    try:
        owner = ownership.owner(row["chain"], row["address"])
    except ValueError as error:
        raise Rejected("evidence.bad-address", where, str(error)) from None
    require((*unit, owner) not in seen, "evidence.duplicate-address", where)
    seen.add((*unit, owner))


def _check_signature(item: dict[str, Any], manifest: Manifest, where: str) -> None:
    chain = item["chain"]
    signed = ownership.message(manifest, chain)
    try:
        ownership.verify(item["format"], chain, item["address"], signed, item["text"])
    except UnsupportedError as error:
        raise Rejected(f"evidence.unsupported-{error.what}", where, str(error)) from None
    except ValueError as error:
        raise Rejected("evidence.bad-signature", where, str(error)) from None


def _ledger_units(row: dict[str, Any], asset: Asset) -> int:
    """The amount, rounded down to ledger units."""
    spare = asset.units[row["chain"], row["contract"]] - asset.decimals
    return int.from_bytes(row["amount"], "big") // int(10**spare)
