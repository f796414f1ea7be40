"""The host's public service: its history, its attestations, and two doors for strangers.

Whatever is handed in is bounded before it is read, and rare: a queue of a fixed length, one
audit at a time. Pages carry no script, and load nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

from verifier.errors import CannotCheck, Misuse
from verifier.host.alarms import MINUTES
from verifier.host.attestation import sign_exchange_list, verifier_version
from verifier.host.audits import Auditor
from verifier.host.complaints import check_complaint
from verifier.host.door import HostDoor, LoopbackDoor, PublicDoor
from verifier.host.follow import Follower
from verifier.host.pages import OPEN, SHOWN, exchange_views, facts
from verifier.host.settings import Settings
from verifier.host.store import Store
from verifier.host.watch import Watcher
from verifier.http_source import split_url
from verifier.keys import parse_public_key, public_key_text
from verifier.params import MAX_PACKAGE_BYTES
from verifier.verify import utc_text

MAX_FORM_BYTES = 8 * 1024
MAX_WAITING = 100
MAX_URL_CHARACTERS = 2000

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True
)


class Refused(Exception):
    """A request is refused: HTTP ``status``, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read_host_key(file: Path) -> Ed25519PrivateKey:
    """Read the auditor's signing key.

    Raises:
        Misuse: there is none.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise Misuse(f"{file}: no Ed25519 key in PKCS#8 PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misuse(f"{file}: not an Ed25519 key")
    return key


def create_app(settings: Settings) -> Starlette:
    """Return the host's service; it watches as long as it serves.

    Raises:
        Misuse: the key is none.
    """
    key = read_host_key(settings.key)
    store = Store(settings.folder / "host.sqlite")
    door: HostDoor = LoopbackDoor() if settings.loopback else PublicDoor()
    auditor = Auditor(settings, key, store, door)
    watcher = Watcher(settings, store, auditor, Follower(store, door, auditor))
    host = _Host(settings, key, store, door)

    @contextlib.asynccontextmanager
    async def watching(_: Starlette) -> AsyncIterator[None]:
        watcher.start()
        yield
        watcher.stop()

    routes = [
        Route("/", host.home),
        Route("/history.json", host.history),
        Route("/exchanges.{kind}", host.exchanges),
        Route("/attestations/{digest}.{kind}", host.attestation),
        Route("/manifests/{digest}.{kind}", host.manifest),
        Route("/complaints/{digest}", host.complaint),
        Route("/complaints/{digest}/package", host.package, methods=["POST"]),
        Route("/submissions", host.submit, methods=["POST"]),
        Route("/complaints", host.complain, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=watching, exception_handlers={Refused: _refuse})


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        Misuse: the key is none.
    """
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning")


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else 500
    return _page("notice.html", status=status, title="Not taken", text=str(error))


class _Host:
    """The handlers, over what they share."""

    def __init__(
        self, settings: Settings, key: Ed25519PrivateKey, store: Store, door: HostDoor
    ) -> None:
        self._settings = settings
        self._store = store
        self._door = door
        self._key_text = public_key_text(key.public_key().public_bytes_raw())
        self._list = sign_exchange_list(key, settings.exchanges, int(time.time()))

    async def home(self, _: Request) -> Response:
        """The page of everything."""
        views = await run_in_threadpool(
            exchange_views, self._settings, self._store, int(time.time()), SHOWN
        )
        return _page(
            "home.html",
            settings=self._settings,
            exchanges=views,
            open=OPEN,
            key=self._key_text,
            verifier=verifier_version(),
            submissions=self._store.submissions()[-20:],
            now=utc_text(int(time.time()), MINUTES),
        )

    async def history(self, _: Request) -> Response:
        """The same for programs."""
        views = await run_in_threadpool(
            exchange_views, self._settings, self._store, int(time.time())
        )
        return JSONResponse({"auditor": self._settings.name, "exchanges": list(map(facts, views))})

    async def exchanges(self, request: Request) -> Response:
        """The signed list of exchanges."""
        return _file(request, *self._list)

    async def attestation(self, request: Request) -> Response:
        """An attestation or its signature."""
        found = self._store.snapshot(_digest(request))
        if found is None:
            raise Refused(404, "No such attestation.")
        return _file(request, found.attestation, found.attestation_signature)

    async def manifest(self, request: Request) -> Response:
        """A manifest as it was seen, or its signature: the evidence of an alarm."""
        found = self._store.snapshot(_digest(request))
        if found is None:
            raise Refused(404, "No such manifest.")
        return _file(request, found.manifest, found.signature)

    async def complaint(self, request: Request) -> Response:
        """A failing package: digest and code, and a warning before the package itself."""
        found = self._store.complaint(_digest(request))
        if found is None:
            raise Refused(404, "No such complaint.")
        return _page("complaint.html", complaint=found, time=utc_text(found.time, MINUTES))

    async def package(self, request: Request) -> Response:
        """The package, to whoever has read the warning."""
        found = self._store.complaint(_digest(request))
        form = await _form(request)
        if found is None or found.package is None or form.get("understood") != "yes":
            raise Refused(404, "No such package, or its owner keeps it private.")
        headers = {"Content-Disposition": f'attachment; filename="{found.digest.hex()}.package"'}
        return Response(found.package, media_type="application/octet-stream", headers=headers)

    async def submit(self, request: Request) -> Response:
        """Queue a bundle."""
        if not self._settings.submissions:
            raise Refused(403, "This host takes no submissions.")
        form = await _form(request)
        try:
            public_key = parse_public_key(form.get("key", "").strip())
        except Misuse as error:
            raise Refused(400, str(error)) from None
        url = self._bundle_url(form.get("bundle", "").strip())
        if not self._store.submit(url, public_key, int(time.time()), MAX_WAITING):
            raise Refused(429, "Too many bundles are waiting: come back later.")
        text = "Thank you. The outcome will be on the first page."
        return _page("notice.html", status=202, title="Queued", text=text)

    def _bundle_url(self, text: str) -> str:
        url = split_url(text)
        plain = url is not None and self._door.admits(url) and not (url.query or url.fragment)
        if not plain or len(text) > MAX_URL_CHARACTERS:
            raise Refused(400, "Only https, port 443, without credentials or a query.")
        return text

    async def complain(self, request: Request) -> Response:
        """Check a failing package: the body, or the file of a form.

        ``publish=yes`` in the query or the form is its owner's consent to its being shown.
        """
        data = await _body(request, MAX_PACKAGE_BYTES + MAX_FORM_BYTES)
        publish = request.query_params.get("publish") == "yes"
        from_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        if from_form:
            data, publish = await _package_form(request, data)
        try:
            found = await run_in_threadpool(
                check_complaint, self._store, self._door, data, int(time.time()), publish=publish
            )
        except Misuse as error:
            return _outcome(from_form, 400, {"outcome": "not taken", "reason": str(error)})
        except CannotCheck as error:
            return _outcome(from_form, 503, {"outcome": "not checked", "reason": str(error)})
        if found is None:
            return _outcome(from_form, 200, {"outcome": "holds"})
        digest = found.digest.hex()
        return _outcome(from_form, 201, {"outcome": "fails", "code": found.code, "digest": digest})


def _outcome(as_page: bool, status: int, facts: dict[str, str]) -> Response:
    if not as_page:
        return JSONResponse(facts, status)
    text = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "outcome")
    title = f"The package {facts['outcome']}" if status < 300 else facts["outcome"].capitalize()
    return _page("notice.html", status=status, title=title, text=text)


async def _package_form(request: Request, body: bytes) -> tuple[bytes, bool]:
    """Return the file ``package`` of a form that was read, and whether it may be shown."""

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=4) as form:
            file = form.get("package")
            if not isinstance(file, UploadFile):
                raise Refused(400, "The form has no package.")
            return await file.read(), form.get("publish") == "yes"
    except HTTPException:
        raise Refused(400, "This is no form.") from None


def _page(template: str, status: int = 200, **values: object) -> Response:
    html = _TEMPLATES.get_template(template).render(**values)
    return HTMLResponse(html, status, headers=_HEADERS)


def _file(request: Request, data: bytes, signature: bytes) -> Response:
    match request.path_params["kind"]:
        case "msgpack":
            content = data
        case "sig":
            content = signature
        case _:
            raise Refused(404, "No such file.")
    headers = {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _digest(request: Request) -> bytes:
    text = request.path_params["digest"]
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise Refused(404, "No such digest.")
    return bytes.fromhex(text)


async def _body(request: Request, limit: int) -> bytes:
    """Read at most ``limit`` bytes of a body, whatever length it declares."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > limit:
                raise Refused(413, f"More than {limit} bytes.")
    except ClientDisconnect:
        raise Refused(400, "Cut off.") from None
    return bytes(data)


async def _form(request: Request) -> dict[str, str]:
    """Read a small form; of a field that occurs twice the last counts."""
    data = await _body(request, MAX_FORM_BYTES)
    try:
        return dict(parse_qsl(data.decode("utf-8"), max_num_fields=16))
    except ValueError:
        raise Refused(400, "This is no form.") from None
