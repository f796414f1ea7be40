"""The host's public service: its history, its attestations, and two doors for strangers.

The process that serves parses nothing of others but requests and forms, which are bounded; all else
is done in processes of their own (`verifier.host.jobs`). What answers a reader is kept until it
changes. Pages carry no script, and load nothing; the customer's page, where the settings have one,
brings a policy of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import resource
import time
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import asdict
from pathlib import Path

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
from verifier.bundle.source import read_file
from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.format.keys import parse_public_key, public_key_text
from verifier.format.params import MAX_PACKAGE_BYTES
from verifier.format.times import utc_text
from verifier.host.answers import (
    CHANGING,
    UNCHANGING,
    Headers,
    Table,
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
from verifier.host.badge import badge_of
from verifier.host.complaints import Busy, ComplaintDesk
from verifier.host.connection import HEAD_SECONDS, Connection
from verifier.host.door import HostDoor, LoopbackDoor, PublicDoor
from verifier.host.facts import TIME, code_words
from verifier.host.feed import ATOM, feed_of
from verifier.host.follow import Follower
from verifier.host.front import looks
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
    search_text,
    sender,
)
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.shelf import Shelf, Tagged
from verifier.host.store import AUDITS, EVIDENCE, Store
from verifier.host.watch import AuditWorker, EvidenceWorker, Watcher
from verifier.web import MAX_PAGE_BYTES, published_digest

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
        await asyncio.to_thread(views.present_keys)  # which reads every history
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
    app.state.settings = settings
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
        self._verifier = verifier_version()
        self._page = None if settings.page is None else Tagged.of(_read_page(settings.page))
        # Apart, so that the pages of many exchanges, or what is searched for, push out no others.
        self._pages, self._exchanges, self._searches = Shelf(), Shelf(), Shelf()
        self._table = Table()

    def routes(self) -> list[Route]:
        """Return what is served where."""
        return [
            Route("/", self.front),
            Route("/feed.atom", self.feed),
            Route("/history.json", self.history),
            Route("/check.html", self.check),
            Route("/auditor.pub", self.own_key),
            Route("/exchanges.{kind}", self.exchange_list),
            Route("/exchanges/{key}.json", self.exchange_json),
            Route("/exchanges/{key}.atom", self.exchange_feed),
            Route("/exchanges/{key}.svg", self.badge),
            Route("/exchanges/{key}", self.exchange),
            Route("/snapshots/{key}/{id}", self.snapshot),
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
        """The page of the exchanges that are watched, or of those that a text finds."""
        page, text = page_number(request), search_text(request)

        def make(now: int) -> bytes:
            front = self._views.front(now)
            rows, found, pages = front.page(page, text)
            if not 1 <= page <= pages:
                raise Refused(404, "There is no such page.")
            return self._html(
                "home.html",
                now,
                front=front,
                table_rows=[self._table.row(row, now) for row in rows],
                looks=looks(rows),
                found=found,
                page=page,
                pages=pages,
                text=text,
                strangers=self._views.strangers_count(),
                verifier=self._verifier,
            )

        version = await run_in_threadpool(self._views.front_version)
        return await self._kept(request, "text/html", make, version, page, text)

    async def feed(self, request: Request) -> Response:
        """What is news of the exchanges that are watched."""

        def make(now: int) -> bytes:
            return self._feed(None, self._settings.name, "/", now)

        version = await run_in_threadpool(self._views.front_version)
        return await self._kept(request, ATOM, make, version)

    async def history(self, request: Request) -> Response:
        """The exchanges that are watched, for programs."""
        page, pages = page_number(request), self._views.exchange_pages()
        if not 1 <= page <= pages:
            raise Refused(404, "There is no such page.")

        def make(now: int) -> bytes:
            exchanges = list(map(exchange_facts, self._views.exchanges(page, now)))
            return self._json(now, page=page, pages=pages, exchanges=exchanges)

        version = await run_in_threadpool(self._views.front_version)
        return await self._kept(request, "application/json", make, version, page)

    async def check(self, request: Request) -> Response:
        """The customer's page."""
        if self._page is None:
            raise Refused(404, "There is no such page.")
        answer = conditional(request, self._page, "text/html", CHANGING)
        answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'"  # and its own inside
        return answer

    async def exchange(self, request: Request) -> Response:
        """A page of one exchange: its newest snapshots, or those of a month."""
        asked, page = digest(request, "key"), page_number(request)
        name = request.query_params.get("month", "")
        key, version, pages = await run_in_threadpool(self._views.version, asked)
        month = await run_in_threadpool(self._views.month, key, name) if name else None
        if not pages or (name and month is None) or not 1 <= page <= (month.pages if month else 1):
            raise Refused(404, "There is no such page.")

        def make(now: int) -> bytes:
            if month is None:
                view = self._views.overview(key, now)
            else:
                view = self._views.exchange(key, page, now, month.dates)
            return self._html(
                "exchange.html",
                now,
                exchange=view,
                month=month,
                newest_month=self._views.newest_month(key),
                page=page,
                resembles=self._views.resembled(view),
            )

        return await self._kept(request, "text/html", make, version, page, name)

    async def exchange_json(self, request: Request) -> Response:
        """All snapshots of one exchange, for programs."""
        asked, page = digest(request, "key"), page_number(request)
        key, version, pages = await run_in_threadpool(self._views.version, asked)
        if not 1 <= page <= pages:
            raise Refused(404, "There is no such page.")

        def make(now: int) -> bytes:
            view = self._views.exchange(key, page, now)
            return self._json(now, page=page, pages=view.pages, exchange=exchange_facts(view))

        return await self._kept(request, "application/json", make, version, page)

    async def exchange_feed(self, request: Request) -> Response:
        """What is news of one exchange that is watched."""
        key, version, entry = await self._watched(request, "feed")

        def make(now: int) -> bytes:
            return self._feed(key, entry.name, f"/exchanges/{key.hex()}", now)

        return await self._kept(request, ATOM, make, version)

    async def badge(self, request: Request) -> Response:
        """A picture of how one exchange that is watched stands, with a date."""
        key, version, _ = await self._watched(request, "badge")

        def make(now: int) -> bytes:
            view = self._views.overview(key, now)
            return render("badge.svg", badge=badge_of(view.standing, view.newest))

        return await self._kept(request, "image/svg+xml", make, version)

    async def _watched(
        self, request: Request, what: str
    ) -> tuple[bytes, Hashable, WatchedExchange]:
        """Return key, version and settings of an exchange; nobody else has a feed or a badge."""
        key, version, _ = await run_in_threadpool(self._views.version, digest(request, "key"))
        entry = self._views.watched(key)
        if entry is None:
            raise Refused(404, f"There is no such {what}.")
        return key, version, entry

    async def snapshot(self, request: Request) -> Response:
        """The digests of all manifests that an exchange signed for one snapshot id."""
        key, snapshot_id = digest(request, "key"), request.path_params["id"]
        found = await run_in_threadpool(self._views.manifests, key, snapshot_id)
        if not found:
            raise Refused(404, "There is no such snapshot.")
        facts = {
            "public_key": public_key_text(key),
            "snapshot_id": snapshot_id,
            "manifests": [one.hex() for one in found],
        }
        made = Tagged.of(json.dumps(facts, separators=(",", ":")).encode())
        return conditional(request, made, "application/json", CHANGING)

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

    async def own_key(self, request: Request) -> Response:
        """The key that the host signs with, as text: for whoever sees it for the first time."""
        made = Tagged.of(f"{self._key_text}\n".encode())
        return conditional(request, made, "text/plain", CHANGING)

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
            request,
            "complaint.html",
            complaint=found,
            signer=signer,
            time=utc_text(found.time, TIME),
            words=code_words(found.code),
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
        entry = await run_in_threadpool(self._views.watched, public_key)
        queue = EVIDENCE if entry else AUDITS
        is_queued = await run_in_threadpool(
            self._store.submit, url, public_key, sender(request), int(time.time()), queue
        )
        if not is_queued:
            reason = "Too many bundles are waiting, of all or of you: come back later."
            raise Refused(429, reason, {"Retry-After": "600"})
        text = "Thank you. The outcome will be on the page of what was handed in."
        return notice(request, 202, "Queued", text)

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
            return _outcome(request, from_form, 503, {"outcome": "not checked", "reason": reason})
        except Stopped:
            return _outcome(
                request, from_form, 503, {"outcome": "not checked", "reason": "the host ends"}
            )
        except Misuse as error:
            return _outcome(request, from_form, 400, {"outcome": "not taken", "reason": str(error)})
        except CannotCheck as error:
            return _outcome(
                request, from_form, 503, {"outcome": "not checked", "reason": str(error)}
            )
        if found is None:
            return _outcome(request, from_form, 200, {"outcome": "holds"})
        words = asdict(code_words(found.code))
        facts = {"outcome": "fails", "code": found.code, **words, "digest": found.digest.hex()}
        if not is_kept:
            facts["complaint"] = "not kept: as many fail already as this host keeps of one proof"
        return _outcome(request, from_form, 201 if is_kept else 200, facts)

    async def _kept(
        self,
        request: Request,
        media_type: str,
        make: Callable[[int], bytes],
        version: Hashable,
        page: int = 1,
        text: str = "",
    ) -> Response:
        """Answer with a page that is made when ``version`` or the minute has changed."""
        now = int(time.time())
        shelf = self._searches if text else self._pages
        if "key" in request.path_params:
            shelf = self._exchanges
        name = (request.scope["path"], page, text)  # and no address that a header makes up
        made = await shelf.get(name, (version, now // 60), lambda: make(now))
        return conditional(request, made, media_type, CHANGING)

    def _html(self, template: str, now: int, **values: object) -> bytes:
        return render(
            template,
            settings=self._settings,
            key=self._key_text,
            now=utc_text(now, TIME),
            **values,
        )

    def _feed(self, key: bytes | None, title: str, path: str, now: int) -> bytes:
        news = self._views.feed(key, now)
        return render("feed.atom", feed=feed_of(self._key_text, title, path, news, self._settings))

    def _json(self, now: int, **values: object) -> bytes:
        """In ASCII: a name may hold what turns a terminal's text around."""
        facts = {"auditor": self._settings.name, "as_of": utc_text(now), **values}
        return json.dumps(facts, separators=(",", ":")).encode()


def _read_page(file: Path) -> bytes:
    """Return the customer's page.

    Raises:
        Misuse: it cannot be read, or is not the one of this version.
    """
    try:
        page = read_file(str(file), MAX_PAGE_BYTES, "page")
    except (CannotCheck, Rejected) as error:
        raise Misuse(f"{file}: {error}") from None
    if hashlib.sha256(page).hexdigest() != published_digest():
        raise Misuse(f"{file}: not the customer's page of this version; `make web` builds that")
    return page


def _outcome(request: Request, as_page: bool, status: int, facts: dict[str, str]) -> Response:
    headers = {"Retry-After": "60"} if status == 503 else None
    if not as_page:
        return JSONResponse(facts, status, headers)
    said = ("outcome", "finding", "advice")
    rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in said)
    text = " ".join(facts[name] for name in said[1:] if name in facts) + f" {rest}."
    title = f"The package {facts['outcome']}" if status < 300 else facts["outcome"].capitalize()
    return notice(request, status, title, text, headers)
