"""The service as its operators meet it: ``assay serve`` and ``assay worker``, over loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.callers import tokens
from api.database.engine import open_database
from api.scope import Scope
from api.settings import SQLITE_FILE
from tests.support.served_exchange import BLOCKS, LIST, TIME, Exchange
from tests.support.service import BIN, Answer, Service
from verifier.format.times import utc_text

ALL = ("snapshots:read", "snapshots:write", "snapshots:publish")
ROOT = "/operator/snapshots"
UPLOAD_BYTES = 20_000
MOVING = {"queued", "proving", "cancelling", "publishing", "retiring"}


@dataclass(frozen=True)
class Operator:
    """Someone with a token, and the service that they talk to."""

    service: Service
    token: str
    database: str | None = None

    def __call__(
        self, method: str, path: str = "", body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request below the operators' root; return status, and content if it is JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content_Type", "application/json")
        answer = self.send(method, path, data, **headers)
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.status, json.loads(answer.body) if is_json else answer.body

    def send(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Answer:
        """Send a request; return the answer as it came."""
        return self.service.request(
            ROOT + path, method, data, Authorization=f"Bearer {self.token}", **headers
        )

    def create(self, snapshot_id: str, time: int = TIME) -> tuple[int, Any]:
        """Draft a snapshot."""
        return self("POST", "", wish(snapshot_id, time))

    def draft(self, exchange: Exchange, snapshot_id: str = "one", time: int = TIME) -> None:
        """Draft a snapshot and upload what its wallets signed."""
        assert self.create(snapshot_id, time)[0] == 201
        _, challenge = self("GET", f"/{snapshot_id}/challenge")
        listed = exchange.evidence(challenge["messages"])
        assert self("PUT", f"/{snapshot_id}/evidence/{LIST}", listed)[0] == 200

    def rest(self, snapshot_id: str = "one") -> Any:
        """Poll until nothing is done to a snapshot any more; return it."""
        end = time.monotonic() + 180
        while True:
            status, found = self("GET", f"/{snapshot_id}")
            assert status == 200, found
            if found["state"] not in MOVING:
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def code(self, method: str, path: str = "", body: object = None) -> tuple[int, str]:
        """Return status and code of a request that is refused."""
        status, problem = self(method, path, body)
        return status, problem["code"]

    @contextlib.contextmanager
    def events(self, snapshot_id: str, last: str = "") -> Iterator[http.client.HTTPResponse]:
        """Open the stream of events."""
        headers = {"Authorization": f"Bearer {self.token}"} | (
            {"Last-Event-ID": last} if last else {}
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", f"{ROOT}/{snapshot_id}/events", headers=headers)
            yield connection.getresponse()


def wish(snapshot_id: str, time: int = TIME) -> dict[str, Any]:
    """Return the body of a request for a draft."""
    blocks = {name: {"height": block.height, "hash": block.hash} for name, block in BLOCKS.items()}
    return {
        "source": "main",
        "snapshot_id": snapshot_id,
        "time": utc_text(time),
        "blocks": blocks,
    }


def settings(exchange: Exchange, more: str = "") -> str:
    """Return the settings of a service with one source."""
    return f"""
jobs = 2
{more}
[limits]
upload_bytes = {UPLOAD_BYTES}
address_rate = 1000000
operator_rate = 1000000
customer_rate = 1000000
public_rate = 1000000
[sources.main]
config = "{exchange.source}"
"""


def token(folder: Path, *scopes: str, database: str | None = None) -> str:
    """Make an operator's token of a service that runs in a folder."""
    engine = open_database(database or f"sqlite:///{folder / SQLITE_FILE}")
    with engine.begin() as connection:
        _, secret = tokens.create(connection, "ops", [Scope(scope) for scope in scopes], 3600)
    engine.dispose()
    return secret


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``assay worker`` beside a service without one."""
    process = subprocess.Popen(
        [BIN / "assay", "worker", "--settings", folder / "settings.toml"],
        text=True,
        stderr=subprocess.PIPE,
        env=plain_environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def plain_environment() -> Mapping[str, str]:
    """Return the environment without settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}


def until(look: Callable[[], Any]) -> Any:
    """Return what ``look`` finds, once it does."""
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")
