"""The light check: a customer's inclusion package, in the order of errors.md 4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from spec.reference import account, declaration, tree, wire
from spec.reference.group import N, Point
from spec.reference.keys import signed
from spec.reference.manifest import (
    Asset,
    Manifest,
    Policy,
    check_clock,
    decode_fields,
    is_file,
    load,
    require,
)
from spec.reference.transcript import commit, lp, tagged_hash, u32
from spec.reference.units import Unit

MAX_BYTES = 1 << 20
WHERE = "package"
_PART = {"amount": wire.integer, "leaf": wire.integer, "part": wire.integer}
_ASSET = {"code": wire.text(), "parts": wire.array(wire.record(_PART))}
_OUTER = wire.record({"body": wire.binary(), "signature": wire.binary(64)})
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
        _check_parts(manifest, asset, listed["parts"])
    for asset, listed in zip(manifest.assets, body["assets"], strict=True):
        if listed["parts"]:
            _check_paths(bundle, manifest, asset, listed["parts"], body)
    counted, not_compared = _compare(manifest, body, typed)
    loans = declaration.look(bundle, manifest)
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


def _check_parts(manifest: Manifest, asset: Asset, parts: list[dict[str, int]]) -> None:
    """errors.md 4, number 10."""
    leaves = tree.geometry(manifest, asset).leaves
    seen: set[int] = set()
    for number, part in enumerate(parts):
        where = f"{WHERE}, {asset.code} part {number}"
        require(part["part"] == number, "package.bad-parts", where)
        require(part["amount"] >= 1, "package.bad-amount", where)
        require(part["leaf"] < leaves, "package.bad-leaf", where)
        require(part["leaf"] not in seen, "package.duplicate-leaf", where)
        seen.add(part["leaf"])


def _check_paths(
    bundle: Path, manifest: Manifest, asset: Asset, parts: list[dict[str, int]], body: Any
) -> None:
    """errors.md 4, numbers 11 and 12."""
    geometry = tree.geometry(manifest, asset)
    for level in range(geometry.levels):
        name = f"pages/{asset.code}/{level}"
        require(is_file(bundle / name), "bundle.missing-file", name, "no such regular file")
        right = (bundle / name).stat().st_size == geometry.file_length(level)
        require(right, "page.bad-file-length", name)
    subject = lp(manifest.context) + lp(asset.code) + lp(body["account_id"])
    leaf_hash = tagged_hash("leaf", subject)
    for part in parts:
        secret = tagged_hash("blinding", body["account_key"] + leaf_hash + u32(part["part"]))
        opening = commit(part["amount"], int.from_bytes(secret, "big") % N)
        child: tree.Page | None = None
        leaf: Point | None = None
        slot = index = part["leaf"]
        for level in range(geometry.levels):
            index, slot = divmod(index, geometry.page_size)
            where = f"pages/{asset.code}/{level}, page {index}, entry {slot}"
            page = _read_page(bundle, manifest, asset, level, index)
            if child is None:
                leaf = page.commitments[slot]
            else:
                tree.check_child(page, slot, child.id, child.sum, where)
            child = page
        if child is not None:
            tree.check_root(asset, child.id, child.sum)
        where = f"{asset.code}, part {part['part']}"
        require(leaf == opening, "inclusion.wrong-opening", where)


def _read_page(bundle: Path, manifest: Manifest, asset: Asset, level: int, index: int) -> tree.Page:
    geometry = tree.geometry(manifest, asset)
    with (bundle / f"pages/{asset.code}/{level}").open("rb") as file:
        file.seek(index * geometry.length(level, 0))
        data = file.read(geometry.length(level, index))
    return tree.check_page(manifest, asset, level, index, data)


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
