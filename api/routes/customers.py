"""A customer's own package: ``GET /me/inclusion/{snapshot}``.

Whose package it is comes from one claim of a token that the exchange signed, and from nothing else:
the request has no place to name an account. An account that a snapshot does not hold and a snapshot
that there is not are answered alike. Packages are made from mapped files in a thread, so that a
page not yet in memory holds up one customer and not the service. Pages of the exchange's own web
application may ask, if the settings name their origins; a browser's cookies say nothing here.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.callers.auth import customer
from api.callers.issuer import Issuer
from api.database.gate import Gate
from api.http.problems import Problem, ServiceCode, problems
from api.settings import CustomerSettings
from api.snapshots import states as snapshots
from prover.errors import ProverError
from prover.frozen import read_frozen
from prover.keys import public_bytes, read_signing_key
from prover.packages import NoSuchAccount, Packager
from prover.snapshot import PRIVATE, RECORD
from verifier.format.wire import Package, PackageBody, read_record

MSGPACK: Final = "application/vnd.msgpack"
JSON: Final = "application/json"
CACHED_SNAPSHOTS: Final = 8

_log = logging.getLogger(__name__)

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
    part: int


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
                            PartJson(amount=str(part.amount), leaf=part.leaf, part=part.part)
                            for part in asset.parts
                        ],
                    )
                    for asset in body.assets
                ],
                manifest=body.manifest.hex(),
                version=body.version,
            ),
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


class Packages:
    """Makes packages of published snapshots; keeps the few that were asked for last mapped.

    folder: of all snapshots. signing_keys: paths; a snapshot made with none of them is signed for
    with the key that its own record names.

    Raises:
        ProverError: a signing key cannot be read.
    """

    def __init__(self, database: Gate, folder: Path, signing_keys: Sequence[Path]) -> None:
        self._database = database
        self._folder = folder
        self._keys = {public_bytes(read_signing_key(path)): path for path in signing_keys}
        self._mapped: OrderedDict[str, Packager] = OrderedDict()
        self._lock = threading.RLock()

    def package(self, snapshot: str, account: str) -> bytes:
        """Return the package of an account, whose id may be in any form.

        Raises:
            Problem: there is no such published snapshot, or no such account in it; the snapshot is
                retired; or its private files cannot be read.
        """
        try:
            packager = self._packager(snapshot)
            return packager.package(packager.index_of(account))
        except (NoSuchAccount, snapshots.Unknown):
            raise Problem(ServiceCode.NOT_FOUND) from None
        except (ProverError, OSError) as error:
            _log.error("no packages of %s: %s", snapshot, error)
            raise Problem(ServiceCode.UNAVAILABLE) from None

    def drop(self, snapshot: str) -> None:
        """Let go of a snapshot's files."""
        with self._lock:
            self._mapped.pop(snapshot, None)

    def _packager(self, snapshot: str) -> Packager:
        self._check_open(snapshot)
        with self._lock:
            if snapshot not in self._mapped:
                # It may have been retired, and dropped, since: then nothing is mapped any more.
                self._check_open(snapshot)
                self._mapped[snapshot] = self._open(self._folder / snapshot)
            self._mapped.move_to_end(snapshot)
            if len(self._mapped) > CACHED_SNAPSHOTS:
                self._mapped.popitem(last=False)
            return self._mapped[snapshot]

    def _check_open(self, snapshot: str) -> None:
        with self._database.connect() as connection:
            state = snapshots.state_of(connection, snapshot)
        if state not in snapshots.OPENED:
            self.drop(snapshot)
            if state in snapshots.GONE:
                raise Problem(ServiceCode.RETIRED)
            raise snapshots.Unknown

    def _open(self, folder: Path) -> Packager:
        made_with = read_frozen(folder / PRIVATE / RECORD).public_key
        return Packager(folder, self._keys.get(made_with))


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
    packages: Packages = request.app.state.packages
    body = await run_in_threadpool(_body, packages, snapshot, account, kind)
    return Response(body, headers=_HEADERS, media_type=kind)


def _body(packages: Packages, snapshot: str, account: str, kind: str) -> bytes:
    package = packages.package(snapshot, account)
    return package if kind == MSGPACK else PackageJson.of(package).model_dump_json().encode()


class _Origins:
    """Middleware: lets pages of the exchange's origins read what customers are answered, refusals
    of every kind included."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{router.prefix}/"):
            await self._app(scope, receive, send)
            return
        asking = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")

        async def send_allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if asking in self._origins:
                    headers["Access-Control-Allow-Origin"] = asking
                    headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-ID"
            await send(message)

        await self._app(scope, receive, send_allowing)


def preflight() -> Response:
    """Say what a page of an allowed origin may send."""
    return Response(status_code=204, headers=_PREFLIGHT)


def add_routes(app: FastAPI, settings: CustomerSettings) -> None:
    """Let customers have their packages.

    Raises:
        ProverError: a signing key cannot be read.
    """
    state = app.state
    state.customers = Issuer(settings, required=settings.account_claim)
    state.packages = Packages(state.database, state.settings.snapshots, settings.signing_keys)
    app.include_router(router)
    if settings.origins:
        app.add_api_route(
            f"{router.prefix}/inclusion/{{snapshot}}",
            preflight,
            methods=["OPTIONS"],
            include_in_schema=False,
        )
        app.add_middleware(_Origins, origins=settings.origins)
