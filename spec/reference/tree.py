"""The pages of an asset's tree (protocol.md 2.3, wire.md 5), and the argument of solvency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spec.reference import group, leaves
from spec.reference.argument import Shape, verify_argument
from spec.reference.errors import Rejected
from spec.reference.group import Point
from spec.reference.manifest import FAN, Asset, Manifest, require
from spec.reference.transcript import Transcript, lp, u16, u32

SUM_BITS = 64
SOLVENCY = Shape(1, 128)
_HEADER = 15  # bytes: magic, version, level, index, count
_CHILD = 65  # bytes: id and sum


@dataclass(frozen=True)
class Geometry:
    """Counts and lengths of an asset's tree; everything follows from the manifest."""

    page_size: int
    capacity: int
    levels: int

    @property
    def leaves(self) -> int:
        return self.capacity * self.page_size

    def pages(self, level: int) -> int:
        return -(-self.capacity // int(FAN**level))

    def count(self, level: int, index: int) -> int:
        """What the header of a page says: its leaves, or above level 0 its entries."""
        if level == 0:
            return self.page_size
        return min(FAN, self.pages(level - 1) - index * FAN)

    def page_length(self, level: int, index: int) -> int:
        """How many bytes the header and entries of a page have."""
        if level == 0:
            return _HEADER + leaves.Shape(self.page_size).entries_length
        return _HEADER + _CHILD * self.count(level, index)

    def argument_length(self, level: int, index: int) -> int:
        if level == 0:
            return leaves.Shape(self.page_size).length
        return Shape(self.count(level, index), SUM_BITS).length

    def page_file(self, level: int) -> int:
        """The length of the file of a level's pages."""
        last = self.pages(level) - 1
        return last * self.page_length(level, 0) + self.page_length(level, last)

    def argument_file(self, level: int) -> int:
        """The length of the file of a level's arguments."""
        last = self.pages(level) - 1
        return last * self.argument_length(level, 0) + self.argument_length(level, last)


def geometry(asset: Asset) -> Geometry:
    return Geometry(asset.page_size, asset.capacity, asset.levels)


def page_name(asset: Asset, level: int) -> str:
    return f"pages/{asset.code}/{level}"


def argument_name(asset: Asset, level: int) -> str:
    return f"arguments/{asset.code}/{level}"


def solvency_name(asset: Asset) -> str:
    return f"arguments/{asset.code}/solvency"


@dataclass(frozen=True)
class Page:
    """A page that passed `check_page`.

    `entries` are those of a page of leaves; `children`, the ids and sums named, of one above.
    """

    id: bytes
    sum: Point
    entries: leaves.Entries | None
    children: Sequence[tuple[bytes, Point]]


def start(manifest: Manifest, asset: Asset, kind: str) -> Transcript:
    """The transcript after items 1 to 3."""
    version = 0 if kind == "opening" else 1
    transcript = Transcript()
    versions = u16(1) + u16(version) + lp("secp256k1") + lp("assay/v1/generator")
    transcript.absorb("argument", versions + lp(kind))
    transcript.absorb("context", manifest.context)
    described = lp(asset.code) + bytes([asset.decimals]) + asset.units_digest
    transcript.absorb("asset", described)
    return transcript


def start_page(manifest: Manifest, asset: Asset, kind: str, level: int, index: int) -> Transcript:
    """The transcript after items 1 to 4 of a page."""
    transcript = start(manifest, asset, kind)
    levels = bytes([level, asset.levels])
    numbers = u32(index) + u32(asset.capacity) + u32(asset.page_size)
    transcript.absorb("statement", levels + numbers)
    return transcript


def read(bundle: Path, asset: Asset, level: int, index: int) -> bytes:
    """The bytes of one page, whose file has its computed length."""
    tree = geometry(asset)
    with (bundle / page_name(asset, level)).open("rb") as file:
        file.seek(index * tree.page_length(level, 0))
        return file.read(tree.page_length(level, index))


def read_argument(bundle: Path, asset: Asset, level: int, index: int) -> bytes:
    """The bytes of one page's argument, whose file has its computed length."""
    tree = geometry(asset)
    with (bundle / argument_name(asset, level)).open("rb") as file:
        file.seek(index * tree.argument_length(level, 0))
        return file.read(tree.argument_length(level, index))


def check_page(
    manifest: Manifest, asset: Asset, level: int, index: int, data: bytes, argument: bytes | None
) -> Page:
    """One page by itself: errors.md 3, numbers 3 to 5 and 8, the argument before an infinite sum.

    `data` and `argument` have their computed lengths; without one the page alone is looked at.
    """
    where = f"{page_name(asset, level)}, page {index}"
    count = geometry(asset).count(level, index)
    header = b"ASPG" + u16(1) + bytes([level]) + u32(index) + u32(count)
    require(data[:_HEADER] == header, "page.bad-header", where)
    region = data[_HEADER:]
    page_id = sha256(data).digest()
    if level == 0:
        return _check_leaves(manifest, asset, index, region, argument, page_id, where)
    listed = [region[at : at + _CHILD] for at in range(0, len(region), _CHILD)]
    try:
        children = [(item[:32], group.decode(item[32:])) for item in listed]
    except ValueError as error:
        raise Rejected("page.bad-point", where, str(error)) from None
    sums = [point for _, point in children]
    if argument is not None:
        transcript = start_page(manifest, asset, "sums", level, index)
        transcript.absorb("shape", Shape(count, SUM_BITS).encode())
        transcript.absorb("entries", region)
        verify_argument(transcript.state, SUM_BITS, sums, argument, where=where)
    total = group.total(sums)
    require(total is not None, "page.infinite-sum", where)
    return Page(page_id, total, None, children)


def _check_leaves(
    manifest: Manifest,
    asset: Asset,
    index: int,
    region: bytes,
    argument: bytes | None,
    page_id: bytes,
    where: str,
) -> Page:
    try:
        entries = leaves.read_entries(asset.page_size, region)
    except ValueError as error:
        raise Rejected("page.bad-point", where, str(error)) from None
    if argument is not None:
        state = start_page(manifest, asset, "leaves", 0, index).state
        leaves.verify_leaves(state, asset.page_size, region, entries, argument, where=where)
    return Page(page_id, entries.C, entries, ())


def check_child(parent: Page, slot: int, child: Page, where: str) -> None:
    """errors.md 3, number 6, for one entry."""
    child_id, child_sum = parent.children[slot]
    require(child_id == child.id, "page.wrong-child-id", where)
    require(child_sum == child.sum, "page.wrong-child-sum", where)


def check_root(asset: Asset, root: Page) -> None:
    where = page_name(asset, asset.levels - 1)
    require(root.id == asset.root, "page.wrong-root-id", where)
    require(root.sum == asset.sum, "page.wrong-root-sum", where)


def check_solvency(
    manifest: Manifest, asset: Asset, assets_commitment: Point, argument: bytes
) -> None:
    """protocol.md 4: den·C_A - num·C_L commits to a number in [0, 2^128)."""
    transcript = start(manifest, asset, "solvency")
    sums = group.encode(assets_commitment) + group.encode(asset.sum)
    ratio = u32(asset.num) + u32(asset.den)
    transcript.absorb("statement", ratio + asset.root + asset.evidence + sums)
    transcript.absorb("shape", SOLVENCY.encode())
    D = group.multi_multiply([(asset.den, assets_commitment), (-asset.num, asset.sum)])
    verify_argument(transcript.state, SOLVENCY.b, [D], argument, where=solvency_name(asset))
