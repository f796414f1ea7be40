"""A running service of a test's own: ``assay serve`` on loopback, and raw requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI

from api.server import make_server
from api.settings import Settings

BIN = Path(sys.executable).parent


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """Whatever answers on a port of loopback."""

    port: int

    def request(
        self,
        path: str,
        method: str = "GET",
        body: bytes | str | None = None,
        *,
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """Send one request with ``path`` exactly as written (no normalisation by a client), from
        an address of this machine."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=10, source_address=(source, 0)
        )
        with contextlib.closing(connection):
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, fields)
            return read_answer(connection.getresponse())

    def send(self, *parts: bytes, pause: float = 0.0) -> Answer:
        """Send raw bytes with pauses in between, and return the first answer."""
        with self.connect() as connection:
            for at, part in enumerate(parts):
                time.sleep(pause if at else 0)
                with contextlib.suppress(ConnectionError):  # the answer came before the last part
                    connection.sendall(part)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return read_answer(response)

    def connect(self) -> socket.socket:
        """Return an open connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@dataclass(frozen=True)
class Service(Server):
    """A running service: its folder, its process, and where that logs."""

    folder: Path
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return the log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.contextmanager
def listening(app: FastAPI, settings: Settings) -> Iterator[tuple[Server, uvicorn.Server]]:
    """Serve ``app`` as `assay serve` does, in a thread of this process."""
    server = make_server(app, settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server does not start"
            time.sleep(0.01)
        yield Server(server.servers[0].sockets[0].getsockname()[1]), server
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def read_answer(response: http.client.HTTPResponse) -> Answer:
    """Read an answer to its end."""
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


@contextlib.contextmanager
def running(folder: Path, settings: str = "", *words: str) -> Iterator[Service]:
    """Run the service over ``folder``, with more settings in TOML and more words of the command."""
    file, log = folder / "settings.toml", folder / "log"
    file.write_text(f'folder = "."\n{settings}')
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [BIN / "assay", "serve", "--settings", file, "--port", "0", *words],
            stderr=stream,
            env=clean,
        )
    try:
        yield Service(_port(process, log), folder, process, log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port once the service listens."""
    for _ in range(2400):
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the service does not listen: {log.read_text()}")
