"""The application: ``create_app(settings)`` composes the service, and nothing at import time.

Invariant: all that requests share is one `Service`; there is no state of a module.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import native
from api.callers.issuer import Issuer
from api.database.engine import check_version, migrated, open_database
from api.database.gate import Gate
from api.database.lock import is_held
from api.errors import Foreign
from api.http.limits import Limited, Rates
from api.http.observe import Metrics, Observed
from api.http.problems import COMMON, ProblemBody, install_handlers
from api.log import LOG, log_loop_errors
from api.readiness import Check, NotReady, Readiness, check_space
from api.routes import customers, health, operators, public
from api.routes.examples import add_examples
from api.service import Service
from api.settings import Settings
from api.snapshots import instance
from api.snapshots.jobs import Queue
from api.snapshots.links import Links
from api.snapshots.operations import Operations
from api.snapshots.packages import Packages
from api.snapshots.supervise import Supervisor
from api.snapshots.watch import Watchers
from api.snapshots.webhook import read_secret

# The child that works, beside whatever serves; `python -m api.cli` is the command `assay`.
WORKER = (sys.executable, "-P", "-m", "api.cli", "worker")


def create_app(settings: Settings) -> FastAPI:
    """Return the service over ``settings``.

    ``app.state.service`` is what requests share, a `Service`. The database is migrated, and the
    worker started, when the service starts.

    Raises:
        ProverError: the database's URL is malformed, or a signing key or the webhook's secret
            cannot be read.
        OSError: a folder of the settings cannot be made.
    """
    if settings.webhook is not None:
        read_secret(settings.webhook.secret_file)  # the worker's; better told at the start
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.published.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.database_url, settings.limits.database_seconds)
    service = make_service(settings, engine)

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
                supervisor = Supervisor(command, settings.server.stop_seconds, service.metrics)
                service.readiness.checks["worker"] = supervisor.check
                await stack.enter_async_context(supervisor.running(service.stopping))
            yield
            service.stopping.set()  # also where no worker is kept
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
    app.state.service = service
    install_handlers(app)
    # The last middleware added is the first that a request meets.
    public.add_routes(app, settings)
    app.add_middleware(Limited, rates=service.rates, settings=settings.limits)
    app.add_middleware(Observed, metrics=service.metrics)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*map(str, settings.server.proxies)])
    app.include_router(health.router)
    if settings.customers is not None:
        customers.add_routes(app, settings.customers)
    app.include_router(operators.router)
    return app


def make_service(settings: Settings, engine: sa.Engine) -> Service:
    """Return what the requests of a service share.

    Raises:
        ProverError: a signing key cannot be read.
    """
    database = Gate(engine, settings.limits.database_seconds)
    snapshots, stopping = settings.snapshots, asyncio.Event()
    queue = Queue(engine, listens=settings.webhook is not None)
    operations = Operations(database, queue, snapshots, settings.published)
    packages: Packages | None = None
    links: Links | None = None
    if (customers := settings.customers) is not None:
        packages = Packages(database, snapshots, customers.signing_keys)
        if customers.address is not None:
            links = Links(packages, customers.address)
    return Service(
        settings=settings,
        database=database,
        operations=operations,
        watchers=Watchers(operations.find, operators.shown, stopping, settings.limits),
        checks=CapacityLimiter(1),
        oidc=None if settings.oidc is None else Issuer(settings.oidc, required="sub"),
        customers=None
        if customers is None
        else Issuer(customers, required=customers.account_claim),
        packages=packages,
        links=links,
        rates=Rates(settings.limits),
        metrics=Metrics(),
        readiness=Readiness(readiness_checks(settings, database)),
        stopping=stopping,
    )


def prepare(settings: Settings) -> None:
    """Bring the database to this version of the service, and see that the folder is the one that
    it serves.

    Raises:
        ProverError: it cannot be used, or serves another folder.
    """
    with migrated(settings.database_url) as engine:
        instance.settle(engine, settings.snapshots)


def readiness_checks(settings: Settings, database: Gate) -> dict[str, Check]:
    """Return what a service needs to be ready, but for the process of its worker."""
    least = settings.server.free_bytes
    checks: dict[str, Check] = {
        "database": lambda: check_database(database, settings),
        "published": lambda: check_space(settings.published, least),
        "disk": lambda: check_space(settings.folder, least),
    }
    if (page := settings.page) is not None:
        checks["page"] = lambda: page.open("rb").close()
    return checks


def check_database(database: Gate, settings: Settings) -> None:
    """Check that the database answers and is of this version, that it serves the folder, and that
    a worker is at work, if the server keeps one.

    Raises:
        ServiceError, ProverError: it does not answer, or is of another version.
        NotReady: of folder or worker.
    """
    with database.connect() as connection:
        check_version(connection)
        try:
            instance.check(connection, settings.snapshots)
        except Foreign as error:
            raise NotReady("folder") from error
        if settings.server.worker and not is_held(connection):
            raise NotReady("worker")


class _Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Add the schema that problems refer to, and examples."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas[ProblemBody.__name__] = ProblemBody.model_json_schema()
            add_examples(document)
        return super().openapi()
