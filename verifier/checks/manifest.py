"""The signed manifest: every check of spec/errors.md, section 1, in its order.

A `CheckedManifest` exists only where all of them passed. Everything else that is verified takes its
parameters from it, and nothing from its own bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import native
from verifier.checks import records
from verifier.checks.policy import Policy
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.account import is_name
from verifier.format.chains import FIAT
from verifier.format.keys import is_signed
from verifier.format.params import (
    ACCOUNT_ID_TYPES,
    ARGUMENT_VERSION,
    ASSET_CODE,
    CAPACITIES,
    CHAIN_NAME,
    ID_BYTES,
    MAX_HEIGHT,
    MAX_LEAVES,
    MAX_LEDGER_DECIMALS,
    MAX_MANIFEST_BYTES,
    MAX_RATIO_TERM,
    MAX_TIME,
    MAX_UNIT_DECIMALS,
    PAGE_SIZES,
    PROTOCOL_VERSION,
    SNAPSHOT_ID,
)
from verifier.format.statement import length_prefixed, manifest_context, manifest_digest
from verifier.format.units import Kind, KnownUnit, UnitTable
from verifier.format.wire import (
    Asset,
    Chain,
    Manifest,
    Rotation,
    Unit,
    is_ascending,
    read_record,
)


@dataclass(frozen=True)
class CheckedManifest:
    """A manifest that passed every check, with its 32-byte digest and context.

    set_aside: codes of the assets with a unit that is not known, in the manifest's order; bridged:
    (code, chain) of the units that a bridge or a custodian stands for, besides the issuer.
    """

    manifest: Manifest
    digest: bytes
    context: bytes
    set_aside: tuple[str, ...]
    bridged: tuple[tuple[str, str], ...] = ()

    def block_hash(self, chain: str) -> bytes:
        """Return the block hash of a chain that an asset's unit names."""
        return self.block(chain).hash

    def block(self, chain: str) -> Chain:
        """Return the block of a chain that an asset's unit names."""
        return next(entry for entry in self.manifest.chains if entry.name == chain)


def check_manifest(data: bytes, signature: bytes, key: bytes, policy: Policy) -> CheckedManifest:
    """Check an untrusted manifest under the user's key and policy.

    Raises:
        Rejected: the first fault, in the order of the numbers (spec/errors.md, section 1).
    """
    # 2, 3
    _check_size(data)
    if not is_signed(key, "manifest-signature", data, signature):
        raise _fault(Code.MANIFEST_BAD_SIGNATURE, "not signed by the key that you gave")
    return check_unsigned(data, key, policy)


def check_unsigned(data: bytes, key: bytes, policy: Policy) -> CheckedManifest:
    """Check all of a manifest but its signature: for who is about to sign it with ``key``'s own.

    Raises:
        Rejected: see `check_manifest`.
    """
    # 2, 4, 5
    _check_size(data)
    manifest = records.read(Manifest, data, "manifest", "manifest")
    # 6 - 13
    _check_head(manifest, key)
    _check_chains(manifest)
    _check_rotation(manifest)
    # 14
    for asset in manifest.assets:
        if not ASSET_CODE.fullmatch(asset.code):
            raise _fault(Code.MANIFEST_BAD_CODE, "an asset's code is not 1 to 16 of A-Z, 0-9")
    if not is_ascending(asset.code for asset in manifest.assets):
        raise _fault(Code.MANIFEST_BAD_CODE, "the assets are not in ascending order")
    # 16 - 26
    table = policy.unit_table()
    chains = frozenset(chain.name for chain in manifest.chains)
    used: set[tuple[str, str]] = set()
    for asset in manifest.assets:
        _check_units(asset, chains, table, used)
        _check_tree_and_ratio(asset, policy)
    return CheckedManifest(
        manifest,
        manifest_digest(data),
        manifest_context(manifest),
        set_aside=tuple(
            asset.code
            for asset in manifest.assets
            if not all(_known(asset.code, unit) in table for unit in asset.units)
        ),
        bridged=tuple(
            (asset.code, unit.chain)
            for asset in manifest.assets
            for unit in asset.units
            if table.kind(_known(asset.code, unit)) is Kind.BRIDGED
        ),
    )


def check_previous(checked: CheckedManifest, data: bytes, signature: bytes) -> None:
    """Check that a manifest follows an earlier one, which the user kept (numbers 27 and 28).

    Raises:
        Rejected: ``manifest.equivocation`` or ``manifest.broken-chain``.
        CannotCheck: what the user gave is no manifest of this exchange's, or was changed.
    """
    if not 1 <= len(data) <= MAX_MANIFEST_BYTES:
        raise _unusable("is of another size than manifests have")
    manifest = checked.manifest
    keys = [manifest.public_key, *(rotation.old_key for rotation in manifest.rotation)]
    if not any(is_signed(key, "manifest-signature", data, signature) for key in keys):
        raise _unusable("is not signed by the key, nor by the one that it replaced")
    try:
        previous = read_record(Manifest, data)
    except ValueError:
        raise _broken_chain("the previous manifest is malformed") from None
    digest = manifest_digest(data)
    if previous.snapshot_id == manifest.snapshot_id and digest != checked.digest:
        raise _fault(Code.MANIFEST_EQUIVOCATION, "another manifest is signed for this snapshot id")
    if manifest.previous != digest:
        raise _broken_chain("the manifest does not follow the previous one given")
    if previous.time >= manifest.time:
        raise _broken_chain("the previous manifest is not earlier")


def _check_size(data: bytes) -> None:
    """Number 2."""
    if not 1 <= len(data) <= MAX_MANIFEST_BYTES:
        raise _fault(Code.MANIFEST_TOO_LARGE, "empty, or larger than 16 MiB")


def _check_head(manifest: Manifest, key: bytes) -> None:
    """Numbers 6 to 11."""
    versions = (manifest.protocol_version, manifest.argument_version)
    if versions != (PROTOCOL_VERSION, ARGUMENT_VERSION):
        raise _fault(Code.MANIFEST_UNSUPPORTED_VERSION, "protocol or argument version is not 1")
    if manifest.public_key != key:
        raise _fault(Code.MANIFEST_KEY_MISMATCH, "its public key is not the key that you gave")
    if not is_name(manifest.exchange):
        raise _fault(Code.MANIFEST_BAD_NAME, "the exchange's name is not canonical")
    if not SNAPSHOT_ID.fullmatch(manifest.snapshot_id):
        raise _fault(Code.MANIFEST_BAD_SNAPSHOT_ID, "the snapshot id is not 1 to 64 of a-z, 0-9, -")
    if not 1 <= manifest.time <= MAX_TIME:
        raise _fault(Code.MANIFEST_BAD_TIME, "the time is not 1 to 2^40 seconds")
    if manifest.account_id_type not in ACCOUNT_ID_TYPES:
        raise _fault(Code.MANIFEST_BAD_ACCOUNT_ID_TYPE, "not email, phone or opaque")


def _check_chains(manifest: Manifest) -> None:
    """Number 12."""
    for chain in manifest.chains:
        if not CHAIN_NAME.fullmatch(chain.name) or chain.height > MAX_HEIGHT:
            raise _fault(Code.MANIFEST_BAD_CHAIN, "a chain's name or height is out of range")
        if chain.name == FIAT and (chain.height, chain.hash) != (manifest.time, bytes(ID_BYTES)):
            raise _fault(Code.MANIFEST_BAD_CHAIN, "fiat's height is not the time, or it has a hash")
    if not is_ascending(chain.name for chain in manifest.chains):
        raise _fault(Code.MANIFEST_BAD_CHAIN, "the chains are not in ascending order")


def rotation_body(old_key: bytes, new_key: bytes, exchange: str, previous: bytes) -> bytes:
    """Return what the old and the new key sign when one replaces the other."""
    return b"".join(length_prefixed(item) for item in (old_key, new_key, exchange)) + previous


def rotation_fault(manifest: Manifest, rotation: Rotation) -> str:
    """Return what is wrong with the statement of a new key, or nothing."""
    old, new = rotation.old_key, manifest.public_key
    body = rotation_body(old, new, manifest.exchange, manifest.previous)
    if old == new or manifest.previous == bytes(ID_BYTES):
        return "one key, or no previous manifest"
    if not is_signed(old, "rotation", body, rotation.old_signature):
        return "not signed by the old key"
    if not is_signed(new, "rotation", body, rotation.new_signature):
        return "not signed by the new key"
    return ""


def _check_rotation(manifest: Manifest) -> None:
    """Number 13."""
    for rotation in manifest.rotation:
        if fault := rotation_fault(manifest, rotation):
            raise _fault(Code.MANIFEST_BAD_ROTATION, fault)


def _check_units(
    asset: Asset, chains: frozenset[str], table: UnitTable, used: set[tuple[str, str]]
) -> None:
    """Numbers 16 to 20; adds the asset's (chain, contract) pairs to ``used``."""
    pairs = [(unit.chain, unit.contract) for unit in asset.units]

    def fault(code: Code, message: str) -> Rejected:
        return Rejected(code, f"manifest, {asset.code}", message)

    if asset.decimals > MAX_LEDGER_DECIMALS:
        raise fault(Code.MANIFEST_BAD_DECIMALS, "more than 30 ledger decimals")
    if not all(asset.decimals <= unit.decimals <= MAX_UNIT_DECIMALS for unit in asset.units):
        raise fault(
            Code.MANIFEST_BAD_DECIMALS, "a unit's decimals are below the ledger's or above 36"
        )
    if not is_ascending(pairs):
        raise fault(Code.MANIFEST_BAD_UNITS, "the units are not in ascending order")
    if not all(chain in chains for chain, _ in pairs):
        raise fault(Code.MANIFEST_UNIT_WITHOUT_BLOCK, "no block is given for a unit's chain")
    if any(table.contradicts(_known(asset.code, unit)) for unit in asset.units):
        raise fault(Code.MANIFEST_WRONG_UNIT, "a unit is not what this code is known to stand for")
    if not used.isdisjoint(pairs):
        raise fault(Code.MANIFEST_UNIT_REUSED, "an earlier asset has a unit of this one")
    used.update(pairs)


def _check_tree_and_ratio(asset: Asset, policy: Policy) -> None:
    """Numbers 21 to 26."""
    num, den = asset.ratio.num, asset.ratio.den
    where = f"manifest, {asset.code}"
    if asset.page_size not in PAGE_SIZES:
        raise Rejected(Code.MANIFEST_BAD_PAGE_SIZE, where, "the page size is not 16, 256 or 4096")
    if asset.capacity not in CAPACITIES or asset.shape.leaves > MAX_LEAVES:
        raise Rejected(
            Code.MANIFEST_BAD_CAPACITY, where, "not one of the set, or more than 2^30 leaves"
        )
    if asset.levels != asset.shape.levels:
        raise Rejected(Code.MANIFEST_BAD_LEVELS, where, "the levels are not as computed")
    in_range = 1 <= num <= MAX_RATIO_TERM and 1 <= den <= MAX_RATIO_TERM
    if not in_range or gcd(num, den) != 1:
        raise Rejected(Code.MANIFEST_BAD_RATIO, where, "out of range, or not in lowest terms")
    if num * policy.ratio[1] < policy.ratio[0] * den:
        raise Rejected(
            Code.MANIFEST_RATIO_BELOW_POLICY, where, f"the ratio {num}/{den} is below yours"
        )
    if not native.point_is_valid(asset.sum):
        raise Rejected(Code.MANIFEST_BAD_SUM, where, "the sum is no point of the curve")


def _known(code: str, unit: Unit) -> KnownUnit:
    return KnownUnit(code, unit.chain, unit.contract, unit.decimals)


def _unusable(message: str) -> CannotCheck:
    """Return that what the user kept says nothing, of anybody: its bytes are not signed."""
    return CannotCheck(Code.CHECK_UNREADABLE, f"the previous manifest that you gave {message}")


def _broken_chain(message: str) -> Rejected:
    return _fault(Code.MANIFEST_BROKEN_CHAIN, message)


def _fault(code: Code, message: str) -> Rejected:
    return Rejected(code, "manifest", message)
