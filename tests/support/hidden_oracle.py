"""The argument over hidden keys (spec/transcript.md, section 6), slowly and plainly: the prover.

Its nonces are the specified ones, so the core must give the same bytes. It can lie: ``bits`` may be
any integers, and ``Lie`` says what else is bent; the equation that then fails is the liar's choice.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import invert, mpz

from tests.support.forge import square_solution
from tests.support.oracle import (
    B,
    N,
    Nonces,
    Point,
    Transcript,
    V,
    add,
    bind,
    bits,
    combine,
    commit,
    encode,
    eq,
    fold,
    generator,
    lp,
    mul,
    tagged,
    u,
)


class FreshNonces(Nonces):
    """Section 6.5: the scalars of one key."""

    def __init__(self, fresh: bytes, state: bytes, witness: bytes) -> None:
        message = lp(b"assay/v1/hidden-nonce") + u(2, 1) + state + witness
        self.key = hmac.digest(fresh, message, "sha256")
        self.k = 0


@dataclass(frozen=True)
class Statement:
    """K keys, ascending by x, with amounts; what the prover owns: a secret for each key or 0."""

    keys: Sequence[Point]
    amounts: Sequence[int]
    secrets: Sequence[int]

    @property
    def nu(self) -> int:
        """Return the number of coordinates."""
        return (len(self.keys) - 1).bit_length()

    @property
    def owned(self) -> list[int]:
        """Return the bits o_i."""
        return [int(secret != 0) for secret in self.secrets]

    @property
    def total(self) -> int:
        """Return what the owned keys hold."""
        return sum(map(int.__mul__, self.owned, self.amounts))


@dataclass
class Lie:
    """What a cheating prover bends.

    bits: replaces o. total: what it says that C_h holds. key_sum: X as a function of ρ. residual:
    the equation, 1 to 4, that takes the difference when the claim is false.
    """

    bits: Sequence[int] | None = None
    total: int | None = None
    key_sum: Callable[[mpz], mpz] | None = None
    residual: int = 4


class HiddenProver:
    """One argument over a state of the transcript after item 4."""

    def __init__(self, state: bytes, statement: Statement, blinding: int, lie: Lie | None = None):
        lie = lie or Lie()
        self.transcript, self.statement, self.blinding = Transcript(state), statement, blinding
        self.lie = lie
        self.bits = [mpz(o) % N for o in (statement.owned if lie.bits is None else lie.bits)]
        self.total = statement.total if lie.total is None else lie.total
        self.proof = b""

    def prove(self, fresh: bytes) -> bytes:
        """Return the argument."""
        statement, nu, k = self.statement, self.statement.nu, len(self.statement.keys)
        shape = (k, 1, nu, nu, 1, 1 << nu)
        self.transcript.absorb("shape", b"".join(u(4, number) for number in shape))
        hashed = b"".join(u(32, x) for x in statement.secrets) + u(32, self.blinding)
        witness = tagged("witness", hashed)
        nonces = FreshNonces(fresh, self.transcript.state, witness)
        self.q = [generator(b"Q", j) for j in range(k)]
        self.row_blinding = nonces.next()
        self.send_row()
        self.send_rounds([[nonces.next() for _ in range(3)] for _ in range(nu)])
        rho_y, rho_2 = nonces.next(), nonces.next()
        self.send_opening(rho_y, rho_2, FreshNonces(fresh, self.transcript.state, witness))
        return self.proof

    def send_row(self) -> None:
        """Commit to the bits; draw τ, κ, ρ."""
        row = encode(add(combine(self.bits, self.q), mul(self.row_blinding, B)))
        self.proof += row
        self.transcript.absorb("rows", row)
        self.tau = [self.transcript.challenge("tau") for _ in range(self.statement.nu)]
        self.kappa = self.transcript.challenge("kappa")
        self.rho = self.transcript.challenge("rho")

    def send_rounds(self, blindings: list[list[mpz]]) -> None:
        """Run the sum-check; leave the point x, and the value and blinding of K_ν."""
        nu, k = self.statement.nu, len(self.bits)
        absent = [mpz(0)] * ((1 << nu) - k)
        e = [eq(self.tau, bits(i, nu)) for i in range(1 << nu)]
        d = self.bits + absent
        a = [mpz(amount) for amount in self.statement.amounts] + absent
        claim, blind = self.kappa * self.total % N, self.kappa * self.blinding % N
        self.x: list[mpz] = []
        for j, rho in enumerate(blindings, 1):
            p = {t: self.evaluate(t, e, a, d) for t in (0, 2, 3)}
            points = b"".join(encode(commit(p[t], r)) for t, r in zip(p, rho, strict=True))
            self.proof += points
            self.transcript.absorb("round", u(4, j) + points)
            x = self.transcript.challenge("x")
            claim, blind = fold(claim, p.values(), x), fold(blind, rho, x)
            e, a, d = (bind(table, x) for table in (e, a, d))
            self.x.append(x)
        self.claim, self.blind, self.d_star = claim, blind, d[0]
        self.e_star, self.w_star = e[0], self.kappa * a[0] % N

    def evaluate(self, t: int, e: list[mpz], a: list[mpz], d: list[mpz]) -> mpz:
        """Return p_j(t)."""
        total = mpz(0)
        for i in range(0, len(d), 2):
            et, at, dt = (f[i] + t * (f[i + 1] - f[i]) for f in (e, a, d))
            total += et * (dt * dt - dt) + self.kappa * at * dt
        return total % N

    def opened(self, right: Sequence[mpz]) -> tuple[list[mpz], mpz, mpz]:
        """Return z and the values of Y and Y2: the truth, or what the liar's equation asks for.

        Δ commits to zero when claim - e*·y2 + (e* - κw*)·y = 0; equation 3 asks for y2 = ⟨z,P⟩·y.
        Raises ValueError when the liar's quadratic has no root under these challenges.
        """
        z, d, shift = list(self.bits), self.d_star, self.e_star - self.w_star
        if self.lie.residual == 3:
            return z, d, (self.claim + shift * d) * invert(self.e_star, N) % N
        if self.lie.residual == 2:
            y = self.claim * invert(self.e_star * d - shift, N) % N
            return z, y, d * y % N
        if self.lie.residual == 1:
            y = mpz(square_solution(int(self.e_star), int(shift), int(self.claim)))
            z[0] += (y - d) * invert(right[0], N)
            return z, y, y * y % N
        return z, d, d * d % N

    def send_opening(self, rho_y: mpz, rho_2: mpz, nonces: Nonces) -> None:
        """Send Y, Y2, the announcements and the responses."""
        statement, k = self.statement, len(self.bits)
        right = [eq(self.x, bits(j, statement.nu)) for j in range(k)]
        z, y, y2 = self.opened(right)
        big_y, big_y2 = commit(y, rho_y), commit(y2, rho_2)
        masks = [nonces.next() for _ in range(k)]
        mask_t, mask_y, mask_2, mask_delta, mask_x = (nonces.next() for _ in range(5))
        powers = [pow(self.rho, i + 1, N) for i in range(k)]
        d_mask = sum(map(mpz.__mul__, masks, right)) % N
        owned = combine([m * p % N for m, p in zip(masks, powers, strict=True)], statement.keys)
        points = (
            big_y,
            big_y2,
            add(combine(masks, self.q), mul(mask_t, B)),
            commit(d_mask, mask_y),
            add(mul(d_mask, big_y), mul(mask_2, B)),
            mul(mask_delta, B),
            add(owned, mul(N - mask_x, V)),
        )
        announcements = b"".join(encode(point) for point in points)
        self.transcript.absorb("announcements", announcements)
        e = self.transcript.challenge("e")
        key_sum = sum(o * p * x for o, p, x in zip(z, powers, statement.secrets, strict=True))
        if self.lie.key_sum is not None:
            key_sum = self.lie.key_sum(self.rho)
        d_star = sum(map(mpz.__mul__, z, right)) % N
        delta_blinding = self.blind - self.e_star * rho_2 + (self.e_star - self.w_star) * rho_y
        responses = [mask + e * z_j for mask, z_j in zip(masks, z, strict=True)]
        responses += [
            mask_t + e * self.row_blinding,
            mask_y + e * rho_y,
            mask_2 + e * (rho_2 - d_star * rho_y),
            mask_delta + e * delta_blinding,
            mask_x + e * key_sum,
        ]
        self.proof += announcements + b"".join(u(32, response % N) for response in responses)
