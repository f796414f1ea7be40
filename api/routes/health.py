"""Whether the service lives, whether it can serve, and its metrics."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.http.problems import Problem, ServiceCode, problems
from api.service import serving
from api.settings import Settings

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The state of the service."""

    status: str


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the server answers."""
    return Health(status="alive")


@router.get("/readyz", responses=problems(ServiceCode.UNAVAILABLE))
async def readyz(request: Request) -> Health:
    """Say that all that requests need is there."""
    service = serving(request)
    failed = await service.readiness.failing()
    if service.stopping.is_set():
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
    service = serving(request)
    if not _may_read(request, service.settings):
        headers = {"WWW-Authenticate": "Bearer"}
        raise Problem(ServiceCode.UNAUTHENTICATED, headers=headers)
    content = generate_latest(service.metrics.registry)
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
