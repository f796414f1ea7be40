"""Every vector through both verifiers, which must name the same fault; and the set is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from tests.support.subjects import SOLVENCY as SOLVENCY_ALONE
from tests.support.subjects import SUBJECTS
from tests.support.vector import FOLDER, Vector, load, names
from tests.vectors.generate import vectors
from tests.vectors.make_sizes import FIELDS, LARGE
from verifier.format import evidence_records, wire

# The kinds of vectors, and who reads them.
KINDS = {
    "argument": SUBJECTS,
    "bundle": SUBJECTS,
    "hidden": SUBJECTS,
    "inclusion": SUBJECTS,
    "opening": ("reference",),
    "page": ("reference",),
    "size": SUBJECTS,
}
CHECKED = [
    pytest.param(name, subject, marks=pytest.mark.unsanitized if subject == "reference" else ())
    for name in names()
    if name not in LARGE
    for subject in KINDS.get(name.split("/")[0], ())
]
# How each verifier names a place.
PAGES = {"verifier": "{}, level {}, page {}", "reference": "pages/{}/{}, page {}"}
HIDDEN = {"verifier": "{}, hidden set {}", "reference": "evidence/{}.msgpack, hidden set {}"}
SOLVENCY = {"verifier": "{}, solvency", "reference": "arguments/{}/solvency"}


@pytest.mark.parametrize(("name", "subject"), CHECKED)
def test_a_reader_names_the_code(name: str, subject: str) -> None:
    vector = load(name)
    found = SUBJECTS[subject](vector)
    assert found.code == vector.code, vector.content["description"]
    if "place" in vector.content:
        place = vector.content["place"]
        template = {1: SOLVENCY, 2: HIDDEN, 3: PAGES}[len(place)]
        # The reference names an entry of a page, where one is at fault.
        assert found.where.split(", entry")[0] == template[subject].format(*place)
    assert list(found.set_aside) == vector.content.get("set_aside", [])
    if "levels" in vector.content:
        assert dict(found.levels) == vector.content["levels"]
    if "times" in vector.content:
        assert dict(found.times) == vector.content["times"]
    if vector.kind != "size":
        assert found.loans == vector.content.get("loans", [])
        assert dict(found.pledged) == vector.content.get("pledged", {})
    if "counted" in vector.content:
        assert dict(found.counted) == vector.content["counted"]
        assert list(found.not_compared) == vector.content["not_compared"]


def of_a_tree(path: str) -> bool:
    """Whether a file is of the pages or their arguments."""
    return path.startswith("pages/") or re.fullmatch("arguments/[A-Z0-9]+/[0-9]+", path) is not None


def is_before_trees(vector: Vector) -> bool:
    """Whether a fault is found before any tree is looked at."""
    changed = vector.content.get("replace", {})
    gone = min((path for path, change in changed.items() if change is None), default="")
    families = ("manifest", "record", "declaration", "evidence", "attestation", "hidden", "proof")
    return (
        (vector.code or "").split(".")[0] in (*families, "check")
        or len(vector.content.get("place", ())) in (1, 2)
        or (vector.code == "bundle.missing-file" and not of_a_tree(gone))
        or (vector.code == "bundle.wrong-argument" and not any(map(of_a_tree, changed)))
    )


BUNDLES = [name for name in names() if name.startswith("bundle/")]
# What the reference says of a fault before the trees, it has said above by the same steps.
ALONE = [
    (name, subject)
    for name in BUNDLES
    for subject in SOLVENCY_ALONE
    if subject == "verifier" or not is_before_trees(load(name))
]


@pytest.mark.parametrize(("name", "subject"), ALONE)
def test_solvency_alone_looks_at_no_page(name: str, subject: str) -> None:
    """Its code is that of the audit where the fault is before the trees; else it accepts."""
    vector = load(name)
    assert SOLVENCY_ALONE[subject](vector) == (vector.code if is_before_trees(vector) else None)


def codes_of_the_spec() -> set[str]:
    text = (FOLDER.parent / "errors.md").read_text()
    rejections = text.partition("## 5.")[0]
    found = re.findall(r"`((?:[a-z]+)\.[a-z-]+)`", rejections)
    found += ["check.future", "check.unreadable"]
    return {code for code in found if code.split(".")[1] not in ("msgpack", "sig", "md")}


def test_every_code_has_a_vector_and_no_other_is_used() -> None:
    used = {vector.code for vector in map(load, names())} - {None}
    assert used == codes_of_the_spec()


def sizes(name: str, hint: Any) -> Iterator[tuple[str, int, int]]:
    """The sizes that a type declares, by the names of their vectors."""
    if get_origin(hint) is Annotated:
        hint, size = get_args(hint)
        yield name, size.least, size.most
    if get_origin(hint) is tuple:
        yield from sizes(f"{name}-item", get_args(hint)[0])


def test_every_declared_size_has_vectors_at_its_ends() -> None:
    """Of the records of manifest, evidence and package, as the verifier declares them."""
    found = [
        size
        for module in (wire, evidence_records)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind is not wire.Size
        if kind.__module__ == module.__name__
        for field, hint in get_type_hints(kind, include_extras=True).items()
        for size in sizes(f"{kind.__name__.lower()}-{field}", hint)
    ]
    found.append(("declaration", wire.DECLARED_LOANS.least, wire.DECLARED_LOANS.most))
    assert sorted(found) == sorted((field.name, field.least, field.most) for field in FIELDS)
    ends = {f"size/{field.name}-{end}" for field in FIELDS for end, _, _ in field.ends}
    assert {name for name in names() if name.startswith("size/")} == ends


def test_an_accepted_base_is_under_every_change() -> None:
    for name in names():
        content = load(name).content
        if "base" in content:
            assert load(content["base"]).code is None


def test_a_vector_of_an_argument_names_its_place() -> None:
    """Else another argument than the forged one might be what is rejected."""
    named = ("argument.", "page.bad-header", "page.bad-point", "page.wrong-child", "page.infinite")
    for vector in map(load, names()):
        if vector.kind == "bundle" and (vector.code or "").startswith(named):
            assert "place" in vector.content, vector.name


@pytest.mark.unsanitized
def test_the_frozen_vectors_are_those_made_today() -> None:
    made = {vector.name: vector for vector in vectors()}
    assert sorted(made) == names()
    differing = [name for name, vector in made.items() if vector.text() != frozen_text(vector)]
    assert not differing


def frozen_text(vector: Vector) -> str:
    path: Path = FOLDER / f"{vector.name}.json"
    return path.read_text("ascii")
