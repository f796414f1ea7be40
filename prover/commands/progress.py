"""Progress on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prover.progress import Progress, Silent


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Give what shows progress on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    from prover.commands.bar import show

    with show() as bar:
        yield bar
