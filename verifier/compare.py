"""Two manifests side by side: what they prove together of whoever signed them.

Nobody but the holder of a key can sign under it, so two manifests that no honest history holds are
evidence for anyone, whoever shows them. Source: spec/protocol.md 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verifier.bundle.open import read_kept_manifest
from verifier.bundle.own_file import keep_file
from verifier.checks.manifest import rotation_body, rotation_fault
from verifier.errors import CannotCheck, Code, Misuse
from verifier.format.keys import is_signed, parse_public_key
from verifier.format.params import MAX_MANIFEST_BYTES
from verifier.format.statement import manifest_digest
from verifier.format.wire import Manifest, read_record


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A manifest whose signature verifies: its bytes, signature, 32-byte digest, and fields."""

    data: bytes
    signature: bytes
    digest: bytes
    fields: Manifest

    @property
    def signed(self) -> dict[bytes, bytes]:
        """By key what it signed: its own key the manifest, a key that it replaced the rotation."""
        fields = self.fields
        replaced = {
            item.old_key: rotation_body(
                item.old_key, fields.public_key, fields.exchange, fields.previous
            )
            for item in fields.rotation
            if not rotation_fault(fields, item)
        }
        return {**replaced, fields.public_key: self.digest}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two manifests prove, and of the holders of which keys.

    ``fault`` is empty where no rule says that they contradict an honest history.
    """

    first: SignedManifest
    second: SignedManifest
    keys: tuple[bytes, ...]
    fault: str

    @property
    def is_fraud(self) -> bool:
        """Whether the holder of each of ``keys`` signed what no honest exchange signs."""
        return bool(self.fault)


def compare_manifests(
    first: str | Path, second: str | Path, exchange_key: str | bytes | None = None
) -> Comparison:
    """Compare two manifests: bundles, or files with their signatures beside them.

    Args:
        first, second: each a folder, an http(s) URL, or a ``.msgpack`` file or URL; untrusted.
        exchange_key: the key that must have signed both, itself or by a rotation. Without one any
            key does that both name. What is proved is proved of the holders of `Comparison.keys`.

    Raises:
        CannotCheck: one cannot be read, or is signed by nobody.
        Misuse: they are of two keys, or of another than ``exchange_key``.
    """
    one, other = _signed(first), _signed(second)
    common = one.signed.keys() & other.signed.keys()
    if exchange_key is not None and parse_public_key(exchange_key) not in common:
        common = set()
    if not common:
        raise Misuse("the manifests are not signed by one key: they prove nothing together")
    # Whoever gave a key up by one statement, which stands in both, signed nothing twice.
    twice = {key for key in common if one.signed[key] != other.signed[key]}
    whole = twice & {one.fields.public_key} & {other.fields.public_key}
    # Of a manifest that replaces a key, the old key signed `previous`, and neither id nor time.
    for rule, keys in ((_same_id, whole), (_same_previous, twice), (_bad_times, whole)):
        if keys and (fault := rule(one, other)):
            return Comparison(one, other, tuple(sorted(keys)), fault)
    return Comparison(one, other, (), "")


def _same_id(first: SignedManifest, second: SignedManifest) -> str:
    if first.fields.snapshot_id != second.fields.snapshot_id:
        return ""
    return f"two different manifests are signed for snapshot {first.fields.snapshot_id}"


def _same_previous(first: SignedManifest, second: SignedManifest) -> str:
    if first.fields.previous != second.fields.previous:
        return ""
    after = "follow the same one" if any(first.fields.previous) else "are each said to be first"
    ids = f"{first.fields.snapshot_id} and {second.fields.snapshot_id}"
    return f"two different snapshots, {ids}, {after}"


def _bad_times(first: SignedManifest, second: SignedManifest) -> str:
    if first.fields.time == second.fields.time:
        return "two different snapshots are of one time, and none can be before the other"
    for earlier, later in ((first, second), (second, first)):
        if later.fields.previous == earlier.digest and later.fields.time < earlier.fields.time:
            return f"{later.fields.snapshot_id} follows a snapshot that is later than itself"
    return ""


def _signed(place: str | Path) -> SignedManifest:
    data, signature = read_kept_manifest(place)
    if not 1 <= len(data) <= MAX_MANIFEST_BYTES:
        raise CannotCheck(Code.CHECK_UNREADABLE, f"{place}: no manifest: larger than any, or empty")
    try:
        fields = read_record(Manifest, data)
    except ValueError as error:
        raise CannotCheck(Code.CHECK_UNREADABLE, f"{place}: no manifest: {error}") from None
    if not is_signed(fields.public_key, "manifest-signature", data, signature):
        raise CannotCheck(Code.CHECK_UNREADABLE, f"{place}: not signed by the key that it names")
    return SignedManifest(data, signature, manifest_digest(data), fields)


def save_manifests(found: Comparison, folder: Path) -> list[Path]:
    """Write both manifests and signatures into a folder, made if need be; return the files.

    Each is named by its digest, and nothing that stands there is written over.

    Raises:
        OSError: the folder or a file cannot be written, or something else has a name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for manifest in (found.first, found.second):
        for suffix, data in ((".msgpack", manifest.data), (".sig", manifest.signature)):
            path = folder / f"{manifest.digest.hex()}{suffix}"
            keep_file(path, data)
            written.append(path)
    return written
