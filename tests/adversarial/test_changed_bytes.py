"""Bytes changed by chance or by hand: every one is refused by a code of the list, and none crashes.

An exchange signs what it likes, so a change is also made before the signature: then what is left to
refuse it are the fields' rules, the arguments and the ownership signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import msgpack
import pytest

import verifier
from tests.support.forge import tagged
from tests.support.forged_sample import ALICE, ETH, Sample, sample
from tests.support.forger import Fields, Forger, pack
from tests.support.memory_source import MemorySource

MANIFEST, RECORD, EVIDENCE = "manifest.msgpack", "arguments.msgpack", "evidence/ETH.msgpack"
PAGES, ARGUMENTS, SOLVENCY = "pages/ETH/0", "arguments/ETH/0", "arguments/ETH/solvency"

Files = dict[str, bytes]


@cache
def made() -> Sample:
    """An exchange of one asset with one page, and of one customer."""
    return sample([ETH], chains=[("ethereum", 24_000_000, bytes(range(32)))])


def forger() -> Forger:
    return made().forger


@cache
def honest() -> Files:
    return forger().bundle()


@cache
def package() -> bytes:
    return made().package(honest()[MANIFEST], ALICE)


def audit(files: Files) -> None:
    verifier.audit(MemorySource(files), forger().public_key)


def include(data: bytes, files: Files | None = None) -> None:
    """The light check of the one customer."""
    source = MemorySource(honest() if files is None else files)
    verifier.check_inclusion(data, source, forger().public_key, ALICE, {"ETH": "3.5"})


def recorded(files: Files) -> Files:
    """The files with a record of their arguments."""
    return files | forger().record(files)


def resigned(manifest: bytes, **files: bytes) -> Files:
    """The bundle with another manifest, signed, and a record of its own."""
    return recorded(honest() | files | forger().seal(manifest))


def with_evidence(evidence: bytes) -> Files:
    """The bundle with other evidence, which its manifest names."""
    fields = msgpack.unpackb(honest()[MANIFEST])
    fields["assets"][0]["evidence"] = tagged("evidence", evidence)
    return resigned(pack(fields), **{EVIDENCE: evidence})


def flipped(data: bytes, offset: int, bits: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ bits]) + data[offset + 1 :]


def flips(data: bytes, rng: Random) -> Iterator[bytes]:
    """The data with each of its bytes changed."""
    for offset in range(len(data)):
        yield flipped(data, offset, rng.randrange(1, 256))


def test_the_bundle_is_accepted_unchanged() -> None:
    audit(honest())
    audit(resigned(honest()[MANIFEST]))
    include(package())


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (MANIFEST, r"manifest\.bad-signature"),
        ("manifest.sig", r"manifest\.bad-signature"),
        (RECORD, r"record\.bad-signature"),
        ("arguments.sig", r"record\.bad-signature"),
        (EVIDENCE, r"evidence\.wrong-digest"),
        (SOLVENCY, r"bundle\.wrong-argument"),
        (PAGES, r"page\.(bad-header|bad-point|wrong-root-id)"),
    ],
)
def test_every_byte_of_a_file(path: str, codes: str, rng: Random) -> None:
    """Nothing that was changed on its way is called an argument that fails."""
    for changed in flips(honest()[path], rng):
        with pytest.raises(verifier.Rejected, match=rf"^{codes}: "):
            audit(honest() | {path: changed})


def test_bytes_of_arguments(rng: Random) -> None:
    data = honest()[ARGUMENTS]
    for offset in rng.sample(range(len(data)), 200):
        files = honest() | {ARGUMENTS: flipped(data, offset, rng.randrange(1, 256))}
        with pytest.raises(verifier.Rejected, match=r"^bundle\.wrong-argument: "):
            audit(files)
        with pytest.raises(verifier.Rejected, match=r"^argument\."):
            audit(recorded(files))
        with pytest.raises(verifier.Rejected, match=r"^argument\."):
            include(package(), files)


def test_every_byte_of_a_solvency_argument_that_is_signed_for(rng: Random) -> None:
    for changed in flips(honest()[SOLVENCY], rng):
        with pytest.raises(verifier.Rejected, match=r"^argument\..*: ETH, solvency: "):
            audit(recorded(honest() | {SOLVENCY: changed}))


def test_every_byte_of_a_record_that_is_signed_again(rng: Random) -> None:
    for changed in flips(honest()[RECORD], rng):
        with pytest.raises(verifier.Rejected, match=r"^(record\.|bundle\.wrong-argument)"):
            audit(honest() | forger().seal_record(changed))


def test_every_byte_of_a_package(rng: Random) -> None:
    for changed in flips(package(), rng):
        with pytest.raises(verifier.Rejected, match=r"^package\."):
            include(changed)


def test_every_byte_of_a_package_that_is_signed_again(rng: Random) -> None:
    for changed in flips(msgpack.unpackb(package())["body"], rng):
        with pytest.raises(verifier.Rejected, match=r"^(package|opening|inclusion)\."):
            include(forger().seal_package(changed))


def test_every_byte_of_a_manifest_that_is_signed_again(rng: Random) -> None:
    """Only what a lone bundle cannot contradict may change: the past, and its block's height."""
    manifest = honest()[MANIFEST]
    free = set(span(manifest, b"\xa8previous\xc4\x20", 32))
    free |= set(span(manifest, b"\xa6height\xce", 4))
    accepted = []
    for offset, changed in enumerate(flips(manifest, rng)):
        try:
            audit(resigned(changed))
        except verifier.Rejected:
            continue
        accepted.append(offset)
    assert set(accepted) <= free


def span(data: bytes, before: bytes, length: int) -> range:
    """Offsets of what follows `before`."""
    start = data.index(before) + len(before)
    return range(start, start + length)


def test_every_byte_of_evidence_that_is_digested_again(rng: Random) -> None:
    """The solvency argument names the evidence, so no other evidence fits it."""
    for changed in flips(honest()[EVIDENCE], rng):
        with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
            audit(with_evidence(changed))


def mangled(data: bytes, rng: Random) -> bytes:
    """A few bytes deleted, inserted, doubled, replaced or cut off."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randrange(1, 40))
    match rng.randrange(5):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:start] + rng.randbytes(rng.randrange(1, 40)) + data[start:]
        case 2:
            return data[:end] + data[start:]
        case 3:
            return data[:start] + rng.randbytes(end - start) + data[end:]
    return data[:start]


def test_mangled_files(rng: Random) -> None:
    for _ in range(300):
        with suppress(verifier.Rejected):  # a verdict; a change of `previous` alone is accepted
            audit(resigned(mangled(honest()[MANIFEST], rng)))
        evidence = mangled(honest()[EVIDENCE], rng)
        if evidence != honest()[EVIDENCE]:
            with pytest.raises(verifier.Rejected):
                audit(with_evidence(evidence))
        for path in (PAGES, ARGUMENTS, SOLVENCY):
            changed = mangled(honest()[path], rng)
            if changed != honest()[path]:
                with pytest.raises(verifier.Rejected):
                    audit(recorded(honest() | {path: changed}))
        record = mangled(honest()[RECORD], rng)
        if record != honest()[RECORD]:
            with pytest.raises(verifier.Rejected, match=r"^(record|bundle)\."):
                audit(honest() | forger().seal_record(record))
        body = mangled(msgpack.unpackb(package())["body"], rng)
        if forger().seal_package(body) != package():
            with pytest.raises(verifier.Rejected):
                include(forger().seal_package(body))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside maps and arrays, the whole excepted."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def variants(value: Any, rng: Random) -> list[Any]:
    """Other values of the same type and of others."""
    made: list[Any] = [0, 1, 2**64 - 1, "", "x", b"", bytes(32), bytes(33), bytes(64), [], {}, [[]]]
    if isinstance(value, int):
        made += [value + 1, abs(value - 1), 2 * value, rng.getrandbits(64)]
    elif isinstance(value, str):
        made += [value + "x", value[1:], value.upper(), value.swapcase(), " " + value, value + "\n"]
    elif isinstance(value, bytes):
        made += [value[1:], value + b"\x00", value[::-1], rng.randbytes(len(value))]
    elif isinstance(value, list):
        made += [value + value, value[1:], [*value, 0], value[::-1]]
    elif isinstance(value, dict):
        made += [value | {"": 0}, {k: v for k, v in value.items() if k != min(value)}]
    return [item for item in made if item != value or type(item) is not type(value)]


def altered(fields: Fields, path: tuple[Any, ...], value: Any) -> bytes:
    """The map with one value replaced."""
    copy = msgpack.unpackb(pack(fields))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return pack(copy)


def value_at(fields: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        fields = fields[key]
    return fields


def test_every_field_of_a_manifest(rng: Random) -> None:
    """One false field, signed: refused, but for what a lone bundle cannot contradict."""
    fields = msgpack.unpackb(honest()[MANIFEST])
    free: set[tuple[Any, ...]] = {("previous",), ("chains", 0, "height")}
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            try:
                audit(resigned(altered(fields, path, value)))
            except verifier.Rejected:
                continue
            assert path in free, (path, value)


def test_every_field_of_a_record(rng: Random) -> None:
    fields = msgpack.unpackb(honest()[RECORD])
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            with pytest.raises(verifier.Rejected, match=r"^(record|bundle)\."):
                audit(honest() | forger().seal_record(altered(fields, path, value)))


def test_every_field_of_evidence(rng: Random) -> None:
    fields = msgpack.unpackb(honest()[EVIDENCE])
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
                audit(with_evidence(altered(fields, path, value)))


def test_every_field_of_a_package(rng: Random) -> None:
    """One false field, signed: refused, if not by the package's rules then at the leaf."""
    fields = msgpack.unpackb(msgpack.unpackb(package())["body"])
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            with pytest.raises(verifier.Rejected, match=r"^(package|opening|inclusion)\."):
                include(forger().seal_package(altered(fields, path, value)))
