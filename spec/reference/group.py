"""The group secp256k1 (transcript.md 1): points, their encoding, sums of multiples.

A point is a pair of affine coordinates, or None for infinity. The arithmetic is complete: every
function is right for infinity, for equal and for opposite points. Nothing here is constant-time;
a verifier holds no secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from gmpy2 import invert, mpz, powmod
from py_ecc.secp256k1 import secp256k1 as curve

P: Any = mpz(curve.P)
N = int(curve.N)

# gmpy2 integers are typed Any: their speed is their only use here.
Point: TypeAlias = tuple[Any, Any] | None
_Jacobian: TypeAlias = tuple[Any, Any, Any]  # (X, Y, Z) is (X/Z^2, Y/Z^3); Z = 0 is infinity

V: Point = (mpz(curve.G[0]), mpz(curve.G[1]))
_INFINITY: _Jacobian = (mpz(1), mpz(1), mpz(0))


def lift_x(x: int, odd: int) -> Point:
    """The point with coordinate x and the given parity of y; ValueError where there is none."""
    if not 0 <= x < P:
        raise ValueError("x is not a field element")
    square = (x * x * x + 7) % P
    y = powmod(square, (P + 1) // 4, P)
    if y * y % P != square:
        raise ValueError("x is not on the curve")
    # The order is odd, so no point has y = 0 and the two roots differ in parity.
    return (mpz(x), y if y % 2 == odd else P - y)


def decode(data: bytes) -> Point:
    """The point of 33 bytes; never infinity. ValueError where they encode none."""
    if len(data) != 33 or data[0] not in (2, 3):
        raise ValueError("not 33 bytes with prefix 02 or 03")
    return lift_x(int.from_bytes(data[1:], "big"), data[0] & 1)


def encode(point: Point) -> bytes:
    """33 bytes; infinity, which only a transcript may meet, is 33 zeros."""
    if point is None:
        return bytes(33)
    return bytes([2 + int(point[1] % 2)]) + int(point[0]).to_bytes(32, "big")


def negate(point: Point) -> Point:
    return None if point is None else (point[0], P - point[1])


def _double(a: _Jacobian) -> _Jacobian:
    x, y, z = a
    if not z:
        return a
    yy = y * y % P
    s = 4 * x * yy % P
    m = 3 * x * x
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def _add(a: _Jacobian, b: _Jacobian) -> _Jacobian:
    x1, y1, z1 = a
    x2, y2, z2 = b
    if not z1:
        return b
    if not z2:
        return a
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, s1 = x1 * zz2 % P, y1 * zz2 % P * z2 % P
    h = (x2 * zz1 - u1) % P
    r = (y2 * zz1 % P * z1 - s1) % P
    if not h:
        return _INFINITY if r else _double(a)
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 % P * z2 % P


def _add_affine(a: _Jacobian, b: tuple[Any, Any]) -> _Jacobian:
    """`_add` for b with Z = 1, which saves five multiplications."""
    x1, y1, z1 = a
    x2, y2 = b
    if not z1:
        return x2, y2, mpz(1)
    zz = z1 * z1 % P
    h = (x2 * zz - x1) % P
    r = (y2 * zz % P * z1 - y1) % P
    if not h:
        return _INFINITY if r else _double(a)
    hh = h * h % P
    hhh = h * hh % P
    v = x1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y1 * hhh) % P, h * z1 % P


def _affine(a: _Jacobian) -> Point:
    if not a[2]:
        return None
    inverse = invert(a[2], P)
    square = inverse * inverse % P
    return a[0] * square % P, a[1] * square % P * inverse % P


def total(points: Iterable[Point]) -> Point:
    """The sum of the points."""
    result = _INFINITY
    for point in points:
        if point is not None:
            result = _add_affine(result, point)
    return _affine(result)


def multi_multiply(terms: Iterable[tuple[int, Point]]) -> Point:
    """Σ scalar·point, by Pippenger's buckets.

    The scalars are cut into digits of w bits. For each digit place, from the highest, the points go
    into the bucket of their digit, and Σ digit·bucket is a sum of running sums.
    """
    pairs = [(scalar % N, point) for scalar, point in terms if point is not None and scalar % N]
    w = max(2, len(pairs).bit_length() - 2)
    result = _INFINITY
    for shift in range((256 + w - 1) // w * w - w, -1, -w):
        for _ in range(w):
            result = _double(result)
        buckets = [_INFINITY] * (1 << w)
        mask = (1 << w) - 1
        for scalar, point in pairs:
            digit = scalar >> shift & mask
            buckets[digit] = _add_affine(buckets[digit], point)
        running = window = _INFINITY
        for bucket in buckets[:0:-1]:
            running = _add(running, bucket)
            window = _add(window, running)
        result = _add(result, window)
    return _affine(result)
