"""UTXO snapshots: the totals are those of a plain addition; every malformed file is refused."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native import FoundCoin, NativeError, UtxoScanner
from tests.support.bitcoin_snapshot import (
    MAIN,
    REGTEST,
    Unspent,
    coin_bytes,
    compact,
    compress_amount,
    compress_script,
    head,
    snapshot,
    varint,
)
from tests.support.ownership_forge import LONG_KEY, PUBLIC_KEYS, multisig, p2pkh, p2sh, p2wsh
from verifier.errors import CannotCheck
from verifier.nodes.utxo_snapshot import UtxoSnapshot, script_key

BLOCK = sha256(b"block").digest()
HEIGHT = 900_000
SUPPLY = 2_100_000_000_000_000

# One of every form that has a key, and forms that have none.
SOUGHT = [
    p2pkh(PUBLIC_KEYS[0]),
    p2sh(b"script"),
    b"\x21\x02" + PUBLIC_KEYS[1][1:] + b"\xac",
    b"\x21\x03" + PUBLIC_KEYS[1][1:] + b"\xac",
    b"\x41" + LONG_KEY + b"\xac",
    b"\x00\x14" + p2pkh(PUBLIC_KEYS[0])[3:23],
    p2wsh(b"script"),
    b"\x51\x20" + PUBLIC_KEYS[0][1:],
]
OTHERS = [
    p2pkh(PUBLIC_KEYS[1]),
    # a point off the curve, which no compression restores
    b"\x41" + LONG_KEY[:-1] + bytes([LONG_KEY[-1] ^ 2]) + b"\xac",
    multisig(1, PUBLIC_KEYS[:2]),
    b"",
    b"\x51",
    b"\x00\x14" + bytes(19),
    b"\x00\x13" + bytes(20),
    b"\x51\x14" + p2pkh(PUBLIC_KEYS[0])[3:23],
    b"\x52\x20" + PUBLIC_KEYS[0][1:],
    b"\x52\x21" + PUBLIC_KEYS[0],
    SOUGHT[0] + b"\x61",
    b"\x61" * 10_000,
]


def written(folder: Path, data: bytes) -> UtxoSnapshot:
    path = folder / "utxo.dat"
    path.write_bytes(data)
    return UtxoSnapshot(path)


def refusal(folder: Path, data: bytes) -> str:
    path = folder / "utxo.dat"
    path.write_bytes(data)
    with pytest.raises(CannotCheck) as refused:
        UtxoSnapshot(path).totals(SOUGHT)
    assert refused.value.code == "check.unreadable"
    assert str(path) in refused.value.message
    return refused.value.message.removeprefix(f"{path}: ")


coins = st.builds(
    Unspent,
    txid=st.binary(min_size=1, max_size=1).map(lambda b: b * 32),
    index=st.one_of(st.integers(0, 300), st.integers(16_000, 17_000), st.integers(0, 2**32 - 1)),
    amount=st.one_of(
        st.integers(0, 10**12),
        st.builds(lambda n, z: n * 10**z, st.integers(0, 99), st.integers(0, 9)),
    ),
    script=st.sampled_from(SOUGHT + OTHERS),
    height=st.integers(0, HEIGHT),
    coinbase=st.booleans(),
)


@given(
    st.lists(coins, max_size=40, unique_by=lambda coin: (coin.txid, coin.index)), st.integers(0, 8)
)
def test_totals_are_plain_sums(
    tmp_path_factory: pytest.TempPathFactory, unspent: list[Unspent], listed: int
) -> None:
    file = written(tmp_path_factory.getbasetemp(), snapshot(BLOCK, unspent))
    assert (file.block_hash, file.coins) == (BLOCK, len(unspent))
    found: list[FoundCoin] = []
    totals, highest = file.totals(SOUGHT, listed=listed, found=found.append)
    assert highest == max((coin.height for coin in unspent), default=0)
    sums: Counter[bytes] = Counter()
    for coin in unspent:
        sums[coin.script] += coin.amount
    assert list(totals) == [sums[script] for script in SOUGHT]
    assert {(SOUGHT[c.script], c.txid, c.index, c.amount, c.height) for c in found} == {
        (c.script, c.txid, c.index, c.amount, c.height)
        for c in unspent
        if c.script in SOUGHT[:listed]
    }
    assert len(found) == sum(coin.script in SOUGHT[:listed] for coin in unspent)


def test_pieces_of_any_size() -> None:
    """The same however the file is cut, also where more is found than there is room for."""
    random = Random(7)
    unspent = [
        Unspent(random.randbytes(32), index, random.randrange(10**9), SOUGHT[index % 8], 5)
        for index in range(9000)
    ]
    data = snapshot(BLOCK, unspent)[51:]
    keys = b"".join(map(script_key, SOUGHT))
    for size in (1, 50, 4096, len(data)):
        scanner = UtxoScanner(keys, 8, len(unspent))
        found, pending = 0, b""
        part = data[:3000] if size == 1 else data
        for at in range(0, len(part), size):
            pending += part[at : at + size]
            while True:
                used, coins_found = scanner.scan(pending)
                pending = pending[used:]
                found += len(coins_found)
                if not used:
                    break
        if size > 1:
            assert (scanner.left, pending, found) == (0, b"", 9000)
            assert sum(scanner.totals) == sum(coin.amount for coin in unspent)
        else:
            assert len(pending) < 80


def test_many_scripts_and_a_file_of_several_pieces(tmp_path: Path) -> None:
    random = Random(11)
    scripts = [b"\x51\x20" + random.randbytes(32) for _ in range(50_000)]
    unspent = [
        Unspent(
            random.randbytes(32),
            0,
            1000 + at,
            scripts[at % 60_000] if at % 60_000 < 50_000 else b"\x51",
            9,
        )
        for at in range(120_000)
    ]
    data = snapshot(BLOCK, unspent)
    assert len(data) > 1 << 22
    seen: list[int] = []
    totals, _ = written(tmp_path, data).totals(iter(scripts), progress=seen.append)
    assert list(totals) == [1000 + at + 1000 + at + 60_000 for at in range(50_000)]
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == 120_000


def test_every_truncation_and_anything_after_the_end(tmp_path: Path) -> None:
    unspent = [Unspent(bytes([at]) * 32, at, 5 * at, script, 3) for at, script in enumerate(SOUGHT)]
    data = snapshot(BLOCK, unspent)
    for length in range(len(data)):
        message = refusal(tmp_path, data[:length])
        assert ("coins too early" if length >= 51 else "not a UTXO snapshot") in message
    for more in (b"\0", b"x" * (1 << 22)):
        assert "goes on after its last coin" in refusal(tmp_path, data + more)
    assert "goes on" in refusal(tmp_path, head(BLOCK, 0) + b"\0")
    assert list(written(tmp_path, head(BLOCK, 0)).totals(SOUGHT)[0]) == [0] * 8


SOME = Unspent(b"\x07" * 32, 1, 5, SOUGHT[0], 3)
TXID = SOME.txid


def raw(*parts: bytes, count: int = 1) -> bytes:
    return head(BLOCK, count) + b"".join(parts)


def raw_coin(
    index: bytes = b"\x01",
    code: bytes = b"\x06",
    amount: bytes = b"\x05",
    script: bytes = compress_script(SOUGHT[0]),
) -> bytes:
    return index + code + amount + script


def amount_code(amount: int) -> bytes:
    return varint(compress_amount(amount))


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (raw(TXID, b"\0", raw_coin()), 51),
        (raw(TXID, b"\x02", raw_coin(), raw_coin(b"\x02")), 51),  # more than the head counts
        (raw(TXID, b"\x02", raw_coin(), raw_coin(), count=2), 51 + 33 + 24),
        (raw(TXID, b"\x02", raw_coin(), raw_coin(b"\0"), count=2), 51 + 33 + 24),
        # in the database's order 16,512 stands before 256
        (
            raw(TXID, b"\x02", raw_coin(b"\xfd\0\x01"), raw_coin(compact(16_512)), count=2),
            51 + 33 + 26,
        ),
        (raw(*[TXID, b"\x01", raw_coin()] * 2, count=2), 51 + 33 + 24),
        (raw(TXID, b"\x01", raw_coin(), b"\x06" * 32, b"\x01", raw_coin(), count=2), 51 + 33 + 24),
        (raw(TXID, b"\xfd\x01\0", raw_coin()), 51),
        (raw(TXID, b"\x01", raw_coin(b"\xfd\x01\0")), 51),
        (raw(TXID, b"\x01", raw_coin(b"\xfe\xff\xff\0\0")), 51),
        (raw(TXID, b"\x01", raw_coin(b"\xff\xff\xff\xff\xff\0\0\0\0")), 51),
        (raw(TXID, b"\x01", raw_coin(b"\xff\0\0\0\0\x01\0\0\0")), 51),
        (raw(TXID, b"\x01", raw_coin(code=varint(2**32))), 51),
        (raw(TXID, b"\x01", raw_coin(code=b"\xff" * 11)), 51),
        (raw(TXID, b"\x01", raw_coin(amount=amount_code(SUPPLY + 1))), 51),
        (raw(TXID, b"\x01", raw_coin(amount=varint(2**63 - 1))), 51),
        (raw(TXID, b"\x01", raw_coin(amount=varint(2**64))), 51),
        (raw(TXID, b"\x01", raw_coin(amount=b"\xff" * 4096)), 51),
        (
            raw(TXID, b"\x02", raw_coin(amount=amount_code(SUPPLY)), raw_coin(b"\x02"), count=2),
            51 + 33 + 27,
        ),
        (raw(TXID, b"\x01", raw_coin(script=varint(10_007) + bytes(10_001))), 51),
        (raw(TXID, b"\x01", raw_coin(script=varint(2**32) + bytes(40_000))), 51),
        (raw(b"\xff" * 5000, count=2**64 - 1), 51),
    ],
)
def test_malformed_coins(tmp_path: Path, data: bytes, at: int) -> None:
    assert refusal(tmp_path, data) == f"the coin at byte {at} is malformed"


def test_the_bounds_themselves_are_allowed(tmp_path: Path) -> None:
    unspent = [
        replace(SOME, amount=SUPPLY, height=2**31 - 1, index=256),
        replace(SOME, amount=0, index=16_512, script=b"\x61" * 10_000),
        replace(SOME, amount=0, index=2**32 - 1, height=0),
    ]
    totals, highest = written(tmp_path, snapshot(BLOCK, unspent)).totals(SOUGHT)
    assert (totals[0], highest) == (SUPPLY, 2**31 - 1)


def old_head(coins: int) -> bytes:
    """How a snapshot of Core 27 begins: a hash that ends in zeros, as it has work, and a number."""
    return BLOCK[:30] + bytes(2) + coins.to_bytes(8, "little") + bytes(11)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "not a UTXO snapshot of Bitcoin Core"),
        (b"x" * 200, "not a UTXO snapshot of Bitcoin Core"),
        (head(BLOCK, 0)[:50], "not a UTXO snapshot of Bitcoin Core"),
        (bytes(200), "not a UTXO snapshot of Bitcoin Core"),
        (old_head(100), "made by Bitcoin Core 27 or older: dump again with 28 or later"),
        (old_head(100)[:40], "made by Bitcoin Core 27 or older: dump again with 28 or later"),
        (old_head(0), "not a UTXO snapshot of Bitcoin Core"),
        (old_head(1 << 40), "not a UTXO snapshot of Bitcoin Core"),
        (BLOCK + old_head(100)[32:], "not a UTXO snapshot of Bitcoin Core"),
        (
            head(BLOCK, 0, version=1),
            "the version of the snapshot is 1, not 2: dump again with Bitcoin Core 28",
        ),
        (head(BLOCK, 0, version=3), "the version of the snapshot is 3, not 2: update Assay"),
        (head(BLOCK, 0, network=REGTEST), "the snapshot is of another network"),
    ],
)
def test_heads(tmp_path: Path, data: bytes, rule: str) -> None:
    assert refusal(tmp_path, data) == rule


def test_files_that_are_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero"), tmp_path / "absent"):
        with pytest.raises(CannotCheck) as refused:
            UtxoSnapshot(path)
        assert refused.value.code == "check.unreadable"


def test_a_file_that_changes_after_its_head_was_read(tmp_path: Path) -> None:
    file = written(tmp_path, snapshot(BLOCK, [SOME]))
    file.path.write_bytes(snapshot(sha256(BLOCK).digest(), [SOME]))
    with pytest.raises(CannotCheck, match="changed"):
        file.totals(SOUGHT)


def test_scripts_that_cannot_be_looked_for(tmp_path: Path) -> None:
    file = written(tmp_path, snapshot(BLOCK, [SOME]))
    for script in OTHERS[1:]:
        with pytest.raises(ValueError, match=r"known form|public key"):
            file.totals([script])
    with pytest.raises(NativeError) as twice:
        file.totals([*SOUGHT, SOUGHT[3]])
    assert twice.value.index == 8
    assert list(file.totals([])[0]) == []


@pytest.mark.parametrize("arguments", [(b"x" * 32, 0, 1), (b"x" * 33, 2, 1), (b"x" * 33, -1, 1)])
def test_scanner_arguments(arguments: tuple[bytes, int, int]) -> None:
    with pytest.raises(ValueError, match="script keys"):
        UtxoScanner(*arguments)


def test_changed_bytes_give_totals_or_one_error(tmp_path: Path) -> None:
    """Nothing but `CannotCheck` comes out, and what is read is what the changed bytes say."""
    unspent = [
        Unspent(bytes([at]) * 32, at, 5 * at, script, 3)
        for at, script in enumerate(SOUGHT + OTHERS[:6])
    ]
    data = snapshot(BLOCK, unspent)
    random, read = Random(13), 0
    for at in range(51, len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << random.randrange(8)
        file = written(tmp_path, bytes(changed))
        with suppress(CannotCheck):
            assert sum(file.totals(SOUGHT)[0]) <= SUPPLY
            read += 1
    assert 0 < read < len(data) - 51


def test_the_writer_against_known_encodings() -> None:
    """Bitcoin Core's own examples of its three encodings."""
    numbers = 0, 127, 128, 255, 256, 16_383, 16_384, 16_511, 65_535, 2**32
    encoded = "00 7f 8000 807f 8100 fe7f ff00 ff7f 82fe7f 8efefeff00"
    assert [varint(number).hex() for number in numbers] == encoded.split()
    known = {0: 0, 1: 1, 1_000_000: 7, 10**8: 9, 50 * 10**8: 0x32, SUPPLY: 0x1406F40}
    assert {amount: compress_amount(amount) for amount in known} == known
    assert coin_bytes(SOME)[:3] == b"\x01\x06" + amount_code(5)
    assert MAIN != REGTEST
