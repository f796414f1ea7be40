"""Where a bundle's bytes come from: a folder, or a static host over HTTP with byte ranges.

Invariants: no link is followed inside a folder, and only regular files are read; nothing is taken
into memory beyond the limit that the caller computed; a host gets no say in what is read. What is
not there is rejected (`bundle.missing-file`), what cannot be read is not checked
(`check.unreadable`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Protocol

from verifier.errors import CannotCheck, Code, Rejected

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
_KEPT_FILES = 32
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Source(Protocol):
    """A bundle's files. Paths are those of spec/wire.md, section 2."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a whole file, or its first ``limit`` + 1 bytes if it is longer than ``limit``."""

    def size(self, path: str) -> int:
        """Return the length of a file in bytes."""

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; they lie within the file's `size`."""

    def check_listing(self, paths: Iterable[str]) -> None:
        """Reject a folder that holds anything but ``paths`` (`bundle.unexpected-file`)."""

    def check_present(self, paths: Iterable[str]) -> None:
        """Reject a folder that lacks one of ``paths``; over HTTP that shows when it is read."""

    def close(self) -> None:
        """Let go of what the source holds open."""


def missing(path: str) -> Rejected:
    """Return the rejection of a bundle that lacks ``path``."""
    return Rejected(Code.BUNDLE_MISSING_FILE, path, "no such regular file in the bundle")


def read_file(path: str, limit: int, what: str) -> bytes:
    """Return a file of the user's own, or its first ``limit`` + 1 bytes; ``what`` names it.

    Raises:
        CannotCheck: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(f"the {what}: {path}", error) from None


class FolderSource:
    """A bundle as a folder. The folder itself may be reached through a link; nothing in it may.

    The files met first stay open: a light check reads a page here and a page there of a few.
    """

    def __init__(self, folder: Path) -> None:
        self._name = str(folder)
        self._files: dict[str, int] = {}
        try:
            self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise _unreadable(self._name, error) from None

    def close(self) -> None:
        """Let go of what is held open."""
        os.close(self._root)
        while self._files:
            os.close(self._files.popitem()[1])

    def read(self, path: str, limit: int) -> bytes:
        """See `Source`."""
        return self._pread(path, 0, limit + 1)

    def size(self, path: str) -> int:
        """See `Source`."""
        with self._opened(path) as descriptor:
            return os.fstat(descriptor).st_size

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """See `Source`."""
        data = self._pread(path, offset, length)
        if len(data) != length:
            raise CannotCheck(Code.CHECK_UNREADABLE, f"{path}: the file changed during the check")
        return data

    def check_listing(self, paths: Iterable[str]) -> None:
        """See `Source`."""
        folders: dict[str, dict[str, bool]] = {"": {}}  # of each folder its names, and if a file
        for path in paths:
            *parents, _ = parts = path.split("/")
            for depth, name in enumerate(parts):
                parent = "/".join(parts[:depth])
                folders.setdefault(parent, {})[name] = depth == len(parents)
        for folder, names in folders.items():
            self._check_folder(folder, names)

    def check_present(self, paths: Iterable[str]) -> None:
        """See `Source`."""
        for path in paths:
            self.size(path)

    def _check_folder(self, folder: str, names: dict[str, bool]) -> None:
        try:
            descriptor = self._descend(folder.split("/") if folder else [])
        except OSError as error:
            if error.errno in _ABSENT:
                return  # then its files are missing, which is checked next
            raise _unreadable(folder, error) from None
        try:
            with os.scandir(descriptor) as entries:
                # The least name, so that the same folder gives the same answer; a stream, since a
                # folder may hold any number of them.
                first = next(entries, None)
                found = () if first is None else chain((first,), entries)
                unexpected = min(
                    (entry.name for entry in found if not _is_expected(entry, names)),
                    default=None,
                )
        except OSError as error:
            raise _unreadable(folder or self._name, error) from None
        finally:
            os.close(descriptor)
        if first is None:
            raise Rejected(Code.BUNDLE_UNEXPECTED_FILE, folder, "a folder without anything in it")
        if unexpected is not None:
            where = f"{folder}/{unexpected}" if folder else unexpected
            raise Rejected(Code.BUNDLE_UNEXPECTED_FILE, where, "is no file of this bundle")

    def _descend(self, parents: list[str]) -> int:
        """Open a folder of the bundle, refusing a link at every step; the caller closes it."""
        descriptor = os.dup(self._root)
        for name in parents:
            try:
                below = os.open(name, _OPEN_FLAGS | os.O_DIRECTORY, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """Give the descriptor of a file: one that is kept, which no thread closes, or its own."""
        kept = self._files.get(path)
        if kept is None:
            descriptor = self._open(path)
            if len(self._files) < _KEPT_FILES:
                kept = self._files.setdefault(path, descriptor)
            if kept != descriptor:
                try:
                    yield descriptor
                finally:
                    os.close(descriptor)
                return
        yield kept

    def _open(self, path: str) -> int:
        *parents, name = path.split("/")
        try:
            folder = self._descend(parents)
            try:
                # Without O_NONBLOCK, opening a FIFO would wait for a writer.
                descriptor = os.open(name, _OPEN_FLAGS | os.O_NONBLOCK, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in _ABSENT:
                raise missing(path) from None
            raise _unreadable(path, error) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise missing(path)
        return descriptor

    def _pread(self, path: str, offset: int, length: int) -> bytes:
        with self._opened(path) as descriptor:
            try:
                # A limit is no reason to take its memory: the file may be a few bytes long.
                length = min(length, max(0, os.fstat(descriptor).st_size - offset))
                data = os.pread(descriptor, length, offset)
                while len(data) < length and (
                    chunk := os.pread(descriptor, length - len(data), offset + len(data))
                ):
                    data += chunk
                return data
            except OSError as error:
                raise _unreadable(path, error) from None


def _is_expected(entry: os.DirEntry[str], names: dict[str, bool]) -> bool:
    match names.get(entry.name):
        case None:
            return False
        case True:
            return entry.is_file(follow_symlinks=False)
    return entry.is_dir(follow_symlinks=False)


def _unreadable(path: str, error: Exception) -> CannotCheck:
    reason = getattr(error, "strerror", None) or "cannot be opened"
    return CannotCheck(Code.CHECK_UNREADABLE, f"{path}: {reason}")
