"""The packages of all accounts in one private file: a table of account and package, by account.

Until all are there, their parts stand beside it, in a private file that is named after the manifest
and begins with it: what does not is somebody's, and is left as it is. A part is what was appended
at a time, behind a digest that binds it to the manifest and to its place. What a later run goes on
with ends at the first part that is torn, damaged, or another's; the rest is made anew. Parts are
copied into the file, and checked once more, before it gets its name: whole, durably, and only if
nothing else has it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

import pyarrow as pa
from pyarrow import parquet

from prover.errors import Damaged, ProverError
from prover.files.storage import PARTIAL, lock, naming, open_private, sync_file

_ROWS = pa.schema([("account", pa.string()), ("package", pa.binary())])
_BEGIN = b"assay.packages/1"  # of the file of parts; the manifest follows, and a token
_TOKEN_BYTES = 8
_HEAD = Struct("<32sQ")  # of a part: its digest, and the number of bytes that follow


class PackageFile:
    """A file that rows are appended to.

    done: how many rows are there, durably; token: what nobody knew before this file was made.

    Raises:
        ProverError: it does not begin as one of the manifest; it is left as it is.
    """

    def __init__(self, parts: BinaryIO, manifest: bytes) -> None:
        self._parts = parts
        self._manifest = manifest
        self._begin = _BEGIN + manifest
        if not self._begin.startswith(parts.read(len(self._begin))):
            raise ProverError(
                f"{parts.name}: does not begin as a file of packages of this snapshot that are "
                "being made; move it away, or choose another name"
            )
        self.token = parts.read(_TOKEN_BYTES)
        if len(self.token) < _TOKEN_BYTES:  # it is new, or torn in here
            self.token = secrets.token_bytes(_TOKEN_BYTES)
            parts.seek(0)
            parts.write(self._begin + self.token)
            parts.flush()
            os.fsync(parts.fileno())
        self.done, end = 0, len(self._begin + self.token)
        for rows in self._whole():
            self.done += rows.num_rows
            end = parts.tell()
        parts.truncate(end)
        parts.seek(end)

    def append(self, accounts: Sequence[str], packages: Sequence[bytes]) -> None:
        """Append rows, durably: all of them, or none."""
        rows = pa.table([accounts, packages], schema=_ROWS).to_batches()[0].serialize()
        self._parts.write(_HEAD.pack(self._digest(self.done, rows), rows.size))
        self._parts.write(rows)
        self._parts.flush()
        os.fsync(self._parts.fileno())
        self.done += len(accounts)

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in order.

        Raises:
            Damaged: they are not what was appended.
        """
        found = 0
        for rows in self._whole():
            found += rows.num_rows
            yield rows
        if found != self.done:
            raise Damaged(f"{self._parts.name}: damaged while it was written; run again")

    def _whole(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of part after part, up to one that is not as it was appended here."""
        size, first = os.fstat(self._parts.fileno()).st_size, 0
        self._parts.seek(len(self._begin + self.token))
        while len(head := self._parts.read(_HEAD.size)) == _HEAD.size:
            digest, length = _HEAD.unpack(head)
            if length > size - self._parts.tell():
                return
            data = self._parts.read(length)
            if self._digest(first, data) != digest:
                return
            rows = pa.ipc.read_record_batch(pa.py_buffer(data), _ROWS)
            first += rows.num_rows
            yield rows

    def _digest(self, first: int, rows: bytes | pa.Buffer) -> bytes:
        digest = sha256(self._manifest + first.to_bytes(8, "little"))
        digest.update(rows)
        return digest.digest()


@contextmanager
def package_file(out: Path, manifest: bytes, accounts: int) -> Iterator[PackageFile | None]:
    """Give the file of the packages of a manifest's accounts, or None if ``out`` is that already.

    With all rows in it, it is ``out`` on leaving.

    Raises:
        ProverError: the name ends in neither ``.parquet`` nor ``.sqlite``; ``out`` is something
            else already, or has not as many rows; another run writes it; what stands beside it is
            somebody's; it cannot be written.
    """
    if out.suffix not in _KINDS:
        raise ProverError(f"{out}: its name must end in {' or '.join(_KINDS)}")
    kind = _KINDS[out.suffix]
    parts = out.with_name(f"{out.name}.{manifest.hex()[:16]}.parts")
    if _stands(out):
        if not out.is_file() or (found := kind.found(out)) is None or found[0] != manifest:
            raise _taken(out)
        if found[1] != accounts:
            raise ProverError(
                f"{out}: damaged: it has {found[1]:,} packages of this snapshot, not "
                f"{accounts:,}; nothing is overwritten: move it away, and run again"
            )
        if _is_left(parts, manifest):
            parts.unlink()
        yield None
        return
    with naming(parts), _opened(parts) as data:
        lock(data.fileno(), f"{parts}: another run is at work here")
        if not _stands(parts) or not os.path.samestat(parts.lstat(), os.fstat(data.fileno())):
            raise ProverError(f"{parts}: another run was at work here; run again")
        sync_file(parts.parent)
        file = PackageFile(data, manifest)
        yield file
        if file.done < accounts:
            return
        _finish(out, manifest, kind, file)
        parts.unlink()


def _opened(parts: Path) -> BinaryIO:
    """Open a file of parts under its name, and once alone."""
    return open(parts, "r+b", opener=lambda name, _: open_private(Path(name)))


def _is_left(parts: Path, manifest: bytes) -> bool:
    """Tell whether a run that was killed at its very end left parts of a manifest here."""
    if not _stands(parts):
        return False
    begin = _BEGIN + manifest
    try:
        with _opened(parts) as data:
            return data.read(len(begin)) == begin
    except (ProverError, OSError):
        return False


def _finish(out: Path, manifest: bytes, kind: _Kind, file: PackageFile) -> None:
    # What has this name a run left that was killed in here: no user would have chosen it.
    partial = out.with_name(f"{out.name}.{file.token.hex()}{PARTIAL}")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        kind.write(partial, manifest, file.rows())
        sync_file(partial)
        if _stands(out):
            raise _taken(out)
        partial.rename(out)
        sync_file(out.parent)
    finally:
        partial.unlink(missing_ok=True)


def _stands(out: Path) -> bool:
    return out.is_symlink() or out.exists()


def _taken(out: Path) -> ProverError:
    return ProverError(f"{out} exists already; nothing is overwritten")


def _write_sqlite(path: Path, manifest: bytes, parts: Iterable[pa.RecordBatch]) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection, connection:
            # Whatever interrupts this, the file is written anew.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE snapshot (manifest BLOB NOT NULL)")
            connection.execute("INSERT INTO snapshot VALUES (?)", (manifest,))
            connection.execute(
                "CREATE TABLE packages (account TEXT PRIMARY KEY, package BLOB NOT NULL)"
            )
            for rows in parts:
                connection.executemany(
                    "INSERT INTO packages (account, package) VALUES (?, ?)",
                    zip(*(column.to_pylist() for column in rows.columns), strict=True),
                )
    except sqlite3.Error as error:
        raise ProverError(f"{path}: {error}") from None


def _of_sqlite(path: Path) -> _Found | None:
    """Return the manifest whose packages a file holds, and how many; None if it is no such file."""
    # As what never changes, or SQLite would write beside it.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            query = "SELECT manifest, (SELECT count(*) FROM packages) FROM snapshot"
            row: _Found | None = connection.execute(query).fetchone()
    except sqlite3.Error:
        return None
    return row


_MANIFEST = b"assay.manifest"


def _write_parquet(path: Path, manifest: bytes, parts: Iterable[pa.RecordBatch]) -> None:
    schema = _ROWS.with_metadata({_MANIFEST: manifest.hex()})
    # Neither column repeats itself, and an opening looks random.
    with (
        path.open("wb") as file,
        parquet.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer,
    ):
        for rows in parts:
            writer.write_batch(rows)


def _of_parquet(path: Path) -> _Found | None:
    """Return the manifest whose packages a file holds, and how many; None if it is no such file."""
    try:
        found = parquet.read_metadata(path)
        manifest = bytes.fromhex((found.metadata or {}).get(_MANIFEST, b"").decode())
        return manifest, found.num_rows
    except (pa.ArrowException, OSError, ValueError):
        return None


_Found = tuple[bytes, int]


class _Kind(NamedTuple):
    """A kind of file: how all rows are written into an empty one, and whose packages one holds."""

    write: Callable[[Path, bytes, Iterable[pa.RecordBatch]], None]
    found: Callable[[Path], _Found | None]


_KINDS = {
    ".parquet": _Kind(_write_parquet, _of_parquet),
    ".sqlite": _Kind(_write_sqlite, _of_sqlite),
}
