"""Durable files: what is reported written survives a crash, and private is private from birth.

A file appears under its final name whole or not at all: written beside it, synced, renamed, and the
folder synced after the rename.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from prover.errors import ProverError
from verifier.bundle.own_file import open_own

PARTIAL = ".partial"

# Flushes that wait for the disk at once.
_FLUSHES = 16


def sync_file(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush every file of a folder, and every folder; the order does not matter to who waits."""
    from concurrent.futures import ThreadPoolExecutor  # a package waits for none of it

    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in (*names, "")]
    # Each flush waits for the disk, which writes what many wait for at once.
    with ThreadPoolExecutor(_FLUSHES) as threads:
        list(threads.map(sync_file, paths))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of writing that names no file, as of a full disk, name ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def read_at_most(path: Path, size: int) -> bytes:
    """Return the bytes of a file; of a larger one, or one without end, one more than so many."""
    with path.open("rb") as file:
        return file.read(size + 1)


def read_own(path: Path) -> bytes:
    """Return the bytes of a file that the prover wrote; no link is followed, no pipe waited for.

    Raises:
        OSError: it cannot be read, or no file stands there.
    """
    with os.fdopen(open_own(path), "rb") as file:
        return file.read()


def path_text(path: Path) -> str:
    """Return a path as a text that can be written into a file.

    Raises:
        ProverError: there is none, as its bytes are no UTF-8.
    """
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProverError(
            f"{path}: a name in this path is not UTF-8; rename it, or choose another"
        ) from None
    return text


@contextmanager
def fresh_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Give an empty file to write, private by default; on leaving, it is ``path``, durably.

    What stood there before is replaced, and so is what an interrupted attempt left beside it: in a
    folder that is the user's, take `whole_file`. If the body raises, ``path`` is as it was.
    """
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with _becoming(path, partial, handle) as file:
        yield file


@contextmanager
def whole_file(
    path: Path, scratch: Path | None = None, *, mode: int = 0o600, durable: bool = True
) -> Iterator[BinaryIO]:
    """Give a file as `fresh_file` does, of a name that nobody else has while it is written: where
    other names may be the user's, or two write the same.

    Until then it is in the folder ``scratch``, by default in that of ``path``, where a process that
    is killed leaves it.
    """
    try:
        handle, name = tempfile.mkstemp(PARTIAL, f"{path.name}.", scratch or path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    partial = Path(name)
    try:
        os.fchmod(handle, mode)
        with _becoming(path, partial, handle, durable=durable) as file:
            yield file
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def output_file(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Give a file that the user names to write to, as `whole_file` does.

    Raises:
        ProverError: what stands there is another thing than a file, such as a link or a pipe.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise no_file(path)
    with whole_file(path, mode=mode) as file:
        yield file


@contextmanager
def output_text(path: Path) -> Iterator[TextIO]:
    """Give a file of UTF-8, whose lines end as they are written, as `output_file` does."""
    with output_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.detach()  # what it still has goes into the file


@contextmanager
def _becoming(
    path: Path, partial: Path, handle: int, *, durable: bool = True
) -> Iterator[BinaryIO]:
    with naming(path), os.fdopen(handle, "wb") as file:
        yield file
        if durable:
            file.flush()
            os.fsync(handle)
    try:
        partial.rename(path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    if durable:
        sync_file(path.parent)


def create_private(path: Path, data: bytes) -> None:
    """Create a file of mode 0600, durably; none is left where that fails.

    Raises:
        FileExistsError: there is one already; it is left as it is.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with naming(path), os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_file(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Give an empty private folder to fill; on leaving, it stands under ``folder``, durably.

    What an earlier, interrupted attempt left is removed first. If the body raises, nothing stands
    under ``folder``.
    """
    partial = folder.with_name(folder.name + PARTIAL)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    yield partial
    rename_folder(partial, folder)


def rename_folder(partial: Path, folder: Path) -> None:
    """Sync everything in ``partial``, then let it stand under its final name.

    Raises:
        ProverError: the final name is taken.
    """
    if folder.exists():
        raise ProverError(f"{folder} exists already; nothing is overwritten")
    sync_tree(partial)
    partial.rename(folder)
    sync_file(folder.parent)


def discard_folder(folder: Path) -> None:
    """Remove a folder, if it is there: from its name at once, so that no half of it is read."""
    partial = folder.with_name(folder.name + PARTIAL)
    remove(partial)
    if folder.exists() or folder.is_symlink():
        folder.rename(partial)
        sync_file(folder.parent)
        remove(partial)


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, a file, or a link and not what it leads to, if one is
    there.
    """
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_links(root: Path) -> None:
    """Remove the links at and below a folder, and not what they lead to."""
    if root.is_symlink():
        root.unlink()
    for parent, folders, files in os.walk(root):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if path.is_symlink():
                path.unlink()


def is_folder(path: Path) -> bool:
    """Tell whether a folder stands there, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def keep_files(root: Path, *folders: str | None) -> None:
    """Make a folder, and remove what stands in it but the files so many folders below, no links.

    ``folders`` are the names of those on the way, each in the one before; None is any name.
    """
    if not is_folder(root):
        remove(root)
        root.mkdir()
    on_the_way = [root]
    for name in folders:
        found = [path for folder in on_the_way for path in folder.iterdir()]
        on_the_way = [path for path in found if name in (None, path.name) and is_folder(path)]
        for path in set(found) - set(on_the_way):
            remove(path)
    for folder in on_the_way:
        for path in folder.iterdir():
            if path.is_symlink() or not path.is_file():
                remove(path)


@contextmanager
def locked(path: Path, refusal: str, seconds: float = 0) -> Iterator[None]:
    """Hold an exclusive lock on a folder, or on a file, made if need be.

    The kernel drops it when a process dies.

    Raises:
        ProverError: ``refusal``, if another process still holds it after ``seconds``; or what
            stands there is neither.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path.is_dir() else open_file(path)
    try:
        lock(handle, refusal, seconds)
        yield
    finally:
        os.close(handle)


def lock(handle: int, refusal: str, seconds: float = 0) -> None:
    """Take an exclusive lock, which lasts until a descriptor is closed.

    Raises:
        ProverError: ``refusal``, if another process still holds it after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise ProverError(refusal) from None
            time.sleep(0.05)


def open_file(path: Path) -> int:
    """Open a file to read and write, made if need be, private; return its descriptor.

    Raises:
        ProverError: what stands there is another thing, such as a link, which is not followed.
    """
    # What waits for another end, as a pipe does, is not waited for.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        raise no_file(path) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise no_file(path)
    return handle


def open_private(path: Path) -> int:
    """Open a file as `open_file` does, that is its owner's alone, whoever opened it before.

    Raises:
        ProverError: it is not; nothing of it is changed.
    """
    handle = open_file(path)
    found = os.fstat(handle)
    if found.st_uid == os.geteuid() and found.st_nlink == 1 and not found.st_mode & 0o077:
        return handle
    os.close(handle)
    raise ProverError(
        f"{path}: not a private file of this user's, of mode 600 and with no other name; move it "
        "away, or choose another folder"
    )


def no_file(path: Path) -> ProverError:
    """Return the error that something else stands where a file is to be."""
    return ProverError(f"{path}: neither a file nor free; move it away, or choose another name")
