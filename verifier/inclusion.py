"""The check of a customer's own inclusion: `verifier.plan` as far as it is about that."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from verifier.bundle.open import open_bundle
from verifier.bundle.source import Source
from verifier.checks.inclusion import (
    check_leaves,
    check_package,
    compare_balances,
    parse_balances,
)
from verifier.checks.manifest import CheckedManifest
from verifier.checks.policy import Policy
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.account import AccountError, IdType, canonical_account_id
from verifier.format.wire import Loan, Manifest
from verifier.plan import (
    OnCheck,
    Plan,
    check_clock,
    check_loans,
    check_signed_manifest,
    says_nothing,
)
from verifier.report import InclusionReport, NotCompared, UnknownUnit, account_warnings

if TYPE_CHECKING:
    from decimal import Decimal


def check_inclusion(
    package: bytes,
    bundle: str | Path | Source,
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

    The others are those of `verifier.verify.audit`. Solvency is not checked. What is declared is
    shown as far as it can be read; whether pledged addresses are in the evidence is not checked.

    Raises:
        Rejected: the first fault.
        NotCompared: all is well, but the customer has parts in an asset that was not typed.
        UnknownUnit: all is well, but they have parts in an asset set aside, and ``policy`` wants
            none to be.
        CannotCheck: something could not be read, the arguments are not there yet, or the snapshot
            is dated ahead of the clock.
        Misuse: an argument is malformed, or ``account_id`` is none of the manifest's type.
    """
    plan = Plan(on_check)
    typed = parse_balances(balances)
    with closing(open_bundle(bundle)) as source:
        checked = check_signed_manifest(plan, source, exchange_key, policy, previous)  # 1, 2
        canonical_id = _canonical_id(checked.manifest, account_id)
        with plan.step("inclusion package") as figures:  # 11
            body = check_package(checked, package, canonical_id)
            figures["parts"] = sum(len(asset.parts) for asset in body.assets)
        with plan.step("leaves and their paths to the signed roots") as figures:  # 12
            leaves = check_leaves(source, checked, body)
            figures["pages"] = leaves.pages
        with plan.step("balances"):  # 13
            amounts = compare_balances(checked, body, typed)
        loans, unread = _read_declaration(plan, source, checked)  # 5
    with plan.step("arguments of these pages"):  # 14
        if not leaves.are_proved:
            message = "the exchange has not yet published what proves its pages right"
            raise CannotCheck(Code.CHECK_NOT_PROVED, message)
    check_clock(checked.manifest, now)  # 15
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


def _read_declaration(
    plan: Plan, source: Source, checked: CheckedManifest
) -> tuple[tuple[Loan, ...] | None, str]:
    """Return the loans that are declared; or None, and why that could not be read.

    Raises:
        Rejected: the exchange signed for a declaration that is none.
    """
    try:
        return check_loans(plan, source, checked, is_needed=False), ""
    except (CannotCheck, Rejected) as error:
        if not says_nothing(error):
            raise
        return None, str(error)


def _canonical_id(manifest: Manifest, typed: str) -> str:
    id_type = cast(IdType, manifest.account_id_type)  # one of the three, in a checked manifest
    try:
        return canonical_account_id(typed, id_type)
    except AccountError as error:
        raise Misuse(f"the account id that you typed is no valid {id_type}: {error}") from None
