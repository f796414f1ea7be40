"""What is known to be wrong before a job begins, told when an operator asks and not hours later.

All of it the prover checks again: what is checked here for long is checked for so long, and where
files are large not at all, as requests are answered meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from api.errors import EvidenceRefused, NotComplete
from api.snapshots.folder import ServedFolder
from api.snapshots.sources import FileKind, Slot, read_draft
from prover.assets.attested import check_attestation
from prover.assets.bitcoin import read_coin_rows
from prover.assets.evidence import check_list
from prover.assets.evm import check_proof, read_proof
from prover.assets.hidden import check_set, read_opening
from prover.clock import check_time
from prover.config.announcement import announce
from prover.config.snapshot_toml import SnapshotConfig
from prover.errors import ProverError, words_of
from prover.files.keys import public_bytes, read_master_key, read_signing_key
from prover.snapshot import complete
from prover.snapshot.inputs import gather_evidence, replaced_keys
from prover.snapshot.make import (
    check_follows,
    check_unsigned,
    ownership_messages,
)
from prover.snapshot.record import predecessor
from verifier.errors import Rejected

# Of signatures, in one request; a core checks hundreds to thousands a second.
CHECK_SECONDS: Final = 10.0
# Of all files of evidence, to be read again at the start.
MAX_BYTES: Final = 8 * 1024 * 1024


def check_draft(config: SnapshotConfig) -> None:
    """Check what is known of a snapshot when it is drafted: its time and its keys.

    Raises:
        ProverError: the prover would refuse it.
    """
    check_time(config.time, "time")
    read_signing_key(config.signing_key)
    read_master_key(config.master_key)


def check_upload(file: Path, slot: Slot, config: SnapshotConfig) -> None:
    """Check a file of evidence by itself, against key, blocks and assets of the draft.

    Raises:
        EvidenceRefused: the prover would refuse it.
        ProverError: the signing key cannot be read.
    """
    key = public_bytes(read_signing_key(config.signing_key))
    with _refused(file.parent), suppress(_OutOfTime):
        match slot.kind:
            case FileKind.LIST:
                check_list(file, config.assets, ownership_messages(config, key), _clock())
            case FileKind.PROOF:
                check_proof(slot.name, read_proof(file), config.chains)
            case FileKind.COINS:
                for _ in read_coin_rows(file):
                    pass
            case FileKind.HIDDEN_SET:
                asset = next(asset for asset in config.assets if asset.code == slot.asset)
                check_set(file, announce(config, key), asset)
            case FileKind.HIDDEN_OPENING:
                read_opening(file)
            case FileKind.ATTESTATION:
                asset = next(asset for asset in config.assets if asset.code == slot.asset)
                check_attestation(file, asset, announce(config, key), replaced_keys(config))


def missing_inputs(folder: ServedFolder) -> list[str]:
    """Return what a snapshot lacks to be started, or gone on with: a line each, in the words in
    which the command tells it, with uploads by their names alone.

    Raises:
        ProverError: the draft is damaged, or gone.
    """
    missing = complete.missing_inputs(read_draft(folder), folder)
    return [_without(folder.uploads, line) for line in missing]


def check_complete(folder: ServedFolder) -> None:
    """Check that a snapshot lacks nothing.

    Raises:
        NotComplete: it does.
    """
    if missing := missing_inputs(folder):
        raise NotComplete(missing)


def check_start(config: SnapshotConfig, folder: ServedFolder) -> None:
    """Check what is known of a snapshot when it is begun, or gone on with: besides what is known of
    a draft, that its id is new, its predecessor, and what it is to read that is not frozen yet.

    Raises:
        ProverError: the prover would refuse it.
        EvidenceRefused: it would refuse its evidence.
    """
    check_draft(config)
    if not folder.record.exists():
        check_unsigned(config)
    signing = read_signing_key(config.signing_key)
    check_follows(config, predecessor(config, signing)[0])
    if not folder.evidence.exists():
        _check_evidence(config, public_bytes(signing), folder.uploads)


def _check_evidence(config: SnapshotConfig, key: bytes, uploads: Path) -> None:
    if sum(file.stat().st_size for file in uploads.glob("*")) <= MAX_BYTES:
        with _refused(uploads), suppress(_OutOfTime):
            gather_evidence(config, key, ownership_messages(config, key), _clock())


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Let refusals of files in a folder name them by their names alone."""
    try:
        yield
    except (Rejected, ProverError) as error:
        raise EvidenceRefused(_without(folder, str(words_of(error)))) from None


def _without(folder: Path, text: str) -> str:
    """Return a text in which files of a folder have their names alone."""
    return text.replace(f"{folder}/", "")


class _OutOfTime(Exception):
    """What is left is the prover's."""


def _clock() -> Callable[[int], None]:
    """Return what reports of progress are given to, and raises once the time is over."""
    end = time.monotonic() + CHECK_SECONDS

    def check(_: int) -> None:
        if time.monotonic() > end:
            raise _OutOfTime

    return check
