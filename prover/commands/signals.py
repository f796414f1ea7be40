"""Signals that end a command which has processes of its own to end, and a file to leave whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, where they would kill, raise `SystemExit` in the main thread."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)  # as a shell says that a signal ended it

    deadly = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL  # as nohup does not leave it
    ]
    for number in deadly:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)
