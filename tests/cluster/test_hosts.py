"""Hosts of their own, as network namespaces: one that is cut off takes nothing with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.dask_cluster import processes
from verifier import audit
from verifier.checks import tree
from verifier.cluster import Cluster

HOSTS = 2


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """A bridge at ``address``, and hosts with a cable each."""

    def __init__(self, number: int) -> None:
        self.subnet = f"10.77.{number}"
        self.bridge = f"asbr{number}"
        self.hosts = [f"as{number}h{host}" for host in range(HOSTS)]
        self.cables = [f"as{number}c{host}" for host in range(HOSTS)]

    @property
    def address(self) -> str:
        return f"{self.subnet}.1"

    def make(self) -> None:
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for at, (host, cable) in enumerate(zip(self.hosts, self.cables, strict=True)):
            ip("netns", "add", host)
            ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host)
            ip("link", "set", cable, "master", self.bridge, "up")
            ip("-n", host, "addr", "add", f"{self.subnet}.{at + 2}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                ip("-n", host, "link", "set", device, "up")

    def close(self) -> None:
        for words in (
            *(["netns", "del", host] for host in self.hosts),
            ["link", "del", self.bridge],
        ):
            subprocess.run(["ip", *words], check=False, capture_output=True)


@pytest.fixture
def network() -> Iterator[Network]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces: they need root and iproute2")
    with closing(Network(os.getpid() % 250)) as made:
        try:
            made.make()
        except subprocess.CalledProcessError:
            pytest.skip("network namespaces: this machine makes none")
        yield made


def test_a_host_that_is_cut_off_changes_nothing(
    proof: tuple[Path, str],
    tls: Path,
    tmp_path: Path,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, key = proof
    monkeypatch.setattr(tree, "CHUNK_BYTES", 1)  # a task a page
    alone = audit(folder, key)
    with processes(tmp_path, tls) as made:
        address = made.scheduler(network.address)
        for at, host in enumerate(network.hosts):
            made.worker(address, host, host=f"{network.subnet}.{at + 2}", namespace=host)
        for host in network.hosts:
            made.wait_for(host, "(Starting established connection)")
        progressed = 0

        def cut(done: int, total: int) -> None:
            nonlocal progressed
            progressed += 1
            if progressed == 3:
                ip("link", "set", network.cables[1], "down")

        with closing(Cluster(address, tls)) as cluster:
            assert cluster.jobs == HOSTS
            assert audit(folder, key, engine=cluster, progress=cut) == alone
            assert len(cluster._client.nthreads()) == 1
