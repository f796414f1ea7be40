"""The record of arguments: its faults in order, and what a bundle without one shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.verifier_bundle import Bundle
from verifier import Rejected, audit, check_solvency
from verifier.format import wire
from verifier.format.params import (
    MAX_RECORD_BYTES,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    arguments_path,
    evidence_path,
    pages_path,
    solvency_path,
)


@pytest.fixture
def bundle(tmp_path):
    return Bundle(tmp_path / "bundle")


def faults(bundle: Bundle) -> str:
    """What an audit and a check of solvency say alike."""
    said = set()
    for check in (audit, check_solvency):
        with pytest.raises(Rejected) as raised:
            check(bundle.folder, bundle.key)
        said.add(f"{raised.value.code} {raised.value.where}")
    (fault,) = said
    return fault


def read(bundle: Bundle) -> wire.ArgumentRecord:
    return wire.read_record(wire.ArgumentRecord, (bundle.folder / RECORD_PATH).read_bytes())


@pytest.mark.parametrize("data", [b"", bytes(MAX_RECORD_BYTES + 1)])
def test_a_record_of_another_size_is_too_large(bundle, data):
    bundle.seal_record(data)
    assert faults(bundle) == "record.too-large record"


def test_the_largest_record_is_looked_at(bundle):
    bundle.seal_record(bytes(MAX_RECORD_BYTES))
    assert faults(bundle) == "record.not-canonical record"


def test_the_signature_is_the_exchanges_over_this_record(bundle, tmp_path):
    path = bundle.folder / RECORD_SIGNATURE_PATH
    honest = path.read_bytes()
    other = Bundle(tmp_path / "other", seed=2)
    for changed in (
        honest[:-1],
        honest + b"\0",
        b"",
        bytes(64),
        (bundle.folder / "manifest.sig").read_bytes(),
        (other.folder / RECORD_SIGNATURE_PATH).read_bytes(),
    ):
        path.write_bytes(changed)
        assert faults(bundle) == "record.bad-signature record"


def test_a_record_of_other_fields_is_refused(bundle):
    honest = wire.write_record(read(bundle))
    bundle.seal_record(honest + b"\0")
    assert faults(bundle) == "record.not-canonical record"
    bundle.seal_record(b"\x80")
    assert faults(bundle) == "record.bad-fields record"


def test_faults_of_a_record_come_in_order(bundle):
    honest = read(bundle)
    first, second = honest.assets
    short = replace(first, levels=first.levels[:1])
    long = replace(first, levels=(*first.levels, bytes(32)))
    faulty: list[tuple[str, dict[str, Any]]] = [
        ("unsupported-version", {"version": 2, "manifest": bytes(32)}),
        ("unsupported-version", {"argument_version": 0}),
        ("wrong-manifest", {"manifest": bytes(32), "assets": (first,)}),
        ("wrong-assets", {"assets": ()}),
        ("wrong-assets", {"assets": (first,)}),
        ("wrong-assets", {"assets": (second, first)}),
        ("wrong-assets", {"assets": (first, first)}),
        ("wrong-assets", {"assets": (replace(first, code="BTD"), second)}),
        ("wrong-assets", {"assets": (short, second)}),
        ("wrong-assets", {"assets": (long, second)}),
    ]
    for code, changes in faulty:
        bundle.record(**changes)
        assert faults(bundle) == f"record.{code} record"


def test_a_record_comes_before_the_evidence(bundle):
    (bundle.folder / evidence_path("BTC")).write_bytes(b"")
    bundle.record(version=2)
    assert faults(bundle) == "record.unsupported-version record"


def test_files_are_missed_in_order(bundle):
    paths = [
        RECORD_PATH,
        RECORD_SIGNATURE_PATH,
        *(evidence_path("BTC"), pages_path("BTC", 0), pages_path("BTC", 1)),
        *(arguments_path("BTC", 0), arguments_path("BTC", 1), solvency_path("BTC")),
        *(evidence_path("ETH"), pages_path("ETH", 0)),
        *(arguments_path("ETH", 0), solvency_path("ETH")),
    ]
    for path in paths[::-1]:
        file = bundle.folder / path
        file.unlink()
        for folder in (file.parent, file.parent.parent):
            if not any(folder.iterdir()):
                folder.rmdir()  # which would be unexpected
        with pytest.raises(Rejected) as raised:
            audit(bundle.folder, bundle.key)
        assert f"{raised.value.code} {raised.value.where}" == f"bundle.missing-file {path}"


def test_a_solvency_argument_is_the_one_that_is_signed_for(bundle):
    path = bundle.folder / solvency_path("BTC")
    honest = path.read_bytes()
    changed = honest[:-1] + bytes([honest[-1] ^ 1])
    for data in (changed, honest[:-1], honest + b"\0", b""):
        path.write_bytes(data)
        assert faults(bundle) == "bundle.wrong-argument arguments/BTC/solvency"
    path.write_bytes(changed)
    bundle.record()
    assert faults(bundle) == "argument.rejected BTC, solvency"
    path.write_bytes(b"\x04" + honest[1:])
    bundle.record()
    assert faults(bundle) == "argument.bad-point BTC, solvency"
    path.write_bytes(honest[:-1])  # signed for, and yet none
    bundle.record()
    assert faults(bundle) == "bundle.wrong-argument arguments/BTC/solvency"


def test_two_records_of_one_manifest_are_both_good(bundle):
    """The second argues for the same pages with other randomness."""
    path = bundle.folder / arguments_path("BTC", 0)
    before, digest = path.read_bytes(), bundle.digest
    bundle.argue(salt=bytes(31) + b"\1")
    assert path.read_bytes() != before
    assert audit(bundle.folder, bundle.key).digest == digest
