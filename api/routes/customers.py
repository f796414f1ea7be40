"""A customer's own package: ``GET /me/inclusion/{snapshot}``, and links to it.

Whose package it is comes from one claim of a token that the exchange signed, and from nothing else:
the request has no place to name an account. An account that a snapshot does not hold and a snapshot
that there is not are answered alike. Packages are made from mapped files in a thread, so that a
page not yet in memory holds up one customer and not the service. Pages of the exchange's own web
application may ask, if the settings name their origins; a browser's cookies say nothing here. What
a link gives out any page may read, once: the link is the secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import Problem, ServiceCode, problems
from api.routes.auth import customer
from api.service import serving
from api.settings import CustomerSettings
from api.snapshots import links
from api.snapshots import states as snapshots
from api.snapshots.packages import Packages
from verifier.errors import Code
from verifier.format.params import OPENING_BYTES
from verifier.format.wire import Package, PackageBody, read_record

MSGPACK: Final = "application/vnd.msgpack"
JSON: Final = "application/json"
ANYBODY: Final = "*"

_NAMES: Final = {MSGPACK: {MSGPACK, "application/msgpack"}, JSON: {JSON}}
_RANGES: Final = {"*/*": 1, "application/*": 2}
_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "Authorization",
    "Access-Control-Max-Age": "600",
}

SnapshotId = Annotated[str, PathParameter(pattern=snapshots.ID_PATTERN)]
Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Hex64 = Annotated[str, Field(pattern="^[0-9a-f]{128}$")]


class PartJson(BaseModel):
    """A part of a balance; the amount is a decimal, for it may exceed what a float holds."""

    amount: Annotated[str, Field(pattern="^[1-9][0-9]{0,19}$")]
    leaf: int
    opening: Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * OPENING_BYTES}}}$")]
    part: int
    path: Annotated[str, Field(pattern="^(?:[0-9a-f]{64}){4,6}$")]


class PackageAssetJson(BaseModel):
    """The parts of one asset."""

    code: str
    parts: list[PartJson]


class PackageBodyJson(BaseModel):
    """What is signed."""

    account_id: str
    account_key: Hex32
    assets: list[PackageAssetJson]
    manifest: Hex32
    version: int


class PackageJson(BaseModel):
    """An inclusion package: the fields of its msgpack form, binary as hex (docs/service.md)."""

    body: PackageBodyJson
    log: Annotated[str, Field(pattern="^$")]
    signature: Hex64

    @classmethod
    def of(cls, data: bytes) -> PackageJson:
        """Return the JSON form of a package in msgpack."""
        package = read_record(Package, data)
        body = read_record(PackageBody, package.body)
        return cls(
            body=PackageBodyJson(
                account_id=body.account_id,
                account_key=body.account_key.hex(),
                assets=[
                    PackageAssetJson(
                        code=asset.code,
                        parts=[
                            PartJson(
                                amount=str(part.amount),
                                leaf=part.leaf,
                                opening=part.opening.hex(),
                                part=part.part,
                                path=part.path.hex(),
                            )
                            for part in asset.parts
                        ],
                    )
                    for asset in body.assets
                ],
                manifest=body.manifest.hex(),
                version=body.version,
            ),
            log=package.log.hex(),
            signature=package.signature.hex(),
        )


def choose(accept: str) -> str | None:
    """Return the media type that an ``Accept`` header likes best, None if it takes neither.

    The most specific range that names a type decides its quality (RFC 9110, 12.5.1); of two types
    liked equally it is msgpack. A malformed quality counts as 0.
    """
    if not accept.strip():
        return MSGPACK
    best = {MSGPACK: (0, 0.0), JSON: (0, 0.0)}  # precision of the range, and its quality
    for item in accept.split(","):
        media, *parameters = (text.strip().lower() for text in item.split(";"))
        for kind, (precision, _) in best.items():
            found = 3 if media in _NAMES[kind] else _RANGES.get(media, 0)
            if found > precision:
                best[kind] = (found, _quality(parameters))
    kind = max(best, key=lambda kind: best[kind][1])
    return kind if best[kind][1] > 0 else None


def _quality(parameters: Sequence[str]) -> float:
    text = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    return float(text) if _QUALITY.fullmatch(text) else 0.0


router = APIRouter(prefix="/me", tags=["customers"])


@router.get(
    "/inclusion/{snapshot}",
    summary="The caller's own inclusion package",
    response_model=PackageJson,
    responses={
        200: {
            "description": "The package.",
            "content": {MSGPACK: {"schema": {"type": "string", "contentMediaType": MSGPACK}}},
        },
        **problems(
            ServiceCode.UNAUTHENTICATED,
            ServiceCode.NOT_FOUND,
            ServiceCode.NOT_ACCEPTABLE,
            ServiceCode.RETIRED,
            ServiceCode.UNAVAILABLE,
        ),
    },
)
async def inclusion(
    request: Request, snapshot: SnapshotId, account: Annotated[str, Depends(customer)]
) -> Response:
    """Return the package of the account that the caller's token names, in msgpack or JSON as
    ``Accept`` says."""
    kind = choose(",".join(request.headers.getlist("accept")))
    if kind is None:
        raise Problem(ServiceCode.NOT_ACCEPTABLE, f"{MSGPACK} or {JSON}")
    packages = serving(request).packages
    assert packages is not None  # noqa: S101 (this route is there because they are)
    body = await run_in_threadpool(_body, packages, snapshot, account, kind)
    return Response(body, headers=_HEADERS, media_type=kind)


def _body(packages: Packages, snapshot: str, account: str, kind: str) -> bytes:
    package = packages.package(snapshot, account)
    return package if kind == MSGPACK else PackageJson.of(package).model_dump_json().encode()


links_router = APIRouter(tags=["customers"])


@links_router.post(
    router.prefix + "/inclusion/{snapshot}/link",
    summary="A link to the caller's own inclusion package",
    response_class=PlainTextResponse,
    responses=problems(
        ServiceCode.UNAUTHENTICATED,
        ServiceCode.NOT_FOUND,
        ServiceCode.RETIRED,
        Code.PACKAGE_TOO_LARGE,
        ServiceCode.UNAVAILABLE,
    ),
)
async def link(
    request: Request, snapshot: SnapshotId, account: Annotated[str, Depends(customer)]
) -> Response:
    """Return the fragment of the URL by which the customer's page checks the package.

    It is `package=BASE64URL&bundle=URL`, or, where that is longer than 16,384 characters,
    `from=URL&bundle=URL`, with an address that gives the package once, within ten minutes.
    """
    made = serving(request).links
    assert made is not None  # noqa: S101 (this route is there because they are)
    text = await run_in_threadpool(made.fragment, snapshot, account)
    return PlainTextResponse(text, headers={**_HEADERS, "Vary": "Authorization"})


@links_router.get(
    links.PATH + "/{token}",
    summary="The package of a link, once",
    response_class=Response,
    responses={
        200: {
            "description": "The package.",
            "content": {MSGPACK: {"schema": {"type": "string", "contentMediaType": MSGPACK}}},
        },
        **problems(ServiceCode.NOT_FOUND, ServiceCode.RETIRED, ServiceCode.UNAVAILABLE),
    },
)
async def linked(request: Request, token: str) -> Response:
    """Return the package that a token stands for, which is spent by that.

    A token that was spent, is over or never was gets 404.
    """
    made = serving(request).links
    assert made is not None  # noqa: S101 (this route is there because they are)
    package = await run_in_threadpool(made.redeem, token)
    return Response(package, headers={"Cache-Control": "no-store"}, media_type=MSGPACK)


class _Origins:
    """Middleware: lets pages of some origins read what is answered below a path, refusals of every
    kind included."""

    def __init__(self, app: ASGIApp, below: str, origins: Sequence[str]) -> None:
        self._app = app
        self._below = f"{below}/"
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._below):
            await self._app(scope, receive, send)
            return
        asking = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")

        async def send_allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if ANYBODY not in self._origins:
                    headers.add_vary_header("Origin")
                allowed = self._origins & {asking, ANYBODY}
                if allowed:
                    headers["Access-Control-Allow-Origin"] = min(allowed)
                    headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-ID"
            await send(message)

        await self._app(scope, receive, send_allowing)


def preflight() -> Response:
    """Say what a page of an allowed origin may send."""
    return Response(status_code=204, headers=_PREFLIGHT)


def add_routes(app: FastAPI, settings: CustomerSettings) -> None:
    """Let customers have their packages."""
    app.include_router(router)
    if settings.origins:
        _let_read(app, f"{router.prefix}/inclusion/{{snapshot}}", router.prefix, settings.origins)
    if settings.address is not None:
        app.include_router(links_router)
        _let_read(app, links.PATH + "/{token}", links.PATH, [ANYBODY])


def _let_read(app: FastAPI, path: str, below: str, origins: Sequence[str]) -> None:
    """Let pages of some origins ask for a path, and read all that is answered below another."""
    app.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)
    app.add_middleware(_Origins, below=below, origins=origins)
