"""Snapshots as the database knows them: their states, what leads from one to another, queries.

Every change is one UPDATE that names the states it may start from, so of two that meet one is made
and the other refused. Beside an operator only a snapshot's own job changes it, and the name of the
job is part of the UPDATE, so a job that was overtaken changes nothing.

    draft -> queued -> proving -> proven -> publishing -> published -> retiring -> retired
                |         |                     |
                |         +-> failed, short     +-> unpublished -> publishing
                +------- (cancelling) -> cancelled

One snapshot at most is under way: begun, and neither published nor given up. So the manifest that a
snapshot names as its predecessor is the last published one when it is published itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from api.database.tables import snapshots
from api.errors import Busy, Taken, Unknown, WrongState
from verifier.format.params import SNAPSHOT_ID

# An id as a path or a field of a request has it.
ID_PATTERN: Final = f"^{SNAPSHOT_ID.pattern}$"


class State(StrEnum):
    """Where a snapshot stands."""

    DRAFT = "draft"
    QUEUED = "queued"
    PROVING = "proving"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SHORT = "short"
    PROVEN = "proven"
    PUBLISHING = "publishing"
    UNPUBLISHED = "unpublished"
    PUBLISHED = "published"
    RETIRING = "retiring"
    RETIRED = "retired"


States = frozenset[State]

# Begun, and neither published nor given up: one at a time.
UNDER_WAY: Final[States] = frozenset(
    {
        State.QUEUED,
        State.PROVING,
        State.CANCELLING,
        State.PROVEN,
        State.PUBLISHING,
        State.UNPUBLISHED,
    }
)

# A worker is at it, or will be.
MOVING: Final[States] = frozenset(
    {State.QUEUED, State.PROVING, State.CANCELLING, State.PUBLISHING, State.RETIRING}
)

# Stopped before anything was signed: evidence may be changed.
STOPPED: Final[States] = frozenset({State.CANCELLED, State.FAILED, State.SHORT})
OPEN: Final[States] = STOPPED | {State.DRAFT}

# Customers get their packages.
OPENED: Final[States] = frozenset({State.PUBLISHED})
GONE: Final[States] = frozenset({State.RETIRING, State.RETIRED})

PUBLISHABLE: Final[States] = frozenset({State.PROVEN, State.UNPUBLISHED})
# One that could not be erased whole is retired again.
RETIRABLE: Final[States] = OPEN | PUBLISHABLE | {State.PUBLISHED, State.RETIRING}


class Overtaken(Exception):
    """The snapshot is no longer this job's."""


@dataclass(frozen=True, slots=True)
class Row:
    """One snapshot; see `api.database.tables.snapshots`."""

    number: int
    snapshot_id: str
    source: str
    time: int
    state: State
    job: str | None
    starts: int
    stage: str | None
    done: int | None
    total: int | None
    began: float | None
    manifest: bytes | None
    detail: str | None
    created: int
    updated: float
    revision: int


_STATE_OF: Final = sa.select(snapshots.c.state).where(
    snapshots.c.snapshot_id == sa.bindparam("wanted")
)
_COLUMNS: Final = [snapshots.c[name] for name in Row.__slots__]


def create(connection: sa.Connection, snapshot_id: str, source: str, at: int) -> None:
    """Add a draft; ``at`` is the snapshot's time.

    Raises:
        Taken: there is a snapshot of this id, or was one.
    """
    now = time.time()
    row = {
        "snapshot_id": snapshot_id,
        "source": source,
        "time": at,
        "state": State.DRAFT,
        "starts": 0,
        "created": int(now),
        "updated": now,
        "revision": 1,
    }
    try:
        connection.execute(sa.insert(snapshots).values(row))
    except sa.exc.IntegrityError:
        raise Taken from None


def find(connection: sa.Connection, snapshot_id: str) -> Row:
    """Return a snapshot.

    Raises:
        Unknown: there is none of this id.
    """
    query = sa.select(*_COLUMNS).where(snapshots.c.snapshot_id == snapshot_id)
    found = connection.execute(query).one_or_none()
    if found is None:
        raise Unknown
    return _row(found)


def state_of(connection: sa.Connection, snapshot_id: str) -> State:
    """Return the state of a snapshot, with little work: every package asks for it.

    Raises:
        Unknown: there is none of this id.
    """
    found = connection.scalar(_STATE_OF, {"wanted": snapshot_id})
    if found is None:
        raise Unknown
    return State(found)


def retired(connection: sa.Connection, snapshot_ids: Collection[str]) -> set[str]:
    """Return those of some snapshots of which nothing is kept any more, or soon nothing is."""
    query = sa.select(snapshots.c.snapshot_id).where(
        snapshots.c.snapshot_id.in_(snapshot_ids), snapshots.c.state.in_(GONE)
    )
    return set(connection.scalars(query))


def check_alone(connection: sa.Connection, snapshot_id: str) -> None:
    """Check that no other snapshot is under way.

    Raises:
        Busy: one is.
    """
    others = sa.select(snapshots.c.number).where(
        snapshots.c.under_way == 1, snapshots.c.snapshot_id != snapshot_id
    )
    if connection.scalar(others) is not None:
        raise Busy


def page(connection: sa.Connection, limit: int, before: int | None = None) -> list[Row]:
    """Return the latest snapshots, of numbers below ``before``."""
    query = sa.select(*_COLUMNS).order_by(snapshots.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(snapshots.c.number < before)
    return [_row(found) for found in connection.execute(query)]


def move(
    connection: sa.Connection,
    snapshot_id: str,
    routes: Sequence[tuple[States, State]],
    **values: Any,
) -> State:
    """Go the first of ``routes``, each from states to a state, that is open; return where it led.

    Raises:
        Unknown, WrongState: no route is open.
        Busy: another snapshot is under way.
    """
    for origin, target in routes:
        if _update(connection, snapshot_id, origin, target, values):
            return target
    raise WrongState(find(connection, snapshot_id).state)


def touch(connection: sa.Connection, snapshot_id: str, states: States) -> None:
    """Hold the snapshot in one of ``states`` until the transaction ends.

    Raises:
        Unknown, WrongState: it is in none of them.
    """
    updated = connection.execute(
        sa.update(snapshots)
        .where(snapshots.c.snapshot_id == snapshot_id, snapshots.c.state.in_(states))
        .values(revision=snapshots.c.revision + 1, updated=time.time())
    )
    if updated.rowcount != 1:
        raise WrongState(find(connection, snapshot_id).state)


def settle(
    connection: sa.Connection,
    snapshot_id: str,
    job: str,
    origin: States,
    target: State,
    **values: Any,
) -> None:
    """Let a job move its snapshot.

    Raises:
        Overtaken: the snapshot is another job's, or in no state of ``origin``.
    """
    if not _update(connection, snapshot_id, origin, target, values, snapshots.c.job == job):
        raise Overtaken


def take_up(
    connection: sa.Connection, snapshot_id: str, job: str, origin: States, during: State
) -> None:
    """Let a run of a job begin, and count it.

    Raises:
        Overtaken: the snapshot is another job's, or in no state of ``origin``.
    """
    starts = snapshots.c.starts + 1
    settle(connection, snapshot_id, job, origin, during, starts=starts, detail=None)


def report(
    connection: sa.Connection, snapshot_id: str, job: str, progress: dict[str, Any]
) -> State:
    """Write how far a job is; return the state of its snapshot.

    Raises:
        Overtaken: the snapshot is another job's.
    """
    state = connection.scalar(
        sa.update(snapshots)
        .where(snapshots.c.snapshot_id == snapshot_id, snapshots.c.job == job)
        .values(**progress, revision=snapshots.c.revision + 1, updated=time.time())
        .returning(snapshots.c.state)
    )
    if state is None:
        raise Overtaken
    return State(state)


def _update(
    connection: sa.Connection,
    snapshot_id: str,
    origin: States,
    target: State,
    values: dict[str, Any],
    *conditions: sa.ColumnElement[bool],
) -> bool:
    """Tell whether the change was made; a state alone is left as it was."""
    update = (
        sa.update(snapshots)
        .where(snapshots.c.snapshot_id == snapshot_id, snapshots.c.state.in_(origin), *conditions)
        .values(
            **values,
            state=target,
            under_way=1 if target in UNDER_WAY else None,
            revision=snapshots.c.revision + 1,
            updated=time.time(),
        )
    )
    try:
        return connection.execute(update).rowcount == 1
    except sa.exc.IntegrityError:
        raise Busy from None


def _row(found: sa.Row[Any]) -> Row:
    values = found._asdict()
    return Row(**{**values, "state": State(values["state"])})
