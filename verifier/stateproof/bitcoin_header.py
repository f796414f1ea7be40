"""Headers of Bitcoin's blocks: 80 bytes, whose hash names the block and which tell its time.

A header says nothing of the block's height, nor of what was unspent at it. Source: Bitcoin's
developer reference, block headers.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import Code, Rejected
from verifier.format.bitcoin_hashes import double_sha256
from verifier.format.evidence_records import StateProof
from verifier.format.wire import Chain

HEADER_BYTES = 80

_TIME = slice(68, 72)


@dataclass(frozen=True)
class BlockHeader:
    """A block's ``hash`` as displayed, and the ``time``, in Unix seconds, at which it was mined."""

    hash: bytes
    time: int


def parse_block_header(data: bytes) -> BlockHeader:
    """Read an untrusted header.

    Raises:
        ValueError: it has not 80 bytes.
    """
    if len(data) != HEADER_BYTES:
        raise ValueError(f"a header of bitcoin has {HEADER_BYTES} bytes")
    digest = double_sha256(data)
    return BlockHeader(digest[::-1], int.from_bytes(data[_TIME], "little"))


def check_block_header(code: str, proof: StateProof, block: Chain | None) -> BlockHeader:
    """Return the header of a proof without nodes, which is that of the manifest's block.

    Raises:
        Rejected: ``proof.bad-header``, ``proof.wrong-block`` or ``proof.unused-node``.
    """
    where = f"{code}, proof of {proof.chain}"
    try:
        header = parse_block_header(proof.header)
    except ValueError as error:
        raise Rejected(Code.PROOF_BAD_HEADER, where, str(error)) from None
    if block is None or header.hash != block.hash:
        raise Rejected(Code.PROOF_WRONG_BLOCK, where, "not the header of the manifest's block")
    if proof.nodes:
        raise Rejected(Code.PROOF_UNUSED_NODE, where, "bitcoin's blocks prove no state")
    return header
