"""Runs that are killed at a random moment and started again end in the bytes of an undisturbed run.

``KILL_RUNS`` says how many runs are killed, 4 by default. The seed of a failure is in its message.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from prover.sample.sample import PROFILES
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import files, public_key, sample
from verifier.verify import audit

RUNS = int(os.environ.get("KILL_RUNS", "4"))

# A server that has loaded the prover already forks a process for each run, in milliseconds.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["prover.snapshot.make"])


def start(config: Path, out: Path) -> BaseProcess:
    process = CONTEXT.Process(target=make_snapshot, args=(config, out, 2))
    process.start()
    return process


def finish(config: Path, out: Path) -> float:
    """Make the snapshot in a process of its own; return the seconds it took."""
    began = time.monotonic()
    process = start(config, out)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def kill(config: Path, out: Path, delay: float) -> bool:
    """Kill a run after a delay; tell whether it was still at work."""
    process = start(config, out)
    process.join(delay)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the snapshot file of an exchange whose trees take several chunks of pages."""
    return sample(tmp_path_factory.mktemp("kill") / "exchange", accounts=1500)


@pytest.fixture(scope="module")
def undisturbed(exchange: Path) -> tuple[Path, float]:
    """Return the folder of a finished run, and the seconds that a run takes."""
    out = exchange.parent.parent / "undisturbed"
    finish(exchange, out)
    audit(out / "public", public_key(exchange))
    return out, min(finish(exchange, begun(out, f"timed-{turn}")) for turn in range(2))


def begun(finished: Path, name: str) -> Path:
    """Return a folder in which nothing is fixed but salt, keys and TOML."""
    fresh = finished.with_name(name)
    (fresh / "private").mkdir(mode=0o700, parents=True)
    shutil.copy(finished / "private" / "snapshot.msgpack", fresh / "private")
    return fresh


def test_killed_once_anywhere(exchange: Path, undisturbed: tuple[Path, float]) -> None:
    kill_once(exchange, *undisturbed, RUNS)


def test_killed_once_among_small_assets(tmp_path: Path) -> None:
    """Their openings share files, and several are proved at a time."""
    config = sample(tmp_path / "exchange", accounts=60, codes=tuple(PROFILES))
    out = tmp_path / "undisturbed"
    finish(config, out)
    kill_once(config, out, finish(config, begun(out, "timed")), RUNS // 2)


def kill_once(exchange: Path, finished: Path, seconds: float, runs: int) -> None:
    """Kill runs at random moments of their work; each ends in the bytes of the finished one when it
    goes on."""
    bundle = files(finished / "public")
    seed = random.randrange(2**32)
    delays = random.Random(seed)
    for run in range(runs):
        out = begun(finished, f"run-{run}")
        while not kill(exchange, out, delay := delays.uniform(0, seconds)):
            seconds = delay  # so long a run does not take, on a machine that has less to do by now
            shutil.rmtree(out)
            begun(finished, out.name)
        finish(exchange, out)
        assert files(out / "public") == bundle, f"seed {seed}, run {run}"
        assert not (out / "public.partial").exists()
        shutil.rmtree(out)


def test_killed_again_and_again(exchange: Path, undisturbed: tuple[Path, float]) -> None:
    finished, seconds = undisturbed
    seed = random.randrange(2**32)
    delays = random.Random(seed)
    out = begun(finished, "again")
    for _ in range(RUNS // 2):
        kill(exchange, out, delays.uniform(0, seconds))
    finish(exchange, out)
    assert files(out / "public") == files(finished / "public"), f"seed {seed}"


def test_killed_before_anything_is_fixed(tmp_path: Path, undisturbed: tuple[Path, float]) -> None:
    _, seconds = undisturbed
    seed = random.randrange(2**32)
    delays = random.Random(seed)
    for run in range(max(2, RUNS // 10)):
        # An exchange of its own, since a key signs a snapshot once.
        config = sample(tmp_path / str(run) / "exchange", accounts=100)
        out = tmp_path / str(run) / "out"
        kill(config, out, delays.uniform(0, seconds / 4))
        finish(config, out)
        again = begun(out, "again")
        finish(config, again)
        assert files(again / "public") == files(out / "public"), f"seed {seed}, run {run}"


def torn_argument(partial: Path) -> None:
    with (partial / "arguments" / "ETH" / "0").open("r+b") as file:
        file.seek(100)
        file.write(b"\0" * 50)


def short_arguments(partial: Path) -> None:
    os.truncate(partial / "arguments" / "ETH" / "0", 1000)


def no_arguments(partial: Path) -> None:
    (partial / "arguments" / "ETH" / "0").unlink()


def stray_arguments(partial: Path) -> None:
    with (partial / "arguments" / "USDT" / "1").open("ab") as file:
        file.write(b"left over")


def torn_evidence(partial: Path) -> None:
    (partial / "evidence" / "ETH.msgpack").write_bytes(b"half")


def torn_record(partial: Path) -> None:
    (partial / "arguments.msgpack").write_bytes(b"half")
    (partial / "arguments.sig").unlink()


@pytest.mark.parametrize(
    "damage",
    [torn_argument, short_arguments, no_arguments, stray_arguments, torn_evidence, torn_record],
)
def test_what_a_power_cut_tore_is_made_again(
    exchange: Path,
    undisturbed: tuple[Path, float],
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    finished, _ = undisturbed
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "public").rename(out / "public.partial")
    damage(out / "public.partial")
    make_snapshot(exchange, out)
    assert files(out / "public") == files(finished / "public")


def test_pages_without_their_private_side_are_made_again(
    exchange: Path, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    """As a power cut leaves them before the private side has its name: anything may be in them."""
    finished, _ = undisturbed
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "public").rename(out / "public.partial")
    trees = out / "private" / "trees"
    trees.rename(trees.with_name("trees.partial"))
    for path in (out / "public.partial" / "pages").rglob("*"):
        if path.is_file():
            path.write_bytes(b"torn" * 5000)
    shutil.rmtree(out / "private" / "trees.partial" / "sums" / "ETH")
    make_snapshot(exchange, out)
    assert files(out / "public") == files(finished / "public")
    assert files(out / "private") == files(finished / "private")


def test_a_private_side_that_is_damaged_before_the_signature_is_made_anew(
    exchange: Path, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    finished, _ = undisturbed
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "public").rename(out / "public.partial")
    shutil.rmtree(out / "public.partial" / "arguments")
    amounts = out / "private" / "trees" / "leaves" / "ETH" / "amounts"
    amounts.write_bytes(bytes([amounts.read_bytes()[0] ^ 1]) + amounts.read_bytes()[1:])
    make_snapshot(exchange, out)
    for folder in ("public", "private"):
        assert files(out / folder) == files(finished / folder)
