"""What third parties sign: both verifiers give one code to any body, of a known key or another."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
import spec.reference as reference
import verifier
from spec.reference import attested as reference_attested
from spec.reference.manifest import Policy, load
from spec.reference.units import Unit
from tests.fuzz.corpus import run
from tests.support.attested_forge import AT_BANK, AT_CUSTODIAN, BANK, CUSTODIAN
from tests.support.bases import base, base_files
from tests.support.forger import attested, pack, public_key
from tests.support.subjects import write_files
from verifier.checks.attested import Attestations
from verifier.checks.manifest import check_manifest
from verifier.format.evidence_records import Evidence, HoldingAttestation

FORGER = base("attested").forger
FILES = base_files("attested")
KEPT = TemporaryDirectory()
FOLDER = write_files(Path(KEPT.name) / "bundle", FILES)
EURO = ("EUR", "fiat", "EUR", 2)
NAMED = {public_key(BANK): "A bank"}
CHECKED = check_manifest(
    FILES["manifest.msgpack"],
    FILES["manifest.sig"],
    FORGER.public_key,
    verifier.Policy(units=(verifier.KnownUnit(*EURO),)),
)
MANIFEST = load(FOLDER, Policy(FORGER.public_key, units=frozenset({Unit(*EURO)})))
NOTHING = Evidence((), "EUR", (), (), (), (), (), (), 1)


def ours(entries: list[dict[str, bytes]]) -> str | list[tuple[int, str]]:
    asset = next(asset for asset in CHECKED.manifest.assets if asset.code == "EUR")
    listed = tuple(HoldingAttestation(**entry) for entry in entries)
    checks = Attestations(CHECKED.manifest, NAMED)
    try:
        found = checks.check_all(asset, replace(NOTHING, attestations=listed))
    except verifier.Rejected as fault:
        return fault.code.value
    assert all(line.isprintable() for holding in found for line in holding.lines("EUR"))
    return [(holding.units, holding.known.value) for holding in found]


def theirs(entries: list[dict[str, bytes]]) -> str | list[tuple[int, str]]:
    asset = next(asset for asset in MANIFEST.assets if asset.code == "EUR")
    fields = {"attestations": entries, "rows": [], "hidden": []}
    try:
        return reference_attested.check(fields, MANIFEST, asset, set(), set(NAMED), "EUR")
    except reference.Rejected as fault:
        return fault.code


def target(data: bytes) -> None:
    """Input: a byte that chooses who signs and what, and one or two bodies."""
    if not data:
        return
    choice, data = data[0], data[1:]
    bodies = [data] if choice & 4 else [data[: len(data) // 2], data[len(data) // 2 :]]
    seeds = (BANK, CUSTODIAN) if choice & 1 else (CUSTODIAN, BANK)
    entries = [attested(seed, body) for seed, body in zip(seeds, bodies, strict=False)]
    if choice & 2:
        entries[0]["signature"] = bytes(64)
    found = ours(entries), theirs(entries)
    if found[0] != found[1]:
        raise AssertionError(f"the verifiers differ: {found}")


if __name__ == "__main__":
    both = [pack(held.body(FORGER)) for held in (AT_BANK, AT_CUSTODIAN)]
    other = replace(AT_BANK, others=(("time", FORGER.time), ("not_after", 2**63)))
    both.append(pack(other.body(FORGER)))
    seeds = [bytes([choice]) + body for choice in range(8) for body in both]
    run(target, [*seeds, b"\0" + both[0] + both[0], b"\1" + both[0] + both[2]], 1 << 13)
