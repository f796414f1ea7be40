"""The field of the page's core, in a browser: products in nine limbs, of which no wheel has any.

An attacker chooses points, so what random operands never reach is sought out by a model of
native/src/curve/field29.h: limb 3 at 2^29, and a packed integer that exceeds 2^256.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

import pytest
from playwright.sync_api import Browser

from native._core import lib
from tests.native.test_field import patterns, words_of
from tests.support.group_reference import P
from verifier.web.build import EXPORTS, compile_core

Triple = tuple[str, int, int]
Apply = Callable[[Sequence[Triple]], list[tuple[int, int]]]

LIMB = 2**29
C, FOLD = 2**32 + 977, 2**37 + 31264

INSTANTIATE = """async (core) => {
    const bytes = Uint8Array.from(atob(core), (character) => character.charCodeAt(0));
    const none = () => 0;
    const system = { environ_sizes_get: none, environ_get: none, proc_exit: none };
    const module = await WebAssembly.compile(bytes);
    const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: system });
    exports._initialize();
    const [r, a, b] = [exports.malloc(32), exports.malloc(32), exports.malloc(32)];
    const words = (at) => new BigUint64Array(exports.memory.buffer, at, 4);
    window.apply = (triples) => triples.map(([operation, x, y]) => {
        words(a).set(x.map(BigInt));
        words(b).set(y.map(BigInt));
        const answer = exports.assay_test_field(r, operation, a, b);
        return [answer, ...words(r)].map(String);
    });
}"""


@pytest.fixture(scope="module")
def apply(chromium: Browser) -> Iterator[Apply]:
    """What the core makes of operations on two integers below 2^256: results, a test's answers."""
    core = compile_core(f"{EXPORTS} assay_test_field", testing=True)
    tab = chromium.new_page()
    tab.evaluate(INSTANTIATE, base64.b64encode(core).decode())

    def call(triples: Sequence[Triple]) -> list[tuple[int, int]]:
        asked = [
            (getattr(lib, f"ASSAY_TEST_{name}"), *([str(word) for word in words_of(x)] for x in ab))
            for name, *ab in triples
        ]
        text = tab.evaluate("text => JSON.stringify(apply(JSON.parse(text)))", json.dumps(asked))
        return [
            (sum(int(word) << 64 * i for i, word in enumerate(words)), int(answer))
            for answer, *words in json.loads(text)
        ]

    yield call
    tab.close()


def check(apply: Apply, name: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Compare products or squares with Python's."""
    for (a, b), (r, _) in zip(pairs, apply([(name, a, b) for a, b in pairs]), strict=True):
        assert r % P == a * (b if name == "MUL" else a) % P, (a, b)


@pytest.mark.parametrize("seed", range(3))
def test_products(apply: Apply, seed: int) -> None:
    operands = patterns(seed, 60)
    check(apply, "MUL", list(product(operands, operands[:: 1 + seed])))


def test_squares(apply: Apply) -> None:
    check(apply, "SQR", [(a, 0) for a in patterns(7, 10_000)])


def test_square_roots(apply: Apply) -> None:
    operands = patterns(14, 1_000)
    found = apply([("SQRT", a, 0) for a in operands])
    for a, (r, is_square) in zip(operands, found, strict=True):
        assert is_square == (pow(a, (P - 1) // 2, P) in (0, 1)), a
        assert not is_square or r**2 % P == a % P, a


def test_the_other_operations(apply: Apply) -> None:
    operands = patterns(8, 40)
    expected: dict[str, Callable[[int, int], int]] = {
        "ADD": lambda a, b: a + b,
        "SUB": lambda a, b: a - b,
        "NEG": lambda a, _: -a,
        "NORMALISE": lambda a, _: a,
        "INVERSE": lambda a, _: pow(a, -1, P) if a % P else 0,
    }
    for name, meant in expected.items():
        pairs = list(product(operands, operands[::7]))
        for (a, b), (r, _) in zip(pairs, apply([(name, a, b) for a, b in pairs]), strict=True):
            assert r % P == meant(a, b) % P, (name, a, b)


# --- the model


@dataclass(frozen=True)
class Product:
    """What field29.h makes of a product: its limbs, and the integer that it packs."""

    limbs: list[int]
    packed: int

    @property
    def exceeds(self) -> bool:
        """Whether the integer that is packed exceeds 2^256."""
        return self.packed >> 256 == 1

    @property
    def carries(self) -> bool:
        """Whether it does, and what then comes back carries out of word 0."""
        return self.exceeds and self.packed % 2**64 + C >= 2**64


def modelled(a: int, b: int) -> Product:
    """Multiply as field29.h does; every bound that its comments state is asserted."""
    x, y = ([n >> 29 * i & LIMB - 1 for i in range(9)] for n in (a, b))
    columns = [sum(x[i] * y[k - i] for i in range(max(0, k - 8), min(9, k + 1))) for k in range(17)]
    assert max(columns) < 2**62 - 2**58 + 1
    high, carry = [], 0
    for column in columns[9:]:
        high.append((column + carry) % LIMB)
        carry = (column + carry) // LIMB
        assert carry < 2**33
    high.append(carry)
    assert carry <= 2**29 + 2**4
    limbs, carry, before = [], 0, 0
    for column, h in zip(columns[:9], high, strict=True):
        value = column + h * (FOLD % 2**37) + (before << 8) + carry
        assert value < 2**62
        limbs.append(value % LIMB)
        carry, before = value // LIMB, h
    t = carry + (before << 8)
    assert t < 2**38
    for i, more in enumerate((t * (FOLD % 2**37), t << 8, 0)):
        value = limbs[i] + more + (carry if i else 0)
        limbs[i], carry = value % LIMB, value // LIMB
        assert carry < (2**25, 2**17 + 1, 2)[i]
    limbs[3] += carry
    assert all(limb < LIMB for limb in limbs[:3] + limbs[4:])
    assert limbs[3] <= LIMB
    whole = sum(limb << 29 * i for i, limb in enumerate(limbs))
    assert whole % P == a * b % P
    top = limbs[8] >> 24
    return Product(limbs, whole - (top << 256) + top * C)


def edges(wanted: Callable[[Product], bool], values: Iterator[int], count: int) -> list[int]:
    """Squares among values such that the product of a root with itself is one that is wanted."""
    found = []
    for value in values:
        root = pow(value, (P + 1) // 4, P)
        if pow(root, 2, P) == value % P and wanted(modelled(root, root)):
            found.append(root)
            if len(found) == count:
                break
    return found


def carrying(random: Random) -> Iterator[int]:
    """Integers of 261 bits, small from bit 116 down."""
    while True:
        yield random.getrandbits(145) << 116 | random.getrandbits(random.randrange(72))


def exceeding(random: Random) -> Iterator[int]:
    """Integers just below a multiple of 2^256."""
    while True:
        yield (random.randrange(1, 33) << 256) - random.randrange(1, 2 ** random.randrange(1, 37))


def carrying_out(random: Random) -> Iterator[int]:
    """Integers a little above a multiple of 2^256, with a lowest word just below 2^64."""
    while True:
        above = (random.randrange(1, 2**8) << 64) - random.randrange(1, 2**32)
        yield (random.randrange(1, 33) << 256) + above


EDGES: dict[str, tuple[Callable[[Product], bool], Callable[[Random], Iterator[int]]]] = {
    "limb 3 at 2^29": (lambda made: made.limbs[3] == LIMB, carrying),
    "more than 2^256": (lambda made: made.exceeds, exceeding),
    "and a carry into word 1": (lambda made: made.carries, carrying_out),
}


@pytest.mark.parametrize("edge", EDGES)
def test_what_no_random_operands_reach(apply: Apply, edge: str) -> None:
    wanted, values = EDGES[edge]
    roots = edges(wanted, values(Random(edge)), 50)
    check(apply, "SQR", [(root, 0) for root in roots])
    check(apply, "MUL", [(root, root) for root in roots])
    # A root goes on with the square as it is, unpacked.
    found = apply([("SQRT", root, 0) for root in roots])
    for root, (r, is_square) in zip(roots, found, strict=True):
        assert is_square == (pow(root, (P - 1) // 2, P) in (0, 1))
        assert not is_square or r**2 % P == root
