"""What a scheduler and a worker of Dask must be before they serve: a preload of both.

``dask scheduler --preload verifier.cluster.worker``, and the same of ``dask worker``. The settings
of dask.yaml, beside this file, satisfy it and preload it; ``python -m verifier.cluster``
prints where they are, for ``DASK_CONFIG``. They are looked at here, not in a manual: whoever starts
workers does it with tools of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

# Of the C library's allocator: below, every buffer is mapped and faulted anew.
LEAST_TRIM_BYTES = 1 << 25

_OFF = {
    "distributed.scheduler.http.routes": "[]",
    "distributed.worker.http.routes": "[]",
    "distributed.worker.memory.target": "false",
    "distributed.worker.memory.spill": "false",
}

_served = False


@cache
def version() -> str:
    """Return the version of Assay."""
    from importlib.metadata import version

    return version("assay")


def served_version() -> str:
    """Return the version of a process that was looked over, "" of any other."""
    return version() if _served else ""


def dask_setup(server: Scheduler | Worker) -> None:
    """End a process that is not to serve; keep the files of any other private.

    Dask logs what a preload raises, and goes on.
    """
    global _served
    found = list(faults(server.address))
    if found:
        print(f"assay: this process does not serve: {'; '.join(found)}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    os.umask(0o077)
    _served = True


def faults(address: str) -> Iterator[str]:
    """Yield what keeps a process that listens at an address from serving."""
    import dask

    def get(name: str) -> Any:
        return dask.config.get(name, None)

    if get("distributed.comm.require-encryption") is not True:
        yield "distributed.comm.require-encryption is not true"
    if not address.startswith("tls://"):
        yield f"it listens at {address}, without TLS"
    for name, off in _OFF.items():
        if get(name):
            yield f"{name} is not {off}"
    if {"distributed.dashboard.scheduler", "distributed.dashboard.worker"} & set(sys.modules):
        yield "it has a dashboard: start it with --no-dashboard"
    trim = os.environ.get("MALLOC_TRIM_THRESHOLD_")
    if trim is not None and int(trim) < LEAST_TRIM_BYTES:
        name = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
        yield f"{name} is below {LEAST_TRIM_BYTES}: it costs a fifth of the time"
