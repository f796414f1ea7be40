"""Mutated bundles and packages: verifier, page code and reference say the same.

``make fuzz-format`` runs more of them, and others every time.
"""

from __future__ import annotations

import shutil

import pytest

from tests.fuzz.page_format import run

CASES = 400


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(at, marks=pytest.mark.long) for at in range(CASES, 2000, CASES))]
)
def test_three_readers_agree(first: int) -> None:
    if shutil.which("node") is None:
        pytest.skip("the page's code outside a browser: no Node on this machine")
    codes = run(0, first, CASES, reference_every=1)
    assert sum(codes.values()) == CASES
    assert {"accepted", "argument.rejected", "inclusion.wrong-amount"} <= set(codes)
