"""`make bench-large`: whole commands on exchanges of a hundred thousand to ten million leaves.

    python -m benches.large [--leaves N ...] [--jobs J]

An exchange has three assets and an account for every four leaves; its ledger is one Parquet
file. `assay prove` and `assay-verify audit` run as commands of their own; a peak is resident memory
summed over the process tree. A package is a library call, the median over accounts at random. The
same commands on a few accounts are the start: libraries are loaded, tables built. All sizes land
in benches/results/large-KERNEL.json, ten million leaves also in latest.json (latest-portable.json
for the portable kernel), and docs/cost-per-leaf.svg is drawn.

A hundred million leaves, `--leaves 100000000`, take 12 GB in the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

import native
from benches import machine
from benches.commands import BIN, Run, bundle_bytes, count, measure, package_ms
from prover.sample.sample import make_sample
from prover.snapshot.folder import SnapshotFolder

mpl.use("svg")
from matplotlib import pyplot as plt

PLOT = machine.ROOT / "docs" / "cost-per-leaf.svg"
ASSETS = ("BTC", "ETH", "USDT")
STANDARD = 10_000_000
SIZES = (100_000, 1_000_000, STANDARD)
LEAVES_AN_ACCOUNT = 4
START = "start"
FEW = 30  # each asset has a holder
COMMANDS = ("prove", "audit")

Figures = dict[str, float]


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benches.large", description=__doc__)
    parser.add_argument("--leaves", type=int, nargs="+", default=SIZES)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    described = machine.describe("make bench-large")
    sizes = f"large-{native.kernel_name()}.json"
    for name, text in described.items():
        print(f"{name:10} {text}")
    start = measure_start(arguments.jobs)
    machine.keep(sizes, {}, {START: {**described, **start}})
    print_head(start)
    for leaves in arguments.leaves:
        figures = measure_size(leaves // LEAVES_AN_ACCOUNT, arguments.jobs)
        machine.keep(sizes, {}, {str(leaves): {**described, **figures}})
        print_row(figures, start)
        if leaves == STANDARD:
            machine.keep(machine.latest(), described, {"figures": _standard(figures)})
    if machine.latest() == "latest.json":
        draw(json.loads((machine.RESULTS / sizes).read_text()))


def measure_start(jobs: int) -> Figures:
    """The commands on a few accounts; of each figure the least of three runs."""
    runs = [measure_size(FEW, jobs) for _ in range(3)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def measure_size(accounts: int, jobs: int) -> Figures:
    """Generate, prove and audit an exchange of some accounts."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
        proof = folder / "proof"
        key = ("--exchange-key", sample.public_key)
        runs = (
            _run("assay", "prove", sample.config, "--out", proof, "--jobs", jobs),
            _run("assay-verify", "audit", SnapshotFolder(proof).bundle, *key, "--jobs", jobs),
        )
        counts = count(proof, sample.public_key)
        figures: Figures = {
            "accounts": accounts,
            "parts": counts.parts,
            "leaves": counts.leaves,
            "padding": counts.padding,
            "bundle_bytes": bundle_bytes(SnapshotFolder(proof).bundle),
            "package_ms": round(package_ms(proof), 2),
        }
    for command, run in zip(COMMANDS, runs, strict=True):
        figures[f"{command}_s"] = round(run.seconds, 2)
        figures[f"{command}_cpu_s"] = round(run.cpu_seconds, 2)
        figures[f"{command}_peak_mb"] = round(run.peak_mb)
        figures[f"{command}_ns_per_leaf"] = round(1e9 * run.seconds / counts.leaves)
    return figures


def _run(command: str, *arguments: object) -> Run:
    return measure([str(BIN / command), *map(str, arguments)])


def _standard(figures: Figures) -> Figures:
    """Return the figures of the standard size under the names that they have in latest.json."""
    names = [f"{command}_{figure}" for command in COMMANDS for figure in ("s", "peak_mb")]
    return {name.replace("_", "_10m_", 1): figures[name] for name in names}


def print_head(start: Figures) -> None:
    """Print the start, and the head of the table."""
    for command in COMMANDS:
        print(f"{command:10} {start[f'{command}_s']:.2f} s to start: the same on a few accounts")
    columns = ("accounts", "parts", "padding", "command", "s", "cores busy", "peak MB", "ns a leaf")
    print("\n" + _line(*columns, "without the start", "ms a package"))
    print(_line("--:", "--:", "--:", "---", *["--:"] * 6))


def print_row(figures: Figures, start: Figures) -> None:
    """Print a line for each command."""
    for command in COMMANDS:
        seconds = figures[f"{command}_s"]
        line = _line(
            *(f"{figures[name]:,}" for name in ("accounts", "parts", "padding")),
            command,
            f"{seconds:.2f}",
            f"{figures[f'{command}_cpu_s'] / seconds:.2f}",
            *(f"{figures[f'{command}_{name}']:,}" for name in ("peak_mb", "ns_per_leaf")),
            f"{marginal_ns(figures, start, command):,.0f}",
            f"{figures['package_ms']:.2f}" if command == "prove" else "",
        )
        print(line, flush=True)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def marginal_ns(figures: Figures, start: Figures, command: str) -> float:
    """Nanoseconds of wall time a leaf, the start taken off."""
    return 1e9 * (figures[f"{command}_s"] - start[f"{command}_s"]) / figures["leaves"]


def draw(sizes: dict[str, dict[str, Any]]) -> None:
    """Draw the cost of a leaf over the number of leaves, all sizes that were ever measured."""
    start = sizes.pop(START)
    points = sorted(sizes.values(), key=lambda size: size["leaves"])
    leaves = [point["leaves"] for point in points]
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for command, colour in zip(COMMANDS, ("C0", "C1"), strict=True):
        whole = [point[f"{command}_ns_per_leaf"] for point in points]
        marginal = [marginal_ns(point, start, command) for point in points]
        label = f"{command}, without the start ({start[f'{command}_s']:.1f} s)"
        axes.plot(leaves, marginal, marker="o", color=colour, label=label)
        axes.plot(leaves, whole, ":", marker=".", color=colour, label=f"{command}, whole command")
    axes.set(xscale="log", yscale="log", xlabel="leaves", ylabel="ns a leaf")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    plt.rcParams["svg.hashsalt"] = "assay"
    figure.savefig(PLOT, metadata={"Date": None})


if __name__ == "__main__":
    main()
