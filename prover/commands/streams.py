"""Standard streams that can be written to, whatever they were when the command began."""

from __future__ import annotations

import io
import os
import sys

_OUTPUT, _ERROR = 1, 2


def open_streams() -> None:
    """Let what is written to a stream that is closed go nowhere, and escape what another cannot
    have.

    A closed stream's descriptor would be the next file's, and that of a key, or of packages, is
    where a library's complaint would go.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= _ERROR:
        os.set_inheritable(handle, True)
    os.close(handle)
    if sys.stdout is None:
        sys.stdout = os.fdopen(_OUTPUT, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_ERROR, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
