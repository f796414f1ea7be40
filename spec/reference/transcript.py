"""Encodings, tagged hashes, generators and the transcript (transcript.md 1-3)."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from spec.reference.group import N, Point, V, lift_x, multi_multiply


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def lp(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return u32(len(data)) + data


def bip340_hash(tag: bytes, data: bytes) -> bytes:
    prefix = sha256(tag).digest()
    return sha256(prefix + prefix + data).digest()


def tag(purpose: str) -> bytes:
    return b"assay/v1/" + purpose.encode()


def tagged_hash(purpose: str, data: bytes) -> bytes:
    """H_purpose(data)."""
    return bip340_hash(tag(purpose), data)


@cache
def generator(name: str, index: int) -> Point:
    """The generator of a name and an index: the first hash that is an x-coordinate, with even y."""
    counter = 0
    while True:
        digest = tagged_hash("generator", name.encode() + u32(index) + u32(counter))
        try:
            return lift_x(int.from_bytes(digest, "big"), odd=0)
        except ValueError:
            counter += 1


def commit(value: int, blinding: int) -> Point:
    """Com(value, blinding)."""
    return multi_multiply([(value, V), (blinding, generator("B", 0))])


class Transcript:
    """The 32-byte state, which all challenges come from."""

    def __init__(self, state: bytes | None = None) -> None:
        self.state = tagged_hash("transcript", b"assay/v1") if state is None else state

    def absorb(self, label: str, data: bytes) -> None:
        name = label.encode()
        header = b"\x01" + bytes([len(name)]) + name + u64(len(data))
        self.state = tagged_hash("transcript", header + data + self.state)

    def challenge(self, label: str) -> int:
        name = label.encode()
        header = b"\x02" + bytes([len(name)]) + name + u64(0)
        h = [tagged_hash("transcript", header + self.state + bytes([i])) for i in range(3)]
        self.state = h[2]
        return int.from_bytes(h[0] + h[1], "big") % N
