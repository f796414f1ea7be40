"""Provisions' proof of assets, to compare with.

Dagher, Bünz, Bonneau, Clark and Boneh, CCS 2015, protocol 1. For each key y with balance b·G there
are commitments p = s·(b·G) + v·H and l = s·y + t·H; a Sigma proof that one s opens both, and that
l = x·G + t·H, so that x is the private key where s = 1; and an OR proof that s is a bit.
Announcements are not sent: the verifier computes them from challenge and responses. Over
libsecp256k1 by coincurve, one key after another.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey, PublicKey

import native

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
H = PublicKey(native.generator(b"B", 0))


@dataclass(frozen=True)
class KeyProof:
    """What is published of a key: two points and eight scalars."""

    p: bytes
    l: bytes  # noqa: E741  # the paper's name
    scalars: tuple[int, ...]  # c, r_s, r_v, r_t, r_x, c_0, r_0, r_1

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.p) + len(self.l) + 32 * len(self.scalars)


def random_scalar() -> int:
    """A scalar that is not zero."""
    return secrets.randbelow(N - 1) + 1


def base(k: int) -> PublicKey:
    """k·G, k not zero mod the order."""
    return PrivateKey((k % N).to_bytes(32)).public_key


def times(point: PublicKey, k: int) -> PublicKey:
    """k·P."""
    return point.multiply((k % N).to_bytes(32))


def total(*points: PublicKey) -> PublicKey:
    """The sum of the points."""
    return PublicKey.combine_keys(list(points))


def challenge(points: Sequence[PublicKey]) -> int:
    """The challenge that follows all points of a key's proof."""
    data = b"".join(point.format() for point in points)
    return int.from_bytes(hashlib.sha512(data).digest()) % N


def prove(y: PublicKey, balance: int, private: int) -> KeyProof:
    """Prove one key; `private` is zero where it is not owned, `balance` at least 1."""
    b, s = base(balance), int(private != 0)
    v, t, w, fake_c, fake_r = (random_scalar() for _ in range(5))
    u1, u2, u3, u4 = (random_scalar() for _ in range(4))
    p, l = times(H, v), times(H, t)  # noqa: E741
    if s:
        p, l = total(p, b), total(l, y)  # noqa: E741
    shifted = total(p, times(b, N - 1)) if not s else times(H, v)
    announced = [
        total(times(b, u1), times(H, u2)),
        total(times(y, u1), times(H, u3)),
        total(base(u4), times(H, u3)),
    ]
    real = times(H, w)
    fake = total(times(H, fake_r), times(shifted if not s else p, -fake_c))
    branches = [fake, real] if s else [real, fake]
    c = challenge([y, b, p, l, *announced, *branches])
    r = w + (c - fake_c) * v
    c_0, r_0, r_1 = (fake_c, fake_r, r) if s else (c - fake_c, r, fake_r)
    responses = (u1 + c * s, u2 + c * v, u3 + c * t, u4 + c * private, c_0, r_0, r_1)
    return KeyProof(p.format(), l.format(), (c, *(value % N for value in responses)))


def verify(y: PublicKey, balance: int, proof: KeyProof) -> bool:
    """Whether the proof of one key holds; the commitment to the sum is the sum of the p."""
    b, p, l = base(balance), PublicKey(proof.p), PublicKey(proof.l)  # noqa: E741
    c, r_s, r_v, r_t, r_x, c_0, r_0, r_1 = proof.scalars
    from_l = times(l, -c)
    h_t = times(H, r_t)
    announced = [
        total(times(b, r_s), times(H, r_v), times(p, -c)),
        total(times(y, r_s), h_t, from_l),
        total(base(r_x), h_t, from_l),
    ]
    c_1 = (c - c_0) % N
    branches = [
        total(times(H, r_0), times(p, -c_0)),
        total(times(H, r_1), times(total(p, times(b, N - 1)), -c_1)),
    ]
    return challenge([y, b, p, l, *announced, *branches]) == c
