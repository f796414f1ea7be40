"""The light check: is what a customer was owed counted, in the leaves of their own package?

Only the pages on the paths of the customer's leaves are read. Each leaf is opened with a blinding
factor computed from the account id that the customer typed, so no leaf serves two customers.
Sources: spec/protocol.md 2.2 and 5, spec/errors.md section 4.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import native
from verifier.bundle.source import Source
from verifier.checks import records
from verifier.checks.manifest import CheckedManifest
from verifier.checks.tree import Tree, entry_link
from verifier.errors import Code, Misuse, Rejected
from verifier.format.keys import is_signed
from verifier.format.params import (
    ASSET_CODE,
    MAX_AMOUNT,
    MAX_PACKAGE_BYTES,
    PACKAGE_VERSION,
    PAGE_HEADER_BYTES,
    POINT_BYTES,
)
from verifier.format.statement import leaf_blinding
from verifier.format.units import coins_text
from verifier.format.wire import (
    Asset,
    Package,
    PackageAsset,
    PackageBody,
    Part,
)

_CACHED_PAGES = 64  # about 5 MB

_BALANCE = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?")


@dataclass(frozen=True)
class TypedBalance:
    """A balance as the customer typed it: ``digits`` / 10^``scale``, exactly."""

    text: str
    digits: int
    scale: int

    @classmethod
    def parse(cls, typed: str | Decimal) -> TypedBalance:
        """Read a decimal without sign or exponent, at most 40 digits on either side of the point.

        Raises:
            Misuse: it is anything else.
        """
        if isinstance(typed, Decimal):
            # Before it is written out: an exponent may stand for any number of digits.
            if not typed.is_finite() or not -80 <= typed.adjusted() <= 80:
                raise Misuse("a balance is not finite, or out of range")
            typed = format(typed, "f")
        match = _BALANCE.fullmatch(typed)
        if match is None:
            raise Misuse("a balance is a decimal such as 1.5, without sign or exponent")
        fraction = match[2] or ""
        return cls(typed, int(match[1] + fraction), len(fraction))

    def ledger_units(self, decimals: int) -> int:
        """Return the balance in ledger units of ``decimals``, rounded up."""
        units: int = -(-self.digits * 10**decimals // 10**self.scale)
        return units


@dataclass(frozen=True)
class Amount:
    """Of one asset what was counted, in ledger units, against what was typed, if it was."""

    code: str
    decimals: int
    counted: int
    parts: int
    typed: TypedBalance | None

    @property
    def counted_text(self) -> str:
        """The counted amount as a decimal."""
        return coins_text(self.counted, self.decimals)

    @property
    def is_compared(self) -> bool:
        """Whether the customer typed a balance, or there was none to type."""
        return self.typed is not None or self.parts == 0


def parse_balances(balances: Mapping[str, str | Decimal]) -> dict[str, TypedBalance]:
    """Read the balances that a customer typed, by asset code.

    Raises:
        Misuse: there is none, or a code or a balance is malformed.
    """
    if not balances:
        raise Misuse("no balance was typed: give every asset that you hold")
    if not all(ASSET_CODE.fullmatch(code) for code in balances):
        raise Misuse("an asset's code is 1 to 16 of A-Z and 0-9")
    return {code: TypedBalance.parse(typed) for code, typed in balances.items()}


def check_package(checked: CheckedManifest, data: bytes, account_id: str) -> PackageBody:
    """Check an untrusted package; ``account_id`` is the canonical form of what the customer typed.

    Raises:
        Rejected: the first fault of numbers 1 to 10 (spec/errors.md, section 4).
    """
    # 1 - 3
    if not 1 <= len(data) <= MAX_PACKAGE_BYTES:
        raise _fault(Code.PACKAGE_TOO_LARGE, "empty, or larger than 1 MiB")
    package = records.read(Package, data, "package", "package")
    # 4
    key = checked.manifest.public_key
    if not is_signed(key, "package-signature", package.body, package.signature):
        raise _fault(Code.PACKAGE_BAD_SIGNATURE, "not signed by the exchange's key")
    # 5
    body = records.read(PackageBody, package.body, "package", "package")
    # 6 - 9
    if body.version != PACKAGE_VERSION:
        raise _fault(Code.PACKAGE_UNSUPPORTED_VERSION, "the version is not 1")
    if body.manifest != checked.digest:
        raise _fault(Code.PACKAGE_WRONG_MANIFEST, "it belongs to another snapshot's manifest")
    if body.account_id != account_id:
        raise _fault(Code.PACKAGE_WRONG_ACCOUNT, "it is of another account id than you typed")
    assets = checked.manifest.assets
    if [entry.code for entry in body.assets] != [asset.code for asset in assets]:
        raise _fault(Code.PACKAGE_WRONG_ASSETS, "it lists not exactly the manifest's assets")
    # 10
    for entry, asset in zip(body.assets, assets, strict=True):
        _check_parts(entry, checked.shape(asset).leaves)
    return body


def check_leaves(
    source: Source, checked: CheckedManifest, body: PackageBody, *, openings: bool = True
) -> int:
    """Check every leaf of a checked package up to its root; return the number of pages read.

    Without ``openings`` only the pages are checked: then a fault is of whoever serves them.

    Raises:
        Rejected: the first fault of numbers 11 and 12 (spec/errors.md, section 4).
        CannotCheck: a page could not be read.
    """
    held = [
        (asset, entry, Tree.of(checked, asset))
        for asset, entry in zip(checked.manifest.assets, body.assets, strict=True)
        if entry.parts
    ]
    # 11
    for _, _, tree in held:
        for level in range(tree.shape.levels):
            tree.check_file_length(source, level)
    # 12
    pages = 0
    for asset, entry, tree in held:
        paths = _Paths(source, asset, tree)
        for part in entry.parts:
            commitment = None
            if openings:
                blinding = leaf_blinding(
                    checked.context, asset.code, body.account_id, body.account_key, part.part
                )
                commitment = native.commit(array("Q", [part.amount]), blinding)
            paths.check(part, commitment)
        pages += paths.pages_read
    return pages


def compare_balances(
    checked: CheckedManifest, body: PackageBody, typed: Mapping[str, TypedBalance]
) -> tuple[Amount, ...]:
    """Compare what is counted with what was typed; return both for every asset of the manifest.

    Raises:
        Rejected: ``inclusion.unknown-asset``, then ``inclusion.balance-short``.
    """
    assets = checked.manifest.assets
    # 13
    for code in sorted(typed.keys() - {asset.code for asset in assets}):
        if typed[code].digits:
            raise Rejected(Code.INCLUSION_UNKNOWN_ASSET, code, "the manifest has no such asset")
    amounts = tuple(
        Amount(
            code=asset.code,
            decimals=asset.decimals,
            counted=sum(part.amount for part in entry.parts),
            parts=len(entry.parts),
            typed=typed.get(asset.code),
        )
        for asset, entry in zip(assets, body.assets, strict=True)
    )
    # 14
    for amount in amounts:
        if amount.typed and amount.counted < amount.typed.ledger_units(amount.decimals):
            message = f"you typed {amount.typed.text}, counted {amount.counted_text}"
            raise Rejected(Code.INCLUSION_BALANCE_SHORT, amount.code, message)
    return amounts


class _Paths:
    """The paths of one asset's leaves. A page that several of them share is mostly read once."""

    def __init__(self, source: Source, asset: Asset, tree: Tree) -> None:
        self._source = source
        self._asset = asset
        self._tree = tree
        self._page = lru_cache(maxsize=_CACHED_PAGES)(self._read_page)
        self.pages_read = 0

    def check(self, part: Part, commitment: bytes | None) -> None:
        """Check every page from a leaf to the signed root, that each names the one below, and last
        the leaf's opening: until then its page may be anybody's who serves the files.
        """
        shape, index = self._tree.shape, part.leaf
        below = leaf = b""
        for level in range(shape.levels):
            index, slot = divmod(index, shape.page_size)
            page, link = self._page(level, index)
            if level == 0:
                start = PAGE_HEADER_BYTES + slot * POINT_BYTES
                leaf = page[start : start + POINT_BYTES]
            else:
                self._tree.check_link(level, index, entry_link(page, slot), below)
            below = link
        self._tree.check_root(self._asset, below)
        if commitment not in (None, leaf):
            where = f"{self._asset.code}, part {part.part}"
            message = "the leaf is not a commitment to this amount of your account"
            raise Rejected(Code.INCLUSION_WRONG_OPENING, where, message)

    def _read_page(self, level: int, index: int) -> tuple[bytes, bytes]:
        """Return a page, checked by itself, and its link. Only checked bytes are looked into."""
        page = self._tree.read_pages(self._source, level, index, 1)
        self.pages_read += 1
        return page, self._tree.check_pages(level, index, 1, page)


def _check_parts(entry: PackageAsset, leaves: int) -> None:
    """Number 10, for one asset."""
    seen: set[int] = set()
    for at, part in enumerate(entry.parts):
        where = f"package, {entry.code}, part {at}"
        if part.part != at:
            raise Rejected(Code.PACKAGE_BAD_PARTS, where, "the parts are not numbered 0, 1, 2 …")
        if not 1 <= part.amount <= MAX_AMOUNT:
            raise Rejected(Code.PACKAGE_BAD_AMOUNT, where, "the amount is out of range")
        if part.leaf >= leaves:
            raise Rejected(Code.PACKAGE_BAD_LEAF, where, "the tree has no such leaf")
        if part.leaf in seen:
            raise Rejected(Code.PACKAGE_DUPLICATE_LEAF, where, "an earlier part has the same leaf")
        seen.add(part.leaf)


def _fault(code: Code, message: str) -> Rejected:
    return Rejected(code, "package", message)
