"""Where a published folder is kept: a folder of this machine, or a bucket that speaks S3.

Invariants: a file appears under its name whole or not at all; memory is bounded whatever the size
of a file; `Target.create` and `Target.replace` are atomic against any other publisher. No
credential and nothing that a store answers but its error code gets into a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote

from prover.errors import ProverError
from prover.files.storage import fresh_file, locked, no_file, sync_file
from verifier.bundle.history import HISTORY_PATH
from verifier.bundle.own_file import NO_FILE, open_own

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Store

CHUNK_BYTES = 8 * 2**20

_UPLOADS_AT_ONCE = 4
_RETRIES = 5
_RETRY_SECONDS = 60
_ERROR_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")
_BUCKET = re.compile("s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?")

# Bundles never change under their name; the index grows with every snapshot.
IMMUTABLE = "public, max-age=31536000, immutable"
CHANGING = "public, max-age=60"


class Stored(NamedTuple):
    """A small file, and what `Target.replace` needs to know that it is still that one."""

    data: bytes
    tag: str


class Target(Protocol):
    """A published folder; paths in it are relative, with slashes."""

    name: str

    def lock(self) -> AbstractContextManager[None]:
        """Keep other publishers of this folder out, if it has a way to."""

    def read(self, path: str, limit: int) -> Stored | None:
        """Return a file, or its first ``limit`` + 1 bytes; None if there is none."""

    def chunks(self, path: str) -> Iterator[bytes] | None:
        """Return a file's content in pieces; None if there is none."""

    def put(self, path: str, chunks: Iterable[bytes], size: int) -> None:
        """Write a file of ``size`` bytes, in place of any other."""

    def create(self, path: str, data: bytes) -> bool:
        """Write a file if there is none; tell whether there was none."""

    def replace(self, path: str, data: bytes, tag: str) -> bool:
        """Write a file in place of the one that `read` gave; tell whether it was still there."""


def open_target(url: str) -> Target:
    """Return the folder or bucket of a URL.

    Raises:
        ProverError: the URL is neither ``file:///PATH`` nor ``s3://BUCKET[/PREFIX]``.
    """
    if url.startswith("file:///"):
        return FolderTarget(Path(unquote(url.removeprefix("file://"))))
    if _BUCKET.fullmatch(url):
        return BucketTarget(url.rstrip("/"))
    raise ProverError("the target is neither file:///PATH nor s3://BUCKET[/PREFIX]")


class FolderTarget:
    """A folder that a static host serves. Everybody may read it, whatever the umask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def lock(self) -> AbstractContextManager[None]:
        """See `Target`."""
        _make_folder(self._folder)
        return locked(self._folder, f"{self._folder}: another process publishes there")

    def read(self, path: str, limit: int) -> Stored | None:
        """See `Target`."""
        file = self._opened(path)
        if file is None:
            return None
        with file:
            return Stored(file.read(limit + 1), "")

    def chunks(self, path: str) -> Iterator[bytes] | None:
        """See `Target`."""
        file = self._opened(path)
        return None if file is None else _pieces(file)

    def _opened(self, path: str) -> BinaryIO | None:
        """Open a file to read, if there is one.

        Raises:
            ProverError: something else stands there; of a link readers would get nothing.
        """
        try:
            return os.fdopen(open_own(self._folder / path), "rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            raise no_file(self._folder / path) from None

    def put(self, path: str, chunks: Iterable[bytes], size: int) -> None:
        """See `Target`; ``size`` is not needed."""
        _make_folder((self._folder / path).parent)
        with fresh_file(self._folder / path, 0o644) as file:
            os.fchmod(file.fileno(), 0o644)
            for chunk in chunks:
                file.write(chunk)

    def create(self, path: str, data: bytes) -> bool:
        """See `Target`; the lock is held."""
        if (self._folder / path).exists():
            return False
        self.put(path, [data], len(data))
        return True

    def replace(self, path: str, data: bytes, tag: str) -> bool:
        """See `Target`; the lock is held, so nobody else can have changed it."""
        self.put(path, [data], len(data))
        return True


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o755, exist_ok=True)
        folder.chmod(0o755)
        sync_file(folder.parent)


class BucketTarget:
    """A bucket, or what is below a prefix in it; configured by the environment as AWS's own tools.

    Objects appear whole. There is no lock: `create` and `replace` are conditional writes.
    """

    def __init__(self, url: str) -> None:
        from obstore.store import S3Store

        self.name = url
        retry: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
        with self._errors():
            self._store: S3Store = S3Store.from_url(url, retry_config=retry)

    def lock(self) -> AbstractContextManager[None]:
        """See `Target`."""
        return nullcontext()

    def read(self, path: str, limit: int) -> Stored | None:
        """See `Target`."""
        with self._errors():
            found = self._get(path)
            if found is None:
                return None
            data = bytearray()
            for chunk in found.stream():
                data += chunk
                if len(data) > limit:
                    break
            return Stored(bytes(data[: limit + 1]), found.meta["e_tag"] or "")

    def chunks(self, path: str) -> Iterator[bytes] | None:
        """See `Target`."""
        with self._errors():
            found = self._get(path)
        return None if found is None else self._pieces(found)

    def _pieces(self, found: GetResult) -> Iterator[bytes]:
        with self._errors():
            yield from map(bytes, found.stream(min_chunk_size=2**20))

    def put(self, path: str, chunks: Iterable[bytes], size: int) -> None:
        """See `Target`; in parts, if it is long."""
        self._write(path, iter(chunks) if size > CHUNK_BYTES else b"".join(chunks), "overwrite")

    def create(self, path: str, data: bytes) -> bool:
        """See `Target`."""
        return self._write(path, data, "create")

    def replace(self, path: str, data: bytes, tag: str) -> bool:
        """See `Target`."""
        return self._write(path, data, {"e_tag": tag})

    def _write(self, path: str, content: bytes | Iterator[bytes], mode: Any) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        index = path == HISTORY_PATH
        kind = "application/json" if index else "application/octet-stream"
        caching = CHANGING if index else IMMUTABLE
        with self._errors():
            try:
                self._store.put(
                    path,
                    content,
                    attributes={"Content-Type": kind, "Cache-Control": caching},
                    chunk_size=CHUNK_BYTES,
                    max_concurrency=_UPLOADS_AT_ONCE,
                    mode=mode,
                    use_multipart=not isinstance(content, bytes),
                )
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def _get(self, path: str) -> GetResult | None:
        try:
            return self._store.get(path)
        except FileNotFoundError as error:
            if "<Code>NoSuchBucket</Code>" in str(error):
                raise
            return None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Tell of a store's errors without what stands in its answers: keys, signatures, ids."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            reason = "access is refused: look at credentials, region and the bucket's policy"
            raise self._failure(reason, error) from None
        except FileNotFoundError as error:
            raise self._failure("there is no such bucket", error) from None
        except (BaseError, ValueError) as error:
            reason = "the store cannot be reached, or fails"
            raise self._failure(reason, error) from None

    def _failure(self, reason: str, error: Exception) -> ProverError:
        code = _ERROR_CODE.search(str(error))
        return ProverError(f"{self.name}: {reason}" + (f" ({code[1]})" if code else ""))
