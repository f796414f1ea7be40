"""A snapshot's time against the clock."""

from __future__ import annotations

import time

import pytest

from prover.clock import MAX_AHEAD_SECONDS, check_time
from prover.errors import ProverError
from verifier.format.times import utc_seconds


@pytest.mark.parametrize("ahead", [-(10**9), -1, 0, MAX_AHEAD_SECONDS - 60])
def test_what_has_come_or_is_about_to_is_taken(ahead: int) -> None:
    check_time(int(time.time()) + ahead, "here")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (utc_seconds("2062-11-28T00:00:00Z"), "2062-11-28T00:00:00Z is in the future"),
        (utc_seconds("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59Z is in the future"),
        (2**63 - 1, "is in the future"),
    ],
)
def test_what_is_far_ahead_is_refused_with_both_times(moment: int, told: str) -> None:
    with pytest.raises(ProverError, match=rf"^snapshot\.toml: time: .*{told}.*clock says \d{{4}}-"):
        check_time(moment, "snapshot.toml: time")


def test_what_is_a_minute_too_far_ahead_is_refused() -> None:
    with pytest.raises(ProverError, match="is in the future"):
        check_time(int(time.time()) + MAX_AHEAD_SECONDS + 60, "here")
