"""Bytes changed by chance or by hand: every one is refused by a code of the list, and none crashes.

An exchange signs what it likes, so a change is also made before the signature: then what is left to
refuse it are the fields' rules, the arguments and the ownership signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import msgpack
import pytest

import native
import verifier
from tests.support.forge import tagged
from tests.support.forged_sample import ALICE, ETH, sample
from tests.support.forger import Fields, Forger, pack
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.inclusion import check_package
from verifier.checks.manifest import CheckedManifest, check_manifest
from verifier.checks.pages import Tree
from verifier.checks.policy import Policy
from verifier.checks.record import check_record, wrong_argument
from verifier.checks.solvency import check_solvency_argument
from verifier.errors import Code
from verifier.format.params import DECLARATION_PATH

FILES = {
    "manifest": "manifest.msgpack",
    "signature": "manifest.sig",
    "record": "arguments.msgpack",
    "record_signature": "arguments.sig",
    "evidence": "evidence/ETH.msgpack",
    "solvency": "arguments/ETH/solvency",
    "page": "pages/ETH/0",
    "argument": "arguments/ETH/0",
}


@dataclass(frozen=True)
class Bundle:
    """A bundle of one asset with one page, and the package of one customer, in memory."""

    forger: Forger
    package: bytes
    manifest: bytes
    signature: bytes
    record: bytes
    record_signature: bytes
    evidence: bytes
    solvency: bytes
    page: bytes
    argument: bytes

    def check(self, **changed: bytes) -> None:
        """The audit of the bundle with some files changed."""
        made = replace(self, **changed)  # type: ignore[arg-type]
        key = self.forger.public_key
        checked = check_manifest(made.manifest, made.signature, key, Policy())
        if checked.manifest.has_declaration:
            raise verifier.Rejected(Code.BUNDLE_MISSING_FILE, DECLARATION_PATH, "as the audit says")
        record = check_record(checked, made.record, made.record_signature)
        for asset, arguments in zip(checked.manifest.assets, record, strict=True):
            found = check_evidence(checked, asset, made.evidence, Seen())
            digest = arguments.solvency
            check_solvency_argument(checked, asset, found, made.solvency, digest)
            tree = Tree.of(checked.context, asset)
            if len(made.page) != tree.shape.pages_file_bytes(0):
                raise verifier.Rejected(Code.PAGE_BAD_FILE_LENGTH, asset.code, "as the audit says")
            if native.sha256(made.argument) != arguments.levels[0]:
                raise wrong_argument(asset.code)
            tree.check_root(made.links(tree))

    def links(self, tree: Tree) -> bytes:
        """Id and sum of the page, which is proved."""
        try:
            page_id, total = native.pages_check(tree.core, 0, 0, self.page, self.argument)
        except native.PageRejected as error:
            raise tree.page_fault(0, error.index, error) from None
        return page_id + total

    def check_resigned(self, manifest: bytes, **changed: bytes) -> None:
        """The audit where the exchange signs the manifest and the record of it."""
        made = replace(self, **changed)  # type: ignore[arg-type]
        files = {path: getattr(made, name) for name, path in FILES.items()}
        files |= self.forger.seal(manifest)
        files |= self.forger.record(files)
        self.check(**{name: files[path] for name, path in FILES.items()})


@cache
def bundle() -> Bundle:
    made = sample([ETH], chains=[("ethereum", 24_000_000, bytes(range(32)))])
    files = made.forger.bundle()
    package = made.package(files["manifest.msgpack"], ALICE)
    named = {name: files[path] for name, path in FILES.items()}
    return Bundle(made.forger, package, **named)


@cache
def checked_manifest() -> CheckedManifest:
    made = bundle()
    return check_manifest(made.manifest, made.signature, made.forger.public_key, Policy())


def flipped(data: bytes, offset: int, bits: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ bits]) + data[offset + 1 :]


def test_the_bundle_is_accepted_unchanged() -> None:
    made = bundle()
    made.check()
    made.check_resigned(made.manifest)
    check_package(checked_manifest(), made.package, ALICE)


EXPECTED = {
    "manifest": "manifest.bad-signature",
    "signature": "manifest.bad-signature",
    "record": "record.bad-signature",
    "record_signature": "record.bad-signature",
    "evidence": "evidence.wrong-digest",
    "solvency": "bundle.wrong-argument",
    "argument": "bundle.wrong-argument",
}


# Every byte, and at all times some of them, others in every run.
ALL_AND_SOME = [
    pytest.param(None, marks=pytest.mark.long, id="all"),
    pytest.param(300, id="some"),
]


def places_in(data: bytes, most: int | None, rng: Random) -> list[int]:
    whole = range(len(data))
    return rng.sample(whole, most) if most and most < len(data) else list(whole)


@pytest.mark.unsanitized
@pytest.mark.parametrize("most", ALL_AND_SOME)
@pytest.mark.parametrize("name", EXPECTED)
def test_bytes_of_what_is_signed(name: str, most: int | None, rng: Random) -> None:
    made = bundle()
    data: bytes = getattr(made, name)
    for offset in places_in(data, most, rng):
        with pytest.raises(verifier.Rejected, match=f"^{EXPECTED[name]}"):
            made.check(**{name: flipped(data, offset, rng.randrange(1, 256))})


@pytest.mark.unsanitized
@pytest.mark.parametrize("most", ALL_AND_SOME)
@pytest.mark.parametrize("name", ["page", "argument", "solvency"])
def test_bytes_of_a_page_and_of_arguments_that_are_signed_for(
    name: str, most: int | None, rng: Random
) -> None:
    """A page that its exchange changed: its id is another one, and its argument speaks of it."""
    made = bundle()
    data: bytes = getattr(made, name)
    for offset in places_in(data, most, rng):
        changed = {name: flipped(data, offset, rng.randrange(1, 256))}
        with pytest.raises(verifier.Rejected, match=r"^(page|argument)\."):
            made.check_resigned(made.manifest, **changed)


def test_every_byte_of_a_record_that_is_signed_again(rng: Random) -> None:
    made = bundle()
    for offset in range(len(made.record)):
        record = flipped(made.record, offset, rng.randrange(1, 256))
        signature = made.forger.seal_record(record)["arguments.sig"]
        with pytest.raises(verifier.Rejected, match=r"^(record|bundle)\."):
            made.check(record=record, record_signature=signature)


def test_every_byte_of_a_package(rng: Random) -> None:
    for offset in range(len(bundle().package)):
        changed = flipped(bundle().package, offset, rng.randrange(1, 256))
        with pytest.raises(verifier.Rejected, match=r"^package\."):
            check_package(checked_manifest(), changed, ALICE)


def test_every_byte_of_a_manifest_that_is_signed_again(rng: Random) -> None:
    """Only what a lone bundle cannot contradict may change: the past, and its block's height."""
    made = bundle()
    free = set(span(made.manifest, b"\xa8previous\xc4\x20", 32))
    free |= set(span(made.manifest, b"\xa6height\xce", 4))
    accepted = []
    for offset in range(len(made.manifest)):
        try:
            made.check_resigned(flipped(made.manifest, offset, rng.randrange(1, 256)))
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
    made = bundle()
    fields = msgpack.unpackb(made.manifest)
    for offset in range(len(made.evidence)):
        evidence = flipped(made.evidence, offset, rng.randrange(1, 256))
        fields["assets"][0]["evidence"] = tagged("evidence", evidence)
        with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
            made.check_resigned(pack(fields), evidence=evidence)


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
    made = bundle()
    fields = msgpack.unpackb(made.manifest)
    for _ in range(300):
        with suppress(verifier.Rejected):  # a verdict; a change of `previous` alone is accepted
            made.check_resigned(mangled(made.manifest, rng))
        evidence = mangled(made.evidence, rng)
        fields["assets"][0]["evidence"] = tagged("evidence", evidence)
        if evidence != made.evidence:
            with pytest.raises(verifier.Rejected):
                made.check_resigned(pack(fields), evidence=evidence)
        record = mangled(made.record, rng)
        if record != made.record:
            signature = made.forger.seal_record(record)["arguments.sig"]
            with pytest.raises(verifier.Rejected):
                made.check(record=record, record_signature=signature)
        for name in ("page", "argument", "solvency"):
            data: bytes = getattr(made, name)
            changed = mangled(data, rng)
            if len(changed) == len(data) != 0 and changed != data:
                with pytest.raises(verifier.Rejected):
                    made.check_resigned(made.manifest, **{name: changed})
        body = mangled(msgpack.unpackb(made.package)["body"], rng)
        with suppress(verifier.Rejected):  # likewise, of a leaf's number or an opening alone
            check_package(checked_manifest(), made.forger.seal_package(body), ALICE)


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
    made = bundle()
    fields = msgpack.unpackb(made.manifest)
    free: set[tuple[Any, ...]] = {("previous",), ("chains", 0, "height")}
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            try:
                made.check_resigned(altered(fields, path, value))
            except verifier.Rejected:
                continue
            assert path in free, (path, value)


def test_every_field_of_evidence(rng: Random) -> None:
    made = bundle()
    fields, outer = msgpack.unpackb(made.evidence), msgpack.unpackb(made.manifest)
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            evidence = altered(fields, path, value)
            outer["assets"][0]["evidence"] = tagged("evidence", evidence)
            with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
                made.check_resigned(pack(outer), evidence=evidence)


def test_every_field_of_a_record(rng: Random) -> None:
    made = bundle()
    fields = msgpack.unpackb(made.record)
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            record = altered(fields, path, value)
            signature = made.forger.seal_record(record)["arguments.sig"]
            with pytest.raises(verifier.Rejected, match=r"^(record\.|bundle\.wrong-argument)"):
                made.check(record=record, record_signature=signature)


def test_every_field_of_a_package(rng: Random) -> None:
    """A field whose false value passes the package's own checks is refused at the leaf."""
    made = bundle()
    fields = msgpack.unpackb(msgpack.unpackb(made.package)["body"])
    later = {
        ("account_key",),
        *(("assets", 0, "parts", 0, name) for name in ("amount", "leaf", "opening", "path")),
    }
    emptied = {("assets", 0, "parts")}
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            package = made.forger.seal_package(altered(fields, path, value))
            try:
                check_package(checked_manifest(), package, ALICE)
            except verifier.Rejected:
                continue
            assert path in later | emptied, (path, value)
