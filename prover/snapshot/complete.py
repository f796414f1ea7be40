"""What a snapshot is made of, and which of it is not there: told at once, before any is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prover.config.snapshot_toml import SnapshotConfig
from prover.errors import Code, Incomplete, InputError, ProverError
from prover.files.keys import read_master_key, read_signing_key
from prover.ledger.errors import Fault, LedgerError
from prover.ledger.source import SqlSource
from prover.snapshot.folder import SnapshotFolder


def check_complete(config: SnapshotConfig, folder: SnapshotFolder) -> None:
    """Check that all is there that a snapshot is still to be made of.

    Raises:
        Incomplete: something is not.
    """
    if missing := missing_inputs(config, folder):
        raise Incomplete(missing)


def missing_inputs(config: SnapshotConfig, folder: SnapshotFolder) -> list[str]:
    """Return what is not there, or cannot be used, in a line each: keys, ledger, evidence.

    What is frozen in ``folder`` is not missed. A database is not asked.
    """
    found = [*_key_faults(config)]
    source = config.ledger
    if not folder.is_ledger_frozen and not isinstance(source, SqlSource):
        found += [
            str(LedgerError(source.name, Fault.of(Code.UNREADABLE, detail=reason)))
            for reason in _why_absent(source.path)
        ]
    if not folder.evidence.exists():
        for path, use in _evidence(config):
            found += [
                str(InputError(str(path), Code.UNREADABLE, reason, f"it is {use}"))
                for reason in _why_absent(path)
            ]
    return found


def _key_faults(config: SnapshotConfig) -> Iterator[str]:
    signing = [config.signing_key]
    if config.old_signing_key is not None:
        signing.append(config.old_signing_key)
    reads = [(read_signing_key, path) for path in signing]
    for read, path in (*reads, (read_master_key, config.master_key)):
        try:
            read(path)
        except ProverError as error:
            yield str(error)


def _evidence(config: SnapshotConfig) -> Iterator[tuple[Path, str]]:
    """Yield every file of evidence, and what it is."""
    for path in config.evidence:
        yield path, "a list of signed addresses"
    for asset in config.assets:
        for paths, use in (
            (asset.proofs, "a proof"),
            (asset.coins, "a list of coins"),
            (asset.attestations, "an attestation"),
        ):
            yield from ((path, f"{use} of {asset.code}") for path in paths)
    for entry in config.hidden:
        yield entry.set_file, f"a set of hidden keys of {entry.code}"
        yield entry.opening, f"the opening of a set of hidden keys of {entry.code}"


def _why_absent(path: Path) -> Iterator[str]:
    """Yield why a file cannot be found, if it cannot."""
    try:
        path.stat()
    except OSError as error:
        yield error.strerror or type(error).__name__
