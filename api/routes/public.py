"""The public files: the history, and every published bundle, whole or by byte range.

Invariants: only the paths that a bundle can hold (``spec/wire.md``, section 2) are looked up at
all, so a stray file stays unseen; what is opened is the very path, without any link; nothing is
written. Everybody may read from anywhere, so there is nothing to authenticate, and CORS is open.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple

from fastapi import FastAPI, Path, Response
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.observe import PUBLIC_TAG
from api.http.problems import COMMON, Problem, ServiceCode, answer_problem, problems
from api.settings import Settings
from api.snapshots.states import ID_PATTERN
from prover.publish.targets import CHANGING, IMMUTABLE
from verifier.format.params import ASSET_CODE, SNAPSHOT_ID

_LEVEL: Final = "(?:0|[1-9][0-9]?)"
_PATH: Final = re.compile(
    rf"snapshots/{SNAPSHOT_ID.pattern}/(?:"
    r"manifest\.msgpack|manifest\.sig|declaration\.msgpack|arguments\.msgpack|arguments\.sig"
    rf"|evidence/{ASSET_CODE.pattern}\.msgpack"
    rf"|pages/{ASSET_CODE.pattern}/{_LEVEL}|arguments/{ASSET_CODE.pattern}/(?:{_LEVEL}|solvency))",
    re.ASCII,
)
# One range; a request for several, or in another unit, is answered with the whole file.
_RANGE: Final = re.compile(rb"bytes=(?:([0-9]{1,100})-([0-9]{0,100})|-([0-9]{1,100}))", re.ASCII)

Headers = list[tuple[bytes, bytes]]

_CORS: Final[Headers] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Accept-Ranges, Content-Range, ETag, X-Request-ID"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_PREFLIGHT: Final[Headers] = [
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"Range, If-Range, If-None-Match"),
    (b"access-control-max-age", b"86400"),
]
_FIXED: Final[Headers] = [
    *_CORS,
    (b"accept-ranges", b"bytes"),
    (b"x-content-type-options", b"nosniff"),
]
# A published bundle never changes: the next snapshot has an address of its own. What is compressed
# on its way would have other ranges, and another digest.
_BUNDLE_FILE: Final[Headers] = [
    *_FIXED,
    (b"content-type", b"application/octet-stream"),
    (b"cache-control", f"{IMMUTABLE}, no-transform".encode()),
]
_CHANGING: Final[Headers] = [*_FIXED, (b"cache-control", f"{CHANGING}, no-transform".encode())]
_HISTORY: Final[Headers] = [*_CHANGING, (b"content-type", b"application/json")]
# The page brings its own policy; where it may be framed only a header can say.
_PAGE: Final[Headers] = [
    *_CHANGING,
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
]

_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
_CHUNK_BYTES: Final = 256 * 1024
_METHODS: Final = ["GET", "HEAD", "OPTIONS"]


class _File(NamedTuple):
    """An open file of the published root."""

    descriptor: int
    size: int
    etag: bytes


class _Root(NamedTuple):
    """Where the published folder and the customer's page are in truth."""

    published: str
    page: str | None


class _PublicRoute(APIRoute):
    """A route that answers from the published root, with nothing in between."""

    root: _Root

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not in a way that pages of other origins can read."""
        request = Request(scope, receive)
        try:
            await _answer(self.root, scope, send)
        except Problem as problem:
            response = await answer_problem(request, problem)
            response.raw_headers.extend(_CORS)
            await response(scope, receive, send)


class _ShortCut:
    """Middleware that hands a request for a public file to its route, past the framework's layers:
    routing, dependencies and tracing would take as long as the answer.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[str, _PublicRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = (
            self._routes.get(scope["path"].split("/", 2)[1]) if scope["type"] == "http" else None
        )
        if route is None:
            await self._app(scope, receive, send)
        else:
            scope["route"] = route
            await route.handle(scope, receive, send)


def history() -> None:
    """Every published snapshot, oldest first, each with the digest of the one before.

    Unsigned: the signed manifests prove every claim of it.
    """


def bundle_file(
    snapshot_id: Annotated[str, Path(pattern=ID_PATTERN)],
    path: Annotated[str, Path(description="A path that a bundle can hold.")],
) -> None:
    """A file of a published bundle, which never changes.

    One byte range is answered with exactly that range, several with the whole file.
    """


def page() -> None:
    """The customer's page, if the settings name it."""


def add_routes(app: FastAPI, settings: Settings) -> None:
    """Add the public files that the settings name."""
    page_file = None if settings.page is None else os.path.realpath(settings.page)
    root = _Root(os.path.realpath(settings.published), page_file)
    routes = {
        "history.json": _route("/history.json", history, "application/json", {"type": "object"}),
        "snapshots": _route(
            "/snapshots/{snapshot_id}/{path:path}",
            bundle_file,
            "application/octet-stream",
            {"type": "string", "format": "binary"},
        ),
        "check.html": _route("/check.html", page, "text/html", {"type": "string"}),
    }
    heads = [_head(route) for route in routes.values()]
    for route in (*routes.values(), *heads):
        route.root = root
        app.router.routes.append(route)
    app.add_middleware(_ShortCut, routes=routes)


def _route(
    path: str, endpoint: Callable[..., None], media_type: str, schema: dict[str, str]
) -> _PublicRoute:
    content = {media_type: {"schema": schema}}
    responses: dict[int | str, dict[str, Any]] = {
        **COMMON,
        200: {"description": "The file", "content": content},
        206: {"description": "The range that was asked for", "content": content},
        304: {"description": "It is what `If-None-Match` names"},
        **problems(ServiceCode.NOT_FOUND, ServiceCode.METHOD_NOT_ALLOWED, ServiceCode.RANGE),
    }
    return _PublicRoute(
        path,
        endpoint,
        methods=["GET"],
        tags=[PUBLIC_TAG],
        response_class=Response,
        responses=responses,
    )


def _head(route: _PublicRoute) -> _PublicRoute:
    """Return the route that says of HEAD what ``route`` says of GET: an operation of its own."""
    responses = {
        status: {"description": found["description"]}
        for status, found in route.responses.items()
        if status not in (206, 416)
    }
    return _PublicRoute(
        route.path,
        route.endpoint,
        methods=["HEAD"],
        tags=[PUBLIC_TAG],
        response_class=Response,
        responses=responses,
    )


async def _answer(root: _Root, scope: Scope, send: Send) -> None:
    """Answer one request for a public file.

    Raises:
        Problem: there is no such file, or not that range of it.
    """
    path = scope["path"].removeprefix("/")
    kind = _kind(path)
    if kind is None:
        raise Problem(ServiceCode.NOT_FOUND)
    method = scope["method"]
    if method not in _METHODS:
        raise Problem(ServiceCode.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(_METHODS)})
    if method == "OPTIONS":
        await _send_head(send, 204, [*_CORS, *_PREFLIGHT])
        return
    at = root.page if kind is _PAGE else f"{root.published}/{path}"
    if at is None:
        raise Problem(ServiceCode.NOT_FOUND)
    file = _open(at)
    try:
        await _answer_file(file, kind, scope, send)
    finally:
        os.close(file.descriptor)


def _kind(path: str) -> Headers | None:
    if path == "history.json":
        return _HISTORY
    if path == "check.html":
        return _PAGE
    return _BUNDLE_FILE if _PATH.fullmatch(path) else None


async def _answer_file(file: _File, kind: Headers, scope: Scope, send: Send) -> None:
    fields = dict(scope["headers"])
    headers = [*kind, (b"etag", file.etag)]
    if _names(fields.get(b"if-none-match", b""), file.etag):
        await _send_head(send, 304, headers)
        return
    first, end, status = 0, file.size, 200
    asked = fields.get(b"range") if scope["method"] == "GET" else None
    if asked is not None and fields.get(b"if-range", file.etag) == file.etag:
        found = _range(asked, file.size)
        if found is not None:
            first, end = found
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (first, end - 1, file.size)))
    headers.append((b"content-length", b"%d" % (end - first)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await _send_body(file, first, end if scope["method"] == "GET" else first, send)


async def _send_head(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _send_body(file: _File, first: int, end: int, send: Send) -> None:
    while end - first > _CHUNK_BYTES:
        body = await _read(file.descriptor, first, _CHUNK_BYTES)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        first += len(body)
    body = await _read(file.descriptor, first, end - first)
    await send({"type": "http.response.body", "body": body})


def _open(path: str) -> _File:
    """Open a regular file at ``path``, which no link leads to.

    Raises:
        Problem: there is none.
        OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        raise Problem(ServiceCode.NOT_FOUND) from None
    found = os.fstat(descriptor)
    # Where the file is in truth: a Path would cost as much as all the rest.
    real = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    if not stat.S_ISREG(found.st_mode) or real != path:
        os.close(descriptor)
        raise Problem(ServiceCode.NOT_FOUND)
    etag = b'"%x-%x"' % (found.st_mtime_ns, found.st_size)
    return _File(descriptor, found.st_size, etag)


async def _read(descriptor: int, first: int, count: int) -> bytearray:
    """Read exactly ``count`` bytes: at once where they are in memory, else in a thread.

    Raises:
        OSError: the file became shorter.
    """
    buffer = bytearray(count)
    try:
        done = os.preadv(descriptor, [buffer], first, os.RWF_NOWAIT)
    except OSError:  # not in memory, or a file system that cannot tell
        done = 0
    if done < count:
        await asyncio.to_thread(_read_rest, descriptor, memoryview(buffer)[done:], first + done)
    return buffer


def _read_rest(descriptor: int, buffer: memoryview, first: int) -> None:
    while buffer:
        done = os.preadv(descriptor, [buffer], first)
        if done == 0:
            raise OSError("a published file became shorter")
        buffer, first = buffer[done:], first + done


def _range(asked: bytes, size: int) -> tuple[int, int] | None:
    """Return first byte and end of the range; none where the whole file is the answer.

    Raises:
        Problem: it is beyond the end.
    """
    match = _RANGE.fullmatch(asked)
    if match is None:
        return None
    start, last, suffix = match.groups()
    if suffix is not None:
        first, end = max(0, size - int(suffix)), size
    else:
        first, end = int(start), min(size, int(last) + 1) if last else size
        if last and int(last) < first:
            return None
    if first >= end:
        raise Problem(ServiceCode.RANGE, headers={"Content-Range": f"bytes */{size}"})
    return first, end


def _names(tags: bytes, etag: bytes) -> bool:
    """Say whether ``If-None-Match`` names the tag; weak ones match, too (RFC 9110, 13.1.2)."""
    return tags == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in tags.split(b","))
