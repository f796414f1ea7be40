"""Inclusion packages: what one customer needs to find and open their own leaves.

They are made by index from the openings, which are mapped, not read: one package costs the same for
ten accounts and for ten million. A package holds its account's key, so it is for that customer
alone; the names of many in one folder are made by a keyed hash and tell nothing. The index beside
them, which says whose each is, is as private as they are.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from prover.errors import ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.files.storage import PARTIAL, locked, naming, sync_file
from prover.ledger import find_account, load_ledger
from prover.liabilities.derivation import derive
from prover.liabilities.leaves import Openings, load_openings, map_column
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.record import read_frozen
from verifier.format import wire
from verifier.format.account import AccountError, canonical_account_id
from verifier.format.keys import sign
from verifier.format.params import ID_BYTES, MANIFEST_PATH, PACKAGE_VERSION
from verifier.format.statement import manifest_digest

BATCH = 256  # accounts a process takes at a time
INDEX = "index.csv"
INDEX_COLUMNS = ("account", "file")


class NoSuchAccount(ProverError):
    """A snapshot holds no account of an id."""


class Packager:
    """Makes packages of one finished snapshot.

    Raises:
        ProverError: the snapshot is not finished, or the signing key is another than its own.
    """

    def __init__(self, snapshot: Path, signing_key: Path | None = None) -> None:
        folder = SnapshotFolder(snapshot)
        manifest = folder.bundle / MANIFEST_PATH
        if not manifest.is_file():
            raise ProverError(f"{snapshot}: no finished snapshot")
        frozen = read_frozen(folder.record)
        self._signing = read_signing_key(signing_key or Path(frozen.signing_key))
        if public_bytes(self._signing) != frozen.public_key:
            raise ProverError("the signing key is another than the snapshot's")
        self._manifest = manifest_digest(manifest.read_bytes())
        self._ledger = load_ledger(folder.ledger)
        self._keys = map_column(folder.account_keys, np.uint8).reshape(-1, ID_BYTES)
        self._openings = list(
            zip(self._ledger.balances.items(), load_openings(folder.openings), strict=True)
        )

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self._ledger)

    def index_of(self, account: str) -> int:
        """Return the index of the account with an id in any form that canonicalises to its own.

        Raises:
            NoSuchAccount: there is none.
        """
        try:
            index = find_account(self._ledger, canonical_account_id(account, self._ledger.id_type))
        except AccountError as error:
            raise NoSuchAccount(f"not an account id: {error}") from None
        if index is None:
            raise NoSuchAccount("no such account in the snapshot")
        return index

    def package(self, index: int) -> bytes:
        """Return the signed package of the account at an index."""
        body = wire.write_record(
            wire.PackageBody(
                account_id=self.account(index),
                account_key=self._key(index),
                assets=tuple(
                    wire.PackageAsset(code, _parts(openings, balances.place(index)))
                    for (code, balances), openings in self._openings
                ),
                manifest=self._manifest,
                version=PACKAGE_VERSION,
            )
        )
        return wire.write_record(wire.Package(body, sign(self._signing, "package-signature", body)))

    def name(self, index: int) -> Path:
        """Return the path of an account's package among all, in one of 256 x 16 folders."""
        name = derive(self._key(index), "shard").hex()
        return Path(name[:2], name[2], f"{name}.package")

    def account(self, index: int) -> str:
        """Return the canonical id of an account."""
        return self._ledger.account_id(index).decode()

    def _key(self, index: int) -> bytes:
        return bytes(self._keys[index])


def write_packages(
    snapshot: Path,
    out: Path,
    signing_key: Path | None,
    jobs: int,
    report: Callable[[int], None],
) -> int:
    """Write the packages of all accounts under ``out``, by ``jobs`` processes; return how many.

    ``out/index.csv`` has a row for each account: its canonical id, and its file below ``out``.
    ``report`` is called with the number of packages written since its last call.

    Raises:
        ProverError: see `Packager`; or ``out`` exists, or another run writes it.
    """
    count = len(Packager(snapshot, signing_key))
    unfinished = out.with_name(out.name + PARTIAL)
    if out.exists():
        raise ProverError(f"{out} exists already; nothing is overwritten")
    with naming(out), ExitStack() as held:
        unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
        held.enter_context(locked(unfinished, f"{unfinished}: another run is at work here"))
        _empty(unfinished)  # what an interrupted run left
        batches = [(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
        with (
            _create_index(unfinished / INDEX) as index,
            get_context("spawn").Pool(jobs, _start, (snapshot, signing_key)) as pool,
        ):
            for rows in pool.imap(partial(_write_batch, unfinished), batches):
                index.writerows(rows)
                report(len(rows))
        # One flush of the whole system, where one for each of millions of files would take hours.
        os.sync()
        unfinished.rename(out)
        sync_file(out.parent)
    return count


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _create_index(path: Path) -> Iterator[Any]:
    """Give a CSV writer for a new file of mode 0600, behind its header."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(INDEX_COLUMNS)
        yield writer


_packager: Packager  # of a worker process


def _start(snapshot: Path, signing_key: Path | None) -> None:
    global _packager
    os.umask(0o077)
    _packager = Packager(snapshot, signing_key)


def _write_batch(folder: Path, batch: tuple[int, int]) -> list[tuple[str, str]]:
    """Write some packages; return the rows of the index."""
    rows = []
    for index in range(*batch):
        name = _packager.name(index)
        rows.append((_packager.account(index), str(name)))
        path = folder / name
        try:
            _create(path, _packager.package(index))
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path, _packager.package(index))
    return rows


def _create(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)


def _parts(openings: Openings, holder: int | None) -> tuple[wire.Part, ...]:
    if holder is None:
        return ()
    start, stop = map(int, openings.first[holder : holder + 2])
    amounts, leaves = openings.amounts[start:stop], openings.positions[start:stop]
    return tuple(
        wire.Part(amount, leaf, part)
        for part, (amount, leaf) in enumerate(zip(amounts.tolist(), leaves.tolist(), strict=True))
    )
