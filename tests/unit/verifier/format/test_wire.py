"""Canonical msgpack: what is accepted encodes back to itself, and nothing makes the reader fall."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import fields, replace
from functools import partial
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.reference import wire as reference_wire
from verifier.format import wire
from verifier.format.evidence_records import (
    Coin,
    Evidence,
    HiddenSet,
    HoldingAttestation,
    OwnershipSignature,
    Row,
    StateProof,
)
from verifier.format.wire import (
    BadFields,
    NotCanonical,
    check_canonical,
    encode,
    read_record,
    write_record,
)

values = st.recursive(
    st.integers(0, 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=30,
).filter(lambda value: depth(value) <= wire.MAX_DEPTH)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(values)
def test_what_is_encoded_is_canonical(value):
    raw = encode(value)
    check_canonical(raw)
    assert msgpack.unpackb(raw) == value


@given(values, st.data())
def test_an_accepted_text_is_the_only_one(value, data):
    raw = bytearray(encode(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        check_canonical(bytes(raw))
    except NotCanonical:
        return
    assert encode(msgpack.unpackb(raw)) == raw


@given(st.binary(max_size=200))
def test_any_bytes_are_canonical_or_refused(raw):
    try:
        check_canonical(raw)
    except NotCanonical:
        return
    assert encode(msgpack.unpackb(raw)) == raw


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\x01"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x80", id="trailing-value"),
        pytest.param(b"\x80\x00", id="trailing-zero"),
        pytest.param(b"\x82\xa1a\x01\xa1a\x01", id="duplicate-key"),
        pytest.param(b"\x82\xa1b\x01\xa1a\x02", id="unsorted-keys"),
        pytest.param(b"\x82\xa2aa\x01\xa1b\x02\x00", id="trailing-after-map"),
        pytest.param(b"\x81\x01\x02", id="integer-key"),
        pytest.param(b"\x81\xc4\x01a\x02", id="binary-key"),
        pytest.param(b"\x81\x91\x01\x02", id="array-key"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(b"\xc1", id="unused-byte"),
        pytest.param(b"\xc2", id="false"),
        pytest.param(b"\xc3", id="true"),
        pytest.param(b"\xca\x00\x00\x00\x00", id="float32"),
        pytest.param(b"\xcb" + bytes(8), id="float64"),
        pytest.param(b"\xff", id="negative-fixint"),
        pytest.param(b"\xd0\xff", id="negative-int8"),
        pytest.param(b"\xd3" + bytes(7) + b"\x01", id="signed-encoding-of-one"),
        pytest.param(b"\xd4\x01\x00", id="fixext"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="timestamp"),
        pytest.param(b"\xc7\x00\x01", id="ext8"),
        pytest.param(b"\xcc\x7f", id="long-uint8"),
        pytest.param(b"\xcd\x00\xff", id="long-uint16"),
        pytest.param(b"\xce\x00\x00\xff\xff", id="long-uint32"),
        pytest.param(b"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", id="long-uint64"),
        pytest.param(b"\xd9\x01a", id="long-str8"),
        pytest.param(b"\xda\x00\x20" + b"a" * 32, id="long-str16"),
        pytest.param(b"\xc5\x00\x01a", id="long-bin16"),
        pytest.param(b"\xdc\x00\x01\x01", id="long-array16"),
        pytest.param(b"\xdd\x00\x00\x00\x10" + b"\x01" * 16, id="long-array32"),
        pytest.param(b"\xde\x00\x01\xa1a\x01", id="long-map16"),
        pytest.param(b"\xa1\xff", id="invalid-utf8"),
        pytest.param(b"\xa3\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xa2\xc0\x80", id="overlong-utf8"),
        pytest.param(b"\xa2a", id="short-string"),
        pytest.param(b"\xcf\x01", id="short-integer"),
        pytest.param(nested(9), id="depth-9"),
        pytest.param(b"\x81\xa1a" * 9 + b"\x01", id="depth-9-of-maps"),
        pytest.param(b"\x91" * 2**20, id="depth-of-a-million"),
        pytest.param(b"\x81\xa1a" * 300_000, id="depth-of-many-maps"),
    ],
)
def test_other_forms_are_refused(raw):
    with pytest.raises(NotCanonical):
        check_canonical(raw)
    for record in RECORDS:
        with pytest.raises(NotCanonical):
            read_record(type(record), raw)


def test_depth_8_is_accepted():
    check_canonical(nested(8))


@pytest.mark.parametrize("lead", [0xC6, 0xDB, 0xDD, 0xDF])
def test_a_declared_length_takes_no_memory(lead):
    raw = bytes([lead]) + b"\xff\xff\xff\xff" + bytes(10)
    tracemalloc.start()
    try:
        with pytest.raises(NotCanonical):
            check_canonical(b"\x91" * 7 + raw)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


UNIT = wire.Unit("bitcoin", "", 8)
ASSET = wire.Asset(
    capacity=1,
    code="BTC",
    decimals=8,
    evidence=bytes(32),
    levels=1,
    page_size=16,
    ratio=wire.Ratio(1, 1),
    root=bytes(32),
    sum=bytes(33),
    units=(UNIT,),
)
MANIFEST = wire.Manifest(
    account_id_type="email",
    argument_version=1,
    assets=(ASSET,),
    chains=(wire.Chain(bytes(32), 0, "bitcoin"),),
    declaration=bytes(32),
    exchange="An exchange",
    previous=bytes(32),
    protocol_version=1,
    public_key=bytes(32),
    rotation=(wire.Rotation(bytes(64), bytes(32), bytes(64)),),
    snapshot_id="first",
    time=1,
)
EVIDENCE = Evidence(
    attestations=(HoldingAttestation(b"body", bytes(32), bytes(64)),),
    code="BTC",
    coins=(Coin("address", 1, 2, bytes(32)),),
    hidden=(HiddenSet(b"", b"", "bitcoin", bytes(33), "", bytes(33), ("p2tr",)),),
    proofs=(StateProof("ethereum", b"header", (b"node",)),),
    rows=(Row("address", bytes(32), "bitcoin", ""),),
    signatures=(OwnershipSignature("address", "bitcoin", "bip322", "text"),),
    validators=(),
    version=1,
)
BODY = wire.PackageBody(
    account_id="a@b",
    account_key=bytes(32),
    assets=(wire.PackageAsset("BTC", (wire.Part(1, 2, b"opening", 0, b"path"),)),),
    manifest=bytes(32),
    version=1,
)
RECORD = wire.ArgumentRecord(
    argument_version=1,
    assets=(wire.RecordAsset("BTC", (bytes(32),), bytes(32)),),
    manifest=bytes(32),
    version=1,
)
RECORDS = [MANIFEST, RECORD, EVIDENCE, BODY, wire.Package(b"body", b"", bytes(64))]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_read_as_it_was_written(record):
    raw = write_record(record)
    assert read_record(type(record), raw) == record
    assert list(msgpack.unpackb(raw)) == sorted(field.name for field in fields(record))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_field_missing_unknown_or_of_another_type_is_refused(record):
    plain = msgpack.unpackb(write_record(record))
    for name, value in plain.items():
        others: list[Any] = [
            7,
            "text",
            b"\x00" * 31,
            [],
            {},
            [1],
            ["x"],
            [[]],
            [{}],
            {"a": 1},
            2**64 - 1,
        ]
        for other in others:
            if type(other) is type(value) and not isinstance(value, list | dict | bytes):
                continue
            if other == [] or (type(other) is bytes and name == "body"):
                continue  # an empty array may be right
            with pytest.raises(BadFields):
                read_record(type(record), encode({**plain, name: other}))
        with pytest.raises(BadFields):
            read_record(type(record), encode({k: v for k, v in plain.items() if k != name}))
        with pytest.raises(BadFields):
            read_record(type(record), encode({**plain, name + "x": value}))
    for other in (7, "text", b"bytes", [plain]):
        with pytest.raises(BadFields):
            read_record(type(record), encode(other))


@pytest.mark.parametrize(
    "record",
    [
        replace(MANIFEST, public_key=bytes(33)),
        replace(MANIFEST, assets=()),
        replace(MANIFEST, assets=(ASSET,) * 4097),
        replace(MANIFEST, chains=MANIFEST.chains * 257),
        replace(MANIFEST, rotation=MANIFEST.rotation * 2),
        replace(MANIFEST, assets=(replace(ASSET, sum=bytes(32)),)),
        replace(MANIFEST, assets=(replace(ASSET, units=()),)),
        replace(MANIFEST, assets=(replace(ASSET, units=(UNIT,) * 65),)),
        replace(EVIDENCE, rows=(Row("", bytes(32), "bitcoin", ""),)),
        replace(EVIDENCE, rows=(Row("a" * 129, bytes(32), "bitcoin", ""),)),
        replace(EVIDENCE, rows=(Row("\u20bf" * 43, bytes(32), "bitcoin", ""),)),
        replace(EVIDENCE, rows=(Row("a", bytes(31), "bitcoin", ""),)),
        replace(EVIDENCE, signatures=(OwnershipSignature("a", "b", "c", ""),)),
        replace(EVIDENCE, signatures=(OwnershipSignature("a", "b", "c", "x" * (2**17 + 1)),)),
        replace(RECORD, assets=(wire.RecordAsset("BTC", (bytes(31),), bytes(32)),)),
        replace(RECORD, assets=(wire.RecordAsset("BTC", (), bytes(33)),)),
        wire.Package(b"", b"", bytes(63)),
        wire.Package(b"", b"a", bytes(64)),
    ],
)
def test_sizes_are_limited(record):
    with pytest.raises(BadFields):
        read_record(type(record), write_record(record))


def test_values_are_limited_in_number_before_they_are_read():
    many = b"\xdd" + (2**24 + 1).to_bytes(4) + bytes(2**24 + 1)
    for read in (check_canonical, partial(read_record, Evidence)):
        with pytest.raises(NotCanonical, match="more than 16777216 values"):
            read(many)
    with pytest.raises(reference_wire.NotCanonicalError):
        reference_wire.decode(many)


OTHER_OBJECTS = {
    "arrays": b"\x90",
    "maps": b"\x80",
    "texts": b"\xa1a",
    "binary": b"\xc4\x00",
    "numbers": b"\xce\xff\xff\xff\xff",
    "arrays of arrays": b"\x91\x90",
    "maps of maps": b"\x81\xa1a\x80",
}


@pytest.mark.parametrize("item", OTHER_OBJECTS.values(), ids=OTHER_OBJECTS)
@pytest.mark.parametrize("place", ["instead", "rows", "coins", "nodes", "code"])
def test_objects_are_bounded_as_bytes_are(item, place):
    """Nothing is made of what is not declared, however many of it the bytes hold."""
    count = 2**14
    many = b"\xdc" + count.to_bytes(2) + item * count
    raw = many
    if place == "nodes":
        proof = write_record(replace(EVIDENCE.proofs[0], nodes=(b"here",)))
        proof = proof.replace(b"\x91\xc4\x04here", many)
        raw = write_record(replace(EVIDENCE, code="X", proofs=()))
        raw = raw.replace(b"\xa6proofs\x90", b"\xa6proofs\x91" + proof)
    elif place == "code":
        raw = write_record(EVIDENCE).replace(b"\xa4code\xa3BTC", b"\xa4code" + many)
    elif place != "instead":
        name = bytes([0xA0 + len(place)]) + place.encode()
        plain = msgpack.unpackb(write_record(EVIDENCE)) | {place: []}
        raw = encode(plain).replace(name + b"\x90", name + many)
    assert len(raw) > len(many) - 100
    tracemalloc.start()
    try:
        with pytest.raises(BadFields):
            read_record(Evidence, raw)
        assert tracemalloc.get_traced_memory()[1] < 2**17
    finally:
        tracemalloc.stop()


@given(st.data())
def test_what_is_not_canonical_is_that_before_its_fields_are_looked_at(data):
    """One fault of each kind, wherever they stand."""
    raw = bytearray(write_record(EVIDENCE).replace(b"\xa4code\xa3BTC", b"\xa4code\x07"))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        check_canonical(bytes(raw))
        expected: type[Exception] = BadFields
    except NotCanonical:
        expected = NotCanonical
    with pytest.raises(expected):
        read_record(Evidence, bytes(raw))


def test_a_message_names_the_field_and_holds_no_value():
    changed = replace(MANIFEST, assets=(ASSET, replace(ASSET, root=b"secret")))
    with pytest.raises(BadFields, match=r"^manifest\.assets\[1\]\.root ") as raised:
        read_record(wire.Manifest, write_record(changed))
    assert "secret" not in str(raised.value)


def test_a_random_byte_changed_never_reads_as_the_same_record():
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    raw = write_record(MANIFEST)
    for _ in range(500):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= rng.randrange(1, 256)
        try:
            assert read_record(wire.Manifest, bytes(changed)) != MANIFEST, f"seed {seed}"
        except (NotCanonical, BadFields):
            continue
