"""The largest package, found before anything is proved."""

from __future__ import annotations

import re

import numpy as np
import pytest

from prover.errors import ProverError
from prover.snapshot.sizes import check_packages
from verifier.format import wire
from verifier.format.params import MAX_PACKAGE_BYTES, OPENING_BYTES, TreeShape

LARGE = TreeShape(1, 4096)


def columns(parts: list[int], shape: TreeShape = LARGE) -> tuple[np.ndarray, np.ndarray, TreeShape]:
    """Return an asset whose i-th account has so many parts."""
    counts = np.array(parts, np.uint64)
    holders = np.flatnonzero(counts).astype(np.uint32)
    return holders, np.cumsum([0, *counts[holders].tolist()]).astype(np.uint64), shape


def package(parts: int, assets: int) -> bytes:
    """Return the largest package of so many parts, spread over so many assets."""
    part = wire.Part(2**64 - 1, 2**30 - 1, bytes(OPENING_BYTES), 127, bytes(192))
    each = [parts // assets + (at < parts % assets) for at in range(assets)]
    body = wire.PackageBody(
        account_id="a" * 128,
        account_key=bytes(32),
        assets=tuple(
            wire.PackageAsset(f"{at:016}", (part,) * count) for at, count in enumerate(each)
        ),
        manifest=bytes(32),
        version=1,
    )
    return wire.write_record(wire.Package(wire.write_record(body), b"", bytes(64)))


@pytest.mark.parametrize("assets", [1, 200])
def test_what_passes_is_no_larger_than_readers_take(assets: int) -> None:
    def passes(parts: int) -> bool:
        each = [parts // assets + (at < parts % assets) for at in range(assets)]
        try:
            check_packages(3, [columns([1, count, 0]) for count in each])
        except ProverError:
            return False
        return True

    most = max(parts for parts in range(10_000, 10_800) if passes(parts))
    size = len(package(most, assets))
    assert size <= MAX_PACKAGE_BYTES
    # The bound wastes no more than a few parts.
    assert size > MAX_PACKAGE_BYTES - 10_000
    assert 10_600 < most < 10_646
    assert not passes(most + 1)


def test_a_package_that_is_too_large_is_refused_with_the_split_that_fits() -> None:
    held = [[1, 64, 3]] * 170 + [[1, 0, 3]] * 30
    with pytest.raises(ProverError, match="the largest package has 10,880 parts") as refused:
        check_packages(3, [columns(parts) for parts in held])
    found = re.search(r"a split of at most (\d+) parts", str(refused.value))
    assert found is not None
    fitting = int(found[1])
    assert fitting == 53  # of the account that holds 200 assets
    check_packages(3, [columns([min(parts, fitting) for parts in each]) for each in held])


def test_parts_of_small_pages_are_shorter() -> None:
    held = [64] * 170
    with pytest.raises(ProverError, match="parts"):
        check_packages(1, [columns([parts]) for parts in held])
    check_packages(1, [columns([parts], TreeShape(4, 16)) for parts in held])


def test_many_holders_of_a_little_are_no_large_package() -> None:
    """No account is as large as the largest holders of every asset together."""
    accounts = 170
    held = [[64 if at == asset else 1 for at in range(accounts)] for asset in range(accounts)]
    check_packages(accounts, [columns(parts) for parts in held])


def test_nobody_holds_anything() -> None:
    check_packages(0, [columns([])])
