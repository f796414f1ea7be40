"""Base58Check and bech32: one text for some bytes, the same as another library's."""

from __future__ import annotations

import random

import pytest

from prover import libraries as libraries  # isort: split

from embit import base58 as embit_base58
from embit import bech32 as embit_bech32

from verifier.format import base58, bech32

SEED = 20261121
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def some_bytes(random_: random.Random) -> bytes:
    return bytes(random_.randrange(4)) + random_.randbytes(random_.randrange(1, 40))


def test_base58_is_read_and_written_as_by_another_library() -> None:
    random_ = random.Random(SEED)
    for _ in range(300):
        data = some_bytes(random_)
        text = base58.encode_check(data)
        assert text == embit_base58.encode_check(data)
        assert base58.decode_check(text) == data


def test_changed_base58_is_refused() -> None:
    random_ = random.Random(SEED)
    for _ in range(300):
        text = base58.encode_check(some_bytes(random_))
        at = random_.randrange(len(text))
        for changed in (
            text[:at] + random_.choice(BASE58.replace(text[at], "")) + text[at + 1 :],
            "1" + text,
            text[:at] + random_.choice("0OIl \n\N{FULLWIDTH DIGIT ONE}\ud800") + text[at:],
        ):
            with pytest.raises(ValueError, match=r"letter|checksum"):
                print(SEED, changed, base58.decode_check(changed))
    for short in ("", "1", "11111"):
        with pytest.raises(ValueError, match="checksum"):
            base58.decode_check(short)


@pytest.mark.parametrize("constant", [bech32.BECH32, bech32.BECH32M])
def test_bech32_is_read_and_written_as_by_another_library(constant: int) -> None:
    random_ = random.Random(SEED)
    encoding = {
        bech32.BECH32: embit_bech32.Encoding.BECH32,
        bech32.BECH32M: embit_bech32.Encoding.BECH32M,
    }[constant]
    for _ in range(200):
        groups = random_.choices(range(32), k=random_.randrange(60))
        text = bech32.encode("bc", groups, constant)
        assert embit_bech32.bech32_decode(text) == (encoding, "bc", groups)
        assert bech32.decode("bc", text) == (groups, constant)


def test_changed_bech32_is_refused() -> None:
    random_ = random.Random(SEED)
    for _ in range(300):
        groups = random_.choices(range(32), k=random_.randrange(60))
        text = bech32.encode("bc", groups, random_.choice([bech32.BECH32, bech32.BECH32M]))
        at = random_.randrange(3, len(text))
        for changed in (
            text[:at] + random_.choice(BECH32.replace(text[at], "")) + text[at + 1 :],
            text.upper(),
            text[:at] + random_.choice("1bio \n\N{KELVIN SIGN}\ud800") + text[at:],
            "tb" + text[2:],
            "bc1" + text,
            text[:8],
        ):
            with pytest.raises(ValueError, match=r"prefix|letter|checksum"):
                print(SEED, changed, bech32.decode("bc", changed))


@pytest.mark.parametrize("length", [0, 1, 3, 20, 33])
def test_groups_hold_bytes_in_one_way(length: int) -> None:
    """The bits left over are fewer than five, and zero."""
    data = b"\xff" * length
    groups = embit_bech32.convertbits(data, 8, 5)
    assert bech32.pack(groups) == data
    for other in ([*groups, 0], [*groups[:-1], groups[-1] ^ 1] if 8 * length % 5 else [1]):
        with pytest.raises(ValueError, match="left over"):
            bech32.pack(other)
