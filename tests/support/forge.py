"""The forger of arguments: an honest prover in Python, every step of which can be bent.

Arithmetic on points is `native`'s; scalars, transcript and sum-check are plain Python, written from
`spec/` and independent of the C prover, so that honest output is a differential check of it.

Invariants: with no bend given, what comes out is accepted; nonces are those of the spec, so every
output is a function of its arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import native

Opening = tuple[int, int]
"""Value and blinding factor of a commitment."""

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
INFINITY = bytes(33)
V = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
B = bytes(native.generator(b"B", 0))


def tagged(purpose: str, data: bytes) -> bytes:
    """H_tag of spec/transcript.md section 1, with the tag `assay/v1/<purpose>`."""
    tag = hashlib.sha256(b"assay/v1/" + purpose.encode()).digest()
    return hashlib.sha256(tag + tag + data).digest()


def lp(data: bytes) -> bytes:
    """Length-prefixed bytes."""
    return len(data).to_bytes(4, "big") + data


def u(value: int, size: int) -> bytes:
    """A fixed-width big-endian integer of `size` bytes."""
    return value.to_bytes(size, "big")


def combine(terms: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the sum of scalar·point; infinity, in or out, is 33 zero bytes."""
    kept = [(scalar % N, point) for scalar, point in terms if point != INFINITY and scalar % N]
    if not kept:
        return INFINITY
    return bytes(native.msm(b"".join(u(s, 32) for s, _ in kept), b"".join(p for _, p in kept)))


def commit(value: int, blinding: int) -> bytes:
    """Com(v, r) for any integers, reduced mod n: the forger commits to what it likes."""
    return combine([(value, V), (blinding, B)])


@cache
def q(index: int) -> bytes:
    """The vector generator Q_index."""
    return bytes(native.generator(b"Q", index))


class Transcript:
    """The transcript of spec/transcript.md 3; items whose label is in `omit` are left out."""

    def __init__(self, state: bytes | None = None, omit: frozenset[str] = frozenset()) -> None:
        self.state = tagged("transcript", b"assay/v1") if state is None else state
        self.omit = omit

    def absorb(self, label: str, data: bytes) -> None:
        if label in self.omit:
            return
        name = label.encode()
        self.state = tagged(
            "transcript", b"\x01" + u(len(name), 1) + name + u(len(data), 8) + data + self.state
        )

    def challenge(self, label: str) -> int:
        name = label.encode()
        head = b"\x02" + u(len(name), 1) + name + u(0, 8) + self.state
        h = [tagged("transcript", head + u(i, 1)) for i in range(3)]
        self.state = h[2]
        return int.from_bytes(h[0] + h[1], "big") % N


def eq_table(point: Sequence[int]) -> list[int]:
    """eq(point, x) for all x of the cube, coordinate 0 the lowest bit of the index."""
    table = [1]
    for a in reversed(point):
        table = [e * f % N for e in table for f in ((1 - a) % N, a)]
    return table


def lagrange(x: int) -> list[int]:
    """The Lagrange basis on 0, 1, 2, 3 at x."""
    nodes = range(4)
    return [math.prod((x - k) * pow(j - k, -1, N) for k in nodes if k != j) % N for j in nodes]


def dot(a: Sequence[int], b: Sequence[int]) -> int:
    """The inner product mod n."""
    return sum(x * y for x, y in zip(a, b, strict=True)) % N


@dataclass(frozen=True)
class Shape:
    """Shape of an argument, a function of (m, b): spec/transcript.md 4.1."""

    m: int
    b: int

    @property
    def mu(self) -> int:
        return (self.m - 1).bit_length()

    @property
    def nu(self) -> int:
        return self.mu + self.b.bit_length() - 1

    @property
    def columns(self) -> int:
        return 1 << ((self.nu + 1) // 2)

    @property
    def rows(self) -> int:
        return 1 << (self.nu - (self.nu + 1) // 2)

    def encode(self) -> bytes:
        return b"".join(
            u(x, 4) for x in (self.m, self.b, self.nu, self.mu, self.rows, self.columns)
        )


class Nonces:
    """Deterministic scalars of spec/transcript.md 4.5 under one key."""

    def __init__(self, secret: bytes, state: bytes, witness: bytes, salt: bytes) -> None:
        message = lp(b"assay/v1/argument-nonce") + u(1, 2) + state + witness + salt
        self.key = hmac.digest(secret, message, "sha256")
        self.count = 0

    def __call__(self) -> int:
        blocks = b"".join(
            tagged("stream", self.key + u(2 * self.count + half, 8)) for half in range(2)
        )
        self.count += 1
        return int.from_bytes(blocks, "big") % N


@dataclass
class Argument:
    """The parts of one argument, so that a test may tamper with any of them and encode the rest."""

    rows: list[bytes]
    rounds: list[bytes]
    announcements: list[bytes]
    """Y, Y2, T̄, Ȳ, Ȳ2, Δ̄"""
    responses: list[int]
    """z', u_T, u_Y, u_2, u_Δ"""
    error: int = 0
    """Equation 4's right side minus its left is this multiple of V where all else holds."""

    def encode(self) -> bytes:
        return b"".join(self.rows + self.rounds + self.announcements) + b"".join(
            u(s, 32) for s in self.responses
        )


@dataclass(frozen=True)
class Bend:
    """How a proof deviates from the honest one. The default is honest.

    digits: what is committed as the bits, N integers of any size, instead of the values' bits.
    residual: 1-4: the equation of 4.4 that is left false, all others being made to hold.
    omit: labels left out of the transcript.
    shape: encoded as the `shape` item and used for all sizes, instead of that of (m, b).
    unknown_round: this round's [p(2)] gets a component along Q_0, which the prover cannot open.
    y_shift: this multiple of V is added to Ȳ, which leaves equation 2 false by as much.
    """

    digits: tuple[int, ...] | None = None
    residual: int = 4
    omit: frozenset[str] = frozenset()
    shape: Shape | None = None
    unknown_round: int | None = None
    y_shift: int = 0


HONEST = Bend()


def prove(
    state: bytes,
    b: int,
    openings: Sequence[Opening],
    entries: bytes | None = None,
    secret: bytes = b"forger",
    salt: bytes = bytes(32),
    bend: Bend = HONEST,
) -> Argument:
    """An argument for commitments that open to (v_i, r_i), bent as asked.

    `state` is the transcript's before item 5, `entries` is item 6 (None: nothing is absorbed).
    Values may be any integers; their low b bits are the honest digits. A residual in equation 1
    needs a square root, so that half of all salts fail: the next one is tried.
    """
    while True:
        try:
            made = attempt(state, b, tuple(openings), entries, secret, salt, bend)
        except ValueError:
            salt = hashlib.sha256(salt).digest()
        else:
            # A copy, since the caller may tamper with it and the original is kept.
            return Argument(
                list(made.rows),
                list(made.rounds),
                list(made.announcements),
                list(made.responses),
                made.error,
            )


@lru_cache(maxsize=512)
def attempt(
    state: bytes,
    b: int,
    openings: tuple[Opening, ...],
    entries: bytes | None,
    secret: bytes,
    salt: bytes,
    bend: Bend,
) -> Argument:
    """One try of `prove`. Raises ValueError where a square root that the bend needs is missing."""
    shape = bend.shape or Shape(len(openings), b)
    digits = bend.digits or honest_digits(openings, shape)
    transcript = Transcript(state, bend.omit)
    transcript.absorb("shape", shape.encode())
    if entries is not None:
        transcript.absorb("entries", entries)
    opened = b"".join(u(v % (1 << shape.b), shape.b // 8) + u(r, 32) for v, r in openings)
    witness = tagged("witness", opened)
    nonces = Nonces(secret, transcript.state, witness, salt)
    s = [nonces() for _ in range(shape.rows)]
    rows = [
        combine([(digits[a * shape.columns + j], q(j)) for j in range(shape.columns)] + [(s[a], B)])
        for a in range(shape.rows)
    ]
    transcript.absorb("rows", b"".join(rows))
    end = sum_check(transcript, shape, openings, digits, nonces, bend)
    rho_y, rho_2 = nonces(), nonces()
    masks = Nonces(secret, transcript.state, witness, salt)
    return respond(transcript, shape, digits, rows, s, end, (rho_y, rho_2), masks, bend)


@dataclass(frozen=True)
class End:
    """Where the sum-check ends: its messages, and what Δ is made of.

    `claim` and `blind` open K_ν; `e`, `w`, `d` are e*, w*, d*; `shift` is e* - κ·w*.
    """

    rounds: list[bytes]
    x: list[int]
    claim: int
    blind: int
    e: int
    d: int
    shift: int


def sum_check(
    transcript: Transcript,
    shape: Shape,
    openings: Sequence[Opening],
    digits: Sequence[int],
    nonces: Nonces,
    bend: Bend,
) -> End:
    """Items 7 (its challenges) and 8. A false claim is carried along to the end."""
    tau = [transcript.challenge("tau") for _ in range(shape.nu)]
    sigma = [transcript.challenge("sigma") for _ in range(shape.mu)]
    kappa = transcript.challenge("kappa")
    weights = eq_table(sigma)
    claim = kappa * sum(e * v for e, (v, _) in zip(weights, openings, strict=False)) % N
    blind = kappa * sum(e * r for e, (_, r) in zip(weights, openings, strict=False)) % N
    eqs = eq_table(tau)
    w = [weights[i] * pow(2, k, N) % N for i in range(1 << shape.mu) for k in range(shape.b)]
    d = [x % N for x in digits]
    rounds: list[bytes] = []
    x: list[int] = []
    for j in range(shape.nu):
        rho = [nonces() for _ in range(3)]
        at = [round_value(eqs, w, d, kappa, t) for t in (0, 2, 3)]
        message = [commit(v, r) for v, r in zip(at, rho, strict=True)]
        if bend.unknown_round == j:
            message[1] = combine([(1, message[1]), (1, q(0))])
        rounds += message
        transcript.absorb("round", u(j + 1, 4) + b"".join(message))
        x.append(transcript.challenge("x"))
        basis = lagrange(x[-1])
        claim = dot(basis, [at[0], claim - at[0], at[1], at[2]])
        blind = dot(basis, [rho[0], blind - rho[0], rho[1], rho[2]])
        eqs, w, d = (fold(table, x[-1]) for table in (eqs, w, d))
    return End(rounds, x, claim, blind, eqs[0], d[0], (eqs[0] - kappa * w[0]) % N)


def respond(
    transcript: Transcript,
    shape: Shape,
    digits: Sequence[int],
    rows: list[bytes],
    s: Sequence[int],
    end: End,
    rho: tuple[int, int],
    masks: Nonces,
    bend: Bend,
) -> Argument:
    """Item 9 and the responses; `s` are the blinding factors of the rows, `rho` those of Y, Y2."""
    columns = (shape.nu + 1) // 2
    p, row_weights = eq_table(end.x[:columns]), eq_table(end.x[columns:])
    z = [dot(row_weights, digits[j :: shape.columns]) for j in range(shape.columns)]
    z_bar = [masks() for _ in range(shape.columns)]
    t_bar, y_bar, y2_bar, delta_bar = (masks() for _ in range(4))
    d_bar = dot(z_bar, p)
    y_value, y2_value = bent_values(end, bend.residual)
    if bend.residual == 1:
        z[0] = (z[0] + (y_value - end.d) * pow(p[0], -1, N)) % N
    y, y2 = commit(y_value, rho[0]), commit(y2_value, rho[1])
    announcements = [
        y,
        y2,
        combine([(m, q(j)) for j, m in enumerate(z_bar)] + [(t_bar, B)]),
        commit(d_bar + bend.y_shift, y_bar),
        combine([(d_bar, y), (y2_bar, B)]),
        combine([(delta_bar, B)]),
    ]
    transcript.absorb("announcements", b"".join(announcements))
    e = transcript.challenge("e")
    responses = [(m + e * zj) % N for m, zj in zip(z_bar, z, strict=True)]
    responses += [
        (t_bar + e * dot(row_weights, s)) % N,
        (y_bar + e * rho[0]) % N,
        (y2_bar + e * (rho[1] - dot(z, p) * rho[0])) % N,
        (delta_bar + e * (end.blind - end.e * rho[1] + end.shift * rho[0])) % N,
    ]
    error = e * (end.claim - end.e * y2_value + end.shift * y_value) % N
    return Argument(rows, end.rounds, announcements, responses, error)


def bent_values(end: End, residual: int) -> Opening:
    """What Y and Y2 commit to: that, and whether z is the real one, decides which equation fails.

    Raises: ValueError where the square root that equation 1 needs is missing.
    """
    if residual == 3:
        return end.d, (end.claim + end.shift * end.d) * pow(end.e, -1, N) % N
    if residual == 2:
        y = end.claim * pow((end.e * end.d - end.shift) % N, -1, N) % N
        return y, end.d * y % N
    if residual == 1:
        y = square_solution(end.e, end.shift, end.claim)
        return y, y * y % N
    return end.d, end.d * end.d % N


def honest_digits(openings: Sequence[Opening], shape: Shape) -> list[int]:
    """Bits of the values, absent entries zero; index i·b + k is bit k of value i."""
    present = [v >> k & 1 for v, _ in openings for k in range(shape.b)]
    return present + [0] * ((1 << shape.nu) - len(present))


def round_value(eqs: list[int], w: list[int], d: list[int], kappa: int, t: int) -> int:
    """The round polynomial at t: the sum over the remaining cube of eq·(d² - d) + κ·w·d."""
    total = 0
    for i in range(0, len(d), 2):
        e, v, bit = ((a[i] + t * (a[i + 1] - a[i])) for a in (eqs, w, d))
        total += (e * (bit * bit - bit) + kappa * v * bit) % N
    return total % N


def fold(table: list[int], x: int) -> list[int]:
    """Binds the lowest coordinate to x."""
    return [(table[i] + x * (table[i + 1] - table[i])) % N for i in range(0, len(table), 2)]


def square_solution(e_star: int, shift: int, claim: int) -> int:
    """y with e*·y² - shift·y = claim, where one exists.

    Raises: ValueError for a non-residue; the caller tries another salt.
    """
    inverse = pow(2 * e_star, -1, N)
    root = square_root((shift * shift + 4 * e_star * claim) % N)
    return (shift + root) * inverse % N


def square_root(a: int) -> int:
    """A square root mod n, by Tonelli and Shanks (n - 1 = 2^6 · odd)."""
    if pow(a, (N - 1) // 2, N) != 1:
        raise ValueError("no square root")
    odd, twos = N - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    generator = next(g for g in range(2, 100) if pow(g, (N - 1) // 2, N) == N - 1)
    c, r, t = pow(generator, odd, N), pow(a, (odd + 1) // 2, N), pow(a, odd, N)
    while t != 1:
        i, probe = 0, t
        while probe != 1:
            probe, i = probe * probe % N, i + 1
        step = pow(c, 1 << (twos - i - 1), N)
        twos, c = i, step * step % N
        r, t = r * step % N, t * c % N
    return r
