"""The clock of the machine that proves: a snapshot speaks of a moment that has come.

Each snapshot has to be later than the one before, and what is signed cannot be taken back. So one
that is dated a year ahead ends the history of its key for a year.
"""

from __future__ import annotations

import time
from typing import Final

from prover.errors import Code, InputError
from verifier.format.times import utc_text

# Two clocks may differ so much.
MAX_AHEAD_SECONDS: Final = 600


def check_time(snapshot_time: int, where: str) -> None:
    """Check that a snapshot's time, in Unix seconds, is not ahead of this machine's clock.

    ``where`` names the file and the key that it comes from.

    Raises:
        InputError: it is ahead by more than `MAX_AHEAD_SECONDS`.
    """
    now = int(time.time())
    if snapshot_time > now + MAX_AHEAD_SECONDS:
        words = (
            f"{utc_text(snapshot_time)} is in the future: this machine's clock says "
            f"{utc_text(now)}. Nothing earlier could follow such a snapshot"
        )
        raise InputError(where, Code.WRONG_VALUE, words, "correct the time, or the clock")
