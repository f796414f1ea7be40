"""How large an asset's tree is: pages of one size, and a coarse number of them.

Everybody sees both, and the number hides how many accounts there are. Left to itself it is a power
of two, and its leaves are never fewer than those of the snapshot before: so it bounds the number of
parts from above, says nothing of a fall, and of a rise only that a power of two was passed. A
closer fit would tell the number of customers within a fifth.
"""

from __future__ import annotations

from bisect import bisect_left

from prover.errors import ProverError
from verifier.format.params import (
    CAPACITIES,
    MAX_CAPACITY,
    MAX_LEAVES,
    PAGE_SIZES,
    TreeShape,
)

_CAPACITIES = sorted(CAPACITIES)


def choose_shape(
    code: str, parts: int, page_size: int | None, declared: int | None, previous: int = 0
) -> TreeShape:
    """Return the shape of a tree that holds ``parts`` leaves.

    It has room for ``declared`` leaves, or else for those that the snapshot before had room for
    (``previous``) at least. Where no page size is given it is the one of the fewest public bytes,
    of equals the smaller.

    Raises:
        ProverError: no tree is as large, or what is declared is too small.
    """
    if declared is not None and declared < parts:
        raise ProverError(
            f"asset {code}: capacity {declared:,} is too small: {parts:,} leaves are needed"
        )
    sizes = PAGE_SIZES if page_size is None else (page_size,)
    shapes = [
        shape for size in sizes if (shape := _shape(size, parts, declared, previous)) is not None
    ]
    if not shapes:
        needed = max(parts, previous) if declared is None else declared
        most = min(MAX_CAPACITY * sizes[-1], MAX_LEAVES)
        raise ProverError(
            f"asset {code}: needs {needed:,} leaves; pages of {sizes[-1]} have room for {most:,}"
        )
    return min(shapes, key=_public_bytes)


def _shape(page_size: int, parts: int, declared: int | None, previous: int) -> TreeShape | None:
    """Return the smallest tree of a page size; None if it would be larger than any."""

    def pages(leaves: int) -> int:
        return max(1, -(-leaves // page_size))

    if declared is None:
        least = max(1 << (pages(parts) - 1).bit_length(), pages(previous))
    else:
        least = pages(declared)
    at = bisect_left(_CAPACITIES, least)
    if at == len(_CAPACITIES) or _CAPACITIES[at] * page_size > MAX_LEAVES:
        return None
    return TreeShape(_CAPACITIES[at], page_size)


def _public_bytes(shape: TreeShape) -> int:
    """Return the bytes of all pages and their arguments."""
    return sum(
        shape.pages_file_bytes(level) + shape.arguments_file_bytes(level)
        for level in range(shape.levels)
    )
