"""The argument of spec/transcript.md, slowly and plainly: prover, verifier, pages.

Affine points and integers mod n, full tables in the sum-check, one equation at a time. It shares no
code with the core, and its nonces are the specified ones, so the core must give the same bytes.
`Opening` is what lets a test lie: a prover opens with it what the tables do not hold.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from gmpy2 import invert, mpz, powmod

P = mpz(2**256 - 2**32 - 977)
N = mpz(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141)
Point = tuple[mpz, mpz] | None
V: Point = (
    mpz(0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798),
    mpz(0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8),
)
INFINITY_BYTES = bytes(33)


class Rejected(Exception):
    """The verifier's refusal; the argument is its code."""


# --- group ---


def add(a: Point, b: Point) -> Point:
    """Return a + b."""
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * invert(2 * a[1], P) % P
    else:
        slope = (b[1] - a[1]) * invert(b[0] - a[0], P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def mul(k: int, a: Point) -> Point:
    """Return k·a."""
    k, total = k % N, None
    while k:
        if k & 1:
            total = add(total, a)
        a = add(a, a)
        k >>= 1
    return total


def neg(a: Point) -> Point:
    """Return -a."""
    return None if a is None else (a[0], -a[1] % P)


def combine(scalars: Sequence[int], points: Sequence[Point]) -> Point:
    """Return Σ k_i·P_i."""
    total = None
    for k, point in zip(scalars, points, strict=True):
        total = add(total, mul(k, point))
    return total


def encode(a: Point) -> bytes:
    """Return the 33 bytes of a point, or zeros for infinity."""
    if a is None:
        return INFINITY_BYTES
    return bytes([2 + int(a[1] & 1)]) + int(a[0]).to_bytes(32, "big")


def lift(x: int) -> Point:
    """Return the point of even y at x, or None."""
    square = (powmod(x, 3, P) + 7) % P
    y = powmod(square, (P + 1) // 4, P)
    if x >= P or y * y % P != square:
        return None
    return mpz(x), y if y % 2 == 0 else P - y


def decode(data: bytes, code: str) -> Point:
    """Return the point of 33 bytes, or reject with ``code``."""
    point = lift(int.from_bytes(data[1:], "big")) if data[0] in (2, 3) else None
    if point is None:
        raise Rejected(code)
    return point if data[0] == 2 else neg(point)


# --- hashes ---


def tagged(purpose: str, data: bytes) -> bytes:
    """Return H_tag(data) for the tag assay/v1/purpose."""
    tag = hashlib.sha256(b"assay/v1/" + purpose.encode()).digest()
    return hashlib.sha256(tag + tag + data).digest()


def u(width: int, number: int) -> bytes:
    """Return ``number`` in ``width`` big-endian bytes."""
    return int(number).to_bytes(width, "big")


def lp(data: bytes) -> bytes:
    """Return ``data`` behind its u32 length."""
    return u(4, len(data)) + data


@cache
def generator(name: bytes, index: int) -> Point:
    """Return the generator of ``name`` and ``index``."""
    counter = 0
    while True:
        x = int.from_bytes(tagged("generator", name + u(4, index) + u(4, counter)), "big")
        point = lift(x)
        if point is not None:
            return point
        counter += 1


B = generator(b"B", 0)


def commit(value: int, blinding: int) -> Point:
    """Return value·V + blinding·B."""
    return add(mul(value, V), mul(blinding, B))


class Transcript:
    """Section 3."""

    def __init__(self, state: bytes | None = None) -> None:
        self.state = tagged("transcript", b"assay/v1") if state is None else state

    def absorb(self, label: str, data: bytes) -> None:
        """Absorb ``data``."""
        name = label.encode()
        self.state = tagged(
            "transcript", b"\x01" + u(1, len(name)) + name + u(8, len(data)) + data + self.state
        )

    def challenge(self, label: str) -> mpz:
        """Draw one scalar."""
        name = label.encode()
        head = b"\x02" + u(1, len(name)) + name + u(8, 0) + self.state
        h = [tagged("transcript", head + u(1, i)) for i in range(3)]
        self.state = h[2]
        return mpz(int.from_bytes(h[0] + h[1], "big")) % N


class Nonces:
    """Section 4.5: the scalars of one key."""

    def __init__(self, secret: bytes, state: bytes, witness: bytes, salt: bytes) -> None:
        message = lp(b"assay/v1/argument-nonce") + u(2, 1) + state + witness + salt
        self.key = hmac.digest(secret, message, "sha256")
        self.k = 0

    def block(self, i: int) -> bytes:
        """Return block i of the stream."""
        return tagged("stream", self.key + u(8, i))

    def next(self) -> mpz:
        """Return the next scalar."""
        wide = self.block(2 * self.k) + self.block(2 * self.k + 1)
        self.k += 1
        return mpz(int.from_bytes(wide, "big")) % N


# --- shape and public polynomials ---


@dataclass(frozen=True)
class Shape:
    """Section 4.1."""

    m: int
    b: int

    @property
    def log_b(self) -> int:
        """Return the number of coordinates of k."""
        return self.b.bit_length() - 1

    @property
    def mu(self) -> int:
        """Return the number of coordinates of i."""
        return (self.m - 1).bit_length()

    @property
    def nu(self) -> int:
        """Return the number of all coordinates."""
        return self.mu + self.log_b

    @property
    def c(self) -> int:
        """Return the number of column coordinates."""
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
    def point_count(self) -> int:
        """Return the number of points of an argument."""
        return self.rows + 3 * self.nu + 6

    @property
    def length(self) -> int:
        """Return the bytes of an argument."""
        return 33 * self.point_count + 32 * (self.columns + 4)

    def absorb(self, transcript: Transcript) -> None:
        """Absorb item 5."""
        numbers = (self.m, self.b, self.nu, self.mu, self.rows, self.columns)
        transcript.absorb("shape", b"".join(u(4, number) for number in numbers))


def eq(a: Sequence[int], x: Sequence[int]) -> mpz:
    """Return eq(a, x)."""
    product = mpz(1)
    for s, t in zip(a, x, strict=True):
        product = product * (s * t + (1 - s) * (1 - t)) % N
    return product


def bits(index: int, count: int) -> list[int]:
    """Return the ``count`` lowest bits, coordinate 0 first."""
    return [index >> t & 1 for t in range(count)]


def weight(shape: Shape, sigma: Sequence[int], x: Sequence[int]) -> mpz:
    """Return w(x)."""
    product = eq(sigma, x[shape.log_b :])
    for t in range(shape.log_b):
        product = product * (1 + x[t] * (2 ** (2**t) - 1)) % N
    return product


def lagrange(x: int) -> list[mpz]:
    """Return ℓ_0(x) … ℓ_3(x) on the nodes 0, 1, 2, 3."""
    basis = []
    for t in range(4):
        top, bottom = mpz(1), mpz(1)
        for s in range(4):
            if s != t:
                top, bottom = top * (x - s) % N, bottom * (t - s) % N
        basis.append(top * invert(bottom, N) % N)
    return basis


def fold(claim: mpz, sent: Iterable[mpz], x: mpz) -> mpz:
    """Return K_j of K_(j-1) and of p_j(0), p_j(2), p_j(3); of values, or of blinding factors."""
    ell, (at0, at2, at3) = lagrange(x), sent
    return (ell[0] * at0 + ell[1] * (claim - at0) + ell[2] * at2 + ell[3] * at3) % N


# --- prover ---


@dataclass
class Opening:
    """What the last step claims: the vector z, the value y of Y, the value y2 of Y2."""

    z: list[mpz]
    y: mpz
    y2: mpz


class Prover:
    """One argument. ``digits`` replaces the bits of the values, so that a lie can be tried."""

    def __init__(
        self,
        transcript: Transcript,
        b: int,
        values: Sequence[int],
        blindings: Sequence[int],
        digits: Sequence[int] | None = None,
    ) -> None:
        self.transcript, self.values, self.blindings = transcript, values, blindings
        self.shape = Shape(len(values), b)
        size = 1 << self.shape.nu
        honest = [value >> k & 1 for value in values for k in range(b)]
        self.digits = [mpz(d) % N for d in (honest if digits is None else digits)]
        self.digits += [mpz(0)] * (size - len(self.digits))
        self.proof = b""

    def prove(self, secret: bytes, salt: bytes) -> bytes:
        """Return the argument; items 1-6 are absorbed."""
        b = self.shape.b
        pairs = zip(self.values, self.blindings, strict=True)
        witness = tagged("witness", b"".join(u(b // 8, v % 2**b) + u(32, r) for v, r in pairs))
        nonces = Nonces(secret, self.transcript.state, witness, salt)
        self.row_blindings = [nonces.next() for _ in range(self.shape.rows)]
        self.send_rows()
        round_blindings = [[nonces.next() for _ in range(3)] for _ in range(self.shape.nu)]
        self.send_rounds(round_blindings)
        rho_y, rho_2 = nonces.next(), nonces.next()
        nonces = Nonces(secret, self.transcript.state, witness, salt)
        self.send_opening(self.choose_opening(), rho_y, rho_2, nonces)
        return self.proof

    def send_rows(self) -> None:
        """Commit to the rows; draw τ, σ, κ."""
        shape, rows = self.shape, b""
        generators = [generator(b"Q", j) for j in range(shape.columns)]
        for a, blinding in enumerate(self.row_blindings):
            row = self.digits[a * shape.columns : (a + 1) * shape.columns]
            rows += encode(add(combine(row, generators), mul(blinding, B)))
        self.proof += rows
        self.transcript.absorb("rows", rows)
        self.tau = [self.transcript.challenge("tau") for _ in range(shape.nu)]
        self.sigma = [self.transcript.challenge("sigma") for _ in range(shape.mu)]
        self.kappa = self.transcript.challenge("kappa")

    def send_rounds(self, blindings: list[list[mpz]]) -> None:
        """Run the sum-check; leave the point x, and the value and blinding of K_ν."""
        shape = self.shape
        cube = [bits(i, shape.nu) for i in range(1 << shape.nu)]
        e_table = [eq(self.tau, x) for x in cube]
        w_table = [self.kappa * weight(shape, self.sigma, x) % N for x in cube]
        d_table = list(self.digits)
        selector = [eq(self.sigma, bits(i, shape.mu)) for i in range(shape.m)]
        claim = self.kappa * sum(map(mpz.__mul__, selector, map(mpz, self.values))) % N
        blind = self.kappa * sum(map(mpz.__mul__, selector, map(mpz, self.blindings))) % N
        self.x: list[mpz] = []
        for j, rho in enumerate(blindings, 1):
            p = {t: self.evaluate(t, e_table, w_table, d_table) for t in (0, 2, 3)}
            points = b"".join(encode(commit(p[t], r)) for t, r in zip(p, rho, strict=True))
            self.proof += points
            self.transcript.absorb("round", u(4, j) + points)
            x = self.transcript.challenge("x")
            claim, blind = fold(claim, p.values(), x), fold(blind, rho, x)
            e_table, w_table, d_table = (bind(f, x) for f in (e_table, w_table, d_table))
            self.x.append(x)
        self.claim, self.blind, self.d_star = claim, blind, d_table[0]
        self.e_star, self.w_star = e_table[0], w_table[0]  # w_star holds κ too

    @staticmethod
    def evaluate(t: int, e: list[mpz], w: list[mpz], d: list[mpz]) -> mpz:
        """Return p_j(t)."""
        total = mpz(0)
        for i in range(0, len(d), 2):
            et, wt, dt = (f[i] + t * (f[i + 1] - f[i]) for f in (e, w, d))
            total += et * (dt * dt - dt) + wt * dt
        return total % N

    def choose_opening(self) -> Opening:
        """Return what is opened: the truth."""
        shape = self.shape
        left = [eq(self.x[shape.c :], bits(a, shape.nu - shape.c)) for a in range(shape.rows)]
        z = [
            sum(left[a] * self.digits[a * shape.columns + j] for a in range(shape.rows)) % N
            for j in range(shape.columns)
        ]
        return Opening(z, self.d_star, self.d_star**2 % N)

    def send_opening(self, opening: Opening, rho_y: mpz, rho_2: mpz, nonces: Nonces) -> None:
        """Send Y, Y2, the announcements and the responses."""
        shape = self.shape
        big_y, big_y2 = commit(opening.y, rho_y), commit(opening.y2, rho_2)
        masks = [nonces.next() for _ in range(shape.columns)]
        mask_t, mask_y, mask_2, mask_delta = (nonces.next() for _ in range(4))
        right = [eq(self.x[: shape.c], bits(j, shape.c)) for j in range(shape.columns)]
        left = [eq(self.x[shape.c :], bits(a, shape.nu - shape.c)) for a in range(shape.rows)]
        d_mask = sum(map(mpz.__mul__, masks, right)) % N
        generators = [generator(b"Q", j) for j in range(shape.columns)]
        points = (
            big_y,
            big_y2,
            add(combine(masks, generators), mul(mask_t, B)),
            commit(d_mask, mask_y),
            add(mul(d_mask, big_y), mul(mask_2, B)),
            mul(mask_delta, B),
        )
        announcements = b"".join(encode(point) for point in points)
        self.transcript.absorb("announcements", announcements)
        e = self.transcript.challenge("e")
        d_star = sum(map(mpz.__mul__, opening.z, right)) % N
        delta_blinding = self.blind - self.e_star * rho_2 + (self.e_star - self.w_star) * rho_y
        responses = [mask + e * z for mask, z in zip(masks, opening.z, strict=True)]
        responses += [
            mask_t + e * sum(map(mpz.__mul__, left, self.row_blindings)),
            mask_y + e * rho_y,
            mask_2 + e * (rho_2 - d_star * rho_y),
            mask_delta + e * delta_blinding,
        ]
        self.proof += announcements + b"".join(u(32, response % N) for response in responses)


def bind(table: list[mpz], x: int) -> list[mpz]:
    """Return the table with its lowest coordinate bound to x."""
    pairs = zip(table[::2], table[1::2], strict=True)
    return [(low + x * (high - low)) % N for low, high in pairs]


# --- verifier ---


def verify(transcript: Transcript, b: int, commitments: Sequence[Point], proof: bytes) -> None:
    """Check an argument after items 1-6; raise Rejected."""
    failing = failing_equations(transcript, b, commitments, proof)
    if failing:
        raise Rejected("argument.rejected")


def failing_equations(
    transcript: Transcript, b: int, commitments: Sequence[Point], proof: bytes
) -> set[int]:
    """Return which of the four equations of 4.4 fail."""
    shape = Shape(len(commitments), b)
    if len(proof) != shape.length:
        raise Rejected("argument.bad-length")
    cut = 33 * shape.point_count
    points = [decode(proof[i : i + 33], "argument.bad-point") for i in range(0, cut, 33)]
    scalars = [int.from_bytes(proof[i : i + 32], "big") for i in range(cut, len(proof), 32)]
    if any(scalar >= N for scalar in scalars):
        raise Rejected("argument.bad-scalar")
    rows, rounds = points[: shape.rows], points[shape.rows : -6]
    transcript.absorb("rows", proof[: 33 * shape.rows])
    tau = [transcript.challenge("tau") for _ in range(shape.nu)]
    sigma = [transcript.challenge("sigma") for _ in range(shape.mu)]
    kappa = transcript.challenge("kappa")
    selector = [eq(sigma, bits(i, shape.mu)) for i in range(shape.m)]
    k_point = mul(kappa, combine(selector, commitments))
    x: list[mpz] = []
    for j in range(shape.nu):
        start = 33 * (shape.rows + 3 * j)
        transcript.absorb("round", u(4, j + 1) + proof[start : start + 99])
        x.append(transcript.challenge("x"))
        at0, at2, at3 = rounds[3 * j : 3 * j + 3]
        k_point = combine(lagrange(x[j]), [at0, add(k_point, neg(at0)), at2, at3])
    transcript.absorb("announcements", proof[cut - 6 * 33 : cut])
    e = transcript.challenge("e")
    y, y2, t_mask, y_mask, y2_mask, delta_mask = points[-6:]
    e_star, w_star = eq(tau, x), kappa * weight(shape, sigma, x) % N
    delta = combine([1, -e_star, e_star - w_star], [k_point, y2, y])
    right = [eq(x[: shape.c], bits(j, shape.c)) for j in range(shape.columns)]
    left = [eq(x[shape.c :], bits(a, shape.nu - shape.c)) for a in range(shape.rows)]
    z, (u_t, u_y, u_2, u_delta) = scalars[:-4], scalars[-4:]
    d = sum(map(mpz.__mul__, map(mpz, z), right)) % N
    generators = [generator(b"Q", j) for j in range(shape.columns)]
    sides = [
        (add(combine(z, generators), mul(u_t, B)), t_mask, combine(left, rows)),
        (commit(d, u_y), y_mask, y),
        (add(mul(d, y), mul(u_2, B)), y2_mask, y2),
        (mul(u_delta, B), delta_mask, delta),
    ]
    return {i for i, (a, b0, c) in enumerate(sides, 1) if a != add(b0, mul(e, c))}


# --- pages ---


@dataclass(frozen=True)
class PagePlace:
    """The statement of a page, without its index."""

    asset_state: bytes
    level: int
    levels: int
    capacity: int
    page_size: int

    def transcript(self, index: int, m: int, entries: bytes) -> Transcript:
        """Return the transcript after item 6."""
        transcript = Transcript(self.asset_state)
        transcript.absorb(
            "statement",
            u(1, self.level)
            + u(1, self.levels)
            + u(4, index)
            + u(4, self.capacity)
            + u(4, self.page_size),
        )
        Shape(m, 64).absorb(transcript)
        transcript.absorb("entries", entries)
        return transcript

    def prove(
        self,
        index: int,
        values: Sequence[int],
        blindings: Sequence[int],
        child_ids: Sequence[bytes],
        secret: bytes,
        salt: bytes,
    ) -> bytes:
        """Return the page."""
        points = [encode(commit(v, r)) for v, r in zip(values, blindings, strict=True)]
        ids = child_ids or [b""] * len(points)
        entries = b"".join(i + point for i, point in zip(ids, points, strict=True))
        transcript = self.transcript(index, len(values), entries)
        argument = Prover(transcript, 64, values, blindings).prove(secret, salt)
        return self.header(index, len(values)) + entries + argument

    def header(self, index: int, count: int) -> bytes:
        """Return the header of a page."""
        return b"ASPG" + u(2, 1) + u(1, self.level) + u(4, index) + u(4, count)
