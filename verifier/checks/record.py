"""The record of arguments: which files argue for a manifest (spec/errors.md 2, 2.1 to 2.7).

Several records of one manifest are no fault: each says which arguments are its own.
"""

from __future__ import annotations

from verifier.checks import records
from verifier.checks.manifest import CheckedManifest
from verifier.errors import Code, Rejected
from verifier.format.keys import is_signed
from verifier.format.params import ARGUMENT_VERSION, MAX_RECORD_BYTES, RECORD_VERSION
from verifier.format.wire import ArgumentRecord, RecordAsset


def check_record(
    checked: CheckedManifest, data: bytes, signature: bytes
) -> tuple[RecordAsset, ...]:
    """Check an untrusted record; return the digests of every asset of the manifest, in its order.

    Raises:
        Rejected: the first fault, in the order of the numbers.
    """
    # 2.1, 2.2
    if not 1 <= len(data) <= MAX_RECORD_BYTES:
        raise _fault(Code.RECORD_TOO_LARGE, "empty, or larger than 1 MiB")
    if not is_signed(checked.manifest.public_key, "argument-record", data, signature):
        raise _fault(Code.RECORD_BAD_SIGNATURE, "not signed by the exchange's key")
    # 2.3, 2.4
    record = records.read(ArgumentRecord, data, "record", "record")
    # 2.5 - 2.7
    if (record.version, record.argument_version) != (RECORD_VERSION, ARGUMENT_VERSION):
        raise _fault(Code.RECORD_UNSUPPORTED_VERSION, "its or the arguments' version is not 1")
    if record.manifest != checked.digest:
        raise _fault(Code.RECORD_WRONG_MANIFEST, "it belongs to another snapshot's manifest")
    assets = checked.manifest.assets
    if [entry.code for entry in record.assets] != [asset.code for asset in assets]:
        raise _fault(Code.RECORD_WRONG_ASSETS, "it lists not exactly the manifest's assets")
    for entry, asset in zip(record.assets, assets, strict=True):
        if len(entry.levels) != asset.levels:
            raise _fault(Code.RECORD_WRONG_ASSETS, f"{asset.code} has another number of levels")
    return record.assets


def wrong_argument(path: str) -> Rejected:
    """Return the rejection of a file of arguments that is not the one that the record names."""
    message = "not the file that the exchange signed for: this convicts nobody but who serves it"
    return Rejected(Code.BUNDLE_WRONG_ARGUMENT, path, message)


def _fault(code: Code, message: str) -> Rejected:
    return Rejected(code, "record", message)
