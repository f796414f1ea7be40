"""Shared by the tests of the service: both databases, each new and empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

NewDatabase = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Return what makes an empty database of each kind, and returns its URL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path / uuid4().hex}.sqlite"
    server: str = request.getfixturevalue("postgresql_url")
    return lambda: new_postgresql(server)


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    """Return the URL of an empty database of each kind."""
    return new_database()


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
