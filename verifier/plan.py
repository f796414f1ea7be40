"""The numbered plan of every check, and what all readers do of it alike.

`verifier.verify` and `verifier.inclusion` are its only composers. Each of their functions raises at
the first fault, in the order of spec/errors.md; returning means accepted.

 1. Manifest: present, signed by the key that the user gave, canonical, every field in order.
 2. Previous manifest, where the user gave one: the chain is unbroken, nothing is signed twice.
 3. Files (audit: the bundle's and no others; solvency: the declaration, the record of arguments,
    the evidence and the solvency arguments).
 4. Record of arguments: signed, of this manifest, with the digest of every file of arguments.
 5. Declaration, where the manifest names one: its form.
 6. Evidence of every asset: ownership signatures, proofs, and the sum of the amounts; then that
    what the declaration says is pledged is there.
 7. Chains, where the user gave a node: it confirms the block, and what evidence says of it; then
    the user's own table, where there is one.
 8. Solvency argument of every asset.
 9. Trees (audit): every page of every asset with its argument, and every link up to the signed
    root.
10. Strength: every asset's amounts are known as well as the user requires.
11. Package (inclusion): signed, of this manifest, of the account that the user typed.
12. Leaves (inclusion): the path of each leads to the signed root; its identity is the user's, and
    the amount stands at its place.
13. Balances (inclusion): what is counted is at least what the user typed.
14. Arguments (inclusion): they were there. Without them all else shows nothing yet.
15. Clock: the snapshot is not dated ahead of the reader's clock.

An audit is 1 to 9, 15, 10; a check of solvency the same without 9; one of inclusion 1, 2, 11, 12,
13, 5, 14, 15. What does not reject comes last, so that false bytes are rejected whatever the clock
says. Inclusion stands whether or not the declaration can be read; a signed one that is false is
rejected there, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from verifier.bundle.open import read_kept_manifest, read_signed_manifest
from verifier.bundle.source import Source
from verifier.checks.declaration import NOT_THE_EXCHANGES, check_declaration, pledged_addresses
from verifier.checks.manifest import CheckedManifest, check_manifest, check_previous
from verifier.checks.policy import Policy
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.keys import parse_public_key
from verifier.format.params import DAY_SECONDS, DECLARATION_PATH, MAX_DECLARATION_BYTES
from verifier.format.times import utc_text
from verifier.format.wire import Loan, Manifest
from verifier.report import Check

OnCheck = Callable[[Check], None]


@dataclass
class Plan:
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
            if not is_needed and says_nothing(error):
                ok = None
            raise
        finally:
            check = Check(name, ok, figures)
            self.checks.append(check)
            if self.on_check is not None:
                self.on_check(check)


def check_signed_manifest(
    plan: Plan,
    source: Source,
    exchange_key: str | bytes,
    policy: Policy | None,
    previous: str | Path | None,
) -> CheckedManifest:
    """Do 1 and 2: check the manifest of a bundle, and that it follows the previous one.

    Raises:
        Rejected, CannotCheck, Misuse: as the readers do.
    """
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


def check_loans(
    plan: Plan, source: Source, checked: CheckedManifest, *, is_needed: bool = True
) -> tuple[Loan, ...]:
    """Do 5; return the loans that are declared: none where the manifest says that nothing is.

    ``is_needed``: whether there is no verdict without the declaration.

    Raises:
        Rejected, CannotCheck: as the readers do.
    """
    loans: tuple[Loan, ...] = ()
    with plan.step("declaration of loans and pledges", is_needed=is_needed) as figures:
        if not checked.manifest.has_declaration:
            figures["declared"] = "nothing"
            return loans
        loans = check_declaration(checked, source.read(DECLARATION_PATH, MAX_DECLARATION_BYTES))
        figures["loans"] = len(loans)
        figures["pledged"] = len(pledged_addresses(loans))
    return loans


def says_nothing(error: CannotCheck | Rejected) -> bool:
    """Return whether an error about the declaration says nothing of what the exchange signed."""
    return isinstance(error, CannotCheck) or error.code in NOT_THE_EXCHANGES


def check_clock(manifest: Manifest, now: int | None) -> None:
    """Do 15: check that a snapshot is not of more than a day after the reader's clock.

    Raises:
        CannotCheck: ``check.future``.
    """
    clock = int(time.time()) if now is None else now
    if manifest.time > clock + DAY_SECONDS:
        dated, here = utc_text(manifest.time), utc_text(clock)
        message = f"the snapshot is dated {dated}, and this reader's clock says {here}"
        raise CannotCheck(Code.CHECK_FUTURE, message)
