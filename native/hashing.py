"""SHA-256, tagged hashes, and the transcript (spec/transcript.md, sections 1 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from native._core import ffi, lib
from native.buffers import items, whole

if TYPE_CHECKING:
    from typing_extensions import Buffer

DIGEST = 32


def sha256(data: Buffer) -> bytes:
    """Return the SHA-256 digest, 32 bytes, of ``data``."""
    digest = ffi.new("uint8_t[]", DIGEST)
    lib.assay_sha256(digest, *whole(data, "data"))
    return bytes(ffi.buffer(digest))


def tagged_hash(tag: Buffer, data: Buffer) -> bytes:
    """Return SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ data), 32 bytes (BIP 340)."""
    digest = ffi.new("uint8_t[]", DIGEST)
    lib.assay_tagged_hash(digest, *whole(tag, "tag"), *whole(data, "data"))
    return bytes(ffi.buffer(digest))


class Transcript:
    """A transcript: 32 bytes of state that absorb public data and yield challenges.

    Labels are ASCII without NUL, at most 255 bytes; another label raises ValueError.
    """

    def __init__(self) -> None:
        self._state = ffi.new("uint8_t[]", DIGEST)
        lib.assay_transcript_begin(self._state)

    @classmethod
    def from_state(cls, state: Buffer) -> Transcript:
        """Return a transcript in a state of 32 bytes."""
        transcript = cls()
        ffi.memmove(transcript._state, items(state, DIGEST, "state"), DIGEST)
        return transcript

    @property
    def state(self) -> bytes:
        """The state, 32 bytes."""
        return bytes(ffi.buffer(self._state))

    def absorb(self, label: Buffer, data: Buffer) -> None:
        """Absorb ``data`` of any length under ``label``."""
        _check_label(
            lib.assay_transcript_absorb(self._state, *whole(label, "label"), *whole(data, "data"))
        )

    def challenge(self, label: Buffer) -> bytes:
        """Return the challenge under ``label``, a scalar of 32 bytes, and step the state."""
        scalar = ffi.new("uint8_t[]", DIGEST)
        _check_label(lib.assay_transcript_challenge(scalar, self._state, *whole(label, "label")))
        return bytes(ffi.buffer(scalar))


def _check_label(status: int) -> None:
    if status != lib.ASSAY_OK:
        raise ValueError("a label is at most 255 bytes, without NUL")
