"""What the prover derives from its keys, over whole columns (spec/protocol.md 2.2 and 2.4).

Ids are one buffer of UTF-8 with ``n + 1`` u64 offsets into it. Keys, blocks and identities are
32 bytes each. All functions release the interpreter lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from native import buffers
from native._core import lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY = 32
LEAVES_MAX = 1 << 30

# Parts of an account that a split has room for at first.
_PARTS_EACH = 8


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
    keys = buffers.items(account_keys, KEY * n, "account_keys")
    units = buffers.items(balances, n, "balances", "uint64_t")
    counts = bytearray(4 * n)
    made = buffers.out(counts, "uint32_t")
    # Room for one account's parts at least; where that is not enough for all, in several calls.
    room = max(most, min(most, _PARTS_EACH) * n, 0)
    amounts: list[memoryview] = []
    start = 0
    while start < n or not amounts:
        memory = bytearray(8 * room)
        parts = buffers.record(
            "assay_parts",
            counts=made + start,
            amounts=buffers.out(memory, "uint64_t"),
            room=room,
        )
        status = lib.assay_split(
            parts,
            keys + KEY * start,
            units + start,
            n - start,
            code,
            len(code),
            least,
            most,
        )
        _require(status, "not 1 <= least <= most")
        amounts.append(memoryview(memory)[: 8 * parts.made])
        start += parts.accounts
    return bytes(counts), b"".join(amounts)


def order(key: Buffer, n: int) -> bytearray:
    """Return the u32 position of each of ``n`` leaves: ascending by (u64 of the stream, number).

    Raises:
        ValueError: ``n`` is above 2^30, or the key's length is wrong.
    """
    if not 0 <= n <= LEAVES_MAX:
        raise ValueError(f"no tree has {n} leaves")
    positions = bytearray(4 * n)
    lib.assay_order(
        buffers.out(positions, "uint32_t"),
        buffers.items(key, KEY, "key"),
        n,
        buffers.scratch(lib.assay_order_scratch_size(n)),
    )
    return positions


def place_leaves(
    values: Buffer,
    identities: Buffer,
    begin: int,
    positions: Buffer,
    amounts: Buffer,
    first: Buffer,
    holders: Buffer,
    account_keys: Buffer,
    ids: Buffer,
    offsets: Buffer,
    context: Buffer,
    code: bytes,
) -> None:
    """Write those leaves of some accounts that stand in the band that begins at leaf ``begin``.

    The band is ``values`` (u64) and ``identities``; leaf p goes to p - begin. ``positions`` (u32)
    and ``amounts`` (u64) have an item a part; the account of number holders[i] (u32) has those from
    first[i] - first[0] up to first[i + 1] - first[0] (u64).

    Raises:
        ValueError: a length is wrong, ``first`` descends or does not end at the parts, or a holder
            is no account, or its offsets descend or leave the ids.
    """
    n, length = buffers.byte_length(offsets) // 8 - 1, buffers.byte_length(ids)
    held = buffers.byte_length(holders) // 4
    parts = buffers.byte_length(positions) // 4
    band = buffers.byte_length(values) // 8
    status = lib.assay_place_leaves(
        buffers.record(
            "assay_band",
            values=buffers.filled(values, band, "values", "uint64_t"),
            identities=buffers.filled(identities, KEY * band, "identities"),
            begin=begin,
            length=band,
        ),
        buffers.record(
            "assay_placed_parts",
            positions=buffers.items(positions, parts, "positions", "uint32_t"),
            accounts=buffers.items(holders, held, "holders", "uint32_t"),
            amounts=buffers.items(amounts, parts, "amounts", "uint64_t"),
            first=buffers.items(first, held + 1, "first", "uint64_t"),
            count=parts,
            holders=held,
        ),
        buffers.record(
            "assay_accounts",
            keys=buffers.items(account_keys, KEY * n, "account_keys"),
            ids=buffers.items(ids, length, "ids"),
            offsets=buffers.items(offsets, n + 1, "offsets", "uint64_t"),
            ids_length=length,
            n=n,
        ),
        buffers.items(context, 32, "context"),
        code,
        len(code),
    )
    _require(status, "first, the holders or the offsets are not those of the parts or ids")


def place_padding(
    identities: Buffer, begin: int, positions: Buffer, key: Buffer, first: int
) -> None:
    """Write those padding leaves, numbers ``first`` on, that stand in a band; see `place_leaves`.

    Raises:
        ValueError: a length is wrong.
    """
    n, band = buffers.byte_length(positions) // 4, buffers.byte_length(identities) // KEY
    lib.assay_place_padding(
        buffers.filled(identities, KEY * band, "identities"),
        begin,
        band,
        buffers.items(positions, n, "positions", "uint32_t"),
        buffers.items(key, KEY, "key"),
        first,
        n,
    )


def stream(key: Buffer, first_block: int, blocks: int) -> bytes:
    """Return ``blocks`` blocks of the stream under ``key``."""
    made = bytearray(KEY * blocks)
    lib.assay_stream_blocks(buffers.out(made), buffers.items(key, KEY, "key"), first_block, blocks)
    return bytes(made)
