"""The signed manifest (wire.md 3), and the checks of it in the order of errors.md 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from pathlib import Path
from stat import S_ISREG
from time import time
from typing import Any

from spec.reference import account, group, units, wire
from spec.reference.errors import NotCheckedError, Rejected
from spec.reference.group import Point
from spec.reference.keys import signed, sound
from spec.reference.leaves import PAGE_SIZES
from spec.reference.transcript import lp, tagged_hash, u32, u64

MAX_BYTES = 1 << 24
WHERE = "manifest.msgpack"
MAX_LEAVES = 1 << 30
FAN = 64  # children of a page above level 0
CAPACITIES = frozenset(
    [1, 2, 3] + [n << k for k in range(19) for n in (4, 5, 6, 7) if n << k <= 1 << 20]
)

_UNIT = {"chain": wire.text(), "contract": wire.text(), "decimals": wire.integer}
_ASSET = {
    "capacity": wire.integer,
    "code": wire.text(),
    "decimals": wire.integer,
    "evidence": wire.binary(32),
    "levels": wire.integer,
    "page_size": wire.integer,
    "ratio": wire.record({"den": wire.integer, "num": wire.integer}),
    "root": wire.binary(32),
    "sum": wire.binary(33),
    "units": wire.array(wire.record(_UNIT), 1, 64),
}
_CHAIN = {"hash": wire.binary(32), "height": wire.integer, "name": wire.text()}
_ROTATION = {
    "new_signature": wire.binary(64),
    "old_key": wire.binary(32),
    "old_signature": wire.binary(64),
}
_MANIFEST = wire.record(
    {
        "account_id_type": wire.text(),
        "argument_version": wire.integer,
        "assets": wire.array(wire.record(_ASSET), 1, 4096),
        "chains": wire.array(wire.record(_CHAIN), 0, 256),
        "declaration": wire.binary(32),
        "exchange": wire.text(),
        "previous": wire.binary(32),
        "protocol_version": wire.integer,
        "public_key": wire.binary(32),
        "rotation": wire.array(wire.record(_ROTATION), 0, 1),
        "snapshot_id": wire.text(),
        "time": wire.integer,
    }
)


@dataclass(frozen=True)
class Asset:
    """One asset of a checked manifest; amounts are in ledger units, `sum` is C_L."""

    code: str
    decimals: int
    units: dict[tuple[str, str], int]  # (chain, contract) -> chain decimals
    page_size: int
    capacity: int
    levels: int
    num: int
    den: int
    evidence: bytes
    root: bytes
    sum: Point

    @property
    def units_digest(self) -> bytes:
        listed = [
            lp(chain) + lp(contract) + bytes([decimals])
            for (chain, contract), decimals in self.units.items()
        ]
        return tagged_hash("units", u32(len(listed)) + b"".join(listed))


@dataclass(frozen=True)
class Manifest:
    """A manifest that passed every check of errors.md 1."""

    digest: bytes
    public_key: bytes
    exchange: str
    snapshot_id: str
    time: int
    account_id_type: str
    declaration: bytes  # its digest, or zeros: nothing is declared
    chains: dict[str, bytes]  # name -> block hash
    heights: dict[str, int]
    assets: tuple[Asset, ...]
    own_keys: tuple[bytes, ...]  # of the exchange: `public_key`, and the one that it replaced
    set_aside: tuple[str, ...]  # codes of the assets with a unit that the reader does not know

    @property
    def context(self) -> bytes:
        names = lp(self.public_key) + lp(self.exchange) + lp(self.snapshot_id)
        return tagged_hash("context", names + lp(u64(self.time)))


@dataclass(frozen=True)
class Policy:
    """What the verifier's user decides."""

    public_key: bytes
    ratio: tuple[int, int] = (1, 1)
    units: frozenset[units.Unit] = frozenset()
    previous: Path | None = None  # folder of the previous bundle, or of its manifest alone

    def __post_init__(self) -> None:
        if not sound(self.public_key):
            raise ValueError("a public key has 32 bytes, and is somebody's")
        if min(self.ratio) < 1:
            raise ValueError("a policy ratio has two positive integers")
        units.all_known(self.units)


def is_file(path: Path) -> bool:
    """Whether a regular file, and no link to one, is there."""
    try:
        return S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_limited(path: Path, limit: int, code: str, where: str) -> bytes:
    """The bytes of a file of 1 ... limit bytes; its size is looked at before it is read."""
    if not 1 <= path.stat().st_size <= limit:
        raise Rejected(code, where, f"not of 1 to {limit} bytes")
    return path.read_bytes()


def decode_fields(data: bytes, fields: wire.Type, family: str, where: str) -> Any:
    """The decoded map of `data`: raises `family`.not-canonical, then `family`.bad-fields."""
    try:
        value = wire.decode(data)
        fields(value)
    except wire.NotCanonicalError as error:
        raise Rejected(f"{family}.not-canonical", where, str(error)) from None
    except wire.BadFieldsError as error:
        raise Rejected(f"{family}.bad-fields", where, str(error)) from None
    return value


def ascending(keys: Iterable[Any]) -> bool:
    """Whether the keys are strictly ascending. Text sorts by code point, which is UTF-8's order."""
    return all(a < b for a, b in pairwise(keys))


def require(condition: bool, code: str, where: str = WHERE, message: str = "") -> None:
    if not condition:
        raise Rejected(code, where, message or code.partition(".")[2].replace("-", " "))


def levels_of(capacity: int) -> int:
    """The least L with one page at level L - 1, each level having ⌈capacity / 64^level⌉."""
    levels = 1
    while FAN ** (levels - 1) < capacity:
        levels += 1
    return levels


def load(bundle: Path, policy: Policy) -> Manifest:
    """The manifest of a bundle folder, after every check of errors.md 1, in its order."""
    if not bundle.is_dir():
        raise NotADirectoryError(f"{bundle} is no folder")
    for name in ("manifest.msgpack", "manifest.sig"):
        if not is_file(bundle / name):
            raise NotCheckedError("check.no-bundle", f"{name}: no such regular file")
    data = read_limited(bundle / WHERE, MAX_BYTES, "manifest.too-large", WHERE)
    signature = read_signature(bundle / "manifest.sig")
    good = signed(policy.public_key, "manifest-signature", data, signature)
    require(good, "manifest.bad-signature", "manifest.sig", "no signature of the given key")
    fields = decode_fields(data, _MANIFEST, "manifest", WHERE)
    _check_head(fields, policy)
    _check_rotation(fields)
    assets = _check_assets(fields, policy)
    known = units.all_known(policy.units).units.keys()
    manifest = Manifest(
        digest=tagged_hash("manifest", data),
        public_key=policy.public_key,
        exchange=fields["exchange"],
        snapshot_id=fields["snapshot_id"],
        time=fields["time"],
        account_id_type=fields["account_id_type"],
        declaration=fields["declaration"],
        chains={chain["name"]: chain["hash"] for chain in fields["chains"]},
        heights={chain["name"]: chain["height"] for chain in fields["chains"]},
        assets=assets,
        own_keys=(policy.public_key, *(rotation["old_key"] for rotation in fields["rotation"])),
        set_aside=tuple(asset.code for asset in assets if not asset.units.keys() <= known),
    )
    if policy.previous is not None:
        _check_previous(manifest, fields, policy.previous)
    return manifest


def check_clock(manifest: Manifest, now: int | None) -> None:
    """errors.md 6: a snapshot dated more than a day ahead of the reader's clock is not checked."""
    if manifest.time > (int(time()) if now is None else now) + 86_400:
        raise NotCheckedError("check.future", "the snapshot is dated ahead of this clock")


def read_signature(path: Path) -> bytes:
    """A signature's file, cut at 65 bytes: more than 64 are none, however many they are."""
    with path.open("rb") as file:
        return file.read(65)


def _check_head(fields: dict[str, Any], policy: Policy) -> None:
    """errors.md 1, numbers 6 to 12."""
    versions = fields["protocol_version"], fields["argument_version"]
    require(versions == (1, 1), "manifest.unsupported-version")
    require(fields["public_key"] == policy.public_key, "manifest.key-mismatch")
    require(_is_canonical_name(fields["exchange"]), "manifest.bad-name")
    snapshot_id = re.fullmatch("[a-z0-9-]{1,64}", fields["snapshot_id"])
    require(snapshot_id is not None, "manifest.bad-snapshot-id")
    require(1 <= fields["time"] <= 1 << 40, "manifest.bad-time")
    require(fields["account_id_type"] in account.ID_TYPES, "manifest.bad-account-id-type")
    for chain in fields["chains"]:
        name = re.fullmatch("[a-z0-9-]{1,32}", chain["name"])
        require(name is not None and chain["height"] < 1 << 63, "manifest.bad-chain")
        block = chain["height"], chain["hash"]
        money = chain["name"] != "fiat" or block == (fields["time"], bytes(32))
        require(money, "manifest.bad-chain")
    require(ascending(chain["name"] for chain in fields["chains"]), "manifest.bad-chain")


def _is_canonical_name(name: str) -> bool:
    try:
        return account.canonical_name(name) == name
    except ValueError:
        return False


def _check_rotation(fields: dict[str, Any]) -> None:
    """errors.md 1, number 13."""
    for rotation in fields["rotation"]:
        old, new = rotation["old_key"], fields["public_key"]
        body = lp(old) + lp(new) + lp(fields["exchange"]) + fields["previous"]
        good = (
            old != new
            and fields["previous"] != bytes(32)
            and signed(old, "rotation", body, rotation["old_signature"])
            and signed(new, "rotation", body, rotation["new_signature"])
        )
        require(good, "manifest.bad-rotation")


def _check_assets(fields: dict[str, Any], policy: Policy) -> tuple[Asset, ...]:
    """errors.md 1, numbers 14 to 26."""
    for asset in fields["assets"]:
        code = re.fullmatch("[A-Z0-9]{1,16}", asset["code"])
        require(code is not None, "manifest.bad-code")
    require(ascending(asset["code"] for asset in fields["assets"]), "manifest.bad-code")
    chains = {chain["name"] for chain in fields["chains"]}
    known = units.all_known(policy.units)
    used: set[tuple[str, str]] = set()
    checked = []
    for asset in fields["assets"]:
        where = f"{WHERE}, asset {asset['code']}"
        _check_units(asset, chains, used, known, where)
        used.update((unit["chain"], unit["contract"]) for unit in asset["units"])
        checked.append(_check_asset(asset, policy, where))
    return tuple(checked)


def _check_units(
    asset: dict[str, Any],
    chains: set[str],
    used: set[tuple[str, str]],
    known: units.Known,
    where: str,
) -> None:
    """errors.md 1, numbers 16 to 20."""

    def every(code: str, good: Callable[[dict[str, Any]], bool]) -> None:
        for unit in asset["units"]:
            require(good(unit), code, where)

    least = asset["decimals"]
    require(least <= 30, "manifest.bad-decimals", where)
    every("manifest.bad-decimals", lambda unit: least <= unit["decimals"] <= 36)
    order = ascending((unit["chain"], unit["contract"]) for unit in asset["units"])
    require(order, "manifest.bad-units", where)
    every("manifest.unit-without-block", lambda unit: unit["chain"] in chains)
    every("manifest.wrong-unit", lambda unit: known.fits(units.Unit(asset["code"], **unit)))
    every("manifest.unit-reused", lambda unit: (unit["chain"], unit["contract"]) not in used)


def _check_asset(asset: dict[str, Any], policy: Policy, where: str) -> Asset:
    """errors.md 1, numbers 21 to 26."""
    page_size, capacity = asset["page_size"], asset["capacity"]
    num, den = asset["ratio"]["num"], asset["ratio"]["den"]
    require(page_size in PAGE_SIZES, "manifest.bad-page-size", where)
    fits = capacity in CAPACITIES and capacity * page_size <= MAX_LEAVES
    require(fits, "manifest.bad-capacity", where)
    levels = levels_of(capacity)
    require(asset["levels"] == levels, "manifest.bad-levels", where)
    coprime = 1 <= num < 1 << 32 and 1 <= den < 1 << 32 and gcd(num, den) == 1
    require(coprime, "manifest.bad-ratio", where)
    enough = num * policy.ratio[1] >= policy.ratio[0] * den
    require(enough, "manifest.ratio-below-policy", where)
    try:
        total = group.decode(asset["sum"])
    except ValueError as error:
        raise Rejected("manifest.bad-sum", where, str(error)) from None
    return Asset(
        code=asset["code"],
        decimals=asset["decimals"],
        units={(unit["chain"], unit["contract"]): unit["decimals"] for unit in asset["units"]},
        page_size=page_size,
        capacity=capacity,
        levels=levels,
        num=num,
        den=den,
        evidence=asset["evidence"],
        root=asset["root"],
        sum=total,
    )


def _check_previous(manifest: Manifest, fields: dict[str, Any], folder: Path) -> None:
    """errors.md 1, numbers 27 and 28, with the note that follows the table."""
    where, code = "previous manifest", "manifest.broken-chain"
    with (folder / WHERE).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if not 1 <= len(data) <= MAX_BYTES:
        raise NotCheckedError("check.unreadable", f"{where}: of no manifest's size")
    signature = read_signature(folder / "manifest.sig")
    if not any(signed(key, "manifest-signature", data, signature) for key in manifest.own_keys):
        raise NotCheckedError("check.unreadable", f"{where}: not signed by the exchange")
    try:
        previous = wire.decode(data)
        _MANIFEST(previous)
    except ValueError as error:
        raise Rejected(code, where, str(error)) from None
    digest = tagged_hash("manifest", data)
    other = previous["snapshot_id"] == manifest.snapshot_id and digest != manifest.digest
    require(not other, "manifest.equivocation", where, "two manifests of one snapshot id")
    follows = fields["previous"] == digest and previous["time"] < manifest.time
    require(follows, code, where, "not the manifest that this one follows")
