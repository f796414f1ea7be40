"""What the prover derives from its keys, over whole columns (spec/protocol.md 2.2 and 2.4).

Ids are one buffer of UTF-8 with ``n + 1`` u64 offsets into it. Keys, blocks and identities are
32 bytes each. All functions release the interpreter lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY = 32
LEAVES_MAX = 1 << 30
GROUP_BITS_MAX = 20
PARTS_MAX = (1 << 32) - 1

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
    n = max(buffers.byte_length(offsets) // 8 - 1, 0)
    keys = bytearray(KEY * n)
    status = lib.assay_account_keys(
        buffers.out(keys),
        buffers.items(snapshot_key, KEY, "snapshot_key"),
        *buffers.whole(ids, "ids"),
        buffers.items(offsets, n + 1, "offsets", "uint64_t"),
        n,
    )
    _require(status, "the offsets are not those of the ids")
    return bytes(keys)


def split(
    account_keys: Buffer, balances: Buffer, code: Buffer, least: int, most: int
) -> tuple[bytes, bytes]:
    """Split u64 balances into parts, ``least`` to ``most`` of each where the balance allows it.

    Returns:
        The u32 number of parts of every account, zero for a zero balance; the u64 parts.

    Raises:
        ValueError: a length is wrong, or not 1 <= least <= most < 2^32.
    """
    if not 1 <= least <= most <= PARTS_MAX:
        raise ValueError(f"not 1 <= least <= most < 2^32: {least}, {most}")
    n = buffers.byte_length(balances) // 8
    keys = buffers.items(account_keys, KEY * n, "account_keys")
    units = buffers.items(balances, n, "balances", "uint64_t")
    counts = bytearray(4 * n)
    made = buffers.out(counts, "uint32_t")
    # Where the room is not enough for all, in several calls; where it is not for one, in more room.
    room = min(most, _PARTS_EACH) * n
    amounts: list[memoryview] = []
    start = 0
    while start < n:
        memory = bytearray(8 * room)
        parts = buffers.record(
            "assay_parts",
            counts=made + start,
            amounts=buffers.out(memory, "uint64_t"),
            room=room,
        )
        lib.assay_split(
            parts,
            keys + KEY * start,
            units + start,
            n - start,
            *buffers.whole(code, "code"),
            least,
            most,
        )
        amounts.append(memoryview(memory)[: 8 * parts.made])
        start += parts.accounts
        if parts.accounts == 0:
            room *= 2
    return bytes(counts), b"".join(amounts)


def sort_keys(key: Buffer, first: int, n: int, bits: int) -> tuple[bytes, bytes]:
    """Return what orders the leaves ``first`` to ``first + n - 1``: the u64 of the stream of each.

    They are sorted by their top ``bits`` bits, their *group*, and in a group stand in the leaves'
    order.

    Returns:
        The u64 sort keys, and the u32 number of each group.

    Raises:
        ValueError: a tree has no such leaves, ``bits`` is above 20, or the key's length is wrong.
    """
    _require_leaves(first + n)
    _require_bits(bits)
    keys, counts = bytearray(8 * n), bytearray(4 << bits)
    lib.assay_sort_keys(
        buffers.out(keys, "uint64_t"),
        buffers.out(counts, "uint32_t"),
        buffers.items(key, KEY, "key"),
        first,
        n,
        bits,
        buffers.scratch(lib.assay_sort_keys_scratch_size(n, bits)),
    )
    return bytes(keys), bytes(counts)


def rank(keys: Buffer, bits: int, base: int) -> bytearray:
    """Return the u32 rank of each of the u64 sort keys of a group, from ``base`` on; of equal ones
    the first is before the others.

    Raises:
        ValueError: the length is wrong, a tree has no such leaves, or ``bits`` is above 20.
    """
    n = buffers.byte_length(keys) // 8
    _require_leaves(base + n)
    _require_bits(bits)
    ranks = bytearray(4 * n)
    lib.assay_rank(
        buffers.out(ranks, "uint32_t"),
        buffers.items(keys, n, "keys", "uint64_t"),
        n,
        bits,
        base,
        buffers.scratch(lib.assay_rank_scratch_size(n)),
    )
    return ranks


def take_ranks(key: Buffer, first: int, bits: int, ranks: Buffer, counts: Buffer) -> bytearray:
    """Return the u32 position of each of the leaves from ``first`` on, given the ranks of what
    `sort_keys` made of them, and its counts.

    Raises:
        ValueError: a length is wrong, or the counts are not those of these leaves.
    """
    n = buffers.byte_length(ranks) // 4
    _require_leaves(first + n)
    _require_bits(bits)
    positions = bytearray(4 * n)
    status = lib.assay_take_ranks(
        buffers.out(positions, "uint32_t"),
        buffers.items(key, KEY, "key"),
        first,
        n,
        bits,
        buffers.items(ranks, n, "ranks", "uint32_t"),
        buffers.items(counts, 1 << bits, "counts", "uint32_t"),
        buffers.scratch(lib.assay_take_ranks_scratch_size(bits)),
    )
    _require(status, "the counts are not those of these leaves")
    return positions


def sort_positions(positions: Buffer, band_bits: int, bands: int) -> tuple[bytes, bytes, bytes]:
    """Sort leaves by the band of ``2**band_bits`` leaves that each stands in, stably.

    Returns:
        u32 columns: where among the sorted each leaf comes to stand; by that, where in its band
        each belongs; the number of each band.

    Raises:
        ValueError: a length is wrong, or a position is behind the last band.
    """
    n = buffers.byte_length(positions) // 4
    if not 0 <= band_bits < 32 or not 0 <= bands <= LEAVES_MAX:
        raise ValueError(f"no tree has {bands} bands of 2^{band_bits} leaves")
    slots, places, counts = bytearray(4 * n), bytearray(4 * n), bytearray(4 * bands)
    status = lib.assay_sort_positions(
        buffers.out(slots, "uint32_t"),
        buffers.out(places, "uint32_t"),
        buffers.out(counts, "uint32_t"),
        buffers.items(positions, n, "positions", "uint32_t"),
        n,
        band_bits,
        bands,
        buffers.scratch(lib.assay_sort_positions_scratch_size(bands)),
    )
    _require(status, "a position is behind the last band")
    return bytes(slots), bytes(places), bytes(counts)


def _require_leaves(end: int) -> None:
    if not 0 <= end <= LEAVES_MAX:
        raise ValueError(f"no tree has {end} leaves")


def _require_bits(bits: int) -> None:
    if not 0 <= bits <= GROUP_BITS_MAX:
        raise ValueError(f"no groups of {bits} bits")


def place_leaves(
    values: Buffer,
    identities: Buffer,
    places: Buffer,
    amounts: Buffer,
    first: Buffer,
    holders: Buffer,
    account_keys: Buffer,
    ids: Buffer,
    offsets: Buffer,
    context: Buffer,
    code: Buffer,
) -> None:
    """Write the leaves of some accounts: to ``values`` (u64) and ``identities``, at ``places``.

    ``places`` (u32) and ``amounts`` (u64) have an item a part; the account of number holders[i]
    (u32) has those from first[i] - first[0] up to first[i + 1] - first[0] (u64).

    Raises:
        ValueError: a length is wrong, ``first`` descends or does not end at the parts, a holder
            is no account, its offsets descend or leave the ids, or there is no such place.
    """
    n, length = buffers.byte_length(offsets) // 8 - 1, buffers.byte_length(ids)
    held = buffers.byte_length(holders) // 4
    parts = buffers.byte_length(places) // 4
    status = lib.assay_place_leaves(
        _leaves(values, identities),
        buffers.record(
            "assay_placed_parts",
            places=buffers.items(places, parts, "places", "uint32_t"),
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
        *buffers.whole(code, "code"),
    )
    _require(status, "places, first, the holders or the offsets are not those of the parts or ids")


def place_padding(identities: Buffer, places: Buffer, key: Buffer, first: int) -> None:
    """Write the identities of padding leaves, numbers ``first`` on, at ``places`` (u32).

    Raises:
        ValueError: a length is wrong, or there is no such place.
    """
    n, length = buffers.byte_length(places) // 4, buffers.byte_length(identities) // KEY
    status = lib.assay_place_padding(
        buffers.filled(identities, KEY * length, "identities"),
        length,
        buffers.items(places, n, "places", "uint32_t"),
        buffers.items(key, KEY, "key"),
        first,
        n,
    )
    _require(status, "a place is behind the last one")


def gather_leaves(
    values: Buffer, identities: Buffer, places: Buffer, amounts: Buffer, made: Buffer
) -> None:
    """Copy amounts (u64) and identities that were made to their ``places`` (u32).

    Raises:
        ValueError: a length is wrong, or there is no such place.
    """
    n = buffers.byte_length(places) // 4
    status = lib.assay_gather_leaves(
        _leaves(values, identities),
        buffers.items(places, n, "places", "uint32_t"),
        buffers.items(amounts, n, "amounts", "uint64_t"),
        buffers.items(made, KEY * n, "made"),
        n,
    )
    _require(status, "a place is behind the last one")


def _leaves(values: Buffer, identities: Buffer) -> Any:
    """Return the core's record of room for leaves."""
    length = buffers.byte_length(values) // 8
    return buffers.record(
        "assay_leaves",
        values=buffers.filled(values, length, "values", "uint64_t"),
        identities=buffers.filled(identities, KEY * length, "identities"),
        length=length,
    )


def stream(key: Buffer, first_block: int, blocks: int) -> bytes:
    """Return ``blocks`` blocks of the stream under ``key``."""
    made = bytearray(KEY * blocks)
    lib.assay_stream_blocks(buffers.out(made), buffers.items(key, KEY, "key"), first_block, blocks)
    return bytes(made)
