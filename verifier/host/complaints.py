"""A customer's failing package: does it fail by itself, whatever its owner claims to hold?

A balance that a customer types may be mistyped, which is no fraud, so none is asked for: the
package is checked for the account that it names. Only one that the exchange signed, for a manifest
that this host has seen, can count against the exchange.

The package itself is neither kept nor shown, whoever agrees: an opening in it that does not hold
can give away balances of other customers, who did not.

Whatever a check meets, pages are answered: checks have threads of their own, and their number is
bounded, in all, of one sender, and for one exchange, of whose packages one is checked at a time.
All that strangers handed in counts as one exchange, so that no server of theirs keeps the customers
of a watched one waiting.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from verifier.errors import CannotCheck, Code, Misuse
from verifier.format.keys import is_signed
from verifier.host.jobs import (
    STRANGERS_NICE,
    CheckPackage,
    Limits,
    Run,
    Verdict,
    open_package,
)
from verifier.host.settings import WatchedExchange
from verifier.host.store import Audited, Complaint, Store

# Being checked or waiting: in all, and for one exchange; of one sender, being read as well.
MAX_PACKAGES, MAX_OF_SENDER, MAX_FOR_EXCHANGE = 32, 2, 8
# A place that takes longer is none, and the next is tried, of so many.
_CHECK, _PLACES = Limits(seconds=30, memory=2**29, nice=STRANGERS_NICE), 3
_WAIT_SECONDS = 25  # for those before, of the same exchange; less than one that stalls takes
_STRANGERS = b""


class Busy(Exception):
    """There is no room for one more."""


class ComplaintDesk:
    """Checks packages that are handed in, for one event loop.

    ``watched`` gives the exchange of the settings that has, or had, a key.
    """

    def __init__(
        self, store: Store, run: Run, watched: Callable[[bytes], WatchedExchange | None]
    ) -> None:
        self._store = store
        self._run = run
        self._watched = watched
        self._threads = ThreadPoolExecutor(MAX_PACKAGES, "complaint")
        self._present: Counter[Hashable] = Counter()  # by sender and exchange; None: all
        self._checking: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    def close(self) -> None:
        """End the threads, once the jobs that they wait for have ended."""
        self._threads.shutdown(cancel_futures=True)

    @contextmanager
    def sender(self, name: str) -> Iterator[None]:
        """Have a sender at the desk, from before its package is read.

        Raises:
            Busy: it has as many there already as one may have.
        """
        with self._room(name, MAX_OF_SENDER):
            yield

    async def check(self, package: bytes) -> tuple[Complaint | None, bool]:
        """Check a package; return the complaint if it fails by itself, and whether that is kept.

        Raises:
            Busy: there is no room, or none for this exchange.
            Misuse: it is no package, not signed by the exchange, or of a manifest never seen here.
            CannotCheck: the bundle could not be read.
        """
        found = await asyncio.to_thread(self._find, package)
        watched = self._watched(found.public_key)
        exchange = watched.public_key if watched else _STRANGERS
        with self._room(None, MAX_PACKAGES), self._room(exchange, MAX_FOR_EXCHANGE):
            async with self._turn(exchange):
                loop = asyncio.get_running_loop()
                check = partial(self._check, package, found, watched)
                verdict = await loop.run_in_executor(self._threads, check)
        if not verdict.code:
            return None, False
        digest, now = hashlib.sha256(package).digest(), int(time.time())
        complaint = Complaint(digest, found.digest, verdict.code, verdict.place, now)
        add = self._store.add_complaint
        return complaint, await asyncio.to_thread(add, found.public_key, complaint)

    def _find(self, package: bytes) -> Audited:
        """Return the manifest that a package is for.

        Raises:
            Misuse: see `check`.
        """
        body, signature, digest = open_package(package)
        found = self._store.snapshot(digest)
        if found is None or not found.is_audited:
            raise Misuse("the package is for a proof that this host has not audited")
        if not is_signed(found.public_key, "package-signature", body, signature):
            raise Misuse("the exchange did not sign this package")
        if found.code.startswith("manifest."):
            raise Misuse("the package is for a manifest that is itself rejected")
        return found

    def _check(self, package: bytes, found: Audited, watched: WatchedExchange | None) -> Verdict:
        """Check a package at the first place that can be used; the first says why none can.

        What the settings have is the first of all, then the exchange's own places of before.
        """
        own = [watched.place_of(found.snapshot_id)] if watched else []
        places = dict.fromkeys([*own, *self._store.places(found.digest)])
        first: CannotCheck | None = None
        for url in list(places)[:_PLACES]:
            job = CheckPackage(found.manifest, package, found.public_key, found.signature, url)
            try:
                return self._run(job, _CHECK)
            except CannotCheck as error:
                first = first or error
        raise first or CannotCheck(Code.CHECK_UNREADABLE, "no place of the bundle is known")

    @asynccontextmanager
    async def _turn(self, exchange: bytes) -> AsyncIterator[None]:
        lock = self._checking[exchange]
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _room(self, key: Hashable, most: int) -> Iterator[None]:
        if self._present[key] >= most:
            raise Busy
        self._present[key] += 1
        try:
            yield
        finally:
            self._present[key] -= 1
            self._present += Counter()  # lets go of zeros
