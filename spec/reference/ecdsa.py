"""Signatures over secp256k1: ECDSA (SEC 1), its strict DER form (BIP 66), Schnorr (BIP 340)."""

from __future__ import annotations

from spec.reference.group import N, Point, V, decode, lift_x, multi_multiply, negate
from spec.reference.transcript import bip340_hash


def parse_key(data: bytes) -> Point:
    """A public key in its compressed (33 bytes) or uncompressed (04, 65 bytes) form."""
    if len(data) == 33:
        return decode(data)
    if len(data) != 65 or data[0] != 4:
        raise ValueError("not a compressed or uncompressed public key")
    point = lift_x(int.from_bytes(data[1:33], "big"), data[64] & 1)
    if point is None or point[1] != int.from_bytes(data[33:], "big"):
        raise ValueError("the public key is not on the curve")
    return point


def parse_der(data: bytes) -> tuple[int, int]:
    """(r, s) of `30 length 02 length r 02 length s`, all in the shortest form."""

    def integer(at: int) -> tuple[int, int]:
        length = data[at + 1]
        body = data[at + 2 : at + 2 + length]
        if data[at] != 2 or len(body) != length or not length:
            raise ValueError("not an integer")
        if body[0] & 0x80 or (length > 1 and not body[0] and not body[1] & 0x80):
            raise ValueError("negative, or not the shortest form")
        return int.from_bytes(body, "big"), at + 2 + length

    try:
        r, at = integer(2)
        s, at = integer(at)
    except IndexError:
        raise ValueError("truncated") from None
    if data[0] != 0x30 or data[1] != len(data) - 2 or at != len(data) or len(data) > 72:
        raise ValueError("not strict DER")
    return r, s


def _require_low_s(r: int, s: int) -> None:
    if not (1 <= r < N and 1 <= s <= N // 2):
        raise ValueError("r or s out of range, or s not low")


def verify_ecdsa(key: Point, digest: bytes, r: int, s: int) -> bool:
    _require_low_s(r, s)
    inverse = pow(s, -1, N)
    h = int.from_bytes(digest, "big")
    R = multi_multiply([(h * inverse, V), (r * inverse, key)])
    return R is not None and R[0] % N == r


def recover(digest: bytes, r: int, s: int, recovery: int) -> Point:
    """The key whose signature this is: bit 0 of `recovery` is R's y parity, bit 1 that x ≥ n."""
    _require_low_s(r, s)
    R = lift_x(r + N * (recovery >> 1), recovery & 1)
    inverse = pow(r, -1, N)
    h = int.from_bytes(digest, "big")
    key = multi_multiply([(s * inverse, R), (-h * inverse, V)])
    if key is None:
        raise ValueError("the key would be infinity")
    return key


def verify_schnorr(x_only_key: bytes, message: bytes, signature: bytes) -> bool:
    """BIP 340, for a key of 32 and a signature of 64 bytes."""
    key = lift_x(int.from_bytes(x_only_key, "big"), odd=0)
    r, s = signature[:32], int.from_bytes(signature[32:], "big")
    if s >= N:
        return False
    e = int.from_bytes(bip340_hash(b"BIP0340/challenge", r + x_only_key + message), "big")
    R = multi_multiply([(s, V), (e, negate(key))])
    return R is not None and R[1] % 2 == 0 and R[0] == int.from_bytes(r, "big")
