"""How the host answers: pages in one look, files, and the headers of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verifier.host.front import Row
from verifier.host.requests import Refused
from verifier.host.shelf import Tagged
from verifier.host.standing import Bar, draw

# What may change is asked for again after a minute, by its entity tag; a manifest is named by its
# digest.
CHANGING = "public, max-age=60"
UNCHANGING = "public, max-age=31536000, immutable"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NOT_FOUND = 404


class Headers:
    """Middleware: what every answer carries; what anyone may read, pages of others may, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with these headers, but for those that an answer has of its own."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["method"] in ("GET", "HEAD"):
                    headers["Access-Control-Allow-Origin"] = "*"
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def refuse(request: Request, error: Exception) -> Response:
    """Answer `Refused`, and what the framework refuses: unknown paths and methods."""
    if isinstance(error, Refused):
        title = "Not found" if error.status == _NOT_FOUND else "Not taken"
        return notice(request, error.status, title, error.reason, error.headers)
    assert isinstance(error, HTTPException)  # noqa: S101 (there is no other handler of it)
    if error.status_code == _NOT_FOUND:
        return notice(request, _NOT_FOUND, "Not found", "There is no such page.")
    return notice(
        request, error.status_code, "Not taken", "This cannot be done here.", error.headers
    )


async def fail(request: Request, _: Exception) -> Response:
    """Answer where the host is at fault; this answer passes no middleware."""
    text = "Its operator finds more in the log."
    return notice(request, 500, "A fault of this host", text, _HEADERS)


def notice(
    request: Request, status: int, title: str, text: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a page of a sentence."""
    return page_answer(request, "notice.html", status, headers, title=title, text=text)


def page_answer(
    request: Request,
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response:
    """Return a page that is not kept."""
    page = render(template, settings=request.app.state.settings, **values)
    return HTMLResponse(page, status, headers)


def render(template: str, **values: object) -> bytes:
    """Return a page's bytes."""
    return TEMPLATES.get_template(template).render(**values).encode()


class Table:
    """Draws rows of the front as HTML, each once until it, or one of its days, is another."""

    def __init__(self) -> None:
        self._drawn: dict[bytes, tuple[Row, list[Bar], str]] = {}

    def row(self, row: Row, now: int) -> str:
        """Return a row as it is at a time."""
        bars = row.last_days(now)
        kept = self._drawn.get(row.key)
        if kept is None or kept[0] is not row or kept[1] != bars:
            html = render("row.html", row=row, drawn=draw(bars)).decode()
            kept = self._drawn[row.key] = row, bars, html
        return kept[2]


def file_answer(request: Request, signed: tuple[bytes, bytes], cache: str) -> Response:
    """Return the file of a signed record, or its signature, by the ending of the path."""
    kinds = ("msgpack", "sig")
    if request.path_params["kind"] not in kinds:
        raise Refused(_NOT_FOUND, "There is no such file.")
    made = Tagged.of(signed[kinds.index(request.path_params["kind"])])
    return conditional(request, made, "application/octet-stream", cache)


def conditional(request: Request, made: Tagged, media_type: str, cache: str) -> Response:
    """Answer with what was made, or that the reader has it (RFC 9110, 13.1.2)."""
    headers = {"Cache-Control": cache, "ETag": made.etag}
    had = request.headers.get("if-none-match", "")
    if had == "*" or made.etag in (tag.strip().removeprefix("W/") for tag in had.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(made.body, media_type=media_type, headers=headers)
