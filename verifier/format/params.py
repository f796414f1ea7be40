"""Constants and limits of protocol version 1, and the shape of a tree as the manifest implies it.

Nothing here is read from what is verified (spec/protocol.md, sections 2.3 and 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PROTOCOL_VERSION = 1
ARGUMENT_VERSION = 1
PACKAGE_VERSION = 1
RECORD_VERSION = 1
EVIDENCE_VERSION = 1

# The order of secp256k1's group, and V, the standard base point.
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE_POINT = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")

ID_BYTES = 32
POINT_BYTES = 33
SIGNATURE_BYTES = 64
SCALAR_BYTES = 32
PAGE_HEADER_BYTES = 15
ENTRY_BYTES = ID_BYTES + POINT_BYTES  # above level 0: a child's id and sum
OPENING_BYTES = 545

MAX_MANIFEST_BYTES = 2**24
MAX_ASSETS = 4096
MAX_CHAINS = 256
MAX_UNITS = 64  # of an asset
MAX_DECLARATION_BYTES = 2**22
MAX_TEXT_BYTES = 128
MAX_PLEDGED = 4096  # of a loan
MAX_ATTESTATIONS = 4096  # of an asset
MAX_EVIDENCE_BYTES = 2**27
MAX_ALL_EVIDENCE_BYTES = 2**29
MAX_HIDDEN_KEYS = 2**20
MAX_COIN_INDEX = 2**32 - 1
MAX_RECORD_BYTES = 2**20
MAX_PACKAGE_BYTES = 2**23

ACCOUNT_ID_TYPES = ("email", "phone", "opaque")
PAGE_SIZES = (16, 256, 4096)
FAN = 64  # the most entries of a page above level 0
VECTOR_SLOTS = 16
NODE_LEAVES = 64  # under one node of a page's identities
AMOUNT_BITS = 64
MAX_CAPACITY = 2**20
MAX_LEAVES = 2**30
MAX_TIME = 2**40
MAX_HEIGHT = 2**63 - 1
MAX_LEDGER_DECIMALS = 30
MAX_UNIT_DECIMALS = 36
MAX_RATIO_TERM = 2**32 - 1
ASSETS_LIMIT = 2**96
MAX_AMOUNT = 2**64 - 1
DAY_SECONDS = 86_400
SOLVENCY_BITS = 128
SOLVENCY_BYTES = 1795  # of the argument

MANIFEST_PATH = "manifest.msgpack"
SIGNATURE_PATH = "manifest.sig"
DECLARATION_PATH = "declaration.msgpack"
RECORD_PATH = "arguments.msgpack"
RECORD_SIGNATURE_PATH = "arguments.sig"

SNAPSHOT_ID = re.compile("[a-z0-9-]{1,64}")
ASSET_CODE = re.compile("[A-Z0-9]{1,16}")
CHAIN_NAME = re.compile("[a-z0-9-]{1,32}")

CAPACITIES = frozenset(
    [1, 2, 3] + [n << k for n in (4, 5, 6, 7) for k in range(19) if n << k <= MAX_CAPACITY]
)


@dataclass(frozen=True)
class TreeShape:
    """Levels, pages and lengths of an asset's tree (spec/wire.md, section 5).

    ``capacity`` counts the pages of level 0, ``page_size`` the leaves of one.
    """

    capacity: int
    page_size: int

    @property
    def leaves(self) -> int:
        """The leaf capacity."""
        return self.capacity * self.page_size

    @property
    def levels(self) -> int:
        """The number of levels: the last one has one page, the root."""
        levels = 1
        while self.pages(levels - 1) > 1:
            levels += 1
        return levels

    def pages(self, level: int) -> int:
        """The number of pages of a level."""
        below: int = FAN**level
        return -(-self.capacity // below)

    def entries(self, level: int) -> int:
        """The number of entries of all pages of a level: leaves, or pages of the level below."""
        return self.leaves if level == 0 else self.pages(level - 1)

    def count(self, level: int, index: int) -> int:
        """The number of entries of one page."""
        if level == 0:
            return self.page_size
        return min(FAN, self.entries(level) - index * FAN)

    def page_bytes(self, level: int, index: int) -> int:
        """The length of one page: header and entries."""
        if level > 0:
            return PAGE_HEADER_BYTES + ENTRY_BYTES * self.count(level, index)
        nodes = max(1, self.page_size // NODE_LEAVES)
        points = 1 + self.page_size // VECTOR_SLOTS
        return PAGE_HEADER_BYTES + ID_BYTES * nodes + POINT_BYTES * points

    def argument_bytes(self, level: int, index: int) -> int:
        """The length of one page's argument (spec/transcript.md 4.1, and 5.1 at level 0)."""
        points, scalars = (6, 4) if level > 0 else (7, 5 + VECTOR_SLOTS)
        rounds = (AMOUNT_BITS * self.count(level, index) - 1).bit_length()
        columns = 1 << -(-rounds // 2)
        rows = (1 << rounds) // columns
        return POINT_BYTES * (rows + 3 * rounds + points) + SCALAR_BYTES * (columns + scalars)

    @property
    def path_bytes(self) -> int:
        """The length of the path of a leaf's identity."""
        return ID_BYTES * (min(NODE_LEAVES, self.page_size).bit_length() - 1)

    def pages_file_bytes(self, level: int) -> int:
        """The length of the file of a level's pages: all but the last have one length."""
        last = self.pages(level) - 1
        return last * self.page_bytes(level, 0) + self.page_bytes(level, last)

    def arguments_file_bytes(self, level: int) -> int:
        """The length of the file of a level's arguments."""
        last = self.pages(level) - 1
        return last * self.argument_bytes(level, 0) + self.argument_bytes(level, last)


def evidence_path(code: str) -> str:
    """Return the path of an asset's evidence in the bundle."""
    return f"evidence/{code}.msgpack"


def pages_path(code: str, level: int) -> str:
    """Return the path of the pages of one level in the bundle."""
    return f"pages/{code}/{level}"


def arguments_path(code: str, level: int) -> str:
    """Return the path of the arguments of one level's pages in the bundle."""
    return f"arguments/{code}/{level}"


def solvency_path(code: str) -> str:
    """Return the path of an asset's solvency argument in the bundle."""
    return f"arguments/{code}/solvency"


def bundle_paths(code: str, levels: int) -> Iterator[str]:
    """Yield the paths of one asset's files, in the order in which they are looked for."""
    yield evidence_path(code)
    for level in range(levels):
        yield pages_path(code, level)
    for level in range(levels):
        yield arguments_path(code, level)
    yield solvency_path(code)
