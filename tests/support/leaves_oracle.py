"""Pages of leaves, slowly and plainly: identities, entries, the argument, openings.

A model beside `oracle`, with which it shares group, transcript and sum-check algebra, and no code
with the core; the nonces are the specified ones, so the core must give the same bytes. A *bend*
lets a prover lie at one stage and be honest otherwise (spec/protocol.md 2, transcript.md 5).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gmpy2 import mpz

from tests.support import oracle
from tests.support.oracle import B, N, Point, Transcript, V, encode, eq, generator, lp, mul, u

SLOTS = 16
HEIGHT = 6
Bend = Callable[[str, "LeavesProver"], None]


def w_generators() -> list[Point]:
    """Return W_0 … W_15."""
    return [generator(b"W", t) for t in range(SLOTS)]


def q_generators(count: int) -> list[Point]:
    """Return Q_0 …"""
    return [generator(b"Q", j) for j in range(count)]


def inner(a: Sequence[int], b: Sequence[int]) -> mpz:
    """Return Σ a_i·b_i mod n."""
    return sum((mpz(x) * y for x, y in zip(a, b, strict=True)), mpz(0)) % N


def eq_table(point: Sequence[int]) -> list[mpz]:
    """Return eq(point, i) for all i, coordinate 0 being i's lowest bit."""
    table = [mpz(1)]
    for x in reversed(point):
        table = [value for t in table for value in (t * (1 - x) % N, t * x % N)]
    return table


def nonces(secret: bytes, message: bytes) -> Iterator[mpz]:
    """Yield the scalars under a key."""
    key, k = hmac.digest(secret, message, "sha256"), 0
    while True:
        wide = b"".join(oracle.tagged("stream", key + u(8, 2 * k + half)) for half in (0, 1))
        yield mpz(int.from_bytes(wide, "big")) % N
        k += 1


# --- tree and identities ---


@dataclass(frozen=True)
class TreeModel:
    """What a statement about a page of leaves says."""

    context: bytes
    asset: bytes
    capacity: int
    page_size: int

    @property
    def levels(self) -> int:
        """Return the number of levels."""
        pages, levels = self.capacity, 1
        while pages > 1:
            pages, levels = -(-pages // 64), levels + 1
        return levels

    @property
    def height(self) -> int:
        """Return the siblings of a path."""
        return min(HEIGHT, self.page_size.bit_length() - 1)

    def begin(self, kind: str, level: int, index: int) -> Transcript:
        """Return the transcript after item 4."""
        version = 0 if kind in ("entries", "opening") else 1
        transcript = Transcript()
        transcript.absorb(
            "argument",
            u(2, 1)
            + u(2, version)
            + lp(b"secp256k1")
            + lp(b"assay/v1/generator")
            + lp(kind.encode()),
        )
        transcript.absorb("context", self.context)
        transcript.absorb("asset", self.asset)
        place = u(1, level) + u(1, self.levels) + u(4, index)
        transcript.absorb("statement", place + u(4, self.capacity) + u(4, self.page_size))
        return transcript

    def header(self, level: int, index: int, count: int) -> bytes:
        """Return the header of a page."""
        return b"ASPG" + u(2, 1) + u(1, level) + u(4, index) + u(4, count)


def node(left: bytes, right: bytes) -> bytes:
    """Return the node over two identities or nodes."""
    return oracle.tagged("identity-node", left + right)


def rows_above(identities: Sequence[bytes], height: int) -> list[list[bytes]]:
    """Return the rows of a tree from the identities up to a height."""
    rows = [list(identities)]
    for _ in range(height):
        below = rows[-1]
        rows.append([node(*pair) for pair in zip(below[::2], below[1::2], strict=True)])
    return rows


def path(identities: Sequence[bytes], height: int, leaf: int) -> bytes:
    """Return the siblings of a leaf, from it up."""
    rows = rows_above(identities, height)
    return b"".join(rows[t][leaf >> t ^ 1] for t in range(height))


# --- shape ---


@dataclass(frozen=True)
class LeavesShape:
    """Section 5.1."""

    m: int

    @property
    def mu(self) -> int:
        """Return the coordinates of a leaf's number."""
        return self.m.bit_length() - 1

    @property
    def nu(self) -> int:
        """Return all coordinates."""
        return self.mu + 6

    @property
    def c(self) -> int:
        """Return the coordinates of a column."""
        return (self.nu + 1) // 2

    @property
    def columns(self) -> int:
        """Return S."""
        return 1 << self.c

    @property
    def rows(self) -> int:
        """Return R."""
        return 1 << (self.nu - self.c)

    @property
    def vectors(self) -> int:
        """Return G."""
        return self.m // SLOTS

    @property
    def point_count(self) -> int:
        """Return the points of an argument."""
        return self.rows + 3 * self.nu + 7

    @property
    def length(self) -> int:
        """Return the bytes of an argument."""
        return 33 * self.point_count + 32 * (self.columns + 21)

    def absorb(self, transcript: Transcript) -> None:
        """Absorb item 5."""
        numbers = (self.m, 64, SLOTS, self.nu, self.mu, self.rows, self.columns)
        transcript.absorb("shape", b"".join(u(4, number) for number in numbers))


def weight(sigma: Sequence[int], kappa: int, omega: int, x: Sequence[int]) -> mpz:
    """Return pow(x)·(κ·eq(σ, …) + ω)."""
    product = (kappa * eq(sigma, x[6:]) + omega) % N
    for t in range(6):
        product = product * (1 + x[t] * (2 ** (2**t) - 1)) % N
    return product


# --- prover ---


class LeavesProver:
    """A page of leaves and its argument; every field may be bent between two stages.

    Stages: ``witness``, ``blindings``, ``points``, ``claim``, ``round`` (each), ``final``,
    ``announce``, ``responses``.
    """

    def __init__(
        self,
        tree: TreeModel,
        index: int,
        amounts: Sequence[int],
        identities: Sequence[bytes],
        secrets: tuple[bytes, bytes],
        salt: bytes,
        bend: Bend = lambda stage, prover: None,
    ) -> None:
        self.tree, self.index, self.bend = tree, index, bend
        self.entries_secret, self.argument_secret = secrets
        self.salt = salt
        self.shape = LeavesShape(tree.page_size)
        self.amounts = list(amounts)
        self.nodes = b"".join(rows_above(identities, tree.height)[-1])
        self.digits = [mpz(v >> k & 1) for v in amounts for k in range(64)]
        self.vectors = [list(amounts[i : i + SLOTS]) for i in range(0, len(amounts), SLOTS)]
        self.total = sum(amounts)
        self.witness = oracle.tagged("witness", self.nodes + b"".join(u(8, v) for v in amounts))
        self.bend("witness", self)
        self.commit()

    def commit(self) -> None:
        """Make the entries."""
        state = self.tree.begin("entries", 0, self.index).state
        message = lp(b"assay/v1/entries-nonce") + state + self.witness + self.salt
        drawn = nonces(self.entries_secret, message)
        self.vector_blindings = [next(drawn) for _ in range(self.shape.vectors)]
        self.sum_blinding = next(drawn)
        self.bend("blindings", self)
        self.vector_points = [
            oracle.combine([*vector, rho], [*w_generators(), B])
            for vector, rho in zip(self.vectors, self.vector_blindings, strict=True)
        ]
        self.sum_point = oracle.commit(self.total, self.sum_blinding)
        self.bend("points", self)
        self.entries = (
            self.nodes + encode(self.sum_point) + b"".join(map(encode, self.vector_points))
        )
        self.page = self.tree.header(0, self.index, self.shape.m) + self.entries
        self.id = hashlib.sha256(self.page).digest()

    def begin(self) -> Transcript:
        """Return the transcript after item 6."""
        transcript = self.tree.begin("leaves", 0, self.index)
        self.shape.absorb(transcript)
        transcript.absorb("entries", self.entries)
        return transcript

    def keyed(self) -> Iterator[mpz]:
        """Yield the scalars under the key of the transcript's present state."""
        message = lp(b"assay/v1/leaves-nonce") + u(2, 1) + self.transcript.state
        return nonces(self.argument_secret, message + self.witness + self.salt)

    def argue(self) -> bytes:
        """Return the argument."""
        shape = self.shape
        self.transcript = self.begin()
        drawn = self.keyed()
        self.row_blindings = [next(drawn) for _ in range(shape.rows)]
        self.round_blindings = [[next(drawn) for _ in range(3)] for _ in range(shape.nu)]
        self.rho_y, self.rho_2 = next(drawn), next(drawn)
        columns = q_generators(shape.columns)
        self.row_points = [
            oracle.combine(
                [*self.digits[a * shape.columns : (a + 1) * shape.columns], s], [*columns, B]
            )
            for a, s in enumerate(self.row_blindings)
        ]
        self.bend("rows", self)
        self.proof = b"".join(map(encode, self.row_points))
        self.transcript.absorb("rows", self.proof)
        self.tau = [self.transcript.challenge("tau") for _ in range(shape.nu)]
        self.sigma = [self.transcript.challenge("sigma") for _ in range(shape.mu)]
        self.kappa = self.transcript.challenge("kappa")
        self.omega = self.transcript.challenge("omega")
        self.low, self.high = eq_table(self.sigma[:4]), eq_table(self.sigma[4:])
        self.y = [inner(self.high, [v[t] for v in self.vectors]) for t in range(SLOTS)]
        self.rounds()
        self.finish()
        return self.proof

    def rounds(self) -> None:
        """Run the sum-check."""
        powers = [mpz(2) ** k for k in range(64)]
        e_table = eq_table(self.tau)
        w_table = [
            (self.kappa * s + self.omega) * power % N
            for s in eq_table(self.sigma)
            for power in powers
        ]
        d_table = list(self.digits)
        self.claim = (self.kappa * inner(self.low, self.y) + self.omega * self.total) % N
        self.blind = self.omega * self.sum_blinding % N
        self.a = self.kappa
        self.x: list[mpz] = []
        self.bend("claim", self)
        for j, rho in enumerate(self.round_blindings, 1):
            self.round = j
            self.p = [oracle.Prover.evaluate(t, e_table, w_table, d_table) for t in (0, 2, 3)]
            self.bend("round", self)
            points = b"".join(map(encode, map(oracle.commit, self.p, rho)))
            self.proof += points
            self.transcript.absorb("round", u(4, j) + points)
            x = self.transcript.challenge("x")
            self.claim = oracle.fold(self.claim, iter(self.p), x)
            self.blind = oracle.fold(self.blind, iter(rho), x)
            self.a = self.a * oracle.lagrange(x)[1] % N
            e_table, w_table, d_table = (oracle.bind(f, x) for f in (e_table, w_table, d_table))
            self.x.append(x)
        self.e_star, self.w_star, self.d_star = e_table[0], w_table[0], d_table[0]

    def finish(self) -> None:
        """Send Y, Y2, the announcements and the responses."""
        shape, drawn = self.shape, self.keyed()
        self.z_masks = [next(drawn) for _ in range(shape.columns)]
        self.slot_masks = [next(drawn) for _ in range(SLOTS)]
        self.t_mask, self.y_mask, self.y2_mask, self.delta_mask, self.u_mask = (
            next(drawn) for _ in range(5)
        )
        right, left = eq_table(self.x[: shape.c]), eq_table(self.x[shape.c :])
        self.d_square = self.d_star**2 % N
        self.z = [inner(left, self.digits[j :: shape.columns]) for j in range(shape.columns)]
        self.bend("final", self)
        big_y = oracle.commit(self.d_star, self.rho_y)
        d_mask = inner(self.z_masks, right)
        self.announced: list[Point] = [
            big_y,
            oracle.commit(self.d_square, self.rho_2),
            oracle.combine([*self.z_masks, self.t_mask], [*q_generators(shape.columns), B]),
            oracle.commit(d_mask, self.y_mask),
            oracle.add(mul(d_mask, big_y), mul(self.y2_mask, B)),
            oracle.commit(-self.a * inner(self.low, self.slot_masks) % N, self.delta_mask),
            oracle.combine([*self.slot_masks, self.u_mask], [*w_generators(), B]),
        ]
        self.bend("announce", self)
        announcements = b"".join(map(encode, self.announced))
        self.transcript.absorb("announcements", announcements)
        e = self.e = self.transcript.challenge("e")
        delta = self.blind - self.e_star * self.rho_2 + (self.e_star - self.w_star) * self.rho_y
        self.responses = [m + e * z for m, z in zip(self.z_masks, self.z, strict=True)]
        self.responses += [m + e * y for m, y in zip(self.slot_masks, self.y, strict=True)]
        self.responses += [
            self.t_mask + e * inner(left, self.row_blindings),
            self.y_mask + e * self.rho_y,
            self.y2_mask + e * (self.rho_2 - self.d_star * self.rho_y),
            self.delta_mask + e * delta,
            self.u_mask + e * inner(self.high, self.vector_blindings),
        ]
        self.bend("responses", self)
        self.proof += announcements + b"".join(u(32, r % N) for r in self.responses)

    def open(self, leaf: int, identity: bytes, secret: bytes) -> bytes:
        """Return the opening of a leaf."""
        vector, slot = divmod(leaf, SLOTS)
        amounts, rho = self.vectors[vector], self.vector_blindings[vector]
        transcript = opening_transcript(
            self.tree, self.index, self.id, leaf, amounts[slot], identity
        )
        mates = [v for t, v in enumerate(amounts) if t != slot]
        hidden = oracle.tagged("witness", b"".join(u(8, v) for v in mates) + u(32, rho))
        message = lp(b"assay/v1/opening-nonce") + u(2, 0) + transcript.state + hidden + self.salt
        drawn = nonces(secret, message)
        masks = [next(drawn) for _ in range(SLOTS)]
        bases = [w for t, w in enumerate(w_generators()) if t != slot]
        announcement = encode(oracle.combine(masks, [*bases, B]))
        transcript.absorb("announcement", announcement)
        c = transcript.challenge("c")
        values = [*mates, rho]
        return announcement + b"".join(
            u(32, (m + c * v) % N) for m, v in zip(masks, values, strict=True)
        )


def opening_transcript(
    tree: TreeModel, index: int, page_id: bytes, leaf: int, amount: int, identity: bytes
) -> Transcript:
    """Return the transcript of an opening before its announcement."""
    transcript = tree.begin("opening", 0, index)
    transcript.absorb("opening", page_id + u(4, leaf) + u(8, amount) + identity)
    return transcript


# --- verifier ---


@dataclass(frozen=True)
class LeavesVerifier:
    """The five equations of section 5.3, one at a time."""

    tree: TreeModel
    index: int
    page: bytes
    argument: bytes

    @cached_property
    def shape(self) -> LeavesShape:
        """Return the page's shape."""
        return LeavesShape(self.tree.page_size)

    def failing(self) -> set[int]:
        """Return which equations fail; raise `oracle.Rejected` for what does not decode."""
        shape, nodes = self.shape, self.tree.page_size >> self.tree.height
        at = 15 + 32 * nodes
        big_c, *vectors = (
            oracle.decode(self.page[i : i + 33], "page.bad-point")
            for i in range(at, len(self.page), 33)
        )
        cut = 33 * shape.point_count
        points = [
            oracle.decode(self.argument[i : i + 33], "argument.bad-point")
            for i in range(0, cut, 33)
        ]
        scalars = [
            int.from_bytes(self.argument[i : i + 32], "big")
            for i in range(cut, len(self.argument), 32)
        ]
        if any(scalar >= N for scalar in scalars):
            raise oracle.Rejected("argument.bad-scalar")
        transcript = self.tree.begin("leaves", 0, self.index)
        shape.absorb(transcript)
        transcript.absorb("entries", self.page[15:])
        transcript.absorb("rows", self.argument[: 33 * shape.rows])
        tau = [transcript.challenge("tau") for _ in range(shape.nu)]
        sigma = [transcript.challenge("sigma") for _ in range(shape.mu)]
        kappa, omega = transcript.challenge("kappa"), transcript.challenge("omega")
        k_point, a, x = mul(omega, big_c), kappa, []
        for j in range(shape.nu):
            start = shape.rows + 3 * j
            transcript.absorb("round", u(4, j + 1) + self.argument[33 * start : 33 * (start + 3)])
            x.append(transcript.challenge("x"))
            at0, at2, at3 = points[start : start + 3]
            basis = oracle.lagrange(x[j])
            k_point = oracle.combine(basis, [at0, oracle.add(k_point, oracle.neg(at0)), at2, at3])
            a = a * basis[1] % N
        transcript.absorb("announcements", self.argument[cut - 33 * 7 : cut])
        e = transcript.challenge("e")
        y, y2, t_mask, y_mask, y2_mask, delta_mask, u_mask = points[-7:]
        z, slots = scalars[: shape.columns], scalars[shape.columns : shape.columns + SLOTS]
        u_t, u_y, u_2, u_delta, u_u = scalars[-5:]
        e_star, w_star = eq(tau, x), weight(sigma, kappa, omega, x)
        delta = oracle.combine([1, -e_star, e_star - w_star], [k_point, y2, y])
        d = inner(z, eq_table(x[: shape.c]))
        f = inner(slots, eq_table(sigma[:4]))
        rows = oracle.combine(eq_table(x[shape.c :]), points[: shape.rows])
        folded = oracle.combine(eq_table(sigma[4:]), vectors)
        sides = [
            (oracle.combine([*z, u_t], [*q_generators(shape.columns), B]), t_mask, rows),
            (oracle.commit(d, u_y), y_mask, y),
            (oracle.add(mul(d, y), mul(u_2, B)), y2_mask, y2),
            (oracle.combine([-a * f, u_delta], [V, B]), delta_mask, delta),
            (oracle.combine([*slots, u_u], [*w_generators(), B]), u_mask, folded),
        ]
        return {i for i, (s, b0, c) in enumerate(sides, 1) if s != oracle.add(b0, mul(e, c))}
