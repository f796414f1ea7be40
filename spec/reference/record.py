"""The record of arguments (wire.md 5): which files of arguments a manifest is proved by."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from spec.reference import wire
from spec.reference.keys import signed
from spec.reference.manifest import Manifest, decode_fields, read_limited, read_signature, require

MAX_BYTES = 1 << 20
NAME = "arguments.msgpack"
SIGNATURE = "arguments.sig"
_ASSET = {
    "code": wire.text(),
    "levels": wire.array(wire.binary(32)),
    "solvency": wire.binary(32),
}
_RECORD = wire.record(
    {
        "argument_version": wire.integer,
        "assets": wire.array(wire.record(_ASSET)),
        "manifest": wire.binary(32),
        "version": wire.integer,
    }
)


@dataclass(frozen=True)
class Digests:
    """SHA-256 of an asset's files of arguments."""

    levels: list[bytes]
    solvency: bytes


def check(bundle: Path, manifest: Manifest) -> dict[str, Digests]:
    """errors.md 2, numbers 2.1 to 2.7: the digests of each asset, by code."""
    data = read_limited(bundle / NAME, MAX_BYTES, "record.too-large", NAME)
    signature = read_signature(bundle / SIGNATURE)
    good = signed(manifest.public_key, "argument-record", data, signature)
    require(good, "record.bad-signature", SIGNATURE, "no signature of the given key")
    fields = decode_fields(data, _RECORD, "record", NAME)
    versions = fields["version"], fields["argument_version"]
    require(versions == (1, 1), "record.unsupported-version", NAME)
    require(fields["manifest"] == manifest.digest, "record.wrong-manifest", NAME)
    listed = [(asset["code"], len(asset["levels"])) for asset in fields["assets"]]
    expected = [(asset.code, asset.levels) for asset in manifest.assets]
    require(listed == expected, "record.wrong-assets", NAME)
    return {
        asset["code"]: Digests(asset["levels"], asset["solvency"]) for asset in fields["assets"]
    }


def check_file(bundle: Path, name: str, length: int, digest: bytes) -> None:
    """That a file of arguments is the one that the record names; else bundle.wrong-argument."""
    code = "bundle.wrong-argument"
    path = bundle / name
    require(path.stat().st_size == length, code, name, f"not {length} bytes")
    with path.open("rb") as file:
        right = file_digest(file, "sha256").digest() == digest
    require(right, code, name, "not the file that the record names")
