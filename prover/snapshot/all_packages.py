"""The packages of all accounts of a snapshot, made by processes: Python does much of the work."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from prover.snapshot.package_file import package_file
from prover.snapshot.packages import Packager
from verifier.ordered import in_order

BATCH = 256  # accounts a process takes at a time
APPENDED_BYTES = 1 << 25  # of packages that are written and synced at a time


def write_packages(
    snapshot: Path,
    out: Path,
    signing_key: Path | None,
    jobs: int,
    report: Callable[[int], None],
) -> int:
    """Write the packages of all accounts into the file ``out``, by ``jobs`` processes, or go on
    where an earlier run was interrupted; return how many there are.

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
            return count
        batches = [(at, min(at + BATCH, count)) for at in range(done, count, BATCH)]
        accounts: list[str] = []
        packages: list[bytes] = []
        held = 0
        with get_context("spawn").Pool(jobs, _start, (snapshot, signing_key)) as pool:
            # The threads wait for a process each, and so no more is made ahead than is written.
            made = in_order(lambda batch: pool.apply(_make, batch), batches, jobs)
            for batch, packed in zip(batches, made, strict=True):
                accounts += map(packager.account, range(*batch))
                packages += packed
                held += sum(map(len, packed))
                if held >= APPENDED_BYTES or batch[1] == count:
                    file.append(accounts, packages)
                    accounts, packages, held = [], [], 0
                report(len(packed))
    return count


_packager: Packager  # of a worker process


def _start(snapshot: Path, signing_key: Path | None) -> None:
    global _packager
    os.umask(0o077)
    _packager = Packager(snapshot, signing_key)


def _make(start: int, stop: int) -> list[bytes]:
    return [_packager.package(index, bulk=True) for index in range(start, stop)]
