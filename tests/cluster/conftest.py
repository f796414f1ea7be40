"""A proof, and a cluster that stays for as many tests as it can."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.dask_cluster import Processes, processes, write_certificates
from tests.support.exchange_files import sample
from verifier.cluster import Cluster


@pytest.fixture(scope="session")
def proof(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a bundle that the commands made, and the key that signed it."""
    folder = tmp_path_factory.mktemp("proof")
    config = sample(folder / "made", accounts=600)
    command = [sys.executable, "-m", "prover", "prove", str(config), "--out", str(folder / "out")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "out" / "public", (folder / "made" / "exchange.pub").read_text().strip()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(tmp_path_factory.mktemp("tls") / "cluster")


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory, tls: Path) -> Iterator[Processes]:
    """Give a scheduler with two workers."""
    with processes(tmp_path_factory.mktemp("standing"), tls) as made:
        address = made.scheduler()
        for number in range(2):
            made.worker(address, f"worker-{number}")
        for number in range(2):
            made.wait_for(f"worker-{number}", "(Starting established connection)")
        yield made


@pytest.fixture(scope="session")
def address(standing: Processes) -> str:
    found = re.search(r"Scheduler at:\s+(tls://\S+)", standing.log("scheduler").read_text())
    assert found
    return found[1]


@pytest.fixture
def cluster(address: str, tls: Path) -> Iterator[Cluster]:
    with closing(Cluster(address, tls)) as engine:
        yield engine
