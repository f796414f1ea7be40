"""`make bench-peers`: measures Assay and its peers, prints ratios, and keeps them.

The result file is benches/results/peers.json. A shorter table, each peer at its best, replaces the
one between the two marks in docs/profile.md. Without cargo it says so and measures nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from benches import commands, kernels, machine
from benches.peers import crates, wheels
from benches.peers.figures import UNITS, Figure

RESULTS = machine.ROOT / "benches" / "results" / "peers.json"
FIGURES = machine.ROOT / "docs" / "profile.md"
BEGIN, END = "<!-- peers -->", "<!-- end of peers -->"
ACCOUNTS = 1 << 16


class Row(TypedDict):
    """A line of the table; the ratio tells how many times more the peer takes."""

    peer: str
    what: str
    unit: str
    value: float
    against: str
    assay: float
    ratio: float


def main() -> None:
    """Measure, print, and keep."""
    if shutil.which("cargo") is None:
        print("bench-peers: cargo is missing, nothing was measured; most peers are Rust crates")
        return
    load = os.getloadavg()[0]
    crates.build()
    described = {
        **machine.describe("make bench-peers"),
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
    write_figures(rows, described)
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


def row(figure: Figure, assay: dict[str, float]) -> Row:
    """The line of a figure."""
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


def print_table(rows: list[Row]) -> None:
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


def at_their_best(rows: list[Row]) -> list[Row]:
    """Of each peer, for each figure of Assay's, the line in which it takes least.

    Of dapol's trees only the last counts: it has as many entities as Assay's snapshot accounts.
    """
    best: dict[tuple[object, object], Row] = {}
    for line in rows:
        place = line["peer"], line["against"]
        if place not in best or line["peer"] == "dapol" or line["ratio"] < best[place]["ratio"]:
            best[place] = line
    return list(best.values())


def write_figures(rows: list[Row], described: dict[str, str]) -> None:
    """Replace what stands between the marks in docs/profile.md.

    Raises: ValueError when a mark is missing.
    """
    commit, mark, modified = described["commit"].partition("-")
    lines = [
        f"`{described['command']}` on {described['date']}, {described['machine']}, kernel "
        f"{described['kernel']}, commit {commit[:12]}{mark}{modified}; {described['load']}.",
        "",
        "| peer | what | the peer | Assay | ratio |",
        "|---|---|--:|--:|--:|",
    ]
    for line in at_their_best(rows):
        unit, digits = line["unit"], 1 if line["unit"] == "MB" else 2
        lines.append(
            f"| {line['peer']} | {line['what']} | {line['value']:,.{digits}f} {unit} "
            f"| {line['assay']:,.{digits}f} {unit} | {line['ratio']:,.1f} |"
        )
    text = FIGURES.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    FIGURES.write_text(text[:begin] + "\n" + "\n".join(lines) + "\n" + text[end:])


if __name__ == "__main__":
    main()
