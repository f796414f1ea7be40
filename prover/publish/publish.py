"""Publish a finished snapshot: put its bundle into a published folder (spec/wire.md, section 10).

What a crash, a kill or a second publisher can leave behind, step by step:

1. `manifest.sig` first, and only if there is none: it claims the snapshot id, so bundles of two
   manifests never mix. Nobody takes a folder without manifest for a bundle.
2. The other files, the record of arguments behind the arguments, each compared after it was
   written. A run that goes on keeps what is there and the same, and replaces what is not.
3. `manifest.msgpack`: now it is a bundle, whole.
4. `history.json`, in place of the one that was read: now it is found. A snapshot that does not
   follow the last one in it gets no entry, whoever was faster.

Nothing that an index names is ever changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prover.config.units import any_ratio_policy
from prover.errors import ProverError
from prover.progress import Progress, Silent
from prover.publish.targets import CHUNK_BYTES, Stored, Target, open_target
from verifier.bundle.history import (
    HISTORY_PATH,
    MAX_HISTORY_BYTES,
    BadHistory,
    Entry,
    History,
    read_history,
    write_history,
)
from verifier.bundle.open import read_signed_manifest
from verifier.bundle.source import FolderSource
from verifier.checks.manifest import CheckedManifest, check_manifest, check_previous
from verifier.checks.record import check_record, wrong_argument
from verifier.errors import CannotCheck, Rejected
from verifier.format import wire
from verifier.format.params import (
    DECLARATION_PATH,
    MANIFEST_PATH,
    MAX_DECLARATION_BYTES,
    MAX_EVIDENCE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_RECORD_BYTES,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    SIGNATURE_BYTES,
    SIGNATURE_PATH,
    arguments_path,
    evidence_path,
    pages_path,
    solvency_path,
)
from verifier.format.statement import declaration_digest, evidence_digest

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Published:
    """A snapshot that is published; ``new`` is False if the index named it before.

    ``path`` is where its bundle is below ``target``; ``size`` is the bundle's, in bytes.
    """

    snapshot_id: str
    manifest_digest: bytes
    target: str
    path: str
    files: int
    size: int
    new: bool


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A bundle at hand: its manifest and signature as bytes, and every file with its size."""

    source: FolderSource
    checked: CheckedManifest
    signature: bytes
    sizes: dict[str, int]

    @property
    def entry(self) -> Entry:
        manifest = self.checked.manifest
        return Entry(self.checked.digest, manifest.previous, manifest.snapshot_id, manifest.time)

    def chunks(self, path: str, reach: Callable[[int], None]) -> Iterator[bytes]:
        size = self.sizes[path]
        for offset in range(0, size, CHUNK_BYTES):
            yield self.source.read_range(path, offset, min(CHUNK_BYTES, size - offset))
            reach(min(offset + CHUNK_BYTES, size))


def publish(bundle: Path, target: str, progress: Progress | None = None) -> Published:
    """Publish a bundle; go on with it, if an earlier run was interrupted.

    ``target`` is ``file:///PATH`` or ``s3://BUCKET[/PREFIX]``. The bundle is not audited, only
    looked over: signatures, files, their lengths, the digests of declaration, evidence and
    arguments.

    Raises:
        ProverError: the bundle is incomplete; another manifest is published for this snapshot; it
            does not follow the last snapshot that is published; the target cannot be written.
    """
    found = _open_bundle(bundle)
    try:
        place = open_target(target)
        with place.lock():
            return _publish(found, place, progress or Silent())
    except CannotCheck as error:
        raise ProverError(f"{bundle}: {error}") from None
    finally:
        found.source.close()


def _publish(bundle: _Bundle, target: Target, progress: Progress) -> Published:
    entry = bundle.entry
    history, _ = _read_index(target)
    known = _known(entry, history)
    if not known:
        _check_follows(bundle.checked, history, target)
        _check_nameable(history, bundle, target)
    signature_path = entry.path + SIGNATURE_PATH
    if not target.create(signature_path, bundle.signature):
        claimed = target.read(signature_path, SIGNATURE_BYTES)
        if claimed is None or claimed.data != bundle.signature:
            raise _other_manifest(entry)
    total = sum(bundle.sizes.values())
    progress.stage("publish", 2 * total)  # bytes, each written and compared
    done = 0

    def reach(units: int) -> None:
        progress.reach(done + units)

    for path, size in bundle.sizes.items():
        _settle(bundle, path, target, reach, known)
        done += 2 * size
    new = not known and _add_entry(bundle, target)
    return Published(
        snapshot_id=entry.snapshot_id,
        manifest_digest=entry.manifest,
        target=target.name,
        path=entry.path,
        files=len(bundle.sizes),
        size=total,
        new=new,
    )


def _open_bundle(folder: Path) -> _Bundle:
    """Look over a bundle; its sizes are in the order of writing, with the manifest last."""
    try:
        source = FolderSource(folder)
    except CannotCheck as error:
        raise ProverError(f"no bundle: {error}") from None
    try:
        data, signature = read_signed_manifest(source)
        checked = _check_own_manifest(data, signature)
        sizes = _check_files(source, checked)
    except (Rejected, CannotCheck, ValueError) as error:
        source.close()
        raise ProverError(f"{folder}: {error}") from None
    except BaseException:
        source.close()
        raise
    sizes = {SIGNATURE_PATH: len(signature), **sizes, MANIFEST_PATH: len(data)}
    return _Bundle(source, checked, signature, sizes)


def _check_own_manifest(data: bytes, signature: bytes) -> CheckedManifest:
    """Check the manifest under the key and the ratios that it declares itself."""
    try:
        manifest = wire.read_record(wire.Manifest, data)
    except ValueError as error:
        raise ValueError(f"{MANIFEST_PATH}: {error}") from None
    return check_manifest(data, signature, manifest.public_key, any_ratio_policy())


def _check_files(source: FolderSource, checked: CheckedManifest) -> dict[str, int]:
    """Return the sizes of all files but manifest and signature."""
    sizes: dict[str, int] = {}
    if checked.manifest.has_declaration:
        declaration = source.read(DECLARATION_PATH, MAX_DECLARATION_BYTES)
        if declaration_digest(declaration) != checked.manifest.declaration:
            raise ValueError(f"{DECLARATION_PATH} is not the declaration that the manifest names")
        sizes[DECLARATION_PATH] = len(declaration)
    record = source.read(RECORD_PATH, MAX_RECORD_BYTES)
    signature = source.read(RECORD_SIGNATURE_PATH, SIGNATURE_BYTES)
    arguments = check_record(checked, record, signature)
    for asset, digests in zip(checked.manifest.assets, arguments, strict=True):
        path = evidence_path(asset.code)
        evidence = source.read(path, MAX_EVIDENCE_BYTES)
        if evidence_digest(evidence) != asset.evidence:
            raise ValueError(f"{path} is not the evidence that the manifest names")
        sizes[path] = len(evidence)
        for level in range(asset.levels):
            path = pages_path(asset.code, level)
            sizes[path] = source.size(path)
            if sizes[path] != asset.shape.pages_file_bytes(level):
                raise ValueError(f"{path} has another length than the manifest implies")
        named = [
            *((arguments_path(asset.code, at), digest) for at, digest in enumerate(digests.levels)),
            (solvency_path(asset.code), digests.solvency),
        ]
        for path, digest in named:
            sizes[path] = source.size(path)
            if _digest(source, path, sizes[path]) != digest:
                raise wrong_argument(path)
    sizes[RECORD_SIGNATURE_PATH] = len(signature)
    sizes[RECORD_PATH] = len(record)
    source.check_listing([MANIFEST_PATH, SIGNATURE_PATH, *sizes])
    return sizes


def _digest(source: FolderSource, path: str, size: int) -> bytes:
    digest = hashlib.sha256()
    for offset in range(0, size, CHUNK_BYTES):
        digest.update(source.read_range(path, offset, min(CHUNK_BYTES, size - offset)))
    return digest.digest()


def _read_index(target: Target) -> tuple[History | None, Stored | None]:
    stored = target.read(HISTORY_PATH, MAX_HISTORY_BYTES)
    if stored is None:
        return None, None
    try:
        return read_history(stored.data), stored
    except BadHistory as error:
        raise ProverError(f"{target.name}: {HISTORY_PATH}: {error}") from None


def _known(entry: Entry, history: History | None) -> bool:
    """Tell whether an index names a snapshot.

    Raises:
        ProverError: it names it with another manifest.
    """
    for published in history.snapshots if history else ():
        if published.snapshot_id == entry.snapshot_id:
            if published.manifest != entry.manifest:
                raise _other_manifest(entry)
            return True
    return False


def _check_follows(checked: CheckedManifest, history: History | None, target: Target) -> None:
    """Check that a snapshot follows the last one of an index, whose manifest is read for that."""
    if history is None or not history.snapshots:
        return
    last = history.snapshots[-1]
    if checked.manifest.previous != last.manifest:
        raise ProverError(
            f"snapshot {checked.manifest.snapshot_id} does not follow {last.snapshot_id}, the last "
            f"that is published at {target.name}: publish those between first"
        )
    manifest = target.read(last.path + MANIFEST_PATH, MAX_MANIFEST_BYTES)
    signature = target.read(last.path + SIGNATURE_PATH, SIGNATURE_BYTES)
    if manifest is None or signature is None:
        raise ProverError(
            f"{target.name}: {last.path} is named in {HISTORY_PATH} and has no bundle"
        )
    try:
        check_previous(checked, manifest.data, signature.data)
    except (Rejected, CannotCheck) as error:
        raise ProverError(f"after snapshot {last.snapshot_id}: {error}") from None


def _settle(
    bundle: _Bundle, path: str, target: Target, reach: Callable[[int], None], known: bool
) -> None:
    """Let one file stand in the target; it did so already, or is written and compared.

    Raises:
        ProverError: an index names the snapshot (``known``), and the file is another; or what was
            written does not come back the same.
    """
    where, size = bundle.entry.path + path, bundle.sizes[path]
    compared = _compare(bundle, path, target, reach)
    if compared:
        return
    if compared is False and known:
        raise ProverError(
            f"{target.name}: {where} differs from this bundle's; what is published is not changed. "
            "Audit both, and restore the one that is damaged"
        )
    target.put(where, bundle.chunks(path, reach), size)
    if not _compare(bundle, path, target, reach):
        raise ProverError(f"{target.name}: {where} does not come back as it was written")


def _compare(
    bundle: _Bundle, path: str, target: Target, reach: Callable[[int], None]
) -> bool | None:
    """Tell whether a file in the target is the bundle's; None if there is none."""
    stored = target.chunks(bundle.entry.path + path)
    if stored is None:
        return None
    size, compared = bundle.sizes[path], 0
    for chunk in stored:
        end = compared + len(chunk)
        if end > size or bundle.source.read_range(path, compared, len(chunk)) != chunk:
            return False
        compared = end
        reach(size + compared)
    return compared == size


def _add_entry(bundle: _Bundle, target: Target) -> bool:
    """Name the snapshot in the index; tell whether it was not named yet."""
    for _ in range(_TRIES):
        history, stored = _read_index(target)
        if _known(bundle.entry, history):
            return False
        _check_follows(bundle.checked, history, target)
        data = _extended(history, bundle, target)
        written = (
            target.create(HISTORY_PATH, data)
            if stored is None
            else target.replace(HISTORY_PATH, data, stored.tag)
        )
        if written:
            return True
    raise ProverError(f"{target.name}: others write {HISTORY_PATH} all the time")


def _check_nameable(history: History | None, bundle: _Bundle, target: Target) -> None:
    """Check that the index can name the snapshot, before anything of it is written.

    Raises:
        ProverError: see `_extended`.
    """
    _extended(history, bundle, target)


def _extended(history: History | None, bundle: _Bundle, target: Target) -> bytes:
    """Return the index with the snapshot as its last.

    Raises:
        ProverError: no reader would take it: it is too long, or the time after the year 9999.
    """
    manifest = bundle.checked.manifest
    before = history.snapshots if history else ()
    extended = History(manifest.exchange, manifest.public_key, (*before, bundle.entry))
    data = write_history(extended)
    try:
        read_history(data)
    except BadHistory as error:
        message = f"{HISTORY_PATH} cannot name this snapshot, too: {error}"
        raise ProverError(f"{target.name}: {message}") from None
    return data


def _other_manifest(entry: Entry) -> ProverError:
    return ProverError(
        f"another manifest is published for snapshot {entry.snapshot_id}; "
        "one id stands for one manifest, and that cannot be taken back"
    )
