"""How many pages an asset's tree has: a coarse number, which hides how many accounts there are.

Everybody sees it. Left to itself it is a power of two, and never below that of the snapshot before:
so it bounds the number of parts from above, says nothing of a fall, and of a rise only that a power
of two was passed. A closer fit would tell the number of customers within a fifth.
"""

from __future__ import annotations

from prover.errors import ProverError
from verifier.format.params import CAPACITIES, MAX_CAPACITY


def choose_capacity(
    code: str, leaves: int, page_size: int, declared: int | None, previous: int = 0
) -> int:
    """Return the declared number of level-0 pages, or else one that is chosen to hold ``leaves``.

    That is the least power of two that holds them, but no less than ``previous``, the pages that
    the snapshot before had room for.

    Raises:
        ProverError: too few; the message names the asset and what it needs.
    """
    needed = max(1, -(-leaves // page_size))
    if declared is not None and declared >= needed:
        return declared
    least = max(1 << (needed - 1).bit_length(), previous) if declared is None else needed
    enough = [capacity for capacity in CAPACITIES if capacity >= least]
    if not enough:
        raise ProverError(
            f"asset {code}: needs {max(needed, previous)} pages of {page_size} leaves; "
            f"the largest capacity is {MAX_CAPACITY}"
        )
    if declared is not None:
        raise ProverError(
            f"asset {code}: capacity {declared} is too small: "
            f"{needed} pages of {page_size} leaves are needed, so at least {min(enough)}"
        )
    return min(enough)
