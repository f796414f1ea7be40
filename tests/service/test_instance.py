"""One database serves one folder: what is moved, copied or not mounted is not taken for it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.database.engine import migrate, open_database
from api.database.lock import hold_lock, is_held
from api.errors import Foreign
from api.snapshots import instance
from api.snapshots.instance import ID_FILE
from api.snapshots.states import State
from prover.errors import ProverError
from tests.service.conftest import NewDatabase
from tests.service.test_database import all_at_once
from tests.support.dying_service import PATIENCE, Service, kill
from tests.support.served_exchange import Exchange, make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import ALL, Operator, plain_environment, settings, token


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    migrate(engine)
    yield engine
    engine.dispose()


def assay(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "assay"), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment(),
    )


def write_settings(folder: Path, database: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.toml"
    file.write_text(f'folder = "."\ndatabase = "{database}"\n[server]\nport = 0\n')
    return file


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a process did not begin, as its log has it."""
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    found: str = next(line["reason"] for line in lines if "reason" in line)
    return found


def test_a_second_folder_is_refused(database: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with opened(database) as engine:
        instance.settle(engine, first / "snapshots")
        instance.settle(engine, first / "snapshots")
    file = write_settings(second, database)
    for command in (("serve", "--no-worker"), ("worker",)):
        done = assay(*command, "--settings", file)
        assert done.returncode == 1
        why = reason(done)
        assert f"serves the folder {first}/snapshots, not {second}/snapshots" in why
        assert "assay service adopt" in why
        assert "Traceback" not in done.stderr
        assert not (second / "snapshots").exists()


def test_a_folder_of_another_database_is_refused(new_database: NewDatabase, tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    for url, refused in ((new_database(), False), (new_database(), True)):
        with opened(url) as engine:
            if refused:
                with pytest.raises(Foreign, match="belongs to another database"):
                    instance.settle(engine, folder)
                with pytest.raises(Foreign):  # the refusal left nothing behind
                    instance.settle(engine, folder)
            else:
                instance.settle(engine, folder)


def test_of_folders_that_meet_one_is_served(database: str, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(5)]
    with opened(database) as engine:
        found = all_at_once([partial(instance.settle, engine, folder) for folder in folders])
    assert sorted(map(str, found)) == sorted(map(str, [None, *[Foreign] * 4]))
    assert sum((folder / ID_FILE).exists() for folder in folders) == 1


def test_a_crash_while_it_is_bound_is_no_refusal(database: str, tmp_path: Path) -> None:
    with opened(database) as engine:
        instance.settle(engine, tmp_path)
        with engine.begin() as connection:  # as if it had not been committed
            connection.execute(sa.text("UPDATE instance SET folder = NULL"))
        instance.settle(engine, tmp_path)
    assert (tmp_path / ID_FILE).stat().st_mode & 0o077 == 0


def change_folder(folder: Path, other: Path, change: str) -> Path:
    """Do to a folder what happens to folders; return what stands in the settings then."""
    match change:
        case "moved":
            return folder.rename(other)
        case "copied":
            return Path(shutil.copytree(folder, other))
        case "damaged":
            (folder / ID_FILE).write_text("")
        case "unmounted":
            folder.rename(other)
        case "emptied":
            folder.rename(other)
            folder.mkdir()
        case "linked":
            shutil.copytree(folder, other)
            shutil.rmtree(folder)
            folder.symlink_to(other)
    return folder


@pytest.mark.parametrize("change", ["moved", "copied", "damaged", "unmounted", "emptied", "linked"])
def test_what_is_not_the_folder_is_refused(database: str, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "folder"
    with opened(database) as engine:
        instance.settle(engine, folder)
        now = change_folder(folder, tmp_path / "other", change)
        with pytest.raises(Foreign, match="assay service adopt"):
            instance.settle(engine, now)
        assert now.exists() == (change != "unmounted")


def test_a_folder_is_adopted(database: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with opened(database) as engine:
        instance.settle(engine, first / "snapshots")
    file = write_settings(second, database)
    done = assay("service", "adopt", "--settings", file)
    assert (done.returncode, done.stderr) == (1, f"assay: {second}/snapshots: no such folder\n")
    (second / "snapshots").mkdir()
    done = assay("service", "adopt", "--settings", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"the database serves {second}/snapshots; before: {first}/snapshots\n")
    with opened(database) as engine:
        instance.settle(engine, second / "snapshots")
        with pytest.raises(Foreign, match=f"serves the folder {second}/snapshots"):
            instance.settle(engine, first / "snapshots")


def test_nothing_is_adopted_while_a_worker_is_at_work(database: str, tmp_path: Path) -> None:
    file = write_settings(tmp_path / "folder", database)
    (tmp_path / "folder" / "snapshots").mkdir()
    with opened(database) as engine, ExitStack() as held:
        hold_lock(engine, held)
        done = assay("service", "adopt", "--settings", file)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "assay: a worker is at work on this database\n"
        held.close()
        assert assay("service", "adopt", "--settings", file).returncode == 0


def test_a_restored_folder_says_what_it_lacks(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    database = f"sqlite:///{tmp_path / 'database'}"
    with Service(tmp_path / "service", database) as service:
        for name in ("one", "two"):
            service.draft(exchange, name)
        restored = tmp_path / "restored"
        shutil.copytree(service.settings.snapshots / "two", restored / "snapshots" / "two")
    done = assay("service", "adopt", "--settings", write_settings(restored, database))
    assert done.returncode == 0
    assert done.stdout.endswith("\nnot retired, and without a folder here: one\n")


def test_the_lock_is_its_holders_alone(database: str, tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    with Service(tmp_path / "run", database) as service:
        with service.engine.connect() as connection:
            assert not is_held(connection)
        worker = service.worker()
        wait_for(lambda: lock_is_held(service.engine))
        with ExitStack() as held, pytest.raises(ProverError, match="a worker is at work"):
            hold_lock(service.engine, held)
        assert lock_is_held(service.engine)
        kill(worker)
        wait_for(lambda: not lock_is_held(service.engine))
        with ExitStack() as held:
            check = hold_lock(service.engine, held)
            check()
            assert lock_is_held(service.engine)
        wait_for(lambda: not lock_is_held(service.engine))


def lock_is_held(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return is_held(connection)


def wait_for(look: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_of_two_workers_the_second_takes_over(database: str, tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", database) as service:
        first = service.worker(hold_at="after proving ETH, USDT")
        service.draft(exchange)
        service.operations.start("one")
        service.await_stage("proving ETH, USDT")
        second = service.worker()
        kill(first)
        assert service.rest().state is State.PROVEN
        assert service.operations.find("one").starts == 2
        kill(second)


@pytest.fixture
def proven(database: str, tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """Return a service with a proven snapshot, and its folder; a worker is at work."""
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", database) as service, service.working():
        folder = service.draft(exchange)
        service.operations.start("one")
        assert service.rest().state is State.PROVEN
        yield service, folder


def retired_in_vain(service: Service) -> str:
    """Retire the snapshot, which fails; return why."""
    service.operations.retire("one")
    wait_for(lambda: service.operations.find("one").detail is not None)
    row = service.operations.find("one")
    assert row.state is State.RETIRING
    assert row.detail is not None
    return row.detail


def test_what_is_not_there_is_not_erased(proven: tuple[Service, Path], tmp_path: Path) -> None:
    service, folder = proven
    aside = folder.rename(tmp_path / "aside")
    for _ in range(2):
        assert "is not there, so nothing was erased" in retired_in_vain(service)
        assert (aside / "private").is_dir()
    aside.rename(folder)
    service.operations.retire("one")
    assert service.rest().state is State.RETIRED
    assert not folder.exists()


@pytest.mark.parametrize(
    "point", ["after begin retiring", "after erasing", "before settle retired"]
)
@pytest.mark.parametrize("again", [False, True])
def test_what_a_killed_worker_erased_is_erased(
    database: str, tmp_path: Path, point: str, again: bool
) -> None:
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    with Service(tmp_path / "service", database) as service:
        folder = service.draft(exchange)
        service.operations.retire("one")
        worker = service.worker(die_at=point)
        worker.join(PATIENCE)
        assert worker.exitcode == -signal.SIGKILL
        assert folder.exists() == (point != "before settle retired")
        if again:
            service.operations.retire("one")
        with service.working():
            assert service.rest().state is State.RETIRED
        assert not folder.exists()


def test_what_is_gone_for_good_can_be_retired(proven: tuple[Service, Path]) -> None:
    service, folder = proven
    shutil.rmtree(folder)
    assert "make an empty folder" in retired_in_vain(service)
    folder.mkdir()
    service.operations.retire("one")
    assert service.rest().state is State.RETIRED
    assert not folder.exists()


@pytest.mark.parametrize("which", ["snapshots", "service"])
def test_a_volume_that_is_not_mounted(
    proven: tuple[Service, Path], tmp_path: Path, which: str
) -> None:
    service, folder = proven
    mounted = service.settings.snapshots if which == "snapshots" else service.settings.folder
    aside = mounted.rename(tmp_path / "aside")
    mounted.mkdir()  # the place where it is mounted
    for change in (service.operations.retire, service.operations.publish):
        with pytest.raises(Foreign, match="is the volume mounted"):
            change("one")
    # A job that was put in before.
    shutil.rmtree(mounted)
    aside.rename(mounted)
    service.operations.publish("one")
    assert service.rest().state is State.PUBLISHED
    service.operations.retire("one")
    assert service.rest().state is State.RETIRED
    assert not folder.exists()


def test_a_job_over_a_volume_that_is_not_mounted(database: str, tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    with Service(tmp_path / "service", database) as service:
        service.draft(exchange)
        service.operations.retire("one")
        seen = tmp_path / "seen"
        worker = service.worker(hold_at="before begin retiring", seen=seen)
        wait_for(seen.exists)
        aside = service.settings.snapshots.rename(tmp_path / "aside")
        service.settings.snapshots.mkdir()
        service.release()
        wait_for(lambda: service.operations.find("one").detail is not None)
        row = service.operations.find("one")
        assert row.state is State.RETIRING
        assert "is the volume mounted?" in (row.detail or "")
        assert (aside / "one" / "draft.toml").exists()
        service.settings.snapshots.rmdir()
        aside.rename(service.settings.snapshots)
        service.operations.retire("one")
        assert service.rest().state is State.RETIRED
        kill(worker)


def test_operators_are_told_that_the_volume_is_gone(tmp_path: Path) -> None:
    exchange: Exchange = make_exchange(tmp_path / "exchange", accounts=2)
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(exchange), "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        aside = (folder / "snapshots").rename(folder / "aside")
        for method, path, body in (("POST", "/one/start", None), ("POST", "/one/retire", None)):
            status, problem = operator(method, path, body)
            assert (status, problem["code"]) == (503, "service.unavailable")
            assert "is the volume mounted?" in problem["detail"]
        assert operator.create("two")[0] == 503
        assert not (folder / "snapshots").exists()
        aside.rename(folder / "snapshots")
        assert operator.create("two")[0] == 201
