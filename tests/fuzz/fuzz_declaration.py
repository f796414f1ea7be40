"""Declarations: any bytes end in a verdict, the same in both verifiers.

The manifest names whatever the bytes are, since an exchange signs what it likes. An odd first byte
stands for a file that is already msgpack; after an even one, texts of the fuzzer's fill one loan.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split

import spec.reference as reference
import verifier
from spec.reference import declaration
from spec.reference.manifest import Manifest, Policy, load
from tests.fuzz.corpus import run
from tests.support.bases import base, base_files
from tests.support.forge import tagged
from tests.support.forger import pack
from tests.support.subjects import write_files
from tests.vectors.make_declarations import loan, loans
from verifier.checks.declaration import check_declaration
from verifier.checks.manifest import check_manifest

FORGER, FILES = base("honest").forger, base_files("honest")
FOLDER = TemporaryDirectory()
BUNDLE = write_files(Path(FOLDER.name) / "bundle", FILES)
SIGNED = (FILES["manifest.msgpack"], FILES["manifest.sig"])
CHECKED = check_manifest(*SIGNED, FORGER.public_key, verifier.Policy())
REFERENCE: Manifest = load(BUNDLE, Policy(FORGER.public_key))


def check(data: bytes) -> None:
    digest = tagged("declaration", data)
    ours = theirs = None
    checked = replace(CHECKED, manifest=replace(CHECKED.manifest, declaration=digest))
    try:
        check_declaration(checked, data)
    except verifier.Rejected as fault:
        ours = fault.code.value
    (BUNDLE / declaration.NAME).write_bytes(data)
    try:
        declaration.check(BUNDLE, replace(REFERENCE, declaration=digest))
    except reference.Rejected as fault:
        theirs = fault.code
    if ours != theirs:
        raise AssertionError(f"the verifiers differ: {ours} and {theirs}")


def texts(data: bytes) -> bytes:
    """A declaration of one loan, whose texts are the fuzzer's."""
    source = atheris.FuzzedDataProvider(data)
    names = ("lender", "amount", "code")
    changed = {name: source.ConsumeUnicodeNoSurrogates(24) for name in names}
    return pack([loan(**{name: text for name, text in changed.items() if text})])


def target(data: bytes) -> None:
    if data:
        check(data[1:] if data[0] % 2 else texts(data[1:]))


if __name__ == "__main__":
    run(target, [b"\x01" + pack(loans()), b"\x01" + pack([loan()]), b"\x00Lender"], 4096)
