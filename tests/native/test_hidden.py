"""Hidden keys proved and checked: the oracle's bytes, both verifiers, lies, secret scalars."""

from __future__ import annotations

import hashlib
from random import Random

import pytest
from coincurve import PrivateKey

import native
from spec.reference import hidden as reference
from spec.reference.errors import Rejected as ReferenceRejected
from spec.reference.group import multi_multiply
from tests.support.group_reference import skewed
from tests.support.hidden_oracle import HiddenProver, Lie, Statement
from tests.support.oracle import N, Point, V, combine, commit, encode, generator, mul, neg, u

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17]
FRESH = hashlib.sha256(b"fresh").digest()
BLINDING = int.from_bytes(hashlib.sha256(b"blinding").digest()) % int(N)


def statement(k: int, seed: int = 0, share: float = 0.5) -> Statement:
    """Return k keys of which about a share is owned."""
    random = Random(f"{k} {seed}")
    secrets = [random.randrange(1, int(N)) for _ in range(k)]
    pairs = sorted(((mul(x, V), x) for x in secrets), key=lambda pair: pair[0] or ())
    amounts = [random.choice([0, 1, 2**96 - 1, random.getrandbits(60)]) for _ in range(k)]
    owned = [x if random.random() < share else 0 for _, x in pairs]
    return Statement([point for point, _ in pairs], amounts, owned)


def amounts_of(what: Statement) -> bytes:
    return b"".join(u(16, amount) for amount in what.amounts)


def decoded(what: Statement) -> native.Points:
    return native.points_decode(b"".join(map(encode, what.keys)))


def state_of(what: Statement, commitment: Point) -> bytes:
    item = b"".join(map(encode, what.keys)) + amounts_of(what) + encode(commitment)
    return hashlib.sha256(item).digest()


def core_code(what: Statement, commitment: Point, argument: bytes, state: bytes) -> str | None:
    """Return the core's verdict: a code, or None."""
    try:
        native.hidden_verify(state, decoded(what), amounts_of(what), encode(commitment), argument)
    except native.Rejected as error:
        return error.code
    return None


def code(what: Statement, commitment: Point, argument: bytes, state: bytes) -> str | None:
    """Return the verdict of the core, which has to be the reference's."""
    verdict = core_code(what, commitment, argument, state)
    try:
        reference.verify_hidden(state, what.keys, what.amounts, commitment, argument)
        other = None
    except ReferenceRejected as error:
        other = error.code
    assert verdict == other
    return verdict


def prove(what: Statement, lie: Lie | None = None) -> tuple[Point, bytes, bytes]:
    """Return commitment, state and the oracle's argument."""
    total = what.total if lie is None or lie.total is None else lie.total
    commitment = commit(total, BLINDING)
    state = state_of(what, commitment)
    return commitment, state, HiddenProver(state, what, BLINDING, lie).prove(FRESH)


def core_argument(what: Statement, state: bytes) -> bytes:
    secrets = bytearray(b"".join(u(32, x) for x in what.secrets))
    return native.hidden_prove(
        state, decoded(what), amounts_of(what), secrets, u(32, BLINDING), FRESH
    )


@pytest.mark.parametrize("k", SIZES)
def test_the_bytes_are_the_oracles(k: int) -> None:
    what = statement(k)
    commitment, state, expected = prove(what)
    assert len(expected) == native.hidden_length(k)
    assert core_argument(what, state) == expected
    assert code(what, commitment, expected, state) is None


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_none_and_all_may_be_owned(k: int, share: float) -> None:
    what = statement(k, share=share)
    commitment, state, expected = prove(what)
    assert core_argument(what, state) == expected
    assert code(what, commitment, expected, state) is None


@pytest.mark.parametrize("k", [1023, 1025, pytest.param(65537, marks=pytest.mark.unsanitized)])
def test_blocks_of_keys_are_joined(k: int) -> None:
    random = Random(k)
    known = bytearray(b"".join(u(32, random.randrange(1, int(N))) for _ in range(k)))
    listed = native.public_keys(known)
    order = sorted(range(k), key=lambda i: listed[33 * i + 1 : 33 * i + 33])
    keys = native.points_decode(b"".join(listed[33 * i : 33 * i + 33] for i in order))
    owned = bytearray(
        b"".join(known[32 * i : 32 * i + 32] if i % 3 == 0 else bytes(32) for i in order)
    )
    amounts = b"".join(u(16, random.getrandbits(70)) for _ in range(k))
    total = native.hidden_total(amounts, owned)
    marked = (at for at, i in enumerate(order) if i % 3 == 0)
    assert total == sum(int.from_bytes(amounts[16 * i : 16 * i + 16]) for i in marked)
    commitment = native.commit(u(16, total), u(32, BLINDING), 128)
    argument = native.hidden_prove(FRESH, keys, amounts, owned, u(32, BLINDING), FRESH)
    native.hidden_verify(FRESH, keys, amounts, commitment, argument)
    for at in (-1, -32 * 6, -32 * k, 40, 33 * 30):
        changed = bytearray(argument)
        changed[at] ^= 1
        with pytest.raises(native.Rejected):
            native.hidden_verify(FRESH, keys, amounts, commitment, changed)


@pytest.mark.parametrize("k", [1, 5])
def test_every_point_and_scalar_counts(k: int) -> None:
    what = statement(k)
    commitment, state, honest = prove(what)
    points = reference.Shape(k).points
    for index in range(points):
        at = 33 * index
        flipped = honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :]
        assert code(what, commitment, flipped, state) == "argument.rejected"
        broken = honest[:at] + bytes(33) + honest[at + 33 :]
        assert code(what, commitment, broken, state) == "argument.bad-point"
    for index in range(k + 5):
        at = 33 * points + 32 * index
        more = u(32, (int.from_bytes(honest[at : at + 32]) + 1) % int(N))
        changed = honest[:at] + more + honest[at + 32 :]
        assert code(what, commitment, changed, state) == "argument.rejected"
        over = honest[:at] + u(32, int(N)) + honest[at + 32 :]
        assert code(what, commitment, over, state) == "argument.bad-scalar"
    for wrong in (honest[:-1], honest + b"\0", honest[:-32], b""):
        assert code(what, commitment, wrong, state) == "argument.bad-length"


@pytest.mark.parametrize("k", [1, 6])
def test_another_statement_is_refused(k: int) -> None:
    what = statement(k, share=1.0)
    commitment, state, honest = prove(what)
    assert code(what, commit(what.total, BLINDING + 1), honest, state) == "argument.rejected"
    assert code(what, commit(what.total + 1, BLINDING), honest, state) == "argument.rejected"
    assert code(what, commitment, honest, FRESH) == "argument.rejected"
    for at in range(k):
        amounts = list(what.amounts)
        amounts[at] += 1
        other = Statement(what.keys, amounts, what.secrets)
        assert code(other, commitment, honest, state) == "argument.rejected"
        keys = list(what.keys)
        keys[at] = neg(keys[at])
        other = Statement(keys, what.amounts, what.secrets)
        assert code(other, commitment, honest, state) == "argument.rejected"


def failing(what: Statement, lie: Lie) -> list[int]:
    """Return the equations that a lie fails, over more challenges while it has no root.

    Every lie is refused by both verifiers.
    """
    for shift in range(60):
        moved = Statement(what.keys, [*what.amounts[:-1], what.amounts[-1] + shift], what.secrets)
        try:
            commitment, state, argument = prove(moved, lie)
        except ValueError:
            continue
        assert code(moved, commitment, argument, state) == "argument.rejected"
        equations = reference.equations(
            state, moved.keys, moved.amounts, commitment, argument, "lie"
        )
        return [at for at, terms in enumerate(equations, 1) if multi_multiply(terms) is not None]
    raise AssertionError("no root in sixty trials")


@pytest.mark.parametrize("residual", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [[2, 0, 1, 0, 0], [-1, 1, 0, 0, 0], [0, 0, 0, 0, 5]])
def test_counting_a_key_otherwise_than_once_is_refused(bits: list[int], residual: int) -> None:
    what = statement(5, share=1.0)
    total = sum(map(int.__mul__, bits, what.amounts))
    assert failing(what, Lie(bits, total, None, residual)) == [residual]


@pytest.mark.parametrize("residual", [1, 2, 3, 4])
def test_claiming_more_than_the_keys_hold_is_refused(residual: int) -> None:
    what = statement(5, share=1.0)
    assert failing(what, Lie(None, what.total + 100, None, residual)) == [residual]


def test_a_key_that_is_not_owned_is_refused() -> None:
    what = statement(4, share=1.0)
    stolen = Statement(what.keys, what.amounts, [*what.secrets[:3], 0])
    assert failing(stolen, Lie(bits=[1, 1, 1, 1], total=what.total)) == [5]
    wrong = Statement(what.keys, what.amounts, [*what.secrets[:3], what.secrets[3] + 1])
    assert failing(wrong, Lie(total=what.total)) == [5]


def test_a_false_argument_leaves_nothing() -> None:
    """A private key that is another's: the prover finds it by its own check."""
    what = statement(4, share=1.0)
    state = state_of(what, commit(what.total, BLINDING))
    assert core_argument(what, state)
    wrong = Statement(what.keys, what.amounts, [*what.secrets[:3], what.secrets[3] + 1])
    with pytest.raises(native.Damaged):
        core_argument(wrong, state)


@pytest.mark.parametrize("exponent", [0, 1])
def test_rogue_keys_are_refused(exponent: int) -> None:
    """Two keys whose sum is known, though neither is: accepted if all ρ_i were one."""
    random = Random(exponent)
    known = random.randrange(1, int(N))
    first = generator(b"nobody", exponent)
    second = combine([1, known], [neg(first), V])
    keys = sorted([first, second], key=lambda point: point or ())
    what = Statement(keys, [7, 8], [0, 0])
    lie = Lie([1, 1], 15, lambda rho: pow(rho, exponent, N) * known % N)
    assert failing(what, lie) == [5]


def test_a_key_of_the_generators_cannot_be_owned() -> None:
    keys = sorted([generator(b"Q", 0), generator(b"B", 0), V], key=lambda point: point or ())
    secrets = [1 if key == V else 0 for key in keys]
    honest = Statement(keys, [5, 6, 7], secrets)
    commitment, state, argument = prove(honest)
    assert code(honest, commitment, argument, state) is None
    assert core_argument(honest, state) == argument
    assert failing(honest, Lie(bits=[1, 1, 1], total=18)) == [5]


def test_public_keys_are_libsecp256k1s() -> None:
    random = Random(5)
    secrets = [1, 2, 15, 16, 31, 32, 2**255, int(N) - 1, int(N) - 2, (int(N) + 1) // 2]
    secrets += [skewed(random) % (int(N) - 1) + 1 for _ in range(300)]
    points = native.public_keys(bytearray(b"".join(u(32, x) for x in secrets)))
    for at, secret in enumerate(secrets):
        assert points[33 * at : 33 * at + 33] == PrivateKey(u(32, secret)).public_key.format()


@pytest.mark.parametrize("bad", [0, int(N), int(N) + 1, 2**256 - 1])
def test_what_is_no_private_key_is_named(bad: int) -> None:
    with pytest.raises(native.NativeError) as caught:
        native.public_keys(bytearray(u(32, 1) + u(32, bad)))
    assert (caught.value.code, caught.value.index) == ("bad-scalar", 1)


def test_private_keys_are_read_from_hexadecimal() -> None:
    keys = bytes(range(64))
    text = keys[:32].hex().encode() + b"\n" + keys[32:].hex().upper().encode() + b"\n"
    read = bytearray(64)
    native.secrets_read(read, text, 65)
    assert read == keys
    for character in set(range(256)) - set(b"0123456789abcdefABCDEF"):
        for at in (0, 63):
            broken = bytearray(text)
            broken[65 + at] = character
            with pytest.raises(native.NativeError) as caught:
                native.secrets_read(bytearray(64), broken, 65)
            assert caught.value.index == 1


def test_decoded_points_give_their_coordinates() -> None:
    keys = statement(9).keys
    points = native.points_decode(b"".join(map(encode, keys)))
    expected = b"".join(u(32, key[0]) + u(32, key[1]) for key in keys if key is not None)
    assert native.points_coordinates(points, 0, 9) == expected
    assert native.points_coordinates(points, 4, 2) == expected[256:384]
    with pytest.raises(native.NativeError) as caught:
        native.points_decode(encode(keys[0]) + bytes(33))
    assert (caught.value.code, caught.value.index) == ("bad-point", 1)


def test_bulk_generators_are_the_specified_ones() -> None:
    from native.hidden import first_generators

    points = first_generators(3000)
    found = native.points_coordinates(points, 0, 3000)
    for index in [*range(300), 1023, 1024, 1025, 2999]:
        expected = native.generator(b"Q", index)
        assert expected == b"\x02" + found[64 * index : 64 * index + 32]
