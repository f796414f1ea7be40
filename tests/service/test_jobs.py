"""Jobs over real workers and both databases: killed anywhere, they end in the same bytes.

``KILL_RUNS`` says how many runs are killed at random moments, 4 by default, on each database. The
seed of a failure is in its message.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.errors import Busy, Superseded, WrongState
from api.snapshots import preflight
from api.snapshots.folder import ServedFolder
from api.snapshots.sources import read_draft, slots
from api.snapshots.states import State
from api.snapshots.uploads import accept
from prover.errors import ProverError
from tests.service.conftest import NewDatabase
from tests.support.dying_service import PATIENCE, Service, evidence, kill
from tests.support.exchange_files import files
from tests.support.served_exchange import LATER, LIST, SECRET_NUMBER, Exchange, make_exchange
from verifier.format.keys import parse_public_key
from verifier.verify import audit

STAGES = (
    "begin proving",
    "reading the ledger",
    "checking ownership signatures",
    "deriving keys and leaves",
    "proving ETH, USDT",
    "settle proven",
    "begin publishing",
    "publish",
    "settle published",
    "begin retiring",
    "settle retired",
)

FEW = (
    "proving ETH, USDT",
    "settle proven",
    "begin publishing",
    "publish",
    "begin retiring",
)

RUNS = int(os.environ.get("KILL_RUNS", "4"))


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return make_exchange(tmp_path_factory.mktemp("exchange"), accounts=600)


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody killed: where it was, what it made, its points, how long it took."""

    folder: Path
    database: Path
    record: bytes
    manifest: bytes | None
    bundle: dict[str, bytes]
    published: dict[str, bytes]
    points: list[str]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    base = tmp_path_factory.mktemp("undisturbed")
    seen = base / "seen"
    with Service(base / "service", f"sqlite:///{base / 'database'}") as service:
        folder = service.draft(exchange)
        kill(service.worker())  # so that nothing is loaded while the time is taken
        service.operations.start("one")
        began = time.monotonic()
        with service.working(seen):
            row = service.rest()
            service.operations.publish("one")
            assert service.rest().state is State.PUBLISHED
            seconds = time.monotonic() - began
            bundle, published = files(folder / "public"), files(service.settings.published)
            record = (folder / "private" / "snapshot.msgpack").read_bytes()
            service.operations.retire("one")
            assert service.rest().state is State.RETIRED
    points = list(dict.fromkeys(seen.read_text().splitlines()))
    return Undisturbed(
        folder, base / "database", record, row.manifest, bundle, published, points, seconds
    )


def begun(service: Service, exchange: Exchange, undisturbed: Undisturbed) -> Path:
    """Draft and start the same snapshot, with nothing fixed but salt, keys and TOML."""
    folder = service.draft(exchange)
    (folder / "private").mkdir(mode=0o700)
    (folder / "private" / "snapshot.msgpack").write_bytes(undisturbed.record)
    service.operations.start("one")
    return folder


def test_undisturbed(undisturbed: Undisturbed, exchange: Exchange, tmp_path: Path) -> None:
    for name, data in undisturbed.bundle.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert audit(tmp_path, parse_public_key(exchange.key)).digest == undisturbed.manifest
    assert not undisturbed.folder.exists()
    assert {f"snapshots/one/{name}": data for name, data in undisturbed.bundle.items()} == {
        name: data for name, data in undisturbed.published.items() if name != "history.json"
    }


def test_killed_at_every_point(
    database: str, exchange: Exchange, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    # What is after one point is before the next.
    kind = "after"
    points = [point for point in undisturbed.points if RUNS > 4 or point.startswith(kind)]
    assert {f"{kind} {stage}" for stage in STAGES} <= set(points)
    if RUNS <= 4 and not database.startswith("sqlite"):
        points = [point for point in points if point.removeprefix("after ") in FEW]
    with Service(tmp_path / "service", database) as service:
        folder = begun(service, exchange, undisturbed)
        for point in points:
            state = service.operations.find("one").state
            if point.endswith("begin publishing") and state is not State.PUBLISHING:
                finish(service, State.PROVEN)
                service.operations.publish("one")
            if point.endswith("begin retiring") and state is not State.RETIRING:
                finish(service, State.PUBLISHED)
                assert files(folder / "public") == undisturbed.bundle
                service.operations.retire("one")
            worker = service.worker(die_at=point)
            worker.join(PATIENCE)
            assert worker.exitcode == -signal.SIGKILL, f"never came to {point}"
        finish(service, State.RETIRED)
        assert files(service.settings.published) == undisturbed.published
        assert not folder.exists()


def finish(service: Service, state: State) -> None:
    """Let a worker do what is left to do; the snapshot is in ``state`` then."""
    if service.operations.find("one").state is not state:
        with service.working():
            assert service.rest().state is state


def test_killed_at_any_moment(
    new_database: NewDatabase, exchange: Exchange, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    delays = random.Random(seed)
    for run in range(RUNS // 4):
        with Service(tmp_path / str(run), new_database()) as service:
            folder = begun(service, exchange, undisturbed)
            for _ in range(3):
                worker = service.worker()
                worker.join(delays.uniform(0, undisturbed.seconds))
                kill(worker)
                if service.operations.find("one").state is State.PROVEN:
                    service.operations.publish("one")
            with service.working():
                if service.rest().state is State.PROVEN:
                    service.operations.publish("one")
                assert service.rest().state is State.PUBLISHED, f"seed {seed}, run {run}"
            assert files(folder / "public") == undisturbed.bundle, f"seed {seed}, run {run}"
            assert files(service.settings.published) == undisturbed.published


def test_cancelled_and_resumed(
    database: str, exchange: Exchange, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    with Service(tmp_path / "service", database) as service:
        folder = begun(service, exchange, undisturbed)
        assert service.operations.cancel("one").state is State.CANCELLED
        service.operations.resume("one")
        worker = service.worker(hold_at="after proving ETH, USDT")
        service.await_stage("proving ETH, USDT")
        assert service.operations.cancel("one").state is State.CANCELLING
        service.release()
        assert service.rest().state is State.CANCELLED
        with pytest.raises(WrongState):
            service.operations.cancel("one")
        assert not (folder / "public").exists()
        service.operations.resume("one")
        kill(worker)
        with service.working():
            assert service.rest().state is State.PROVEN
        assert files(folder / "public") == undisturbed.bundle


def test_cancelled_while_no_worker_is_there(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        service.draft(exchange, "two")
        service.operations.start("two")
        worker = service.worker(die_at="after proving ETH, USDT")
        worker.join(PATIENCE)
        assert service.operations.cancel("two").state is State.CANCELLING
        with service.working():
            assert service.rest("two").state is State.CANCELLED


def test_one_worker_works_and_the_other_stands_by(
    exchange: Exchange, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        folder = begun(service, exchange, undisturbed)
        seen = [tmp_path / name for name in ("first", "second")]
        first = service.worker(
            hold_at="after proving ETH, USDT",
            die_at="before settle proven",
            seen=seen[0],
        )
        service.await_stage("proving ETH, USDT")
        second = service.worker(seen=seen[1])
        service.release()
        assert service.rest().state is State.PROVEN
        assert first.exitcode == -signal.SIGKILL
        assert seen[0].read_text().endswith("before settle proven\n")
        assert seen[1].read_text().startswith("before begin proving\n")
        assert service.operations.find("one").starts == 2
        kill(second)
        assert files(folder / "public") == undisturbed.bundle


def test_short_assets_then_enough(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    with (
        Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service,
        service.working(),
    ):
        folder = service.draft(exchange, short_by=1)
        service.operations.start("one")
        row = service.rest()
        assert (row.state, row.detail, row.manifest) == (State.SHORT, None, None)
        told = ServedFolder(folder).shortfall
        assert "ETH by 0.000001, USDT by 0.000001" in told.read_text()
        assert told.stat().st_mode & 0o077 == 0
        service.operations.resume("one")
        assert service.rest().state is State.SHORT
        replace_list(service, folder, evidence(exchange, folder))
        ledger = files(folder / "private" / "ledger")
        service.operations.resume("one")
        assert service.rest().state is State.PROVEN
        assert files(folder / "private" / "ledger") == ledger
        assert not told.exists()
        audit(folder / "public", parse_public_key(exchange.key))


def test_a_refused_signature_is_named_and_can_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job finds what there was no time to find before."""
    monkeypatch.setattr(preflight, "CHECK_SECONDS", -1)
    exchange = make_exchange(tmp_path / "exchange")
    with (
        Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service,
        service.working(),
    ):
        folder = service.draft(exchange)
        signed = evidence(exchange, folder)
        replace_last_signature(ServedFolder(folder).uploads / LIST, signed)
        service.operations.start("one")
        row = service.rest()
        assert row.state is State.FAILED
        assert row.detail is not None
        assert f"{LIST}: row 3, column signature" in row.detail
        replace_list(service, folder, signed)
        service.operations.resume("one")
        assert service.rest().state is State.PROVEN


def replace_last_signature(file: Path, signed: bytes) -> None:
    """Let the last row of a list have what is no signature."""
    before, _, after = signed.rpartition(b",eip191,0x")
    file.write_bytes(b",eip191,0y".join((before, after)))


def replace_list(service: Service, folder: Path, data: bytes) -> None:
    """Upload a list anew."""
    config = read_draft(ServedFolder(folder))
    file = folder / LIST
    file.write_bytes(data)
    accept(service.database, "one", ServedFolder(folder), file, slots(config)[LIST])


def test_what_was_proven_and_erased_keeps_nothing_from_following(tmp_path: Path) -> None:
    """Nobody ever got it: none is published, not even in part, so no two follow the same one."""
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        service.draft(exchange, "a")
        service.draft(exchange, "b", time=LATER)
        with service.working():
            service.operations.start("a")
            assert service.rest("a").state is State.PROVEN
            service.operations.retire("a")
            assert service.rest("a").state is State.RETIRED
        part = service.settings.published / "snapshots" / "a"
        part.mkdir(parents=True)
        with pytest.raises(ProverError, match="has signed snapshot a already, to follow none"):
            service.operations.start("b")
        part.rmdir()
        with service.working():
            service.operations.start("b")
            assert service.rest("b").state is State.PROVEN
            service.operations.publish("b")
            assert service.rest("b").state is State.PUBLISHED
    bundle = service.settings.published / "snapshots" / "b"
    assert audit(bundle, parse_public_key(exchange.key)).manifest.previous == bytes(32)


def test_a_chain_of_snapshots_cannot_fork(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", f"sqlite:///{tmp_path / 'database'}") as service:
        service.draft(exchange, "a")
        folder = service.draft(exchange, "b", time=LATER)
        service.operations.start("a")
        with pytest.raises(Busy):
            service.operations.start("b")
        service.operations.cancel("a")
        # Begun first, and stopped once its ledger was frozen; then another one is published.
        service.operations.start("b")
        service.worker(die_at="after checking ownership signatures").join(PATIENCE)
        service.operations.cancel("b")
        with service.working():
            assert service.rest("b").state is State.CANCELLED
            service.operations.resume("a")
            assert service.rest("a").state is State.PROVEN
            with pytest.raises(Busy):
                service.operations.resume("b")
            service.operations.publish("a")
            assert service.rest("a").state is State.PUBLISHED
            with pytest.raises(Superseded, match="begin anew"):
                service.operations.resume("b")
            service.operations.retire("b")
            assert service.rest("b").state is State.RETIRED
            folder = service.draft(exchange, "c", time=LATER)
            service.operations.start("c")
            assert service.rest("c").state is State.PROVEN
            service.operations.publish("c")
            assert service.rest("c").state is State.PUBLISHED
        audit(
            folder / "public",
            parse_public_key(exchange.key),
            previous=service.settings.published / "snapshots" / "a",
        )


def test_a_target_that_cannot_be_written(exchange: Exchange, tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    (tmp_path / "file").touch()
    targets = (f"file://{tmp_path / 'second'}", f"file://{tmp_path / 'file'}")
    database = f"sqlite:///{tmp_path / 'database'}"
    with Service(tmp_path / "service", database, targets) as service, service.working():
        service.draft(exchange)
        service.operations.start("one")
        assert service.rest().state is State.PROVEN
        service.operations.publish("one")
        row = service.rest()
        assert row.state is State.UNPUBLISHED
        assert row.detail
        (tmp_path / "file").unlink()
        service.operations.publish("one")
        assert service.rest().state is State.PUBLISHED
        published = files(service.settings.published)
        assert published
        assert files(tmp_path / "second") == files(tmp_path / "file") == published


def test_nothing_of_customers_or_keys_is_kept_or_logged(
    exchange: Exchange, undisturbed: Undisturbed
) -> None:
    kept = b"".join(path.read_bytes() for path in undisturbed.database.parent.glob("database*"))
    assert b"snapshots" in kept
    assert b"one" in kept
    master = (exchange.folder / "master.key").read_bytes().strip()
    for secret in (
        *(b"holder%d@" % number for number in range(3)),
        b"holder",
        str(SECRET_NUMBER).encode(),
        f"{SECRET_NUMBER // 10**6}.{SECRET_NUMBER % 10**6}".encode(),
        str(exchange.owed).encode(),
        master,
        (exchange.folder / "signing.pem").read_bytes().splitlines()[1],
    ):
        assert secret not in kept
