"""SHA-256, tags, HMAC and the transcript against hashlib; the choice of the kernel."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from array import array
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import native
from native._core import ffi, lib
from tests.support.group_reference import N

# Around the block and padding edges.
LENGTHS = [*range(130), 183, 184, 191, 192, 193, 1000, 33 * 1024, 1 << 20]


@pytest.mark.parametrize("length", LENGTHS)
def test_sha256(length: int) -> None:
    data = Random(length).randbytes(length)
    assert native.sha256(data) == hashlib.sha256(data).digest()


def test_buffers_of_every_kind() -> None:
    digest = hashlib.sha256(bytes(range(64))).digest()
    data = bytes(range(64))
    for buffer in (
        data,
        bytearray(data),
        memoryview(data),
        memoryview(b"x" + data)[1:],
        array("Q", data),
    ):
        assert native.sha256(buffer) == digest


@pytest.mark.parametrize("chosen", [0, 1], ids=["portable", "chosen"])
def test_both_block_functions(chosen: int) -> None:
    initial = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A]
    initial += [0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
    for blocks in (1, 2, 3, 17):
        data = Random(blocks).randbytes(64 * blocks - 9)
        padded = data + b"\x80" + (8 * len(data)).to_bytes(8)
        state = ffi.new("uint32_t[8]", initial)
        has_other = lib.assay_test_sha256_blocks(state, padded, blocks, chosen)
        digest = b"".join(word.to_bytes(4) for word in state)
        assert digest == hashlib.sha256(data).digest()
        if chosen and not has_other:
            pytest.skip("cpu feature: no SHA instructions")


@pytest.mark.parametrize("spread", [0, 64, 65, 128], ids="stride {}".format)
def test_many_states_absorb_a_block_each(spread: int) -> None:
    """Numbers of states around those that are hashed side by side; each begins with its own."""
    for n in [*range(36), 47, 48, 49, 63, 64, 65, 96, 128]:
        data = Random(n).randbytes(spread * (n - 1) + 64 if n else 0)
        words = array("I", Random(-n).randbytes(32 * n))
        states, expected = ffi.new("uint32_t[]", [*words, 7]), []
        for i in range(n):
            state = ffi.new("uint32_t[8]", list(words[8 * i : 8 * i + 8]))
            lib.assay_test_sha256_blocks(state, data[spread * i :][:64], 1, 0)
            expected += list(state)
        lib.assay_test_absorb(states, ffi.from_buffer(data), spread, n)
        assert list(states) == [*expected, 7]


def tagged(tag: bytes, data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(tag).digest() * 2 + data).digest()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_tagged_hash(tag: bytes, data: bytes) -> None:
    assert native.tagged_hash(tag, data) == tagged(tag, data)


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac(key: bytes, data: bytes) -> None:
    digest = ffi.new("uint8_t[32]")
    lib.assay_hmac_sha256(digest, key, len(key), data, len(data))
    assert bytes(ffi.buffer(digest)) == hmac.digest(key, data, "sha256")


class PlainTranscript:
    """spec/transcript.md, section 3, word for word."""

    def __init__(self) -> None:
        self.state = self.hash(b"assay/v1")

    @staticmethod
    def hash(data: bytes) -> bytes:
        return tagged(b"assay/v1/transcript", data)

    def absorb(self, label: bytes, data: bytes) -> None:
        head = b"\1" + bytes([len(label)]) + label + len(data).to_bytes(8)
        self.state = self.hash(head + data + self.state)

    def challenge(self, label: bytes) -> bytes:
        head = b"\2" + bytes([len(label)]) + label + bytes(8) + self.state
        h = [self.hash(head + bytes([i])) for i in range(3)]
        self.state = h[2]
        return (int.from_bytes(h[0] + h[1]) % N).to_bytes(32)


LABELS = st.binary(max_size=255).map(lambda label: label.replace(b"\0", b"."))


@given(st.lists(st.tuples(LABELS, st.none() | st.binary(max_size=200)), max_size=12))
def test_transcript(steps: list[tuple[bytes, bytes | None]]) -> None:
    ours, plain = native.Transcript(), PlainTranscript()
    for label, data in steps:
        if data is None:
            assert ours.challenge(label) == plain.challenge(label)
        else:
            ours.absorb(label, data)
            plain.absorb(label, data)
        assert ours.state == plain.state
    resumed = native.Transcript.from_state(ours.state)
    assert resumed.challenge(b"x") == plain.challenge(b"x")


@pytest.mark.parametrize("label", [b"x" * 256, b"a\0b"])
def test_labels_are_checked(label: bytes) -> None:
    transcript = native.Transcript()
    with pytest.raises(ValueError, match="label"):
        transcript.absorb(label, b"")
    with pytest.raises(ValueError, match="label"):
        transcript.challenge(label)
    with pytest.raises(ValueError, match="state"):
        native.Transcript.from_state(bytes(31))


def kernel_of_a_new_process(name: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "ASSAY_KERNEL"}
    if name is not None:
        environment["ASSAY_KERNEL"] = name
    return subprocess.run(
        [sys.executable, "-c", "import native; print(native.kernel_name())"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_kernel_is_chosen() -> None:
    assert kernel_of_a_new_process("portable").stdout == "portable\n"
    assert kernel_of_a_new_process(None).stdout in {"avx512ifma\n", "portable\n"}


@pytest.mark.parametrize("name", ["", "fastest", "portable "])
def test_an_unknown_kernel_is_an_error(name: str) -> None:
    process = kernel_of_a_new_process(name)
    assert process.returncode != 0
    assert "ASSAY_KERNEL" in process.stderr
