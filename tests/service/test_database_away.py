"""A database that is stopped, hung, locked or full: requests are refused, and nobody waits long."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from api.settings import SQLITE_FILE
from tests.service.conftest import new_postgresql
from tests.support.identity_provider import Key, claims, key_set
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.served_exchange import LIST, make_exchange
from tests.support.service import Answer, Service, running
from tests.support.service_http import ALL, Operator, settings, token, until, wish

ISSUER, AUDIENCE = "https://exchange.example", "customers"
KEY = Key("k1")
PUBLIC = "/snapshots/old/manifest.sig"
CUSTOMERS = f"""
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as found:
        yield found


@pytest.fixture
def operator(server: PostgresServer, tmp_path: Path) -> Iterator[Operator]:
    """Return an operator of a service over a database of the server, with a public file."""
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    folder = tmp_path / "service"
    (folder / "published/snapshots/old").mkdir(parents=True)
    (folder / "published" / PUBLIC.removeprefix("/")).write_bytes(bytes(64))
    (folder / "keys.json").write_bytes(key_set(KEY))
    url = new_postgresql(server.url)
    text = settings(exchange, f'database = "{url}"\n{CUSTOMERS}')
    text = text.replace("[limits]", "[limits]\ndatabase_seconds = 2")
    with running(folder, text, "--no-worker") as service:
        found = Operator(service, token(folder, *ALL, database=url), url)
        assert found.create("one")[0] == 201
        yield found


def ask(operator: Operator, number: int) -> Answer:
    """Ask as an operator or as a customer, in turn."""
    if number % 2:
        return operator.send("GET", "/one")
    bearer = KEY.sign(claims(ISSUER, AUDIENCE, sub=f"holder{number}@example.com"))
    return operator.service.request("/me/inclusion/one", Authorization=f"Bearer {bearer}")


def check_refused(operator: Operator, requests: int) -> None:
    """Check that all of many requests at once are refused, and that public files are not."""
    with ThreadPoolExecutor(requests) as pool:
        asked = [pool.submit(ask, operator, number) for number in range(requests)]
        assert operator.service.request(PUBLIC).status == 200
        for answer in (each.result() for each in asked):
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) <= 10
            assert json.loads(answer.body)["code"] == "service.unavailable"
    ready = operator.service.request("/readyz")
    assert (ready.status, json.loads(ready.body)["detail"]) == (503, "database")
    assert operator.service.request(PUBLIC).status == 200


def check_recovered(service: Service, operator: Operator) -> None:
    """Check that all goes on by itself."""
    until(lambda: operator("GET", "/one")[0] == 200)
    assert ask(operator, 0).status == 404  # answered: it is not published
    until(lambda: service.request("/readyz").status == 200)
    logs = service.log.read_text()
    for secret in ("Traceback", "assay-pg-", "server on socket"):
        assert secret not in logs
    assert [line for line in service.lines() if line["message"] == "database is back"]


def test_one_that_hangs(server: PostgresServer, operator: Operator) -> None:
    server.hang()
    try:
        # More than there are threads; then those who come when it is known.
        for requests in (60, 60):
            check_refused(operator, requests)
    finally:
        server.go_on()
    check_recovered(operator.service, operator)


def test_one_that_is_stopped(server: PostgresServer, operator: Operator) -> None:
    server.stop()
    try:
        check_refused(operator, 60)
    finally:
        server.start()
    check_recovered(operator.service, operator)


def test_one_that_was_started_anew_is_not_noticed(
    server: PostgresServer, operator: Operator
) -> None:
    with ThreadPoolExecutor(20) as pool:  # so that there are connections that break
        assert {answer.status for answer in pool.map(lambda n: ask(operator, n), range(40))} == {
            200,
            404,
        }
    server.stop()
    server.start()
    assert ask(operator, 1).status == 200


def test_a_row_that_another_holds(server: PostgresServer, operator: Operator) -> None:
    url = make_url(operator.database or "")
    with psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname=url.database
    ) as holder:
        holder.execute("SELECT * FROM snapshots FOR UPDATE")
        status, problem = operator("POST", "/one/retire")
        assert (status, problem["code"]) == (503, "service.unavailable")
        assert ask(operator, 1).status == 200  # whoever needs no lock goes on
    assert operator("POST", "/one/retire")[0] == 202


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Operator]:
    exchange = make_exchange(tmp_path / "exchange", accounts=2)
    folder = tmp_path / "service"
    folder.mkdir()
    text = settings(exchange).replace("[limits]", "[limits]\ndatabase_seconds = 1")
    with running(folder, text, "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        assert operator.create("one")[0] == 201
        yield operator


def test_a_file_that_another_holds(on_sqlite: Operator) -> None:
    holder = sqlite3.connect(on_sqlite.service.folder / SQLITE_FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert on_sqlite.code("POST", "/one/retire") == (503, "service.unavailable")
    assert on_sqlite("GET", "/one")[0] == 200
    holder.execute("ROLLBACK")
    holder.close()
    assert on_sqlite("POST", "/one/retire")[0] == 202


def test_an_upload_to_a_disk_that_is_full(on_sqlite: Operator) -> None:
    pid = on_sqlite.service.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    place = f"/one/evidence/{LIST}"
    assert on_sqlite.code("PUT", place, bytes(5000)) == (507, "service.no-space")
    folder = on_sqlite.service.folder / "snapshots" / "one"
    assert [path.name for path in folder.iterdir()] == ["draft.toml"]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert on_sqlite.code("PUT", place, bytes(5000)) == (422, "evidence.refused")
    assert [line["error"] for line in on_sqlite.service.lines() if line["message"] == "failed"]


def test_a_disk_that_is_full(on_sqlite: Operator) -> None:
    service = on_sqlite.service
    written = max(path.stat().st_size for path in service.folder.rglob("*") if path.is_file())
    full = (written + 4096, resource.RLIM_INFINITY)
    free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, full)
    statuses = set()
    for number in range(200):
        statuses.add(on_sqlite("POST", "", wish(f"more-{number}"))[0])
        if 507 in statuses:
            break
    assert statuses <= {201, 503, 507}
    assert 503 in statuses or 507 in statuses
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, free)
    assert on_sqlite.create("again")[0] == 201
    assert "Traceback" not in service.log.read_text()
    assert service.lines()
