"""What all requests of one service share: the one attribute of ``app.state``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from anyio import CapacityLimiter
from fastapi import Request

from api.callers.issuer import Issuer
from api.database.gate import Gate
from api.http.limits import Rates
from api.http.observe import Metrics
from api.readiness import Readiness
from api.settings import Settings
from api.snapshots.links import Links
from api.snapshots.operations import Operations
from api.snapshots.packages import Packages
from api.snapshots.watch import Watchers


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a service.

    oidc: whose tokens operators may bring; customers, packages: if the settings say whose tokens
    customers bring; links: if they also say under which address. checks: one at a time are the
    changes that read evidence. stopping is set once the server is told to end: whoever streams
    without end ends then.
    """

    settings: Settings
    database: Gate
    operations: Operations
    watchers: Watchers
    checks: CapacityLimiter
    oidc: Issuer | None
    customers: Issuer | None
    packages: Packages | None
    links: Links | None
    rates: Rates
    metrics: Metrics
    readiness: Readiness
    stopping: asyncio.Event


def serving(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
