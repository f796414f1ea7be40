"""What each thing that a reader checks is for: without it, it accepts what the standard refuses.

Each vector of a false page or opening that has a `control` is accepted by that weaker reader; and
those of a page fail by exactly the equations that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import msgpack
import pytest

from spec.reference.errors import Rejected
from spec.reference.leaves import climb, read_entries, verify_leaves
from tests.support.bases import base, base_files
from tests.support.forge import INFINITY, N, V, combine
from tests.support.forged_sample import ALICE, account_key
from tests.support.leaves_forge import (
    Bend,
    Keys,
    Opened,
    Place,
    Prover,
    Reader,
    Shape,
    Weak,
    bent,
    open_leaf,
    opening_residual,
    page_opening,
    prove_leaves,
)
from tests.support.subjects import fields_of
from tests.support.vector import Vector, bundle_files, load, names
from tests.vectors.make_leaves import KEYS, PLACE, amounts, identities, page
from tests.vectors.make_paths import drawn, hashed_weights

PAGES = [name for name in names() if name.startswith("page/")]
FALSE = [name for name in PAGES if load(name).code == "argument.rejected"]
OPENINGS = [name for name in names() if name.startswith("opening/")]


def controlled(listed: list[str]) -> list[str]:
    return [name for name in listed if "control" in load(name).content]


@pytest.mark.parametrize("name", FALSE)
def test_a_false_page_fails_by_the_equations_named(name: str) -> None:
    fields = fields_of(load(name))
    found = Reader(fields["page_size"]).failing(*read(fields))
    assert found
    if "fails" in fields:
        assert sorted(found) == fields["fails"]


def read(fields: dict[str, bytes]) -> tuple[bytes, bytes, bytes]:
    return fields["state"], fields["entries"], fields["argument"]


@pytest.mark.parametrize("name", controlled(FALSE))
def test_a_weaker_reader_accepts_the_false_page(name: str) -> None:
    fields = fields_of(load(name))
    told = fields["control"]
    if "state" in told:
        fields["state"] = bytes.fromhex(told["state"])
    reader = Weak(
        frozenset(told.get("omit", ())), told.get("rule", ""), frozenset(told.get("without", ()))
    )
    assert Reader(fields["page_size"], reader).failing(*read(fields)) == set()


@pytest.mark.parametrize("name", controlled(OPENINGS))
def test_a_weaker_reader_accepts_the_false_opening(name: str) -> None:
    fields = fields_of(load(name))
    told = fields["control"]
    state = bytes.fromhex(told["state"]) if "state" in told else fields["state"]
    where = state, fields["page_id"], fields["leaf"], int(fields["amount"]), fields["identity"]
    omit = frozenset(told.get("omit", ()))
    opened = Opened(*where, (), 0)
    assert opening_residual(opened, fields["vector"], fields["opening"], omit) == INFINITY


WRONG_COEFFICIENTS: dict[str, Callable[[int, list[int]], int]] = {
    "κ alone": lambda kappa, factors: kappa,
    "no κ": lambda kappa, factors: prod(factors) % N,
    "a round missing": lambda kappa, factors: kappa * prod(factors[1:]) % N,
    "negated": lambda kappa, factors: -kappa * prod(factors) % N,
    "zero": lambda kappa, factors: 0,
}


@pytest.mark.parametrize("name", WRONG_COEFFICIENTS)
def test_a_reader_with_another_a_refuses_the_honest_page_by_equation_4(name: str) -> None:
    fields = fields_of(load("page/sixteen"))
    reader = Reader(16, coefficient=WRONG_COEFFICIENTS[name])
    assert reader.failing(*read(fields)) == {4}


def inclusion(name: str) -> tuple[Vector, dict[str, object], list[dict[str, object]]]:
    """A vector, its package's body, and the parts of its first asset."""
    vector = load(name)
    body = msgpack.unpackb(msgpack.unpackb(bytes.fromhex(vector.content["package"]))["body"])
    return vector, body, body["assets"][0]["parts"]


def test_a_reader_that_takes_any_node_lets_one_leaf_serve_two() -> None:
    vector, _, parts = inclusion("inclusion/other-node")
    nodes = bundle_files(vector.name)["pages/BTC/0"][15 : 15 + 32 * 4]
    part = parts[0]
    leaf, path = part["leaf"], part["path"]
    assert isinstance(leaf, int)
    assert isinstance(path, bytes)
    identity = base("pages-of-256").forger.identity(account_key(ALICE), ALICE, "BTC", 0)
    siblings = [path[at : at + 32] for at in range(0, len(path), 32)]
    node, reached = climb(leaf, identity, siblings)
    listed = [nodes[at : at + 32] for at in range(0, len(nodes), 32)]
    assert reached in listed
    assert listed[node] != reached


def test_a_number_that_is_not_masked_is_climbed_alike() -> None:
    """So the range of a leaf's number is checked before its path."""
    listed = identities(16)
    made = page()
    path = [bytes.fromhex(case) for case in load("identity/paths").content["cases"][1]["path"]]
    for more in (0, 16, 256, 2**32):
        node, reached = climb(5 + more, listed[5], path)
        assert node == more >> 4
        assert reached == made.entries[:32]


def test_hashed_weights_let_two_openings_be_bent_against_each_other() -> None:
    _, _, parts = inclusion("inclusion/bent-against-each-other")
    made = base("honest")
    asset = made.forger.assets[0]
    pages = made.forger.tree(asset)[0]
    states, left = [], []
    for part in parts:
        leaf, amount, opening = part["leaf"], part["amount"], part["opening"]
        assert isinstance(leaf, int)
        assert isinstance(amount, int)
        assert isinstance(opening, bytes)
        page = pages[leaf // 16]
        opened = made.forger.opened(asset, page, leaf % 16, amount)
        states.append(drawn(opened, opening[:33])[0])
        left.append(opening_residual(opened, page.entries[65:98], opening))
    assert INFINITY not in left
    assert combine(list(zip(hashed_weights(states), left, strict=True))) == INFINITY


@pytest.mark.parametrize("name", ["cancelling-responses", "cancelling-announcement"])
def test_equal_weights_let_faults_of_two_pages_cancel(name: str) -> None:
    files, honest = bundle_files(f"bundle/{name}"), base("honest").forger
    left: list[tuple[int, bytes]] = []
    for index in range(3):
        state = honest.place(honest.assets[0], index=index).state("leaves")
        entries = files["pages/BTC/0"][113 * index + 15 : 113 * (index + 1)]
        argument = files["arguments/BTC/0"][3973 * index : 3973 * (index + 1)]
        found = Reader(16).residuals(state, entries, argument)
        left += [(1, point) for point in found.values()]
        assert (set(found.values()) == {INFINITY}) == (index == 2)
    assert combine(left) == INFINITY


def test_fifteen_openings_hold_of_a_vector_with_a_debt() -> None:
    files = bundle_files("inclusion/debt")
    assert set(bundle_files("inclusion/debt-not-proved")) < set(files)
    _, body, _ = inclusion("inclusion/debt")
    part = body["assets"][1]["parts"][0]  # type: ignore[index]
    made = base("honest").forger
    place, data = made.place(made.assets[1]), files["pages/ETH/0"]
    identity = made.identity(account_key(ALICE), ALICE, "ETH", 0)
    where = place.state("opening"), page_id(data), part["leaf"], part["amount"], identity
    assert opening_residual(Opened(*where, (), 0), data[80:113], part["opening"]) == INFINITY


def page_id(data: bytes) -> bytes:
    forger = base("honest").forger
    made = forger.tree(forger.assets[1])[0][0]
    assert len(data) == len(made.encode())
    return type(made)(0, 0, 16, data[15:], b"", (0, 0)).id


OFF_CURVE = b"\x02" + (5).to_bytes(32, "big")


def test_every_point_and_every_scalar_of_a_page_is_decoded() -> None:
    fields, shape = fields_of(load("page/sixteen")), Shape(16)
    state, data, argument = read(fields)
    entries = read_entries(16, data)
    for at in range(shape.points):
        bad = argument[: 33 * at] + OFF_CURVE + argument[33 * at + 33 :]
        with pytest.raises(Rejected, match=r"argument\.bad-point"):
            verify_leaves(state, 16, data, entries, bad)
    for start in range(33 * shape.points, shape.length, 32):
        bad = argument[:start] + N.to_bytes(32, "big") + argument[start + 32 :]
        with pytest.raises(Rejected, match=r"argument\.bad-scalar"):
            verify_leaves(state, 16, data, entries, bad)
    for start in range(32, len(data), 33):
        with pytest.raises(ValueError, match="not on the curve"):
            read_entries(16, data[:start] + OFF_CURVE + data[start + 33 :])


def test_every_point_and_every_scalar_of_a_page_counts() -> None:
    fields, shape = fields_of(load("page/sixteen")), Shape(16)
    state, data, argument = read(fields)
    for start in range(0, 33 * shape.points, 33):
        moved = combine([(1, argument[start : start + 33]), (1, V)])
        changed = argument[:start] + moved + argument[start + 33 :]
        assert Reader(16).failing(state, data, changed)
    for start in range(33 * shape.points, shape.length, 32):
        more = int.from_bytes(argument[start : start + 32], "big") + 1
        changed = argument[:start] + (more % N).to_bytes(32, "big") + argument[start + 32 :]
        assert Reader(16).failing(state, data, changed)


# --- provers


def test_a_prover_without_its_share_of_f_shows_it() -> None:
    """Why a prover checks its own argument: the residual tests guesses of all amounts."""

    def forgetful(it: Prover) -> None:
        it.announcements[5] = combine([(1, it.announcements[5]), (it.a * it.f_bar, V)])

    seen: list[Prover] = []
    bend = bent({"announced": forgetful, "responded": seen.append})
    made = page(bend=bend)
    found = Reader(16).residuals(PLACE.state("leaves"), made.entries, made.argument)
    assert {k for k, point in found.items() if point != INFINITY} == {4}
    it = seen[0]
    response = sum(y * low for y, low in zip(it.responses[32:48], it.challenges.low, strict=True))
    shown = combine([(response, V), (-pow(it.a, -1, N), found[4])])
    assert shown == combine([(it.e * it.f, V)])


def test_an_opening_of_changed_amounts_shows_which_mate_changed() -> None:
    """Why a prover compares the vector before, and the equation after."""
    fields = fields_of(load("opening/mate-changed"))
    where = fields["state"], fields["page_id"], fields["leaf"], int(fields["amount"])
    opened = Opened(*where, fields["identity"], (), 0)
    _, c = drawn(opened, fields["opening"][:33])
    left = opening_residual(opened, fields["vector"], fields["opening"])
    found = [
        (slot, by)
        for slot in range(16)
        for by in range(1, 100)
        if combine([(-c * by, generator_w(slot))]) == left
    ]
    assert found == [(9, 77)]


def generator_w(slot: int) -> bytes:
    for case in load("generators/generators").content["points"]:
        if (case["name"], case["index"]) == ("W", slot):
            return bytes.fromhex(case["point"])
    raise LookupError(slot)


def test_entries_and_openings_are_the_same_bytes_under_another_argument() -> None:
    again = prove_leaves(
        (PLACE.state("entries"), bytes(32)),
        amounts(16),
        identities(16),
        Keys(KEYS.entries, b"another argument secret", KEYS.opening, KEYS.salt),
        bend=Bend(),
    )
    made = page()
    assert again.entries == made.entries
    assert again.argument != made.argument
    state = PLACE.state("opening")
    openings = [open_leaf(page_opening(state, one, bytes(32), 3), KEYS) for one in (made, again)]
    assert openings[0] == openings[1]


def test_a_page_of_changed_amounts_shares_no_blinding_factor() -> None:
    made = page()
    for values, listed in (
        ([amounts(16)[0] + 77, *amounts(16)[1:]], identities(16)),
        (amounts(16), [bytes(32), *identities(16)[1:]]),
    ):
        states = PLACE.state("entries"), PLACE.state("leaves")
        other = prove_leaves(states, values, listed, KEYS)
        assert other.rho != made.rho
        assert other.opening[1] != made.opening[1]
        points = 33 * Shape(16).points
        rows = [made.argument[at : at + 33] for at in range(0, points, 33)]
        assert not set(rows) & {other.argument[at : at + 33] for at in range(0, points, 33)}


def test_masks_are_full_scalars() -> None:
    """A shorter mask gives a mate's amount away, though the opening holds."""
    state = PLACE.state("opening")
    high = [0] * 16
    for number in range(256):
        page_id = number.to_bytes(32, "big")
        opening = open_leaf(page_opening(state, page(), page_id, 3), KEYS)
        for at in range(16):
            high[at] += opening[33 + 32 * at] >> 7
    # Of 256 fair coins fewer than 80 or more than 176 heads come in one of 10^9 tries.
    assert all(80 < count < 176 for count in high)


def test_the_forger_is_honest_at_every_page_size() -> None:
    for size in (16, 256):
        place = Place(page_size=size)
        made = page(place)
        assert Reader(size).failing(place.state("leaves"), made.entries, made.argument) == set()
    assert base_files("honest")["pages/BTC/0"][15:113] == known_entries()


def known_entries() -> bytes:
    forger = base("honest").forger
    return forger.tree(forger.assets[0])[0][0].entries
