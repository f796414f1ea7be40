"""Pages that were made once, until what they show changes."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_MOST = 64  # pages, of a few hundred kB at most


@dataclass(frozen=True)
class Tagged:
    """Bytes that are served, and their entity tag."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Tagged:
        """Tag some bytes by what they are."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Shelf:
    """Keeps the pages that were asked for last, for one event loop; each is made by one thread."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, tuple[Hashable, Tagged]] = OrderedDict()
        self._making = asyncio.Lock()

    async def get(self, name: Hashable, version: Hashable, make: Callable[[], bytes]) -> Tagged:
        """Return a page of a version: the one that is kept, or a new one.

        However many ask for it at once, it is made once; of all pages, one at a time.
        """
        if not self._has(name, version):
            async with self._making:
                if not self._has(name, version):
                    made = Tagged.of(await asyncio.to_thread(make))
                    self._pages[name] = version, made
        self._pages.move_to_end(name)
        while len(self._pages) > _MOST:
            self._pages.popitem(last=False)
        return self._pages[name][1]

    def _has(self, name: Hashable, version: Hashable) -> bool:
        return name in self._pages and self._pages[name][0] == version
