"""Workers that lie, and storage that damages what stages leave: nothing false is signed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prover.errors import ProverError
from prover.files import pieces as pieces_of
from prover.liabilities import plan, stages
from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot
from prover.snapshot.record import Frozen, Room
from tests.support.exchange_files import files
from verifier.format import wire

pytestmark = pytest.mark.unsanitized


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "FEWEST", 7)
    monkeypatch.setattr(plan, "CHUNK_ENTRIES", 80)
    monkeypatch.setattr(plan, "ARGUED_CHUNKS", 1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make_sample(tmp_path / "exchange", 900, ("BTC", "ETH"), seed=5, page_size=16).config


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return make_sample(tmp_path / "exchange", 160, ("BTC", "ETH"), seed=5, page_size=16).config


class Liar:
    """An engine of other machines, whose tasks are followed by a change of what they wrote."""

    jobs = 1
    is_local = False

    def __init__(self, folder: Path, lie: Callable[[Path], None], stage: str, number: int) -> None:
        self.folder = folder
        self.lie = lie
        self.stage = stage
        self.number = number
        self.lies = 0

    def check_folder(self, folder: Path) -> None:
        """Every task is of this process."""

    def run(
        self, stage: str, task: Callable[[int], Any], numbers: Iterable[int]
    ) -> Generator[Any, None, None]:
        for number in numbers:
            made = task(number)
            found = [*self.folder.glob(f"assets/*/{self.stage}/{self.number}")]
            found += self.folder.glob(f"{self.stage}/{self.number}")
            for path in found[:1] if not self.lies and stage == self.name else ():
                self.lies += 1
                self.lie(path)
            yield made

    @property
    def name(self) -> str:
        return {"sums": "pages"}.get(self.stage, self.stage)


def flip(at: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return change


def moved(path: Path) -> None:
    """Move a unit from one of the first hundred amounts to another: the total stays."""
    data = bytearray(path.read_bytes())
    amounts = np.frombuffer(data[:800], np.uint64).copy()
    first, *_, last = np.flatnonzero(amounts > 1)
    amounts[first] -= np.uint64(1)
    amounts[last] += np.uint64(1)
    data[:800] = amounts.tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("stage", "number", "lie"),
    [
        ("split", 0, moved),
        ("leaves", 1, moved),
        ("leaves", 1, flip(8 * 140 + 32 * 7)),
        ("pages", 1, flip(40)),
        ("pages", 1, flip(3)),
        ("sums", 1, flip(8 * 40 + 3)),
        ("sums", 1, flip(0)),
        ("sums", 1, flip(-1)),
        ("arguments", 0, flip(50)),
        ("arguments", 1, flip(50)),
        ("arguments", 16, flip(50)),
        ("arguments", 17, flip(50)),
    ],
)
def test_nothing_of_a_lie_is_signed(
    config: Path, tmp_path: Path, stage: str, number: int, lie: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    liar = Liar(out / "private" / "stages", lie, stage, number)
    with pytest.raises(ProverError):
        make_snapshot(config, out, engine=liar)
    assert liar.lies == 1
    assert not (out / "public").exists()
    assert not (config.parent / "keys" / "signing.pem.log").exists()
    # Alone, the same command makes what nobody has touched.
    made = make_snapshot(config, out, 2)
    again = tmp_path / "again" / "private"
    again.mkdir(parents=True, mode=0o700)
    (again / "snapshot.msgpack").write_bytes((out / "private/snapshot.msgpack").read_bytes())
    assert files(make_snapshot(config, again.parent).bundle) == files(made.bundle)


@pytest.mark.parametrize(
    "name", ["ledger/balances.bin", "keys", "opening-secret", "stages/secrets", "stages/job"]
)
def test_nothing_is_signed_where_others_change_what_the_command_wrote(
    config: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    changed = out / "private" / name
    liar = Liar(out / "private" / "stages", lambda _: flip(-1)(changed), "arguments", 1)
    with pytest.raises(ProverError, match=r"not of the ledger|not as it was frozen"):
        make_snapshot(config, out, engine=liar)
    assert liar.lies == 1
    assert not (config.parent / "keys" / "signing.pem.log").exists()


def stopped(config: Path, out: Path, number: int = 1) -> None:
    """Begin a snapshot with other machines, and end while these argue."""

    def fail(path: Path) -> None:
        raise ProverError("no more")

    with pytest.raises(ProverError, match="no more"):
        make_snapshot(config, out, engine=Liar(out / "private/stages", fail, "arguments", number))


def changed(data: bytes, **fields: Any) -> bytes:
    """Return a record with other fields and the MAC that it had."""
    record = wire.read_record(Frozen, data[:-32])
    return wire.write_record(replace(record, **fields)) + data[-32:]


def with_figure(data: bytes, *path: str | int, value: object) -> bytes:
    """Return a frozen ledger's file of figures with another one of them."""
    figures = json.loads(data)
    at = figures
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return json.dumps(figures).encode()


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        *(
            (name, lambda data: bytes([data[0] ^ 1]) + data[1:])
            for name in (
                "ledger/.mac",
                "ledger/balances.bin",
                "ledger/holders.bin",
                "ledger/ids.bin",
                "ledger/ids.off",
                "ledger/ledger.json",
                "evidence/.mac",
                "evidence/BTC",
                "evidence/ETH.openings",
            )
        ),
        ("ledger/.mac", lambda _: b""),
        ("ledger/ids.off", lambda data: data[::-1]),
        ("ledger/ledger.json", lambda _: b"[" * 100_000),
        ("ledger/ledger.json", lambda data: with_figure(data, "assets", 0, "total", value=10**15)),
        ("ledger/ledger.json", lambda data: with_figure(data, "assets", 0, "total", value="1")),
        ("ledger/ledger.json", lambda data: with_figure(data, "tally", "assets", value={})),
        ("ledger/ledger.json", lambda data: with_figure(data, "id_type", value=3)),
        ("snapshot.msgpack", lambda data: changed(data, previous=bytes([7] * 32))),
        ("snapshot.msgpack", lambda data: changed(data, before=(Room("BTC", 1 << 20),))),
        ("snapshot.msgpack", lambda data: changed(data, salt=bytes(32))),
    ],
)
def test_what_is_frozen_cannot_be_changed_between_two_runs(
    few: Path, tmp_path: Path, name: str, lie: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "out"
    stopped(few, out)
    file = out / "private" / name
    data = file.read_bytes()
    assert lie(data) != data
    file.write_bytes(lie(data))
    for _ in range(2):
        with pytest.raises(ProverError, match=r"not as it was frozen; restore it, or begin anew"):
            make_snapshot(few, out)
    file.write_bytes(data)
    assert make_snapshot(few, out).made


@pytest.mark.parametrize("name", ["ledger/.mac", "ledger/ledger.json", "evidence/BTC"])
def test_no_pipe_in_place_of_what_is_frozen_is_waited_for(
    few: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    stopped(few, out)
    (out / "private" / name).unlink()
    os.mkfifo(out / "private" / name)
    with pytest.raises(ProverError, match="not as it was frozen"):
        make_snapshot(few, out)


@pytest.mark.parametrize("place", ["", "evidence", "pages", "arguments/BTC"])
def test_no_link_in_an_unfinished_bundle_is_followed(few: Path, tmp_path: Path, place: str) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    stopped(few, out)
    mine.mkdir()
    (mine / "BTC.msgpack").write_text("mine")
    unfinished = out / "public.partial" / place
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.symlink_to(mine)
    assert make_snapshot(few, out).made
    assert files(mine) == {"BTC.msgpack": b"mine"}


def test_a_link_in_place_of_a_piece_is_not_followed(config: Path, tmp_path: Path) -> None:
    out, secret = tmp_path / "out", config.parent / "keys" / "signing.pem"

    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(secret)

    with pytest.raises(OSError, match="symbolic links"):
        make_snapshot(config, out, engine=Liar(out / "private/stages", link, "pages", 1))
    made = [path for path in out.rglob("*") if path.is_file() and not path.is_symlink()]
    assert made
    assert not any(secret.read_bytes() in path.read_bytes() for path in made)


def test_a_host_that_was_taken_for_dead_changes_nothing(config: Path, tmp_path: Path) -> None:
    """All that it was given it does again, when others have done it."""
    out, given = tmp_path / "out", []

    class Late(Liar):
        def run(
            self, stage: str, task: Callable[[int], Any], numbers: Iterable[int]
        ) -> Generator[Any, None, None]:
            for number in numbers:
                yield task(number)
                given.append(number)
                task(number)

    made = make_snapshot(config, out, engine=Late(out / "private/stages", moved, "none", 0))
    again = tmp_path / "again" / "private"
    again.mkdir(parents=True, mode=0o700)
    (again / "snapshot.msgpack").write_bytes((out / "private/snapshot.msgpack").read_bytes())
    assert files(make_snapshot(config, again.parent).bundle) == files(made.bundle)
    assert len(given) > 10


@pytest.mark.parametrize("removed", [(), ("job",), ("job", "secrets"), ("alone",)])
def test_alone_nothing_is_kept_of_what_others_argued(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: tuple[str, ...]
) -> None:
    """A verifier accepts an argument whatever its nonces, and these others would know.

    Nor is it once a fault, or a run that ended early, has removed what tells of them.
    """
    out = tmp_path / "out"
    stopped(config, out, 9)
    for name in removed:
        (out / "private" / "stages" / name).unlink(missing_ok=True)
    assert len(list((out / "private/stages").glob("assets/*/arguments/*"))) >= 9
    kept, standing = [], stages._standing
    monkeypatch.setattr(stages, "_standing", lambda *given: kept.append(standing(*given)))
    make_snapshot(config, out)
    assert len(kept) > 9
    assert not any(kept)


@pytest.mark.parametrize("stop", [1, 9, 30, 60, 75, 90, 105, 120])
def test_what_is_damaged_between_two_runs_is_not_signed(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """A byte of every file is changed that a run left which stopped after so many pieces."""
    out, pieces = tmp_path / "out", 0
    write = pieces_of.write_piece

    def stopping(*given: Any, **named: Any) -> None:
        nonlocal pieces
        pieces += 1
        if pieces == stop:
            raise KeyboardInterrupt
        write(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(stages, "write_piece", stopping)
        with pytest.raises(KeyboardInterrupt):
            make_snapshot(config, out)
    left = [*(out / "private" / "stages").rglob("*"), *(out / "public.partial").rglob("*")]
    for path in left:
        if path.is_file() and path.stat().st_size:
            flip(path.stat().st_size // 2)(path)
    made = make_snapshot(config, out, 2)
    again = tmp_path / "again" / "private"
    again.mkdir(parents=True, mode=0o700)
    (again / "snapshot.msgpack").write_bytes((out / "private/snapshot.msgpack").read_bytes())
    make_snapshot(config, again.parent)
    for folder in ("public", "private"):
        assert digest(out / folder) == digest(again.parent / folder)
    assert made.made
    assert not (out / "private" / "stages").exists()


def digest(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files(folder).items()}
