"""What is read of a request: bounded in bytes and in time, and of the form that is expected."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from verifier.host.door import client_network

MAX_FORM_BYTES = 8 * 1024
MAX_SEARCH_CHARACTERS = 64
# A body has so many seconds, and one more for every so many bytes that came.
BODY_SECONDS, BODY_BYTES_PER_SECOND = 10.0, 16 * 1024


class Refused(Exception):
    """A request is refused: HTTP ``status``, why, and further headers of the answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})


def sender(request: Request) -> str:
    """Return who asks, as `client_network` has it."""
    return client_network(request.client.host if request.client else "")


def digest(request: Request, name: str = "digest") -> bytes:
    """Return the 32 bytes that a part of the path has in hex."""
    text = request.path_params[name]
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise Refused(404, "There is no such page.")
    return bytes.fromhex(text)


def page_number(request: Request) -> int:
    """Return the number of the page that is asked for, from 1 on."""
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise Refused(404, "There is no such page.")
    return int(text)


def search_text(request: Request) -> str:
    """Return what is searched for: nothing, or a text no longer than a key."""
    text = " ".join(request.query_params.get("q", "").split())
    if len(text) > MAX_SEARCH_CHARACTERS:
        raise Refused(404, "There is no such name.")
    return text


async def read_body(request: Request, limit: int) -> bytes:
    """Read at most ``limit`` bytes of a body, whatever length it declares, while they come."""
    data = bytearray()
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with asyncio.timeout_at(start + BODY_SECONDS) as wait:
            async for chunk in request.stream():
                data += chunk
                if len(data) > limit:
                    raise Refused(413, f"More than {limit} bytes.", _CLOSE)
                wait.reschedule(start + BODY_SECONDS + len(data) / BODY_BYTES_PER_SECOND)
    except ClientDisconnect:
        raise Refused(400, "Cut off.") from None
    except TimeoutError:
        raise Refused(408, "The request took too long.", _CLOSE) from None
    return bytes(data)


# The rest of the body would be taken for the next request.
_CLOSE = {"Connection": "close"}


async def read_form(request: Request) -> dict[str, str]:
    """Read a small form; of a field that occurs twice the last counts."""
    data = await read_body(request, MAX_FORM_BYTES)
    try:
        return dict(parse_qsl(data.decode("utf-8"), max_num_fields=16))
    except ValueError:
        raise Refused(400, "This is no form.") from None


async def package_form(request: Request, body: bytes) -> bytes:
    """Return the file ``package`` of a form that was read."""

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=4) as form:
            file = form.get("package")
            if not isinstance(file, UploadFile):
                raise Refused(400, "The form has no package.")
            return await file.read()
    except HTTPException:
        raise Refused(400, "This is no form.") from None
