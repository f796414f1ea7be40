"""`make profile`: where the time of `assay prove` goes, as the tables of docs/profile.md.

    python -m benches.profile [--leaves N] [--jobs J]

Two runs on the exchange of `benches.large`. In the first, the stages that the prover tells of are
timed, and how many cores each keeps busy. In the second, Linux's perf samples all threads of the
command; samples are counted by the shared object that they fall into. The C core is native/_core.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benches import machine
from benches.commands import BIN
from benches.large import ASSETS, LEAVES_AN_ACCOUNT, STANDARD
from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot

SAMPLES_PER_SECOND = 199
LEAST_PERCENT = 0.5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benches.profile", description=__doc__)
    parser.add_argument("--leaves", type=int, default=STANDARD)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    perf = shutil.which("perf")
    if perf is None:
        sys.exit("profile: Linux's perf is not installed")
    described = machine.describe(f"python -m benches.profile --leaves {arguments.leaves}")
    for name, text in described.items():
        print(f"- {name}: {text}")
    accounts = arguments.leaves // LEAVES_AN_ACCOUNT
    print_stages(accounts, arguments.jobs)
    print_shares(perf, accounts, arguments.jobs)


@dataclass
class Stages:
    """`prover.progress.Progress`: when each stage began, in wall and in processor seconds."""

    begun: list[tuple[str, float, float]] = field(default_factory=list)

    def stage(self, name: str, total: int | None) -> None:
        """Note the time."""
        self.begun.append((name, time.perf_counter(), time.process_time()))

    def advance(self, done: int) -> None:
        """Do nothing."""

    def reach(self, done: int) -> None:
        """Do nothing."""


def print_stages(accounts: int, jobs: int) -> None:
    """Make a snapshot in this process; print what each stage took."""
    stages = Stages()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
        make_snapshot(sample.config, folder / "proof", jobs, stages)
    stages.stage("end", None)
    print("\n| stage | s | cores busy |\n|---|--:|--:|")
    for (stage, start, busy), (_, end, busy_end) in pairwise(stages.begun):
        print(f"| {stage} | {end - start:.1f} | {(busy_end - busy) / (end - start):.2f} |")


def print_shares(perf: str, accounts: int, jobs: int) -> None:
    """Run the command under perf; print which shared objects its processor time falls into."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
        command = [BIN / "assay", "prove", sample.config, "--out", folder / "proof", "--jobs", jobs]
        data = folder / "perf.data"
        run([perf, "record", "-q", "-F", SAMPLES_PER_SECOND, "-o", data, "--", *command])
        report = run([perf, "report", "-i", data, "--sort", "dso", "--stdio"])
    print_table(report)


def run(arguments: list[object]) -> str:
    """Run a command to its end; return what it printed."""
    finished = subprocess.run(
        [str(argument) for argument in arguments],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return finished.stdout


def print_table(report: str) -> None:
    """Print the shares in perf's report, `12.34%  object` a line, largest first."""
    print("\n| processor time of `assay prove` | share |\n|---|---|")
    rows = [line.split() for line in report.splitlines() if line.strip() and line[0] != "#"]
    rest = 100.0
    for share, name in (row[:2] for row in rows):
        percent = float(share.removesuffix("%"))
        if percent >= LEAST_PERCENT:
            rest -= percent
            print(f"| {name} | {percent:.1f} % |")
    print(f"| all others | {rest:.1f} % |")


if __name__ == "__main__":
    main()
