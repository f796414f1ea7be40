"""Files of evidence on their way from an operator to the prover.

Invariants: a file gets its name from the snapshot's own list of files, never from a request; it
stands under that name whole, durable and parsed, or not at all; while a job may read it, it is not
changed. What was frozen of the evidence before is let go of as soon as a file is changed. A file is
deleted of a draft alone: what a worker has read may be replaced, and not vanish.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from fastapi.concurrency import run_in_threadpool

from api.database.gate import Gate
from api.errors import Unknown
from api.snapshots import states as snapshots
from api.snapshots.folder import ServedFolder
from api.snapshots.preflight import check_upload
from api.snapshots.sources import Slot, read_draft, slots
from api.snapshots.states import State
from prover.files.storage import sync_file
from prover.snapshot.make import discard_evidence

_INCOMING: Final = "incoming-"


async def receive(body: AsyncIterator[bytes], file: Path) -> tuple[int, str]:
    """Write a body to a new private file, durably; return its length and its SHA-256, in hex."""
    size, digest = 0, hashlib.sha256()
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        async for chunk in body:
            size += len(chunk)
            digest.update(chunk)
            await run_in_threadpool(out.write, chunk)
        await run_in_threadpool(out.flush)
        await run_in_threadpool(os.fsync, out.fileno())
    return size, digest.hexdigest()


@contextmanager
def incoming(folder: ServedFolder) -> Iterator[Path]:
    """Give a private folder of an upload's own inside a snapshot's."""
    made = Path(mkdtemp(prefix=_INCOMING, dir=folder.path))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def discard_incoming(folder: ServedFolder) -> None:
    """Remove what uploads left that a crash cut short."""
    for left in folder.path.glob(f"{_INCOMING}*"):
        shutil.rmtree(left, ignore_errors=True)


def find_slot(folder: ServedFolder, name: str) -> Slot:
    """Return the file of a name that a snapshot asks for.

    Raises:
        Unknown: it asks for none of that name.
    """
    slot = slots(read_draft(folder)).get(name)
    if slot is None:
        raise Unknown("the snapshot asks for no file of this name")
    return slot


def accept(database: Gate, snapshot_id: str, folder: ServedFolder, file: Path, slot: Slot) -> bool:
    """Check a received file (`preflight`), and let it stand where the prover reads it; tell whether
    it takes the place of another.

    Raises:
        EvidenceRefused: the prover refuses it.
        Unknown, WrongState: the snapshot takes no files now.
        ProverError: a manifest over its evidence was signed.
    """
    config = read_draft(folder)
    check_upload(file, slot, config)
    with database.begin() as connection:
        snapshots.touch(connection, snapshot_id, snapshots.OPEN)
        discard_evidence(config, folder.path)
        uploads = folder.uploads
        uploads.mkdir(mode=0o700, exist_ok=True)
        replaces = (uploads / slot.name).exists()
        file.rename(uploads / slot.name)
        sync_file(uploads)
    return replaces


def delete(database: Gate, snapshot_id: str, folder: ServedFolder, slot: Slot) -> None:
    """Delete a file of a draft.

    Raises:
        Unknown: it was not uploaded.
        WrongState: the snapshot was started.
    """
    with database.begin() as connection:
        snapshots.touch(connection, snapshot_id, frozenset({State.DRAFT}))
        try:
            (folder.uploads / slot.name).unlink()
        except FileNotFoundError:
            raise Unknown("this file was not uploaded") from None
        sync_file(folder.uploads)
