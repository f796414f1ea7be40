"""The pages of an asset's tree (protocol.md 2.3, wire.md 5) and the solvency argument."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from spec.reference import group
from spec.reference.argument import Shape, verify_argument
from spec.reference.errors import Rejected
from spec.reference.group import Point
from spec.reference.manifest import Asset, Manifest, require
from spec.reference.transcript import Transcript, lp, u16, u32

LEAF_BITS = 64
SOLVENCY_BITS = 128
_HEADER = 15  # bytes: magic, version, level, index, count


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
        return -(-self.leaves // int(self.page_size ** (level + 1)))

    def count(self, level: int, index: int) -> int:
        """How many entries a page has."""
        if level == 0:
            return self.page_size
        return min(self.page_size, self.pages(level - 1) - index * self.page_size)

    def length(self, level: int, index: int) -> int:
        """How many bytes a page has."""
        count = self.count(level, index)
        entry = 65 if level else 33
        return _HEADER + count * entry + Shape(count, LEAF_BITS).length

    def file_length(self, level: int) -> int:
        last = self.pages(level) - 1
        return last * self.length(level, 0) + self.length(level, last)


def geometry(manifest: Manifest, asset: Asset) -> Geometry:
    return Geometry(manifest.page_size, asset.capacity, asset.levels)


@dataclass(frozen=True)
class Page:
    """A page that passed `check_page`. `children` are the ids named, none at level 0."""

    id: bytes
    children: list[bytes]
    commitments: list[Point]
    sum: Point


def start(manifest: Manifest, asset: Asset, kind: str) -> Transcript:
    """The transcript after items 1 to 3."""
    transcript = Transcript()
    versions = u16(1) + u16(1) + lp("secp256k1") + lp("assay/v1/generator")
    transcript.absorb("argument", versions + lp(kind))
    transcript.absorb("context", manifest.context)
    described = lp(asset.code) + bytes([asset.decimals]) + asset.units_digest
    transcript.absorb("asset", described)
    return transcript


def check_page(manifest: Manifest, asset: Asset, level: int, index: int, data: bytes) -> Page:
    """One page by itself: errors.md 3, numbers 3 to 6. `data` has the page's computed length."""
    where = f"pages/{asset.code}/{level}, page {index}"
    tree = geometry(manifest, asset)
    count = tree.count(level, index)
    header = b"ASPG" + u16(1) + bytes([level]) + u32(index) + u32(count)
    require(data[:_HEADER] == header, "page.bad-header", where)
    entry = 65 if level else 33
    end = _HEADER + entry * count
    entries = [data[at : at + entry] for at in range(_HEADER, end, entry)]
    try:
        commitments = [group.decode(item[-33:]) for item in entries]
    except ValueError as error:
        raise Rejected("page.bad-point", where, str(error)) from None

    transcript = start(manifest, asset, "page")
    statement = bytes([level, tree.levels]) + u32(index) + u32(tree.capacity) + u32(tree.page_size)
    transcript.absorb("statement", statement)
    transcript.absorb("shape", Shape(count, LEAF_BITS).encode())
    transcript.absorb("entries", data[_HEADER:end])
    verify_argument(transcript.state, LEAF_BITS, commitments, data[end:], where=where)
    total = group.total(commitments)
    require(total is not None, "page.infinite-sum", where)
    children = [item[:32] for item in entries] if level else []
    return Page(sha256(data).digest(), children, commitments, total)


def check_child(parent: Page, slot: int, child_id: bytes, child_sum: Point, where: str) -> None:
    """errors.md 3, number 7, for one entry."""
    require(parent.children[slot] == child_id, "page.wrong-child-id", where)
    require(parent.commitments[slot] == child_sum, "page.wrong-child-sum", where)


def check_root(asset: Asset, root_id: bytes, root_sum: Point) -> None:
    where = f"pages/{asset.code}/{asset.levels - 1}"
    require(root_id == asset.root, "page.wrong-root-id", where)
    require(root_sum == asset.sum, "page.wrong-root-sum", where)


def check_solvency(manifest: Manifest, asset: Asset, assets_commitment: Point) -> None:
    """protocol.md 4: den·C_A - num·C_L commits to a number in [0, 2^128)."""
    transcript = start(manifest, asset, "solvency")
    sums = group.encode(assets_commitment) + group.encode(asset.sum)
    ratio = u32(asset.num) + u32(asset.den)
    transcript.absorb("statement", ratio + asset.root + asset.evidence + sums)
    transcript.absorb("shape", Shape(1, SOLVENCY_BITS).encode())
    D = group.multi_multiply([(asset.den, assets_commitment), (-asset.num, asset.sum)])
    where = f"manifest.msgpack, solvency of {asset.code}"
    verify_argument(transcript.state, SOLVENCY_BITS, [D], asset.solvency, where=where)
