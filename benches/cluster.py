"""`make bench-cluster`: a proof by the workers of a cluster beside one by threads.

    python -m benches.cluster [--leaves N] [--workers W]

The cluster is a scheduler and workers of one thread, all on this machine, over TLS. Both prove one
frozen ledger, with one salt, and the bundles are compared. What counts is processor time: that of
the threads' process, and that of driver, scheduler and workers together. What scheduler and workers
take to start, and to be there for as long as a proof takes, is told apart. Threads prove once more
and have what they made checked and audited as that of other machines is: so the cost of that is
told apart from the cost of a cluster.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from filecmp import dircmp
from pathlib import Path

import psutil

from benches import machine
from benches.commands import count
from benches.large import ASSETS, LEAVES_AN_ACCOUNT
from prover.sample.sample import Sample, make_sample
from prover.snapshot.make import make_snapshot
from tests.support.dask_cluster import Processes, processes, write_certificates
from verifier.cluster import Cluster
from verifier.ordered import Threads

FROZEN = ("snapshot.msgpack", "ledger", "evidence", "summary.json")


class Distrusted(Threads):
    """Threads whose work is checked as that of other machines."""

    is_local = False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benches.cluster", description=__doc__)
    parser.add_argument("--leaves", type=int, default=20_000_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for name, text in machine.describe("make bench-cluster").items():
        print(f"- {name}: {text}")
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        measure(Path(name), arguments.leaves, arguments.workers)


def measure(folder: Path, leaves: int, workers: int) -> None:
    """Prove both ways, and print."""
    accounts = leaves // LEAVES_AN_ACCOUNT
    sample = make_sample(folder / "exchange", accounts, ASSETS, seed=1, ledger_format="parquet")
    first = folder / "first"
    make_snapshot(sample.config, first, workers)
    again, checked, on_cluster = (
        _begun(first, folder / name) for name in ("again", "checked", "on-cluster")
    )
    threads, seconds = _used(lambda: make_snapshot(sample.config, again, workers))
    with closing(Distrusted(workers)) as engine:
        checking, longer = _used(
            lambda: make_snapshot(sample.config, checked, workers, engine=engine)
        )
    with processes(folder, write_certificates(folder / "tls")) as made:
        start, tasks, idle, proving = _on_cluster(sample, on_cluster, made, workers)
    made_leaves = count(first, sample.public_key).leaves
    print(f"- {made_leaves:,} leaves; same bundle: {_is_same(first, again, checked, on_cluster)}")
    print("\n| | processor s | wall s |\n|---|--:|--:|")
    print(f"| {workers} threads | {threads:.1f} | {seconds:.1f} |")
    print(f"| {workers} threads, and all is checked | {checking:.1f} | {longer:.1f} |")
    print(f"| driver, scheduler, {workers} workers, at work | {tasks:.1f} | {proving:.1f} |")
    print(f"| these started | {start:.1f} | |\n| idle for as long | {idle:.1f} | |")
    for what, than in (("threads", threads), ("threads, and all is checked", checking)):
        times, more = (tasks - idle) / than, 1e6 * (tasks - idle - than) / made_leaves
        print(f"\nbeside {what}, without being there: {times:.2f}x, {more:+.3f} µs a leaf")


def _on_cluster(
    sample: Sample, out: Path, made: Processes, workers: int
) -> tuple[float, float, float, float]:
    """Return the processor time of a start, of the proof and of as long without one, and that."""
    address = made.scheduler()
    for number in range(workers):
        made.worker(address, f"worker-{number}", "--no-nanny")
    for number in range(workers):
        made.wait_for(f"worker-{number}", "(Starting established connection)")
    start = _of_cluster(made)
    with closing(Cluster(address, made.tls)) as cluster:
        driver, seconds = _used(lambda: make_snapshot(sample.config, out, 1, engine=cluster))
    end = _of_cluster(made)
    time.sleep(seconds)
    return start, driver + end - start, _of_cluster(made) - end, seconds


def _begun(first: Path, out: Path) -> Path:
    """Return a folder in which ledger and evidence are frozen, with the salt of another proof."""
    (out / "private").mkdir(mode=0o700, parents=True)
    for name in FROZEN:
        source = first / "private" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, out / "private" / name)
    return out


def _used(act: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time that this process takes for something, and the wall time."""
    used, began = time.process_time(), time.monotonic()
    act()
    return time.process_time() - used, time.monotonic() - began


def _of_cluster(made: Processes) -> float:
    """Return the processor time of what was started, so far."""
    times = [psutil.Process(process.pid).cpu_times() for process in made.started.values()]
    return sum(each.user + each.system for each in times)


def _is_same(first: Path, *others: Path) -> bool:
    """Whether all bundles have the same files."""

    def differs(pair: dircmp[str]) -> bool:
        wrong = pair.left_only or pair.right_only or pair.diff_files or pair.funny_files
        return bool(wrong) or any(map(differs, pair.subdirs.values()))

    return not any(differs(dircmp(first / "public", other / "public")) for other in others)


if __name__ == "__main__":
    main()
