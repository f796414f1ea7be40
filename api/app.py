"""The application: ``create_app(settings)`` serves one bundle folder and nothing else.

Invariants: only the paths a bundle can hold (``spec/wire.md``, section 2) are looked up at all, so
a stray file in the folder stays unseen; no link leads out of the folder; nothing is written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUNDLE_PATH: Final = re.compile(
    r"manifest\.msgpack|manifest\.sig"
    r"|evidence/[A-Z0-9]{1,16}\.msgpack"
    r"|pages/[A-Z0-9]{1,16}/(?:0|[1-9][0-9]?)",
    re.ASCII,
)

# A published bundle never changes: the next snapshot is published under an address of its own.
CACHE_CONTROL: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the application is told at its start.

    bundle: the folder of the published bundle (``DIR/public`` of a snapshot).
    """

    bundle: Path


class BundleFiles(StaticFiles):
    """Static files cut down to the paths of a bundle: GET and HEAD, ranges, ETag, 304."""

    def get_path(self, scope: Scope) -> str:
        """Return the path exactly as asked: no two spellings of one file."""
        path: str = scope["path"]
        return path.removeprefix(scope.get("root_path", "")).removeprefix("/")

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find ``path`` in the folder; not found unless a bundle can hold it."""
        if BUNDLE_PATH.fullmatch(path) is None:
            return "", None
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer for ``path``, marked as bytes that never change."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = CACHE_CONTROL
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def create_app(settings: Settings) -> FastAPI:
    """Return the application that serves ``settings.bundle``.

    Raises:
        RuntimeError: the bundle folder does not exist.
    """
    app = FastAPI(title="Assay", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/", BundleFiles(directory=settings.bundle), name="bundle")
    return app
