"""Packages of published snapshots, made on demand from mapped files, once, and kept.

Whoever asks a thousand times for one package has the same bytes again: the opening secret is used
once for each leaf, where somebody may hold a watch. What is kept is served only if it is signed for
the very account and manifest; else it is made again.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.database.gate import Gate
from api.errors import Retired, Unknown, Unreadable
from api.snapshots import states
from prover.errors import ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.files.storage import whole_file
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.packages import NoSuchAccount, Packager
from prover.snapshot.record import read_frozen

CACHED_SNAPSHOTS: Final = 8

_log = logging.getLogger(__name__)


class Packages:
    """Makes packages of published snapshots; keeps the few that were asked for last mapped.

    folder: of all states. signing_keys: paths; a snapshot made with none of them is signed for
    with the key that its own record names.

    Raises:
        ProverError: a signing key cannot be read.
    """

    def __init__(self, database: Gate, folder: Path, signing_keys: Sequence[Path]) -> None:
        self._database = database
        self._folder = folder
        self._keys = {public_bytes(read_signing_key(path)): path for path in signing_keys}
        self._mapped: OrderedDict[str, Packager] = OrderedDict()
        self._lock = threading.RLock()

    def package(self, snapshot: str, account: str) -> bytes:
        """Return the package of an account, whose id may be in any form.

        Raises:
            Unknown: there is no such published snapshot, or no such account in it.
            Retired: the snapshot is retired.
            Unreadable: its private files cannot be read, or are damaged.
        """
        try:
            packager = self._packager(snapshot)
            index = packager.index_of(account)
            folder, name = SnapshotFolder(self._folder / snapshot).packages, packager.name(index)
            kept = _read(folder / name)
            if packager.has_made(kept, index):
                return kept
            made = packager.package(index)
            _keep(folder, name, made)
            return made
        except NoSuchAccount:
            raise Unknown from None
        except (ProverError, OSError) as error:
            _log.error("no packages of %s: %s", snapshot, error)
            raise Unreadable from None

    def drop(self, snapshot: str) -> None:
        """Let go of a snapshot's files."""
        with self._lock:
            self._mapped.pop(snapshot, None)

    def _packager(self, snapshot: str) -> Packager:
        self._check_open(snapshot)
        with self._lock:
            if snapshot not in self._mapped:
                # It may have been retired, and dropped, since: then nothing is mapped any more.
                self._check_open(snapshot)
                self._mapped[snapshot] = self._open(self._folder / snapshot)
            self._mapped.move_to_end(snapshot)
            if len(self._mapped) > CACHED_SNAPSHOTS:
                self._mapped.popitem(last=False)
            return self._mapped[snapshot]

    def _check_open(self, snapshot: str) -> None:
        with self._database.connect() as connection:
            state = states.state_of(connection, snapshot)
        if state not in states.OPENED:
            self.drop(snapshot)
            if state in states.GONE:
                raise Retired
            raise Unknown

    def _open(self, folder: Path) -> Packager:
        made_with = read_frozen(SnapshotFolder(folder).record).public_key
        return Packager(folder, self._keys.get(made_with))


def _read(path: Path) -> bytes:
    """Return what is kept, or nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _keep(folder: Path, name: Path, package: bytes) -> None:
    """Keep a package; one that a crash tears is not served, so that none waits for the disk.

    Raises:
        OSError: it cannot be written; or ``folder`` has no parent any more, for all was erased.
    """
    for parent in (folder, *(folder / parent for parent in reversed(name.parents))):
        parent.mkdir(mode=0o700, exist_ok=True)
    with whole_file(folder / name, durable=False) as file:
        file.write(package)
