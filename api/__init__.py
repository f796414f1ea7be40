"""The web service: one published bundle, read-only, over HTTP with byte ranges."""

from __future__ import annotations

from api.app import Settings, create_app

__all__ = ["Settings", "create_app"]
