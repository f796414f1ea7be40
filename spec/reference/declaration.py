"""The declaration of loans and pledges (protocol.md 3.7, wire.md 11): errors.md 2, 2a to 2h, 19."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spec.reference import account, wire
from spec.reference.errors import Rejected
from spec.reference.manifest import Manifest, ascending, decode_fields, is_file, require
from spec.reference.transcript import tagged_hash

MAX_BYTES = 1 << 22
NAME = "declaration.msgpack"
WHERE = "declaration"
_PLEDGE = {"address": wire.text(1, 128), "chain": wire.text()}
_LOAN = {
    "amount": wire.text(0, 64),
    "code": wire.text(),
    "lender": wire.text(1, 128),
    "pledged": wire.array(wire.record(_PLEDGE), 0, 4096),
}
_LOANS = wire.array(wire.record(_LOAN), 1, 4096)


@dataclass(frozen=True)
class Loan:
    """What the exchange says that it borrowed; `amount` is empty where it does not say it."""

    lender: str
    code: str
    amount: str
    pledged: tuple[tuple[str, str], ...]  # (chain, address)


def check(bundle: Path, manifest: Manifest) -> tuple[Loan, ...]:
    """errors.md 2, numbers 2a to 2h: the loans; none where nothing is declared."""
    if manifest.declaration == bytes(32):
        return ()
    require(is_file(bundle / NAME), "bundle.missing-file", NAME, "no such regular file")
    with (bundle / NAME).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    require(1 <= len(data) <= MAX_BYTES, "declaration.too-large", WHERE)  # 2a
    digest = tagged_hash("declaration", data)
    require(digest == manifest.declaration, "declaration.wrong-digest", WHERE)  # 2b
    fields = decode_fields(data, _LOANS, "declaration", WHERE)  # 2c, 2d
    loans = tuple(
        Loan(
            lender=loan["lender"],
            code=loan["code"],
            amount=loan["amount"],
            pledged=tuple((pledge["chain"], pledge["address"]) for pledge in loan["pledged"]),
        )
        for loan in fields
    )
    # 2e
    require(ascending((loan.lender, loan.code) for loan in loans), "declaration.unsorted", WHERE)
    for at, loan in enumerate(loans):
        require(ascending(loan.pledged), "declaration.unsorted", _place(at))
    for at, loan in enumerate(loans):  # 2f to 2h
        require(_is_name(loan.lender), "declaration.bad-lender", _place(at))
        code = re.fullmatch("[A-Z0-9]{1,16}", loan.code)
        require(code is not None, "declaration.bad-code", _place(at))
        require(_is_amount(loan.amount), "declaration.bad-amount", _place(at))
    return loans


def check_pledged(loans: Sequence[Loan], rows: Iterable[tuple[str, str]]) -> None:
    """errors.md 2, number 19: what is pledged is a (chain, address) of some row of the bundle."""
    known = set(rows)
    for at, loan in enumerate(loans):
        shown = known.issuperset(loan.pledged)
        require(shown, "declaration.unknown-address", _place(at))


def look(bundle: Path, manifest: Manifest) -> tuple[Loan, ...] | None:
    """errors.md 4, number 15: the loans as a customer sees them; None where nobody can tell.

    Raises Rejected where the exchange signed for a declaration that is none.
    """
    try:
        return check(bundle, manifest)
    except OSError:
        return None
    except Rejected as fault:
        unread = "bundle.missing-file", "declaration.too-large", "declaration.wrong-digest"
        if fault.code not in unread:
            raise
        return None


def _place(at: int) -> str:
    return f"{WHERE}, loan {at}"


def _is_name(lender: str) -> bool:
    try:
        return account.canonical_name(lender, 128) == lender
    except ValueError:
        return False


def _is_amount(text: str) -> bool:
    """Nothing, or more than nothing: no zeros in front or behind, no sign, no exponent."""
    if not text:
        return True
    whole, point, fraction = text.partition(".")
    digits = re.fullmatch("[0-9]+", whole + fraction)
    if digits is None or not whole or (whole[0] == "0" and whole != "0"):
        return False
    return fraction != "" and fraction[-1] != "0" if point else whole != "0"
