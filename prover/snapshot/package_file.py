"""The packages of all accounts in one private file: a table of account and package, by account.

While it is made, ``OUT.partial`` or the folder ``OUT.parts`` stands beside it, which says whose
manifest's packages it holds and has whole rows alone, whatever happens; a later run goes on with it
only if the manifest is its own. Once all rows are there, and synced, the file gets its name.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import pyarrow as pa
from pyarrow import parquet

from prover.errors import ProverError
from prover.files.storage import PARTIAL, fresh_file, locked, naming, sync_file


class PackageFile(Protocol):
    """A file that rows are appended to."""

    @property
    def done(self) -> int:
        """How many rows are there, durably."""

    def append(self, accounts: Sequence[str], packages: Sequence[bytes]) -> None:
        """Append rows, durably: all of them, or none."""

    def finish(self) -> None:
        """Let the file have its name; nothing is appended any more."""


@contextmanager
def package_file(out: Path, manifest: bytes, accounts: int) -> Iterator[PackageFile | None]:
    """Give the file of the packages of a manifest's accounts, or None if ``out`` is that already.

    With all rows in it, it is ``out`` on leaving.

    Raises:
        ProverError: the name ends in neither ``.parquet`` nor ``.sqlite``; ``out``, or what an
            interrupted run left, is no file of this manifest; another run writes it; it cannot be
            written.
    """
    if out.suffix not in _KINDS:
        raise ProverError(f"{out}: its name must end in {' or '.join(_KINDS)}")
    kind = _KINDS[out.suffix]
    if out.exists():
        if kind.manifest_of(out) != manifest:
            raise ProverError(f"{out} exists already; nothing is overwritten")
        kind.discard_parts(out)
        yield None
        return
    with naming(out), kind.open(out, manifest) as file:
        yield file
        if file.done == accounts:
            file.finish()


def _held(path: Path) -> AbstractContextManager[None]:
    return locked(path, f"{path}: another run is at work here")


def _check_manifest(found: bytes | None, manifest: bytes, path: Path) -> None:
    if found != manifest:
        raise ProverError(f"{path}: not of this snapshot's packages; delete it to begin anew")


class _Sqlite:
    """A database of two tables, ``packages`` and ``snapshot``; to append is a transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path, out: Path) -> None:
        self._connection = connection
        self._path = path
        self._out = out

    @property
    def done(self) -> int:
        (done,) = self._connection.execute("SELECT max(rowid) FROM packages").fetchone()
        return done or 0

    def append(self, accounts: Sequence[str], packages: Sequence[bytes]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT INTO packages (account, package) VALUES (?, ?)",
                zip(accounts, packages, strict=True),
            )

    def finish(self) -> None:
        self._connection.close()
        self._path.rename(self._out)
        sync_file(self._out.parent)


@contextmanager
def _sqlite(out: Path, manifest: bytes) -> Iterator[_Sqlite]:
    path = out.with_name(out.name + PARTIAL)
    try:
        with _held(path), closing(sqlite3.connect(path)) as connection:
            if path.stat().st_size == 0:
                with connection:
                    connection.execute("BEGIN")
                    connection.execute("CREATE TABLE snapshot (manifest BLOB NOT NULL)")
                    connection.execute(
                        "CREATE TABLE packages (account TEXT PRIMARY KEY, package BLOB NOT NULL)"
                    )
                    connection.execute("INSERT INTO snapshot VALUES (?)", (manifest,))
            _check_manifest(_manifest_in(connection), manifest, path)
            yield _Sqlite(connection, path, out)
    except sqlite3.Error as error:
        raise ProverError(f"{path}: {error}") from None


def _of_sqlite(path: Path) -> bytes | None:
    """Return the manifest whose packages a file holds, None if it is no such file."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return _manifest_in(connection)
    except sqlite3.Error:  # a folder, or not to be opened
        return None


def _manifest_in(connection: sqlite3.Connection) -> bytes | None:
    try:
        (manifest,) = connection.execute("SELECT manifest FROM snapshot").fetchone()
    except (sqlite3.DatabaseError, TypeError):
        return None
    return bytes(manifest)


_MANIFEST = b"assay.manifest"


class _Parquet:
    """A folder of files, one for what is appended at a time, by the number of its first row.

    No such file can be gone on with: so the last step copies them into one.
    """

    def __init__(self, folder: Path, manifest: bytes, out: Path) -> None:
        self._folder = folder
        self._out = out
        self._schema = pa.schema(
            [("account", pa.string()), ("package", pa.binary())],
            metadata={_MANIFEST: manifest.hex()},
        )
        self.done = 0
        while (part := self._part(self.done)).exists():
            _check_manifest(_of_parquet(part), manifest, folder)
            self.done += parquet.read_metadata(part).num_rows

    def _part(self, first: int) -> Path:
        return self._folder / f"{first:010}.parquet"

    def append(self, accounts: Sequence[str], packages: Sequence[bytes]) -> None:
        with fresh_file(self._part(self.done)) as file, self._writer(file) as writer:
            writer.write_table(pa.table([accounts, packages], schema=self._schema))
        self.done += len(accounts)

    def finish(self) -> None:
        with fresh_file(self._out) as file, self._writer(file) as writer:
            for part in sorted(self._folder.glob("*.parquet")):
                writer.write_table(parquet.read_table(part))
        shutil.rmtree(self._folder)

    def _writer(self, file: BinaryIO) -> parquet.ParquetWriter:
        # Neither column repeats itself, and an opening looks random.
        return parquet.ParquetWriter(file, self._schema, compression="none", use_dictionary=False)


def _parts_of(out: Path) -> Path:
    return out.with_name(out.name + ".parts")


def _discard_parts(out: Path) -> None:
    """Discard the parts of a whole file, which a run left that was killed at its very end."""
    parts = _parts_of(out)
    if parts.is_dir():
        with _held(parts):
            shutil.rmtree(parts)


@contextmanager
def _parquet(out: Path, manifest: bytes) -> Iterator[_Parquet]:
    folder = _parts_of(out)
    folder.mkdir(mode=0o700, exist_ok=True)
    with _held(folder):
        yield _Parquet(folder, manifest, out)


def _of_parquet(path: Path) -> bytes | None:
    """Return the manifest whose packages a file holds, None if it is no such file."""
    try:
        found = parquet.read_metadata(path).metadata or {}
        return bytes.fromhex(found.get(_MANIFEST, b"").decode())
    except (pa.ArrowInvalid, ValueError):
        return None


class _Kind(NamedTuple):
    """A kind of file: how it is begun, or gone on with; whose packages a whole one holds; and how
    what it was made of is discarded."""

    open: Callable[[Path, bytes], AbstractContextManager[PackageFile]]
    manifest_of: Callable[[Path], bytes | None]
    discard_parts: Callable[[Path], None]


_KINDS = {
    ".parquet": _Kind(_parquet, _of_parquet, _discard_parts),
    ".sqlite": _Kind(_sqlite, _of_sqlite, lambda _: None),  # it is made of itself
}
