"""What a leaf costs in each stage of a proof, on one thread and in its own processor time.

    python -m benches.stages [--leaves N]

One asset whose accounts are a quarter of the leaves. The stages are those of
`prover.liabilities.stages`, which a cluster runs as they are. What the command does besides, on its
own machine, is told apart: the ledger, files that are joined, the levels above, and, as the tasks
count as others' work, its checks of what they made and its audit.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TypeVar

from benches import machine
from benches.large import LEAVES_AN_ACCOUNT
from prover.liabilities.parts import load_parts
from prover.sample.sample import make_sample
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.make import make_snapshot

Result = TypeVar("Result")
CODE = "BTC"
LEAVES = 1 << 22


class Timed:
    """An `Engine`: the caller's own thread, whose processor time in each stage it keeps.

    What it makes is checked as that of other machines is.
    """

    jobs = 1
    is_local = False

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.tasks: dict[str, int] = defaultdict(int)

    def check_folder(self, folder: Path) -> None:
        """See `Engine`: it is this process."""

    def run(
        self, stage: str, task: Callable[[int], Result], numbers: Iterable[int]
    ) -> Generator[Result, None, None]:
        """See `Engine`."""
        for number in numbers:
            start = time.thread_time()
            result = task(number)
            self.seconds[stage] += time.thread_time() - start
            self.tasks[stage] += 1
            yield result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benches.stages", description=__doc__)
    parser.add_argument("--leaves", type=int, default=LEAVES)
    wanted: int = parser.parse_args().leaves
    for name, text in machine.describe(f"python -m benches.stages --leaves {wanted}").items():
        print(f"- {name}: {text}")
    engine = Timed()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        accounts = wanted // LEAVES_AN_ACCOUNT
        sample = make_sample(
            folder / "exchange", accounts, (CODE,), seed=1, ledger_format="parquet"
        )
        start = time.process_time()
        make_snapshot(sample.config, folder / "proof", 1, engine=engine)
        whole = time.process_time() - start
        (parts,) = load_parts(SnapshotFolder(folder / "proof").parts)
    leaves, holders = parts.shape.leaves, len(parts.first) - 1
    print(f"- {leaves:,} leaves, {int(parts.first[-1]):,} parts of {holders:,} holders")
    print("\n| stage | tasks | ns a leaf |\n|---|--:|--:|")
    for stage, seconds in engine.seconds.items():
        print(f"| {stage} | {engine.tasks[stage]} | {1e9 * seconds / leaves:.1f} |")
    all_stages = sum(engine.seconds.values())
    print(f"| all stages | | {1e9 * all_stages / leaves:.1f} |")
    print(f"| the command besides | | {1e9 * (whole - all_stages) / leaves:.1f} |")


if __name__ == "__main__":
    main()
