"""What deriving a leaf costs as the tree grows, on one thread and in its own processor time.

    python -m benches.derivation [--bits N ...] [--folder DIR]

Trees of 2^N leaves, half of them parts, two an account. The stages are those of
`prover.liabilities.stages` up to where pages are committed to; of the last one, gathering, some
bands drawn at random stand for all. The columns of accounts are zeros that take no memory, so what
their own misses cost is not in it. Files take 57 bytes a leaf.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np

import native
from benches import machine
from prover.liabilities import stages
from prover.liabilities.leaves import Accounts, Leaves
from prover.liabilities.parts import POSITIONS, Parts
from prover.liabilities.stages import Secrets, Work
from prover.liabilities.tree import TreeFiles
from verifier.format.params import TreeShape

PAGE_SIZE = 4096
GATHERED = 16
STAGES = ("sort", "rank", "place", "gather")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benches.derivation", description=__doc__)
    parser.add_argument("--bits", type=int, nargs="+", default=(22, 24, 26))
    parser.add_argument("--folder", type=Path, help="where there is room; a temporary folder")
    arguments = parser.parse_args()
    for name, text in machine.describe("python -m benches.derivation").items():
        print(f"- {name}: {text}")
    print(f"\n| leaves | {' | '.join(STAGES)} | ns a leaf | order, peak MB more |")
    print("|--:|" + "--:|" * (len(STAGES) + 2))
    for bits in arguments.bits:
        with tempfile.TemporaryDirectory(prefix="assay-bench-", dir=arguments.folder) as name:
            seconds, peak = measure(_work(Path(name), 1 << bits))
        each = [1e9 * seconds[stage] / (1 << bits) for stage in STAGES]
        shown = " | ".join(f"{ns:.1f}" for ns in each)
        print(f"| 2^{bits} | {shown} | {sum(each):.1f} | {peak:.0f} |", flush=True)


def measure(work: Work) -> tuple[dict[str, float], float]:
    """Return the seconds of each stage, and by how many MB the peak rose until leaves have places.

    Of the memory that is mapped from files nothing is the process's own.
    """
    plan = work.plan
    for stage in ("sorted", "ranks", "positions", "leaves"):
        (work.folder / stage).mkdir(parents=True)
    before = _peak()
    seconds = {
        "sort": _timed(lambda n: stages.sort_range(work, n), range(len(plan.ranges))),
        "rank": _timed(lambda n: stages.rank_group(work, n), range(1 << plan.group_bits)),
    }
    peak = _peak() - before
    seconds["place"] = _timed(lambda n: stages.place_range(work, n), range(len(plan.ranges)))
    drawn = random.sample(range(len(plan.bands)), min(GATHERED, len(plan.bands)))
    gathering = _timed(lambda n: stages.gather_band(work, n), drawn)
    seconds["gather"] = gathering * len(plan.bands) / len(drawn)
    return seconds, peak


def _timed(task: Callable[[int], object], numbers: range | list[int]) -> float:
    start = time.thread_time()
    for number in numbers:
        task(number)
    return time.thread_time() - start


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _work(folder: Path, leaves: int) -> Work:
    parts, holders = leaves // 2, leaves // 4
    shape = TreeShape(leaves // PAGE_SIZE, PAGE_SIZE)
    offsets = np.arange(0, 24 * (holders + 1), 24, dtype=np.uint64)
    accounts = Accounts(
        np.zeros(24 * holders, np.uint8), offsets, np.zeros((holders, 32), np.uint8)
    )
    first = np.arange(0, parts + 1, 2, dtype=np.uint64)
    amounts, positions = np.zeros(parts, np.uint64), np.zeros(0, np.uint32)
    numbers = np.arange(holders, dtype=np.uint32)
    made = Parts(first, amounts, positions, shape, 0)
    return Work(
        native.Tree(bytes(32), b"", shape.capacity, shape.page_size),
        Leaves(accounts, numbers, made, "BTC", bytes(32)),
        Secrets(*(bytes([n]) * 32 for n in range(5))),
        TreeFiles(*(folder / name for name in ("pages", "arguments", "leaves", "sums"))),
        folder / POSITIONS,
        folder / "work",
        durable=False,
        reload=_reload,
    )


def _reload() -> NoReturn:
    raise AssertionError("nothing is sent elsewhere")


if __name__ == "__main__":
    main()
