"""The vectors of the parts, through `native` and `verifier` and through the reference."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import cast

import pytest

import native
from spec.reference import account as reference_account
from spec.reference import group, transcript
from spec.reference import keys as reference_keys
from spec.reference.leaves import Shape, climb
from spec.reference.manifest import levels_of
from spec.reference.tree import Geometry
from tests.support.vector import load
from tests.vectors import code_points
from verifier.errors import Misuse
from verifier.format.account import (
    AccountError,
    IdType,
    canonical_account_id,
    canonical_name,
    refused_points,
)
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.statement import context


def test_generators() -> None:
    for case in load("generators/generators").content["points"]:
        point, name, index = bytes.fromhex(case["point"]), case["name"], case["index"]
        assert native.generator(name.encode(), index) == point
        assert group.encode(transcript.generator(name, index)) == point


def test_transcript_steps() -> None:
    steps = load("transcript/steps").content["steps"]
    ours, theirs = native.Transcript(), transcript.Transcript()
    assert ours.state.hex() == theirs.state.hex() == steps[0]["state"]
    for before, step in pairwise(steps):
        resumed = native.Transcript.from_state(bytes.fromhex(before["state"]))
        if "absorb" in step:
            data = bytes.fromhex(step["data"])
            for one in (ours, resumed):
                one.absorb(step["absorb"].encode(), data)
            theirs.absorb(step["absorb"], data)
        else:
            label = step["challenge"]
            scalar = bytes.fromhex(step["scalar"])
            assert ours.challenge(label.encode()) == resumed.challenge(label.encode()) == scalar
            assert theirs.challenge(label) == int.from_bytes(scalar, "big")
        assert ours.state.hex() == resumed.state.hex() == theirs.state.hex() == step["state"]


def test_identities() -> None:
    content = load("identity/leaves").content
    identity = content["exchange"], content["snapshot_id"], content["time"]
    bound = context(bytes.fromhex(content["public_key"]), *identity)
    assert bound.hex() == content["context"]
    lp, u32, tagged = transcript.lp, transcript.u32, transcript.tagged_hash
    for leaf in content["leaves"]:
        subject = lp(bound) + lp(leaf["asset"]) + lp(leaf["account_id"])
        key = bytes.fromhex(leaf["account_key"]) + tagged("leaf", subject)
        assert tagged("identity", key + u32(leaf["part"])).hex() == leaf["identity"]


def test_paths() -> None:
    for case in load("identity/paths").content["cases"]:
        siblings = [bytes.fromhex(sibling) for sibling in case["path"]]
        node, reached = climb(case["leaf"], bytes.fromhex(case["identity"]), siblings)
        assert node == case["node"]
        assert reached.hex() == case["nodes"][node]
        shape = Shape(case["page_size"])
        assert len(siblings) == shape.height
        assert len(case["nodes"]) == shape.nodes


@pytest.mark.parametrize("case", load("identity/account-ids").content["cases"])
def test_account_ids(case: dict[str, str | None]) -> None:
    kind, text, form = cast(IdType, case["type"]), case["text"], case["canonical"]
    assert text is not None
    if form is None:
        with pytest.raises(AccountError):
            canonical_account_id(text, kind)
        with pytest.raises(ValueError, match=r"."):
            reference_account.canonical(kind, text)
    else:
        assert canonical_account_id(text, kind) == form
        assert reference_account.canonical(kind, text) == form
        assert canonical_account_id(form, kind) == form


@pytest.mark.parametrize("case", load("identity/names").content["cases"])
def test_names(case: dict[str, str | None]) -> None:
    text, form = case["text"], case["canonical"]
    assert text is not None
    for canonical in (canonical_name, reference_account.canonical_name):
        if form is None:
            with pytest.raises(ValueError, match=r"."):
                canonical(text)
        else:
            assert canonical(text) == canonical(form) == form


@pytest.mark.parametrize("case", load("identity/public-keys").content["cases"])
def test_public_keys(case: dict[str, str | None]) -> None:
    text, key = case["text"], case["key"]
    assert text is not None
    if key is None:
        with pytest.raises(Misuse):
            parse_public_key(text)
        with pytest.raises(ValueError, match=r"."):
            reference_keys.parse(text)
    else:
        assert parse_public_key(text).hex() == reference_keys.parse(text).hex() == key
        assert (
            public_key_text(bytes.fromhex(key)) == reference_keys.text(bytes.fromhex(key)) == text
        )


@pytest.mark.unsanitized
def test_the_table_of_code_points_is_the_one_made_today() -> None:
    for path in code_points.FILES:
        assert path.read_text("ascii") == code_points.table()


@pytest.mark.unsanitized
def test_every_reader_has_the_table() -> None:
    """What is not refused stays so when it is normalised, so that one look is enough."""
    ours = refused_points()
    assert {name: reference_account.TABLE[name] for name in ours} == ours
    lists = (code_points.in_no_id, code_points.in_no_name)
    for point in range(sys.maxunicode + 1):
        composed = [ord(character) for character in code_points.nfc(chr(point))]
        in_id, in_name = (any(map(is_in, composed)) for is_in in lists)
        assert in_id <= code_points.in_no_id(point)
        assert in_name <= code_points.in_no_name(point)


def test_shapes_of_trees() -> None:
    for case in load("tree/shapes").content["cases"]:
        levels = range(levels_of(case["capacity"]))
        geometry = Geometry(case["page_size"], case["capacity"], len(levels))
        assert [geometry.pages(level) for level in levels] == case["pages"]
        assert [geometry.page_file(level) for level in levels] == case["page_bytes"]
        assert [geometry.argument_file(level) for level in levels] == case["argument_bytes"]
