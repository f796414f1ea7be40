"""The bundle server, over real HTTP on loopback: only a bundle's files, whole or by range."""

from __future__ import annotations

import http.client
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest

from api import Settings, create_app

PAGES = random.Random(7).randbytes(300_000)


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server(NamedTuple):
    """A running server: its port and the folder it serves."""

    port: int
    bundle: Path

    def request(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send one request with ``path`` exactly as written (no normalisation by a client)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("published")
    (root / "secret").write_bytes(b"outside the bundle")
    bundle = root / "bundle"
    files = {
        "manifest.msgpack": b"manifest",
        "manifest.sig": b"signature",
        "evidence/BTC.msgpack": b"evidence",
        "pages/BTC/0": PAGES,
        "pages/BTC/notes.txt": b"stray",
        "stray.msgpack": b"stray",
    }
    for name, content in files.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (bundle / "pages/BTC/1").symlink_to(root / "secret")
    process = subprocess.Popen(
        [sys.executable, "-m", "api", str(bundle), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("the server ended before it listened")
        yield Server(int(found[1]), bundle)
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/manifest.msgpack", b"manifest"),
        ("/manifest.sig", b"signature"),
        ("/evidence/BTC.msgpack", b"evidence"),
        ("/pages/BTC/0", PAGES),
    ],
)
def test_serves_each_kind_of_bundle_file(server: Server, path: str, body: bytes) -> None:
    answer = server.request(path)
    assert answer.status == HTTPStatus.OK
    assert answer.body == body
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1000, 51_999), (299_999, 299_999)])
def test_serves_byte_ranges(server: Server, first: int, last: int) -> None:
    answer = server.request("/pages/BTC/0", Range=f"bytes={first}-{last}")
    assert answer.status == HTTPStatus.PARTIAL_CONTENT
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(PAGES)}"
    assert answer.body == PAGES[first : last + 1]


def test_refuses_a_range_beyond_the_end(server: Server) -> None:
    answer = server.request("/pages/BTC/0", Range=f"bytes={len(PAGES)}-")
    assert answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def test_known_etag_needs_no_second_transfer(server: Server) -> None:
    etag = server.request("/pages/BTC/0", method="HEAD").headers["etag"]
    again = server.request("/pages/BTC/0", If_None_Match=etag)
    assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    assert server.request("/pages/BTC/0", If_None_Match='"other"').body == PAGES


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/stray.msgpack",
        "/pages/BTC/notes.txt",
        "/pages/BTC/1",  # a link out of the folder
        "/pages/BTC/2",
        "/pages/BTC/00",
        "/pages/BTC/0/",
        "/pages/BTC",
        "/pages/btc/0",
        "/pages/BTC/0%0a",
        "/pages/BTC/%D9%A0",  # a digit, but not an ASCII one
        "/evidence/../manifest.msgpack",
        "/../secret",
        "/%2e%2e/secret",
        "/pages/..%2f..%2fsecret",
        "/pages/BTC/0%00",
        "//etc/passwd",
        "/docs",
        "/openapi.json",
    ],
)
def test_anything_else_is_not_found(server: Server, path: str) -> None:
    assert server.request(path).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(server: Server, method: str) -> None:
    answer = server.request("/manifest.sig", method=method)
    assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert (server.bundle / "manifest.sig").read_bytes() == b"signature"


def test_a_missing_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        create_app(Settings(bundle=tmp_path / "absent"))
