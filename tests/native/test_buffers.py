"""Memory that comes in: its own length counts, whatever it says of itself, and it stays as long as
the core reads it.
"""

from __future__ import annotations

import ctypes
import hashlib
import weakref
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

import native
from native import checks

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY = hashlib.sha256(b"key").digest()
CONTEXT = hashlib.sha256(b"context").digest()


class Short(bytearray):
    """Memory that says that it is shorter."""

    def __len__(self) -> int:
        return 1


def items_of_nothing(data: bytes) -> Any:
    """As many items as bytes, with no memory at all."""
    return ((ctypes.c_char * 0) * len(data))()


def absorbed(label: Buffer) -> bytes:
    transcript = native.Transcript()
    transcript.absorb(label, b"data")
    return transcript.state


def page_id(tree: native.Tree) -> bytes:
    return native.leaves_commit(tree, 0, bytes(128), bytes(512), KEY, KEY).vector_blindings


def placed(code: Buffer) -> bytes:
    values, identities = bytearray(8), bytearray(32)
    native.place_leaves(
        values,
        identities,
        array("I", [0]),
        array("Q", [5]),
        array("Q", [0, 1]),
        array("I", [0]),
        KEY,
        b"bob",
        array("Q", [0, 3]),
        CONTEXT,
        code,
    )
    return bytes(identities)


TAKEN: dict[str, Callable[[Buffer], object]] = {
    "tag": lambda data: native.tagged_hash(data, b"data"),
    "label": absorbed,
    "challenge": lambda data: native.Transcript().challenge(data),
    "name": lambda data: native.generator(data, 3),
    "code of a split": lambda data: native.split(KEY, array("Q", [10**12]), data, 3, 8),
    "code of leaves": placed,
    "asset": lambda data: page_id(native.Tree(CONTEXT, data, 64, 16)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_length_is_that_of_the_memory(name: str) -> None:
    take = TAKEN[name]
    assert take(Short(b"BTC-USD")) == take(b"BTC-USD")
    assert take(items_of_nothing(b"BTC-USD")) == take(b"")


def test_a_context_has_as_many_bytes_as_its_memory() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        native.Tree(items_of_nothing(CONTEXT), b"BTC", 64, 16)
    tree = native.Tree(Short(CONTEXT), b"BTC", 64, 16)  # type: ignore[arg-type]
    assert page_id(tree) == page_id(native.Tree(CONTEXT, b"BTC", 64, 16))


def test_private_keys_fill_the_memory_that_is_there() -> None:
    secrets = Short(64)
    native.secrets_read(secrets, (KEY.hex() + CONTEXT.hex()).encode(), 64)
    assert bytes(memoryview(secrets)) == KEY + CONTEXT
    assert native.public_keys(secrets) == native.public_keys(bytearray(KEY + CONTEXT))
    assert native.hidden_total((bytes(15) + b"\1") * 2, secrets) == 2
    with pytest.raises(ValueError, match="read-only"):
        native.secrets_read(KEY, KEY.hex().encode(), 64)  # type: ignore[arg-type]


class Passing(Sequence[Any]):
    """Makes what it gives anew, and keeps none; says more than it has."""

    def __init__(self, make: Callable[[], Any], said: int) -> None:
        self.make, self.said = make, said

    def __len__(self) -> int:
        return self.said

    def __getitem__(self, index: Any) -> Any:
        if index > 2:
            raise IndexError
        return self.make()


def test_a_tree_stays_while_its_pages_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Any] = []
    stay: list[bool] = []
    check = checks._check

    def tree() -> native.Tree:
        made = native.Tree(CONTEXT, b"asset", 130, 16)
        records.append(weakref.ref(made.core))
        return made

    def call(*given: Any) -> Any:
        stay.extend(record() is not None for record in records)
        return check(*given)

    monkeypatch.setattr(checks, "_check", call)
    made = native.leaves_commit(
        native.Tree(CONTEXT, b"asset", 130, 16), 1, bytes(128), bytes(512), KEY, KEY
    )
    pages = Passing(lambda: native.PageToCheck(tree(), 0, 1, made.pages, None), 3)
    assert native.check(pages) == (made.ids * 3, made.sums * 3)
    assert stay == [True] * 3


def test_there_are_as_many_pages_and_openings_as_come() -> None:
    tree = native.Tree(CONTEXT, b"asset", 1, 16)
    made = native.leaves_commit(tree, 0, bytes(128), bytes(512), KEY, KEY)
    leaf = array("I", [3])
    given = native.PageToOpen(
        tree, 0, made.pages, bytes(128), bytes(512), made.vector_blindings, leaf
    )
    opening, path = native.openings_make([given], KEY, KEY)
    assert native.openings_make(Passing(lambda: given, 9), KEY, KEY)[0] == opening * 3
    pages = [native.PageToCheck(tree, 0, 0, made.pages, None)]
    one = native.OpeningToCheck(0, 3, 0, bytes(32), path, opening)
    assert native.check(pages, Passing(lambda: one, 9)) == (made.ids, made.sums)


@pytest.mark.parametrize("name", TAKEN)
def test_memory_with_gaps_is_a_wrong_value(name: str) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        TAKEN[name](memoryview(b"BTC-USD" * 2)[::2])


def test_columns_with_gaps_or_not_to_be_written_are_wrong_values() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        native.sha256(memoryview(KEY)[::-1])
    with pytest.raises(ValueError, match="contiguous"):
        native.identity(memoryview(KEY * 2)[::2], KEY, 0)
    with pytest.raises(ValueError, match="read-only"):
        native.place_padding(bytes(32), array("I", [0]), KEY, 0)


def test_items_of_another_kind_are_read_as_they_lie() -> None:
    """Not aligned, and of a shape of their own."""
    values, blindings = array("Q", [5, 2**40]).tobytes(), bytes(64)
    expected = native.commit(values, blindings)
    shifted = memoryview(b"x" + values)[1:]
    assert native.commit(shifted, blindings) == expected
    assert native.commit(shifted.cast("B", (2, 8)), blindings) == expected
    with pytest.raises(TypeError):
        native.commit(16, bytes(32), 128)  # type: ignore[arg-type]


def test_no_offset_is_no_account() -> None:
    with pytest.raises(ValueError, match="offsets"):
        native.account_keys(KEY, b"", b"")
    assert native.account_keys(KEY, b"", bytes(8)) == b""


@pytest.mark.parametrize("huge", [2**32, 2**64, 2**70])
def test_integers_that_no_type_of_the_core_holds(huge: int) -> None:
    """Wrong values where a function names the right ones, else an overflow."""
    for refused in (
        lambda: native.range_length(huge, 64),
        lambda: native.range_length(1, huge),
        lambda: native.hidden_length(huge),
        lambda: native.split(KEY, array("Q", [5]), b"BTC", 1, huge),
        lambda: native.split(KEY, array("Q", [5]), b"BTC", -huge, 1),
    ):
        with pytest.raises(ValueError, match=r"no argument has|not 1 <= least"):
            refused()
    with pytest.raises(OverflowError):
        native.generator(b"Q", huge)
