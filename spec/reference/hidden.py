"""Hidden keys (transcript.md 6): a commitment to what the prover's keys of a public list hold.

The names are those of transcript.md. As in `argument.py`, points that are not sent are kept as
linear combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spec.reference.argument import Combination, all_infinite, eq, eq_table, lagrange, parse, scale
from spec.reference.errors import Rejected
from spec.reference.group import N, Point, V, encode, multi_multiply
from spec.reference.transcript import Transcript, generator, lp, tagged_hash, u32, u64

MAX_KEYS = 1 << 20


@dataclass(frozen=True)
class Shape:
    """The sizes of 6.2, all functions of K."""

    k: int

    @property
    def nu(self) -> int:
        return (self.k - 1).bit_length()

    @property
    def points(self) -> int:
        return 3 * self.nu + 8

    @property
    def length(self) -> int:
        """The argument's length in bytes."""
        return 33 * self.points + 32 * (self.k + 5)

    def encode(self) -> bytes:
        """Item 5 of the transcript."""
        return b"".join(map(u32, (self.k, 1, self.nu, self.nu, 1, 1 << self.nu)))


def statement(
    chain: str,
    contract: str,
    height: int,
    block_hash: bytes,
    scripts: Sequence[str],
    keys: Sequence[Point],
    amounts: Sequence[int],
    commitment: Point,
) -> bytes:
    """Item 4 of the transcript; amounts in ledger units."""
    listed = b"".join(map(encode, keys))
    counted = b"".join(amount.to_bytes(16, "big") for amount in amounts)
    return b"".join(
        (
            lp(chain),
            lp(contract),
            u64(height),
            block_hash,
            u32(len(keys)),
            u32(len(scripts)),
            *map(lp, scripts),
            tagged_hash("hidden-keys", listed),
            tagged_hash("hidden-amounts", counted),
            encode(commitment),
        )
    )


def equations(
    state: bytes,
    keys: Sequence[Point],
    amounts: Sequence[int],
    commitment: Point,
    argument: bytes,
    where: str,
) -> list[Combination]:
    """The five equations of 6.4, each as right side minus left side: all must be infinity.

    `state` is the transcript's after item 4.
    """
    shape = Shape(len(keys))
    points, scalars = parse(shape.length, shape.points, argument, where)
    split = 33 * shape.points
    D = points[0]
    Y, Y2, T_bar, Y_bar, Y2_bar, Delta_bar, A_bar = points[-7:]
    z, (u_T, u_Y, u_2, u_Delta, X) = scalars[: shape.k], scalars[shape.k :]

    transcript = Transcript(state)
    transcript.absorb("shape", shape.encode())
    transcript.absorb("rows", argument[:33])
    tau = [transcript.challenge("tau") for _ in range(shape.nu)]
    kappa = transcript.challenge("kappa")
    rho = transcript.challenge("rho")
    claim: Combination = [(kappa, commitment)]
    x: list[int] = []
    for j in range(1, shape.nu + 1):
        p0, p2, p3 = points[3 * j - 2 : 3 * j + 1]
        transcript.absorb("round", u32(j) + argument[33 * (3 * j - 2) : 33 * (3 * j + 1)])
        x.append(transcript.challenge("x"))
        l0, l1, l2, l3 = lagrange(x[-1])
        claim = [*scale(l1, claim), (l0 - l1, p0), (l2, p2), (l3, p3)]
    transcript.absorb("announcements", argument[split - 33 * 7 : split])
    e = transcript.challenge("e")

    P = eq_table(x)[: shape.k]
    e_star = eq(tau, x)
    w_star = sum(a * P_j for a, P_j in zip(amounts, P, strict=True)) % N
    d = sum(z_j * P_j for z_j, P_j in zip(z, P, strict=True)) % N
    Delta: Combination = [*claim, (-e_star, Y2), (e_star - kappa * w_star, Y)]
    B = generator("B", 0)
    Q = [generator("Q", j) for j in range(shape.k)]
    owned = [
        (z_i * pow(rho, i + 1, N) % N, y) for i, (z_i, y) in enumerate(zip(z, keys, strict=True))
    ]
    return [
        [(1, T_bar), (e, D), (-u_T, B), *scale(-1, list(zip(z, Q, strict=True)))],
        [(1, Y_bar), (e, Y), (-d, V), (-u_Y, B)],
        [(1, Y2_bar), (e, Y2), (-d, Y), (-u_2, B)],
        [(1, Delta_bar), *scale(e, Delta), (-u_Delta, B)],
        [(1, A_bar), (X, V), *scale(-1, owned)],
    ]


def verify_hidden(
    state: bytes,
    keys: Sequence[Point],
    amounts: Sequence[int],
    commitment: Point,
    argument: bytes,
    *,
    where: str = "argument",
    separately: bool = False,
) -> None:
    """Check one argument over hidden keys; the equations as one sum, or each by itself.

    Raises Rejected with argument.bad-length, bad-point, bad-scalar or rejected.
    """
    if not 1 <= len(keys) == len(amounts) <= MAX_KEYS:
        raise ValueError("1 to 2^20 keys and as many amounts are needed")
    five = equations(state, keys, amounts, commitment, argument, where)
    if separately:
        accepted = all(multi_multiply(equation) is None for equation in five)
    else:
        accepted = all_infinite(five)
    if not accepted:
        raise Rejected("argument.rejected", where, "an equation does not hold")
