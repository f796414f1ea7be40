"""Every secret of a snapshot, derived from the master key (``spec/protocol.md`` 2.4).

One purpose, one tag: no two derivations share an input, and nothing is drawn from the operating
system, so a proof that is resumed is the same bytes.
"""

from __future__ import annotations

import hmac

from verifier.format.statement import length_prefixed
from verifier.format.tags import tag


def derive(key: bytes, purpose: str, *fields: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA-256 under ``key`` of the purpose's tag and the fields.

    Tag and fields are each preceded by their length.
    """
    message = b"".join(map(length_prefixed, (tag(purpose), *fields)))
    return hmac.digest(key, message, "sha256")


def snapshot_key(
    master_key: bytes, snapshot_id: str, ledger_digest: bytes, parameters: bytes, salt: bytes
) -> bytes:
    """Return the key of one snapshot, 32 bytes.

    ``parameters`` is the canonical msgpack of every input that changes a leaf's value, count or
    order, so that no blinding factor ever meets two amounts.
    """
    return derive(master_key, "snapshot-key", snapshot_id.encode(), ledger_digest, parameters, salt)
