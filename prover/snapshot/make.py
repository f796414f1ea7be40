"""The one composer: ledger, evidence and keys in, ``DIR/public`` (the bundle) out.

The numbers are those of `make_snapshot`. What a crash leaves behind after each, and why the next
run ends in the same bytes:

1. A lock on ``private/lock``: held by a process, so it dies with it.
2. ``private/snapshot.msgpack``: salt, digests of TOML, keys and version, what the snapshot before
   leaves to this one, and a MAC; renamed into place.
3. ``private/ledger``, with its MAC: renamed into place whole, once the ledger is as
   ``[ledger.expect]`` has it. Before that, nothing depends on what was read, or on the record: the
   source is read anew, and another TOML gets another record. After it, no run goes on with anything
   else; what the source says by then is compared, if anybody wants to know.
   ``private/summary.json`` is written before.
4. ``private/evidence``, with the openings of hidden sets: the same.
5. Whether assets suffice is computed from 2-4 each time. If not, there is no public folder.
6. ``private/keys``, ``private/opening-secret``: written each time; functions of 2 and 3.
7. ``private/stages``: what tasks make of them, of each asset the parts, leaves, pages and their
   private side (`prover.snapshot.job`, `prover.liabilities.stages`), piece by piece. A run makes
   all of it anew: it is the cheap part, and of what stands nobody can tell whether it is damaged.
8. ``public.partial/pages/CODE`` and ``public.partial/arguments/CODE``: joined of pieces, asset by
   asset. Of arguments an earlier run's are kept, in pieces or joined, that a verifier accepts for
   these pages. Nonces are derived, so a page proved twice has the same argument. When all assets
   are proved and flushed, ``private/parts`` and ``private/trees`` get their names. What other
   machines made is compared with the ledger then, and audited in 9.
9. ``public.partial``: the rest of the bundle is written each time, the record of all arguments
   among it. The manifest's digest is in the log beside the signing key before the signature exists;
   a second run finds its own line there.
10. ``private/seal``, which binds 2, 3, 6 and the parts to that manifest, is written each time,
   before the log: whatever fails behind that leaves an id that only this manifest can have. Then
   the rename to ``public``, after everything in it was synced. From then on a run only says so, if
   the bundle is this snapshot's and sealed, and removes ``private/stages`` if a crash left it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prover.assets.evidence import Built, evidence_total
from prover.assets.hidden import Opened
from prover.clock import check_time
from prover.config.snapshot_toml import SnapshotConfig, parse_config
from prover.errors import RESTORE, AssetsShort, Damaged, ProverError
from prover.files.keys import SigningLog, read_master_key, read_signing_key
from prover.files.storage import (
    discard_folder,
    locked,
    naming,
    rename_folder,
)
from prover.files.toml_table import read_toml
from prover.ledger.gather import ledger_codes
from prover.ledger.ledger import Ledger
from prover.ledger.saved import load_ledger
from prover.ledger.source import LedgerSource
from prover.ledger.summary import Previous, load_summary
from prover.liabilities.check import BY_OTHERS
from prover.liabilities.derivation import derive, snapshot_key
from prover.liabilities.tree import entries_of
from prover.progress import Progress, Silent
from prover.snapshot.bundle import ProvenAsset, paths_of, signing_keys, write_bundle
from prover.snapshot.complete import check_complete
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.inputs import Inputs, Witness
from prover.snapshot.record import Frozen, freeze, read_signed_manifest
from prover.snapshot.seal import read_seal, write_seal
from prover.snapshot.trees import Making, Tree, make_trees, parameters, write_secrets
from verifier.format import wire
from verifier.format.chains import FIAT
from verifier.format.keys import public_key_text
from verifier.format.params import MANIFEST_PATH, SNAPSHOT_ID
from verifier.format.statement import context, manifest_digest
from verifier.ordered import Engine, engine_of
from verifier.ownership import ownership_message
from verifier.texts import listed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A finished snapshot; ``made`` is False when it had been finished before."""

    bundle: Path
    snapshot_id: str
    manifest_digest: bytes
    made: bool


def read_config(file: Path, frozen: Path | None = None) -> SnapshotConfig:
    """Read a snapshot's TOML.

    ``frozen`` is where an earlier run may have frozen the ledger: where assets are those of the
    ledger, they are those of that one.

    Raises:
        ProverError: unreadable or refused.
    """
    text = read_toml(file)

    def codes(source: LedgerSource) -> Collection[str]:
        if frozen is not None and frozen.exists():
            return [asset.code for asset in load_ledger(frozen).assets]
        return ledger_codes(source)

    return parse_config(file, text, codes)


def ownership_messages(config: SnapshotConfig, public_key: bytes) -> dict[str, str]:
    """Return, for each chain that has addresses, the message that each one's holder signs."""
    key = public_key_text(public_key)
    return {
        chain.name: ownership_message(
            key, config.exchange, config.snapshot_id, chain.name, chain.hash
        )
        for chain in config.chains
        if chain.name != FIAT
    }


def previous_summary(config: SnapshotConfig, out: Path | None = None) -> Previous:
    """Return the summary of the snapshot before.

    It is looked for in the private folder beside the bundle that the TOML names, which may be a
    published one, and then in that of its id beside ``out``.
    """
    manifest = config.previous_manifest
    if manifest is None:
        return Previous()
    try:
        before = wire.read_record(wire.Manifest, manifest.read_bytes()).snapshot_id
    except OSError as error:
        return Previous(missing=f"{error.filename}: {error.strerror}")
    except ValueError:
        return Previous(missing=f"{manifest}: not a manifest")
    folders = [manifest.parent.parent]
    if out is not None and SNAPSHOT_ID.fullmatch(before):
        folders.append(out.with_name(before))
    paths = [SnapshotFolder(folder).summary for folder in folders]
    path = next((path for path in paths if path.exists()), paths[0])
    try:
        summary = load_summary(path)
    except OSError as error:
        return Previous(missing=f"{error.filename}: {error.strerror}")
    except ValueError:
        return Previous(missing=f"{path}: damaged, or of another version")
    if summary.snapshot_id != before:
        return Previous(missing=f"{path}: not of snapshot {before}")
    return Previous(summary)


def make_snapshot(
    file: Path,
    out: Path,
    jobs: int = 1,
    progress: Progress | None = None,
    witness: Witness | None = None,
    *,
    engine: Engine | None = None,
    allow_future: bool = False,
) -> Snapshot:
    """Make the snapshot that a TOML file describes, or go on with it where it was interrupted.

    ``jobs`` is the number of threads, ``engine`` where trees are made, by default in these threads;
    neither shows in the result. ``witness`` is told of the
    inputs; what was frozen by an earlier run is compared with them then, which takes reading them.
    ``allow_future`` is for those who test what such a snapshot does to its readers: see
    `prover.clock`.

    Raises:
        ProverError: the input is refused, or ``out`` holds something else.
        AssetsShort: the assets do not cover the liabilities; no bundle is made.
    """
    folder = SnapshotFolder(out)
    config = read_config(file, folder.ledger)
    if not allow_future:
        check_time(config.time, f"{file}: time")
    check_complete(config, folder)
    signing, master = read_signing_key(config.signing_key), read_master_key(config.master_key)
    out.mkdir(parents=True, exist_ok=True)
    with _private_by_default(), naming(out):
        folder.private.mkdir(exist_ok=True)
        # 1
        with locked(folder.lock, f"{out}: another run is at work here"):
            # 2
            frozen = _begin(folder, config, signing, master)
            making = Making(
                config,
                frozen,
                context(frozen.public_key, config.exchange, config.snapshot_id, config.time),
                folder,
                jobs,
                progress or Silent(),
            )
            if engine is not None:
                engine.check_folder(folder.private.resolve())
            inputs = _inputs(making, master, previous_summary(config, out), witness)
            inputs.tell_changes()
            if folder.bundle.exists():
                digest = _check_finished(making)
                if inputs.ledger.exists():
                    inputs.tell_ledger(inputs.frozen_ledger()[0])
                shutil.rmtree(folder.stages, ignore_errors=True)
                return Snapshot(folder.bundle, config.snapshot_id, digest, made=False)
            # 3, 4
            ledger, digest_of_ledger = inputs.freeze_ledger()
            evidence, openings = inputs.freeze_evidence()
            # 5
            _check_coverage(config, ledger, evidence, openings)
            # 6
            key = snapshot_key(
                master, config.snapshot_id, digest_of_ledger, parameters(making), frozen.salt
            )
            making.progress.stage("deriving keys and leaves", None)
            accounts = write_secrets(making, ledger, key)
            # 7, 8
            secret = derive(key, "argument-secret")
            with engine_of(engine, jobs) as running:
                trees = make_trees(making, running, ledger, accounts, key, secret)
            if not running.is_local and inputs.frozen_ledger()[1] != digest_of_ledger:
                raise Damaged(f"{folder.ledger}: {BY_OTHERS}")
            # 9
            balances = [
                ProvenAsset(
                    tree.asset,
                    tree.shape,
                    tree.root,
                    evidence[tree.asset.code],
                    openings[tree.asset.code],
                )
                for tree in trees
            ]
            digest = write_bundle(
                folder.unfinished,
                config,
                frozen,
                signing,
                secret,
                balances,
                inputs.accepted,
                jobs,
                audited=None if running.is_local else _auditing(making, trees),
                sealing=lambda manifest: write_seal(folder, manifest, digest_of_ledger),
            )
            # 10
            rename_folder(folder.unfinished, folder.bundle)
            shutil.rmtree(folder.stages)
    return Snapshot(folder.bundle, config.snapshot_id, digest, made=True)


def check_unsigned(config: SnapshotConfig) -> None:
    """Check that the key has not signed a manifest for the snapshot's id, in whatever folder.

    Raises:
        ProverError: it has.
    """
    if SigningLog(config.signing_key).digest_of(config.snapshot_id) is not None:
        raise ProverError(
            f"{config.signing_key}: this key has signed a manifest for snapshot "
            f"{config.snapshot_id} already"
        )


def check_follows(config: SnapshotConfig, previous: bytes) -> None:
    """Check that no key of a snapshot has signed another one to follow the same manifest.

    ``previous`` is that manifest's digest, or zeros for the first snapshot.

    Raises:
        ProverError: one has, and its snapshot is not abandoned.
    """
    for key in signing_keys(config):
        SigningLog(key).check(config.snapshot_id, previous, config.abandoned)


def discard_evidence(config: SnapshotConfig, out: Path) -> None:
    """Let go of the frozen evidence of a run that ended early: the next reads the lists anew.

    Raises:
        ProverError: a manifest was signed over it, or a run is at work.
    """
    folder = SnapshotFolder(out)
    if not folder.private.exists():
        return
    with locked(folder.lock, f"{out}: another run is at work here"):
        if SigningLog(config.signing_key).digest_of(config.snapshot_id) is not None:
            raise ProverError(
                f"snapshot {config.snapshot_id}: a manifest over its evidence was signed"
            )
        discard_folder(folder.evidence)


def _begin(
    folder: SnapshotFolder,
    config: SnapshotConfig,
    signing: Ed25519PrivateKey,
    master: bytes,
) -> Frozen:
    """Return the folder's record; begin one only where that can lead to a signature."""
    if not folder.record.exists():
        if folder.bundle.exists():
            raise ProverError(f"{folder.bundle} exists already; nothing is overwritten")
        check_unsigned(config)
    untouched = not folder.is_ledger_frozen
    frozen = freeze(folder.record, config, signing, master, replaceable=untouched)
    check_follows(config, frozen.previous)
    return frozen


def _check_finished(making: Making) -> bytes:
    """Check that a bundle that stands is this snapshot's, with all its files and sealed; return its
    manifest's digest. Whether it is accepted, an audit tells.

    Raises:
        ProverError: it is not.
    """
    config, frozen, folder = making.config, making.frozen, making.folder
    data, manifest = read_signed_manifest(folder.bundle / MANIFEST_PATH)
    if (manifest.snapshot_id, manifest.public_key) != (config.snapshot_id, frozen.public_key):
        raise ProverError(
            f"{folder.bundle}: of snapshot {manifest.snapshot_id}, signed by "
            f"{public_key_text(manifest.public_key)}, and not of this; nothing is overwritten"
        )
    for path in paths_of(manifest):
        if not (folder.bundle / path).is_file():
            raise Damaged(f"{folder.bundle / path}: missing; {RESTORE}")
    digest = manifest_digest(data)
    if folder.ledger.exists():
        try:
            read_seal(folder, digest)
        except OSError as error:
            raise Damaged(f"{error.filename}: {error.strerror}; {RESTORE}") from None
    return digest


def _inputs(making: Making, master: bytes, previous: Previous, witness: Witness | None) -> Inputs:
    snapshot_id, salt = making.config.snapshot_id.encode(), making.frozen.salt
    return Inputs(
        key=derive(master, "frozen", snapshot_id, salt),
        config=making.config,
        public_key=making.frozen.public_key,
        messages=ownership_messages(making.config, making.frozen.public_key),
        ledger=making.folder.ledger,
        evidence=making.folder.evidence,
        summary=making.folder.summary,
        previous=previous,
        jobs=making.jobs,
        progress=making.progress,
        witness=witness,
    )


def _auditing(making: Making, trees: list[Tree]) -> Callable[[int], None]:
    """Begin the stage in which the trees of other machines are audited."""
    making.progress.stage("auditing", sum(entries_of(tree.shape) for tree in trees))
    return making.progress.advance


def _check_coverage(
    config: SnapshotConfig,
    ledger: Ledger,
    evidence: dict[str, Built],
    openings: dict[str, Opened],
) -> None:
    """Refuse when some asset times den falls below its liabilities times num."""
    short = []
    for asset in config.assets:
        needed = -(-ledger.totals[asset.code] * asset.ratio.num // asset.ratio.den)
        held = evidence_total(asset, evidence[asset.code].evidence) + openings[asset.code].units
        missing = needed - held
        if missing > 0:
            whole, units = divmod(missing, 10**asset.decimals)
            fraction = f".{units:0{asset.decimals}d}" if asset.decimals else ""
            short.append(f"{asset.code} by {whole}{fraction}")
    if short:
        raise AssetsShort(
            f"the assets fall short: {listed(short)}; no bundle was written",
            "Once there is more evidence, begin anew in another folder",
        )


@contextmanager
def _private_by_default() -> Iterator[None]:
    """Make files 0600 and folders 0700 unless they are opened to readers afterwards."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
