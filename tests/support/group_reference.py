"""Plain arithmetic that the core is compared with: py_ecc for the group, integers for the rest.

``skewed`` draws what uniform randomness never does: runs of ones and zeros, edges of limbs, and
neighbours of 0, p, n and 2^256.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from py_ecc.secp256k1 import secp256k1

P = secp256k1.P
N = secp256k1.N
G: tuple[int, int] = (int(secp256k1.Gx), int(secp256k1.Gy))
INFINITY = bytes(33)

Point = tuple[int, int] | None


def add(a: Point, b: Point) -> Point:
    """Return a + b; None is infinity."""
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    result: Any = secp256k1.add(a, b)
    return (int(result[0]), int(result[1]))


def multiply(a: Point, k: int) -> Point:
    """Return k·a for any integer k."""
    k %= N
    if a is None or k == 0:
        return None
    result: Any = secp256k1.multiply(a, k)
    return (int(result[0]), int(result[1]))


def encode(a: Point) -> bytes:
    """Return 33 bytes; infinity is zeros."""
    return INFINITY if a is None else bytes([2 + a[1] % 2]) + a[0].to_bytes(32)


@cache
def multiple(k: int) -> Point:
    """Return k·G for small k, by addition from its neighbour."""
    if k < 0:
        positive = multiple(-k)
        return None if positive is None else (positive[0], P - positive[1])
    return None if k == 0 else add(multiple(k - 1), G)


@cache
def encoded_multiple(k: int) -> bytes:
    """Return the encoding of k·G for small k."""
    return encode(multiple(k))


def skewed(random: Random, bits: int = 256) -> int:
    """Return an integer below 2^bits that is often extreme."""
    choice = random.randrange(6)
    if choice == 0:
        value = random.getrandbits(bits)
    elif choice == 1:
        value = random.choice(
            [0, P, N, 2**256, 2**32 + 977, 2**256 - N, N // 2, P // 2]
        ) + random.randint(-3, 3)
    elif choice == 2:
        value = (1 << random.choice([52, 64, 104, 128, 156, 192, 208, 255, 256])) + random.randint(
            -2, 2
        )
    elif choice == 3:
        value = sum(random.choice([0, 1, 2**52 - 1, 2**51]) << 52 * i for i in range(5))
    else:
        value, at = 0, 0
        while at < bits:
            run = random.choice([1, 2, 13, 51, 52, 53, 63, 64, 100])
            value |= ((1 << run) - 1) * random.randrange(2) << at
            at += run
    return value % (1 << bits)
