"""A proof on a cluster: the bytes that threads make, whoever is killed, and nothing secret told."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from prover.commands.cli import main as assay
from prover.files.keys import read_master_key
from prover.ledger.ledger import ledger_digest
from prover.ledger.saved import load_ledger
from prover.snapshot import trees
from prover.snapshot.job import Job
from prover.snapshot.make import make_snapshot
from tests.support.dask_cluster import Processes, processes
from tests.support.dask_tasks import has_loaded
from tests.support.exchange_files import files, sample
from verifier.cluster import Cluster
from verifier.errors import ClusterError

CODES = ("BTC", "ETH")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the snapshot file of an exchange whose larger trees take several bands."""
    return sample(tmp_path_factory.mktemp("prove") / "exchange", accounts=30_000, codes=CODES)


@pytest.fixture(scope="module")
def alone(exchange: Path) -> Path:
    """Return the folder of a proof that threads made."""
    out = exchange.parent.parent / "alone"
    make_snapshot(exchange, out, 2)
    return out


def begun(alone: Path, out: Path) -> Path:
    """Return a folder in which nothing is fixed but salt, keys and TOML."""
    (out / "private").mkdir(mode=0o700, parents=True)
    shutil.copy(alone / "private" / "snapshot.msgpack", out / "private")
    return out


def assert_same(out: Path, alone: Path) -> None:
    for folder in ("public", "private"):
        made, wanted = files(out / folder), files(alone / folder)
        assert made.keys() == wanted.keys()
        assert [path for path in made if made[path] != wanted[path]] == []
    assert {path.stat().st_mode & 0o077 for path in (out / "private").rglob("*")} == {0}


def at_task(monkeypatch: pytest.MonkeyPatch, stage: str, act: Callable[[], None]) -> None:
    """Act once, when the driver has seen two results of a stage."""
    run, seen = Cluster.run, []

    def watched(self: Cluster, name: str, *rest: object) -> Iterator[object]:
        results: Iterator[object] = run(self, name, *rest)  # type: ignore[arg-type]
        for result in results:
            yield result
            if name == stage:
                seen.append(1)
                if len(seen) == 2:
                    act()

    monkeypatch.setattr(Cluster, "run", watched)


def test_the_same_bytes(
    exchange: Path, alone: Path, tmp_path: Path, address: str, tls: Path
) -> None:
    out = begun(alone, tmp_path / "out")
    words = [exchange.parent / "snapshot.toml", "--out", out, "--json"]
    words += ["--cluster", address, "--cluster-tls", tls]
    with pytest.raises(SystemExit) as ended:
        assay(["prove", *map(str, words)])
    assert not ended.value.code
    assert_same(out, alone)
    with closing(Cluster(address, tls)) as cluster:
        assert not cluster._client.run_on_scheduler(has_loaded, "prover")


@contextmanager
def two_workers(folder: Path, tls: Path) -> Iterator[tuple[Processes, str]]:
    """Give a scheduler with two workers without a nanny, and its address."""
    folder.mkdir(exist_ok=True)
    with processes(folder, tls) as made:
        address = made.scheduler()
        for number in range(2):
            made.worker(address, f"worker-{number}", "--no-nanny")
        for number in range(2):
            made.wait_for(f"worker-{number}", "(Starting established connection)")
        yield made, address


@pytest.mark.parametrize("stage", ["leaves", "pages", "arguments"])
def test_a_worker_is_killed(
    exchange: Path,
    alone: Path,
    tmp_path: Path,
    tls: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    out = begun(alone, tmp_path / "out")
    with two_workers(tmp_path / "cluster", tls) as (made, address):
        victim = made.started["worker-0"]
        at_task(monkeypatch, stage, lambda: os.kill(victim.pid, signal.SIGKILL))
        with closing(Cluster(address, tls)) as cluster:
            make_snapshot(exchange, out, 2, engine=cluster)
        assert victim.wait(1) == -signal.SIGKILL
    assert_same(out, alone)


def test_the_scheduler_is_killed_and_all_begun_anew(
    exchange: Path, alone: Path, tmp_path: Path, tls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = begun(alone, tmp_path / "out")
    with monkeypatch.context() as patched, two_workers(tmp_path / "first", tls) as (made, address):
        at_task(
            patched, "arguments", lambda: os.kill(made.started["scheduler"].pid, signal.SIGKILL)
        )
        began = time.monotonic()
        with (
            closing(Cluster(address, tls)) as cluster,
            pytest.raises(ClusterError, match=r"is gone|no worker"),
        ):
            make_snapshot(exchange, out, 2, engine=cluster)
        assert time.monotonic() - began < 120
        logs = logs_of(made)
    assert not (out / "public").exists()
    assert not (out / "private" / "trees").exists()
    made_before = set((out / "private" / "stages" / "assets").glob("*/arguments/*"))
    assert made_before
    times = {path: path.stat().st_mtime_ns for path in made_before}

    kept = {}

    def look() -> None:
        kept.update({path: path.stat().st_mtime_ns for path in made_before if path.exists()})

    with (
        monkeypatch.context() as patched,
        two_workers(tmp_path / "second", tls) as (again, address),
    ):
        at_task(patched, "arguments", look)
        with closing(Cluster(address, tls)) as cluster:
            make_snapshot(exchange, out, 2, engine=cluster)
        logs += logs_of(again)
    assert_same(out, alone)
    assert {path: times[path] for path in kept} == kept
    no_secret(exchange, alone, logs)


def logs_of(made: Processes) -> bytes:
    """Return all that processes of a cluster have written, scratch among it."""
    written = (path for path in made.folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in written)


def no_secret(exchange: Path, proof: Path, written: bytes) -> None:
    ledger = load_ledger(proof / "private" / "ledger")
    keys = (proof / "private" / "keys").read_bytes()
    secrets = [
        read_master_key(exchange.parent / "keys" / "master.key"),
        ledger_digest(ledger),
        (proof / "private" / "opening-secret").read_bytes(),
        *(keys[at : at + 32] for at in range(0, 3200, 32)),
        *(ledger.account_id(at) for at in range(100)),
    ]
    for secret in secrets:
        for form in (secret, secret.hex().encode(), repr(secret).encode()[2:-1]):
            assert form not in written
    assert b"@example" not in written


def test_what_is_sent_is_a_path_and_numbers(
    exchange: Path, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = begun(alone, tmp_path / "out")
    sent: list[bytes] = []
    jobs: list[Job] = []

    class Spied:
        jobs = 1
        is_local = False

        def check_folder(self, folder: Path) -> None:
            """Every task is of this process."""

        def run(self, stage: str, task: object, numbers: object) -> Iterator[object]:
            sent.append(pickle.dumps(task))
            again = pickle.loads(sent[-1])  # noqa: S301 (made here)
            yield from map(again, numbers)  # type: ignore[call-overload]

    made = trees._job

    def spied(*given: Any, **named: Any) -> Job:
        jobs.append(made(*given, **named))
        return jobs[-1]

    monkeypatch.setattr(trees, "_job", spied)
    make_snapshot(exchange, out, 1, engine=Spied())  # type: ignore[arg-type]
    assert_same(out, alone)
    [job] = jobs
    secrets = [job.entries, job.argument, job.salt, job.context]
    secrets += [secret for asset in job.assets for secret in (asset.shuffle, asset.padding)]
    assert len(sent) > 10
    for data in sent:
        assert len(data) < 400 + len(str(out))
        assert not any(secret in data for secret in secrets)


def test_storage_that_is_not_shared(address: str, tls: Path) -> None:
    """What this path means is another folder for every process."""
    with (
        closing(Cluster(address, tls)) as cluster,
        pytest.raises(ClusterError, match=r"the same storage at the same path"),
    ):
        cluster.check_folder(Path("/proc/self/cwd"))
    assert not list(Path.cwd().glob("question-*"))
