"""An audit, and a check of solvency alone: `verifier.plan` as far as they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from operator import itemgetter
from pathlib import Path

from verifier.bundle.open import open_bundle
from verifier.bundle.source import Source
from verifier.checks.declaration import check_pledged, pledged_addresses
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.holdings import CheckedEvidence, report_asset
from verifier.checks.manifest import CheckedManifest
from verifier.checks.policy import Policy
from verifier.checks.record import check_record
from verifier.checks.solvency import check_solvency_argument
from verifier.checks.tree import Away, audit_tree
from verifier.errors import CannotCheck, Misuse
from verifier.format.levels import Level, weakest
from verifier.format.params import (
    DECLARATION_PATH,
    MANIFEST_PATH,
    MAX_EVIDENCE_BYTES,
    MAX_RECORD_BYTES,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    SIGNATURE_BYTES,
    SIGNATURE_PATH,
    SOLVENCY_BYTES,
    bundle_paths,
    evidence_path,
    solvency_path,
)
from verifier.format.wire import Loan, Manifest, RecordAsset
from verifier.nodes.balances import BalanceTable
from verifier.nodes.nodes import Nodes
from verifier.ordered import Engine, Threads
from verifier.plan import OnCheck, Plan, check_clock, check_loans, check_signed_manifest
from verifier.report import Report, TooWeak, UnknownUnit, account_warnings, block_warnings

Progress = Callable[[int, int], None]


def audit(
    bundle: str | Path | Source,
    exchange_key: str | bytes,
    *,
    policy: Policy | None = None,
    previous: str | Path | None = None,
    nodes: Nodes | None = None,
    balances: BalanceTable | None = None,
    jobs: int = 1,
    engine: Engine | None = None,
    now: int | None = None,
    progress: Progress | None = None,
    on_check: OnCheck | None = None,
) -> Report:
    """Check everything in a bundle.

    Args:
        bundle: a folder, an http(s) URL, or a source, which is closed at the end; untrusted.
        exchange_key: the exchange's public key, 32 bytes or its text, from anywhere but the bundle.
        policy: what is enough; by default a ratio of 1/1, no further units, amounts ``claimed``.
        previous: the bundle or manifest that came before (its signature beside it, as ``.sig``).
        nodes: the user's own nodes, to confirm blocks and amounts.
        balances: the user's own table, for what no node confirms.
        jobs: threads that check signatures and pages.
        engine: what checks the pages of the trees, in place of these threads. Where its tasks run
            on other machines, the bundle is a folder or URL that is the same there.
        now: the reader's clock, in Unix seconds; by default that of this machine.
        progress: called with the entries of pages checked, and those there are.
        on_check: called with each step of the plan as it ends.

    Raises:
        Rejected: the first fault.
        TooWeak: all is accepted, but some amounts are known less well than ``policy`` requires.
        UnknownUnit: all is accepted, but an asset is set aside, and ``policy`` wants none to be.
        CannotCheck: something could not be read, a node does not answer, or the snapshot is dated
            ahead of the clock.
        Misuse: an argument is malformed.
        ClusterError: the engine's machines do not do the work.
    """
    if jobs < 1:
        raise Misuse("at least one job is needed")
    away = None if engine is None or engine.is_local else Away(engine, _place(bundle))
    plan = Plan(on_check)
    with closing(open_bundle(bundle)) as source:
        checked = check_signed_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
        _check_files(plan, source, checked)  # 3
        record = _check_record(plan, source, checked)  # 4
        loans, evidence = _check_holdings(plan, source, checked, policy, jobs)  # 5, 6
        evidence, unanswered = _ask(plan, checked, evidence, nodes, balances)  # 7
        _check_all_solvency(plan, source, checked, record, evidence)  # 8
        with ExitStack() as stack:
            if engine is None or not engine.is_local:
                engine = stack.enter_context(closing(Threads(jobs)))
            _audit_all_trees(plan, source, checked, record, engine, away, progress)  # 9
    if unanswered is not None:
        raise unanswered
    check_clock(checked.manifest, now)  # 15
    return _report(plan, checked, evidence, loans, policy, nodes, has_trees=True)  # 10


def check_solvency(
    bundle: str | Path,
    exchange_key: str | bytes,
    *,
    policy: Policy | None = None,
    previous: str | Path | None = None,
    nodes: Nodes | None = None,
    balances: BalanceTable | None = None,
    now: int | None = None,
    on_check: OnCheck | None = None,
) -> Report:
    """Check manifest, evidence and solvency arguments, and no tree: it holds *if* those are right.

    Arguments and exceptions are those of `audit`.
    """
    plan = Plan(on_check)
    with closing(open_bundle(bundle)) as source:
        checked = check_signed_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
        paths = [RECORD_PATH, RECORD_SIGNATURE_PATH]
        for asset in checked.manifest.assets:
            paths += [evidence_path(asset.code), solvency_path(asset.code)]
        source.check_present(_declaration_paths(checked.manifest) + paths)  # 3
        record = _check_record(plan, source, checked)  # 4
        loans, evidence = _check_holdings(plan, source, checked, policy)  # 5, 6
        evidence, unanswered = _ask(plan, checked, evidence, nodes, balances)  # 7
        _check_all_solvency(plan, source, checked, record, evidence)  # 8
    if unanswered is not None:
        raise unanswered
    check_clock(checked.manifest, now)  # 15
    return _report(plan, checked, evidence, loans, policy, nodes, has_trees=False)  # 10


def read_rows(
    bundle: str | Path,
    exchange_key: str | bytes,
    *,
    policy: Policy | None = None,
    previous: str | Path | None = None,
    nodes: Nodes | None = None,
) -> tuple[CheckedManifest, list[CheckedEvidence]]:
    """Check manifest and evidence, and return them: what there is to look up.

    Arguments and exceptions are those of `audit`.
    """
    plan = Plan(None)
    with closing(open_bundle(bundle)) as source:
        checked = check_signed_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
        paths = [evidence_path(asset.code) for asset in checked.manifest.assets]
        source.check_present(_declaration_paths(checked.manifest) + paths)  # 3
        _, evidence = _check_holdings(plan, source, checked, policy)  # 5, 6
        return checked, _confirm(plan, checked, evidence, nodes)  # 7


def _place(bundle: str | Path | Source) -> str:
    """Return what other machines find a bundle by."""
    if not isinstance(bundle, str | Path):
        raise Misuse("other machines need the bundle's folder or URL")
    is_url = str(bundle).startswith(("http://", "https://"))
    return str(bundle) if is_url else str(Path(bundle).absolute())


def _check_holdings(
    plan: Plan,
    source: Source,
    checked: CheckedManifest,
    policy: Policy | None,
    jobs: int = 1,
) -> tuple[tuple[Loan, ...], list[CheckedEvidence]]:
    """Check what the exchange says it has: 5 and 6.

    Returns the declared loans, and what the evidence of each asset comes to.
    """
    loans = check_loans(plan, source, checked)  # 5
    evidence = _check_all_evidence(plan, source, checked, loans, policy, jobs)  # 6
    return loans, evidence


def _check_files(plan: Plan, source: Source, checked: CheckedManifest) -> None:
    with plan.step("files of the bundle") as figures:
        paths = [*_declaration_paths(checked.manifest), RECORD_PATH, RECORD_SIGNATURE_PATH]
        paths += [
            path
            for asset in checked.manifest.assets
            for path in bundle_paths(asset.code, asset.levels)
        ]
        source.check_listing([MANIFEST_PATH, SIGNATURE_PATH, *paths])
        source.check_present(paths)
        figures["files"] = len(paths) + 2


def _declaration_paths(manifest: Manifest) -> list[str]:
    return [DECLARATION_PATH] if manifest.has_declaration else []


def _check_record(plan: Plan, source: Source, checked: CheckedManifest) -> tuple[RecordAsset, ...]:
    """Return the digests of the files of arguments of each asset, in the manifest's order."""
    with plan.step("record of arguments and its signature") as figures:
        data = source.read(RECORD_PATH, MAX_RECORD_BYTES)
        record = check_record(checked, data, source.read(RECORD_SIGNATURE_PATH, SIGNATURE_BYTES))
        figures["files"] = sum(len(entry.levels) + 1 for entry in record)
        return record


def _check_all_evidence(
    plan: Plan,
    source: Source,
    checked: CheckedManifest,
    loans: Sequence[Loan],
    policy: Policy | None,
    jobs: int = 1,
) -> list[CheckedEvidence]:
    """Return what the evidence of each asset comes to, in the manifest's order."""
    seen = Seen()
    found = []
    for asset in checked.manifest.assets:
        with plan.step(f"evidence of {asset.code}") as figures:
            data = source.read(evidence_path(asset.code), MAX_EVIDENCE_BYTES)
            evidence = check_evidence(checked, asset, data, seen, policy, jobs)
            figures["rows"] = len(evidence.rows)
            figures["signatures"] = evidence.signatures
            if evidence.attested:
                figures["attested"] = len(evidence.attested)
            if evidence.hidden:
                figures["hidden_keys"] = sum(holding.keys for holding in evidence.hidden)
            figures["amounts"] = evidence.level
            found.append(evidence)
    if loans:
        with plan.step("pledged addresses"):
            check_pledged(loans, found)
    return found


def _ask(
    plan: Plan,
    checked: CheckedManifest,
    evidence: list[CheckedEvidence],
    nodes: Nodes | None,
    balances: BalanceTable | None,
) -> tuple[list[CheckedEvidence], CannotCheck | None]:
    """Ask the reader's nodes, and then their table; return the evidence with its levels raised.

    Where one of them does not answer there is no verdict but a rejection: the error is returned,
    to be raised when nothing else was found to be false.
    """
    try:
        return _look_up(plan, checked, _confirm(plan, checked, evidence, nodes), balances), None
    except CannotCheck as error:
        return evidence, error


def _confirm(
    plan: Plan,
    checked: CheckedManifest,
    evidence: list[CheckedEvidence],
    nodes: Nodes | None,
) -> list[CheckedEvidence]:
    """Ask every node whose chain the manifest has; return the evidence with its levels raised."""
    blocks = {chain.name: chain for chain in checked.manifest.chains}
    for name, node in sorted((nodes or {}).items(), key=itemgetter(0)):
        if name in blocks:
            with plan.step(f"block and amounts of {name}, by your own node") as figures:
                evidence = node.confirm(checked, evidence)
                asked = [
                    holding
                    for found in evidence
                    for holding in found.holdings
                    if holding.chain == name
                ]
                confirmed = sum(holding.known is Level.CHAIN for holding in asked)
                figures["height"] = blocks[name].height
                figures["confirmed"] = confirmed
                figures["undecided"] = len(asked) - confirmed
                why = next((holding.undecided for holding in asked if holding.undecided), None)
                if why is not None:
                    figures["because"] = why
    return evidence


def _look_up(
    plan: Plan,
    checked: CheckedManifest,
    evidence: list[CheckedEvidence],
    balances: BalanceTable | None,
) -> list[CheckedEvidence]:
    """Ask the reader's own table, after every node."""
    if balances is None:
        return evidence
    with plan.step("amounts in your own table") as figures:
        evidence = balances.confirm(checked, evidence)
        known = [holding.known for found in evidence for holding in found.rows]
        figures["lines"] = len(balances)
        figures["listed"] = known.count(Level.LISTED)
    return evidence


def _check_all_solvency(
    plan: Plan,
    source: Source,
    checked: CheckedManifest,
    record: Sequence[RecordAsset],
    evidence: Sequence[CheckedEvidence],
) -> None:
    assets = checked.manifest.assets
    for asset, digests, found in zip(assets, record, evidence, strict=True):
        with plan.step(f"solvency argument of {asset.code}") as figures:
            argument = source.read(solvency_path(asset.code), SOLVENCY_BYTES)
            check_solvency_argument(checked, asset, found, argument, digests.solvency)
            figures["ratio"] = f"{asset.ratio.num}/{asset.ratio.den}"


def _report(
    plan: Plan,
    checked: CheckedManifest,
    evidence: Sequence[CheckedEvidence],
    loans: tuple[Loan, ...],
    policy: Policy | None,
    nodes: Nodes | None,
    *,
    has_trees: bool,
) -> Report:
    manifest = checked.manifest
    pledged = pledged_addresses(loans)
    assets = tuple(
        report_asset(asset.code, asset.decimals, found, pledged)
        for asset, found in zip(manifest.assets, evidence, strict=True)
    )
    times = {chain: time for found in evidence for chain, time in found.block_times.items()}
    aside = frozenset(checked.set_aside)
    counted = [
        found
        for asset, found in zip(manifest.assets, evidence, strict=True)
        if asset.code not in aside
    ]
    chains = {holding.chain for found in counted or evidence for holding in found.holdings}
    remarks = {remark for found in evidence for remark in found.remarks}
    remarks |= set(_unasked(manifest, nodes))
    warnings = account_warnings(manifest) + block_warnings(manifest, times)
    report = Report(
        manifest,
        checked.digest,
        assets,
        checked.set_aside,
        checked.bridged,
        block_times=times,
        chains=tuple(sorted(chains)),
        has_trees=has_trees,
        loans=loans,
        checks=tuple(plan.checks),
        warnings=warnings + tuple(sorted(remarks)),
    )
    required = (policy or Policy()).require
    is_dated = not report.undated and not report.far
    known = weakest(asset.level for asset in report.assets)  # or a unit added could ask for less
    is_old = required.rank >= Level.HEADER.rank and bool(report.far)
    if known.rank < required.rank or is_old or (required is Level.CHAIN and not is_dated):
        raise TooWeak(report, required)
    if policy is not None and policy.strict_units and report.set_aside:
        raise UnknownUnit(report, report.set_aside)
    return report


def _unasked(manifest: Manifest, nodes: Nodes | None) -> Iterator[str]:
    """Yield what to tell of nodes that had nothing to say."""
    named = {chain.name for chain in manifest.chains}
    for chain in sorted(nodes or {}):
        if chain not in named:
            yield f"your node of {chain} was not asked: the snapshot names no block of it"


def _audit_all_trees(
    plan: Plan,
    source: Source,
    checked: CheckedManifest,
    record: Sequence[RecordAsset],
    threads: Engine,
    away: Away | None,
    progress: Progress | None,
) -> None:
    shapes = [asset.shape for asset in checked.manifest.assets]
    total = sum(shape.entries(level) for shape in shapes for level in range(shape.levels))
    done = 0

    def advance(entries: int) -> None:
        nonlocal done
        done += entries
        if progress is not None:
            progress(done, total)

    for asset, digests in zip(checked.manifest.assets, record, strict=True):
        with plan.step(f"tree of {asset.code}") as figures:
            shape = audit_tree(
                source,
                checked,
                asset,
                digests.levels,
                threads=threads,
                away=away,
                progress=advance,
            )
            figures["leaves"] = shape.leaves
            figures["pages"] = sum(shape.pages(level) for level in range(shape.levels))
