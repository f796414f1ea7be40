"""What is proved, as hashes: context, unit list, transcripts, and what names an account's leaf.

Sources: spec/protocol.md 1.3, 2.1, 2.2; spec/transcript.md section 3, items 1 to 4. Text is encoded
with its length, so that no two statements share their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import native
from verifier.format.params import (
    ARGUMENT_VERSION,
    BASE_POINT,
    GROUP_ORDER,
    POINT_BYTES,
    PROTOCOL_VERSION,
    TreeShape,
)
from verifier.format.tags import ARGUMENT, ASSET, CONTEXT, STATEMENT, tag
from verifier.format.wire import Asset, Chain, Manifest, Ratio, Unit

if TYPE_CHECKING:
    from verifier.format.evidence_records import HiddenSet


class Denomination(Protocol):
    """An asset's code, ledger decimals and units, as a manifest or its draft has them."""

    @property
    def code(self) -> str:
        """The code."""

    @property
    def decimals(self) -> int:
        """The ledger's decimals."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """What it is held in."""


def length_prefixed(data: bytes | str) -> bytes:
    """Return ``lp(data)``: a u32 length and the bytes, of a text in UTF-8."""
    raw = data.encode() if isinstance(data, str) else data
    return len(raw).to_bytes(4) + raw


def context(public_key: bytes, exchange: str, snapshot_id: str, time: int) -> bytes:
    """Return the 32-byte context of a snapshot; ``time`` in Unix seconds."""
    fields = (public_key, exchange, snapshot_id, time.to_bytes(8))
    return native.tagged_hash(tag("context"), b"".join(length_prefixed(field) for field in fields))


def manifest_context(manifest: Manifest) -> bytes:
    """Return the context of a manifest's snapshot."""
    return context(manifest.public_key, manifest.exchange, manifest.snapshot_id, manifest.time)


def manifest_digest(data: bytes) -> bytes:
    """Return the digest of the bytes of a manifest."""
    return native.tagged_hash(tag("manifest"), data)


def evidence_digest(data: bytes) -> bytes:
    """Return the digest of the bytes of an evidence file."""
    return native.tagged_hash(tag("evidence"), data)


def declaration_digest(data: bytes) -> bytes:
    """Return the digest of the bytes of a declaration."""
    return native.tagged_hash(tag("declaration"), data)


def units_digest(units: Iterable[Unit]) -> bytes:
    """Return the digest of an asset's unit list, in the order given."""
    encoded = [
        length_prefixed(unit.chain) + length_prefixed(unit.contract) + unit.decimals.to_bytes(1)
        for unit in units
    ]
    return native.tagged_hash(tag("units"), len(encoded).to_bytes(4) + b"".join(encoded))


def asset_statement(asset: Denomination) -> bytes:
    """Return the data of a transcript's item 3."""
    return length_prefixed(asset.code) + asset.decimals.to_bytes(1) + units_digest(asset.units)


def tree_of(context: bytes, asset: Denomination, shape: TreeShape) -> native.Tree:
    """Return an asset's tree as the core takes it: what every page and opening speaks of."""
    return native.Tree(context, asset_statement(asset), shape.capacity, shape.page_size)


def solvency_state(
    context: bytes, asset: Asset, assets_commitment: bytes, liabilities_commitment: bytes
) -> bytes:
    """Return the transcript state after item 4 of an asset's solvency argument.

    The commitments have 33 bytes each; all of them zero for infinity.
    """
    transcript = _transcript("solvency", context, asset)
    transcript.absorb(
        STATEMENT,
        asset.ratio.num.to_bytes(4)
        + asset.ratio.den.to_bytes(4)
        + asset.root
        + asset.evidence
        + assets_commitment
        + liabilities_commitment,
    )
    return transcript.state


def hidden_state(
    context: bytes, asset: Denomination, block: Chain, listed: HiddenSet, amounts: bytes
) -> bytes:
    """Return the transcript state after item 4 of the argument over a set of hidden keys.

    ``amounts`` are those that the reader computes: ledger units, 16 bytes a key.
    """
    transcript = _transcript("assets", context, asset)
    transcript.absorb(
        STATEMENT,
        length_prefixed(listed.chain)
        + length_prefixed(listed.contract)
        + block.height.to_bytes(8)
        + block.hash
        + (len(listed.keys) // POINT_BYTES).to_bytes(4)
        + len(listed.scripts).to_bytes(4)
        + b"".join(length_prefixed(script) for script in listed.scripts)
        + native.tagged_hash(tag("hidden-keys"), listed.keys)
        + native.tagged_hash(tag("hidden-amounts"), amounts)
        + listed.commitment,
    )
    return transcript.state


def leaf_identity(
    context: bytes, code: str, account_id: str, account_key: bytes, part: int
) -> bytes:
    """Return the 32-byte identity of one part of an account's balance.

    It is computed from the id that the customer typed: that is what binds a leaf to one customer.
    """
    fields = (context, code, account_id)
    leaf = native.tagged_hash(tag("leaf"), b"".join(length_prefixed(field) for field in fields))
    return native.identity(account_key, leaf, part)


def solvency_commitments(
    total: int, ratio: Ratio, liabilities: bytes, hidden: Sequence[bytes] = ()
) -> tuple[bytes, bytes]:
    """Return ``C_A = total·V + Σ C_h`` and ``den·C_A - num·C_L``; 33 bytes each, zeros: infinity.

    ``total`` is less than 2^96, so that nothing wraps; ``liabilities`` and the ``hidden`` C_h are
    points that decode.
    """
    points = BASE_POINT + b"".join(hidden)
    assets = native.msm(_scalar(total) + _scalar(1) * len(hidden), points)
    difference = native.msm(
        _scalar(ratio.den * total)
        + _scalar(ratio.den) * len(hidden)
        + _scalar(GROUP_ORDER - ratio.num),
        points + liabilities,
    )
    return assets, difference


def _scalar(value: int) -> bytes:
    return value.to_bytes(32)


def _transcript(
    kind: Literal["solvency", "assets"], context: bytes, asset: Denomination
) -> native.Transcript:
    transcript = native.Transcript()
    transcript.absorb(
        ARGUMENT,
        PROTOCOL_VERSION.to_bytes(2)
        + ARGUMENT_VERSION.to_bytes(2)
        + length_prefixed("secp256k1")
        + length_prefixed(tag("generator"))
        + length_prefixed(kind),
    )
    transcript.absorb(CONTEXT, context)
    transcript.absorb(ASSET, asset_statement(asset))
    return transcript
