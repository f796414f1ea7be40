"""`make profile`: where the processor time of `assay prove` goes, as the table of docs/profile.md.

    python -m benches.profile [--leaves N] [--jobs J]

Linux's perf samples all threads of the command, on the exchange of `benches.large`; samples are
counted by the shared object that they fall into. The C core is native/_core.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benches import machine
from benches.commands import BIN
from benches.large import ASSETS, LEAVES_AN_ACCOUNT, STANDARD
from prover.sample import make_sample

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
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        accounts = arguments.leaves // LEAVES_AN_ACCOUNT
        sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
        command = [BIN / "assay", "prove", sample.config, "--out", folder / "proof"]
        data = folder / "perf.data"
        record = [perf, "record", "-q", "-F", SAMPLES_PER_SECOND, "-o", data, "--", *command]
        run([*record, "--jobs", arguments.jobs])
        print_table(run([perf, "report", "-i", data, "--sort", "dso", "--stdio"]), arguments.leaves)


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


def print_table(report: str, leaves: int) -> None:
    """Print the shares in perf's report, `12.34%  object` a line, largest first."""
    for name, text in machine.describe(f"python -m benches.profile --leaves {leaves}").items():
        print(f"- {name}: {text}")
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
