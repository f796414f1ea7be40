"""The threads that look: one for each exchange of the settings, and two for what is handed in.

So nothing keeps an exchange from its turn: no stranger, and no other exchange whose server stalls.
And no bundle that takes its time keeps evidence of a watched exchange from being read and kept.
Each look is done in processes that end at their limits (`verifier.host.processes`); a thread does
nothing but wait for them, and keep what they found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from verifier.errors import CannotCheck, Misuse, Rejected
from verifier.format.statement import manifest_digest
from verifier.host.audits import RETRY_SECONDS, Auditor
from verifier.host.follow import Follower
from verifier.host.jobs import Stopped
from verifier.host.settings import WatchedExchange
from verifier.host.store import AUDITS, EVIDENCE, Store, Submission

LOG = logging.getLogger("assay.host")
_QUEUE_SECONDS = 1.0
# Of what was handed in under keys that nobody watches, so many manifests are kept.
MAX_STRANGERS = 500


def _fault(error: Exception) -> str:
    return str(error)[:300]


class _Worker(threading.Thread):
    """Works in turns until the host ends; nothing else that a turn meets ends the thread."""

    def __init__(self, name: str, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self._pause = pause  # after a turn that failed
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end after its turn, which is soon once no job runs any more."""
        self._stopped.set()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopped.is_set():
            pause = self._pause
            try:
                pause = self.turn()
            except Stopped:  # what was cut off is done again
                return
            except Exception:
                LOG.exception("a turn of the %s failed", self.name)
            self._stopped.wait(pause)

    def turn(self) -> float:
        """Do what there is to do; return how many seconds the next turn has time."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Failed:
    """A bundle that could not be audited, by its manifest, when that was, and why."""

    digest: bytes
    time: float
    error: Rejected | CannotCheck


class Watcher(_Worker):
    """Looks at one exchange, every so many seconds from the start of a look.

    A bundle that cannot be audited is tried again each hour, as is what an index lists.
    """

    def __init__(
        self,
        exchange: WatchedExchange,
        every_seconds: int,
        store: Store,
        auditor: Auditor,
        follower: Follower,
    ) -> None:
        super().__init__(f"watcher of {exchange.name}", every_seconds)
        self._exchange = exchange
        self._every_seconds = every_seconds
        self._store = store
        self._auditor = auditor
        self._follower = follower
        self._failed: _Failed | None = None

    def turn(self) -> float:
        """Look once."""
        start, again, fault = time.monotonic(), False, ""
        try:
            if self._exchange.history:
                again = self._follower.follow(self._exchange)
            else:
                self._look_at_bundle()
        except (Rejected, CannotCheck, Misuse) as error:
            fault = _fault(error)
            LOG.warning("%s: %s", self._exchange.name, fault)
        self._store.note_look(self._exchange.public_key, int(time.time()), fault)
        return 0.0 if again else max(0.0, start + self._every_seconds - time.monotonic())

    def _look_at_bundle(self) -> None:
        """Audit what is new.

        Raises:
            Rejected, CannotCheck: see `Auditor.look`; for as long as the bundle is not tried again
                what it raised then.
        """
        exchange, failed, fault = self._exchange, self._failed, ""
        signed, key = self._auditor.read(exchange.bundle, [exchange.public_key], own=True)
        digest, now = manifest_digest(signed.data), time.time()
        if failed is not None and failed.digest == digest:
            if now - failed.time < RETRY_SECONDS:
                raise failed.error
            fault = _fault(failed.error)
        self._store.note_look(exchange.public_key, int(now), fault)
        try:
            self._auditor.settle(exchange.bundle, signed, key, own=True)
        except (Rejected, CannotCheck) as error:
            self._failed = _Failed(digest, time.time(), error)
            raise
        self._failed = None


class _QueueWorker(_Worker):
    """Looks at what was handed in and waits in one queue, one after the other."""

    queue = ""

    def __init__(self, store: Store, auditor: Auditor) -> None:
        super().__init__(f"worker of the queue {self.queue}", _QUEUE_SECONDS)
        self._store = store
        self._auditor = auditor

    def turn(self) -> float:
        """Look at what has waited longest."""
        submission = self._store.next_submission(self.queue)
        if submission is None:
            return _QUEUE_SECONDS
        state = self._state(submission)
        if state:
            self._store.end_submission(submission.number, state)
        return 0.0

    def look(self, submission: Submission) -> str:
        """Return how it ended; nothing if it is to be audited yet."""
        raise NotImplementedError

    def _state(self, submission: Submission) -> str:
        try:
            return self.look(submission)
        except Rejected as error:
            return error.code
        except (CannotCheck, Misuse) as error:
            return _fault(error)
        except Stopped:
            raise
        except Exception:
            LOG.exception("a submission failed")
            return "this host failed at it"  # and it is not in the way of the next


class EvidenceWorker(_QueueWorker):
    """Reads what was handed in under the keys of watched exchanges, and keeps what they signed."""

    queue = EVIDENCE

    def look(self, submission: Submission) -> str:
        """See `_QueueWorker`."""
        signed, key = self._auditor.read(submission.url, [submission.public_key], own=False)
        self._auditor.keep(submission.url, signed, key, own=False)
        if self._store.move_to_audits(submission.number):
            return ""
        return "read, and not audited: too many wait for that"


class AuditWorker(_QueueWorker):
    """Audits what was handed in; ``watched`` gives the keys of exchanges."""

    queue = AUDITS

    def __init__(
        self, store: Store, auditor: Auditor, watched: Callable[[], Collection[bytes]]
    ) -> None:
        super().__init__(store, auditor)
        self._watched = watched

    def look(self, submission: Submission) -> str:
        """See `_QueueWorker`."""
        found = self._auditor.look(submission.url, [submission.public_key], own=False)
        self._store.forget_strangers(sorted(self._watched()), MAX_STRANGERS)
        return found.code or found.acceptance
