"""The message that the holder of an address signs: one owner, one snapshot, one block."""

from __future__ import annotations

from verifier.format.tags import tag

BLOCK_HASH_BYTES = 32


def ownership_message(
    public_key_text: str, exchange: str, snapshot_id: str, chain: str, block_hash: bytes
) -> str:
    """Return the text to sign: six lines joined by LF, with no LF at the end.

    The lines are the protocol tag, the exchange's public key (its text, ``assay1…``), its
    name, the snapshot id, the chain, and the block hash in 64 lower-case hex digits, in the byte
    order in which the manifest stores it. So a signature made for another exchange, snapshot or
    block proves nothing here. As no field spans lines, two different statements never share a text.

    Raises:
        ValueError: a field spans more than one line, or the block hash is not 32 bytes long.
    """
    if len(block_hash) != BLOCK_HASH_BYTES:
        raise ValueError(f"a block hash has {BLOCK_HASH_BYTES} bytes")
    lines = (
        tag("ownership").decode(),
        public_key_text,
        exchange,
        snapshot_id,
        chain,
        block_hash.hex(),
    )
    if any("\n" in line for line in lines):
        raise ValueError("a field of an ownership message spans more than one line")
    return "\n".join(lines)
