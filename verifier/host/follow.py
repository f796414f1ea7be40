"""Following a published folder: every snapshot that its index names is audited, the oldest first.

The index is the exchange's word, unsigned. It says where to look, and it is held to what it said
before: an entry that is dropped or changed, or that names another manifest than is served, shows.
What it costs is bounded: its bytes and entries, what is kept of it, and the time before it is read
again. An entry that could not be audited waits an hour, so none keeps the others from theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from verifier.bundle.history import HISTORY_PATH, Entry
from verifier.errors import CannotCheck, Code, Rejected
from verifier.host.audits import LOOK, RETRY_SECONDS, Auditor
from verifier.host.jobs import ReadIndex, Run
from verifier.host.settings import WatchedExchange
from verifier.host.store import CHANGED, DROPPED, Listed, Store

MAX_LISTED = 8192
_TURN_SECONDS = 60


class Follower:
    """Follows published folders; ``now`` gives Unix seconds."""

    def __init__(
        self, store: Store, run: Run, auditor: Auditor, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._run = run
        self._auditor = auditor
        self._now = now

    def follow(self, exchange: WatchedExchange) -> bool:
        """Audit what is new for about a minute; tell whether more is left.

        That the exchange was looked at is noted as soon as its index is read.

        Raises:
            Rejected: there is no index.
            CannotCheck: it could not be read, is malformed, lists too much, or names another key.
            Misuse: the URL is malformed.
        """
        history = self._run(ReadIndex(exchange.history), LOOK)
        self._hold(exchange.public_key, history.snapshots)
        if history.public_key != exchange.public_key:
            message = f"{HISTORY_PATH} names another key than the one that is watched"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)
        self._store.note_look(exchange.public_key, int(self._now()), "")
        end = time.monotonic() + _TURN_SECONDS
        waiting = self._waiting(exchange.public_key, history.snapshots)
        while waiting:
            keys = self._store.keys_of(exchange.public_key)
            foreign = []
            for entry in waiting:
                if time.monotonic() > end:
                    return True
                if self._audit(exchange, entry, keys) == Code.MANIFEST_BAD_SIGNATURE:
                    foreign.append(entry)
            # A later snapshot may have told of an earlier key.
            waiting = foreign if self._store.keys_of(exchange.public_key) != keys else []
        return False

    def _hold(self, public_key: bytes, entries: Sequence[Entry]) -> None:
        """Compare an index with all that was seen in earlier ones, and keep what is new."""
        seen = {item.entry.snapshot_id: item for item in self._store.listed(public_key)}
        now = int(self._now())
        current = {entry.snapshot_id: entry for entry in entries}
        news = [Listed(entry, now) for name, entry in current.items() if name not in seen]
        if len(seen) + len(news) > MAX_LISTED:
            message = f"{HISTORY_PATH} has named more than {MAX_LISTED} snapshots by now"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)
        for name, item in seen.items():
            found = current.get(name)
            state = DROPPED if found is None else "" if found == item.entry else CHANGED
            if state != item.state:
                news.append(replace(item, state=state, turned=now))
        self._store.keep_listed(public_key, news)

    def _waiting(self, public_key: bytes, entries: Sequence[Entry]) -> list[Entry]:
        """Return what is not audited at its own place, or was rejected there, but for what failed
        within the hour.
        """
        audited = self._store.audited(self._store.keys_of(public_key))
        tried = {item.entry.snapshot_id: item.tried for item in self._store.listed(public_key)}
        before = self._now() - RETRY_SECONDS

        def waits(entry: Entry) -> bool:
            code, when, own = audited.get(entry.manifest, ("", 0, False))
            is_settled = own and (not code or when > before)
            return not is_settled and tried[entry.snapshot_id] <= before

        return [entry for entry in entries if waits(entry)]

    def _audit(self, exchange: WatchedExchange, entry: Entry, keys: Sequence[bytes]) -> str:
        """Audit a snapshot under the key that signed it; return the code of what went wrong."""
        code, fault = "", ""
        try:
            found = self._auditor.look(exchange.place_of(entry.snapshot_id), keys, own=True)
            if found.digest != entry.manifest:
                fault = f"another manifest is served: {found.digest.hex()}"
        except (Rejected, CannotCheck) as error:
            code, fault = error.code, str(error)
        tried = int(self._now()) if fault else 0
        self._store.note_try(exchange.public_key, entry.snapshot_id, tried, fault[:300])
        return code
