"""Pages of leaves for tests: a tree, amounts of every kind, and what the core makes of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from random import Random

import native
from tests.support.leaves_oracle import TreeModel

ENTRIES, ARGUMENT, SALT = b"e" * 32, b"a" * 32, b"s" * 32
MODEL = TreeModel(b"c" * 32, b"asset", 70, 16)
KINDS = ("random", "zeros", "ones", "skewed", "one")


def tree_of(model: TreeModel) -> native.Tree:
    return native.Tree(model.context, model.asset, model.capacity, model.page_size)


def amounts_of(kind: str, count: int) -> list[int]:
    random = Random(f"{kind} {count}")
    draws: dict[str, Callable[[], int]] = {
        "random": lambda: random.getrandbits(64),
        "zeros": lambda: 0,
        "ones": lambda: 2**64 - 1,
        "skewed": lambda: random.getrandbits(random.randrange(64) + 1),
        "one": lambda: int(random.randrange(count) == 0),
    }
    return [draws[kind]() for _ in range(count)]


def identities_of(count: int, seed: int = 0) -> list[bytes]:
    random = Random(f"{count} {seed}")
    return [random.randbytes(32) for _ in range(count)]


def prove(
    model: TreeModel, first: int, amounts: list[int], identities: list[bytes]
) -> tuple[native.Committed, bytes]:
    tree, values = tree_of(model), array("Q", amounts)
    made = native.leaves_commit(tree, first, values, b"".join(identities), ENTRIES, SALT)
    argument = native.pages_argue(
        tree,
        0,
        first,
        made.pages,
        values,
        made.vector_blindings,
        made.sum_blindings,
        ARGUMENT,
        SALT,
    )
    return made, argument


TREE = tree_of(MODEL)
