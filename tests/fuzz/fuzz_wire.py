"""Manifests and packages: any bytes end in a verdict, the same in both verifiers.

The bytes are signed or digested by the fuzzer, since an exchange signs what it likes. The first
byte of an input says what the rest is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgpack

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split

import spec.reference as reference
import verifier
from spec.reference import wire as reference_wire
from spec.reference.inclusion import open_package
from spec.reference.manifest import Manifest, Policy, load
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files
from tests.support.forged_sample import ALICE
from tests.support.forger import sign
from tests.support.subjects import write_files
from verifier.checks.inclusion import check_package
from verifier.checks.manifest import check_manifest
from verifier.format import wire

FORGER, FILES = base("honest").forger, base_files("honest")
FOLDER = TemporaryDirectory()
BUNDLE = write_files(Path(FOLDER.name) / "bundle", FILES)
SIGNED = (FILES["manifest.msgpack"], FILES["manifest.sig"])
CHECKED = check_manifest(*SIGNED, FORGER.public_key, verifier.Policy())
REFERENCE: Manifest = load(BUNDLE, Policy(FORGER.public_key))


def check_canonical(data: bytes) -> None:
    """Both take the same bytes, and encoding what they hold gives them back."""
    try:
        wire.check_canonical(data)
        ours = True
    except wire.NotCanonical:
        ours = False
    try:
        theirs = reference_wire.decode(data)
    except reference_wire.NotCanonicalError:
        theirs = None
    if ours != (theirs is not None):
        raise AssertionError("the readers differ")
    if ours and wire.encode(theirs) != data:
        raise AssertionError("accepted, and not canonical")


def check_manifests(data: bytes) -> None:
    signature = sign(FORGER.signing_seed, "manifest-signature", data)
    (BUNDLE / "manifest.msgpack").write_bytes(data)
    (BUNDLE / "manifest.sig").write_bytes(signature)
    try:
        check_manifest(data, signature, FORGER.public_key, verifier.Policy())
        ours = None
    except verifier.Rejected as fault:
        ours = fault.code.value
    try:
        load(BUNDLE, Policy(FORGER.public_key))
        theirs = None
    except reference.Rejected as fault:
        theirs = fault.code
    compare(ours, theirs)


def check_packages(data: bytes) -> None:
    """The outer map alone, and the bytes as a body that is signed."""
    for package in (data, FORGER.seal_package(data)):
        ours = theirs = None
        try:
            check_package(CHECKED, package, ALICE)
        except verifier.Rejected as fault:
            ours = fault.code.value
        try:
            open_package(package, REFERENCE, ALICE)
        except reference.Rejected as fault:
            theirs = fault.code
        # The reference checks the parts in another function.
        if ours not in PARTS or theirs is not None:
            compare(ours, theirs)


PARTS = {f"package.{code}" for code in ("bad-parts", "bad-amount", "bad-leaf", "duplicate-leaf")}


def compare(ours: str | None, theirs: str | None) -> None:
    if ours != theirs:
        raise AssertionError(f"the verifiers differ: {ours} and {theirs}")


def target(data: bytes) -> None:
    checks = (check_canonical, check_manifests, check_packages)
    if data:
        checks[data[0] % 3](data[1:])
        check_canonical(data[1:])


if __name__ == "__main__":
    package = base("honest").package(SIGNED[0], ALICE)
    seeds = [b"\x01" + SIGNED[0], b"\x02" + package]
    run(target, [*seeds, b"\x02" + msgpack.unpackb(package)["body"]], 8192)
