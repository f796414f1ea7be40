"""A bundle in memory, for tests that check it thousands of times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.bundle.source import missing
from verifier.errors import Code, Rejected


class MemorySource:
    """Files by path; see `verifier.bundle.source.Source`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str, limit: int) -> bytes:
        return self._file(path)[: limit + 1]

    def size(self, path: str) -> int:
        return len(self._file(path))

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        return self._file(path)[offset : offset + length]

    def check_listing(self, paths: Iterable[str]) -> None:
        unexpected = min(self._files.keys() - set(paths), default=None)
        if unexpected is not None:
            raise Rejected(Code.BUNDLE_UNEXPECTED_FILE, unexpected, "is no file of this bundle")

    def check_present(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._file(path)

    def close(self) -> None:
        """Nothing is open."""

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            raise missing(path)
        return self._files[path]
