"""Every vector through both verifiers, which must name the same fault; and the set is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from tests.support.subjects import SUBJECTS, solvency_code
from tests.support.vector import FOLDER, Vector, load, names
from tests.vectors.generate import vectors
from tests.vectors.make_sizes import FIELDS, LARGE
from verifier.format import wire

KINDS = ("argument", "bundle", "hidden", "inclusion", "size")
CHECKED = [name for name in names() if name.split("/")[0] in KINDS and name not in LARGE]
# How each verifier names a place.
PAGES = {"verifier": "{}, level {}, page {}", "reference": "pages/{}/{}, page {}"}
HIDDEN = {"verifier": "{}, hidden set {}", "reference": "evidence/{}.msgpack, hidden set {}"}
SOLVENCY = {"verifier": "{}, solvency", "reference": "manifest.msgpack, solvency of {}"}


@pytest.mark.parametrize("name", CHECKED)
def test_both_name_the_code(name: str) -> None:
    vector = load(name)
    for subject, run in SUBJECTS.items():
        found = run(vector)
        assert found.code == vector.code, f"{subject}: {vector.content['description']}"
        if "place" in vector.content:
            place = vector.content["place"]
            template = {1: SOLVENCY, 2: HIDDEN, 3: PAGES}[len(place)]
            # The reference names an entry of a page, where one is at fault.
            assert found.where.split(", entry")[0] == template[subject].format(*place)
        assert list(found.set_aside) == vector.content.get("set_aside", []), subject
        if "levels" in vector.content:
            assert dict(found.levels) == vector.content["levels"], subject
        if "times" in vector.content:
            assert dict(found.times) == vector.content["times"], subject
        if vector.kind != "size":
            assert found.loans == vector.content.get("loans", []), subject
            assert dict(found.pledged) == vector.content.get("pledged", {}), subject
        if "counted" in vector.content:
            assert dict(found.counted) == vector.content["counted"], subject
            assert list(found.not_compared) == vector.content["not_compared"], subject


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("bundle/")])
def test_solvency_alone_looks_at_no_page(name: str) -> None:
    """Its code is that of the audit where the fault is before the trees; else it accepts."""
    vector = load(name)
    gone = {path for path, change in vector.content.get("replace", {}).items() if change is None}
    before_trees = (vector.code or "").startswith(
        ("manifest.", "declaration.", "evidence.", "attestation.", "hidden.", "proof.", "check.")
    ) or (
        len(vector.content.get("place", ())) in (1, 2)
        or (vector.code == "bundle.missing-file" and not min(gone, default="").startswith("pages/"))
    )
    assert solvency_code(vector) == (vector.code if before_trees else None)


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
        for kind in vars(wire).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind is not wire.Size
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


def test_the_frozen_vectors_are_those_made_today() -> None:
    made = {vector.name: vector for vector in vectors()}
    assert sorted(made) == names()
    differing = [name for name, vector in made.items() if vector.text() != frozen_text(vector)]
    assert not differing


def frozen_text(vector: Vector) -> str:
    path: Path = FOLDER / f"{vector.name}.json"
    return path.read_text("ascii")
