"""Keys, splits, identities and streams against hashlib, hmac and plain integers."""

from __future__ import annotations

import hashlib
import hmac
from array import array
from itertools import accumulate, pairwise
from random import Random
from typing import Any

import pytest

import native
from tests.support.oracle import lp, tagged, u

KEY = bytes(range(32))
NAMES = ["a@b", "", "ü@ö.example", "x" * 128, "a@b", "名" * 40, "y" * 300]


def mac(key: bytes, *fields: bytes) -> bytes:
    return hmac.digest(key, b"".join(map(lp, fields)), "sha256")


def block(key: bytes, i: int) -> bytes:
    return tagged("stream", key + u(8, i))


def columns(names: list[str], before: bytes = b"") -> tuple[bytes, array[int]]:
    """Return ids and offsets, the first id beginning after ``before``."""
    encoded = [name.encode() for name in names]
    offsets = accumulate((len(name) for name in encoded), initial=len(before))
    return before + b"".join(encoded), array("Q", offsets)


@pytest.mark.parametrize("before", [b"", b"someone else"])
def test_account_keys(before: bytes) -> None:
    expected = b"".join(mac(KEY, b"assay/v1/account-key", name.encode()) for name in NAMES)
    assert native.account_keys(KEY, *columns(NAMES, before)) == expected


def test_no_accounts() -> None:
    assert native.account_keys(KEY, b"", array("Q", [0])) == b""
    assert native.split(b"", array("Q"), b"BTC", 1, 1) == (b"", b"")
    none = array("I")
    zero = array("Q", [0])
    native.place_leaves(*band(0), none, array("Q"), zero, none, b"", b"", zero, KEY, b"BTC")


@pytest.mark.parametrize("offsets", [[0, 2, 1], [0, 1, 4], [5, 5, 5]])
def test_offsets_outside_the_ids(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets"):
        native.account_keys(KEY, b"abc", array("Q", offsets))
    one_each, numbers = array("Q", [0, 1, 2]), array("Q", offsets)
    with pytest.raises(ValueError, match="offsets"):
        native.place_leaves(
            *band(2),
            array("I", [0, 1]),
            array("Q", [1, 1]),
            one_each,
            array("I", [0, 1]),
            bytes(64),
            b"abc",
            numbers,
            KEY,
            b"X",
        )


def test_stream() -> None:
    expected = b"".join(block(KEY, i) for i in range(9))
    assert native.stream(KEY, 0, 9) == expected
    assert native.stream(KEY, 4, 3) == expected[128:224]
    assert native.stream(KEY, 2**40 - 1, 2) == block(KEY, 2**40 - 1) + block(KEY, 2**40)
    assert native.stream(KEY, 0, 0) == b""


def order(n: int, bits: int, runs: list[int]) -> list[int]:
    """Return the positions of n leaves, made in runs of so many."""
    bounds = [0, *accumulate(runs)]
    assert bounds[-1] == n
    made = [native.sort_keys(KEY, start, stop - start, bits) for start, stop in pairwise(bounds)]
    groups, base = [bytearray() for _ in made], 0
    begins = [0] * len(made)
    for group in range(1 << bits):
        counts = [memoryview(each).cast("I")[group] for _, each in made]
        keys = b"".join(
            sorted_keys[8 * begin : 8 * (begin + count)]
            for (sorted_keys, _), begin, count in zip(made, begins, counts, strict=True)
        )
        ranks, at = native.rank(keys, bits, base), 0
        for run, count in enumerate(counts):
            groups[run] += ranks[4 * at : 4 * (at + count)]
            at += count
            begins[run] += count
        base += at
    positions = b"".join(
        native.take_ranks(KEY, start, bits, ranks, counts)
        for start, ranks, (_, counts) in zip(bounds, groups, made, strict=False)
    )
    return memoryview(positions).cast("I").tolist()


@pytest.mark.parametrize("bits", [0, 1, 5, 11])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 63, 64, 1000, 70_000, 300_000])
def test_order(n: int, bits: int) -> None:
    keys = memoryview(native.stream(KEY, 0, -(-n // 4))).cast("B")
    numbers = [int.from_bytes(keys[8 * t : 8 * t + 8]) for t in range(n)]
    wanted = sorted(range(n), key=numbers.__getitem__)
    for runs in ([n], [n // 3, 0, n // 2, n - n // 3 - n // 2]):
        positions = order(n, bits, runs)
        assert [positions[t] for t in wanted] == list(range(n))


def test_equal_sort_keys_stand_by_number() -> None:
    keys = array("Q", [7 << 40, 5 << 40, 7 << 40, 5 << 40, 0, 2**64 - 1, 2**64 - 1, 0])
    assert memoryview(native.rank(keys, 0, 10)).cast("I").tolist() == [
        *(14, 12, 15, 13, 10, 16, 17, 11)
    ]
    many = array("Q", [3]) * 5000
    assert memoryview(native.rank(many, 0, 0)).cast("I").tolist() == list(range(5000))


def test_counts_of_other_leaves_are_refused() -> None:
    _, counts = native.sort_keys(KEY, 0, 100, 4)
    numbers = memoryview(counts).cast("I").tolist()
    for wrong in (
        [numbers[0] + 1, *numbers[1:]],
        [numbers[0] - 1, *numbers[1:-1], numbers[-1] + 1],
        [2**32 - 1] * 16,
    ):
        with pytest.raises(ValueError, match="counts"):
            native.take_ranks(KEY, 0, 4, bytes(400), array("I", wrong))


def test_leaves_are_sorted_by_band() -> None:
    random = Random(6)
    positions = array("I", random.sample(range(100), 60))
    slots, places, counts = (
        memoryview(column).cast("I").tolist() for column in native.sort_positions(positions, 4, 7)
    )
    wanted = sorted(range(60), key=lambda t: positions[t] >> 4)
    assert [slots[t] for t in wanted] == list(range(60))
    assert places == [positions[t] & 15 for t in wanted]
    assert counts == [sum(p >> 4 == band for p in positions) for band in range(7)]
    with pytest.raises(ValueError, match="behind the last band"):
        native.sort_positions(array("I", [96]), 4, 6)
    with pytest.raises(ValueError, match="no tree"):
        native.sort_positions(array("I", [96]), 32, 6)


def test_leaves_are_gathered() -> None:
    random = Random(7)
    values, identities = band(50)
    places = array("I", random.sample(range(50), 40))
    amounts = array("Q", (random.getrandbits(64) for _ in places))
    made = [random.randbytes(32) for _ in places]
    native.gather_leaves(values, identities, places, amounts, b"".join(made))
    found = dict(zip(places, zip(amounts, made, strict=True), strict=True))
    for place in range(50):
        expected = found.get(place, (0, b"?" * 32))
        assert (values[place], bytes(identities[32 * place : 32 * place + 32])) == expected
    with pytest.raises(ValueError, match="behind the last one"):
        native.gather_leaves(*band(50), array("I", [50]), array("Q", [1]), KEY)
    with pytest.raises(ValueError, match="amounts"):
        native.gather_leaves(*band(50), array("I", [0]), array("Q"), KEY)


def band(length: int) -> tuple[array[int], bytearray]:
    return array("Q", [0]) * length, bytearray(b"?" * 32 * length)


def test_padding() -> None:
    places, made = array("I", Random(2).sample(range(40), 37)), band(40)[1]
    native.place_padding(made, places, KEY, 3)
    leaves = dict(zip(places, (block(KEY, i) for i in range(3, 40)), strict=True))
    assert made == b"".join(leaves.get(p, b"?" * 32) for p in range(40))


class Draws:
    """A stream read as big-endian u64."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.drawn = 0

    def next(self) -> int:
        at = self.drawn % 4 * 8
        self.drawn += 1
        return int.from_bytes(block(self.key, (self.drawn - 1) // 4)[at : at + 8])

    def uniform(self, m: int) -> int:
        if m == 1:
            return 0
        while True:
            drawn = self.next() & (1 << (m - 1).bit_length()) - 1
            if drawn < m:
                return drawn


def split(account_key: bytes, v: int, code: bytes, least: int, most: int) -> list[int]:
    """Return the parts of a balance."""
    if v == 0:
        return []
    draws = Draws(mac(account_key, b"assay/v1/split", code))
    high = min(most, v)
    low = min(least, high)
    k = low + draws.uniform(high - low + 1)
    cuts: set[int] = set()
    while len(cuts) < k - 1:
        cuts.add(1 + draws.uniform(v - 1))
    return [b - a for a, b in pairwise([0, *sorted(cuts), v])]


BALANCES = [0, 1, 2, 3, 4, 7, 8, 9, 1000, 2**32, 2**63 - 1, 2**64 - 1]


@pytest.mark.parametrize(
    ("least", "most"), [(1, 1), (1, 2), (2, 2), (1, 8), (3, 5), (4, 4), (7, 9), (1, 100), (90, 90)]
)
def test_split(least: int, most: int) -> None:
    random = Random(f"{least} {most}")
    balances = BALANCES + [random.getrandbits(random.randrange(64) + 1) for _ in range(200)]
    keys = [random.randbytes(32) for _ in balances]
    expected = [split(k, v, b"ETH", least, most) for k, v in zip(keys, balances, strict=True)]
    counts, amounts = native.split(b"".join(keys), array("Q", balances), b"ETH", least, most)
    assert list(memoryview(counts).cast("I")) == [len(parts) for parts in expected]
    assert list(memoryview(amounts).cast("Q")) == [part for parts in expected for part in parts]
    for parts, balance in zip(expected, balances, strict=True):
        assert sum(parts) == balance
        assert all(part > 0 for part in parts)
        assert min(least, balance) <= len(parts) <= most


def test_room_for_parts_grows_with_what_is_drawn() -> None:
    """Not with what the policy allows, which would be 32 GiB here."""
    balances, keys = [0, 3, 200, 1000, 1], [hashlib.sha256(bytes([i])).digest() for i in range(5)]
    most = 2**32 - 1
    expected = [split(k, v, b"ETH", 1, most) for k, v in zip(keys, balances, strict=True)]
    counts, amounts = native.split(b"".join(keys), array("Q", balances), b"ETH", 1, most)
    assert list(memoryview(counts).cast("I")) == [len(parts) for parts in expected]
    assert list(memoryview(amounts).cast("Q")) == [part for parts in expected for part in parts]
    assert native.split(b"", b"", b"ETH", 1, most) == (b"", b"")


def test_every_small_balance_is_split_into_ones() -> None:
    """As many parts as units: every cut is drawn, however often it comes again."""
    keys = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(64))
    counts, amounts = native.split(keys, array("Q", range(64)), b"X", 64, 64)
    assert list(memoryview(counts).cast("I")) == list(range(64))
    assert set(memoryview(amounts).cast("Q")) == {1}


def test_a_split_depends_on_key_and_code() -> None:
    balances = array("Q", [10**12])
    results = {
        native.split(key, balances, code, 5, 5)[1]
        for key in (KEY, bytes(32))
        for code in (b"BTC", b"ETH")
    }
    assert len(results) == 4


@pytest.mark.parametrize(("least", "most"), [(0, 0), (0, 3), (4, 3)])
def test_a_policy_out_of_order(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="least"):
        native.split(KEY, array("Q", [5]), b"X", least, most)


def test_leaves() -> None:
    random = Random(3)
    context, code, counts = random.randbytes(32), b"USDT", [1, 0, 3, 2, 1, 20, 2]
    # Whoever holds nothing need not be among the holders.
    holders = array("I", [0, 2, 3, 4, 5, 6])
    keys = [random.randbytes(32) for _ in NAMES]
    amounts = array("Q", (random.getrandbits(64) for _ in range(sum(counts))))
    positions = array("I", random.sample(range(40), sum(counts)))
    expected, part_of = {}, iter(zip(positions, amounts, strict=True))
    for key, name, count in zip(keys, NAMES, counts, strict=True):
        leaf = tagged("leaf", lp(context) + lp(code) + lp(name.encode()))
        for part in range(count):
            position, amount = next(part_of)
            expected[position] = (amount, tagged("identity", key + leaf + u(4, part)))
    account_keys = b"".join(keys)
    for before in (b"", b"abc"):
        ids, offsets = columns(NAMES, before)
        first = array("Q", accumulate((counts[i] for i in holders), initial=len(before)))
        values, made = band(40)
        native.place_leaves(
            *(values, made, positions, amounts, first, holders),
            *(account_keys, ids, offsets, context, code),
        )
        nothing = (0, b"?" * 32)
        wanted = [expected.get(position, nothing) for position in range(40)]
        assert values.tolist() == [amount for amount, _ in wanted]
        assert made == b"".join(identity for _, identity in wanted)


def test_wrong_lengths_are_misuse() -> None:
    ids, offsets = columns(NAMES)
    with pytest.raises(ValueError, match="snapshot_key"):
        native.account_keys(KEY[1:], ids, offsets)
    with pytest.raises(ValueError, match="account_keys"):
        native.split(KEY, array("Q", [1, 2]), b"X", 1, 1)
    unit, zero = array("Q", [5]), array("I", [0])
    right = (zero, unit, array("Q", [0, 1]), zero, KEY, b"a", array("Q", [0, 1]), KEY)
    native.place_leaves(*band(1), *right, b"X")
    for index, wrong, name in (
        (0, array("I"), "amounts"),
        (0, array("I", [1]), "places"),
        (1, array("Q"), "amounts"),
        (2, array("Q", [0, 2]), "first"),
        (2, array("Q", [1, 1]), "first"),
        (2, array("Q", [1, 0]), "first"),
        (2, array("Q", [0]), "first"),
        (3, array("I"), "first"),
        (3, array("I", [1]), "holders"),
        (4, KEY[1:], "account_keys"),
        (6, offsets, "account_keys"),
        (6, array("Q", [0, 2]), "offsets"),
        (7, KEY[1:], "context"),
    ):
        arguments: list[Any] = [*right, b"X"]
        arguments[index] = wrong
        with pytest.raises(ValueError, match=name):
            native.place_leaves(*band(1), *arguments)
    with pytest.raises(ValueError, match="identities"):
        native.place_leaves(band(1)[0], bytearray(31), *right, b"X")
    with pytest.raises(ValueError, match="identities"):
        native.place_padding(bytearray(31), zero, KEY, 0)
    with pytest.raises(ValueError, match="behind the last one"):
        native.place_padding(bytearray(32), array("I", [1]), KEY, 0)
    with pytest.raises(ValueError, match="key"):
        native.sort_keys(KEY + b"\0", 0, 1, 0)
    for first, n, bits in ((0, 2**30 + 1, 0), (2**30, 1, 0), (-2, 1, 0)):
        with pytest.raises(ValueError, match="no tree"):
            native.sort_keys(KEY, first, n, bits)
    for bits in (-1, 21):
        with pytest.raises(ValueError, match="no groups"):
            native.sort_keys(KEY, 0, 1, bits)
        with pytest.raises(ValueError, match="no groups"):
            native.rank(bytes(8), bits, 0)
    with pytest.raises(ValueError, match="no tree"):
        native.rank(bytes(8), 0, 2**30)
    with pytest.raises(ValueError, match="key"):
        native.stream(KEY + b"\0", 0, 1)
