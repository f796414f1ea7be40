"""The light check: a customer's inclusion package, in the order of errors.md 4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from spec.reference import account, declaration, leaves, record, tree, wire
from spec.reference.errors import NotCheckedError
from spec.reference.keys import signed
from spec.reference.manifest import (
    FAN,
    Asset,
    Manifest,
    Policy,
    check_clock,
    decode_fields,
    is_file,
    load,
    require,
)
from spec.reference.transcript import lp, tagged_hash, u32
from spec.reference.units import Unit

MAX_BYTES = 1 << 23
WHERE = "package"
_PART = {
    "amount": wire.integer,
    "leaf": wire.integer,
    "opening": wire.binary(),
    "part": wire.integer,
    "path": wire.binary(),
}
_ASSET = {"code": wire.text(), "parts": wire.array(wire.record(_PART))}
_OUTER = wire.record({"body": wire.binary(), "log": wire.binary(0), "signature": wire.binary(64)})
_BODY = wire.record(
    {
        "account_id": wire.text(),
        "account_key": wire.binary(32),
        "assets": wire.array(wire.record(_ASSET)),
        "manifest": wire.binary(32),
        "version": wire.integer,
    }
)


@dataclass(frozen=True)
class Inclusion:
    """An accepted package: what is counted, and of that what nobody compared.

    `set_aside` are the assets that are not vouched for, whether the customer has some or not.
    """

    counted: dict[str, Decimal]
    not_compared: dict[str, Decimal]
    set_aside: tuple[str, ...]
    loans: tuple[declaration.Loan, ...] | None  # as declared; None: that could not be read


def check_inclusion(
    package: bytes,
    bundle: Path,
    public_key: bytes,
    account_id: str,
    balances: Mapping[str, Decimal | str],
    *,
    ratio: tuple[int, int] = (1, 1),
    units: Iterable[Unit] = (),
    previous: Path | None = None,
    now: int | None = None,
) -> Inclusion:
    """Check that what a customer types is counted, reading only the pages on their leaves' paths.

    `now` is the reader's clock, by default the machine's.
    Raises Rejected; NotCheckedError; OSError where the bundle cannot be read; ValueError for
    unusable arguments, as is an id without a canonical form.
    """
    typed = {code: _amount(balance) for code, balance in sorted(balances.items())}
    manifest = load(bundle, Policy(public_key, ratio, frozenset(units), previous))
    body = open_package(package, manifest, account_id)
    for asset, listed in zip(manifest.assets, body["assets"], strict=True):
        _check_parts(asset, listed["parts"])
    held = [
        (asset, listed["parts"])
        for asset, listed in zip(manifest.assets, body["assets"], strict=True)
        if listed["parts"]
    ]
    proved = _is_proved(bundle, [asset for asset, _ in held])
    for asset, _ in held:
        _check_files(bundle, asset, proved)
    for asset, parts in held:
        for part in parts:
            _check_part(bundle, manifest, asset, part, body, proved)
    counted, not_compared = _compare(manifest, body, typed)
    loans = declaration.look(bundle, manifest)
    if not proved:
        raise NotCheckedError("check.not-proved", "the arguments are not there yet")
    check_clock(manifest, now)
    return Inclusion(counted, not_compared, manifest.set_aside, loans)


def _amount(balance: Decimal | str) -> Decimal:
    try:
        amount = Decimal(balance)
    except InvalidOperation:
        raise ValueError("a balance is a decimal number") from None
    if not amount.is_finite() or amount < 0 or abs(amount.adjusted()) > 100:
        raise ValueError("a balance is finite, not negative and of a sensible size")
    return amount


def open_package(package: bytes, manifest: Manifest, account_id: str) -> Any:
    """The body's fields, after errors.md 4, numbers 1 to 9."""
    require(1 <= len(package) <= MAX_BYTES, "package.too-large", WHERE)
    outer = decode_fields(package, _OUTER, "package", WHERE)
    good = signed(manifest.public_key, "package-signature", outer["body"], outer["signature"])
    require(good, "package.bad-signature", WHERE)
    body = decode_fields(outer["body"], _BODY, "package", f"{WHERE} body")
    require(body["version"] == 1, "package.unsupported-version", WHERE)
    require(body["manifest"] == manifest.digest, "package.wrong-manifest", WHERE)
    typed = account.canonical(manifest.account_id_type, account_id)
    require(body["account_id"] == typed, "package.wrong-account", WHERE)
    codes = [asset.code for asset in manifest.assets]
    listed = [asset["code"] for asset in body["assets"]]
    require(listed == codes, "package.wrong-assets", WHERE)
    return body


def _check_parts(asset: Asset, parts: list[dict[str, Any]]) -> None:
    """errors.md 4, number 10."""
    shape = leaves.Shape(asset.page_size)
    capacity = tree.geometry(asset).leaves
    seen: set[int] = set()
    for number, part in enumerate(parts):
        where = f"{WHERE}, {asset.code} part {number}"
        require(part["part"] == number, "package.bad-parts", where)
        require(part["amount"] >= 1, "package.bad-amount", where)
        require(part["leaf"] < capacity, "package.bad-leaf", where)
        require(part["leaf"] not in seen, "package.duplicate-leaf", where)
        require(len(part["path"]) == 32 * shape.height, "package.bad-path", where)
        right = len(part["opening"]) == leaves.OPENING_LENGTH
        require(right, "opening.bad-length", where)
        seen.add(part["leaf"])


def _is_proved(bundle: Path, assets: list[Asset]) -> bool:
    """Whether the arguments are there, or should be, as the record is."""
    names = [tree.argument_name(asset, level) for asset in assets for level in range(asset.levels)]
    return is_file(bundle / record.NAME) or all(is_file(bundle / name) for name in names)


def _check_files(bundle: Path, asset: Asset, proved: bool) -> None:
    """errors.md 4, number 11."""
    geometry = tree.geometry(asset)
    for level in range(geometry.levels):
        name = tree.page_name(asset, level)
        _check_length(bundle, name, geometry.page_file(level), "page.bad-file-length")
        if proved:
            name = tree.argument_name(asset, level)
            _check_length(bundle, name, geometry.argument_file(level), "bundle.wrong-argument")


def _check_length(bundle: Path, name: str, length: int, code: str) -> None:
    require(is_file(bundle / name), "bundle.missing-file", name, "no such regular file")
    require((bundle / name).stat().st_size == length, code, name, f"not {length} bytes")


def _check_part(
    bundle: Path, manifest: Manifest, asset: Asset, part: Any, body: Any, proved: bool
) -> None:
    """errors.md 4, number 12, for one part."""
    number, leaf = divmod(part["leaf"], asset.page_size)
    first = child = _check_page(bundle, manifest, asset, 0, number, proved)
    index = number
    for level in range(1, asset.levels):
        index, slot = divmod(index, FAN)
        page = _check_page(bundle, manifest, asset, level, index, proved)
        where = f"{tree.page_name(asset, level)}, page {index}, entry {slot}"
        tree.check_child(page, slot, child, where)
        child = page
    tree.check_root(asset, child)
    where = f"{asset.code}, part {part['part']}"
    subject = lp(manifest.context) + lp(asset.code) + lp(body["account_id"])
    key = body["account_key"] + tagged_hash("leaf", subject)
    identity = tagged_hash("identity", key + u32(part["part"]))
    siblings = [part["path"][at : at + 32] for at in range(0, len(part["path"]), 32)]
    node, reached = leaves.climb(leaf, identity, siblings)
    if first.entries is None:
        raise TypeError("a page of level 0 has entries")
    right = first.entries.nodes[node] == reached
    require(right, "inclusion.wrong-identity", where)
    state = tree.start_page(manifest, asset, "opening", 0, number).state
    amount, opening = part["amount"], part["opening"]
    U_b = first.entries.U[leaf // leaves.SLOTS]
    leaves.verify_opening(state, first.id, leaf, amount, identity, U_b, opening, where=where)


def _check_page(
    bundle: Path, manifest: Manifest, asset: Asset, level: int, index: int, proved: bool
) -> tree.Page:
    data = tree.read(bundle, asset, level, index)
    argument = tree.read_argument(bundle, asset, level, index) if proved else None
    return tree.check_page(manifest, asset, level, index, data, argument)


def _compare(
    manifest: Manifest, body: Any, typed: dict[str, Decimal]
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """errors.md 4, numbers 13 and 14: what is counted, and of that what nobody compared."""
    codes = {asset.code for asset in manifest.assets}
    for code, amount in typed.items():
        require(code in codes or not amount, "inclusion.unknown-asset", code)
    counted: dict[str, Decimal] = {}
    for asset, listed in zip(manifest.assets, body["assets"], strict=True):
        total = sum(part["amount"] for part in listed["parts"])
        # Exact: a package has room for fewer than 2^16 parts, and 2^80 has 25 of 28 digits.
        counted[asset.code] = Decimal(total).scaleb(-asset.decimals)
        if asset.code in typed:
            enough = total >= _ledger_units(typed[asset.code], asset.decimals)
            require(enough, "inclusion.balance-short", asset.code, "counted less than typed")
    rest = {code: amount for code, amount in counted.items() if amount and code not in typed}
    return counted, rest


def _ledger_units(amount: Decimal, decimals: int) -> int:
    """The amount times 10^decimals, rounded up."""
    numerator, denominator = amount.as_integer_ratio()
    return int(-(-numerator * 10**decimals // denominator))
