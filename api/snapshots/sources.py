"""From a configured ledger source and an operator's request to the prover's ``snapshot.toml``.

A source is a snapshot TOML of the operator's, without what differs from one snapshot to the next:
``snapshot_id``, ``time``, the ``[chains]`` and ``[previous]`` (which may name ``old_signing`` and
``abandoned``). What it names as evidence, proofs, coins and hidden sets are names of files to be
uploaded. A request makes ``draft.toml`` of it, once, with a copy of the list of assets beside it;
``snapshot.toml`` is that with the predecessor, which is known when the snapshot is begun.

Invariants: what a draft says does not change with its source. Paths of keys and ledger are those
that the source says, taken from its own folder; all others are those of the copy and
``uploads/NAME``, with names from a closed set. A request's values cannot become keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import tomli_w

from api.snapshots.folder import UPLOADS, ServedFolder
from prover.config.snapshot_toml import SnapshotConfig, parse_config
from prover.errors import ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.files.storage import fresh_file
from prover.files.toml_table import read_toml
from verifier.format import wire

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9_-]{1,15}){0,3}")
_GIVEN: Final = ("snapshot_id", "time", "chains")


@dataclass(frozen=True, slots=True)
class Block:
    """A chain's block at the snapshot's time; ``hash`` and, of bitcoin, ``header`` in hex."""

    height: int
    hash: str
    header: str | None = None

    @property
    def table(self) -> dict[str, int | str]:
        """The block as the TOML has it."""
        found: dict[str, int | str] = {"height": self.height, "hash": self.hash}
        return found if self.header is None else found | {"header": self.header}


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """What differs from one snapshot of a source to the next; ``time`` in Unix seconds."""

    snapshot_id: str
    time: int
    blocks: Mapping[str, Block]


class FileKind(StrEnum):
    """What an uploaded file is."""

    LIST = "list"
    PROOF = "proof"
    COINS = "coins"
    HIDDEN_SET = "hidden-set"
    HIDDEN_OPENING = "hidden-opening"
    ATTESTATION = "attestation"


@dataclass(frozen=True, slots=True)
class Slot:
    """A file to be uploaded; ``asset`` is empty for a list, which may hold rows of any."""

    name: str
    kind: FileKind
    asset: str


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of ``draft.toml``, what it says, and the name of the list that it says it by.

    list_name: empty where the TOML itself lists the assets.
    """

    text: str
    config: SnapshotConfig
    list_name: str

    def write(self, folder: ServedFolder) -> None:
        """Write it, durably: the list first, so that a draft that stands has its own."""
        if self.list_name:
            with fresh_file(folder.path / self.list_name) as file:
                file.write(self.config.listed)
        with fresh_file(folder.draft) as file:
            file.write(self.text.encode())


def compose(source: Path, request: NewSnapshot, folder: ServedFolder) -> Draft:
    """Return the draft of a snapshot that is to be in ``folder``; nothing is written.

    Raises:
        ProverError: the source or the request is refused; the message names file, key and rule.
    """
    try:
        table = tomllib.loads(_read(source))
    except ValueError as error:
        raise ProverError(f"{source}: {error}") from None
    for key in _GIVEN:
        if key in table:
            raise ProverError(f"{source}: {key}: comes with each snapshot, not with its source")
    previous = table.setdefault("previous", {})
    if not isinstance(previous, dict) or previous.keys() - {"abandoned", "old_signing"}:
        raise ProverError(f"{source}: previous: may have abandoned and old_signing alone")
    _name_files(source, table)
    table["snapshot_id"] = request.snapshot_id
    table["time"] = datetime.fromtimestamp(request.time, UTC)
    table["chains"] = {name: block.table for name, block in request.blocks.items()}
    # Validated as if nothing came before it; what does is set at the start.
    config = _checked(folder, _with_previous(table, None))
    list_name = _name_copy(table)
    return Draft(tomli_w.dumps(table), config, list_name)


def settle_previous(
    folder: ServedFolder, last: Path | None, abandoned: Collection[str] = ()
) -> tuple[bytes, SnapshotConfig]:
    """Return ``snapshot.toml``, the draft after the last published manifest, and what it says.

    ``abandoned`` are ids of snapshots that were signed to follow the same one, and erased.

    Raises:
        ProverError: what there is cannot follow it.
    """
    text = _with_previous(tomllib.loads(_read(folder.draft)), last, abandoned)
    return text.encode(), _checked(folder, text)


def read_draft(folder: ServedFolder) -> SnapshotConfig:
    """Return what a draft says, but for its predecessor.

    Raises:
        ProverError: it is damaged, or gone.
    """
    return _checked(folder, _with_previous(tomllib.loads(_read(folder.draft)), None))


def _read(file: Path) -> str:
    try:
        return read_toml(file).decode()
    except ValueError as error:
        raise ProverError(f"{file}: {error}") from None


def slots(config: SnapshotConfig) -> dict[str, Slot]:
    """Return the files to be uploaded, by name."""
    return {slot.name: slot for slot in _slots(config)}


def _slots(config: SnapshotConfig) -> Iterator[Slot]:
    for path in config.evidence:
        yield Slot(path.name, FileKind.LIST, "")
    for asset in config.assets:
        for path in asset.proofs:
            yield Slot(path.name, FileKind.PROOF, asset.code)
        for path in asset.coins:
            yield Slot(path.name, FileKind.COINS, asset.code)
        for path in asset.attestations:
            yield Slot(path.name, FileKind.ATTESTATION, asset.code)
    for entry in config.hidden:
        yield Slot(entry.set_file.name, FileKind.HIDDEN_SET, entry.code)
        yield Slot(entry.opening.name, FileKind.HIDDEN_OPENING, entry.code)


def _checked(folder: ServedFolder, text: str) -> SnapshotConfig:
    config = parse_config(folder.config, text.encode())
    named = list(_slots(config))
    kinds = {slot.name: slot.kind for slot in named}
    for slot in named:
        if kinds[slot.name] != slot.kind:
            raise ProverError(f"{slot.name}: named as a {kinds[slot.name]} and as a {slot.kind}")
    return config


def _with_previous(
    draft: Mapping[str, Any], last: Path | None, abandoned: Collection[str] = ()
) -> str:
    """Return the draft as one that follows the manifest ``last``; None: the first of all."""
    table = {**draft, "previous": {**draft["previous"]}}
    old_signing, given = (table["previous"].get(key) for key in ("old_signing", "abandoned"))
    table["previous"] = {"first": True} if last is None else {"manifest": str(last)}
    if given is not None or abandoned:
        table["previous"]["abandoned"] = [*(given or []), *sorted(abandoned)]
    if last is None:
        return tomli_w.dumps(table)
    try:
        manifest = wire.read_record(wire.Manifest, last.read_bytes())
    except (OSError, wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{last}: no manifest") from None
    key = public_bytes(read_signing_key(Path(table["keys"]["signing"])))
    if old_signing is not None and manifest.public_key != key:
        table["previous"]["old_signing"] = old_signing
    return tomli_w.dumps(table)


def _name_files(source: Path, table: dict[str, Any]) -> None:
    """Let every path of the table be absolute, or that of an upload.

    What is not of the shape that it should be is left to the prover's own reader.
    """
    beside = source.absolute().parent
    for place, key in (
        (table.get("keys"), "signing"),
        (table.get("keys"), "master"),
        (table.get("previous"), "old_signing"),
        (table.get("ledger"), "path"),
    ):
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = str(beside / place[key])
    for entry in _tables(table, "evidence"):
        _upload(source, entry, "path")
    assets = table.get("assets")
    if isinstance(assets, dict) and "from" in assets:
        if assets["from"] == "ledger":
            raise ProverError(f"{source}: assets.from: the service takes a list, not the ledger")
        if isinstance(assets["from"], str):
            assets["from"] = str(beside / assets["from"])
    for entry in _tables(table, "assets"):
        for key in ("attestations", "coins", "proofs"):
            if isinstance(entry.get(key), list):
                entry[key] = [_upload_path(source, key, name) for name in entry[key]]
    for entry in _tables(table, "hidden"):
        _upload(source, entry, "set")
        _upload(source, entry, "opening")


def _name_copy(table: dict[str, Any]) -> str:
    """Let the list of assets be the copy that lies beside a draft; return its name, or nothing."""
    assets = table.get("assets")
    if not isinstance(assets, dict):
        return ""
    name = "assets.jsonl" if Path(assets["from"]).suffix == ".jsonl" else "assets.csv"
    assets["from"] = name
    return name


def _tables(table: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    found = table.get(key)
    entries = found.values() if isinstance(found, dict) else found
    if isinstance(entries, Iterable):
        yield from (entry for entry in entries if isinstance(entry, dict))


def _upload(source: Path, entry: dict[str, Any], key: str) -> None:
    if key in entry:
        entry[key] = _upload_path(source, key, entry[key])


def _upload_path(source: Path, key: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ProverError(f"{source}: {key}: must be the plain name of a file to be uploaded")
    return f"{UPLOADS}/{name}"
