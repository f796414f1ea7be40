"""Files that tasks make, each whole, and that are joined to one.

A task may run at two places at once, or again after a crash: it writes beside, under a name of its
own, and renames, and what another one wrote is the same bytes. A file is *durable* if it is flushed
before it has its name; otherwise it is there until the machine that holds it goes down.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from prover.files.storage import whole_file

if TYPE_CHECKING:
    from typing_extensions import Buffer


def write_piece(path: Path, parts: Iterable[Buffer], *, durable: bool) -> None:
    """Write a private file whole."""
    with whole_file(path, durable=durable) as file:
        file.writelines(parts)


def copy_piece(to: BinaryIO, path: Path, start: int, length: int) -> None:
    """Append ``length`` bytes of a file, from ``start`` on, where ``to`` stands.

    They do not pass through this process, and do not move at all where the file system can share
    them. No link is followed: what it leads to may be for nobody else.

    Raises:
        OSError: there are not as many, or it is no file.
    """
    to.flush()
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size < start + length:
            raise OSError(None, "not as it was written", str(path))
        copy: Callable[[int, int, int, int], int] = os.copy_file_range
        while length:
            try:
                copied = copy(file.fileno(), to.fileno(), length, start)
            except OSError:
                if copy is _send:
                    raise
                copy = _send  # a file system, or a kernel, that cannot
                continue
            if not copied:
                raise OSError(None, "shorter than it was", str(path))
            start, length = start + copied, length - copied


def _send(source: int, to: int, length: int, start: int) -> int:
    return os.sendfile(to, source, start, length)


def write_at(path: Path, offset: int, data: Buffer, *, durable: bool) -> None:
    """Write into a file that is there, at an offset."""
    with path.open("r+b", buffering=0) as file:
        view = memoryview(data).cast("B")
        while view:
            done = os.pwrite(file.fileno(), view, offset)
            view, offset = view[done:], offset + done
        if durable:
            os.fsync(file.fileno())
