"""`make bench-large`: whole commands on an exchange of ten million leaves, and of other sizes.

    python -m benches.large [--leaves N ...] [--jobs J]

The exchange has three assets and an account for every four leaves; its ledger is one Parquet
file. `assay prove` and `assay-verify audit` run as commands of their own; a peak is resident memory
summed over the process tree. All sizes land in benches/results/large-KERNEL.json, ten million
leaves also in latest.json (latest-portable.json for the portable kernel), and
docs/cost-per-leaf.svg is drawn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

import native
import verifier
from benches import machine
from benches.commands import BIN, Run, measure
from prover.liabilities.leaves import Openings
from prover.sample import Sample, make_sample
from prover.snapshot import OPENINGS, PRIVATE, PUBLIC

mpl.use("svg")
from matplotlib import pyplot as plt

PLOT = machine.ROOT / "docs" / "cost-per-leaf.svg"
ASSETS = ("BTC", "ETH", "USDT")
STANDARD = 10_000_000
LEAVES_AN_ACCOUNT = 4


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benches.large", description=__doc__)
    parser.add_argument("--leaves", type=int, nargs="+", default=[STANDARD])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    described = machine.describe("make bench-large")
    sizes = f"large-{native.kernel_name()}.json"
    for name, text in described.items():
        print(f"{name:24} {text}")
    for leaves in arguments.leaves:
        with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
            figures = measure_size(Path(folder), leaves, arguments.jobs)
        machine.keep(sizes, {}, {str(leaves): {**described, **figures}})
        if leaves == STANDARD:
            machine.keep(machine.latest(), described, {"figures": _standard(figures)})
    draw(json.loads((machine.RESULTS / sizes).read_text()))


def measure_size(folder: Path, leaves: int, jobs: int) -> dict[str, float]:
    """Generate, prove and audit an exchange of about that many leaves."""
    accounts = leaves // LEAVES_AN_ACCOUNT
    sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
    bundle = folder / "proof" / PUBLIC
    proving = _run("assay", "prove", sample.config, "--out", folder / "proof", "--jobs", jobs)
    auditing = _run(
        "assay-verify", "audit", bundle, "--exchange-key", sample.public_key, "--jobs", jobs
    )
    figures: dict[str, float] = {"accounts": accounts, **_count(folder / "proof", sample)}
    for name, run in (("prove", proving), ("audit", auditing)):
        figures[f"{name}_s"] = round(run.seconds, 2)
        figures[f"{name}_cpu_s"] = round(run.cpu_seconds, 2)
        figures[f"{name}_peak_mb"] = round(run.peak_mb)
        figures[f"{name}_ns_per_leaf"] = round(1e9 * run.seconds / figures["leaves"])
    for name, figure in figures.items():
        print(f"{name:24} {figure:>14,}", flush=True)
    return figures


def _run(command: str, *arguments: object) -> Run:
    return measure([str(BIN / command), *map(str, arguments)])


def _count(proof: Path, sample: Sample) -> dict[str, int]:
    """Return the parts of all balances, and the leaves: parts and padding."""
    manifest = verifier.check_solvency(proof / PUBLIC, sample.public_key).manifest
    parts = sum(len(Openings.load(proof / PRIVATE / OPENINGS / code).amounts) for code in ASSETS)
    leaves = sum(asset.capacity for asset in manifest.assets) * manifest.page_size
    return {"parts": parts, "leaves": leaves, "padding": leaves - parts}


def _standard(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures of the standard size under the names that they have in latest.json."""
    names = ("prove_s", "prove_peak_mb", "audit_s", "audit_peak_mb")
    return {name.replace("_", "_10m_", 1): figures[name] for name in names}


def draw(sizes: dict[str, dict[str, Any]]) -> None:
    """Draw the cost of a leaf over the number of leaves, all sizes that were ever measured."""
    points = sorted(sizes.values(), key=lambda size: size["leaves"])
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name in ("prove", "audit"):
        axes.plot(
            [point["leaves"] for point in points],
            [point[f"{name}_ns_per_leaf"] for point in points],
            marker="o",
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel="leaves", ylabel="ns a leaf, whole command")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    plt.rcParams["svg.hashsalt"] = "assay"
    figure.savefig(PLOT, metadata={"Date": None})


if __name__ == "__main__":
    main()
