"""The packages of all accounts of a snapshot, made by processes: Python does much of the work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from pathlib import Path
from typing import NamedTuple, NoReturn

from prover.errors import ProverError
from prover.snapshot.package_file import package_file
from prover.snapshot.packages import Packager
from verifier.ordered import in_order

BATCH = 8192  # accounts a process takes at a time; openings of one page are made together
LEAST = 256  # accounts that are worth a process
APPENDED_BYTES = 1 << 25  # of packages that are written and synced at a time


class Written(NamedTuple):
    """How many packages are there, and whether any of them was made now."""

    packages: int
    made: bool


def write_packages(
    snapshot: Path,
    out: Path,
    signing_key: Path | None,
    jobs: int,
    report: Callable[[int], None],
) -> Written:
    """Write the packages of all accounts into the file ``out``, by ``jobs`` processes at most, or
    go on where an earlier run was interrupted. Of what is there already the rows are counted.

    ``report`` is called with the number of packages that are there, or came, since its last call.

    Raises:
        ProverError: see `Packager` and `package_file`.
    """
    packager = Packager(snapshot, signing_key)
    count = len(packager)
    with package_file(out, packager.manifest, count) as file:
        done = count if file is None else file.done
        report(done)
        if file is None or done == count:
            return Written(count, made=file is not None)
        size = min(BATCH, max(LEAST, -(-(count - done) // jobs)))
        batches = [(at, min(at + size, count)) for at in range(done, count, size)]
        accounts: list[str] = []
        packages: list[bytes] = []
        held = 0
        with _made(snapshot, signing_key, batches, min(jobs, len(batches))) as made:
            for batch, packed in zip(batches, made, strict=True):
                accounts += map(packager.account, range(*batch))
                packages += packed
                held += sum(map(len, packed))
                if held >= APPENDED_BYTES or batch[1] == count:
                    file.append(accounts, packages)
                    accounts, packages, held = [], [], 0
                report(len(packed))
    return Written(count, made=True)


@contextmanager
def _made(
    snapshot: Path, signing_key: Path | None, batches: Sequence[tuple[int, int]], jobs: int
) -> Iterator[Iterator[list[bytes]]]:
    """Give the packages of one batch after the other, made by processes."""
    start = (snapshot, signing_key)
    # What reaches all processes of a terminal is for the first one, which ends the others. They
    # are kept from it from the very beginning; the tracker of resources ends last of all.
    with _blocked(signal.SIGHUP):
        resource_tracker.ensure_running()

    def make(batch: tuple[int, int]) -> list[bytes]:
        with _blocked(signal.SIGINT):  # in this thread, and in a process that it begins
            made = processes.submit(_make, *batch)
        return made.result()

    others, ended = set(active_children()), threading.Event()

    def kill() -> None:
        """Kill the processes, those too that are being begun: whoever hands over what nobody takes
        any more does not end.
        """
        while not ended.wait(0.05):
            for process in set(active_children()) - others:
                process.kill()

    try:
        with ProcessPoolExecutor(jobs, get_context("spawn"), _start, start) as processes:
            # Threads wait for a process each, so that no more is made ahead than is written.
            waited = in_order(make, batches, jobs)
            with closing(waited) as made:
                try:
                    yield made
                except BaseException:
                    threading.Thread(target=kill, daemon=True).start()
                    raise
    except BrokenProcessPool:
        raise ProverError("a process that made packages was killed") from None
    finally:
        ended.set()


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Keep a signal from this thread, and for good from processes that it begins meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_packager: Packager | ProverError  # of a worker process


def _start(snapshot: Path, signing_key: Path | None) -> None:
    global _packager
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _packager = Packager(snapshot, signing_key)
    except ProverError as error:
        _packager = error


def _end_with_parent() -> NoReturn:
    """End this process once the first one is gone, which was killed if it did not end this."""
    # Not PR_SET_PDEATHSIG: to the kernel the parent is the thread that started this.
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)


def _make(start: int, stop: int) -> list[bytes]:
    if isinstance(_packager, ProverError):
        raise _packager
    return _packager.packages(start, stop)
