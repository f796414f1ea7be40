"""Vectors of the argument over hidden keys alone, over a state of the transcript after item 4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from tests.support import oracle
from tests.support.forge import N, u
from tests.support.hidden_forge import unowned
from tests.support.hidden_oracle import HiddenProver, Lie, Statement
from tests.support.vector import Vector, make, splice

Key = tuple[int, bool, int]  # private key, whether it is owned, amount
STATE = sha256(b"state").digest()
BLINDING = 77
KEYS: list[Key] = [(unowned(at), at in (0, 3), 10**7 + at) for at in range(5)]
K = len(KEYS)
POINTS = 17  # 3·3 + 8, for five keys
SCALARS = 33 * POINTS


@dataclass(frozen=True)
class Made:
    """A statement with its argument, in bytes."""

    keys: bytes
    amounts: bytes
    commitment: bytes
    argument: bytes


def statement(keys: Sequence[Key]) -> Statement:
    listed = sorted(
        ((oracle.mul(secret, oracle.V), amount, secret * owned) for secret, owned, amount in keys),
        key=lambda entry: entry[0] or (),
    )
    return Statement(*(list(column) for column in zip(*listed, strict=True)))


def prove(keys: Sequence[Key], lie: Lie | None = None) -> Made:
    what = statement(keys)
    total = what.total if lie is None or lie.total is None else lie.total
    return Made(
        b"".join(map(oracle.encode, what.keys)),
        b"".join(u(amount, 16) for amount in what.amounts),
        oracle.encode(oracle.commit(total, BLINDING)),
        HiddenProver(STATE, what, BLINDING, lie).prove(sha256(b"fresh").digest()),
    )


@cache
def honest() -> Made:
    return prove(KEYS)


def whole(name: str, description: str, code: str | None, made: Made) -> Vector:
    return make(
        f"hidden/{name}",
        description,
        "hidden keys" if code else "accepted",
        code,
        state=STATE,
        keys=made.keys,
        amounts=made.amounts,
        commitment=made.commitment,
        argument=made.argument,
    )


def rejected(name: str, description: str, keys: Sequence[Key], lie: Lie) -> Vector:
    return whole(name, description, "argument.rejected", prove(keys, lie))


def changed(name: str, description: str, code: str, argument: bytes) -> Vector:
    """The honest argument changed."""
    return make(
        f"hidden/{name}",
        description,
        "hidden keys",
        code,
        base="hidden/five",
        replace={"argument": splice(honest().argument, argument)},
    )


def other(name: str, description: str, field: str, value: bytes) -> Vector:
    """The honest argument under another statement."""
    return make(
        f"hidden/{name}",
        description,
        "hidden keys",
        "argument.rejected",
        base="hidden/five",
        replace={field: value},
    )


def put(at: int, data: bytes) -> bytes:
    argument = honest().argument
    return argument[:at] + data + argument[at + len(data) :]


def vectors() -> Iterator[Vector]:
    yield whole("five", "Five keys, two of them owned.", None, honest())
    for count in (1, 2, 3, 4, 8, 9):
        keys = [(unowned(20 + at), at % 3 == 0, 10**6 + at) for at in range(count)]
        yield whole(f"keys-{count}", f"A set of {count}.", None, prove(keys))
    none = [(secret, False, amount) for secret, _, amount in KEYS]
    every = [(secret, True, amount) for secret, _, amount in KEYS]
    large = [(secret, owned, 2**128 - 1) for secret, owned, _ in KEYS]
    yield whole("none-owned", "No key is owned.", None, prove(none))
    yield whole("all-owned", "All keys are owned.", None, prove(every))
    yield whole("large", "Amounts of 2^128 - 1.", None, prove(large))
    yield from lies()
    yield from statements()
    yield from tampered()


def statements() -> Iterator[Vector]:
    made = honest()
    foreign = oracle.encode(oracle.commit(statement(KEYS).total + 1, BLINDING))
    yield other("foreign-commitment", "A commitment to more.", "commitment", foreign)
    more = u(int.from_bytes(made.amounts[-16:], "big") + 1, 16)
    yield other("wrong-amount", "An amount is more.", "amounts", made.amounts[:-16] + more)
    opposite = bytes([made.keys[0] ^ 1]) + made.keys[1:]
    yield other("wrong-key", "The opposite of a key.", "keys", opposite)
    yield other("other-state", "Another state.", "state", bytes(32))


def lies() -> Iterator[Vector]:
    """Arguments for something false; each vector is what one check is for."""
    amounts, owned = statement(KEYS).amounts, statement(KEYS).owned
    stolen = [1] * K
    yield rejected(
        "stolen-key",
        "A key is counted whose private key is not known.",
        KEYS,
        Lie(stolen, sum(amounts)),
    )
    first = owned.index(1)
    for name, description, bit in (
        ("twice", "A key counts twice.", 2),
        ("negative", "A key counts -1.", -1),
    ):
        bits = [bit if at == first else o for at, o in enumerate(owned)]
        total = sum(o * a for o, a in zip(bits, amounts, strict=True))
        for residual in (2, 3, 4):
            yield rejected(
                f"bit-{name}-{residual}",
                f"{description[:-1]}; equation {residual} takes the difference.",
                KEYS,
                Lie(bits, total, None, residual),
            )
    true = sum(o * a for o, a in zip(owned, amounts, strict=True))
    for residual in (2, 3, 4):
        yield rejected(
            f"more-{residual}",
            f"A ledger unit more than is held; equation {residual} takes the difference.",
            KEYS,
            Lie(None, true + 1, None, residual),
        )
    yield from rogue()


def rogue() -> Iterator[Vector]:
    """Two keys of which only the sum is known: they would count if every ρ_i were one."""
    known = unowned(50)
    first = unowned(51)
    keys = [(first, False, 5), ((known - first) % N, False, 6)]

    def to_the(power: int) -> Lie:
        return Lie([1, 1], 11, lambda rho: pow(rho, power, oracle.N) * known)

    for exponent in (0, 1):
        yield rejected(
            f"rogue-{exponent}",
            f"Two keys whose sum is known, weighed by the power {exponent} of ρ.",
            keys,
            to_the(exponent),
        )


def tampered() -> Iterator[Vector]:
    """One point or scalar of the argument changed."""
    argument = honest().argument
    names = ["d", *(f"p{t}-{j}" for j in (1, 2, 3) for t in (0, 2, 3))]
    names += ["y", "y2", "t-bar", "y-bar", "y2-bar", "delta-bar", "a-bar"]
    for index, name in enumerate(names):
        spoilt = put(33 * index, bytes([argument[33 * index] ^ 1]))
        yield changed(f"tampered-{name}", "A point is negated.", "argument.rejected", spoilt)
    names = [*(f"z-{j}" for j in range(K)), "u-t", "u-y", "u-2", "u-delta", "x"]
    for index, name in enumerate(names):
        at = SCALARS + 32 * index
        more = (int.from_bytes(argument[at : at + 32], "big") + 1) % N
        spoilt = put(at, u(more, 32))
        yield changed(f"tampered-{name}", "A response is one more.", "argument.rejected", spoilt)
    for name, description, what, spoilt in (
        ("length-short", "The last byte missing.", "length", argument[:-1]),
        ("length-long", "A byte too many.", "length", argument + b"\0"),
        ("length-absent", "Responses for absent keys too.", "length", argument + bytes(96)),
        ("length-empty", "No argument.", "length", b""),
        ("point-infinity", "Infinity as D.", "point", put(0, bytes(33))),
        ("point-off-curve", "The last point is none.", "point",
         put(SCALARS - 33, b"\2" + bytes(31) + b"\5")),
        ("scalar-n", "A response is n.", "scalar", put(SCALARS, u(N, 32))),
        ("scalar-last", "The last response is 2^256 - 1.", "scalar",
         put(SCALARS + 32 * (K + 4), b"\xff" * 32)),
    ):  # fmt: skip
        yield changed(name, description, f"argument.bad-{what}", spoilt)
