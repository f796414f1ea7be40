"""Pages of leaves (transcript.md 5): their argument, and the opening of one leaf.

The names are those of transcript.md. As in `argument.py`, points that are not sent are kept as
linear combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spec.reference.argument import (
    Combination,
    all_infinite,
    eq,
    eq_table,
    lagrange,
    parse,
    powers_of_two,
    scale,
)
from spec.reference.errors import Rejected
from spec.reference.group import N, Point, V, decode
from spec.reference.transcript import Transcript, generator, tagged_hash, u32, u64

WIDTH = 64  # bits of an amount
SLOTS = 16  # amounts of a vector
PAGE_SIZES = (16, 256, 4096)
NODE_HEIGHT = 6  # at most, of the nodes in a page's entries
OPENING_LENGTH = 33 + 32 * SLOTS


@dataclass(frozen=True)
class Shape:
    """The sizes of 5.1 and of a page's entries (protocol.md 2.3), functions of the page size."""

    m: int

    @property
    def mu(self) -> int:
        return self.m.bit_length() - 1

    @property
    def nu(self) -> int:
        return self.mu + WIDTH.bit_length() - 1

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
    def vectors(self) -> int:
        return self.m // SLOTS

    @property
    def height(self) -> int:
        return min(NODE_HEIGHT, self.mu)

    @property
    def nodes(self) -> int:
        return self.m >> self.height

    @property
    def entries_length(self) -> int:
        return 32 * self.nodes + 33 + 33 * self.vectors

    @property
    def points(self) -> int:
        return self.rows + 3 * self.nu + 7

    @property
    def length(self) -> int:
        """The argument's length in bytes."""
        return 33 * self.points + 32 * (self.columns + SLOTS + 5)

    def encode(self) -> bytes:
        """Item 5 of the transcript."""
        numbers = (self.m, WIDTH, SLOTS, self.nu, self.mu, self.rows, self.columns)
        return b"".join(map(u32, numbers))


@dataclass(frozen=True)
class Entries:
    """What the entries of a page of leaves say."""

    nodes: list[bytes]
    C: Point
    U: list[Point]


def read_entries(m: int, data: bytes) -> Entries:
    """The entries region of a page of m leaves; ValueError where C or a vector is no point."""
    shape = Shape(m)
    end = 32 * shape.nodes
    nodes = [data[at : at + 32] for at in range(0, end, 32)]
    C, *U = [decode(data[at : at + 33]) for at in range(end, shape.entries_length, 33)]
    return Entries(nodes, C, U)


def equations(
    state: bytes, m: int, data: bytes, entries: Entries, argument: bytes, where: str
) -> list[Combination]:
    """The five equations of 5.3, each as right side minus left side: all must be infinity."""
    shape = Shape(m)
    points, scalars = parse(shape.length, shape.points, argument, where)
    nu, mu, S = shape.nu, shape.mu, shape.columns
    rounds_at = shape.rows
    end = rounds_at + 3 * nu
    D = points[:rounds_at]
    Y, Y2, T_bar, Y_bar, Y2_bar, Delta_bar, U_bar = points[end:]
    z, y = scalars[:S], scalars[S : S + SLOTS]
    u_T, u_Y, u_2, u_Delta, u_U = scalars[S + SLOTS :]

    transcript = Transcript(state)
    transcript.absorb("shape", shape.encode())
    transcript.absorb("entries", data)
    transcript.absorb("rows", argument[: 33 * rounds_at])
    tau = [transcript.challenge("tau") for _ in range(nu)]
    sigma = [transcript.challenge("sigma") for _ in range(mu)]
    kappa = transcript.challenge("kappa")
    omega = transcript.challenge("omega")

    # Steps 1 and 2: the claims, the coefficient a of f, and the point x that the rounds bind.
    K: Combination = [(omega, entries.C)]
    a = kappa
    x: list[int] = []
    for j in range(1, nu + 1):
        first = rounds_at + 3 * (j - 1)
        p0, p2, p3 = points[first : first + 3]
        transcript.absorb("round", u32(j) + argument[33 * first : 33 * (first + 3)])
        x.append(transcript.challenge("x"))
        l0, l1, l2, l3 = lagrange(x[-1])
        # [p_j(1)] = K - [p_j(0)], so its share of [p_j(0)] is -l1.
        K = [*scale(l1, K), (l0 - l1, p0), (l2, p2), (l3, p3)]
        a = a * l1 % N

    # Step 3.
    log_b = nu - mu
    e_star = eq(tau, x)
    w_star = powers_of_two(x[:log_b]) * (kappa * eq(sigma, x[log_b:]) + omega) % N
    Delta: Combination = [*K, (-e_star, Y2), (e_star - w_star, Y)]

    # Step 4.
    P = eq_table(x[: shape.c])
    L = eq_table(x[shape.c :])
    T: Combination = list(zip(L, D, strict=True))

    # Step 5.
    transcript.absorb("announcements", argument[33 * end : 33 * shape.points])
    e = transcript.challenge("e")
    low, high = eq_table(sigma[:4]), eq_table(sigma[4:])
    d = sum(z_j * P_j for z_j, P_j in zip(z, P, strict=True)) % N
    f = sum(y_t * low_t for y_t, low_t in zip(y, low, strict=True)) % N
    folded: Combination = list(zip(high, entries.U, strict=True))
    B = generator("B", 0)
    Q = [generator("Q", j) for j in range(S)]
    W = [generator("W", t) for t in range(SLOTS)]
    return [
        [(1, T_bar), *scale(e, T), (-u_T, B), *scale(-1, list(zip(z, Q, strict=True)))],
        [(1, Y_bar), (e, Y), (-d, V), (-u_Y, B)],
        [(1, Y2_bar), (e, Y2), (-d, Y), (-u_2, B)],
        [(1, Delta_bar), *scale(e, Delta), (a * f, V), (-u_Delta, B)],
        [(1, U_bar), *scale(e, folded), (-u_U, B), *scale(-1, list(zip(y, W, strict=True)))],
    ]


def verify_leaves(
    state: bytes, m: int, data: bytes, entries: Entries, argument: bytes, *, where: str = "argument"
) -> None:
    """Check the argument of a page of leaves; `state` is the transcript's after item 4, kind
    `leaves`, and `data` the entries region, whose points are those of `entries`.

    Raises Rejected with argument.bad-length, bad-point, bad-scalar or rejected.
    """
    if not all_infinite(equations(state, m, data, entries, argument, where)):
        raise Rejected("argument.rejected", where, "an equation does not hold")


def climb(leaf: int, identity: bytes, siblings: Sequence[bytes]) -> tuple[int, bytes]:
    """The number of the node that a path from a leaf of a page ends at, and what it must be."""
    for sibling in siblings:
        pair = sibling + identity if leaf & 1 else identity + sibling
        identity = tagged_hash("identity-node", pair)
        leaf >>= 1
    return leaf, identity


def verify_opening(
    state: bytes,
    page_id: bytes,
    leaf: int,
    amount: int,
    identity: bytes,
    U_b: Point,
    opening: bytes,
    *,
    where: str = "opening",
) -> None:
    """Check that the page's vector has the amount at the leaf; `leaf` is its number in the page.

    `state` is the transcript's after item 4, kind `opening`; `U_b` is the leaf's vector.
    Raises Rejected with opening.bad-length, bad-point, bad-scalar or inclusion.wrong-amount.
    """
    if len(opening) != OPENING_LENGTH:
        raise Rejected("opening.bad-length", where, f"not {OPENING_LENGTH} bytes")
    try:
        R = decode(opening[:33])
    except ValueError as error:
        raise Rejected("opening.bad-point", where, str(error)) from None
    scalars = [int.from_bytes(opening[at : at + 32], "big") for at in range(33, len(opening), 32)]
    if any(scalar >= N for scalar in scalars):
        raise Rejected("opening.bad-scalar", where, "a scalar is not below the group order")
    transcript = Transcript(state)
    transcript.absorb("opening", page_id + u32(leaf) + u64(amount) + identity)
    transcript.absorb("announcement", opening[:33])
    c = transcript.challenge("c")
    W = [generator("W", t) for t in range(SLOTS)]
    own = W.pop(leaf % SLOTS)
    *mates, z_B = scalars
    equation: Combination = [(1, R), (c, U_b), (-c * amount, own), (-z_B, generator("B", 0))]
    equation += scale(-1, list(zip(mates, W, strict=True)))
    if not all_infinite([equation]):
        raise Rejected("inclusion.wrong-amount", where, "the opening does not hold")
