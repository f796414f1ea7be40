"""Shared by the tests of the service: both databases, each new and empty."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.sqlite'}"
    return new_postgresql(request.getfixturevalue("postgresql_url"))


def new_postgresql(server: str) -> str:
    """Return the URL of an empty database of a server."""
    url, name = make_url(server), f"assay_{uuid4().hex}"
    host = url.query["host"]
    assert isinstance(host, str)
    with psycopg.connect(
        host=host, user=url.username, dbname=url.database, autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.set(database=name).render_as_string(hide_password=False)
