"""How many pages an asset's tree has: a coarse number, which hides how many accounts there are."""

from __future__ import annotations

from prover.errors import ProverError
from verifier.params import CAPACITIES, MAX_CAPACITY


def choose_capacity(code: str, leaves: int, page_size: int, declared: int | None) -> int:
    """Return the declared number of level-0 pages, or the least that holds ``leaves``.

    Raises:
        ProverError: too few; the message names the asset and what it needs.
    """
    needed = max(1, -(-leaves // page_size))
    if declared is not None and declared >= needed:
        return declared
    enough = [capacity for capacity in sorted(CAPACITIES) if capacity >= needed]
    if not enough:
        raise ProverError(
            f"asset {code}: needs {needed} pages of {page_size} leaves; "
            f"the largest capacity is {MAX_CAPACITY}"
        )
    if declared is not None:
        raise ProverError(
            f"asset {code}: capacity {declared} is too small: "
            f"{needed} pages of {page_size} leaves are needed, so at least {enough[0]}"
        )
    return enough[0]
