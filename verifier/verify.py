"""The numbered plan of every check, and its only composer.

Each function raises at the first fault, in the order of spec/errors.md; returning means accepted.

 1. Manifest: present, signed by the key that the user gave, canonical, every field in order.
 2. Previous manifest, where the user gave one: the chain is unbroken, nothing is signed twice.
 3. Files (audit: the bundle's and no others; solvency: the declaration and the evidence).
 4. Declaration, where the manifest names one: its form.
 5. Evidence of every asset: ownership signatures, proofs, and the sum of the amounts; then that
    what the declaration says is pledged is there.
 6. Chains, where the user gave a node: it confirms the block, and what evidence says of it; then
    the user's own table, where there is one.
 7. Solvency argument of every asset.
 8. Trees (audit): every page of every asset and every link up to the signed root.
 9. Strength: every asset's amounts are known as well as the user requires.
10. Package (inclusion): signed, of this manifest, of the account that the user typed.
11. Leaves (inclusion): each opens with the user's id, and its path leads to the signed root.
12. Balances (inclusion): what is counted is at least what the user typed.
13. Clock: the snapshot is not dated ahead of the reader's clock.

An audit is 1 to 8, 13, 9; a check of solvency the same without 8; one of inclusion 1, 2, 10, 11,
12, 4, 13. What does not reject comes last, so that false bytes are rejected whatever the clock
says. Inclusion stands whether or not the declaration can be read; a signed one that is false is
rejected there, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import cast

from verifier.bundle.open import open_bundle, read_kept_manifest, read_signed_manifest
from verifier.bundle.source import Source
from verifier.checks.declaration import (
    NOT_THE_EXCHANGES,
    check_declaration,
    check_pledged,
    pledged_addresses,
)
from verifier.checks.evidence import Seen, check_evidence
from verifier.checks.holdings import CheckedEvidence, report_asset
from verifier.checks.inclusion import (
    check_leaves,
    check_package,
    compare_balances,
    parse_balances,
)
from verifier.checks.manifest import CheckedManifest, check_manifest, check_previous
from verifier.checks.policy import Policy
from verifier.checks.solvency import check_solvency_argument
from verifier.checks.tree import audit_tree
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.account import AccountError, IdType, canonical_account_id
from verifier.format.keys import parse_public_key
from verifier.format.levels import Level, weakest
from verifier.format.params import (
    DAY_SECONDS,
    DECLARATION_PATH,
    MANIFEST_PATH,
    MAX_DECLARATION_BYTES,
    MAX_EVIDENCE_BYTES,
    SIGNATURE_PATH,
    bundle_paths,
    evidence_path,
)
from verifier.format.times import utc_text
from verifier.format.wire import Loan, Manifest
from verifier.nodes.balances import BalanceTable
from verifier.nodes.nodes import Nodes
from verifier.report import (
    Check,
    InclusionReport,
    NotCompared,
    Report,
    TooWeak,
    UnknownUnit,
    account_warnings,
    block_warnings,
)

OnCheck = Callable[[Check], None]
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
    """
    if jobs < 1:
        raise Misuse("at least one job is needed")
    plan = _Plan(on_check)
    with closing(open_bundle(bundle)) as source:
        checked, loans, evidence = _check_statement(  # 1 to 5
            plan, source, exchange_key, policy, previous, jobs, is_audit=True
        )
        evidence, unanswered = _ask(plan, checked, evidence, nodes, balances)  # 6
        _check_all_solvency(plan, checked, evidence)  # 7
        _audit_all_trees(plan, source, checked, jobs, progress)  # 8
    if unanswered is not None:
        raise unanswered
    _check_clock(checked.manifest, now)  # 13
    return _report(plan, checked, evidence, loans, policy, nodes, has_trees=True)  # 9


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
    plan = _Plan(on_check)
    with closing(open_bundle(bundle)) as source:
        checked, loans, evidence = _check_statement(  # 1 to 5
            plan, source, exchange_key, policy, previous
        )
        evidence, unanswered = _ask(plan, checked, evidence, nodes, balances)  # 6
        _check_all_solvency(plan, checked, evidence)  # 7
    if unanswered is not None:
        raise unanswered
    _check_clock(checked.manifest, now)  # 13
    return _report(plan, checked, evidence, loans, policy, nodes, has_trees=False)  # 9


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
    plan = _Plan(None)
    with closing(open_bundle(bundle)) as source:
        checked, _, evidence = _check_statement(  # 1 to 5
            plan, source, exchange_key, policy, previous
        )
        return checked, _confirm(plan, checked, evidence, nodes)  # 6


def check_inclusion(
    package: bytes,
    bundle: str | Path,
    exchange_key: str | bytes,
    account_id: str,
    balances: Mapping[str, str | Decimal],
    *,
    only: bool = False,
    policy: Policy | None = None,
    previous: str | Path | None = None,
    now: int | None = None,
    on_check: OnCheck | None = None,
) -> InclusionReport:
    """Check that an account's balances are counted, reading only the pages that it needs.

    Args:
        package: the bytes of the inclusion package; untrusted.
        account_id: the id as the customer types it, never as the package has it.
        balances: what the customer typed, by asset code, in whole coins.
        only: do not ask for the assets that were not typed.

    The others are those of `audit`. Solvency is not checked. What is declared is shown as far as it
    can be read; whether pledged addresses are in the evidence is not checked.

    Raises:
        Rejected: the first fault.
        NotCompared: all is well, but the customer has parts in an asset that was not typed.
        UnknownUnit: all is well, but they have parts in an asset set aside, and ``policy`` wants
            none to be.
        CannotCheck: something could not be read, or the snapshot is dated ahead of the clock.
        Misuse: an argument is malformed, or ``account_id`` is none of the manifest's type.
    """
    plan = _Plan(on_check)
    typed = parse_balances(balances)
    with closing(open_bundle(bundle)) as source:
        checked = _check_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
        canonical_id = _canonical_id(checked.manifest, account_id)
        with plan.step("inclusion package") as figures:  # 10
            body = check_package(checked, package, canonical_id)
            figures["parts"] = sum(len(asset.parts) for asset in body.assets)
        with plan.step("leaves and their paths to the signed roots") as figures:  # 11
            figures["pages"] = check_leaves(source, checked, body)
        with plan.step("balances"):  # 12
            amounts = compare_balances(checked, body, typed)
        loans, unread = _read_declaration(plan, source, checked)  # 4
    _check_clock(checked.manifest, now)  # 13
    report = InclusionReport(
        checked.manifest,
        checked.digest,
        amounts,
        checked.set_aside,
        loans,
        unread,
        tuple(plan.checks),
        account_warnings(checked.manifest),
    )
    if not only and not all(amount.is_compared for amount in amounts):
        raise NotCompared(report)
    aside = frozenset(report.set_aside)
    mine = [item.code for item in amounts if item.parts and item.code in aside]
    if policy is not None and policy.strict_units and mine:
        raise UnknownUnit(report, mine)
    return report


@dataclass
class _Plan:
    """The steps done so far, each told to ``on_check`` when it ends, well or not."""

    on_check: OnCheck | None
    checks: list[Check] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, *, is_needed: bool = True) -> Iterator[dict[str, int | str]]:
        """Tell of a step when it ends; without one that is not needed there is a verdict, too."""
        figures: dict[str, int | str] = {}
        ok: bool | None = False
        try:
            yield figures
            ok = True
        except (CannotCheck, Rejected) as error:
            if not is_needed and _says_nothing(error):
                ok = None
            raise
        finally:
            check = Check(name, ok, figures)
            self.checks.append(check)
            if self.on_check is not None:
                self.on_check(check)


def _check_statement(
    plan: _Plan,
    source: Source,
    exchange_key: str | bytes,
    policy: Policy | None,
    previous: str | Path | None,
    jobs: int = 1,
    *,
    is_audit: bool = False,
) -> tuple[CheckedManifest, tuple[Loan, ...], list[CheckedEvidence]]:
    """Check what the exchange says it has and owes: 1 to 5.

    ``is_audit``: the bundle has its files and no others. Returns the manifest, the declared loans,
    and what the evidence of each asset comes to.
    """
    checked = _check_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
    if is_audit:
        _check_files(plan, source, checked)  # 3
    else:
        source.check_present(_statement_paths(checked.manifest))  # 3
    loans = _check_declaration(plan, source, checked)  # 4
    evidence = _check_all_evidence(plan, source, checked, loans, policy, jobs)  # 5
    return checked, loans, evidence


def _check_manifest(
    plan: _Plan,
    source: Source,
    exchange_key: str | bytes,
    policy: Policy | None,
    previous: str | Path | None,
) -> CheckedManifest:
    key = parse_public_key(exchange_key)
    with plan.step("manifest and its signature") as figures:
        checked = check_manifest(*read_signed_manifest(source), key, policy or Policy())
        manifest = checked.manifest
        figures["snapshot"] = manifest.snapshot_id
        figures["time"] = utc_text(manifest.time)
        figures["account_id_type"] = manifest.account_id_type
        figures["digest"] = checked.digest.hex()
        figures["exchange"] = manifest.exchange  # last: a name may read like further figures
    if previous is not None:
        with plan.step("previous manifest"):
            try:
                kept = read_kept_manifest(previous)
            except CannotCheck as error:
                raise CannotCheck(error.code, f"previous manifest: {error.message}") from None
            check_previous(checked, *kept)
    return checked


def _check_files(plan: _Plan, source: Source, checked: CheckedManifest) -> None:
    with plan.step("files of the bundle") as figures:
        paths = _declaration_paths(checked.manifest)
        paths += [
            path
            for asset in checked.manifest.assets
            for path in bundle_paths(asset.code, asset.levels)
        ]
        source.check_listing([MANIFEST_PATH, SIGNATURE_PATH, *paths])
        source.check_present(paths)
        figures["files"] = len(paths) + 2


def _statement_paths(manifest: Manifest) -> list[str]:
    """Return the paths of declaration and evidence."""
    return _declaration_paths(manifest) + [evidence_path(asset.code) for asset in manifest.assets]


def _declaration_paths(manifest: Manifest) -> list[str]:
    return [DECLARATION_PATH] if manifest.has_declaration else []


def _check_declaration(
    plan: _Plan, source: Source, checked: CheckedManifest, *, is_needed: bool = True
) -> tuple[Loan, ...]:
    """Return the loans that are declared: none where the manifest says that nothing is."""
    loans: tuple[Loan, ...] = ()
    with plan.step("declaration of loans and pledges", is_needed=is_needed) as figures:
        if not checked.manifest.has_declaration:
            figures["declared"] = "nothing"
            return loans
        loans = check_declaration(checked, source.read(DECLARATION_PATH, MAX_DECLARATION_BYTES))
        figures["loans"] = len(loans)
        figures["pledged"] = len(pledged_addresses(loans))
    return loans


def _read_declaration(
    plan: _Plan, source: Source, checked: CheckedManifest
) -> tuple[tuple[Loan, ...] | None, str]:
    """Return the loans that are declared; or None, and why that could not be read.

    Raises:
        Rejected: the exchange signed for a declaration that is none.
    """
    try:
        return _check_declaration(plan, source, checked, is_needed=False), ""
    except (CannotCheck, Rejected) as error:
        if not _says_nothing(error):
            raise
        return None, str(error)


def _says_nothing(error: CannotCheck | Rejected) -> bool:
    """Return whether an error about the declaration says nothing of what the exchange signed."""
    return isinstance(error, CannotCheck) or error.code in NOT_THE_EXCHANGES


def _check_all_evidence(
    plan: _Plan,
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
    plan: _Plan,
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
    plan: _Plan,
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
    plan: _Plan,
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
    plan: _Plan, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
) -> None:
    for asset, found in zip(checked.manifest.assets, evidence, strict=True):
        with plan.step(f"solvency argument of {asset.code}") as figures:
            check_solvency_argument(checked, asset, found)
            figures["ratio"] = f"{asset.ratio.num}/{asset.ratio.den}"


def _report(
    plan: _Plan,
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


def _check_clock(manifest: Manifest, now: int | None) -> None:
    """Check that a snapshot is not of more than a day after the reader's clock.

    Raises:
        CannotCheck: ``check.future``.
    """
    clock = int(time.time()) if now is None else now
    if manifest.time > clock + DAY_SECONDS:
        dated, here = utc_text(manifest.time), utc_text(clock)
        message = f"the snapshot is dated {dated}, and this reader's clock says {here}"
        raise CannotCheck(Code.CHECK_FUTURE, message)


def _audit_all_trees(
    plan: _Plan, source: Source, checked: CheckedManifest, jobs: int, progress: Progress | None
) -> None:
    shapes = [checked.shape(asset) for asset in checked.manifest.assets]
    total = sum(shape.entries(level) for shape in shapes for level in range(shape.levels))
    done = 0

    def advance(entries: int) -> None:
        nonlocal done
        done += entries
        if progress is not None:
            progress(done, total)

    for asset in checked.manifest.assets:
        with plan.step(f"tree of {asset.code}") as figures:
            shape = audit_tree(source, checked, asset, jobs=jobs, progress=advance)
            figures["leaves"] = shape.leaves
            figures["pages"] = sum(shape.pages(level) for level in range(shape.levels))


def _canonical_id(manifest: Manifest, typed: str) -> str:
    id_type = cast(IdType, manifest.account_id_type)  # one of the three, in a checked manifest
    try:
        return canonical_account_id(typed, id_type)
    except AccountError as error:
        raise Misuse(f"the account id that you typed is no valid {id_type}: {error}") from None
