"""Attested holdings (protocol.md 3.6), checked in the order of errors.md 2, 14d to 14p."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from spec.reference import keys, wire
from spec.reference.account import canonical_name
from spec.reference.errors import Rejected
from spec.reference.manifest import Asset, Manifest, ascending, decode_fields, require

KINDS = (
    "bank-balance",
    "custodian",
    "defi",
    "exchange-account",
    "lightning",
    "procedures",
    "staked",
)
DAY = 86_400
FIELDS = {
    "body": wire.binary(least=1, most=4096),
    "key": wire.binary(32),
    "signature": wire.binary(64),
}
_BODY = wire.record(
    {
        "amount": wire.binary(32),
        "attester": wire.text(1, 128),
        "chain": wire.text(),
        "contract": wire.text(),
        "document": wire.binary(32),
        "encumbered": wire.binary(32),
        "exchange_key": wire.binary(32),
        "holder": wire.text(1, 128),
        "kind": wire.text(),
        "not_after": wire.integer,
        "reference": wire.text(1, 128),
        "snapshot_id": wire.text(),
        "time": wire.integer,
        "version": wire.integer,
    }
)
Seen = set[tuple[bytes, str]]  # key, reference


def check(
    fields: dict[str, Any],
    manifest: Manifest,
    asset: Asset,
    seen: Seen,
    attesters: Collection[bytes],
    name: str,
) -> list[tuple[int, str]]:
    """What each attestation of an asset counts for, in ledger units, and at which level.

    `attesters` are the keys that the reader named; the exchange's own are none.
    """
    attesters = frozenset(attesters) - frozenset(manifest.own_keys)
    bodies, held = [], []
    for number, item in enumerate(fields["attestations"]):
        body = _check_one(item, manifest, asset, seen, attesters, f"{name}, attestation {number}")
        bodies.append(body)
        net = int.from_bytes(body["amount"], "big") - int.from_bytes(body["encumbered"], "big")
        spare = asset.units[body["chain"], body["contract"]] - asset.decimals
        level = "attested" if item["key"] in attesters else "claimed"
        held.append((net // int(10**spare), level))
    order = [
        (body["chain"], body["contract"], item["key"], body["reference"])
        for item, body in zip(fields["attestations"], bodies, strict=True)
    ]
    require(ascending(order), "evidence.unsorted", name)
    is_whole = any(body["kind"] == "procedures" for body in bodies)
    is_alone = len(bodies) == 1 and not fields["rows"] and not fields["hidden"]
    require(is_alone or not is_whole, "evidence.mixed-attestation", name)
    return held


def _check_one(
    item: dict[str, Any],
    manifest: Manifest,
    asset: Asset,
    seen: Seen,
    attesters: Collection[bytes],
    where: str,
) -> dict[str, Any]:
    body: dict[str, Any] = decode_fields(item["body"], _BODY, "attestation", where)
    require(body["version"] == 1, "attestation.unsupported-version", where)
    for field in ("attester", "holder", "reference"):
        try:
            require(canonical_name(body[field], 128) == body[field], "attestation.bad-text", where)
        except ValueError as error:
            raise Rejected("attestation.bad-text", where, str(error)) from None
    stated = manifest.public_key, manifest.snapshot_id
    found = body["exchange_key"], body["snapshot_id"]
    require(found == stated, "attestation.wrong-exchange", where)
    unit = body["chain"], body["contract"]
    require(unit in asset.units, "attestation.unknown-unit", where)
    require(body["kind"] in KINDS, "attestation.bad-kind", where)
    amount = int.from_bytes(body["amount"], "big")
    encumbered = int.from_bytes(body["encumbered"], "big")
    require(encumbered <= amount, "attestation.bad-amount", where)
    near = manifest.time - DAY <= body["time"] <= manifest.time + DAY
    require(near and manifest.time <= body["not_after"], "attestation.expired", where)
    attested = item["key"], body["reference"]
    require(attested not in seen, "attestation.duplicate", where)
    seen.add(attested)
    if item["key"] in attesters:
        holds = keys.signed(item["key"], "holding-attestation", item["body"], item["signature"])
        require(holds, "attestation.bad-signature", where)
    return body
