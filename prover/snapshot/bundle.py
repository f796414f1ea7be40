"""What makes pages, arguments and evidence a bundle: the solvency arguments, the signed manifest,
and the signed record of all arguments.

The manifest's digest stands in the log beside the signing key before a signature exists. Before
that, manifest, files, evidence and solvency are checked as a verifier does, since what is signed
for a snapshot id cannot be taken back. The arguments of pages were checked before they were
written, by who made them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import native
from prover.assets.evidence import Built, evidence_total
from prover.assets.hidden import Opened
from prover.config.snapshot_toml import AssetConfig, SnapshotConfig
from prover.config.units import any_ratio_policy
from prover.errors import ProverError
from prover.files.keys import Signed, SigningLog
from prover.files.storage import remove, remove_links
from prover.liabilities.tree import Root
from prover.snapshot.record import Frozen
from verifier.bundle.source import FolderSource
from verifier.checks.declaration import check_declaration, check_pledged
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest, check_manifest, check_unsigned
from verifier.checks.policy import Policy
from verifier.checks.record import check_record
from verifier.checks.solvency import check_solvency_argument
from verifier.checks.tree import audit_tree
from verifier.errors import CannotCheck, Rejected
from verifier.format import wire
from verifier.format.keys import sign
from verifier.format.params import (
    ARGUMENT_VERSION,
    DECLARATION_PATH,
    GROUP_ORDER,
    ID_BYTES,
    MANIFEST_PATH,
    PROTOCOL_VERSION,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    RECORD_VERSION,
    SIGNATURE_PATH,
    SOLVENCY_BITS,
    TreeShape,
    arguments_path,
    bundle_paths,
    evidence_path,
    solvency_path,
)
from verifier.format.statement import (
    context,
    declaration_digest,
    evidence_digest,
    manifest_digest,
    solvency_commitments,
    solvency_state,
)
from verifier.ordered import engine_of, in_order


@dataclass(frozen=True, slots=True)
class ProvenAsset:
    """Both sides of one asset: its tree; its evidence, with hidden sets opened."""

    asset: AssetConfig
    shape: TreeShape
    root: Root
    built: Built
    opened: Opened


def write_bundle(
    folder: Path,
    config: SnapshotConfig,
    frozen: Frozen,
    signing: Ed25519PrivateKey,
    argument_secret: bytes,
    balances: Sequence[ProvenAsset],
    accepted: set[bytes],
    jobs: int,
    *,
    audited: Callable[[int], None] | None,
    sealing: Callable[[bytes], None],
) -> bytes:
    """Write all of a bundle but its pages and their arguments into ``folder``, and let everyone
    read what is in it; return the manifest's digest.

    ``balances`` are ascending by code; ``argument_secret`` is the key of all nonces; ``accepted``
    are the marks of signatures that this run has checked. ``audited`` is given where pages and
    arguments are other machines' work: they are audited, and it is told of the entries that are.
    ``sealing`` seals the private files for the digest, before a log that never forgets has it.

    Raises:
        ProverError: a verifier would reject it, or something else lies in ``folder``, or the key
            has signed another for this snapshot.
    """
    snapshot = context(frozen.public_key, config.exchange, config.snapshot_id, config.time)
    files = {entry.asset.code: entry.built.file for entry in balances}
    remove_links(folder)
    (folder / "evidence").mkdir(exist_ok=True)
    for code, file in files.items():
        _place(folder / evidence_path(code), file)
    declaration = wire.write_record(config.declaration.loans) if config.declaration.loans else b""
    if declaration:
        _place(folder / DECLARATION_PATH, declaration)
    assets = tuple(_statement(entry, files) for entry in balances)
    arguments = {}
    for entry, asset in zip(balances, assets, strict=True):
        arguments[asset.code] = _prove_solvency(
            entry, asset, snapshot, argument_secret, frozen.salt
        )
        _place(folder / solvency_path(asset.code), arguments[asset.code])
    manifest = wire.Manifest(
        account_id_type=config.account_id_type,
        argument_version=ARGUMENT_VERSION,
        assets=assets,
        chains=config.chains,
        declaration=declaration_digest(declaration) if declaration else bytes(ID_BYTES),
        exchange=config.exchange,
        previous=frozen.previous,
        protocol_version=PROTOCOL_VERSION,
        public_key=frozen.public_key,
        rotation=frozen.rotation,
        snapshot_id=config.snapshot_id,
        time=config.time,
    )
    data = wire.write_record(manifest)
    record = _record(folder, manifest, manifest_digest(data), jobs)
    argued = wire.write_record(record)
    paths = paths_of(manifest)
    try:
        checked = check_unsigned(data, frozen.public_key, _policy(config))
        _check_files(folder, paths)
        evidence = _check_evidence(checked, files, _policy(config), accepted)
        for asset, found, digests in zip(assets, evidence, record.assets, strict=True):
            argument = arguments[asset.code]
            check_solvency_argument(checked, asset, found, argument, digests.solvency)
        if audited is not None:
            _audit_trees(folder, checked, record, jobs, audited)
        if declaration:
            check_pledged(check_declaration(checked, declaration), evidence)
        sealing(checked.digest)
        signing_now = Signed(config.snapshot_id, checked.digest, manifest.previous)
        logs = [SigningLog(key) for key in signing_keys(config)]
        for log in logs:  # all of them before any is told: a log never forgets
            log.check_signing(signing_now, config.abandoned)
        for log in logs:
            log.record(signing_now, config.abandoned)
        signature = sign(signing, "manifest-signature", data)
        check_manifest(data, signature, frozen.public_key, _policy(config))
        argued_signature = sign(signing, "argument-record", argued)
        check_record(checked, argued, argued_signature)
    except (Rejected, CannotCheck) as error:
        raise ProverError(f"a verifier would reject this bundle: {error}") from None
    for path, content in (
        (RECORD_PATH, argued),
        (RECORD_SIGNATURE_PATH, argued_signature),
        (MANIFEST_PATH, data),
        (SIGNATURE_PATH, signature),
    ):
        _place(folder / path, content)
    _open_to_readers(folder, paths)
    return checked.digest


def _audit_trees(
    folder: Path,
    checked: CheckedManifest,
    record: wire.ArgumentRecord,
    jobs: int,
    audited: Callable[[int], None],
) -> None:
    """Check all pages and their arguments as an audit does.

    Raises:
        Rejected: the first fault.
        CannotCheck: a file could not be read.
    """
    with closing(FolderSource(folder)) as source, engine_of(None, jobs) as threads:
        for asset, digests in zip(checked.manifest.assets, record.assets, strict=True):
            audit_tree(
                source,
                checked,
                asset,
                digests.levels,
                threads=threads,
                away=None,
                progress=audited,
            )


def _place(path: Path, data: bytes) -> None:
    """Write a file in place of what stands there, and not of what that leads to."""
    remove(path)
    path.write_bytes(data)


def signing_keys(config: SnapshotConfig) -> tuple[Path, ...]:
    """Return the files of the keys that sign a snapshot: where the key changes, the old one too."""
    return tuple(key for key in (config.signing_key, config.old_signing_key) if key is not None)


def _statement(entry: ProvenAsset, files: dict[str, bytes]) -> wire.Asset:
    """Return an asset's entry of the manifest."""
    asset = entry.asset
    return wire.Asset(
        capacity=entry.shape.capacity,
        code=asset.code,
        decimals=asset.decimals,
        evidence=evidence_digest(files[asset.code]),
        levels=entry.shape.levels,
        page_size=entry.shape.page_size,
        ratio=asset.ratio,
        root=entry.root.id,
        sum=entry.root.sum,
        units=asset.units,
    )


def _prove_solvency(
    entry: ProvenAsset, statement: wire.Asset, context: bytes, secret: bytes, salt: bytes
) -> bytes:
    """Return the argument that assets times den cover liabilities times num."""
    ratio, root = statement.ratio, entry.root
    total = evidence_total(entry.asset, entry.built.evidence)
    hidden = [listed.commitment for listed in entry.built.evidence.hidden]
    assets, difference = solvency_commitments(total, ratio, root.sum, hidden)
    surplus = ratio.den * (total + entry.opened.units) - ratio.num * root.value
    blinding = ratio.den * entry.opened.blinding - ratio.num * int.from_bytes(root.blinding)
    return native.range_prove(
        solvency_state(context, statement, assets, root.sum),
        SOLVENCY_BITS,
        surplus.to_bytes(SOLVENCY_BITS // 8),
        (blinding % GROUP_ORDER).to_bytes(32),
        difference,
        secret,
        salt,
    )


def _record(folder: Path, manifest: wire.Manifest, digest: bytes, jobs: int) -> wire.ArgumentRecord:
    """Return the record of the files of arguments that stand in ``folder``."""

    def digest_of(path: str) -> bytes:
        with (folder / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    paths = [
        path
        for asset in manifest.assets
        for path in (
            *(arguments_path(asset.code, level) for level in range(asset.levels)),
            solvency_path(asset.code),
        )
    ]
    digests = in_order(digest_of, paths, jobs)
    return wire.ArgumentRecord(
        argument_version=ARGUMENT_VERSION,
        assets=tuple(
            wire.RecordAsset(
                code=asset.code,
                levels=tuple(islice(digests, asset.levels)),
                solvency=next(digests),
            )
            for asset in manifest.assets
        ),
        manifest=digest,
        version=RECORD_VERSION,
    )


def paths_of(manifest: wire.Manifest) -> list[str]:
    """Return the paths of a bundle's files."""
    paths = [MANIFEST_PATH, SIGNATURE_PATH, RECORD_PATH, RECORD_SIGNATURE_PATH]
    paths += [DECLARATION_PATH] if manifest.has_declaration else []
    for asset in manifest.assets:
        paths += bundle_paths(asset.code, asset.levels)
    return paths


def _check_files(folder: Path, paths: Sequence[str]) -> None:
    """Check that nothing but files of the bundle lies in ``folder``: no reader takes more.

    Raises:
        ProverError: something does.
    """
    with closing(FolderSource(folder)) as source:
        try:
            source.check_listing(paths)
        except Rejected as error:
            raise ProverError(
                f"{folder / error.where}: {error.message}, and readers reject a bundle with it; "
                "move it elsewhere and run this again"
            ) from None


def _open_to_readers(folder: Path, paths: Sequence[str]) -> None:
    """Let everyone read the files of ``paths``, and list the folders that they are in."""
    for path in paths:
        (folder / path).chmod(0o644)
    for parent in {parent for path in paths for parent in (folder / path).parents}:
        if parent.is_relative_to(folder):
            parent.chmod(0o755)


def _check_evidence(
    checked: CheckedManifest, files: dict[str, bytes], policy: Policy, accepted: set[bytes]
) -> list[CheckedEvidence]:
    """Check the evidence of every asset; return what it comes to.

    Raises:
        Rejected: the first fault.
    """
    seen = Seen(signed=accepted)
    return [
        check_evidence(checked, asset, files[asset.code], seen, policy)
        for asset in checked.manifest.assets
    ]


def _policy(config: SnapshotConfig) -> Policy:
    """Return the policy of a verifier whose user takes the ratios and slots of the snapshot."""
    return any_ratio_policy(slot for asset in config.assets for slot in asset.slots)
