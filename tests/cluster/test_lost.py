"""A scheduler or workers that are not there, or not what they must be: an end, and a remedy."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import dask
import pytest
import yaml

import verifier.cluster
from tests.support import dask_tasks
from tests.support.dask_cluster import SETTINGS, processes, write_certificates
from verifier.cluster import Cluster
from verifier.cluster.worker import faults
from verifier.commands.cli import main as verify
from verifier.errors import ClusterError

AWAY = "tls://127.0.0.1:1"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(verifier.cluster, "_NO_WORKER_SECONDS", 1)
    monkeypatch.setattr(verifier.cluster, "_LOOK_SECONDS", 1)


def audited(proof, address: str, tls: Path) -> int:
    folder, key = proof
    words = ["audit", folder, "--exchange-key", key, "--cluster", address, "--cluster-tls", tls]
    return verify([str(word) for word in words])


def test_what_fades_away_ends_the_command(proof, tls, tmp_path, impatient, monkeypatch, capsys):
    with processes(tmp_path, tls) as made:
        address = made.scheduler()
        other = made.worker(
            address, "other", "--no-nanny", "--preload", "tests.support.dask_other_version",
            "--preload", "verifier.cluster.worker",
        )  # fmt: skip
        worker = made.worker(address, "worker", "--no-nanny")
        with pytest.raises(ClusterError, match=r"^no worker has been with"):
            Cluster(address, tls)

        made.wait_for("other", "(Starting established connection)")
        made.wait_for("worker", "(Starting established connection)")
        at = made.wait_for("other", r"Start worker at:\s+(\S+)")
        with pytest.raises(ClusterError, match=rf"worker: {at} \(0\.0\.9\)$"):
            Cluster(address, tls)
        kill(other)

        with closing(Cluster(address, tls)) as cluster:
            assert cluster.jobs == 1
            kill(worker)
            with pytest.raises(ClusterError, match="no worker has been with the scheduler"):
                list(cluster.run("wait", dask_tasks.wait, range(9)))

        made.worker(address, "last", "--no-nanny")
        made.wait_for("last", "(Starting established connection)")
        honest = Cluster.run
        begun: list[float] = []

        def run_on(self, *arguments):
            kill(made.started["scheduler"])
            begun.append(time.monotonic())
            return honest(self, *arguments)

        monkeypatch.setattr(Cluster, "run", run_on)
        assert audited(proof, address, tls) == 1
        assert time.monotonic() - begun[0] < 30
        assert f"the scheduler at {address} is gone; start it" in capsys.readouterr().err


def kill(process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "127.0.0.1:8786", "tls://:8786", "tls://a", "tls://a:x"]
)
def test_an_address_without_tls_is_refused(proof, address, tls, capsys):
    assert audited(proof, address, tls) == 1
    assert capsys.readouterr().err == (
        "assay-verify: the scheduler's address is tls://HOST:PORT; nothing goes without TLS\n"
    )


def test_a_scheduler_that_is_away(proof, tls, capsys):
    assert audited(proof, AWAY, tls) == 1
    assert capsys.readouterr().err == (
        f"assay-verify: no scheduler answers at {AWAY}: Connection refused; start it, or correct "
        "--cluster\n"
    )


def test_a_host_that_says_nothing_is_no_scheduler(proof, tls, monkeypatch, capsys):
    monkeypatch.setattr(verifier.cluster, "_CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        assert audited(proof, address, tls) == 1
    assert f"no scheduler answers at {address}: time-out" in capsys.readouterr().err


def test_a_host_that_speaks_plainly_is_refused(tls):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ClusterError, match="wrong version number"):
            Cluster(f"tls://127.0.0.1:{listener.getsockname()[1]}", tls)
        thread.join()


def test_certificates_that_do_not_hold(address, tls, tmp_path):
    other = write_certificates(tmp_path / "other")
    with pytest.raises(ClusterError, match=r"of the scheduler at tls.* does not hold: .*ca\.pem"):
        Cluster(address, other)
    shutil.copy(tls / "ca.pem", other)
    with pytest.raises(ClusterError, match=r"does not take .*cert\.pem: .*unknown ca; it must be"):
        Cluster(address, other)
    old = write_certificates(tmp_path / "old", days=-1)
    with pytest.raises(ClusterError, match=r"old/cert\.pem: expired on 20..-..-..; have a new one"):
        Cluster(address, old)


def test_files_that_do_not_fit(tls, tmp_path, proof, capsys):
    folder = tmp_path / "tls"
    shutil.copytree(tls, folder)
    (folder / "key.pem").chmod(0o640)
    with pytest.raises(ClusterError, match=r"key\.pem: others may read it; run chmod 600$"):
        Cluster(AWAY, folder)
    other = write_certificates(tmp_path / "other")
    shutil.copy(other / "cert.pem", folder)
    (folder / "key.pem").chmod(0o600)
    with pytest.raises(ClusterError, match=r"do not fit: key values mismatch$"):
        Cluster(AWAY, folder)
    (folder / "cert.pem").write_text("nothing")
    with pytest.raises(ClusterError, match=r"do not fit: "):
        Cluster(AWAY, folder)
    for name in ("cert.pem", "ca.pem", "key.pem"):
        (folder / name).unlink()
        with pytest.raises(ClusterError, match=r"No such file or directory$"):
            Cluster(AWAY, folder)
    assert audited(proof, AWAY, folder) == 1
    assert str(folder) in capsys.readouterr().err


def test_the_options_go_together(proof, capsys):
    folder, key = proof
    words = ["audit", str(folder), "--exchange-key", key]
    assert verify([*words, "--cluster", AWAY]) == 2
    assert verify([*words, "--cluster-tls", "."]) == 2
    assert capsys.readouterr().err.count("--cluster and --cluster-tls go together") == 2


def test_without_the_extra_the_command_names_it(proof, address, tls, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "dask", None)
    assert audited(proof, address, tls) == 2
    assert "pip install 'assay[cluster]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"distributed.comm.require-encryption": None}, "require-encryption is not true"),
        ({"distributed.scheduler.http.routes": ["x"]}, r"scheduler\.http\.routes is not \[\]"),
        ({"distributed.worker.http.routes": ["x"]}, r"worker\.http\.routes is not \[\]"),
        ({"distributed.worker.memory.target": 0.6}, r"memory\.target is not false"),
        ({"distributed.worker.memory.spill": 0.7}, r"memory\.spill is not false"),
    ],
)
def test_every_setting_counts(settings, fault):
    shipped = yaml.safe_load(SETTINGS.read_text())
    with dask.config.set(shipped):
        assert list(faults("tls://a:1")) == []
        with dask.config.set(settings):
            (found,) = faults("tls://a:1")
        assert re.search(fault, found)
        assert list(faults("tcp://a:1")) == ["it listens at tcp://a:1, without TLS"]


def test_the_allocator_is_left_alone(monkeypatch):
    with dask.config.set(yaml.safe_load(SETTINGS.read_text())):
        for value, count in (("65536", 1), ("1073741824", 0)):
            monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", value)
            assert len(list(faults("tls://a:1"))) == count


def test_what_is_not_private_does_not_serve(tmp_path, tls, address):
    spilling = {"DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "0.7"}
    plain = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "False"}
    with processes(tmp_path, tls) as made:
        made.worker(address, "alone", "--no-nanny", settings=spilling)
        made.worker(address, "nanny", settings=spilling)
        made.start(
            "scheduler", "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard",
            "--dashboard-address=127.0.0.1:0", settings=plain,
        )  # fmt: skip
        for name, fault in (
            ("alone", r"memory\.spill is not false"),
            ("nanny", r"memory\.spill is not false"),
            ("scheduler", "require-encryption is not true; it listens at tcp://.*, without TLS"),
        ):
            assert made.started[name].wait(60) != 0
            said = made.log(name).read_text()
            assert re.search(f"assay: this process does not serve: .*{fault}", said), said
            assert "Registered to" not in said
