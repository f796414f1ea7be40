"""`make bench`: prints the figures and writes them to benches/results/latest.json.

`ASSAY_KERNEL=portable make bench` writes those of the portable kernel to latest-portable.json.

`--quick` measures on 50,000 accounts and writes nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benches import commands, hidden, kernels, machine, many, side, signatures
from prover.snapshot.packages import Packager

ACCOUNTS, QUICK_ACCOUNTS = 1_000_000, 50_000
HIDDEN_KEYS = (100_000, 1_000_000)
SIGNATURES, QUICK_SIGNATURES = 10_000, 1_000


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches",
        "make bench",
        __doc__,
        lambda quick: measure(QUICK_ACCOUNTS if quick else ACCOUNTS),
    )


def measure(accounts: int) -> dict[str, float]:
    """All figures; rates are those of one core."""
    figures: dict[str, float] = {}

    def keep(name: str, value: float, unit: str, digits: int = 0) -> None:
        figures[name] = round(value, digits) if digits else round(value)
        print(f"{name:24} {figures[name]:>14,} {unit}", flush=True)

    keep("commit_per_s", kernels.commit_per_second(), "commitments/s, one thread")
    keep("msm_ns_per_point", kernels.msm_ns_per_point(), "ns a point, 2^17 points")
    keep("decompress_ns", kernels.decompress_ns(), "ns a point")
    proving, auditing = kernels.page_rates()
    keep("prove_leaves_per_s", proving, "leaves/s, one thread: derive, commit, argue, check")
    keep("audit_leaves_per_s", auditing, "leaves/s, one thread")
    keep("commit_leaves_per_s", kernels.commit_rate(), "leaves/s, one thread: without arguments")
    alone, bulk = kernels.opening_microseconds()
    keep("opening_us", alone, "µs an opening behind the door, one thread", 1)
    keep("opening_bulk_us", bulk, "µs an opening in bulk, one thread", 1)
    keep("three_parts_ms", kernels.three_parts_ms(), "ms, three pages of leaves and openings", 2)
    rows = SIGNATURES if accounts == ACCOUNTS else QUICK_SIGNATURES
    for form in signatures.FORMATS:
        taken = signatures.microseconds(form, rows)
        keep(f"{form}_us", taken, "µs an address and its signature, one thread", 1)
    for count in HIDDEN_KEYS if accounts == ACCOUNTS else HIDDEN_KEYS[:1]:
        print(f"{'':24} {count:,} hidden keys, one in {hidden.OWNED} owned")
        for name, value in hidden.in_a_process(count).items():
            keep(f"{name}_{count}", value, hidden.UNITS[name], 2)
    for name, value in hidden.peer().items():
        keep(name, value, hidden.UNITS[name], 1)
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        exchange, run = commands.prove(Path(name), accounts)
        counts = commands.count(exchange.proof, exchange.key)
        print(
            f"{'':24} {accounts:,} accounts in three assets, {counts.leaves:,} leaves: "
            f"{counts.parts:,} parts and {counts.padding:,} of padding"
        )
        keep("prove_s", run.seconds, "s, assay prove with two jobs", 1)
        keep("prove_peak_mb", run.peak_mb, "MB, peak of the process tree")
        size = commands.bundle_bytes(exchange.bundle)
        keep("bundle_bytes_per_leaf", size / counts.leaves, "bytes", 2)
        audited = commands.audit(exchange)
        keep("audit_s", audited.seconds, "s, assay-verify audit with two jobs", 1)
        keep("audit_peak_mb", audited.peak_mb, "MB, peak of the process tree")
        package, check = commands.customer_ms(exchange)
        keep("package_ms", package, "ms, three parts, library call", 2)
        keep("any_package_ms", commands.package_ms(exchange.proof), "ms, parts at random", 2)
        keep("light_check_ms", check, "ms, three parts, library call", 1)
        account = commands.three_part_customers(exchange, Packager(exchange.proof), 1)[0]
        keep("part_bytes", commands.part_bytes(exchange, account), "bytes read for a part")
        package, inclusion = side.cold(exchange, account)
        keep("package_cold_s", package, "s, assay package", 2)
        keep("inclusion_cold_s", inclusion, "s, assay-verify inclusion", 2)
        made, size = commands.all_packages(exchange)
        keep("packages_s", made.seconds, "s, assay packages with two jobs", 1)
        keep("packages_peak_mb", made.peak_mb, "MB, peak of the process tree")
        keep("packages_bytes", size, "bytes of all packages")
    units = {"ms": "ms an asset beyond one", "mb": "MB, peak of the proof"}
    sizes = (many.ASSETS, many.ACCOUNTS) if accounts == ACCOUNTS else (100, 10_000)
    for name, value in many.many_assets(*sizes).items():
        unit = units.get(name.rpartition("_")[2], "bytes an asset beyond one")
        keep(name, value, unit, 1)
    return figures


if __name__ == "__main__":
    main()
