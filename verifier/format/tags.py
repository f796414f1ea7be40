"""Every tag and label of the protocol: the tables of spec/transcript.md, 1.1 and 3.

The C core has those it hashes with in ``native/src/hash/tags.h``; a test compares both with the
specification.
"""

from __future__ import annotations

from typing import Final

TAGS: Final = frozenset(
    {
        "account-key",
        "argument-nonce",
        "argument-record",
        "argument-secret",
        "attestation",
        "context",
        "declaration",
        "entries-nonce",
        "entries-secret",
        "evidence",
        "exchange-list",
        "frozen",
        "generator",
        "hidden-amounts",
        "hidden-keys",
        "hidden-nonce",
        "holding-attestation",
        "identity",
        "identity-node",
        "identity-padding",
        "leaf",
        "leaves-nonce",
        "ledger",
        "manifest",
        "manifest-signature",
        "opening-nonce",
        "opening-secret",
        "ownership",
        "package-signature",
        "rotation",
        "shard",
        "shuffle",
        "snapshot-key",
        "split",
        "stream",
        "transcript",
        "units",
        "witness",
    }
)

# What a transcript absorbs before the C core goes on with it.
ARGUMENT, CONTEXT, ASSET, STATEMENT = b"argument", b"context", b"asset", b"statement"


def tag(purpose: str) -> bytes:
    """Return the tag of a purpose.

    Raises:
        ValueError: the specification has no such purpose.
    """
    if purpose not in TAGS:
        raise ValueError(f"{purpose}: no purpose of a tag")
    return b"assay/v1/" + purpose.encode("ascii")
