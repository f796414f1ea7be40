"""One database serves one folder of snapshots, and that folder no other database.

Jobs are in the database, and what they work on is in the folder. A worker over another folder, over
a copy, or where a volume is not mounted would find nothing, and report as erased what stays
elsewhere. So an id stands in both, and in the database the folder's path, too: a copy has the id,
and another path. Where they differ nobody begins anything until an operator says which one counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from api.database.tables import instance, snapshots
from api.errors import Foreign
from api.snapshots.states import State
from prover.errors import ProverError
from prover.files.storage import fresh_file

# No snapshot's folder has a dot in its name.
ID_FILE: Final = "instance.id"


def settle(engine: sa.Engine, folder: Path) -> None:
    """Let a database that serves no folder yet serve this one; of any other, check that it does.

    Raises:
        Foreign: it serves another one, or the folder belongs to another database.
        OSError: the folder cannot be written.
    """
    with engine.begin() as connection:
        free = sa.update(instance).where(instance.c.folder.is_(None))
        if connection.execute(free.values(folder=_path(folder))).rowcount:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (folder / ID_FILE).exists():
                _write(folder, connection.execute(sa.select(instance.c.id)).scalar_one())
        check(connection, folder)


def check(connection: sa.Connection, folder: Path) -> None:
    """Check that the database serves this folder, and that it is there.

    Raises:
        Foreign: it does not, or is not.
    """
    identity, served = connection.execute(sa.select(instance.c.id, instance.c.folder)).one()
    if served != _path(folder):
        raise Foreign(f"the database serves the folder {served}, not {_path(folder)}; {_REMEDY}")
    check_there(folder)
    if (folder / ID_FILE).read_bytes() != identity.encode():
        raise Foreign(f"{folder} belongs to another database; {_REMEDY}")


def check_there(folder: Path) -> None:
    """Check that the folder is there, and no empty place in its stead.

    Raises:
        Foreign: it is not.
    """
    if not (folder / ID_FILE).is_file():
        raise Foreign(f"{folder / ID_FILE} is not there: is the volume mounted? Else, {_REMEDY}")


_REMEDY: Final = (
    "if this folder was moved or restored, or is to take the place of another one, end whatever "
    "serves the other one and run `assay service adopt` with these settings"
)


def adopt(engine: sa.Engine, folder: Path) -> tuple[str | None, list[str]]:
    """Let the database serve this folder from now on; the one before is refused then.

    Nobody may be at work. Return the path of the folder before, and the ids of the snapshots that
    are not retired and have no folder here.

    Raises:
        ProverError: the folder is not there.
    """
    if not folder.is_dir():
        raise ProverError(f"{folder}: no such folder")
    identity = uuid4().hex
    with engine.begin() as connection:
        before = connection.execute(sa.select(instance.c.folder)).scalar_one()
        connection.execute(sa.update(instance).values(id=identity, folder=_path(folder)))
        _write(folder, identity)
        kept = connection.scalars(
            sa.select(snapshots.c.snapshot_id)
            .where(snapshots.c.state != State.RETIRED)
            .order_by(snapshots.c.number)
        )
        return before, [name for name in kept if not (folder / name).is_dir()]


def _path(folder: Path) -> str:
    return str(folder.resolve())


def _write(folder: Path, identity: str) -> None:
    with fresh_file(folder / ID_FILE) as file:
        file.write(identity.encode())
