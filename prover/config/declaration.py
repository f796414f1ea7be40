"""``[[declaration]]`` of a snapshot's TOML: what the exchange borrowed, and pledged for it.

The order of loans and the one form of names and amounts are made here, so that the operator writes
them as they like. What is declared is a function of the TOML alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prover.errors import Code, InputError
from prover.files.toml_table import Table
from verifier.format.account import AccountError, canonical_name
from verifier.format.params import (
    ASSET_CODE,
    DECLARATION_PATH,
    MAX_DECLARATION_BYTES,
    MAX_PLEDGED,
    MAX_TEXT_BYTES,
)
from verifier.format.wire import (
    DECLARED_LOANS,
    Loan,
    Manifest,
    Pledge,
    read_records,
    write_record,
)

DECLARATION = "declaration"

_AMOUNT = re.compile(r"([0-9]{1,63})(?:\.([0-9]{1,63}))?")
_MAX_AMOUNT = 64


@dataclass(frozen=True, slots=True)
class Declaration:
    """The loans in their order; ``places`` say where in the TOML a (chain, address) is pledged."""

    loans: tuple[Loan, ...] = ()
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def check_pledged(self, rows: Collection[tuple[str, str]]) -> None:
        """Check that what is pledged is among ``rows``, the (chain, address) of all evidence.

        Raises:
            InputError: an address is not.
        """
        for pledged, place in self.places.items():
            if pledged not in rows:
                words = "no row of the evidence has this address on this chain"
                remedy = "write it as the list of evidence does, or leave it out"
                raise InputError(place, Code.WRONG_VALUE, words, remedy)


def read_declaration(table: Table) -> Declaration:
    """Read what is declared; nothing is where the TOML has no ``[[declaration]]``.

    Raises:
        ProverError: naming file, key and rule.
    """
    if not table.has(DECLARATION):
        return Declaration()
    places: dict[tuple[str, str], str] = {}
    loans: dict[tuple[str, str], Loan] = {}

    def read(entry: Table) -> None:
        loan = _loan(entry, places)
        if (loan.lender, loan.code) in loans:
            words = "is a second loan of this lender and asset"
            raise entry.error("lender", words, Code.CONTRADICTION, "add them up")
        loans[loan.lender, loan.code] = loan

    table.each(DECLARATION, ("lender", "asset", "amount", "pledged"), read)
    found = tuple(loans[place] for place in sorted(loans))
    if not DECLARED_LOANS.least <= len(found) <= DECLARED_LOANS.most:
        words = f"has 1 to {DECLARED_LOANS.most} loans"
        raise table.error(DECLARATION, words, remedy="leave it out where nothing is declared")
    if len(write_record(found)) > MAX_DECLARATION_BYTES:
        raise table.error(DECLARATION, f"is longer than {MAX_DECLARATION_BYTES} bytes when written")
    return Declaration(found, places)


def signed_loans(bundle: Path, manifest: Manifest) -> tuple[Loan, ...]:
    """Return what a finished bundle declares."""
    if not manifest.has_declaration:
        return ()
    return read_records(Loan, (bundle / DECLARATION_PATH).read_bytes(), DECLARED_LOANS)


def _loan(entry: Table, places: dict[tuple[str, str], str]) -> Loan:
    try:
        lender = canonical_name(entry.take("lender", str), MAX_TEXT_BYTES)
    except AccountError as error:
        raise entry.error("lender", f"not a valid name: {error.rule}") from None
    code = entry.take("asset", str)
    if not ASSET_CODE.fullmatch(code):
        raise entry.error("asset", "must be a code: 1 to 16 of A-Z and 0-9")
    amount = _amount(entry) if entry.has("amount") else ""
    pledged: set[tuple[str, str]] = set()

    def read(row: Table) -> None:
        chain, address = row.take("chain", str), row.take("address", str)
        if not 1 <= len(address.encode()) <= MAX_TEXT_BYTES:
            raise row.error("address", f"must have 1 to {MAX_TEXT_BYTES} bytes")
        if (chain, address) in pledged:
            raise row.error("address", "is pledged twice for one loan", Code.CONTRADICTION)
        pledged.add((chain, address))
        places.setdefault((chain, address), row.place("address"))

    if entry.has("pledged"):
        entry.each("pledged", ("chain", "address"), read)
    if len(pledged) > MAX_PLEDGED:
        raise entry.error("pledged", f"has at most {MAX_PLEDGED} addresses")
    return Loan(
        amount, code, lender, tuple(Pledge(address, chain) for chain, address in sorted(pledged))
    )


def _amount(entry: Table) -> str:
    """Return an amount in its one form: no zeros in front of it, or behind its point."""
    match = _AMOUNT.fullmatch(entry.take("amount", str))
    whole, fraction = (match[1].lstrip("0"), (match[2] or "").rstrip("0")) if match else ("", "")
    amount = f"{whole or '0'}.{fraction}" if fraction else whole
    if not amount or len(amount) > _MAX_AMOUNT:
        words = (
            f"must be whole coins above zero, as a decimal in quotes of {_MAX_AMOUNT} characters"
        )
        raise entry.error("amount", words, remedy="leave it out if it is not said")
    return amount
