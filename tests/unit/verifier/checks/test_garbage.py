"""Signed garbage: an exchange may sign anything, and all that may come of it is a rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.verifier_bundle import Bundle
from verifier import Policy, Rejected, check_inclusion
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.inclusion import check_package
from verifier.checks.manifest import check_manifest, check_previous
from verifier.format import wire
from verifier.format.keys import sign

ALICE = "alice@example.com"
relaxed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=150,
)
integers = st.sampled_from([0, 1, 2, 16, 17, 255, 2**31, 2**32, 2**63, 2**64 - 1])
texts = st.sampled_from(["", "BTC", "bitcoin", "ethereum", "\u202e", "x" * 200]) | st.text()
scalars = integers | texts | st.binary(max_size=70)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle(tmp_path_factory.mktemp("garbage") / "bundle")


def family(check: Callable[..., object], *arguments: object) -> str | None:
    """The family of the code with which a check rejects, if it does; any other exception rises."""
    try:
        check(*arguments)
    except Rejected as error:
        return error.code.split(".")[0]
    return None


@st.composite
def changed(draw: st.DrawFn, plain: Any) -> Any:
    """Replace, drop, double or move a value somewhere inside."""
    if isinstance(plain, dict) and plain and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(plain)))
        return {**plain, key: draw(changed(plain[key]))}
    if isinstance(plain, list) and plain and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(plain) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            return plain[:at] + plain[at + 1 :]
        if kind == 1:
            return [*plain, plain[at]]
        return [*plain[:at], draw(changed(plain[at])), *plain[at + 1 :]]
    if isinstance(plain, bytes) and plain and draw(st.booleans()):
        at = draw(st.integers(0, len(plain) - 1))
        return plain[:at] + bytes([draw(st.integers(0, 255))]) + plain[at + 1 :]
    return draw(
        {int: integers, str: texts, bytes: st.binary()}.get(type(plain), anything) | anything
    )


@relaxed
@given(st.data())
def test_any_signed_manifest_is_accepted_or_rejected(bundle, data):
    plain = msgpack.unpackb(wire.write_record(bundle.manifest))
    raw = wire.encode(data.draw(changed(data.draw(changed(plain)))))
    signature = sign(bundle.signer, "manifest-signature", raw)
    honest = wire.write_record(bundle.manifest)
    first = check_manifest(
        honest, sign(bundle.signer, "manifest-signature", honest), bundle.key, Policy()
    )
    with pytest.raises(Rejected):
        check_previous(first, raw, signature)
    assert family(check_manifest, raw, signature, bundle.key, Policy()) in (None, "manifest")


@relaxed
@given(st.data())
def test_any_evidence_is_accepted_or_rejected(bundle, data):
    plain = msgpack.unpackb(wire.write_record(bundle.evidence["ETH"]))
    raw = wire.encode(data.draw(changed(data.draw(changed(plain)))))
    bundle.change_evidence(1, raw)
    manifest = (bundle.folder / "manifest.msgpack").read_bytes()
    signature = (bundle.folder / "manifest.sig").read_bytes()
    checked = check_manifest(manifest, signature, bundle.key, Policy())
    found = family(check_evidence, checked, checked.manifest.assets[1], raw, Seen())
    assert found in (None, "evidence")


@relaxed
@given(st.data())
def test_any_signed_package_is_accepted_or_rejected(bundle, data):
    plain = msgpack.unpackb(wire.write_record(bundle.body(ALICE)))
    package = bundle.package(wire.encode(data.draw(changed(data.draw(changed(plain))))))
    balances = {"BTC": "1.5", "ETH": "3.2"}
    found = family(check_inclusion, package, bundle.folder, bundle.key, ALICE, balances)
    assert found in (None, "package", "inclusion")


@relaxed
@given(st.binary(max_size=300))
def test_any_bytes_are_no_package(bundle, raw):
    manifest = (bundle.folder / "manifest.msgpack").read_bytes()
    signature = (bundle.folder / "manifest.sig").read_bytes()
    checked = check_manifest(manifest, signature, bundle.key, Policy())
    with pytest.raises(Rejected, match=r"^package\."):
        check_package(checked, raw, ALICE)
