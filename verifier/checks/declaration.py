"""What an exchange declares: its loans, and the addresses that it pledged for them.

It is the exchange's word under its signature: it enters no argument, and is shown to readers.
Sources: spec/protocol.md 3.7; spec/wire.md, section 11; spec/errors.md, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from verifier.checks import records
from verifier.checks.manifest import CheckedManifest
from verifier.errors import Code, Rejected
from verifier.format.account import is_name
from verifier.format.params import ASSET_CODE, MAX_DECLARATION_BYTES, MAX_TEXT_BYTES
from verifier.format.statement import declaration_digest
from verifier.format.wire import DECLARED_LOANS, Loan, is_ascending

if TYPE_CHECKING:
    from verifier.checks.holdings import CheckedEvidence

AMOUNT = re.compile(r"(?!0\Z)(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")

_WHERE = "declaration"
# Of what is served in its place anybody may be the author: the manifest names another file.
NOT_THE_EXCHANGES = frozenset(
    {Code.BUNDLE_MISSING_FILE, Code.DECLARATION_TOO_LARGE, Code.DECLARATION_WRONG_DIGEST}
)


def check_declaration(checked: CheckedManifest, data: bytes) -> tuple[Loan, ...]:
    """Check the untrusted bytes of a declaration that the manifest names; return its loans.

    Raises:
        Rejected: the first fault of numbers 2a to 2h (spec/errors.md, section 2).
    """
    if not 1 <= len(data) <= MAX_DECLARATION_BYTES:
        raise _fault(Code.DECLARATION_TOO_LARGE, "empty, or larger than 4 MiB")
    if declaration_digest(data) != checked.manifest.declaration:
        raise _fault(Code.DECLARATION_WRONG_DIGEST, "not the declaration that the manifest names")
    loans = records.read_all(Loan, data, DECLARED_LOANS, "declaration", _WHERE)
    if not is_ascending((loan.lender, loan.code) for loan in loans):
        raise _fault(Code.DECLARATION_UNSORTED, "the loans are not in ascending order")
    for at, loan in enumerate(loans):
        if not is_ascending((pledge.chain, pledge.address) for pledge in loan.pledged):
            message = "what is pledged is not in ascending order"
            raise _fault(Code.DECLARATION_UNSORTED, message, loan=at)
    for at, loan in enumerate(loans):
        if not is_name(loan.lender, MAX_TEXT_BYTES):
            raise _fault(Code.DECLARATION_BAD_LENDER, "the lender is no name", loan=at)
        if not ASSET_CODE.fullmatch(loan.code):
            raise _fault(Code.DECLARATION_BAD_CODE, "no code of an asset", loan=at)
        if loan.amount and not AMOUNT.fullmatch(loan.amount):
            message = "the amount is no positive decimal in its one form"
            raise _fault(Code.DECLARATION_BAD_AMOUNT, message, loan=at)
    return loans


def check_pledged(loans: Sequence[Loan], evidence: Iterable[CheckedEvidence]) -> None:
    """Check that what is pledged are addresses of the evidence of all assets.

    Raises:
        Rejected: ``declaration.unknown-address``.
    """
    rows = {(held.row.chain, held.row.address) for found in evidence for held in found.rows}
    for at, loan in enumerate(loans):
        for number, pledge in enumerate(loan.pledged):
            if (pledge.chain, pledge.address) not in rows:
                message = f"pledged address {number} is in no row of any evidence"
                raise _fault(Code.DECLARATION_UNKNOWN_ADDRESS, message, loan=at)


def pledged_addresses(loans: Iterable[Loan]) -> frozenset[tuple[str, str]]:
    """Return every (chain, address) that is pledged for a loan."""
    return frozenset((pledge.chain, pledge.address) for loan in loans for pledge in loan.pledged)


def _fault(code: Code, message: str, *, loan: int | None = None) -> Rejected:
    return Rejected(code, _WHERE if loan is None else f"{_WHERE}, loan {loan}", message)
