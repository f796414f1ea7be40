"""Evidence of either version: both verifiers give one code to any bytes, whatever is held how."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import spec.reference as reference
import verifier
from spec.reference import evidence as reference_evidence
from spec.reference.ethereum import all_slots
from spec.reference.manifest import Manifest, Policy, load
from tests.fuzz.corpus import run
from tests.support.bases import base
from tests.support.forge import tagged
from tests.support.subjects import write_files
from tests.support.vector import bundle_files
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.manifest import CheckedManifest, check_manifest

KEY = base("honest").forger.public_key
FOLDER = TemporaryDirectory()


@dataclass(frozen=True)
class Case:
    """One asset of an honest bundle, as both verifiers know its manifest."""

    folder: Path
    at: int
    code: str
    checked: CheckedManifest
    manifest: Manifest

    @property
    def file(self) -> Path:
        return self.folder / f"evidence/{self.code}.msgpack"


def cases() -> Iterator[Case]:
    """Addresses alone, coins, proofs, hidden sets, and both of the latter."""
    for name in ("honest", "evidence-coins", "proven", "hidden", "hidden-proven"):
        files = bundle_files(f"bundle/{name}")
        folder = write_files(Path(FOLDER.name) / name, files)
        signed = files["manifest.msgpack"], files["manifest.sig"]
        checked = check_manifest(*signed, KEY, verifier.Policy())
        for at, asset in enumerate(checked.manifest.assets):
            yield Case(folder, at, asset.code, checked, load(folder, Policy(KEY)))


CASES = list(cases())


def ours(case: Case, data: bytes, digest: bytes) -> str | None:
    asset = replace(case.checked.manifest.assets[case.at], evidence=digest)
    try:
        check_evidence(case.checked, asset, data, Seen())
    except verifier.Rejected as fault:
        return fault.code.value
    return None


def theirs(case: Case, data: bytes, digest: bytes) -> str | None:
    case.file.write_bytes(data)
    asset = replace(case.manifest.assets[case.at], evidence=digest)
    seen = reference_evidence.Seen()
    try:
        reference_evidence.check(case.folder, case.manifest, asset, seen, all_slots({}))
    except reference.Rejected as fault:
        return fault.code
    return None


def target(data: bytes) -> None:
    """Input: a byte that chooses the asset, and its evidence."""
    if not data:
        return
    case, data = CASES[data[0] % len(CASES)], data[1:]
    digest = tagged("evidence", data)
    found = ours(case, data, digest), theirs(case, data, digest)
    if found[0] != found[1]:
        raise AssertionError(f"the verifiers differ: {found}")


if __name__ == "__main__":
    run(target, [bytes([at]) + case.file.read_bytes() for at, case in enumerate(CASES)], 1 << 14)
