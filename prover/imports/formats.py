"""The published lists of reserves that can be read."""

from __future__ import annotations

from enum import StrEnum


class ListFormat(StrEnum):
    """The lists that can be read."""

    BITMEX = "bitmex"
    OKX = "okx"
