"""Randomness of the live attacks: fresh in every run; a failure prints the seed that repeats it."""

from __future__ import annotations

import secrets
from random import Random

import pytest


@pytest.fixture
def rng() -> Random:
    seed = secrets.randbits(64)
    print(f"seed {seed}")
    return Random(seed)
