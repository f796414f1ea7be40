"""What a snapshot is proved from: ledger and evidence, read once, checked, shown and frozen.

An input is frozen when its folder, with a MAC of it inside, appears whole under its name. From then
on it is what the snapshot says, whatever becomes of the operator's files; a later run reads them
only to tell whether they still say the same. The key of the MAC is derived from the master key, so
that nobody who can only write to the private folder changes what is owed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Protocol

from prover.assets.attested import check_beside, read_attestations
from prover.assets.evidence import Backing, Built, build_evidence
from prover.assets.hidden import Opened, check_hidden, load_hidden
from prover.config.announcement import announce
from prover.config.snapshot_toml import SnapshotConfig
from prover.errors import Damaged, ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.files.storage import fresh_folder, read_own
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import LedgerError
from prover.ledger.expect import check_expected
from prover.ledger.gather import read_ledger
from prover.ledger.ledger import Ledger, ledger_digest
from prover.ledger.saved import HEAD, MAC, load_ledger, save_ledger
from prover.ledger.source import FileSource
from prover.ledger.summary import Previous, Summary, save_summary, summarise
from prover.liabilities.derivation import derive
from prover.progress import Progress
from verifier.format import wire
from verifier.format.evidence_records import Evidence
from verifier.format.params import MAX_ALL_EVIDENCE_BYTES
from verifier.format.statement import length_prefixed

OPENED = ".openings"  # what hidden sets open to, beside the evidence


class Witness(Protocol):
    """Who is told of the inputs before they are proved: the operator, on a terminal of theirs."""

    def read(self, summary: Summary, previous: Previous) -> None:
        """Learn what the ledger holds, and what that of the snapshot before held."""

    def changed(self, changes: Sequence[str]) -> None:
        """Learn what the operator's files do not say any more, of that which was frozen."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a snapshot, and where they are frozen: two folders, and a file of figures.

    key: of the MACs of what is frozen; messages: what is signed, by chain; previous: the figures
    of the snapshot before.
    """

    key: bytes = field(repr=False)
    config: SnapshotConfig
    public_key: bytes
    messages: Mapping[str, str]
    ledger: Path
    evidence: Path
    summary: Path
    previous: Previous
    jobs: int
    progress: Progress
    witness: Witness | None
    accepted: set[bytes] = field(default_factory=set)

    def tell_changes(self) -> None:
        """Compare what is frozen already with what the operator's files say by now.

        Raises:
            Damaged: it is not as it was frozen.
        """
        if self.witness is None:
            return
        changes = []
        for name, is_same in (
            ("ledger", self._is_ledger_same),
            ("evidence", self._is_evidence_same),
        ):
            try:
                if not is_same():
                    changes.append(f"the {name} has changed")
            except Damaged:
                raise
            except ProverError:
                changes.append(f"the {name} cannot be compared: by now it is refused, or not there")
        self.witness.changed(changes)

    def tell_ledger(self, ledger: Ledger) -> Summary:
        """Keep the figures of a ledger, and show them."""
        summary = summarise(self.config.snapshot_id, ledger)
        save_summary(self.summary, summary)
        if self.witness is not None:
            self.witness.read(summary, self.previous)
        return summary

    def freeze_ledger(self) -> tuple[Ledger, bytes]:
        """Return the frozen ledger and its digest; read the source only if there is none.

        Raises:
            LedgerError: the source is refused, or not what the operator expects of it.
            Damaged: the frozen ledger is not as it was frozen.
        """
        if self.ledger.exists():
            ledger, found = self.frozen_ledger()
            self.tell_ledger(ledger)
            return ledger, found
        ledger = self._read_ledger()
        summary = self.tell_ledger(ledger)
        check_expected(self.config.ledger.name, summary, self.config.expect, self.previous)
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(ledger_digest, ledger)
            save_ledger(ledger, self.ledger, lambda head: self._ledger_mac(head, digest.result()))
            return replace(load_ledger(self.ledger), totals=ledger.totals), digest.result()

    def frozen_ledger(self) -> tuple[Ledger, bytes]:
        """Return the ledger that is frozen, and its digest.

        Raises:
            Damaged: it is not as it was frozen.
        """
        with _as_frozen(self.ledger):
            ledger, head = load_ledger(self.ledger), read_own(self.ledger / HEAD)
            found = ledger_digest(ledger)
            self._check_mac(self.ledger, self._ledger_mac(head, found))
        return ledger, found

    def freeze_evidence(self) -> tuple[dict[str, Built], dict[str, Opened]]:
        """Return the frozen evidence by asset, and what its hidden sets open to.

        Lists, sets and openings are read only if there is none.

        Raises:
            ProverError: they are refused.
            Damaged: the frozen evidence is not as it was frozen.
        """
        folder = self.evidence
        if not folder.exists():
            built, openings = self._read_evidence()
            files = dict(_files(built, openings))
            files[MAC] = self._mac(folder, _digest_of(files))
            with fresh_folder(folder) as partial:
                for name, data in files.items():
                    (partial / name).write_bytes(data)
            return built, openings
        files = self._frozen_evidence()
        codes = [asset.code for asset in self.config.assets]
        return (
            {code: Built(wire.read_record(Evidence, files[code]), files[code]) for code in codes},
            {code: wire.read_record(Opened, files[f"{code}{OPENED}"]) for code in codes},
        )

    def _frozen_evidence(self) -> dict[str, bytes]:
        """Return the files of evidence that are frozen."""
        codes = [asset.code for asset in self.config.assets]
        names = [*codes, *(f"{code}{OPENED}" for code in codes)]
        with _as_frozen(self.evidence):
            files = {name: read_own(self.evidence / name) for name in names}
            self._check_mac(self.evidence, self._mac(self.evidence, _digest_of(files)))
        return files

    def _mac(self, folder: Path, digest: bytes) -> bytes:
        return derive(self.key, "frozen", folder.name.encode(), digest)

    def _ledger_mac(self, head: bytes, digest: bytes) -> bytes:
        return self._mac(self.ledger, sha256(head).digest() + digest)

    def _check_mac(self, folder: Path, mac: bytes) -> None:
        if not compare_digest(read_own(folder / MAC), mac):
            raise _not_as_frozen(folder)

    def _is_ledger_same(self) -> bool:
        if not self.ledger.exists():
            return True
        source = self.config.ledger
        if isinstance(source, FileSource) and source.is_pipe:
            raise ProverError(f"{source.name}: no file")  # it has been read to its end
        return self.frozen_ledger()[1] == ledger_digest(self._read_ledger())

    def _is_evidence_same(self) -> bool:
        if not self.evidence.exists():
            return True
        return self._frozen_evidence() == dict(_files(*self._read_evidence()))

    def _read_ledger(self) -> Ledger:
        return read_source(self.config, self.ledger.parent, self.progress, self.jobs)

    def _read_evidence(self) -> tuple[dict[str, Built], dict[str, Opened]]:
        self.progress.stage("checking ownership signatures", None)
        return gather_evidence(
            self.config,
            self.public_key,
            self.messages,
            self.progress.reach,
            self.accepted,
            self.jobs,
        )


@contextmanager
def _as_frozen(folder: Path) -> Iterator[None]:
    """Read what is frozen, and take whatever goes wrong for what it shows."""
    try:
        yield
    except (
        OSError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        LedgerError,
    ):
        raise _not_as_frozen(folder) from None


def _not_as_frozen(folder: Path) -> Damaged:
    return Damaged(f"{folder}: not as it was frozen; restore it, or begin anew in another folder")


def _files(built: Mapping[str, Built], opened: Mapping[str, Opened]) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the files to freeze: evidence, and what its hidden sets open to."""
    for code, made in built.items():
        yield code, made.file
        yield f"{code}{OPENED}", wire.write_record(opened[code])


def _digest_of(files: Mapping[str, bytes]) -> bytes:
    """Return a digest of files of these names, in whatever order."""
    parts = (length_prefixed(name) + length_prefixed(files[name]) for name in sorted(files))
    return sha256(b"".join(parts)).digest()


def gather_evidence(
    config: SnapshotConfig,
    public_key: bytes,
    messages: Mapping[str, str],
    progress: Callable[[int], None],
    accepted: set[bytes] | None = None,
    jobs: int = 1,
) -> tuple[dict[str, Built], dict[str, Opened]]:
    """Read lists, proofs, coins, attestations, hidden sets and openings, and check them as a
    verifier does; and that what is declared as pledged is among them.

    ``messages`` is what is signed, by chain; ``progress`` is called with the number of signatures
    checked so far; ``accepted`` takes the marks of those. Return each asset's evidence, and what
    its hidden sets open to.

    Raises:
        ProverError: something is refused; the message names file, row and column.
    """
    stated = announce(config, public_key)
    sets, openings = load_hidden(config.hidden, config.assets)
    attested = read_attestations(config.assets, stated, replaced_keys(config))
    built = build_evidence(
        config.evidence,
        config.assets,
        messages,
        progress,
        {
            asset.code: Backing(hidden=sets.get(asset.code, ()), attestations=attested[asset.code])
            for asset in config.assets
        },
        blocks=config.chains,
        headers=config.headers,
        accepted=accepted,
        jobs=jobs,
    )
    if sum(len(entry.file) for entry in built.values()) > MAX_ALL_EVIDENCE_BYTES:
        raise ProverError(
            f"the evidence of all assets together is larger than {MAX_ALL_EVIDENCE_BYTES:,} bytes, "
            "which no reader takes: gather coins at fewer addresses"
        )
    rows: set[tuple[str, str]] = set()
    for asset in config.assets:
        evidence = built[asset.code].evidence
        check_beside(asset, evidence)
        check_hidden(stated, asset, evidence)
        rows.update((row.chain, row.address) for row in evidence.rows)
    config.declaration.check_pledged(rows)
    return built, {code: openings.get(code, Opened()) for code in built}


def replaced_keys(config: SnapshotConfig) -> tuple[bytes, ...]:
    """Return the key that a snapshot's own takes the place of, 32 bytes, where it does.

    Raises:
        ProverError: it cannot be read.
    """
    old = config.old_signing_key
    return () if old is None else (public_bytes(read_signing_key(old)),)


def read_source(config: SnapshotConfig, work_dir: Path, progress: Progress, jobs: int) -> Ledger:
    """Read the ledger that a snapshot's TOML names; ``work_dir`` takes unnamed temporary files.

    Raises:
        LedgerError: it is refused.
    """
    progress.stage("reading the ledger", None)
    return read_ledger(
        config.ledger,
        [LedgerAsset(asset.code, asset.decimals) for asset in config.assets],
        config.account_id_type,
        merge_duplicates=config.merge_duplicates,
        work_dir=work_dir,
        progress=progress.reach,
        jobs=jobs,
    )
