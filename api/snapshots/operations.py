"""What operators do with snapshots, apart from HTTP: each is one transaction, or nothing.

A state is changed first, then the files that follow from it are written, then the job is put into
the queue, and all is committed: so two that meet do not both write, and what a crash leaves of
files is written again by whoever comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.database.gate import Gate
from api.errors import Busy, Superseded, Taken, WrongState
from api.snapshots import instance
from api.snapshots import states as snapshots
from api.snapshots.folder import ServedFolder
from api.snapshots.jobs import JobKind, Queue, new_job
from api.snapshots.preflight import check_complete, check_draft, check_start
from api.snapshots.sources import (
    NewSnapshot,
    compose,
    settle_previous,
)
from api.snapshots.states import Row, State, States
from api.snapshots.uploads import discard_incoming
from prover.config.snapshot_toml import SnapshotConfig
from prover.errors import ProverError
from prover.files.keys import SigningLog
from prover.files.storage import fresh_file
from prover.snapshot.bundle import signing_keys
from verifier.bundle.history import HISTORY_PATH, BadHistory, Entry, read_history, snapshot_path
from verifier.format.params import ID_BYTES, MANIFEST_PATH
from verifier.format.statement import manifest_digest

_CANCEL: Final = (
    (frozenset({State.QUEUED}), State.CANCELLED),
    (frozenset({State.PROVING, State.PUBLISHING}), State.CANCELLING),
)


class Operations:
    """Changes of the snapshots in one folder."""

    def __init__(self, database: Gate, queue: Queue, folder: Path, published: Path) -> None:
        self._database = database
        self._queue = queue
        self._folder = folder
        self._published = published

    def folder(self, snapshot_id: str) -> ServedFolder:
        """Return a snapshot's folder, where all such folders are.

        Raises:
            Foreign: they are not there: a volume is not mounted.
        """
        instance.check_there(self._folder)
        return ServedFolder(self._folder / snapshot_id)

    def find(self, snapshot_id: str) -> Row:
        """Return a snapshot.

        Raises:
            Unknown: there is none of this id.
        """
        with self._database.connect() as connection:
            return snapshots.find(connection, snapshot_id)

    def page(self, limit: int, before: int | None) -> list[Row]:
        """Return the latest snapshots before a number."""
        with self._database.connect() as connection:
            return snapshots.page(connection, limit, before)

    def create(self, source: str, config: Path, request: NewSnapshot) -> Row:
        """Add a draft from the source of a name and a file.

        Raises:
            ProverError: the source or the request is refused.
            Taken: there is a snapshot of this id, or was one.
        """
        folder = self.folder(request.snapshot_id)
        draft = compose(config, request, folder)
        with self._database.begin() as connection:
            instance.check(connection, self._folder)
            snapshots.create(connection, request.snapshot_id, source, request.time)
            self._check_unpublished(request.snapshot_id)
            check_draft(draft.config)
            folder.path.mkdir(mode=0o700, exist_ok=True)
            draft.write(folder)
            return snapshots.find(connection, request.snapshot_id)

    def start(self, snapshot_id: str) -> Row:
        """Begin to prove a draft.

        Raises:
            ServiceError, ProverError: it cannot begin.
        """
        return self._prove(snapshot_id, frozenset({State.DRAFT}))

    def resume(self, snapshot_id: str) -> Row:
        """Go on with a snapshot that stopped.

        Raises:
            ServiceError, ProverError: it cannot go on.
        """
        return self._prove(snapshot_id, snapshots.STOPPED)

    def cancel(self, snapshot_id: str) -> Row:
        """Stop what a job does to a snapshot; what it has done so far stays, to be resumed.

        Raises:
            Unknown, WrongState: nothing is being done to it.
        """
        with self._database.begin() as connection:
            target = snapshots.move(connection, snapshot_id, _CANCEL)
            row = snapshots.find(connection, snapshot_id)
            if target is State.CANCELLED and row.job is not None:  # no worker had begun it
                self._queue.put_end(connection, row.job, snapshot_id, target)
            return row

    def publish(self, snapshot_id: str) -> Row:
        """Put a proven bundle where everybody reads it.

        Raises:
            Unknown, WrongState: it is not proven.
        """
        return self._enqueue(snapshot_id, JobKind.PUBLISH, snapshots.PUBLISHABLE, State.PUBLISHING)

    def retire(self, snapshot_id: str) -> Row:
        """Erase all that is kept of a snapshot, but for what is published.

        Raises:
            Unknown, WrongState: something is being done to it.
        """
        return self._enqueue(snapshot_id, JobKind.RETIRE, snapshots.RETIRABLE, State.RETIRING)

    def _enqueue(self, snapshot_id: str, kind: JobKind, origin: States, target: State) -> Row:
        job = new_job()
        with self._database.begin() as connection:
            instance.check(connection, self._folder)
            snapshots.move(connection, snapshot_id, [(origin, target)], job=job, detail=None)
            self._queue.put(connection, kind, job, snapshot_id)
            return snapshots.find(connection, snapshot_id)

    def _prove(self, snapshot_id: str, origin: States) -> Row:
        job = new_job()
        folder = self.folder(snapshot_id)
        with self._database.connect() as connection:
            if (state := snapshots.find(connection, snapshot_id).state) not in origin:
                raise WrongState(state)
            snapshots.check_alone(connection, snapshot_id)
        text = self._check_start(folder, last := self._last_published())
        with self._database.begin() as connection:
            instance.check(connection, self._folder)
            snapshots.move(connection, snapshot_id, [(origin, State.QUEUED)], job=job, detail=None)
            if self._last_published() != last:  # another was published meanwhile
                raise Busy
            with fresh_file(folder.config) as out:
                out.write(text)
            folder.shortfall.unlink(missing_ok=True)
            discard_incoming(folder)
            self._queue.put(connection, JobKind.PROVE, job, snapshot_id)
            return snapshots.find(connection, snapshot_id)

    def _check_start(self, folder: ServedFolder, last: Path | None) -> bytes:
        """Check that nothing is missing, and what else is known before a job begins; return what
        the prover is to read. What a frozen ledger was read by is not changed.
        """
        check_complete(folder)
        text, config = settle_previous(folder, last)
        self._check_unpublished(folder.path.name)
        if abandoned := self._abandoned(config, last):
            text, config = settle_previous(folder, last, abandoned)
        if folder.is_ledger_frozen and folder.config.read_bytes() != text:
            raise Superseded("its ledger is frozen; retire it and begin anew")
        check_start(config, folder)
        return text

    def _check_unpublished(self, snapshot_id: str) -> None:
        """Check that no snapshot of an id was published, which this database may not know of.

        Raises:
            Taken: one was.
        """
        if any(entry.snapshot_id == snapshot_id for entry in self._history()):
            raise Taken

    def _abandoned(self, config: SnapshotConfig, last: Path | None) -> set[str]:
        """Return the snapshots that were signed to follow the last published manifest, and of which
        nothing is left: retired, and not in the published folder, not even in part.
        """
        previous = manifest_digest(last.read_bytes()) if last else bytes(ID_BYTES)
        signed: set[str] = set()
        for key in signing_keys(config):
            signed |= SigningLog(key).followers(previous)
        with self._database.connect() as connection:
            erased = snapshots.retired(connection, signed)
        return {name for name in erased if not (self._published / snapshot_path(name)).exists()}

    def _last_published(self) -> Path | None:
        """Return the manifest that the next snapshot follows."""
        history = self._history()
        return self._published.absolute() / history[-1].path / MANIFEST_PATH if history else None

    def _history(self) -> Sequence[Entry]:
        """Return what is published, the oldest first."""
        file = self._published / HISTORY_PATH
        try:
            return read_history(file.read_bytes()).snapshots
        except FileNotFoundError:
            return ()
        except BadHistory as error:
            raise ProverError(f"{file}: {error}") from None
