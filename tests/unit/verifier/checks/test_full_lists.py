"""Evidence of as many rows or coins as there may be, and of one more, through both verifiers.

Here and not among the other vectors, which also run on the portable kernel and under sanitizers.
"""

from __future__ import annotations

import pytest

from tests.support.subjects import SUBJECTS
from tests.support.vector import load
from tests.vectors.make_sizes import LARGE

CASES = [
    pytest.param(
        name,
        subject,
        marks=() if subject == "verifier" and "rows" in name else pytest.mark.long,
    )
    for name in LARGE
    for subject in SUBJECTS
]


@pytest.mark.parametrize(("name", "subject"), CASES)
def test_a_million_are_read_and_one_more_refused(name: str, subject: str) -> None:
    vector = load(name)
    assert SUBJECTS[subject](vector).code == vector.code
