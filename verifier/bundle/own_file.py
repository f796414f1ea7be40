"""Files of the user's own, in folders where others may put things: no link, no pipe, no half."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

NO_FILE = frozenset({errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO})
"""How `open_own` fails where something else than a file stands."""


def open_own(path: Path) -> int:
    """Open a file to read; return its descriptor. No link is followed, no pipe waited for.

    Raises:
        OSError: it cannot be opened, or no file stands there.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "no file", str(path))


def keep_file(path: Path, data: bytes) -> None:
    """Write a file for everybody to read, whole and durably, or not at all.

    Raises:
        FileExistsError: something else stands there already; it is left as it is.
        OSError: it cannot be written.
    """
    try:
        if not _is_kept(path, data):
            _write(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _is_kept(path: Path, data: bytes) -> bool:
    """Tell whether a file stands there, which says the same."""
    try:
        with os.fdopen(open_own(path), "rb") as file:
            if file.read(len(data) + 1) == data:
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in NO_FILE:
            raise
    raise FileExistsError(errno.EEXIST, "something else stands there; nothing is overwritten")


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(".partial", f"{path.name}.", path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            file.write(data)
            file.flush()
            os.fsync(handle)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
