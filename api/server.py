"""``assay serve``: one process, one event loop, listening until told to stop."""

from __future__ import annotations

import contextlib
import functools
import resource
import socket
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.http.connection import Connection, Crowd
from api.log import configure_logging
from api.settings import Settings
from prover.errors import ProverError


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered, within bounds.

    Raises:
        ProverError: the service cannot start; the log says why.
        OSError: a folder of the settings cannot be made.
    """
    configure_logging(settings.log_level)
    # A connection may have a file open beside its socket.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = make_server(create_app(settings), settings)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # uvicorn's own way out
        server.run()
    if not server.started:
        raise ProverError("the service cannot start: its log says why")


def make_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return the server of ``app``, as `assay serve` runs it."""
    server, limits = settings.server, settings.limits
    config = uvicorn.Config(
        app,
        host=server.host,
        port=server.port,
        loop="uvloop",
        http=cast(Any, functools.partial(Connection, limits, Crowd(server))),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=server.stop_seconds,
    )
    return _Server(config, app)


class _Server(uvicorn.Server):
    """uvicorn's server, which tells the application at once that it is to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: let streams end first, as all others wait for them."""
        self._app.state.service.stopping.set()
        await super().shutdown(sockets)
