"""What `assay prove` and the commands after it say of a finished bundle."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from prover.assets.evidence import contract_wallets
from prover.commands.ledger import NOT_COVERED
from prover.config.declaration import signed_loans
from prover.config.units import read_manifest, unit_warning, unknown_units
from prover.ledger.summary import load_summary
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.make import Snapshot
from verifier.checks.declaration import pledged_addresses
from verifier.format import wire
from verifier.format.levels import Level
from verifier.format.params import MANIFEST_PATH, evidence_path
from verifier.format.statement import manifest_digest
from verifier.texts import MOST_LISTED, listed


def proved(snapshot: Snapshot, manifest: wire.Manifest, seconds: float) -> dict[str, Any]:
    """Return what is known of a bundle, none of it secret."""
    files = [file for file in snapshot.bundle.rglob("*") if file.is_file()]
    loans = signed_loans(snapshot.bundle, manifest)
    return {
        "bundle": str(snapshot.bundle),
        "bundle_bytes": sum(file.stat().st_size for file in files),
        "contract_wallets": [
            {"asset": asset.code, "chain": chain, "address": address}
            for asset in manifest.assets
            for chain, address in contract_wallets(
                (snapshot.bundle / evidence_path(asset.code)).read_bytes()
            )
        ],
        "declaration": {"loans": len(loans), "pledged": len(pledged_addresses(loans))},
        "leaves": {asset.code: asset.shape.leaves for asset in manifest.assets},
        "made": snapshot.made,
        "manifest_digest": snapshot.manifest_digest.hex(),
        "seconds": round(seconds, 3),
        "snapshot_id": snapshot.snapshot_id,
        "unknown_units": unknown_units(manifest),
    }


def outcome_of(folder: SnapshotFolder) -> str:
    """Return what `assay prove` prints of a finished snapshot, but for places and times."""
    manifest = read_manifest(folder.bundle)
    digest = manifest_digest((folder.bundle / MANIFEST_PATH).read_bytes())
    snapshot = Snapshot(folder.bundle, manifest.snapshot_id, digest, made=True)
    result = proved(snapshot, manifest, 0.0)
    result["skipped"] = sorted(load_summary(folder.summary).skipped)
    lines = [*_assets(result, manifest), _declared(result["declaration"]), *_skipped(result)]
    return "\n".join(lines) + _contract_warning(result) + warning(result)


def told(result: dict[str, Any], manifest: wire.Manifest, folder: SnapshotFolder) -> str:
    """Return the result of `prove` as lines for people."""
    if result["made"]:
        done = f"is proven, in {result['seconds']:.1f} s"
    elif result["changes"]:
        done = f"was proven before, and is left as it is: {', '.join(result['changes'])}"
    else:
        done = "was proven before; nothing changed"
    lines = [f"snapshot {result['snapshot_id']} {done}", *_assets(result, manifest)]
    lines.append(_declared(result["declaration"]))
    size = result["bundle_bytes"] / 1e6
    lines.append(f"bundle    {result['bundle']}, {size:.1f} MB: publish it unchanged")
    lines.append(
        f"private   {folder.private}: opens every balance; keep it, and keep it to yourself"
    )
    if "ledger" not in result:
        lines += _skipped(result)
        lines.append(f"figures   {folder.summary}: what the ledger holds")
    lines.append(f"manifest  {result['manifest_digest']}")
    return "\n".join(lines) + _contract_warning(result) + warning(result)


def _assets(result: dict[str, Any], manifest: wire.Manifest) -> Iterator[str]:
    for a in manifest.assets[:MOST_LISTED]:
        yield (
            f"  {a.code:8} {result['leaves'][a.code]:>13,} leaves, padding among them; "
            f"assets cover at least {a.ratio.num}/{a.ratio.den} of what is owed"
        )
    if others := manifest.assets[MOST_LISTED:]:
        least = min(others, key=lambda a: Fraction(a.ratio.num, a.ratio.den)).ratio
        leaves = sum(result["leaves"][a.code] for a in others)
        yield f"  {len(others):,} more  {leaves:,} leaves; at least {least.num}/{least.den}"


def _skipped(result: dict[str, Any]) -> Iterator[str]:
    if result["skipped"]:
        yield f"skipped   {listed(result['skipped'])}: {NOT_COVERED}"


def _declared(declaration: dict[str, int]) -> str:
    if not declaration["loans"]:
        return "declared  nothing: readers are told that no loan is declared"
    loans, pledged = declaration["loans"], declaration["pledged"]
    return f"declared  loans {loans:,}, pledged addresses {pledged:,}: readers are shown them"


def _contract_warning(result: dict[str, Any]) -> str:
    """Return a line on rows that readers without a node do not accept, if there are any."""
    wallets = [" ".join(entry.values()) for entry in result["contract_wallets"]]
    if not wallets:
        return ""
    return (
        f"\nwarning   only a node can ask the contract wallets of {listed(wallets)} whether they "
        "signed: readers give --node, or else come to no verdict, unless they add: "
        f"--require {Level.UNVERIFIED}"
    )


def warning(result: dict[str, Any]) -> str:
    """Return a last line on units that readers have to be told of, if there are any."""
    units = result["unknown_units"]
    return f"\nwarning   {unit_warning(units)}" if units else ""
