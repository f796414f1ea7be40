"""Proving and checking: one argument by itself, and whole pages (spec/transcript.md, wire.md 5).

All functions release the interpreter lock. Their time depends on the data. Points are 33 bytes,
scalars, ids and keys 32; u64 arrays are in native byte order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

POINT = 33
SCALAR = 32
ENTRIES_MAX = 1024

CODES = {
    lib.ASSAY_BAD_HEADER: "page.bad-header",
    lib.ASSAY_BAD_ENTRY: "page.bad-point",
    lib.ASSAY_BAD_LENGTH: "argument.bad-length",
    lib.ASSAY_BAD_ARGUMENT_POINT: "argument.bad-point",
    lib.ASSAY_BAD_ARGUMENT_SCALAR: "argument.bad-scalar",
    lib.ASSAY_REJECTED: "argument.rejected",
    lib.ASSAY_INFINITE_SUM: "page.infinite-sum",
}
_MISUSES = {
    lib.ASSAY_BAD_COUNT: "a count or width is out of range",
    lib.ASSAY_BAD_SCALAR: "a blinding factor is not below the group order",
    lib.ASSAY_BAD_POINT: "a commitment is not a point",
    lib.ASSAY_BAD_OPENING: "a commitment is not that to its value and blinding factor",
    lib.ASSAY_TOO_LARGE: "the values of a page add up to 2^64 or more",
}


class Rejected(Exception):
    """An argument was refused; ``code`` is the row of spec/errors.md."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PageRejected(Rejected):
    """A page was refused; ``index`` is its index in its level."""

    def __init__(self, index: int, code: str) -> None:
        super().__init__(code)
        self.index = index


def _misuse(status: int) -> Exception:
    if status in _MISUSES:
        return ValueError(_MISUSES[status])
    return ArithmeticError("a proof met an infinite point")  # probability about 2^-256


def range_length(m: int, b: int) -> int:
    """Return the bytes of an argument for ``m`` values of ``b`` bits.

    Raises:
        ValueError: ``b`` is neither 64 nor 128, or ``m·b`` is zero or needs more than 2^16 bits.
    """
    length = int(lib.assay_range_length(m, b)) if m > 0 and b > 0 else 0
    if length == 0:
        raise ValueError(f"no argument has {m} values of {b} bits")
    return length


def range_prove(
    state: Buffer,
    b: int,
    values: Buffer,
    blindings: Buffer,
    commitments: Buffer,
    secret: Buffer,
    salt: Buffer,
) -> bytes:
    """Return the argument that ``commitments`` hold values below 2^b.

    ``state`` is that of the transcript before item 5; nothing is absorbed as item 6. Values are
    b/8 big-endian bytes each. A commitment of 33 zero bytes is infinity.

    Raises:
        ValueError: a length is wrong, or a commitment does not open.
    """
    m = buffers.byte_length(commitments) // POINT
    argument = bytearray(range_length(m, b))
    status = lib.assay_range_prove_var(
        buffers.out(argument),
        buffers.items(state, 32, "state"),
        buffers.record(
            "assay_range_witness",
            values=buffers.items(values, m * b // 8, "values"),
            blindings=buffers.items(blindings, m * SCALAR, "blindings"),
            commitments=buffers.items(commitments, m * POINT, "commitments"),
            m=m,
            b=b,
        ),
        buffers.items(secret, 32, "secret"),
        buffers.items(salt, 32, "salt"),
        buffers.tables(),
        buffers.scratch(lib.assay_range_prove_scratch_size(m, b)),
    )
    if status != lib.ASSAY_OK:
        raise _misuse(status)
    return bytes(argument)


def range_verify(
    state: Buffer, b: int, commitments: Buffer, argument: Buffer, seed: Buffer
) -> None:
    """Check an argument; ``state`` and ``commitments`` as for `range_prove`.

    ``argument`` is untrusted and of any length; ``seed`` is 32 bytes of the system's random
    source, drawn when the argument was at hand.

    Raises:
        Rejected: ``argument.bad-length``, ``bad-point``, ``bad-scalar`` or ``rejected``.
        ValueError: a commitment is no point, or a length other than the argument's is wrong.
    """
    m = buffers.byte_length(commitments) // POINT
    range_length(m, b)
    length = buffers.byte_length(argument)
    status = lib.assay_range_verify_var(
        buffers.items(state, 32, "state"),
        buffers.items(commitments, m * POINT, "commitments"),
        m,
        b,
        buffers.items(argument, length, "argument"),
        length,
        buffers.items(seed, 32, "seed"),
        buffers.tables(),
        buffers.scratch(lib.assay_range_verify_scratch_size(m, b)),
    )
    if status in CODES:
        raise Rejected(CODES[status])
    if status != lib.ASSAY_OK:
        raise _misuse(status)


def page_length(level: int, count: int) -> int:
    """Return the bytes of a page of ``count`` entries, 1 to 1024, of ``level``."""
    if level < 0 or not 1 <= count <= ENTRIES_MAX:
        raise ValueError(f"no page of level {level} has {count} entries")
    return int(lib.assay_page_length(level, count))


def _place(
    asset_state: Buffer, level: int, levels: int, first_index: int, capacity: int, page_size: int
) -> Any:
    if not 1 <= page_size <= ENTRIES_MAX:
        raise ValueError(f"a page has 1 to {ENTRIES_MAX} entries, not {page_size}")
    place: Any = ffi.new("assay_page_place *")
    ffi.memmove(place.asset_state, buffers.items(asset_state, 32, "asset_state"), 32)
    place.level, place.levels = level, levels
    place.first_index, place.capacity, place.page_size = first_index, capacity, page_size
    return place


def pages_prove(
    asset_state: Buffer,
    level: int,
    levels: int,
    first_index: int,
    capacity: int,
    page_size: int,
    values: Buffer,
    blindings: Buffer,
    child_ids: Buffer,
    secret: Buffer,
    salt: Buffer,
) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Prove consecutive pages of one level, all full but perhaps the last.

    ``asset_state`` is that of the transcript after item 3; ``values`` the u64 values of all
    entries; ``child_ids`` an id an entry above level 0, else empty.

    Returns:
        Pages; their ids; their sums (points); what each sum opens to: u64 values, scalars.

    Raises:
        ValueError: a length is wrong, a blinding factor is not below the group order, or the values
            of a page add up to 2^64 or more.
    """
    place = _place(asset_state, level, levels, first_index, capacity, page_size)
    n = buffers.byte_length(values) // 8
    full, rest = divmod(n, page_size)
    count = full + (rest > 0)
    length = full * page_length(level, page_size) + (page_length(level, rest) if rest else 0)
    pages, sum_values = bytearray(length), bytearray(8 * count)
    ids, sums, sum_blindings = bytearray(32 * count), bytearray(33 * count), bytearray(32 * count)
    status = lib.assay_pages_prove_var(
        buffers.record(
            "assay_proved_pages",
            pages=buffers.out(pages),
            ids=buffers.out(ids),
            sums=buffers.out(sums),
            sum_values=buffers.out(sum_values, "uint64_t"),
            sum_blindings=buffers.out(sum_blindings),
        ),
        place,
        buffers.record(
            "assay_page_entries",
            values=buffers.items(values, n, "values", "uint64_t"),
            blindings=buffers.items(blindings, n * SCALAR, "blindings"),
            child_ids=buffers.items(child_ids, n * 32 if level else 0, "child_ids"),
            n=n,
        ),
        buffers.items(secret, 32, "secret"),
        buffers.items(salt, 32, "salt"),
        buffers.tables(),
        buffers.scratch(lib.assay_pages_prove_scratch_size(page_size)),
    )
    if status != lib.ASSAY_OK:
        raise _misuse(status)
    return bytes(pages), bytes(ids), bytes(sums), bytes(sum_values), bytes(sum_blindings)


def pages_verify(
    asset_state: Buffer,
    level: int,
    levels: int,
    first_index: int,
    capacity: int,
    page_size: int,
    count_last: int,
    pages: Buffer,
    seed: Buffer,
) -> tuple[bytes, bytes]:
    """Check consecutive pages of one level by themselves; return their ids and their sums.

    All have ``page_size`` entries but the last, which has ``count_last``. ``pages`` is untrusted
    but of the length that follows; ``seed`` as for `range_verify`. What a page above level 0
    says of its children is the caller's to compare.

    Raises:
        PageRejected: the first fault of the lowest page that has one: ``page.bad-header``,
            ``page.bad-point``, ``argument.bad-point``, ``argument.bad-scalar``,
            ``argument.rejected``, ``page.infinite-sum``.
        ValueError: a length is wrong.
    """
    place = _place(asset_state, level, levels, first_index, capacity, page_size)
    last = page_length(level, count_last)
    before, rest = divmod(buffers.byte_length(pages) - last, page_length(level, page_size))
    if before < 0 or rest or count_last > page_size:
        raise ValueError("pages: not the length of whole pages")
    count = before + 1
    ids, sums, bad = bytearray(32 * count), bytearray(33 * count), ffi.new("size_t *")
    status = lib.assay_pages_verify_var(
        buffers.out(ids),
        buffers.out(sums),
        bad,
        place,
        buffers.items(pages, buffers.byte_length(pages), "pages"),
        count,
        count_last,
        buffers.items(seed, 32, "seed"),
        buffers.tables(),
        buffers.scratch(lib.assay_pages_verify_scratch_size(page_size)),
    )
    if status in CODES:
        raise PageRejected(first_index + bad[0], CODES[status])
    if status != lib.ASSAY_OK:
        raise _misuse(status)
    return bytes(ids), bytes(sums)
