"""One argument by itself, as solvency has it (spec/transcript.md, section 4).

All functions release the interpreter lock. Their time depends on the data. Points are 33 bytes,
scalars and keys 32.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from native import buffers
from native._core import lib
from native.errors import CODES, Rejected, require

if TYPE_CHECKING:
    from typing_extensions import Buffer

POINT = 33
SCALAR = 32
WEIGHTS = 4
VALUES_MAX = 64
WIDTHS = (64, 128)


def range_length(m: int, b: int) -> int:
    """Return the bytes of an argument for ``m`` values of ``b`` bits.

    Raises:
        ValueError: ``b`` is neither 64 nor 128, or ``m`` not 1 to 64.
    """
    if not 1 <= m <= VALUES_MAX or b not in WIDTHS:
        raise ValueError(f"no argument has {m} values of {b} bits")
    return int(lib.assay_range_length(m, b))


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
    b/8 big-endian bytes each. A commitment of 33 zero bytes is infinity. What is returned was
    checked by the verifier's rules.

    Raises:
        Damaged: the argument does not hold.
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
        os.urandom(32 * WEIGHTS),
        buffers.tables(),
        buffers.scratch(lib.assay_range_prove_scratch_size(m, b)),
    )
    require(status)
    return bytes(argument)


def range_verify(state: Buffer, b: int, commitments: Buffer, argument: Buffer) -> None:
    """Check an argument; ``state`` and ``commitments`` as for `range_prove`.

    ``argument`` is untrusted and of any length.

    Raises:
        Rejected: ``argument.bad-length``, ``bad-point``, ``bad-scalar`` or ``rejected``.
        ValueError: a commitment is no point, or a length other than the argument's is wrong.
    """
    m = buffers.byte_length(commitments) // POINT
    range_length(m, b)
    status = lib.assay_range_verify_var(
        buffers.items(state, 32, "state"),
        buffers.items(commitments, m * POINT, "commitments"),
        m,
        b,
        *buffers.whole(argument, "argument"),
        os.urandom(32 * WEIGHTS),
        buffers.bases(),
        buffers.scratch(lib.assay_range_verify_scratch_size(m, b)),
    )
    if status in CODES:
        raise Rejected(CODES[status])
    require(status)
