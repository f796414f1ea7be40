"""Bytes changed by chance or by hand: every one is refused by a code of the list, and none crashes.

An exchange signs what it likes, so a change is also made before the signature: then what is left to
refuse it are the fields' rules, the arguments and the ownership signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import msgpack
import pytest

import native
import verifier
from tests.support.forge import tagged
from tests.support.forged_sample import ALICE, ETH, sample
from tests.support.forger import Fields, pack, sign
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.inclusion import check_package
from verifier.checks.manifest import CheckedManifest, check_manifest
from verifier.checks.policy import Policy
from verifier.checks.solvency import check_solvency_argument
from verifier.checks.tree import Tree
from verifier.errors import Code
from verifier.format.params import DECLARATION_PATH

SIGNING_SEED = bytes(31) + b"\x07"
PAGE_BYTES = native.page_length(0, 16)


@dataclass(frozen=True)
class Bundle:
    """A bundle of one asset with one page, and the package of one customer, in memory."""

    manifest: bytes
    signature: bytes
    evidence: bytes
    page: bytes
    package: bytes
    key: bytes

    def seal(self, manifest: bytes) -> bytes:
        return sign(SIGNING_SEED, "manifest-signature", manifest)

    def check(self, manifest: bytes, signature: bytes, evidence: bytes, page: bytes) -> None:
        """The audit of a bundle of these files."""
        checked = check_manifest(manifest, signature, self.key, Policy())
        if checked.manifest.has_declaration:
            raise verifier.Rejected(Code.BUNDLE_MISSING_FILE, DECLARATION_PATH, "as the audit says")
        for asset in checked.manifest.assets:
            found = check_evidence(checked, asset, evidence, Seen())
            check_solvency_argument(checked, asset, found)
            tree = Tree.of(checked, asset)
            if len(page) != tree.shape.file_bytes(0):
                raise verifier.Rejected(Code.PAGE_BAD_FILE_LENGTH, asset.code, "as the audit says")
            tree.check_root(asset, tree.check_pages(0, 0, 1, page))

    def check_resigned(self, manifest: bytes) -> None:
        self.check(manifest, self.seal(manifest), self.evidence, self.page)


@cache
def bundle() -> Bundle:
    made = sample([ETH], chains=[("ethereum", 24_000_000, bytes(range(32)))])
    files = made.forger.bundle()
    package = made.package(files["manifest.msgpack"], ALICE)
    return Bundle(
        files["manifest.msgpack"],
        files["manifest.sig"],
        files["evidence/ETH.msgpack"],
        files["pages/ETH/0"],
        package,
        made.forger.public_key,
    )


@cache
def checked_manifest() -> CheckedManifest:
    return check_manifest(bundle().manifest, bundle().signature, bundle().key, Policy())


def flipped(data: bytes, offset: int, bits: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ bits]) + data[offset + 1 :]


def test_the_bundle_is_accepted_unchanged() -> None:
    made = bundle()
    made.check(made.manifest, made.signature, made.evidence, made.page)
    check_package(checked_manifest(), made.package, ALICE)


def test_every_byte_of_manifest_signature_and_evidence(rng: Random) -> None:
    made = bundle()
    for name in ("manifest", "signature", "evidence"):
        data: bytes = getattr(made, name)
        files = {key: getattr(made, key) for key in ("manifest", "signature", "evidence", "page")}
        expected = "evidence.wrong-digest" if name == "evidence" else "manifest.bad-signature"
        for offset in range(len(data)):
            changed = files | {name: flipped(data, offset, rng.randrange(1, 256))}
            with pytest.raises(verifier.Rejected, match=f"^{expected}"):
                made.check(**changed)


def test_every_byte_of_a_page(rng: Random) -> None:
    made = bundle()
    tree = Tree.of(checked_manifest(), checked_manifest().manifest.assets[0])
    for offset in range(PAGE_BYTES):
        with pytest.raises(verifier.Rejected):
            tree.check_pages(0, 0, 1, flipped(made.page, offset, rng.randrange(1, 256)))


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
        manifest = pack(fields)
        with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
            made.check(manifest, made.seal(manifest), evidence, made.page)


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
    tree = Tree.of(checked_manifest(), checked_manifest().manifest.assets[0])
    for _ in range(300):
        manifest = mangled(made.manifest, rng)
        evidence = mangled(made.evidence, rng)
        page = mangled(made.page, rng)
        with suppress(verifier.Rejected):  # a verdict; a change of `previous` alone is accepted
            made.check_resigned(manifest)
        fields["assets"][0]["evidence"] = tagged("evidence", evidence)
        named = pack(fields)
        if evidence != made.evidence:
            with pytest.raises(verifier.Rejected):
                made.check(named, made.seal(named), evidence, made.page)
        if len(page) == len(made.page) and page != made.page:
            with pytest.raises(verifier.Rejected):
                tree.check_pages(0, 0, 1, page)
        body = mangled(msgpack.unpackb(made.package)["body"], rng)
        signed = pack({"body": body, "signature": sign(SIGNING_SEED, "package-signature", body)})
        with suppress(verifier.Rejected):  # likewise, of a leaf's index alone
            check_package(checked_manifest(), signed, ALICE)


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
            manifest = pack(outer)
            with pytest.raises(verifier.Rejected, match=r"^(evidence|argument)\."):
                made.check(manifest, made.seal(manifest), evidence, made.page)


def test_every_field_of_a_package(rng: Random) -> None:
    """A field whose false value passes the package's own checks is refused at the leaf."""
    made = bundle()
    fields = msgpack.unpackb(msgpack.unpackb(made.package)["body"])
    later = {
        ("account_key",),
        ("assets", 0, "parts", 0, "amount"),
        ("assets", 0, "parts", 0, "leaf"),
    }
    emptied = {("assets", 0, "parts")}
    for path in places(fields):
        for value in variants(value_at(fields, path), rng):
            body = altered(fields, path, value)
            signature = sign(SIGNING_SEED, "package-signature", body)
            package = pack({"body": body, "signature": signature})
            try:
                check_package(checked_manifest(), package, ALICE)
            except verifier.Rejected:
                continue
            assert path in later | emptied, (path, value)
