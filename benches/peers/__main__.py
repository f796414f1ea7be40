"""`make bench-peers`: measures Assay and its peers, prints ratios, and keeps them.

The result file is benches/results/peers.json. Without cargo it says so and measures nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benches import commands, kernels, machine
from benches.peers import crates, wheels
from benches.peers.figures import UNITS, Figure

RESULTS = machine.ROOT / "benches" / "results" / "peers.json"
ACCOUNTS = 1 << 16


def main() -> None:
    """Measure, print, and keep."""
    if shutil.which("cargo") is None:
        print("bench-peers: cargo is missing, nothing was measured; most peers are Rust crates")
        return
    load = os.getloadavg()[0]
    crates.build()
    described = {
        **machine.describe("make bench-peers"),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": f"{load:.1f} processes running or waiting to, before the start",
        "versions": ", ".join(
            f"{name} {number}" for name, number in (crates.versions() | wheels.versions()).items()
        ),
    }
    for name, text in described.items():
        print(f"{name:10} {text}")
    assay = measure()
    print()
    for name, value in assay.items():
        print(f"assay {name:16} {value:>12,.3f} {UNITS[name.rpartition('_')[2]]}", flush=True)
    figures = wheels.point_multiplication() + wheels.wally() + crates.aggregated() + crates.trees()
    rows = [row(figure, assay) for figure in figures]
    print_table(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**described, "assay": assay, "peers": rows}, indent=2) + "\n")


def measure() -> dict[str, float]:
    """Assay's own figures, in processor time; the last part of a name is its unit."""
    proving, auditing = kernels.page_rates()
    figures = {
        "commit_us": 1e6 / kernels.commit_per_second(),
        "msm_point_us": kernels.msm_ns_per_point() / 1e3,
        "prove_us": 1e6 / proving,
        "audit_us": 1e6 / auditing,
    }
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        exchange, run = commands.prove(Path(name), ACCOUNTS)
        figures["prove_peak_mb"] = run.peak_mb
        figures["package_ms"], figures["light_check_ms"] = commands.customer_ms(
            exchange, clock=time.process_time
        )
    return {name: round(value, 4) for name, value in figures.items()}


def row(figure: Figure, assay: dict[str, float]) -> dict[str, str | float]:
    """A line of the table; the ratio tells how many times more the peer takes."""
    own = assay[figure.against]
    return {
        "peer": figure.peer,
        "what": figure.what,
        "unit": figure.unit,
        "value": round(figure.value, 3),
        "against": figure.against,
        "assay": own,
        "ratio": round(figure.value / own, 2),
    }


def print_table(rows: list[dict[str, str | float]]) -> None:
    """The table, in Markdown."""
    print(
        f"\n| {'peer':22} | {'what':48} | {'peer':>13} | {'Assay':>13} | {'':14} | {'ratio':>8} |"
    )
    print(f"|{'-' * 24}|{'-' * 50}|{'-' * 14}:|{'-' * 14}:|{'-' * 16}|{'-' * 9}:|")
    for line in rows:
        unit = line["unit"]
        print(
            f"| {line['peer']:22} | {line['what']:48} | {line['value']:>10,.2f} {unit} "
            f"| {line['assay']:>10,.3f} {unit} | {line['against']:14} | {line['ratio']:>8,.1f} |"
        )


if __name__ == "__main__":
    main()
