"""``assay serve``: one process, one event loop, listening until told to stop."""

from __future__ import annotations

from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered, within bounds."""
    app = create_app(settings)
    server = settings.server
    config = uvicorn.Config(
        app,
        host=server.host,
        port=server.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=server.connections,
        timeout_graceful_shutdown=server.stop_seconds,
    )
    _Server(config, app).run()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells the application at once that it is to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)
