"""Vectors of headers of Bitcoin's blocks, which tell a block's time and prove no amount."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from tests.support.bases import derived, forged
from tests.support.forger import Fields, Lies
from tests.support.vector import Vector

TIME = 1767225600
ETHEREUM = ("ethereum", 24_000_000, bytes(31) + b"\x02")


def block_header(time: int) -> bytes:
    """A header of bitcoin that nobody mined: version, parent, root, time, target and nonce."""
    root = sha256(b"transactions").digest()
    return (4).to_bytes(4, "little") + bytes(32) + root + time.to_bytes(4, "little") + bytes(8)


def block_hash(header: bytes) -> bytes:
    """As displayed."""
    return sha256(sha256(header).digest()).digest()[::-1]


def shown(
    header: bytes, nodes: Sequence[bytes] = (), *, block: bytes | None = None
) -> dict[str, bytes]:
    """The honest exchange with a header in the evidence of BTC; ``block`` is the manifest's."""

    def lie(code: str, fields: Fields) -> None:
        if code == "BTC":
            proof = {"chain": "bitcoin", "header": header, "nodes": list(nodes)}
            fields["proofs"] = [proof]

    chains = [("bitcoin", 900_000, block or block_hash(header)), ETHEREUM]
    return dict(forged(Lies(evidence=lie), chains=chains))


def vectors() -> Iterator[Vector]:
    def vector(name: str, description: str, code: str | None, files: dict[str, bytes]) -> Vector:
        shows = {} if code else {"times": {"bitcoin": TIME}}
        source = "headers of bitcoin"
        content: dict[str, Any] = {"of": "honest", **shows}
        return derived(f"block-header-{name}", description, source, code, files, **content)

    honest = block_header(TIME)
    yield vector("true", "The header of the manifest's block.", None, shown(honest))
    for name, spoilt in (
        ("short", honest[:-1]),
        ("long", honest + bytes(1)),
        ("one", honest[:1]),
        ("full", bytes(4096)),
    ):
        yield vector(
            name,
            f"A header of {len(spoilt)} bytes.",
            "proof.bad-header",
            shown(spoilt, block=block_hash(spoilt)),
        )
    yield vector(
        "other",
        "The header of another block.",
        "proof.wrong-block",
        shown(block_header(TIME + 1), block=block_hash(honest)),
    )
    yield vector(
        "reversed",
        "The manifest names the block by its hash in the order of bytes, not of display.",
        "proof.wrong-block",
        shown(honest, block=block_hash(honest)[::-1]),
    )
    once = sha256(honest).digest()[::-1]
    yield vector("once", "The hash is taken once.", "proof.wrong-block", shown(honest, block=once))
    yield vector(
        "nodes", "A node, which nothing needs.", "proof.unused-node", shown(honest, [b"\x01"])
    )
