"""The host's public service: its history, its attestations, and two doors for strangers.

The process that serves parses nothing of others but requests and forms, which are bounded; all else
is done in processes of their own (`verifier.host.jobs`). What answers a reader is kept until it
changes. Pages carry no script, and load nothing.
"""

from __future__ import annotations

import contextlib
import json
import resource
import time
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import asdict

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from verifier.bundle.http_source import split_url
from verifier.bundle.private_key import read_private_key
from verifier.errors import CannotCheck, Code, Misuse
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.params import MAX_PACKAGE_BYTES
from verifier.format.times import utc_text
from verifier.host.alarms import MINUTES
from verifier.host.answers import (
    CHANGING,
    UNCHANGING,
    Headers,
    conditional,
    fail,
    file_answer,
    notice,
    page_answer,
    refuse,
    render,
)
from verifier.host.attestation import sign_exchange_list, verifier_version
from verifier.host.audits import Auditor
from verifier.host.complaints import Busy, ComplaintDesk
from verifier.host.connection import HEAD_SECONDS, Connection
from verifier.host.door import HostDoor, LoopbackDoor, PublicDoor
from verifier.host.follow import Follower
from verifier.host.jobs import Run, Stopped
from verifier.host.pages import Views, exchange_facts
from verifier.host.processes import Processes
from verifier.host.requests import (
    MAX_FORM_BYTES,
    Refused,
    digest,
    package_form,
    page_number,
    read_body,
    read_form,
    sender,
)
from verifier.host.settings import Settings
from verifier.host.shelf import Shelf
from verifier.host.store import AUDITS, EVIDENCE, Store
from verifier.host.watch import AuditWorker, EvidenceWorker, Watcher
from verifier.texts import explain

MAX_URL_CHARACTERS = 2000
_SUBMISSIONS_SHOWN = 20
_STOP_SECONDS = 10


def create_app(settings: Settings) -> Starlette:
    """Return the host's service; it watches as long as it serves.

    Raises:
        Misuse: the key is none, or not its owner's alone.
    """
    key = read_private_key(settings.key)
    store = Store(settings.folder / "host.sqlite")
    views = Views(settings, store, int(time.time()))
    processes = Processes(loopback=settings.loopback)
    desk = ComplaintDesk(store, processes, views.watched)
    host = _Host(settings, key, store, views, desk)
    workers = _workers(settings, store, views, Auditor(settings, key, store, processes), processes)

    @contextlib.asynccontextmanager
    async def watching(_: Starlette) -> AsyncIterator[None]:
        for worker in workers:
            worker.start()
        yield
        for worker in workers:
            worker.stop()
        processes.close()
        for worker in workers:
            worker.join()
        desk.close()
        store.close()

    app = Starlette(
        routes=host.routes(),
        lifespan=watching,
        middleware=[Middleware(Headers)],
        exception_handlers={Refused: refuse, HTTPException: refuse, Exception: fail},
    )
    app.router.redirect_slashes = False  # to an address that the request's Host makes
    return app


def _workers(
    settings: Settings, store: Store, views: Views, auditor: Auditor, run: Run
) -> list[Watcher | EvidenceWorker | AuditWorker]:
    follower = Follower(store, run, auditor)
    watchers = [
        Watcher(exchange, settings.every_seconds, store, auditor, follower)
        for exchange in settings.exchanges
    ]
    handed_in = EvidenceWorker(store, auditor), AuditWorker(store, auditor, views.present_keys)
    return [*watchers, *handed_in]


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        Misuse: the key is none, or not its owner's alone.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        http=Connection,
        ws="none",
        log_level="error",
        server_header=False,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


class _Host:
    """The handlers, over what they share."""

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey,
        store: Store,
        views: Views,
        desk: ComplaintDesk,
    ) -> None:
        self._settings = settings
        self._store = store
        self._views = views
        self._desk = desk
        self._door: HostDoor = LoopbackDoor() if settings.loopback else PublicDoor()
        self._key_text = public_key_text(key.public_key().public_bytes_raw())
        self._list = sign_exchange_list(
            key, settings.exchanges, settings.attesters, settings.named, int(time.time())
        )
        # Apart, so that the pages of many exchanges push none of the others out.
        self._pages, self._exchanges = Shelf(), Shelf()

    def routes(self) -> list[Route]:
        """Return what is served where."""
        return [
            Route("/", self.front),
            Route("/history.json", self.history),
            Route("/exchanges.{kind}", self.exchange_list),
            Route("/exchanges/{key}.json", self.exchange_json),
            Route("/exchanges/{key}", self.exchange),
            Route("/attestations/{digest}.{kind}", self.attestation),
            Route("/manifests/{digest}.{kind}", self.manifest),
            Route("/records/{digest}.{kind}", self.record),
            Route("/submissions", self.submissions),
            Route("/submissions", self.submit, methods=["POST"]),
            Route("/submissions.json", self.submissions_json),
            Route("/complaints", self.complain, methods=["POST"]),
            Route("/complaints/{digest}", self.complaint),
        ]

    async def front(self, request: Request) -> Response:
        """The page of the exchanges that are watched."""

        def make(now: int) -> bytes:
            return self._html(
                "home.html",
                now,
                exchanges=self._views.front(now),
                verifier=verifier_version(),
            )

        return await self._kept(request, "text/html", make, self._views.front_version())

    async def history(self, request: Request) -> Response:
        """The same for programs."""

        def make(now: int) -> bytes:
            return self._json(now, exchanges=list(map(exchange_facts, self._views.front(now))))

        return await self._kept(request, "application/json", make, self._views.front_version())

    async def exchange(self, request: Request) -> Response:
        """A page of one exchange, and of its snapshots."""
        key, page, version = await self._exchange(request)

        def make(now: int) -> bytes:
            view = self._views.exchange(key, page, now)
            resembles = self._views.resembled(view)
            return self._html("exchange.html", now, exchange=view, page=page, resembles=resembles)

        return await self._kept(request, "text/html", make, version, page)

    async def exchange_json(self, request: Request) -> Response:
        """The same for programs."""
        key, page, version = await self._exchange(request)

        def make(now: int) -> bytes:
            view = self._views.exchange(key, page, now)
            return self._json(now, page=page, pages=view.pages, exchange=exchange_facts(view))

        return await self._kept(request, "application/json", make, version, page)

    async def _exchange(self, request: Request) -> tuple[bytes, int, Hashable]:
        """Return key, page and version of an exchange's page."""
        page = page_number(request)
        asked = digest(request, "key")
        key, version, pages = await run_in_threadpool(self._views.version, asked)
        if not 1 <= page <= pages:
            raise Refused(404, "There is no such page.")
        return key, page, version

    async def submissions(self, request: Request) -> Response:
        """The page of what strangers handed in."""

        def make(now: int) -> bytes:
            return self._html(
                "submissions.html",
                now,
                proofs=self._views.strangers(now),
                submissions=self._store.submissions(_SUBMISSIONS_SHOWN),
            )

        return await self._kept(request, "text/html", make, self._store.changes)

    async def submissions_json(self, request: Request) -> Response:
        """The same for programs."""

        def make(now: int) -> bytes:
            submissions = [
                {
                    "bundle": one.url,
                    "public_key": public_key_text(one.public_key),
                    "time": utc_text(one.time),
                    "state": one.state,
                }
                for one in self._store.submissions(_SUBMISSIONS_SHOWN)
            ]
            return self._json(now, proofs=self._views.strangers(now), submissions=submissions)

        return await self._kept(request, "application/json", make, self._store.changes)

    async def exchange_list(self, request: Request) -> Response:
        """The signed list of exchanges."""
        return file_answer(request, self._list, CHANGING)

    async def attestation(self, request: Request) -> Response:
        """An attestation or its signature."""
        found = await run_in_threadpool(self._store.snapshot, digest(request))
        if found is None:
            raise Refused(404, "There is no such attestation.")
        return file_answer(request, (found.attestation, found.attestation_signature), CHANGING)

    async def manifest(self, request: Request) -> Response:
        """A manifest as it was seen, or its signature: the evidence of an alarm."""
        found = await run_in_threadpool(self._store.snapshot, digest(request))
        if found is None:
            raise Refused(404, "There is no such manifest.")
        return file_answer(request, (found.manifest, found.signature), UNCHANGING)

    async def record(self, request: Request) -> Response:
        """A record of arguments of which one fails, or its signature."""
        found = await run_in_threadpool(self._store.record, digest(request))
        if found is None:
            raise Refused(404, "There is no such record.")
        return file_answer(request, (found.data, found.signature), UNCHANGING)

    async def complaint(self, request: Request) -> Response:
        """That a package fails: its digest and the code."""
        found = await run_in_threadpool(self._store.complaint, digest(request))
        if found is None:
            raise Refused(404, "There is no such complaint.")
        signer = await run_in_threadpool(self._store.snapshot, found.manifest)
        return page_answer(
            "complaint.html",
            complaint=found,
            signer=signer,
            time=utc_text(found.time, MINUTES),
            words=explain(Code(found.code)),
        )

    async def submit(self, request: Request) -> Response:
        """Queue a bundle."""
        if not self._settings.submissions:
            raise Refused(403, "This host takes no submissions.")
        form = await read_form(request)
        try:
            public_key = parse_public_key(form.get("key", "").strip())
        except Misuse as error:
            raise Refused(400, str(error)) from None
        url = self._bundle_url(form.get("bundle", "").strip())
        queue = EVIDENCE if self._views.watched(public_key) else AUDITS
        is_queued = await run_in_threadpool(
            self._store.submit, url, public_key, sender(request), int(time.time()), queue
        )
        if not is_queued:
            reason = "Too many bundles are waiting, of all or of you: come back later."
            raise Refused(429, reason, {"Retry-After": "600"})
        text = "Thank you. The outcome will be on the page of what was handed in."
        return notice(202, "Queued", text)

    def _bundle_url(self, text: str) -> str:
        url = split_url(text)
        plain = url is not None and self._door.admits(url) and not (url.query or url.fragment)
        if not plain or len(text) > MAX_URL_CHARACTERS:
            raise Refused(400, "Only https, port 443, without credentials or a query.")
        return text

    async def complain(self, request: Request) -> Response:
        """Check a failing package: the body, or the file of a form."""
        from_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        try:
            with self._desk.sender(sender(request)):
                data = await read_body(request, MAX_PACKAGE_BYTES + MAX_FORM_BYTES)
                if from_form:
                    data = await package_form(request, data)
                found, is_kept = await self._desk.check(data)
        except Busy:
            reason = "too many packages are being checked: come back in a minute"
            return _outcome(from_form, 503, {"outcome": "not checked", "reason": reason})
        except Stopped:
            return _outcome(from_form, 503, {"outcome": "not checked", "reason": "the host ends"})
        except Misuse as error:
            return _outcome(from_form, 400, {"outcome": "not taken", "reason": str(error)})
        except CannotCheck as error:
            return _outcome(from_form, 503, {"outcome": "not checked", "reason": str(error)})
        if found is None:
            return _outcome(from_form, 200, {"outcome": "holds"})
        words = asdict(explain(Code(found.code)))
        facts = {"outcome": "fails", "code": found.code, **words, "digest": found.digest.hex()}
        if not is_kept:
            facts["complaint"] = "not kept: as many fail already as this host keeps of one proof"
        return _outcome(from_form, 201 if is_kept else 200, facts)

    async def _kept(
        self,
        request: Request,
        media_type: str,
        make: Callable[[int], bytes],
        version: Hashable,
        page: int = 1,
    ) -> Response:
        """Answer with a page that is made when ``version`` or the minute has changed."""
        now = int(time.time())
        shelf = self._exchanges if "key" in request.path_params else self._pages
        name = (request.url.path, page)
        made = await shelf.get(name, (version, now // 60), lambda: make(now))
        return conditional(request, made, media_type, CHANGING)

    def _html(self, template: str, now: int, **values: object) -> bytes:
        return render(
            template,
            settings=self._settings,
            key=self._key_text,
            now=utc_text(now, MINUTES),
            **values,
        )

    def _json(self, now: int, **values: object) -> bytes:
        """In ASCII: a name may hold what turns a terminal's text around."""
        facts = {"auditor": self._settings.name, "as_of": utc_text(now), **values}
        return json.dumps(facts, separators=(",", ":")).encode()


def _outcome(as_page: bool, status: int, facts: dict[str, str]) -> Response:
    headers = {"Retry-After": "60"} if status == 503 else None
    if not as_page:
        return JSONResponse(facts, status, headers)
    said = ("outcome", "finding", "advice")
    rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in said)
    text = " ".join(facts[name] for name in said[1:] if name in facts) + f" {rest}."
    title = f"The package {facts['outcome']}" if status < 300 else facts["outcome"].capitalize()
    return notice(status, title, text, headers)
