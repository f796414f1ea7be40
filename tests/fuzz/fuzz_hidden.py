"""Sets of hidden keys: any bytes but those of a true set are refused with a code, never else."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from tests.fuzz.corpus import run
from tests.support.vector import bundle_files
from verifier.checks.hidden import check_argument, check_sets
from verifier.checks.holdings import HiddenHolding
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.evidence_records import Evidence, HiddenSet
from verifier.format.statement import manifest_context

FILES = bundle_files("bundle/hidden")
MANIFEST = wire.read_record(wire.Manifest, FILES["manifest.msgpack"])
CONTEXT = manifest_context(MANIFEST)
BLOCKS = {chain.name: chain for chain in MANIFEST.chains}
ASSETS = {asset.code: asset for asset in MANIFEST.assets if asset.code in ("BTC", "ETH")}
SETS = {
    code: wire.read_record(Evidence, FILES[f"evidence/{code}.msgpack"]).hidden for code in ASSETS
}


def in_ledger_units(listed: HiddenSet, holding: HiddenHolding) -> HiddenSet:
    """What is proved of a set: its amounts rounded down; what is below that may be any."""
    return replace(listed, amounts=holding.amounts)


TRUE = {
    code: [
        in_ledger_units(holding.listed, holding) for holding in check_sets(ASSETS[code], sets, ())
    ]
    for code, sets in SETS.items()
}


def target(data: bytes) -> None:
    try:
        listed = wire.read_record(HiddenSet, data)
    except (wire.NotCanonical, wire.BadFields):
        return
    for code, asset in ASSETS.items():
        try:
            (holding,) = check_sets(asset, [listed], ())
            check_argument(CONTEXT, asset, BLOCKS[listed.chain], holding, code)
        except Rejected:
            continue
        if in_ledger_units(listed, holding) not in TRUE[code]:
            raise AssertionError("a set that nobody proved is accepted")


if __name__ == "__main__":
    run(target, [wire.write_record(listed) for sets in SETS.values() for listed in sets], 4096)
