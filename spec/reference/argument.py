"""The argument of sums and of solvency (transcript.md 4): every committed value is below 2^b.

Points that the prover does not send (K_j, Δ, T) are kept as linear combinations of those it sent,
so that each equation of 4.4 is one sum of multiples. The names are those of transcript.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from spec.reference.errors import Rejected
from spec.reference.group import N, Point, V, decode, multi_multiply
from spec.reference.transcript import Transcript, generator, u32

Combination = list[tuple[int, Point]]  # Σ scalar·point


@dataclass(frozen=True)
class Shape:
    """The sizes of 4.1, all functions of (m, b)."""

    m: int
    b: int

    @property
    def mu(self) -> int:
        return (self.m - 1).bit_length()

    @property
    def nu(self) -> int:
        return self.mu + self.b.bit_length() - 1

    @property
    def c(self) -> int:
        return (self.nu + 1) // 2

    @property
    def columns(self) -> int:
        return 1 << self.c

    @property
    def rows(self) -> int:
        return 1 << (self.nu - self.c)

    @property
    def points(self) -> int:
        return self.rows + 3 * self.nu + 6

    @property
    def length(self) -> int:
        """The argument's length in bytes."""
        return 33 * self.points + 32 * (self.columns + 4)

    def encode(self) -> bytes:
        """Item 5 of the transcript."""
        numbers = (self.m, self.b, self.nu, self.mu, self.rows, self.columns)
        return b"".join(map(u32, numbers))


def eq_table(coordinates: Sequence[int]) -> list[int]:
    """eq(coordinates, i) for every i, bit t of i being coordinate t."""
    table = [1]
    for a in coordinates:
        table = [v * (1 - a) % N for v in table] + [v * a % N for v in table]
    return table


def eq(a: Sequence[int], x: Sequence[int]) -> int:
    product = 1
    for s, t in zip(a, x, strict=True):
        product = product * (s * t + (1 - s) * (1 - t)) % N
    return product


def lagrange(x: int) -> list[int]:
    """The Lagrange basis on 0, 1, 2, 3 at x."""
    basis = []
    for t in range(4):
        above = below = 1
        for other in range(4):
            if other != t:
                above = above * (x - other) % N
                below = below * (t - other) % N
        basis.append(above * pow(below, -1, N) % N)
    return basis


def powers_of_two(coordinates: Sequence[int]) -> int:
    """Π (1 + x_t·(2^(2^t) - 1)), which is 2^k where the coordinates are the bits of k."""
    product = 1
    for t, x in enumerate(coordinates):
        product = product * (1 + x * ((1 << (1 << t)) - 1)) % N
    return product


def scale(factor: int, combination: Combination) -> Combination:
    return [(factor * scalar % N, point) for scalar, point in combination]


def all_infinite(equations: Sequence[Combination]) -> bool:
    """Whether all sums are infinity, seen as one sum under weights drawn now (4.4, batches).

    All bytes are fixed by now. Many points stand in several equations: their multiples are added
    before the costly sum.
    """
    merged: dict[Point, int] = {}
    for equation in equations:
        for scalar, point in scale(secrets.randbits(256), equation):
            merged[point] = merged.get(point, 0) + scalar
    return multi_multiply((scalar, point) for point, scalar in merged.items()) is None


def parse(length: int, count: int, argument: bytes, where: str) -> tuple[list[Point], list[int]]:
    """The points and scalars of an argument of `length` bytes and `count` points (4.1)."""
    if len(argument) != length:
        raise Rejected("argument.bad-length", where, f"not {length} bytes")
    split = 33 * count
    try:
        points = [decode(argument[i : i + 33]) for i in range(0, split, 33)]
    except ValueError as error:
        raise Rejected("argument.bad-point", where, str(error)) from None
    scalars = [int.from_bytes(argument[i : i + 32], "big") for i in range(split, len(argument), 32)]
    if any(scalar >= N for scalar in scalars):
        raise Rejected("argument.bad-scalar", where, "a scalar is not below the group order")
    return points, scalars


def equations(
    state: bytes, shape: Shape, commitments: Sequence[Point], argument: bytes, where: str
) -> list[Combination]:
    """The four equations of 4.4, each as right side minus left side: all four must be infinity."""
    points, scalars = parse(shape.length, shape.points, argument, where)
    nu, mu, log_b = shape.nu, shape.mu, shape.nu - shape.mu
    rounds_at = shape.rows
    end = rounds_at + 3 * nu
    D = points[:rounds_at]
    Y, Y2, T_bar, Y_bar, Y2_bar, Delta_bar = points[end:]
    *z, u_T, u_Y, u_2, u_Delta = scalars

    transcript = Transcript(state)
    transcript.absorb("rows", argument[: 33 * rounds_at])
    tau = [transcript.challenge("tau") for _ in range(nu)]
    sigma = [transcript.challenge("sigma") for _ in range(mu)]
    kappa = transcript.challenge("kappa")

    # Steps 1 and 2: the claims K_0 ... K_nu, and the point x that the rounds bind.
    weights = eq_table(sigma)
    K: Combination = [(kappa * weights[i] % N, C) for i, C in enumerate(commitments)]
    x: list[int] = []
    for j in range(1, nu + 1):
        first = rounds_at + 3 * (j - 1)
        p0, p2, p3 = points[first : first + 3]
        transcript.absorb("round", u32(j) + argument[33 * first : 33 * (first + 3)])
        x.append(transcript.challenge("x"))
        l0, l1, l2, l3 = lagrange(x[-1])
        # [p_j(1)] = K - [p_j(0)], so its share of [p_j(0)] is -l1.
        K = [*scale(l1, K), (l0 - l1, p0), (l2, p2), (l3, p3)]

    # Step 3.
    e_star = eq(tau, x)
    w_star = eq(sigma, x[log_b:]) * powers_of_two(x[:log_b]) % N
    Delta: Combination = [*K, (-e_star, Y2), (e_star - kappa * w_star, Y)]

    # Step 4.
    P = eq_table(x[: shape.c])
    L = eq_table(x[shape.c :])
    T: Combination = list(zip(L, D, strict=True))

    # Step 5.
    transcript.absorb("announcements", argument[33 * end : 33 * shape.points])
    e = transcript.challenge("e")
    d = sum(z_j * P_j for z_j, P_j in zip(z, P, strict=True)) % N
    B = generator("B", 0)
    Q = [generator("Q", j) for j in range(shape.columns)]
    return [
        [(1, T_bar), *scale(e, T), (-u_T, B), *scale(-1, list(zip(z, Q, strict=True)))],
        [(1, Y_bar), (e, Y), (-d, V), (-u_Y, B)],
        [(1, Y2_bar), (e, Y2), (-d, Y), (-u_2, B)],
        [(1, Delta_bar), *scale(e, Delta), (-u_Delta, B)],
    ]


def verify_argument(
    state: bytes,
    b: int,
    commitments: Sequence[Point],
    argument: bytes,
    *,
    where: str = "argument",
    separately: bool = False,
) -> None:
    """Check one argument over the commitments, 1 to 2^16 of them, some of which may be infinity.

    `state` is the transcript's before the item `rows`. The four equations are checked as one, under
    random weights drawn now, when all bytes are fixed; or `separately`, which draws nothing.

    Raises Rejected with argument.bad-length, bad-point, bad-scalar or rejected.
    """
    shape = Shape(len(commitments), b)
    if len(state) != 32 or b not in (64, 128) or not 1 <= shape.m <= 1 << 16:
        raise ValueError("a 32-byte state, b of 64 or 128 and 1 to 2^16 commitments are needed")
    four = equations(state, shape, commitments, argument, where)
    if separately:
        accepted = all(multi_multiply(equation) is None for equation in four)
    else:
        accepted = all_infinite(four)
    if not accepted:
        raise Rejected("argument.rejected", where, "an equation does not hold")
