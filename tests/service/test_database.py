"""The service's tables on SQLite and PostgreSQL: migrations, and changes of state that meet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from api.database.engine import migrate, open_database
from api.database.tables import metadata
from api.errors import Busy, Taken, Unknown, WrongState
from api.settings import Settings
from api.snapshots import states as snapshots
from api.snapshots.states import Overtaken, State
from prover.errors import ProverError

DRAFT, QUEUED, PROVING = (frozenset({state}) for state in list(State)[:3])
START = [(DRAFT, State.QUEUED)]


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    engine = open_database(database)
    migrate(engine)
    yield engine
    engine.dispose()


def add(engine: sa.Engine, *ids: str) -> None:
    with engine.begin() as connection:
        for snapshot_id in ids:
            snapshots.create(connection, snapshot_id, "main", 1_700_000_000)


def state(engine: sa.Engine, snapshot_id: str) -> State:
    with engine.begin() as connection:
        return snapshots.find(connection, snapshot_id).state


def all_at_once(changes: list[Callable[[], object]]) -> list[object]:
    """Make all changes at one moment; return what each returned or raised."""
    barrier = threading.Barrier(len(changes))

    def run(change: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return change()
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(len(changes)) as pool:
        return list(pool.map(run, changes))


def test_migrations_end_in_the_tables(database: str) -> None:
    engine = open_database(database)
    for _ in range(2):
        migrate(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables
                },
            )
            assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_processes_that_start_at_once_migrate_in_turn(database: str) -> None:
    engines = [open_database(database) for _ in range(8)]
    found = all_at_once([partial(migrate, engine) for engine in engines])
    assert found == [None] * 8
    add(engines[0], "one")
    for engine in engines:
        engine.dispose()


def test_a_later_version_is_left_alone(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProverError, match="later version"):
        migrate(engine)


def test_other_databases_and_malformed_urls_are_refused(tmp_path: Path) -> None:
    for url in ("mysql://localhost/x", "no url", ""):
        with pytest.raises(ProverError):
            open_database(url)
    unreachable = open_database(f"postgresql://nobody@/nothing?host={tmp_path}")
    with pytest.raises(ProverError, match="cannot be used"):
        migrate(unreachable)
    assert Settings(folder=tmp_path).database_url == f"sqlite:///{tmp_path}/service.sqlite"


def test_a_file_of_sqlite_is_private(tmp_path: Path) -> None:
    engine = open_database(Settings(folder=tmp_path).database_url)
    migrate(engine)
    add(engine, "one")
    made = list(tmp_path.iterdir())
    assert made
    for path in made:
        assert path.stat().st_mode & 0o077 == 0, path
    engine.dispose()


def test_an_id_is_used_once(engine: sa.Engine) -> None:
    add(engine, "one")
    with pytest.raises(Taken):
        add(engine, "one")
    with engine.begin() as connection, pytest.raises(Unknown):
        snapshots.find(connection, "two")


def test_of_two_that_meet_one_is_made(engine: sa.Engine) -> None:
    add(engine, "one")

    def start() -> State:
        with engine.begin() as connection:
            return snapshots.move(connection, "one", START, job="job")

    found = all_at_once([start] * 6)
    assert sorted(map(str, found)) == sorted(map(str, [State.QUEUED] + [WrongState] * 5))


def test_one_snapshot_is_under_way_at_a_time(engine: sa.Engine) -> None:
    ids = ["one", "two", "three", "four"]
    add(engine, *ids)

    def start(snapshot_id: str) -> State:
        with engine.begin() as connection:
            return snapshots.move(connection, snapshot_id, START, job=snapshot_id)

    found = all_at_once([partial(start, one) for one in ids])
    assert sorted(map(str, found)) == sorted(map(str, [State.QUEUED] + [Busy] * 3))
    begun = next(one for one in ids if state(engine, one) is State.QUEUED)
    other = next(one for one in ids if one != begun)
    with engine.begin() as connection:
        snapshots.settle(connection, begun, begun, QUEUED, State.CANCELLED)
    assert start(other) is State.QUEUED


def test_a_job_that_was_overtaken_changes_nothing(engine: sa.Engine) -> None:
    add(engine, "one")
    with engine.begin() as connection:
        snapshots.move(connection, "one", START, job="first")
        snapshots.settle(connection, "one", "first", QUEUED, State.PROVING)
        assert snapshots.report(connection, "one", "first", {"done": 3}) is State.PROVING
        for job, origin in (("second", PROVING), ("first", QUEUED)):
            with pytest.raises(Overtaken):
                snapshots.settle(connection, "one", job, origin, State.PROVEN)
        with pytest.raises(Overtaken):
            snapshots.report(connection, "one", "second", {"done": 9})
        row = snapshots.find(connection, "one")
    assert (row.state, row.done, row.job) == (State.PROVING, 3, "first")


def test_revisions_grow_and_pages_are_whole(engine: sa.Engine) -> None:
    ids = [f"day-{number}" for number in range(7)]
    add(engine, *ids)
    with engine.begin() as connection:
        before = snapshots.find(connection, ids[0]).revision
        snapshots.move(connection, ids[0], START, job="job")
        assert snapshots.find(connection, ids[0]).revision > before
        seen: list[str] = []
        least = None
        while page := snapshots.page(connection, 3, least):
            assert len(page) <= 3
            seen += [row.snapshot_id for row in page]
            least = page[-1].number
    assert seen == ids[::-1]
