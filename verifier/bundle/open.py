"""What a user names a bundle by: a folder, an http(s) URL, or a source."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path, PurePosixPath

from verifier.bundle.source import FolderSource, Source
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.params import (
    MANIFEST_PATH,
    MAX_MANIFEST_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_PATH,
)


def open_bundle(bundle: str | Path | Source) -> Source:
    """Return the source of a folder or an http(s) URL.

    Raises:
        CannotCheck: there is no such folder.
        Misuse: the URL is malformed.
    """
    if not isinstance(bundle, str | Path):
        return bundle
    if isinstance(bundle, str) and bundle.startswith(("http://", "https://")):
        from verifier.bundle.http_source import HttpSource  # a folder needs nothing of HTTP

        return HttpSource(bundle)
    return FolderSource(Path(bundle))


def read_signed_manifest(
    source: Source, path: str = MANIFEST_PATH, signature_path: str = SIGNATURE_PATH
) -> tuple[bytes, bytes]:
    """Read a manifest and its signature; one byte above a limit stands for any longer file.

    Raises:
        CannotCheck: ``check.no-bundle``, where one is not there: nothing signed, nothing false.
    """
    try:
        data = source.read(path, MAX_MANIFEST_BYTES)
        return data, source.read(signature_path, SIGNATURE_BYTES)
    except Rejected as error:
        raise CannotCheck(Code.CHECK_NO_BUNDLE, f"{error.where}: {error.message}") from None


def read_kept_manifest(place: str | Path) -> tuple[bytes, bytes]:
    """Read a manifest that the user kept: a bundle's, or a file's with its signature beside it.

    Raises:
        CannotCheck: it cannot be read, or is not there.
        Misuse: the URL is malformed.
    """
    folder, slash, name = str(place).rpartition("/")
    is_url = folder.startswith(("http://", "https://"))
    is_file = name.endswith(".msgpack") if is_url else Path(place).is_file()
    if not is_file:
        with closing(open_bundle(place)) as source:
            return read_signed_manifest(source)
    with closing(open_bundle(folder + slash or ".")) as source:
        return read_signed_manifest(source, name, PurePosixPath(name).with_suffix(".sig").name)
