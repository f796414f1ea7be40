"""Vectors of the opening of one leaf: honest ones, false ones, and malformed byte strings.

`control` says of which weaker reader the same bytes are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.support.forge import INFINITY, N, V, combine, u
from tests.support.leaves_forge import (
    SLOTS,
    Opened,
    Place,
    forge_opening,
    open_leaf,
    page_opening,
)
from tests.support.vector import Vector, make, splice
from tests.vectors.make_arguments import point_faults
from tests.vectors.make_leaves import KEYS, PLACE, WIDE, cut, page

PAGE_ID = sha256(b"a page").digest()


def of_page(leaf: int, place: Place = PLACE, amount: int | None = None) -> Opened:
    """What the honest opening of a leaf is made for."""
    return page_opening(place.state("opening"), page(place), PAGE_ID, leaf, amount)


def vector_of(leaf: int, place: Place = PLACE) -> bytes:
    entries = page(place).entries
    start = len(entries) - 33 * (place.page_size // SLOTS - leaf // SLOTS)
    return entries[start : start + 33]


def shown(
    name: str,
    description: str,
    source: str,
    code: str | None,
    opened: Opened,
    vector: bytes,
    opening: bytes,
    **content: Any,
) -> Vector:
    """An opening as one reads it for what `opened` names."""
    return make(
        f"opening/{name}",
        description,
        source,
        code,
        state=opened.state,
        page_id=opened.page_id,
        leaf=opened.leaf,
        amount=str(opened.amount),
        identity=opened.identity,
        vector=vector,
        opening=opening,
        **content,
    )


def accepted() -> Iterator[Vector]:
    for leaf in (0, 3, 15):
        opened = of_page(leaf)
        text = f"The leaf in slot {leaf}."
        opening, vector = open_leaf(opened, KEYS), vector_of(leaf)
        told = {
            "mates": [str(mate) for mate in opened.mates()],
            "rho": u(opened.rho, 32),
            "opening_secret": KEYS.opening,
            "salt": KEYS.salt,
        }
        name = f"slot-{leaf}"
        yield shown(name, text, "accepted", None, opened, vector, opening, made_of=told)
    opened = of_page(69, WIDE)
    opening, vector = open_leaf(opened, KEYS), vector_of(69, WIDE)
    text = "Leaf 69 of a page of 256."
    yield shown("leaf-69", text, "accepted", None, opened, vector, opening)


def false() -> Iterator[Vector]:
    source, code = "false openings", "inclusion.wrong-amount"
    honest, vector = of_page(3), vector_of(3)
    good = open_leaf(honest, KEYS)

    def bad(
        name: str,
        description: str,
        opened: Opened,
        opening: bytes,
        point: bytes = vector,
        **content: Any,
    ) -> Vector:
        return shown(name, description, source, code, opened, point, opening, **content)

    for name, by in (("more", 1), ("less", -1)):
        false = replace(honest, amount=honest.amount + by)
        text = f"One unit {name} than the leaf has"
        yield bad(f"amount-{name}", f"{text}; the opening is of the leaf.", false, good)
        made = open_leaf(false, KEYS)
        yield bad(f"made-for-{name}", f"{text}; the opening is made for it.", false, made)
    fourth = of_page(4)
    made = open_leaf(fourth, KEYS)
    yield bad("other-slot", "The opening of the next slot.", honest, made)
    shifted = replace(honest, leaf=4)
    yield bad("shown-as-next", "An opening shown for the next slot.", shifted, good)
    wide = of_page(3, WIDE)
    text = "An opening shown for the same slot of the next vector."
    at_19 = replace(wide, leaf=19)
    yield bad("other-vector", text, at_19, open_leaf(wide, KEYS), vector_of(19, WIDE))
    values = [*honest.values]
    values[9] += 77
    stale = replace(honest, values=tuple(values))
    yield bad("mate-changed", "A mate's amount has changed since.", stale, open_leaf(stale, KEYS))
    for name, field in (("page-id", "page id"), ("identity", "identity")):
        told: dict[str, Any] = {"omit": [field]}
        elsewhere = replace(honest, page_id=sha256(b"another page").digest())
        if field == "identity":
            elsewhere = replace(honest, identity=sha256(b"somebody else").digest())
        made = open_leaf(honest, KEYS, frozenset({field}))
        text = f"Of another {field}; the prover left it out of the transcript."
        yield bad(f"other-{name}", text, elsewhere, made, control=told)
    more = replace(honest, amount=honest.amount + 10**15)
    text = "Its announcement is made when c is known: 10^15 too much."
    made, told = forge_opening(more, vector), {"omit": ["announcement"]}
    yield bad("late-announcement", text, more, made, control=told)
    places = {
        "context": replace(PLACE, context=sha256(b"another context").digest()),
        "asset": replace(PLACE, code="BTX"),
        "units": replace(PLACE, units=sha256(b"other units").digest()),
        "levels": replace(PLACE, levels=3),
        "index": replace(PLACE, index=2),
        "capacity": replace(PLACE, capacity=4),
        "page-size": replace(PLACE, page_size=256),
    }
    told = {"state": honest.state}
    states = {name: place.state("opening") for name, place in places.items()}
    for name, state in (states | {"kind": PLACE.state("leaves")}).items():
        elsewhere = replace(honest, state=state)
        text = f"An opening made for another {name.replace('-', ' ')}."
        yield bad(f"replay-{name}", text, elsewhere, good, control=told)


def changed_bytes() -> Iterator[Vector]:
    honest = open_leaf(of_page(3), KEYS)

    def changed(name: str, description: str, code: str, opening: bytes) -> Vector:
        return make(
            f"opening/{name}",
            description,
            "changed bytes",
            code,
            base="opening/slot-3",
            replace={"opening": splice(honest, opening)},
        )

    for name, text, data in (
        ("empty", "No opening.", b""),
        ("short", "An opening without its last byte.", honest[:-1]),
        ("long", "An opening with a byte too many.", honest + b"\x00"),
        ("sixteen", "An opening with a scalar for every slot.", honest + honest[-32:]),
    ):
        yield changed(f"length-{name}", text, "opening.bad-length", data)
    for name, text, bad in point_faults():
        data = bad + honest[33:]
        yield changed(f"point-{name}", f"R is {text}.", "opening.bad-point", data)
    moved = combine([(1, honest[:33]), (1, V)]) + honest[33:]
    yield changed("point-moved", "R moved by V.", "inclusion.wrong-amount", moved)
    for name, start in (("first", 33), ("last", 513)):
        old = int.from_bytes(honest[start : start + 32], "big")
        for kind, text, code, new in (
            ("n", "n", "opening.bad-scalar", N),
            ("all-ones", "2^256 - 1", "opening.bad-scalar", 2**256 - 1),
            ("moved", "one more", "inclusion.wrong-amount", (old + 1) % N),
        ):
            described = f"The {name} scalar is {text}."
            yield changed(f"scalar-{name}-{kind}", described, code, cut(honest, start, u(new, 32)))
    data = INFINITY + honest[33:-32] + b"\xff" * 32
    text = "A bad point and a bad scalar: the point is named."
    yield changed("point-before-scalar", text, "opening.bad-point", data)


def vectors() -> Iterator[Vector]:
    for maker in (accepted, false, changed_bytes):
        yield from maker()
