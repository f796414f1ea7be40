"""The public files, over real HTTP on loopback: only a bundle's files, whole or by range."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.support.service import Service, running

PAGES = random.Random(7).randbytes(300_000)
HISTORY = b'{"version": 1, "snapshots": []}'
PAGE = b"<!doctype html>"
BUNDLE = "/snapshots/2026-q1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "secret").write_bytes(b"outside the bundle")
    (folder / "page.html").write_bytes(PAGE)
    published = folder / "published"
    files = {
        "history.json": HISTORY,
        "snapshots/2026-q1/manifest.msgpack": b"manifest",
        "snapshots/2026-q1/manifest.sig": b"signature",
        "snapshots/2026-q1/declaration.msgpack": b"declaration",
        "snapshots/2026-q1/evidence/BTC.msgpack": b"evidence",
        "snapshots/2026-q1/pages/BTC/0": PAGES,
        "snapshots/2026-q1/pages/BTC/3": b"",
        "snapshots/2026-q1/pages/BTC/notes.txt": b"stray",
        "snapshots/2026-q1/stray.msgpack": b"stray",
        "elsewhere/manifest.sig": b"outside",
    }
    for name, content in files.items():
        path = published / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (published / "snapshots/2026-q1/pages/BTC/1").symlink_to(folder / "secret")
    (published / "snapshots/2026-q1/pages/BTC/4").mkdir()
    (published / "snapshots/linked").symlink_to(published / "elsewhere")
    with running(folder, 'page = "page.html"', "--no-worker") as service:
        yield service


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{BUNDLE}/manifest.msgpack", b"manifest"),
        (f"{BUNDLE}/manifest.sig", b"signature"),
        (f"{BUNDLE}/declaration.msgpack", b"declaration"),
        (f"{BUNDLE}/evidence/BTC.msgpack", b"evidence"),
        (f"{BUNDLE}/pages/BTC/0", PAGES),
    ],
)
def test_serves_each_kind_of_bundle_file(server: Service, path: str, body: bytes) -> None:
    answer = server.request(path)
    assert answer.status == HTTPStatus.OK
    assert answer.body == body
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1000, 51_999), (299_999, 299_999)])
def test_serves_byte_ranges(server: Service, first: int, last: int) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", Range=f"bytes={first}-{last}")
    assert answer.status == HTTPStatus.PARTIAL_CONTENT
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(PAGES)}"
    assert answer.body == PAGES[first : last + 1]


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=299990-", 299_990, 300_000),
        ("bytes=-10", 299_990, 300_000),
        ("bytes=-999999", 0, 300_000),
        ("bytes=299990-999999999999999999999999", 299_990, 300_000),
    ],
)
def test_serves_open_ranges(server: Service, asked: str, first: int, end: int) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", Range=asked)
    assert answer.status == HTTPStatus.PARTIAL_CONTENT
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{len(PAGES)}"
    assert answer.body == PAGES[first:end]


@pytest.mark.parametrize("asked", [f"bytes={len(PAGES)}-", "bytes=-0", "bytes=" + "9" * 99 + "-"])
def test_refuses_a_range_beyond_the_end(server: Service, asked: str) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", Range=asked)
    assert answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert answer.headers["content-range"] == f"bytes */{len(PAGES)}"
    assert json.loads(answer.body)["code"] == "request.range-not-satisfiable"


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,4-5", "bytes=5-4", "bytes=-", "bytes=a-b", "pages=0-1", "bytes=0-" + "9" * 5000],
)
def test_serves_the_whole_file_for_what_is_no_single_range(server: Service, asked: str) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", Range=asked)
    assert (answer.status, answer.body) == (HTTPStatus.OK, PAGES)


def test_serves_an_empty_file(server: Service) -> None:
    assert server.request(f"{BUNDLE}/pages/BTC/3").body == b""
    answer = server.request(f"{BUNDLE}/pages/BTC/3", Range="bytes=0-")
    assert answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def test_head_says_what_get_would_send(server: Service) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", "HEAD", Range="bytes=0-9")
    assert (answer.status, answer.body) == (HTTPStatus.OK, b"")
    assert answer.headers["content-length"] == str(len(PAGES))


def test_known_etag_needs_no_second_transfer(server: Service) -> None:
    etag = server.request(f"{BUNDLE}/pages/BTC/0", "HEAD").headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = server.request(f"{BUNDLE}/pages/BTC/0", If_None_Match=known)
        assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    assert server.request(f"{BUNDLE}/pages/BTC/0", If_None_Match='"other"').body == PAGES


def test_range_of_another_version_gets_the_whole_file(server: Service) -> None:
    path = f"{BUNDLE}/pages/BTC/0"
    etag = server.request(path, "HEAD").headers["etag"]
    assert server.request(path, Range="bytes=0-9", If_Range=etag).body == PAGES[:10]
    for other in ('"other"', f"W/{etag}", "Sun, 06 Nov 1994 08:49:37 GMT"):
        assert server.request(path, Range="bytes=0-9", If_Range=other).body == PAGES


def test_history_is_asked_for_anew(server: Service) -> None:
    answer = server.request("/history.json")
    assert (answer.status, answer.body) == (HTTPStatus.OK, HISTORY)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=60, no-transform"
    etag = answer.headers["etag"]
    assert server.request("/history.json", If_None_Match=etag).status == HTTPStatus.NOT_MODIFIED
    changed = server.folder / "published/history.new"
    changed.write_bytes(HISTORY + b" ")
    changed.rename(server.folder / "published/history.json")
    assert server.request("/history.json", If_None_Match=etag).body == HISTORY + b" "


def test_pages_of_other_origins_may_read_ranges(server: Service) -> None:
    path = f"{BUNDLE}/pages/BTC/0"
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    preflight = server.request(path, "OPTIONS", Origin="https://other.example", **asked)
    assert preflight.status == HTTPStatus.NO_CONTENT
    assert "Range" in preflight.headers["access-control-allow-headers"]
    for asked_path in (path, f"{BUNDLE}/pages/BTC/2"):
        answer = server.request(asked_path, Origin="https://other.example", Range="bytes=0-9")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Content-Range" in answer.headers["access-control-expose-headers"]


def test_the_customers_page_is_served_with_its_own_policy(server: Service) -> None:
    answer = server.request("/check.html")
    assert (answer.status, answer.body) == (HTTPStatus.OK, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_nothing_is_compressed(server: Service) -> None:
    answer = server.request(f"{BUNDLE}/pages/BTC/0", Accept_Encoding="gzip, br")
    assert "content-encoding" not in answer.headers
    assert answer.body == PAGES


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/snapshots",
        "/snapshots/",
        f"{BUNDLE}",
        f"{BUNDLE}/",
        f"{BUNDLE}/stray.msgpack",
        f"{BUNDLE}/pages/BTC/notes.txt",
        f"{BUNDLE}/pages/BTC/1",  # a link out of the folder
        f"{BUNDLE}/pages/BTC/2",
        f"{BUNDLE}/pages/BTC/4",  # a folder
        f"{BUNDLE}/pages/BTC/00",
        f"{BUNDLE}/pages/BTC/0/",
        f"{BUNDLE}/pages/BTC",
        f"{BUNDLE}/pages/btc/0",
        f"{BUNDLE}/pages/BTC/0%0a",
        f"{BUNDLE}/pages/BTC/%D9%A0",  # a digit, but not an ASCII one
        f"{BUNDLE}/evidence/../manifest.msgpack",
        f"{BUNDLE}/../../../secret",
        f"{BUNDLE}/%2e%2e/%2e%2e/history.json",
        f"{BUNDLE}/pages/..%2f..%2f..%2f..%2fsecret",
        f"{BUNDLE}/pages/BTC/0%00",
        f"/{BUNDLE}/manifest.sig",
        "/snapshots/linked/manifest.sig",  # a folder that is a link
        "/snapshots/2026-Q1/manifest.sig",
        "/history.json/",
        "/settings.toml",
        "//etc/passwd",
        "/docs",
    ],
)
def test_anything_else_is_not_found(server: Service, path: str) -> None:
    answer = server.request(path)
    assert answer.status == HTTPStatus.NOT_FOUND
    assert json.loads(answer.body)["code"] == "request.not-found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(server: Service, method: str) -> None:
    answer = server.request(f"{BUNDLE}/manifest.sig", method)
    assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert server.request(f"{BUNDLE}/manifest.sig").body == b"signature"
