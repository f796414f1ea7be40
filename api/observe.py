"""What the service tells its operator: request ids, logs of JSON lines, metrics.

Invariants: of a request the logs and metrics hold method, route template, status, length and
duration alone: no path, query, header, address, id or balance. Of an exception they hold its type
and where it was raised, never its message, which may quote what was sent; the prover's errors,
whose messages hold no secret, are told whole. Of a library's message, which may quote an exception,
there is the place alone. Every line is JSON, whatever fails. Label sets are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import re
import resource
import secrets
import stat
import sys
import threading
import time
from types import TracebackType
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import REQUEST_ID, Problem, ServiceCode, answer_problem, problem_of
from api.public import PUBLIC_TAG
from prover.errors import AssetsShort, ProverError

LOG: Final = logging.getLogger("assay")

# Whose messages quote nothing that was sent, and no exception.
_OURS: Final = frozenset({LOG.name, "api", "prover", "uvicorn", "verifier"})

_MOST_WAITING_BYTES: Final = 64 * 1024

_GIVEN_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)

# What every answer carries that does not say otherwise.
_HEADERS: Final = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        labels = ("method", "route", "status")
        self._requests = Counter(
            "assay_requests_total", "Requests answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "assay_request_seconds",
            "From a request's head to the end of its answer.",
            ("method", "route"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._sent = Counter(
            "assay_sent_bytes_total", "Bytes of bodies sent.", ("route",), registry=self.registry
        )
        self.in_flight = Gauge(
            "assay_requests_in_flight", "Requests being answered.", registry=self.registry
        )
        self.worker_starts = Counter(
            "assay_worker_starts_total", "Starts of the server's worker.", registry=self.registry
        )
        self.worker_up = Gauge(
            "assay_worker_up", "1 while the server's worker runs.", registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, sent: int, seconds: float) -> None:
        """Count a request."""
        requests, durations, bytes_sent = self._of(method, route, status)
        requests.inc()
        durations.observe(seconds)
        bytes_sent.inc(sent)

    @functools.cache  # noqa: B019  # the label sets are bounded, and live as long as the metrics
    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter]:
        return (
            self._requests.labels(method, route, str(status)),
            self._seconds.labels(method, route),
            self._sent.labels(route),
        )


class Observed:
    """Middleware, the outermost: ids, logs and metrics; no exception leaves it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, answer.send)
        except Problem as problem:
            await answer.end_with(problem)
        except asyncio.CancelledError:
            await answer.end_with(Problem(ServiceCode.UNAVAILABLE))
        except Exception as error:
            LOG.error("failed", extra={REQUEST_ID: scope[REQUEST_ID]}, exc_info=error)
            await answer.end_with(problem_of(error))
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, answer)

    def _record(self, scope: Scope, answer: _Answer) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = scope.get("route")
        path = "none" if route is None else route.path
        seconds = time.perf_counter() - answer.started
        self._metrics.answered(method, path, answer.status, answer.sent, seconds)
        # Who reads which page says whose it is: such requests are counted, and logged by none.
        if LOG.isEnabledFor(logging.INFO) and not (
            route is not None and route.tags == [PUBLIC_TAG]
        ):
            LOG.info(
                "request",
                extra={
                    REQUEST_ID: scope[REQUEST_ID],
                    "method": method,
                    "route": path,
                    "status": answer.status,
                    "bytes": answer.sent,
                    "seconds": round(seconds, 6),
                },
            )


class _Answer:
    """What is sent for one request, with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        self._id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8).encode()
        scope[REQUEST_ID] = self._id.decode()
        self._scope = scope
        self._send = send
        self.started = time.perf_counter()
        self.status = 0
        self.sent = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [field for field in _HEADERS if field[0] not in names]
            headers.append((b"x-request-id", self._id))
            message = {**message, "headers": headers}
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    async def end_with(self, problem: Problem) -> None:
        """Answer with ``problem``.

        Raises:
            ConnectionError: part of another answer is on its way: the connection cannot go on.
        """
        if self.status:
            raise ConnectionAbortedError("the answer cannot be completed")
        request = Request(self._scope)
        response = await answer_problem(request, problem)
        await response(self._scope, request.receive, self.send)


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
