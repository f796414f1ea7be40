"""The application: ``create_app(settings)`` composes the service, and nothing at import time.

Invariant: all that requests share hangs from ``app.state``; there is no state of a module.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import native
from api.callers.issuer import Issuer
from api.database.engine import check_version, migrated, open_database
from api.database.gate import Gate
from api.database.lock import is_held
from api.http.limits import Limited, Rates
from api.http.observe import Metrics, Observed
from api.http.problems import COMMON, ProblemBody, install_handlers
from api.log import LOG, log_loop_errors
from api.routes import customers, health, operators, public
from api.settings import Settings
from api.snapshots import instance
from api.snapshots.supervise import Supervisor

# The child that works, beside whatever serves; `python -m api.cli` is the command `assay`.
WORKER = (sys.executable, "-P", "-m", "api.cli", "worker")


def create_app(settings: Settings) -> FastAPI:
    """Return the service over ``settings``.

    ``app.state`` holds ``settings``; ``database``, a `Gate`; ``oidc``, whose tokens operators may
    bring, or None; ``customers`` and ``packages``, if the settings say whose tokens customers
    bring; ``operations``, ``watchers`` and ``checks``, of operators; ``rates``, ``metrics``,
    ``readiness``; and ``stopping``, an :class:`asyncio.Event` that is set once the server is told
    to end: whoever streams without end ends then. The database is migrated, and the worker started,
    when the service starts.

    Raises:
        ProverError: the database's URL is malformed, or a signing key cannot be read.
        OSError: a folder of the settings cannot be made.
    """
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.published.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database_url, settings.limits.database_seconds)
    database = Gate(engine, settings.limits.database_seconds)
    metrics = Metrics()
    stopping = asyncio.Event()
    checks = readiness_checks(settings, database)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log_loop_errors(asyncio.get_running_loop())
        try:
            await run_in_threadpool(prepare, settings)
        except Exception as error:
            LOG.error("cannot start", exc_info=error)
            raise
        async with contextlib.AsyncExitStack() as stack:
            if settings.server.worker:
                command = [*WORKER, *settings.arguments]
                supervisor = Supervisor(command, settings.server.stop_seconds, metrics)
                checks["worker"] = supervisor.check
                await stack.enter_async_context(supervisor.running(stopping))
            yield
            stopping.set()  # also where no worker is kept
        engine.dispose()

    app = _Service(
        title="Assay",
        version=native.version(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=COMMON,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.oidc = None if settings.oidc is None else Issuer(settings.oidc, required="sub")
    app.state.packages = None
    app.state.rates = Rates(settings.limits)
    app.state.metrics = metrics
    app.state.readiness = health.Readiness(checks)
    app.state.stopping = stopping
    install_handlers(app)
    # The last middleware added is the first that a request meets.
    public.add_routes(app)
    app.add_middleware(Limited, rates=app.state.rates, settings=settings.limits)
    app.add_middleware(Observed, metrics=metrics)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*map(str, settings.server.proxies)])
    app.include_router(health.router)
    if settings.customers is not None:
        customers.add_routes(app, settings.customers)
    operators.add_routes(app, engine)
    return app


def prepare(settings: Settings) -> None:
    """Bring the database to this version of the service, and see that the folder is the one that
    it serves.

    Raises:
        ProverError: it cannot be used, or serves another folder.
    """
    with migrated(settings.database_url) as engine:
        instance.settle(engine, settings.snapshots)


def readiness_checks(settings: Settings, database: Gate) -> dict[str, health.Check]:
    """Return what a service needs to be ready, but for the process of its worker."""
    least = settings.server.free_bytes
    checks: dict[str, health.Check] = {
        "database": lambda: check_database(database, settings),
        "published": lambda: health.check_space(settings.published, least),
        "disk": lambda: health.check_space(settings.folder, least),
    }
    if (page := settings.page) is not None:
        checks["page"] = lambda: page.open("rb").close()
    return checks


def check_database(database: Gate, settings: Settings) -> None:
    """Check that the database answers and is of this version, that it serves the folder, and that
    a worker is at work, if the server keeps one.

    Raises:
        Problem, ProverError: it does not answer, or is of another version.
        NotReady: of folder or worker.
    """
    with database.connect() as connection:
        check_version(connection)
        try:
            instance.check(connection, settings.snapshots)
        except instance.Foreign as error:
            raise health.NotReady("folder") from error
        if settings.server.worker and not is_held(connection):
            raise health.NotReady("worker")


class _Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Add the schema that problems refer to."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas[ProblemBody.__name__] = ProblemBody.model_json_schema()
        return super().openapi()
