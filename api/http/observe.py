"""What the service tells its operator of requests: their ids, a line each, metrics.

Invariants: of a request the logs and metrics hold method, route template, status, length and
duration alone: no path, query, header, address, id or balance. Label sets are bounded.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import secrets
import time
from typing import Final

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

from api.http.problems import REQUEST_ID, Problem, ServiceCode, answer_problem, problem_of
from api.log import LOG

# Routes of this tag serve files to everybody.
PUBLIC_TAG: Final = "public"

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
