"""The log of the service, and of its worker: JSON lines on standard error.

Invariants: of an exception a line holds its type and where it was raised, never its message, which
may quote what was sent; the prover's errors, whose messages hold no secret, are told whole. Of a
library's message, which may quote an exception, there is the place alone. Every line is JSON,
whatever fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import stat
import sys
import threading
import time
from types import TracebackType
from typing import Any, Final

from prover.errors import AssetsShort, ProverError

LOG: Final = logging.getLogger("assay")

# Whose messages quote nothing that was sent, and no exception.
_OURS: Final = frozenset({LOG.name, "api", "prover", "uvicorn", "verifier"})

_MOST_WAITING_BYTES: Final = 64 * 1024


class JsonLines(logging.Formatter):
    """Records as JSON, one a line; of exceptions their type and where they were raised."""

    _KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        error = record.exc_info
        if record.name.partition(".")[0] in _OURS:
            # A library's text of a traceback would quote the exception.
            line["message"] = record.getMessage().partition("Traceback (most recent call last)")[0]
            line |= {k: v for k, v in vars(record).items() if k not in self._KNOWN}
        else:
            line["message"] = "a library's message"
            line["said"] = [f"{record.pathname}:{record.lineno} {record.funcName}"]
            error = error or sys.exc_info()
        if error and error[0] is not None:
            line |= _told(error[0], error[1], error[2])
        return json.dumps(line, default=lambda value: type(value).__name__)


def _told(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> dict[str, Any]:
    """Return what a line tells of an exception."""
    told: dict[str, Any] = {"error": kind.__name__, "raised": _places(trace)}
    if isinstance(error, ProverError) and kind is not AssetsShort:
        told["reason"] = str(error)
    return told


def _places(trace: TracebackType | None) -> list[str]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-20:]


class _StandardError(logging.Handler):
    """Writes to standard error, which a server and its worker share.

    Where that is a file on a full disk, lines wait: of a line that is half written, another process
    would begin its own in the middle.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def emit(self, record: logging.LogRecord) -> None:
        """Write what waits, and a line, unless too much waits already."""
        if len(self._waiting) < _MOST_WAITING_BYTES:
            self._waiting += f"{self.format(record)}\n".encode()
        with contextlib.suppress(OSError):
            while self._waiting and _has_room(2):
                del self._waiting[: os.write(2, self._waiting)]


def _has_room(descriptor: int) -> bool:
    """Tell whether a few lines can be written as a whole, as far as can be known."""
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        return True
    found, limit = os.fstatvfs(descriptor), resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    free = found.f_bavail * found.f_frsize
    if limit != resource.RLIM_INFINITY:
        free = min(free, limit - state.st_size)
    return free > 2 * _MOST_WAITING_BYTES


def configure_logging(level: str) -> None:
    """Let all that this process says on standard error be JSON lines, whatever ends or fails."""
    handler = _StandardError()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a line that cannot be made would be told as a traceback
    for name in (LOG.name, "uvicorn"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("dbos").addHandler(logging.NullHandler())  # or it brings one of its own
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_of
    sys.unraisablehook = _log_uncaught_of


def _log_uncaught_of(failed: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    _log_uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    LOG.critical("not caught", exc_info=(kind, error or BaseException(), trace))


def log_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log what no task caught by type and place; asyncio itself would quote it."""

    def log(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        LOG.error("failed outside a request", exc_info=context.get("exception"))

    loop.set_exception_handler(log)
