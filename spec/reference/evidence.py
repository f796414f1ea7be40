"""Evidence of disclosed addresses (wire.md 4), checked in the order of errors.md 2."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from spec.reference import attested, bip127, ethereum, hidden_sets, ownership, wire
from spec.reference.address import check_contract
from spec.reference.address import owner as owner_of
from spec.reference.chains import CHAINS
from spec.reference.errors import Rejected, UnsupportedError
from spec.reference.ethereum import Slot
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

MAX_BYTES = 1 << 27
MAX_ALL_BYTES = 1 << 29
# Weakest first (protocol.md 3.4).
LEVELS = ("unverified", "claimed", "header", "attested", "listed", "chain")
Unit = tuple[str, str]  # chain, contract
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
    "text": wire.text(1, 1 << 17),
}
_COIN = {
    "address": wire.text(1, 128),
    "amount": wire.integer,
    "index": wire.integer,
    "txid": wire.binary(32),
}
_PROOF = {
    "chain": wire.text(),
    "header": wire.binary(least=1, most=8192),
    "nodes": wire.array(wire.binary(least=1, most=4096), 0, 1 << 20),
}
_EVIDENCE = wire.record(
    {
        "attestations": wire.array(wire.record(attested.FIELDS), 0, 4096),
        "code": wire.text(),
        "coins": wire.array(wire.record(_COIN), 0, 1 << 20),
        "hidden": wire.array(wire.record(hidden_sets.FIELDS), 0, 16),
        "proofs": wire.array(wire.record(_PROOF), 0, 64),
        "rows": wire.array(wire.record(_ROW), 0, 1 << 20),
        "signatures": wire.array(wire.record(_SIGNATURE)),
        "validators": wire.array(wire.binary(), 0, 0),
        "version": wire.integer,
    }
)


@dataclass
class Seen:
    """What the bundle has counted so far."""

    owners: set[tuple[str, str, bytes]] = field(default_factory=set)  # chain, contract, script
    coins: set[tuple[bytes, int]] = field(default_factory=set)
    attested: attested.Seen = field(default_factory=set)
    size: int = 0


@dataclass(frozen=True)
class Held:
    """What evidence comes to: C_A, and the weakest level (protocol.md 3.4) of what is in it.

    `times`, in Unix seconds, are of the blocks whose headers are in it; `rows` say what each row
    counts for.
    """

    commitment: Point
    level: str
    times: dict[str, int]
    rows: tuple[tuple[str, str, int], ...]  # chain, address, ledger units


def check(
    bundle: Path,
    manifest: Manifest,
    asset: Asset,
    seen: Seen,
    slots: dict[Unit, Slot],
    attesters: Collection[bytes] = (),
) -> Held:
    """One asset's evidence, after numbers 4 to 17. `seen` is shared by the assets of the bundle;
    `slots` are where tokens keep balances; `attesters` are keys that the reader named."""
    name = f"evidence/{asset.code}.msgpack"
    seen.size += (bundle / name).stat().st_size
    require(seen.size <= MAX_ALL_BYTES, "evidence.too-large", name)
    fields = _read(bundle, asset, name)  # 4 to 9
    _check_order(fields, name)  # 10
    _check_contracts(asset, name)  # 11
    for number, row in enumerate(fields["rows"]):
        _check_row(row, asset, seen, f"{name}, row {number}")
    _check_signatures(fields, manifest, name)  # 12, 13
    _check_coins(fields["coins"], fields["rows"], seen, name)  # 14
    signed = attested.check(fields, manifest, asset, seen.attested, attesters, name)
    sets = [  # 15
        hidden_sets.check(item, fields["hidden"][:at], asset, seen.owners, _set_name(name, at))
        for at, item in enumerate(fields["hidden"])
    ]
    times, proven = _check_proofs(fields, sets, manifest, asset, slots, name)  # 16
    total = sum(_ledger_units(row, asset) for row in fields["rows"])
    total += sum(amount for amount, _ in signed)
    listed = sum(amount for hidden in sets for amount in hidden.amounts)
    require(total + listed < 1 << 96, "evidence.total-too-large", name)  # 17
    for at, hidden in enumerate(sets):  # 18
        hidden_sets.check_argument(hidden, manifest, asset, _set_name(name, at))
    commitments = [(1, hidden.commitment) for hidden in sets]
    rows = tuple(
        (row["chain"], row["address"], _ledger_units(row, asset)) for row in fields["rows"]
    )
    levels = [level for _, level in signed]
    if fields["rows"] or sets or not levels:
        levels.append(_level(fields, sets, proven))
    weakest = min(levels, key=LEVELS.index)
    return Held(multi_multiply([(total, V), *commitments]), weakest, times, rows)


def _set_name(name: str, at: int) -> str:
    return f"{name}, hidden set {at}"


def _read(bundle: Path, asset: Asset, name: str) -> dict[str, Any]:
    data = read_limited(bundle / name, MAX_BYTES, "evidence.too-large", name)
    require(tagged_hash("evidence", data) == asset.evidence, "evidence.wrong-digest", name)
    fields: dict[str, Any] = decode_fields(data, _EVIDENCE, "evidence", name)
    require(fields["version"] == 1, "evidence.unsupported-version", name)
    require(fields["code"] == asset.code, "evidence.wrong-asset", name)
    return fields


def _check_order(fields: dict[str, Any], name: str) -> None:
    places = [(row["chain"], row["contract"], row["address"]) for row in fields["rows"]]
    orders = [
        places == sorted(places),  # an address may stand in several
        ascending((item["chain"], item["address"]) for item in fields["signatures"]),
        ascending((coin["address"], coin["txid"], coin["index"]) for coin in fields["coins"]),
        ascending(proof["chain"] for proof in fields["proofs"]),
        *(ascending(proof["nodes"]) for proof in fields["proofs"]),
    ]
    require(all(orders), "evidence.unsorted", name)


def _check_signatures(fields: dict[str, Any], manifest: Manifest, name: str) -> None:
    pairs = sorted({(row["chain"], row["address"]) for row in fields["rows"]})
    matched = pairs == [(item["chain"], item["address"]) for item in fields["signatures"]]
    require(matched, "evidence.unmatched-signature", name)
    plan = bip127.Plan(fields)
    for number, item in enumerate(fields["signatures"]):
        _check_signature(item, plan, manifest, f"{name}, signature {number}")


def _check_proofs(
    fields: dict[str, Any],
    sets: list[hidden_sets.HiddenSet],
    manifest: Manifest,
    asset: Asset,
    slots: dict[Unit, Slot],
    name: str,
) -> tuple[dict[str, int], set[Unit]]:
    """The times of the blocks, by chain, and the units that are proved."""
    times = {}
    proven: set[Unit] = set()
    for number, proof in enumerate(fields["proofs"]):
        chain = proof["chain"]
        if chain not in CHAINS:
            continue
        if CHAINS[chain].header == "none":
            continue
        where = f"{name}, proof {number}"
        if CHAINS[chain].header == "bitcoin":
            times[chain] = _check_block_header(proof, manifest, where)
            continue
        # Nodes under a slot that is not known are for those who know it.
        units = {unit for unit in asset.units if unit[0] == chain}
        readable = {unit for unit in units if not unit[1] or unit in slots}
        rows = [row for row in fields["rows"] if _unit(row) in readable]
        hidden = [item for item in sets if _unit(item.fields) in readable]
        header, state = _open_proof(proof, manifest, slots, where)
        times[chain] = header.time
        _check_balances(state, rows, hidden, where)
        require(readable != units or not state.unused, "proof.unused-node", where)
        proven |= readable
    return times, proven


def _unit(fields: dict[str, Any]) -> Unit:
    return fields["chain"], fields["contract"]


def _level(fields: dict[str, Any], sets: list[hidden_sets.HiddenSet], proven: set[Unit]) -> str:
    """The weakest level of anything that counts (protocol.md 3.4)."""
    for item in fields["signatures"]:
        if item["chain"] in CHAINS:
            other, form = ownership.signed_chain(item["chain"], item["format"])
            if form == "eip1271" or other not in CHAINS:
                return "unverified"
    counted = {_unit(row) for row in fields["rows"]} | {_unit(hidden.fields) for hidden in sets}
    return "header" if counted and counted <= proven else "claimed"


def _check_contracts(asset: Asset, name: str) -> None:
    for chain, contract in asset.units:
        try:
            check_contract(chain, contract)
        except ValueError as error:
            raise Rejected("evidence.bad-contract", name, str(error)) from None


def _check_row(row: dict[str, Any], asset: Asset, seen: Seen, where: str) -> None:
    unit = (row["chain"], row["contract"])
    require(unit in asset.units, "evidence.unknown-unit", where)
    try:
        owner = owner_of(row["chain"], row["address"])
    except ValueError as error:
        raise Rejected("evidence.bad-address", where, str(error)) from None
    require((*unit, owner) not in seen.owners, "evidence.duplicate-address", where)
    seen.owners.add((*unit, owner))


def _check_signature(
    item: dict[str, Any], plan: bip127.Plan, manifest: Manifest, where: str
) -> None:
    chain = item["chain"]
    if chain not in CHAINS:
        return
    try:
        if (chain, item["format"]) == ("bitcoin", "bip127"):
            bip127.check(item, plan, ownership.message(manifest, chain))
        else:
            ownership.check(manifest, item)
    except UnsupportedError as error:
        raise Rejected(f"evidence.unsupported-{error.what}", where, str(error)) from None
    except ValueError as error:
        raise Rejected("evidence.bad-signature", where, str(error)) from None


def _check_coins(
    coins: list[dict[str, Any]], rows: list[dict[str, Any]], seen: Seen, name: str
) -> None:
    """errors.md 2, number 14."""
    for number, coin in enumerate(coins):
        where = f"{name}, coin {number}"
        require(coin["index"] < 1 << 32, "evidence.bad-coin", where)
        outpoint = coin["txid"], coin["index"]
        require(outpoint not in seen.coins, "evidence.duplicate-coin", where)
        seen.coins.add(outpoint)
    stated = {
        row["address"]: int.from_bytes(row["amount"], "big")
        for row in rows
        if (row["chain"], row["contract"]) == ("bitcoin", "")
    }
    held: dict[str, int] = {}
    for coin in coins:
        held[coin["address"]] = held.get(coin["address"], 0) + coin["amount"]
    for address, amount in held.items():
        require(stated.get(address) == amount, "evidence.unmatched-coins", name)


def _check_block_header(proof: dict[str, Any], manifest: Manifest, where: str) -> int:
    """errors.md 2, number 16, for a header of bitcoin; the block's time."""
    require(len(proof["header"]) == 80, "proof.bad-header", where)
    block = sha256(sha256(proof["header"]).digest()).digest()[::-1]
    require(block == manifest.chains.get("bitcoin"), "proof.wrong-block", where)
    require(not proof["nodes"], "proof.unused-node", where)
    return int.from_bytes(proof["header"][68:72], "little")


def _open_proof(
    proof: dict[str, Any],
    manifest: Manifest,
    slots: dict[Unit, Slot],
    where: str,
) -> tuple[ethereum.Header, ethereum.State]:
    """errors.md 2, numbers 16b and 16c, for one proof of state."""
    chain = proof["chain"]
    try:
        header = ethereum.parse_header(proof["header"], CHAINS[chain].header)
    except ValueError as error:
        raise Rejected("proof.bad-header", where, str(error)) from None
    block = manifest.chains.get(chain), manifest.heights.get(chain)
    require((header.hash, header.number) == block, "proof.wrong-block", where)
    return header, ethereum.State(
        header.state_root, proof["nodes"], ethereum.slots_of(chain, slots)
    )


def _check_balances(
    state: ethereum.State,
    rows: list[dict[str, Any]],
    sets: list[hidden_sets.HiddenSet],
    where: str,
) -> None:
    """errors.md 2, numbers 16f to 16i."""
    for row in rows:
        account = owner_of(row["chain"], row["address"])
        balance = _proven(state, account, row["contract"], where)
        enough = int.from_bytes(row["amount"], "big") <= balance
        require(enough, "proof.amount-too-large", where)
    for hidden in sets:
        for account, amount in hidden.accounts():
            balance = _proven(state, account, hidden.fields["contract"], where)
            require(balance == amount, "hidden.wrong-amount", where)


def _proven(state: ethereum.State, account: bytes, contract: str, where: str) -> int:
    try:
        return state.balance(account, contract)
    except ethereum.MissingNodeError as error:
        raise Rejected("proof.missing-node", where, str(error)) from None
    except ethereum.BadNodeError as error:
        raise Rejected("proof.bad-node", where, str(error)) from None
    except ValueError as error:
        raise Rejected("proof.bad-value", where, str(error)) from None


def _ledger_units(row: dict[str, Any], asset: Asset) -> int:
    """The amount, rounded down to ledger units."""
    spare = asset.units[row["chain"], row["contract"]] - asset.decimals
    return int.from_bytes(row["amount"], "big") // int(10**spare)
