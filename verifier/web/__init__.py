"""The customer's page: the light check in a browser, as one self-contained file.

A page that an exchange serves is no more honest than the exchange. What makes it checkable is that
it is one file, built reproducibly (`verifier.web.build`), whose digest this package carries.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from verifier.bundle.http_source import HttpSource
from verifier.bundle.source import read_file
from verifier.errors import CannotCheck, Code, Rejected

MAX_PAGE_BYTES = 2**20

_DIGEST_FILE = Path(__file__).with_name("page.sha256")


def published_digest() -> str:
    """Return the SHA-256 of this version's page, in hex."""
    return _DIGEST_FILE.read_text("ascii").split()[0]


def check_page(location: str) -> str:
    """Check that a file, or what an http(s) URL serves, is this version's page; return its SHA-256.

    Raises:
        Rejected: ``web.other-page``.
        CannotCheck: it cannot be read.
        Misuse: the URL is malformed.
    """
    page = _read(location)
    digest = hashlib.sha256(page).hexdigest()
    if digest != published_digest():
        message = f"its SHA-256 is {digest}, that of this version's page {published_digest()}"
        raise Rejected(Code.WEB_OTHER_PAGE, location, message)
    return digest


def _read(location: str) -> bytes:
    if location.startswith(("http://", "https://")):
        folder, _, name = location.rpartition("/")
        try:
            with closing(HttpSource(folder)) as source:
                return source.read(name, MAX_PAGE_BYTES)
        except Rejected:  # of a bundle that would be a fault; here there is nothing to compare
            raise CannotCheck(Code.CHECK_UNREADABLE, f"{location}: not found") from None
    return read_file(location, MAX_PAGE_BYTES, "page")
