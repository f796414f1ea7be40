"""Who the accounts are and how many parts each has, in digests of whole blocks of accounts.

What a package shows of an account the pages bear out. That there is no more to show, no page can
say: with its number of parts known, as many true ones are all. Beside the parts stand

- ``held``: u16, one an account: how many parts it has, in all assets together. No package of
  2^23 bytes has room for 2^16;
- ``blocks``: 32 bytes, one for every `BLOCK` accounts: the SHA-256 of their offsets, ids, keys and
  ``held``.

Hashing a block takes a time that depends on the lengths of ids, and not on what anybody holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from prover.errors import Damaged
from prover.files.columns import U16, U32, U64, Bytes, map_items, map_rows
from prover.liabilities.leaves import Accounts

# Small enough to be hashed for one package, large enough for all digests to be read for one.
BLOCK: Final = 1024

DIGESTS: Final = "blocks"
_HELD: Final = "held"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The accounts of a snapshot, the number of parts of each, and the digests of their blocks."""

    folder: Path
    accounts: Accounts
    held: U16
    digests: Bytes

    @classmethod
    def load(cls, folder: Path, accounts: Accounts) -> Blocks:
        """Map what `write_blocks` wrote.

        Raises:
            Damaged: it is not of so many accounts.
        """
        count = len(accounts)
        return cls(
            folder,
            accounts,
            map_items(folder / _HELD, np.uint16, count),
            map_rows(folder / DIGESTS, -(-count // BLOCK)),
        )

    def held_by(self, start: int, stop: int) -> U16:
        """Return how many parts the accounts from ``start`` to ``stop - 1`` have.

        Raises:
            Damaged: these numbers, or the accounts' ids or keys, are not what was written.
        """
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            if _digest(self.accounts, self.held, block) != self.digests[block].tobytes():
                raise Damaged(
                    f"{self.folder / _HELD}, or keys, ids or their offsets in the ledger: damaged "
                    f"at accounts {block * BLOCK:,} to {(block + 1) * BLOCK - 1:,}"
                )
        return self.held[start:stop]


def count_held(accounts: int, assets: Iterable[tuple[U32, U64]]) -> U16:
    """Return how many parts each account has, given each asset's holders, and where in all parts
    of the asset those of each begin.
    """
    held = np.zeros(accounts, np.uint16)
    for holders, first in assets:
        held[holders] += np.diff(first).astype(np.uint16)
    return held


def write_blocks(folder: Path, accounts: Accounts, held: U16) -> None:
    """Write how many parts each account has, and the digests of all blocks."""
    (folder / _HELD).write_bytes(held.data)
    with (folder / DIGESTS).open("wb") as file:
        blocks = range(-(-len(accounts) // BLOCK))
        file.writelines(_digest(accounts, held, block) for block in blocks)


def _digest(accounts: Accounts, held: U16, block: int) -> bytes:
    own = slice(block * BLOCK, (block + 1) * BLOCK)
    offsets = accounts.offsets[own.start : own.stop + 1]
    digest = sha256(offsets.data)
    digest.update(accounts.ids[int(offsets[0]) : int(offsets[-1])].data)
    digest.update(accounts.keys[own].reshape(-1).data)
    digest.update(held[own].data)
    return digest.digest()
