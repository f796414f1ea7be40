"""Ids in buckets over threads against Python's own sort."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pytest

from prover.ledger import ranks

Draw = Callable[[random.Random], bytes]

DRAWS: dict[str, Draw] = {
    "a long common prefix": lambda rng: b"customer-%020d" % rng.randrange(3000),
    "few ids, many times": lambda rng: b"%d" % rng.randrange(7),
    "prefixes of each other": lambda rng: b"\0" * rng.randrange(130),
    "any bytes": lambda rng: rng.randbytes(rng.randrange(6)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
@pytest.mark.parametrize("bucket", [1, 40, 1 << 16])
def test_ranks(draw: Draw, count: int, bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "BUCKET", bucket)
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    ids = [draw(rng) for _ in range(count)]
    expected = sorted(set(ids))
    text, offsets, found = ranks.rank_ids(pa.array(ids, pa.large_binary()), 2)
    assert text.tobytes() == b"".join(expected), f"seed {seed}"
    bounds = offsets.tolist()
    assert bounds[0] == 0
    assert [b - a for a, b in pairwise(bounds)] == list(map(len, expected))
    assert [expected[rank] for rank in found.tolist()] == ids
