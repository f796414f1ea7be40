"""The forger of pages of leaves and of openings: an honest prover that can be bent at every stage.

Written from spec/transcript.md 5; arithmetic on points is `native`'s. `Reader` is a verifier that
can be made weaker in one thing, so that a test can show what each thing is for.

Invariants: with no bend given, what comes out is accepted; nonces are those of the spec, so every
output is a function of its arguments.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from math import prod

import native
from tests.support.forge import (
    INFINITY,
    B,
    N,
    Opening,
    Transcript,
    V,
    combine,
    commit,
    dot,
    eq_table,
    fold,
    lagrange,
    lp,
    q,
    tagged,
    u,
)

SLOTS = 16
NAMES = ("Y", "Y2", "T̄", "Ȳ", "Ȳ2", "Δ̄", "Ū")
"""The announcements, in their order; the last five belong to the equations (1) to (5)."""


@cache
def w(slot: int) -> bytes:
    """The generator W_slot."""
    return bytes(native.generator(b"W", slot))


@dataclass(frozen=True)
class Shape:
    """Sizes of spec/transcript.md 5.1, functions of the page size."""

    m: int

    @property
    def mu(self) -> int:
        return self.m.bit_length() - 1

    @property
    def nu(self) -> int:
        return self.mu + 6

    @property
    def columns(self) -> int:
        return 1 << ((self.nu + 1) // 2)

    @property
    def rows(self) -> int:
        return 1 << (self.nu // 2)

    @property
    def vectors(self) -> int:
        return self.m // SLOTS

    @property
    def height(self) -> int:
        return min(6, self.mu)

    @property
    def points(self) -> int:
        return self.rows + 3 * self.nu + 7

    @property
    def entries_length(self) -> int:
        return 32 * (self.m >> self.height) + 33 + 33 * self.vectors

    @property
    def length(self) -> int:
        """Bytes of an argument."""
        return 33 * self.points + 32 * (self.columns + SLOTS + 5)

    def encode(self) -> bytes:
        numbers = (self.m, 64, SLOTS, self.nu, self.mu, self.rows, self.columns)
        return b"".join(u(number, 4) for number in numbers)


@dataclass(frozen=True)
class Place:
    """Where a page stands: what items 1 to 4 of its transcripts say."""

    context: bytes = hashlib.sha256(b"a context").digest()
    code: str = "BTC"
    decimals: int = 8
    units: bytes = hashlib.sha256(b"units").digest()
    level: int = 0
    levels: int = 2
    index: int = 1
    capacity: int = 3
    page_size: int = 16

    def items(self, kind: str) -> list[tuple[str, bytes]]:
        version = 0 if kind in ("entries", "opening") else 1
        first = u(1, 2) + u(version, 2) + lp(b"secp256k1") + lp(b"assay/v1/generator")
        numbers = u(self.level, 1) + u(self.levels, 1) + u(self.index, 4)
        return [
            ("argument", first + lp(kind.encode())),
            ("context", self.context),
            ("asset", lp(self.code.encode()) + u(self.decimals, 1) + self.units),
            ("statement", numbers + u(self.capacity, 4) + u(self.page_size, 4)),
        ]

    def state(self, kind: str, omit: frozenset[str] = frozenset()) -> bytes:
        return absorbed(self.items(kind), omit)

    def core(self) -> native.Tree:
        """The tree that it is in, for the core."""
        asset = self.items("leaves")[2][1]
        return native.Tree(self.context, asset, self.capacity, self.page_size)


def absorbed(items: Sequence[tuple[str, bytes]], omit: frozenset[str] = frozenset()) -> bytes:
    """The transcript's state after the given items."""
    transcript = Transcript(omit=omit)
    for label, data in items:
        transcript.absorb(label, data)
    return transcript.state


@dataclass(frozen=True)
class Keys:
    """The three secrets of protocol.md 2.4, and the salt."""

    entries: bytes = b"entries secret"
    argument: bytes = b"argument secret"
    opening: bytes = b"opening secret"
    salt: bytes = bytes(32)


class Scalars:
    """The scalars under a key, in order."""

    def __init__(self, secret: bytes, label: str, *message: bytes) -> None:
        whole = lp(b"assay/v1/" + label.encode()) + b"".join(message)
        self.key = hmac.digest(secret, whole, "sha256")
        self.count = 0

    def __call__(self) -> int:
        halves = [tagged("stream", self.key + u(2 * self.count + half, 8)) for half in (0, 1)]
        self.count += 1
        return int.from_bytes(b"".join(halves), "big") % N

    def many(self, count: int) -> list[int]:
        return [self() for _ in range(count)]


@dataclass(frozen=True)
class Weak:
    """What a reader leaves out, and the prover who knows it. The default is the standard.

    omit: labels of items, or names of points in one (C, U, a round as "round 3", those of `NAMES`),
        that are not absorbed.
    rule: "κ = 1", "ω = κ", or "eq = 1" (every leaf's eq(σ, i) is 1).
    without: equations that are not looked at.
    """

    omit: frozenset[str] = frozenset()
    rule: str = ""
    without: frozenset[int] = frozenset()


STRICT = Weak()


def omitting(*names: str) -> Weak:
    return Weak(omit=frozenset(names))


def without(*equations: int) -> Weak:
    return Weak(without=frozenset(equations))


class Challenges:
    """What is drawn after the rows, under a reader's rule."""

    def __init__(self, transcript: Transcript, shape: Shape, rule: str) -> None:
        self.tau = [transcript.challenge("tau") for _ in range(shape.nu)]
        self.sigma = [transcript.challenge("sigma") for _ in range(shape.mu)]
        self.kappa = transcript.challenge("kappa")
        self.omega = transcript.challenge("omega")
        if rule == "κ = 1":
            self.kappa = 1
        if rule == "ω = κ":
            self.omega = self.kappa
        self.low, self.high = eq_table(self.sigma[:4]), eq_table(self.sigma[4:])
        self.weights = eq_table(self.sigma)
        self.flat = rule == "eq = 1"
        if self.flat:
            self.low, self.high = [1] * len(self.low), [1] * len(self.high)
            self.weights = [1] * len(self.weights)

    def last(self, x: Sequence[int]) -> tuple[int, int]:
        """e* and w* at x."""
        eq = between(self.sigma, x[6:])
        power = prod(1 + x[t] * ((1 << (1 << t)) - 1) for t in range(6)) % N
        weight = power * (self.kappa * (1 if self.flat else eq) + self.omega) % N
        return between(self.tau, x), weight


def between(a: Sequence[int], x: Sequence[int]) -> int:
    """eq(a, x)."""
    return prod((s * t + (1 - s) * (1 - t)) % N for s, t in zip(a, x, strict=True)) % N


def absorb(transcript: Transcript, label: str, parts: Sequence[tuple[str, bytes]]) -> None:
    """One item, without the parts whose names are left out; without it all if none is left."""
    kept = [data for name, data in parts if name not in transcript.omit]
    if kept:
        transcript.absorb(label, b"".join(kept))


# --- identities ---


def next_level(nodes: Sequence[bytes]) -> list[bytes]:
    pairs = zip(nodes[::2], nodes[1::2], strict=True)
    return [tagged("identity-node", left + right) for left, right in pairs]


def nodes_of(identities: Sequence[bytes]) -> list[bytes]:
    """The nodes in a page's entries."""
    nodes = list(identities)
    for _ in range(Shape(len(identities)).height):
        nodes = next_level(nodes)
    return nodes


def path_of(identities: Sequence[bytes], leaf: int) -> list[bytes]:
    """The siblings of a leaf's path, from the leaf up."""
    siblings, nodes = [], list(identities)
    for _ in range(Shape(len(identities)).height):
        siblings.append(nodes[leaf ^ 1])
        nodes, leaf = next_level(nodes), leaf >> 1
    return siblings


# --- the prover ---


@dataclass(frozen=True)
class Bend:
    """How a page deviates from the honest one: functions that change the prover at its stages, and
    the reader that the prover believes to have. The default is honest.

    Stages: witness, entries, rows, chosen (the first challenges are known), folded, round (`p` of
    round `j`), message (its points), valued (what Y and Y2 open to), announced, responded.
    """

    stages: tuple[tuple[str, Callable[[Prover], None]], ...] = ()
    reader: Weak = STRICT


HONEST = Bend()


def bent(stages: Mapping[str, Callable[[Prover], None]], reader: Weak = STRICT) -> Bend:
    return Bend(tuple(stages.items()), reader)


@dataclass
class LeavesPage:
    """A page of leaves, and what its maker knows of it. `opening` is that of C."""

    page_size: int
    identities: list[bytes]
    values: list[int]
    rho: list[int]
    opening: Opening
    entries: bytes
    argument: bytes


class Prover:
    """One page. The names are those of spec/transcript.md 5."""

    def __init__(
        self,
        states: tuple[bytes, bytes],
        values: Sequence[int],
        identities: Sequence[bytes],
        keys: Keys,
        r: int | None,
        bend: Bend,
    ) -> None:
        self.shape = Shape(len(values))
        self.states, self.keys = states, keys
        self.values, self.identities = list(values), list(identities)
        self.digits = [value >> k & 1 for value in values for k in range(64)]
        self.total = sum(values)
        self.stages, self.reader = dict(bend.stages), bend.reader
        self.r = r

    def at(self, stage: str) -> None:
        if stage in self.stages:
            self.stages[stage](self)

    def prove(self) -> LeavesPage:
        self.at("witness")
        self.make_entries()
        self.make_rows()
        self.draw()
        self.run_rounds()
        self.finish()
        return LeavesPage(
            self.shape.m,
            self.identities,
            self.values,
            self.rho,
            (self.total, self.r or 0),
            self.entries,
            self.argument,
        )

    def make_entries(self) -> None:
        self.nodes = b"".join(nodes_of(self.identities))
        amounts = b"".join(u(value % 2**64, 8) for value in self.values)
        self.witness = tagged("witness", self.nodes + amounts)
        salt = self.keys.salt
        draw = Scalars(self.keys.entries, "entries-nonce", self.states[0], self.witness, salt)
        self.rho, r = draw.many(self.shape.vectors), draw()
        self.r = r if self.r is None else self.r
        self.commit_entries()
        self.at("entries")

    def commit_entries(self) -> None:
        """U and C of values and total; again, where these were chosen late."""
        W = [w(slot) for slot in range(SLOTS)]
        self.U = [
            combine([*zip(self.values[SLOTS * b :][:SLOTS], W, strict=True), (rho, B)])
            for b, rho in enumerate(self.rho)
        ]
        self.C = commit(self.total, self.r or 0)

    @property
    def entries(self) -> bytes:
        return self.nodes + self.C + b"".join(self.U)

    def make_rows(self) -> None:
        shape, reader = self.shape, self.reader
        self.transcript = Transcript(self.states[1], reader.omit)
        self.transcript.absorb("shape", shape.encode())
        parts = [("nodes", self.nodes), ("C", self.C), ("U", b"".join(self.U))]
        absorb(self.transcript, "entries", parts)
        draw = self.scalars()
        self.s = draw.many(shape.rows)
        self.rho_rounds = [draw.many(3) for _ in range(shape.nu)]
        self.rho_y, self.rho_2 = draw(), draw()
        self.commit_rows()
        self.at("rows")

    def scalars(self) -> Scalars:
        """Those under the key of the transcript's state."""
        message = u(1, 2), self.transcript.state, self.witness, self.keys.salt
        return Scalars(self.keys.argument, "leaves-nonce", *message)

    def commit_rows(self) -> None:
        columns = self.shape.columns
        Q = [q(j) for j in range(columns)]
        self.D = [
            combine([*zip(self.digits[columns * a : columns * (a + 1)], Q, strict=True), (s, B)])
            for a, s in enumerate(self.s)
        ]

    def draw(self) -> None:
        """The first challenges, and what follows from them."""
        self.transcript.absorb("rows", b"".join(self.D))
        self.challenges = Challenges(self.transcript, self.shape, self.reader.rule)
        self.at("chosen")
        vectors, high = range(self.shape.vectors), self.challenges.high
        self.y = [
            sum(high[b] * self.values[SLOTS * b + t] for b in vectors) % N for t in range(SLOTS)
        ]
        self.f = dot(self.challenges.low, self.y)
        self.at("folded")

    def run_rounds(self) -> None:
        """A false claim is carried along to the end."""
        kappa, omega = self.challenges.kappa, self.challenges.omega
        self.claim = (kappa * self.f + omega * self.total) % N
        self.blind = omega * (self.r or 0) % N
        self.a = kappa
        self.x: list[int] = []
        self.rounds: list[bytes] = []
        eqs, d = eq_table(self.challenges.tau), [digit % N for digit in self.digits]
        weights = [
            (kappa * weight + omega << k) % N
            for weight in self.challenges.weights
            for k in range(64)
        ]
        for j, rho in enumerate(self.rho_rounds):
            self.j = j
            self.tables = eqs, weights, d
            self.p = [round_value(*self.tables, t) for t in (0, 2, 3)]
            if f"round {self.j + 1}" in self.reader.omit:
                self.x.append(self.transcript.challenge("x"))
            self.at("round")
            self.message = [commit(value, r) for value, r in zip(self.p, rho, strict=True)]
            self.at("message")
            self.rounds += self.message
            if f"round {self.j + 1}" not in self.reader.omit:
                self.transcript.absorb("round", u(self.j + 1, 4) + b"".join(self.message))
                self.x.append(self.transcript.challenge("x"))
            basis = lagrange(self.x[-1])
            self.claim = dot(basis, [self.p[0], self.claim - self.p[0], *self.p[1:]])
            self.blind = dot(basis, [rho[0], self.blind - rho[0], *rho[1:]])
            self.a = self.a * basis[1] % N
            eqs, weights, d = (fold(table, self.x[-1]) for table in (eqs, weights, d))
        self.e_star, self.w_star, self.d_star = eqs[0], weights[0], d[0]

    def finish(self) -> None:
        shape, columns = self.shape, (self.shape.nu + 1) // 2
        self.P, self.L = eq_table(self.x[:columns]), eq_table(self.x[columns:])
        self.z = [dot(self.L, self.digits[j :: shape.columns]) for j in range(shape.columns)]
        self.y_value, self.y2_value = self.d_star, self.d_star**2 % N
        draw = self.scalars()
        z_bar, w_bar = draw.many(shape.columns), draw.many(SLOTS)
        t_bar, y_bar, y2_bar, delta_bar, u_bar = draw.many(5)
        self.at("valued")
        low, high, d_bar = self.challenges.low, self.challenges.high, dot(z_bar, self.P)
        Y, Y2 = commit(self.y_value, self.rho_y), commit(self.y2_value, self.rho_2)
        self.d_bar, self.f_bar = d_bar, dot(low, w_bar)
        self.announcements = [
            Y,
            Y2,
            combine([*((m, q(j)) for j, m in enumerate(z_bar)), (t_bar, B)]),
            commit(d_bar, y_bar),
            combine([(d_bar, Y), (y2_bar, B)]),
            commit(-self.a * self.f_bar, delta_bar),
            combine([*((m, w(t)) for t, m in enumerate(w_bar)), (u_bar, B)]),
        ]
        self.at("announced")
        parts = list(zip(NAMES, self.announcements, strict=True))
        absorb(self.transcript, "announcements", parts)
        self.e = e = self.transcript.challenge("e")
        left = self.blind - self.e_star * self.rho_2 + self.shift * self.rho_y
        self.responses = [
            *((mask + e * value) % N for mask, value in zip(z_bar, self.z, strict=True)),
            *((mask + e * value) % N for mask, value in zip(w_bar, self.y, strict=True)),
            (t_bar + e * dot(self.L, self.s)) % N,
            (y_bar + e * self.rho_y) % N,
            (y2_bar + e * (self.rho_2 - dot(self.z, self.P) * self.rho_y)) % N,
            (delta_bar + e * left) % N,
            (u_bar + e * dot(high, self.rho)) % N,
        ]
        self.at("responded")

    @property
    def shift(self) -> int:
        """e* - w*, the weight of Y in Δ."""
        return (self.e_star - self.w_star) % N

    @property
    def argument(self) -> bytes:
        points = self.D + self.rounds + self.announcements
        return b"".join(points) + b"".join(u(scalar, 32) for scalar in self.responses)

    def repair(self, equation: int) -> None:
        """Put what an equation is false by into its announcement, which e no longer sees."""
        reader = replace(self.reader, without=frozenset())
        found = Reader(self.shape.m, reader).residuals(self.states[1], self.entries, self.argument)
        wrong = [(1, self.announcements[equation + 1]), (-1, found[equation])]
        self.announcements[equation + 1] = combine(wrong)


def round_value(eqs: list[int], weights: list[int], d: list[int], t: int) -> int:
    """The round polynomial at t: the sum over the remaining cube of eq·(d² - d) + weight·d."""
    total = 0
    for i in range(0, len(d), 2):
        e, weight, bit = ((a[i] + t * (a[i + 1] - a[i])) for a in (eqs, weights, d))
        total += (e * (bit * bit - bit) + weight * bit) % N
    return total % N


@lru_cache(maxsize=1024)
def made(
    states: tuple[bytes, bytes],
    values: tuple[int, ...],
    identities: tuple[bytes, ...],
    keys: Keys,
    r: int | None,
    bend: Bend,
) -> LeavesPage:
    return Prover(states, values, identities, keys, r, bend).prove()


def prove_leaves(
    states: tuple[bytes, bytes],
    values: Sequence[int],
    identities: Sequence[bytes],
    keys: Keys,
    r: int | None = None,
    bend: Bend = HONEST,
) -> LeavesPage:
    """A page of leaves and its argument, bent as asked.

    `states` are those after item 4 of the kinds `entries` and `leaves`; `r` replaces the blinding
    factor of C. Values may be any integers; the digits are their low 64 bits.
    """
    return made(states, tuple(values), tuple(identities), keys, r, bend)


# --- openings ---


@dataclass(frozen=True)
class Opened:
    """What an opening is made for, and of: the state after item 4, page id, the leaf's number in
    its page, amount, identity, the vector's amounts, and ρ.
    """

    state: bytes
    page_id: bytes
    leaf: int
    amount: int
    identity: bytes
    values: tuple[int, ...]
    rho: int

    @property
    def slot(self) -> int:
        return self.leaf % SLOTS

    def start(self, omit: frozenset[str] = frozenset()) -> Transcript:
        """The transcript before the announcement."""
        transcript = Transcript(self.state, omit)
        parts = [
            ("page id", self.page_id),
            ("leaf", u(self.leaf, 4)),
            ("amount", u(self.amount, 8)),
            ("identity", self.identity),
        ]
        absorb(transcript, "opening", parts)
        return transcript

    def mates(self) -> list[int]:
        return [value for slot, value in enumerate(self.values) if slot != self.slot]

    def bases(self) -> list[bytes]:
        return [w(slot) for slot in range(SLOTS) if slot != self.slot] + [B]


def page_opening(
    state: bytes, page: LeavesPage, page_id: bytes, leaf: int, amount: int | None = None
) -> Opened:
    """What the honest opening of a leaf is made for; `amount` replaces the leaf's own."""
    vector = leaf // SLOTS
    values = tuple(page.values[SLOTS * vector : SLOTS * (vector + 1)])
    shown = page.values[leaf] if amount is None else amount
    return Opened(state, page_id, leaf, shown, page.identities[leaf], values, page.rho[vector])


def open_leaf(opened: Opened, keys: Keys, omit: frozenset[str] = frozenset()) -> bytes:
    """An opening, honest or of a false statement; `omit` is left out of its transcript."""
    transcript = opened.start(omit)
    mates = opened.mates()
    hidden = b"".join(u(value % 2**64, 8) for value in mates) + u(opened.rho, 32)
    message = u(0, 2), transcript.state, tagged("witness", hidden), keys.salt
    masks = Scalars(keys.opening, "opening-nonce", *message).many(SLOTS)
    R = combine(list(zip(masks, opened.bases(), strict=True)))
    transcript.absorb("announcement", R)
    c = transcript.challenge("c")
    values = [*mates, opened.rho]
    return R + b"".join(u((m + c * v) % N, 32) for m, v in zip(masks, values, strict=True))


def forge_opening(opened: Opened, vector: bytes) -> bytes:
    """An opening of any amount for a reader that does not absorb the announcement."""
    c = opened.start(frozenset({"announcement"})).challenge("c")
    z = [7 + slot for slot in range(SLOTS)]
    terms = [*zip(z, opened.bases(), strict=True)]
    R = combine([*terms, (c * opened.amount, w(opened.slot)), (-c, vector)])
    return R + b"".join(u(scalar, 32) for scalar in z)


def opening_residual(
    opened: Opened, vector: bytes, opening: bytes, omit: frozenset[str] = frozenset()
) -> bytes:
    """An opening's right side minus its left; of `opened` what is shown alone is used."""
    R = opening[:33]
    z = [int.from_bytes(opening[at : at + 32], "big") for at in range(33, len(opening), 32)]
    transcript = opened.start(omit)
    transcript.absorb("announcement", R)
    c = transcript.challenge("c")
    terms = [(-scalar, base) for scalar, base in zip(z, opened.bases(), strict=True)]
    return combine([(1, R), (c, vector), (-c * opened.amount, w(opened.slot)), *terms])


# --- a reader that can be weaker ---


@dataclass(frozen=True)
class Reader:
    """A verifier of arguments over leaves; it is the standard's unless it is told otherwise.

    coefficient: of a and the factors ℓ_1 of all rounds, what the reader takes for a.
    """

    page_size: int
    weak: Weak = STRICT
    coefficient: Callable[[int, list[int]], int] = field(
        default=lambda kappa, factors: kappa * prod(factors) % N
    )

    def failing(self, state: bytes, entries: bytes, argument: bytes) -> set[int]:
        """The equations that are looked at and do not hold."""
        found = self.residuals(state, entries, argument)
        return {k for k, point in found.items() if point != INFINITY} - self.weak.without

    def residuals(self, state: bytes, entries: bytes, argument: bytes) -> dict[int, bytes]:
        """Of each equation the right side minus the left."""
        shape, weak = Shape(self.page_size), self.weak
        split = 33 * shape.points
        points = [argument[at : at + 33] for at in range(0, split, 33)]
        scalars = [
            int.from_bytes(argument[at : at + 32], "big") for at in range(split, len(argument), 32)
        ]
        D, rounds = points[: shape.rows], points[shape.rows : -7]
        Y, Y2, T_bar, Y_bar, Y2_bar, Delta_bar, U_bar = points[-7:]
        z, y = scalars[: shape.columns], scalars[shape.columns : -5]
        u_t, u_y, u_2, u_delta, u_u = scalars[-5:]
        C_at = len(entries) - 33 * (shape.vectors + 1)
        C = entries[C_at : C_at + 33]
        U = [entries[at : at + 33] for at in range(C_at + 33, len(entries), 33)]

        transcript = Transcript(state, weak.omit)
        transcript.absorb("shape", shape.encode())
        parts = [("nodes", entries[:C_at]), ("C", C), ("U", b"".join(U))]
        absorb(transcript, "entries", parts)
        transcript.absorb("rows", b"".join(D))
        drawn = Challenges(transcript, shape, weak.rule)
        K: list[tuple[int, bytes]] = [(drawn.omega, C)]
        x: list[int] = []
        factors: list[int] = []
        for j in range(shape.nu):
            message = rounds[3 * j : 3 * j + 3]
            if f"round {j + 1}" not in weak.omit:
                transcript.absorb("round", u(j + 1, 4) + b"".join(message))
            x.append(transcript.challenge("x"))
            basis = lagrange(x[-1])
            factors.append(basis[1])
            K = [(basis[1] * scalar % N, point) for scalar, point in K]
            K += zip((basis[0] - basis[1], basis[2], basis[3]), message, strict=True)
        absorb(transcript, "announcements", list(zip(NAMES, points[-7:], strict=True)))
        e = transcript.challenge("e")
        a = self.coefficient(drawn.kappa, factors)
        e_star, w_star = drawn.last(x)
        columns = (shape.nu + 1) // 2
        P, L = eq_table(x[:columns]), eq_table(x[columns:])
        d, f = dot(z, P), dot(y, drawn.low)
        delta = [*K, (-e_star, Y2), (e_star - w_star, Y)]
        return {
            1: combine(
                [(1, T_bar), (-u_t, B)]
                + [(e * weight, row) for weight, row in zip(L, D, strict=True)]
                + [(-scalar, q(j)) for j, scalar in enumerate(z)]
            ),
            2: combine([(1, Y_bar), (e, Y), (-d, V), (-u_y, B)]),
            3: combine([(1, Y2_bar), (e, Y2), (-d, Y), (-u_2, B)]),
            4: combine(
                [(1, Delta_bar), (a * f, V), (-u_delta, B)]
                + [(e * scalar, point) for scalar, point in delta]
            ),
            5: combine(
                [(1, U_bar), (-u_u, B)]
                + [(e * weight, vector) for weight, vector in zip(drawn.high, U, strict=True)]
                + [(-scalar, w(t)) for t, scalar in enumerate(y)]
            ),
        }
