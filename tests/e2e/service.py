"""A running service of a test's own: ``assay serve`` on loopback, and raw requests to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Service(NamedTuple):
    """A running service: its port, its folder and its process."""

    port: int
    folder: Path
    process: subprocess.Popen[str]

    def request(
        self, path: str, method: str = "GET", body: bytes | str | None = None, **headers: str
    ) -> Answer:
        """Send one request with ``path`` exactly as written (no normalisation by a client)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())


@contextlib.contextmanager
def running(folder: Path, settings: str = "", *words: str) -> Iterator[Service]:
    """Run the service over ``folder``, with more settings in TOML and more words of the command."""
    file = folder / "settings.toml"
    file.write_text(f'folder = "."\n{settings}')
    process = subprocess.Popen(
        [BIN / "assay", "serve", "--settings", file, "--port", "0", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")},
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("the service ended before it listened")
        yield Service(int(found[1]), folder, process)
    finally:
        process.terminate()
        process.communicate(timeout=30)
