"""An audit by workers of Dask says what the same audit says alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.support import dask_tasks
from tests.support.auditing_host import serving
from tests.support.dask_cluster import Processes
from tests.support.dask_tasks import SECRET, FailAtFirst
from verifier import audit
from verifier.checks import tree
from verifier.commands.cli import main as verify
from verifier.errors import Rejected, StageFailed

Proof = tuple[Path, str]


def test_the_report_is_the_same(proof, address, tls, capsys):
    folder, key = proof
    outputs = []
    for options in ([], ["--cluster", address, "--cluster-tls", str(tls)]):
        assert verify(["audit", str(folder), "--exchange-key", key, "--json", *options]) == 0
        outputs.append(capsys.readouterr())
    assert outputs[0] == outputs[1]


def test_workers_read_what_is_served_themselves(proof, cluster, tmp_path):
    folder, key = proof
    root = tmp_path / "served"
    asked: list[str] = []
    shutil.copytree(folder, root / "bundle")
    level = next((root / "bundle" / "pages").glob("*/0"))
    data = level.read_bytes()
    with serving(root, asked=asked) as url:
        assert audit(f"{url}/bundle", key, engine=cluster) == audit(folder, key)
        assert f"/{level.relative_to(root)}" in asked
        for change in (
            lambda: level.write_bytes(data[:-1] + bytes([data[-1] ^ 1])),
            lambda: level.write_bytes(data[:-1]),
            level.unlink,
        ):
            change()
            faults = []
            for engine in (cluster, None):
                with pytest.raises(Rejected) as raised:
                    audit(f"{url}/bundle", key, engine=engine)
                faults.append(str(raised.value))
            assert faults[0] == faults[1]


def test_one_changed_byte_a_level_gets_the_same_verdict(proof, cluster, tmp_path):
    honest, key = proof
    folder = tmp_path / "bundle"
    shutil.copytree(honest, folder)
    files = sorted(path for part in ("pages", "arguments") for path in folder.glob(f"{part}/*/*"))
    assert len({path.name for path in files}) >= 3
    for path in files:
        data = path.read_bytes()
        for at in {len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            faults = []
            for engine in (None, cluster):
                with pytest.raises(Rejected) as raised:
                    audit(folder, key, engine=engine)
                faults.append(str(raised.value))
            assert faults[0] == faults[1]
        path.write_bytes(data)


def test_a_killed_worker_changes_nothing(proof, cluster, monkeypatch):
    folder, key = proof
    monkeypatch.setattr(tree, "CHUNK_BYTES", 1)  # a task a page
    alone = audit(folder, key)
    victim = min(cluster._client.run(os.getpid).values())
    progressed = 0

    def kill(done: int, total: int) -> None:
        nonlocal progressed
        progressed += 1
        if progressed == 3:
            os.kill(victim, signal.SIGKILL)

    assert audit(folder, key, engine=cluster, progress=kill) == alone
    assert progressed > 50
    with pytest.raises(ProcessLookupError):
        os.kill(victim, 0)


def test_nobody_talks_without_a_certificate(address, tls):
    host, port = address.removeprefix("tls://").split(":")
    context = ssl.create_default_context(cafile=tls / "ca.pem")
    context.check_hostname = False
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain) as talking,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
    ):
        talking.recv(1)
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall(bytes(100))
        with suppress(ConnectionError):
            assert b"distributed" not in plain.recv(4096)


def test_nothing_is_told_in_clear_and_no_file_is_for_others(cluster, standing):
    info = cluster._client.scheduler_info(n_workers=-1)
    ports = {info["services"]["dashboard"]}
    ports |= {worker["services"]["dashboard"] for worker in info["workers"].values()}
    assert len(ports) >= 2
    for port in ports:
        for path in ("health", "metrics", "info/main/workers.html", "json/counts.json"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10)
    assert set(cluster._client.run(os.umask, 0o077).values()) == {0o077}
    assert cluster._client.run_on_scheduler(os.umask, 0o077) == 0o077


def test_results_come_in_order_and_a_fault_behind_them(cluster):
    assert list(cluster.run("count", abs, range(50))) == list(range(50))
    results = cluster.run("reject", dask_tasks.reject, range(9))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(Rejected, match=r"^page\.bad-header: here: it is not as computed$"):
        next(results)


def test_what_a_system_fails_is_tried_again(cluster, tmp_path):
    for times, tries in ((3, 4), (99, 6)):
        folder = tmp_path / str(times)
        folder.mkdir()
        results = cluster.run("flaky", FailAtFirst(str(folder), times), [7])
        if times < tries:
            assert list(results) == [times]
        else:
            with pytest.raises(StageFailed, match=r"^task 7 of flaky failed: Input/output error$"):
                list(results)
        assert len(list(folder.iterdir())) == tries


def test_no_log_has_what_an_error_said(cluster, standing: Processes):
    with pytest.raises(StageFailed, match=r"^task 0 of broken failed: ValueError$"):
        list(cluster.run("broken", dask_tasks.break_down, [0]))
    for path in standing.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_closing_waits_for_no_worker(cluster):
    results = cluster.run("wait", dask_tasks.nap, range(100))
    assert next(results) == 0
    begun = time.monotonic()
    results.close()
    assert time.monotonic() - begun < 5
