"""A scheduler in this process, and workers as jobs of Slurm; see slurm.md.

``DASK_CONFIG`` must name what ``python -m verifier.cluster`` prints. It is read when Dask is
loaded, and by the jobs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster
from dask_jobqueue.local import LocalCluster
from distributed.security import Security

QUIET = ["--no-dashboard", "--dashboard-address=127.0.0.1:0"]


def main() -> None:
    """Start all, and stay until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True, help="the address of this machine for workers")
    parser.add_argument("--tls", type=Path, required=True, help="ca.pem, cert.pem, key.pem")
    parser.add_argument("--workers", type=int, required=True, help="so many jobs")
    parser.add_argument("--cores", type=int, required=True, help="of each job")
    parser.add_argument("--memory", required=True, help="of each job, such as 64GB")
    parser.add_argument("--local", action="store_true", help="a shell in place of Slurm: to try it")
    given = parser.parse_args()
    settings = os.environ.get("DASK_CONFIG")
    if settings is None:
        sys.exit("export DASK_CONFIG=$(python -m verifier.cluster) first")
    ca, certificate, key = (
        str(given.tls.resolve() / name) for name in ("ca.pem", "cert.pem", "key.pem")
    )
    security = Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{
            f"tls_{role}_{what}": path
            for role in ("client", "scheduler", "worker")
            for what, path in (("cert", certificate), ("key", key))
        },
    )
    jobs = {
        "job_extra_directives": ["--exclusive"],
        "job_script_prologue": ["umask 077", f"export DASK_CONFIG={settings}"],
    }
    kind = LocalCluster if given.local else SLURMCluster
    with kind(
        cores=given.cores,
        memory=given.memory,
        processes=1,
        security=security,
        protocol="tls://",
        scheduler_options={
            "host": given.host,
            "port": 8786,
            "dashboard": False,
            "dashboard_address": "127.0.0.1:0",
        },
        worker_extra_args=QUIET,
        **({} if given.local else jobs),
    ) as cluster:
        print(cluster.job_script())
        cluster.scale(jobs=given.workers)
        print(cluster.scheduler_address, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
