"""What operators may be allowed to do. Apart, for the command line loads no settings for it."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A permission of an operator's token."""

    READ = "snapshots:read"
    WRITE = "snapshots:write"
    PUBLISH = "snapshots:publish"
