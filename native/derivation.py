"""What the prover derives from its keys, over whole columns (spec/protocol.md 2.2 and 2.4).

Ids are one buffer of UTF-8 with ``n + 1`` u64 offsets into it. Keys, blocks and blinding factors
are 32 bytes each. All functions release the interpreter lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from native import buffers
from native._core import lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY = 32


def _require(status: int, what: str) -> None:
    if status != lib.ASSAY_OK:
        raise ValueError(what)


def account_keys(snapshot_key: Buffer, ids: Buffer, offsets: Buffer) -> bytes:
    """Return the key of every account.

    Raises:
        ValueError: a length is wrong, or the offsets descend or leave the ids.
    """
    n = buffers.byte_length(offsets) // 8 - 1
    keys, length = bytearray(KEY * max(n, 0)), buffers.byte_length(ids)
    status = lib.assay_account_keys(
        buffers.out(keys),
        buffers.items(snapshot_key, KEY, "snapshot_key"),
        buffers.items(ids, length, "ids"),
        length,
        buffers.items(offsets, n + 1, "offsets", "uint64_t"),
        n,
    )
    _require(status, "the offsets are not those of the ids")
    return bytes(keys)


def split(
    account_keys: Buffer, balances: Buffer, code: bytes, least: int, most: int
) -> tuple[bytes, bytes]:
    """Split u64 balances into parts, ``least`` to ``most`` of each where the balance allows it.

    Returns:
        The u32 number of parts of every account, zero for a zero balance; the u64 parts.

    Raises:
        ValueError: a length is wrong, or not 1 <= least <= most.
    """
    n = buffers.byte_length(balances) // 8
    inputs = (
        buffers.items(account_keys, KEY * n, "account_keys"),
        buffers.items(balances, n, "balances", "uint64_t"),
        n,
        code,
        len(code),
        least,
        most,
    )
    counts = bytearray(4 * n)
    made = buffers.out(counts, "uint32_t")
    _require(lib.assay_split_counts(made, *inputs), "not 1 <= least <= most")
    amounts = bytearray(8 * sum(memoryview(counts).cast("I")))
    _require(
        lib.assay_split_amounts(buffers.out(amounts, "uint64_t"), made, *inputs),
        "the balances changed meanwhile",
    )
    return bytes(counts), bytes(amounts)


def blindings(
    account_keys: Buffer, ids: Buffer, offsets: Buffer, context: Buffer, code: bytes, counts: Buffer
) -> bytes:
    """Return the blinding factors of all leaves, ``counts`` (u32) of every account, part by part.

    Raises:
        ValueError: a length is wrong, or the offsets descend or leave the ids.
    """
    n, length = buffers.byte_length(counts) // 4, buffers.byte_length(ids)
    parts = buffers.items(counts, n, "counts", "uint32_t")
    factors = bytearray(KEY * sum(memoryview(counts).cast("B").cast("I")))
    status = lib.assay_leaf_blindings(
        buffers.out(factors),
        buffers.items(account_keys, KEY * n, "account_keys"),
        buffers.items(ids, length, "ids"),
        length,
        buffers.items(offsets, n + 1, "offsets", "uint64_t"),
        parts,
        n,
        buffers.items(context, 32, "context"),
        code,
        len(code),
    )
    _require(status, "the offsets are not those of the ids")
    return bytes(factors)


def stream(key: Buffer, first_block: int, blocks: int) -> bytes:
    """Return ``blocks`` blocks of the stream under ``key``."""
    made = bytearray(KEY * blocks)
    lib.assay_stream_blocks(buffers.out(made), buffers.items(key, KEY, "key"), first_block, blocks)
    return bytes(made)


def padding_blindings(key: Buffer, first: int, n: int) -> bytes:
    """Return the blinding factors of padding leaves ``first`` to ``first + n - 1``."""
    made = bytearray(KEY * n)
    lib.assay_padding_blindings(buffers.out(made), buffers.items(key, KEY, "key"), first, n)
    return bytes(made)
