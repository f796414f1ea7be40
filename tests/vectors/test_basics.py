"""The vectors of the parts, through `native` and `verifier` and through the reference."""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise
from typing import cast

import pytest

import native
from spec.reference import account as reference_account
from spec.reference import group, transcript
from spec.reference import keys as reference_keys
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
from verifier.format.params import TreeShape
from verifier.format.statement import context, leaf_blinding


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


def test_leaves() -> None:
    content = load("commitment/leaves").content
    identity = content["exchange"], content["snapshot_id"], content["time"]
    bound = context(bytes.fromhex(content["public_key"]), *identity)
    assert bound.hex() == content["context"]
    for leaf in content["leaves"]:
        key, asset, part = bytes.fromhex(leaf["account_key"]), leaf["asset"], leaf["part"]
        blinding = leaf_blinding(bound, asset, leaf["account_id"], key, part)
        assert blinding.hex() == leaf["blinding"]
        amount = int(leaf["amount"])
        assert bytes(native.commit(array("Q", [amount]), blinding)).hex() == leaf["commitment"]
        lp = transcript.lp
        subject = lp(bound) + lp(asset) + lp(leaf["account_id"])
        leaf_hash = transcript.tagged_hash("leaf", subject)
        secret = transcript.tagged_hash("blinding", key + leaf_hash + transcript.u32(part))
        point = transcript.commit(amount, int.from_bytes(secret, "big") % group.N)
        assert group.encode(point).hex() == leaf["commitment"]


@pytest.mark.parametrize("case", load("commitment/account-ids").content["cases"])
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


@pytest.mark.parametrize("case", load("commitment/names").content["cases"])
def test_names(case: dict[str, str | None]) -> None:
    text, form = case["text"], case["canonical"]
    assert text is not None
    for canonical in (canonical_name, reference_account.canonical_name):
        if form is None:
            with pytest.raises(ValueError, match=r"."):
                canonical(text)
        else:
            assert canonical(text) == canonical(form) == form


@pytest.mark.parametrize("case", load("commitment/public-keys").content["cases"])
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


def test_the_table_of_code_points_is_the_one_made_today() -> None:
    for path in code_points.FILES:
        assert path.read_text("ascii") == code_points.table()


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
        size, capacity, levels = case["page_size"], case["capacity"], len(case["pages"])
        shape, geometry = TreeShape(capacity, size), Geometry(size, capacity, levels)
        assert shape.levels == levels
        assert [shape.pages(level) for level in range(levels)] == case["pages"]
        assert [geometry.pages(level) for level in range(levels)] == case["pages"]
        assert [shape.file_bytes(level) for level in range(levels)] == case["bytes"]
        assert [geometry.file_length(level) for level in range(levels)] == case["bytes"]
