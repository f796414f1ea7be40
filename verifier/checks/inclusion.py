"""The light check: is what a customer was owed counted, in the leaves of their own package?

Only the pages on the paths of the customer's leaves are read, and their arguments. The identity of
each leaf is computed from the account id that the customer typed, so no leaf serves two customers.
Pages and openings are checked many at a time; where that fails, one by one, in the order of codes.
Sources: spec/protocol.md 2.2, 2.3 and 5, spec/errors.md section 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import native
from verifier.bundle.source import Source
from verifier.checks import records
from verifier.checks.manifest import CheckedManifest
from verifier.checks.pages import Tree, entry_link, links_of
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.keys import is_signed
from verifier.format.params import (
    ASSET_CODE,
    FAN,
    MAX_AMOUNT,
    MAX_PACKAGE_BYTES,
    OPENING_BYTES,
    PACKAGE_VERSION,
    RECORD_PATH,
    TreeShape,
    arguments_path,
)
from verifier.format.statement import leaf_identity
from verifier.format.units import coins_text
from verifier.format.wire import (
    Package,
    PackageAsset,
    PackageBody,
    Part,
)

if TYPE_CHECKING:
    from decimal import Decimal

# Parts checked in one batch; with the pages above them they take 25 MB at most.
_BATCH_PARTS = 256

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
        if not isinstance(typed, str):
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
        raise _fault(Code.PACKAGE_TOO_LARGE, "empty, or larger than 8 MiB")
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
        _check_parts(entry, asset.shape)
    return body


@dataclass(frozen=True)
class CheckedLeaves:
    """That the leaves of a package hold, over so many ``pages``.

    ``are_proved`` tells whether the pages' arguments were there: without them an opening shows
    nothing, and the customer is not included.
    """

    pages: int
    are_proved: bool


def check_leaves(source: Source, checked: CheckedManifest, body: PackageBody) -> CheckedLeaves:
    """Check every leaf of a checked package up to its root, with the pages' arguments.

    Where these are not there yet, and neither is the record of them, all else is checked.

    Raises:
        Rejected: the first fault of numbers 11 and 12 (spec/errors.md, section 4).
        CannotCheck: a page or an argument could not be read.
    """
    held = [
        (Tree.of(checked.context, asset), entry)
        for asset, entry in zip(checked.manifest.assets, body.assets, strict=True)
        if entry.parts
    ]
    trees = [tree for tree, _ in held]
    are_proved = _has_arguments(source, trees)
    # 11
    for tree in trees:
        for level in range(tree.shape.levels):
            tree.check_pages_length(source, level)
            if are_proved:
                tree.check_arguments_length(source, level)
    # 12
    paths = _Paths(source, are_proved, checked.context, body)
    leaves = [_Leaf(tree, part) for tree, entry in held for part in entry.parts]
    pages = 0
    for first in range(0, len(leaves), _BATCH_PARTS):
        pages += paths.check(leaves[first : first + _BATCH_PARTS])
    return CheckedLeaves(pages, are_proved)


def _has_arguments(source: Source, trees: Sequence[Tree]) -> bool:
    """Tell whether all needed arguments are there, or the record that says that they are."""
    needed = (
        arguments_path(tree.asset.code, level)
        for tree in trees
        for level in range(tree.shape.levels)
    )
    return all(_is_there(source, path) for path in needed) or _is_there(source, RECORD_PATH)


def _is_there(source: Source, path: str) -> bool:
    try:
        source.size(path)
    except Rejected:
        return False
    return True


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


@dataclass(frozen=True)
class _Leaf:
    """The leaf of one part, in its asset's tree."""

    tree: Tree
    part: Part

    @property
    def page(self) -> _Place:
        """Where its page is."""
        return _Place(self.tree, 0, self.part.leaf // self.tree.shape.page_size)


@dataclass(frozen=True)
class _Place:
    """Where a page is."""

    tree: Tree
    level: int
    index: int

    @property
    def parents(self) -> Iterator[tuple[_Place, int]]:
        """The pages above it up to the root, each with the number of the entry on the way."""
        index = self.index
        for level in range(self.level + 1, self.tree.shape.levels):
            index, slot = divmod(index, FAN)
            yield _Place(self.tree, level, index), slot


class _Paths:
    """The paths of leaves. Of a batch of them every page is read once."""

    def __init__(self, source: Source, are_proved: bool, context: bytes, body: PackageBody) -> None:
        self._source = source
        self._are_proved = are_proved
        self._context = context
        self._body = body
        self._pages: dict[_Place, native.PageToCheck] = {}

    def check(self, leaves: Sequence[_Leaf]) -> int:
        """Check a batch of leaves; return the number of their pages."""
        self._pages.clear()
        try:
            self._check_together(leaves)
        except (Rejected, CannotCheck, native.Rejected):
            for leaf in leaves:
                self._check_alone(leaf)
        return len(self._pages)

    def _check_together(self, leaves: Sequence[_Leaf]) -> None:
        for leaf in leaves:
            self._page(leaf.page)
            for parent, _ in leaf.page.parents:
                self._page(parent)
        numbers = {place: at for at, place in enumerate(self._pages)}
        openings = [self._opening(leaf, numbers[leaf.page]) for leaf in leaves]
        links = links_of(*native.check(list(self._pages.values()), openings))
        for leaf in leaves:
            self._check_path(leaf, lambda place: links[numbers[place]])

    def _check_alone(self, leaf: _Leaf) -> None:
        """Check one leaf in the order of number 12.

        Until its path has led to the signed root, a page may be anybody's who serves the files, so
        identity and opening come last.
        """
        self._check_path(leaf, self._check_page)
        try:
            native.check([self._page(leaf.page)], [self._opening(leaf, 0)])
        except native.OpeningRejected as error:
            code, where = Code(error.code), f"{leaf.tree.asset.code}, part {leaf.part.part}"
            raise Rejected(code, where, _MESSAGES[code]) from None

    def _check_path(self, leaf: _Leaf, link_of: Callable[[_Place], bytes]) -> None:
        """Check that every page above a leaf names the one below, and the manifest the root.

        ``link_of`` gives the recomputed link of a page, or rejects it.
        """
        below = link_of(leaf.page)
        for parent, slot in leaf.page.parents:
            link = link_of(parent)
            stated = entry_link(memoryview(self._page(parent).page), slot)
            leaf.tree.check_link(parent.level, parent.index, stated, below)
            below = link
        leaf.tree.check_root(below)

    def _check_page(self, place: _Place) -> bytes:
        try:
            return links_of(*native.check([self._page(place)]))[0]
        except native.PageRejected as error:
            raise place.tree.page_fault(place.level, place.index, error) from None

    def _page(self, place: _Place) -> native.PageToCheck:
        if place not in self._pages:
            tree, level, index = place.tree, place.level, place.index
            page = tree.read_pages(self._source, level, index, 1)
            argument = (
                tree.read_arguments(self._source, level, index, 1) if self._are_proved else None
            )
            self._pages[place] = native.PageToCheck(tree.core, level, index, page, argument)
        return self._pages[place]

    def _opening(self, leaf: _Leaf, page: int) -> native.OpeningToCheck:
        tree, part, body = leaf.tree, leaf.part, self._body
        return native.OpeningToCheck(
            page=page,
            leaf=part.leaf % tree.shape.page_size,
            amount=part.amount,
            identity=leaf_identity(
                self._context, tree.asset.code, body.account_id, body.account_key, part.part
            ),
            path=part.path,
            opening=part.opening,
        )


_MESSAGES = {
    Code.INCLUSION_WRONG_IDENTITY: "the leaf is not one of your account",
    Code.INCLUSION_WRONG_AMOUNT: "it is not shown that this amount stands in the leaf",
    Code.OPENING_BAD_POINT: "the point of the opening does not decode",
    Code.OPENING_BAD_SCALAR: "a scalar of the opening is not below the group order",
}


def _check_parts(entry: PackageAsset, shape: TreeShape) -> None:
    """Number 10, for one asset."""
    seen: set[int] = set()
    for at, part in enumerate(entry.parts):
        where = f"package, {entry.code}, part {at}"
        if part.part != at:
            raise Rejected(Code.PACKAGE_BAD_PARTS, where, "the parts are not numbered 0, 1, 2 …")
        if not 1 <= part.amount <= MAX_AMOUNT:
            raise Rejected(Code.PACKAGE_BAD_AMOUNT, where, "the amount is out of range")
        if part.leaf >= shape.leaves:
            raise Rejected(Code.PACKAGE_BAD_LEAF, where, "the tree has no such leaf")
        if part.leaf in seen:
            raise Rejected(Code.PACKAGE_DUPLICATE_LEAF, where, "an earlier part has the same leaf")
        if len(part.path) != shape.path_bytes:
            raise Rejected(Code.PACKAGE_BAD_PATH, where, "the path has another length")
        if len(part.opening) != OPENING_BYTES:
            raise Rejected(Code.OPENING_BAD_LENGTH, where, "the opening has another length")
        seen.add(part.leaf)


def _fault(code: Code, message: str) -> Rejected:
    return Rejected(code, "package", message)
