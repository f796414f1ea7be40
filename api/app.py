"""The application: ``create_app(settings)`` composes the service, and nothing at import time.

Invariant: all that requests share hangs from ``app.state``; there is no state of a module.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

import native
from api import customers, operators, public
from api.database import migrate, open_database
from api.issuer import Issuer
from api.problems import COMMON, ProblemBody, install_handlers
from api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Return the service over ``settings``.

    ``app.state`` holds ``settings``; ``database``, an engine; ``oidc``, whose tokens operators may
    bring, or None; ``customers`` and ``packages``, if the settings say whose tokens customers
    bring; ``operations``, of operators; and ``stopping``, an :class:`asyncio.Event` that is set
    once the server is told to end: whoever streams without end ends then. The database is migrated
    when the service starts.

    Raises:
        ProverError: the database's URL is malformed, or a signing key cannot be read.
    """
    engine = open_database(settings.database_url)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(migrate, engine)
        yield
        app.state.stopping.set()
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
    app.state.database = engine
    app.state.stopping = asyncio.Event()
    app.state.oidc = None if settings.oidc is None else Issuer(settings.oidc, required="sub")
    install_handlers(app)
    public.add_routes(app)
    operators.add_routes(app)
    if settings.customers is not None:
        customers.add_routes(app, settings.customers)
    return app


class _Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Add the schema that problems refer to."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas[ProblemBody.__name__] = ProblemBody.model_json_schema()
        return super().openapi()
