"""The thread that looks at exchanges in turn, and at what was handed in."""

from __future__ import annotations

import logging
import threading
import time

from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.host.audits import Auditor
from verifier.host.follow import Follower
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Store

LOG = logging.getLogger("assay.host")
_QUEUE_SECONDS = 1.0


class Watcher(threading.Thread):
    """Looks at every exchange of the settings, and between these at submissions, until stopped."""

    def __init__(
        self, settings: Settings, store: Store, auditor: Auditor, follower: Follower
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self._settings = settings
        self._store = store
        self._auditor = auditor
        self._follower = follower
        self._next = dict.fromkeys(settings.exchanges, 0.0)  # of each exchange, on `monotonic`
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end after the audit it is at; a killed one is done again."""
        self._stopped.set()

    def run(self) -> None:
        """Look until stopped; nothing that a look meets ends the thread."""
        while not self._stopped.is_set():
            try:
                self.look_at_exchanges()
                self.look_at_submissions()
            except Exception:
                LOG.exception("a round failed")
            self._stopped.wait(_QUEUE_SECONDS)

    def look_at_exchanges(self) -> None:
        """Look once at each exchange whose time has come."""
        for exchange, due in self._next.items():
            if self._stopped.is_set():
                return
            if time.monotonic() < due:
                continue
            self._next[exchange] = time.monotonic() + self._settings.every_seconds
            fault = ""
            try:
                if self._look_at(exchange):
                    self._next[exchange] = 0.0
            except (Rejected, CannotCheck, Misuse) as error:
                fault = str(error)
                LOG.warning("%s: %s", exchange.name, fault)
            self._store.note_look(exchange.public_key, int(time.time()), fault)

    def _look_at(self, exchange: WatchedExchange) -> bool:
        """Tell whether there is more to look at as soon as the others had their turn."""
        if exchange.history:
            return self._follower.follow(exchange)
        self._auditor.look(exchange.bundle, exchange.public_key, own=True)
        return False

    def look_at_submissions(self) -> None:
        """Look at everything that waits."""
        for submission in self._store.submissions("waiting"):
            try:
                found = self._auditor.look(submission.url, submission.public_key, own=False)
                state = found.code or "accepted"
            except Rejected as error:
                state = error.code
            except (CannotCheck, Misuse) as error:
                state = str(error)[:300]
            self._store.end_submission(submission.number, state)
            if self._stopped.is_set():
                return
