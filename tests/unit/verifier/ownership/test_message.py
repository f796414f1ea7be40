"""The signed message: its exact text, and that no two statements share one."""

from __future__ import annotations

import pytest

from verifier.format.keys import public_key_text
from verifier.ownership import ownership_message

KEY = public_key_text(b"\x5a" * 32)


def test_message_is_six_lines_without_a_last_line_feed() -> None:
    block_hash = bytes(range(32))
    assert ownership_message(KEY, "Caf\xe9 Exchange", "2026-q3", "bitcoin", block_hash) == (
        f"assay/v1/ownership\n{KEY}\nCaf\xe9 Exchange\n2026-q3\nbitcoin\n"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    )


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_block_hash_of_another_length(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ownership_message(KEY, "Exchange", "2026-q3", "bitcoin", bytes(length))


@pytest.mark.parametrize("field", range(4))
def test_field_of_two_lines(field: int) -> None:
    fields = [KEY, "Exchange", "2026-q3", "bitcoin"]
    fields[field] += "\n2026-q4"
    with pytest.raises(ValueError, match="more than one line"):
        ownership_message(fields[0], fields[1], fields[2], fields[3], bytes(32))
