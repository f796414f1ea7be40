"""The installed C core is that of the installed package."""

from __future__ import annotations

from importlib.metadata import version

import native


def test_core_carries_the_package_version() -> None:
    assert native.version() == version("assay")
