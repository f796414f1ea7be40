"""Whether the service lives, whether it can serve, and its metrics.

Invariant: a check says that it fails, and not how; the log of the server does.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.http.problems import Problem, ServiceCode, problems
from api.log import LOG
from api.settings import Settings

# Raises where the service lacks what the check is named after, or what `NotReady` names; called in
# a thread.
Check = Callable[[], None]

CHECK_SECONDS: Final = 5.0

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The state of the service."""

    status: str


class NotReady(Exception):
    """The service lacks something that is seen with what the check is named after."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


class Readiness:
    """The checks of what the service needs, by name. One that hangs is not begun a second time."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self.checks = checks
        self._running: dict[str, asyncio.Task[None]] = {}

    async def failing(self) -> list[str]:
        """Return what is not ready."""
        found = await asyncio.gather(*map(self._failing, list(self.checks)))
        return list(dict.fromkeys(filter(None, found)))

    async def _failing(self, name: str) -> str | None:
        task = self._running.get(name)
        if task is None or task.done():
            task = asyncio.create_task(asyncio.to_thread(self.checks[name]))
            self._running[name] = task
        try:
            await asyncio.wait_for(asyncio.shield(task), CHECK_SECONDS)
        except Exception as error:
            part = error.part if isinstance(error, NotReady) else name
            LOG.warning("not ready: %s", part, exc_info=error)
            return part
        return None


def check_space(folder: Path, least: int) -> None:
    """Check that there is room for so many bytes where a folder is.

    Raises:
        NotReady: there is not.
        OSError: the folder is not there.
    """
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < least:
        raise NotReady("disk")


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the server answers."""
    return Health(status="alive")


@router.get("/readyz", responses=problems(ServiceCode.UNAVAILABLE))
async def readyz(request: Request) -> Health:
    """Say that all that requests need is there."""
    failed = await request.app.state.readiness.failing()
    if request.app.state.stopping.is_set():
        failed.append("stopping")
    if failed:
        raise Problem(ServiceCode.UNAVAILABLE, ", ".join(failed))
    return Health(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(ServiceCode.UNAUTHENTICATED),
    },
)
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    if not _may_read(request, request.app.state.settings):
        headers = {"WWW-Authenticate": "Bearer"}
        raise Problem(ServiceCode.UNAUTHENTICATED, headers=headers)
    content = generate_latest(request.app.state.metrics.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


def _may_read(request: Request, settings: Settings) -> bool:
    token, networks = settings.metrics.token, settings.metrics.networks
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if token is not None and scheme.lower() == "bearer":
        return hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    # Behind a proxy that the settings do not name, everybody has the proxy's address.
    hidden = "x-forwarded-for" in request.headers and not settings.server.proxies
    if hidden or request.client is None:
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return any(address in network for network in networks)
