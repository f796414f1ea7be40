"""Links by which a customer's page gets a package: the text of an URL's fragment.

A package that fits stands in the text itself. A larger one is fetched, once and soon, from an
address with a token. Of a token only the SHA-256 is kept, in memory alone: links end with the
server, and neither database nor disk ever knows whose they are. There are so many at most, and one
of an account and a snapshot, the latest.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from api.errors import LinksOfAll, Unknown
from api.snapshots.packages import Packages
from verifier.bundle.history import snapshot_path
from verifier.errors import Code, Rejected
from verifier.format.params import MAX_PACKAGE_BYTES

MOST_CHARACTERS: Final = 16_384
LIFETIME_SECONDS: Final = 600.0
MOST_LINKS: Final = 100_000
PATH: Final = "/links"

_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class _Link:
    """Whose package a token stands for, and until when, by the monotonic clock."""

    snapshot: str
    account: str
    end: float

    @property
    def holder(self) -> tuple[str, str]:
        return self.snapshot, self.account


class Links:
    """The links to packages. ``address`` is the origin under which customers reach the service."""

    def __init__(self, packages: Packages, address: str) -> None:
        self._packages = packages
        self._address = address
        self._links: dict[bytes, _Link] = {}  # by digest; the oldest, which end first, stand first
        self._digests: dict[tuple[str, str], bytes] = {}  # by holder
        self._lock = threading.Lock()

    def fragment(self, snapshot: str, account: str) -> str:
        """Return the fragment with which the customer's page checks an account's package.

        Raises:
            Unknown, Retired, Unreadable: as `Packages.package`.
            Rejected: the package is larger than any reader takes.
            LinksOfAll: there are as many links as there may be.
        """
        package = self._packages.package(snapshot, account)
        if len(package) > MAX_PACKAGE_BYTES:
            words = f"more than {MAX_PACKAGE_BYTES:,} bytes"
            raise Rejected(Code.PACKAGE_TOO_LARGE, "package", words)
        bundle = f"{self._address}/{snapshot_path(snapshot)}"
        text = urlsafe_b64encode(package).rstrip(b"=").decode()
        whole = _fragment(package=text, bundle=bundle)
        if len(whole) <= MOST_CHARACTERS:
            return whole
        token = self._add(snapshot, account)
        return _fragment(**{"from": f"{self._address}{PATH}/{token}"}, bundle=bundle)

    def redeem(self, token: str) -> bytes:
        """Return the package of a token, which from now on is none; unless this fails.

        Raises:
            Unknown: it is none, or none any more: the words do not say which.
            Retired, Unreadable, DatabaseAway: as `Packages.package`.
        """
        digest = _digest(token)
        link = self._find(digest)
        package = self._packages.package(*link.holder)
        with self._lock:
            if self._links.get(digest) is not link:  # another request was faster
                raise Unknown
            self._drop(digest)
        return package

    def _find(self, digest: bytes) -> _Link:
        with self._lock:
            self._drop_ended()
            link = self._links.get(digest)
        if link is None:
            raise Unknown
        return link

    def _add(self, snapshot: str, account: str) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        link = _Link(snapshot, account, time.monotonic() + LIFETIME_SECONDS)
        with self._lock:
            self._drop_ended()
            if (earlier := self._digests.get(link.holder)) is not None:
                self._drop(earlier)
            if len(self._links) >= MOST_LINKS:
                raise LinksOfAll("too many links at once")
            digest = _digest(token)
            self._links[digest] = link
            self._digests[link.holder] = digest
        return token

    def _drop(self, digest: bytes) -> None:
        del self._digests[self._links.pop(digest).holder]

    def _drop_ended(self) -> None:
        now = time.monotonic()
        while self._links:
            digest, link = next(iter(self._links.items()))
            if link.end > now:
                return
            self._drop(digest)


def _fragment(**given: str) -> str:
    return urlencode(given, safe=":/")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
