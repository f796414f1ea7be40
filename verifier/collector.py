"""Python's collector of cycles, in processes that make millions of small records."""

from __future__ import annotations

import atexit
import gc

# Objects made before the youngest are looked through, times that this is done before those that it
# left are, and the same of these. Python's own numbers (700, 10, 10) take a sixth of the time to
# prove a million rows of evidence. Nothing here makes many cycles.
_SELDOM = 100_000, 50, 1000


def collect_seldom() -> None:
    """Have this process look for cycles less often, and at its end not at all.

    What there is then goes with the process; to look through the modules alone takes a command's
    last 4 ms.
    """
    gc.set_threshold(*_SELDOM)
    atexit.register(gc.freeze)
