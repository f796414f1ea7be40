"""Whether everybody's package is one that readers take, known before anything is proved.

All sizes here are upper bounds, from the lengths of canonical msgpack (``spec/wire.md`` 6).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prover.errors import ProverError
from prover.files.columns import U32, U64
from verifier.format.params import MAX_PACKAGE_BYTES, OPENING_BYTES, TreeShape

# What a package has at most: in all, for each asset, and for each part beside opening and path.
_PACKAGE_BYTES = 512
_ASSET_BYTES = 33
_PART_BYTES = 51


def check_packages(accounts: int, assets: Sequence[tuple[U32, U64, TreeShape]]) -> None:
    """Check that no account's package is too large.

    ``assets`` has for each the numbers of its holders, where in all parts the parts of each begin,
    and the shape of its tree.

    Raises:
        ProverError: one is; the message says how many parts it has, and which split would do.
    """
    room = MAX_PACKAGE_BYTES - _PACKAGE_BYTES - _ASSET_BYTES * len(assets)
    counts = [np.diff(first) for _, first, _ in assets]
    most = sum(
        int(count.max(initial=0)) * _part_bytes(shape)
        for count, (_, _, shape) in zip(counts, assets, strict=True)
    )
    if most <= room:
        return
    sizes = np.zeros(accounts, np.uint64)
    for count, (holders, _, shape) in zip(counts, assets, strict=True):
        sizes[holders] += count * np.uint64(_part_bytes(shape))
    largest = int(np.argmax(sizes))
    if sizes[largest] <= room:
        return
    parts, unsplit = 0, np.zeros(accounts, np.uint64)
    for count, (holders, _, shape) in zip(counts, assets, strict=True):
        parts += int(count[holders == largest].sum())
        unsplit[holders] += np.uint64(_part_bytes(shape))
    fitting = room // int(unsplit.max())
    raise ProverError(
        f"the largest package has {parts:,} parts, too many for the {MAX_PACKAGE_BYTES:,} bytes "
        f"that readers take; a split of at most {fitting} parts a balance would fit. "
        "Begin anew in another folder"
    )


def _part_bytes(shape: TreeShape) -> int:
    return _PART_BYTES + OPENING_BYTES + shape.path_bytes
