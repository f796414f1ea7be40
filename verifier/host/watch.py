"""The thread that looks at exchanges in turn, and at what was handed in."""

from __future__ import annotations

import logging
import threading
import time

from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.host.audits import Auditor
from verifier.host.settings import Settings
from verifier.host.store import Store

LOG = logging.getLogger("assay.host")
_QUEUE_SECONDS = 1.0


class Watcher(threading.Thread):
    """Looks at every exchange of the settings, and between these at submissions, until stopped."""

    def __init__(self, settings: Settings, store: Store, auditor: Auditor) -> None:
        super().__init__(name="watcher", daemon=True)
        self._settings = settings
        self._store = store
        self._auditor = auditor
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end after the audit it is at; a killed one is done again."""
        self._stopped.set()

    def run(self) -> None:
        """Look until stopped; nothing that a look meets ends the thread."""
        next_round = 0.0
        while not self._stopped.is_set():
            try:
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + self._settings.every_seconds
                    self.look_at_exchanges()
                self.look_at_submissions()
            except Exception:
                LOG.exception("a round failed")
            self._stopped.wait(_QUEUE_SECONDS)

    def look_at_exchanges(self) -> None:
        """Look at each exchange once."""
        for exchange in self._settings.exchanges:
            fault = ""
            try:
                self._auditor.look(exchange.bundle, exchange.public_key, own=True)
            except (Rejected, CannotCheck, Misuse) as error:
                fault = str(error)
                LOG.warning("%s: %s", exchange.name, fault)
            self._store.note_look(exchange.public_key, int(time.time()), fault)
            if self._stopped.is_set():
                return

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
