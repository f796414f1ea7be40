"""What ``assay-verify`` prints: one line a check and the verdict last, or one JSON object.

What comes from a bundle is printed with anything unprintable escaped.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.account import escape
from verifier.format.chains import FIAT
from verifier.format.keys import public_key_text
from verifier.format.levels import Level
from verifier.format.times import utc_text
from verifier.format.units import Entry, Kind, coins_text, known_first
from verifier.report import Check, InclusionReport, NotCompared, Report, TooWeak, UnknownUnit
from verifier.texts import MOST_LISTED, explain, listed

if TYPE_CHECKING:
    from verifier.checks.holdings import AssetReport
    from verifier.checks.inclusion import Amount
    from verifier.compare import Comparison
    from verifier.format.evidence_records import HoldingBody
    from verifier.format.wire import Loan

# What keeps a verdict from being the best, at each level, of the assets that are known no better.
_VERDICTS = {
    Level.UNVERIFIED: "nobody checked that owners of {} signed: contract wallets, unknown chains",
    Level.CLAIMED: "amounts of {} rest on the exchange's word",
    Level.HEADER: "amounts of {} are proved under a block that no node of yours confirmed",
    Level.ATTESTED: "amounts of {} rest on third parties whom you named",
    Level.LISTED: "amounts of {} are there as far as your own table is right",
    Level.CHAIN: "your own nodes confirm every amount",
}
_FAR = "at a block of {} of another day than the snapshot"
_UNDATED = "at a block of {} of a time that nothing here shows"
_PART = "of {}, assets are proved to be a part of what is owed, not all"
_NO_TREES = "no tree was checked"
_NO_AUTHORITY = "authority not checked: {}, where an account's own key may have lost its power"
_SET_ASIDE = "not vouched for: {}, of which this verifier does not know what it stands for"

_LEVELS = {
    Level.UNVERIFIED: "contract wallets, or keys of an unknown chain, are said to have signed",
    Level.CLAIMED: "the exchange's word, and a signature for every address",
    Level.HEADER: "proved under the block that the exchange names",
    Level.ATTESTED: "attested by third parties whom you named",
    Level.LISTED: "your own table has as much",
    Level.CHAIN: "confirmed by your own node",
}
LIMITS = (
    "coins borrowed for the day, keys lent by others, and debts kept off the ledger do not show; "
    "a coin can leave with the next block"
)
_MARKS = {True: "ok  ", False: "FAIL", None: "skip"}
_NO_TIME = ", of a time that nothing here shows"
_HOUR, _DAY = 3600, 86400


class Output:
    """Where checks and the verdict go."""

    def check(self, check: Check) -> None:
        """Tell of a step that ended."""
        raise NotImplementedError

    def accept(self, report: Report) -> None:
        """Tell how well all is known."""
        raise NotImplementedError

    def accept_inclusion(self, report: InclusionReport) -> None:
        """Tell what is counted for a customer."""
        raise NotImplementedError

    def accept_page(self, digest: str) -> None:
        """Tell that a page is this version's; ``digest`` is its SHA-256 in hex."""
        raise NotImplementedError

    def units(self, code: str, shown: Sequence[Entry]) -> None:
        """Tell what a code stands for."""
        raise NotImplementedError

    def tell(self, lines: Sequence[str], found: Mapping[str, Any]) -> None:
        """Tell what was made or read: in lines for people, or as an object for programs."""
        raise NotImplementedError

    def compare(self, found: Comparison, kept: Sequence[Path]) -> None:
        """Tell what two manifests prove together; ``kept`` are the files that they are in now."""
        raise NotImplementedError

    def reject(self, error: Rejected) -> None:
        """Tell the fault, and what to do."""
        raise NotImplementedError

    def fail(self, error: CannotCheck) -> None:
        """Tell why there is no verdict, and what to do."""
        raise NotImplementedError

    def warn(self, warnings: Sequence[str]) -> None:
        """Tell of what the checks cannot show."""
        for warning in warnings:
            print(f"assay-verify: warning: {warning}", file=sys.stderr)


class TextOutput(Output):
    """Lines for people, on standard output if it is not said otherwise.

    Of one kind of check over many assets it has the first, and how many more there are.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._kind = ""
        self._done = 0

    def check(self, check: Check) -> None:
        """See `Output`."""
        kind = check.name.rpartition(" of ")[0]
        if kind != self._kind:
            self._settle()
            self._kind = kind
        self._done += 1
        if kind and check.ok and self._done > MOST_LISTED:
            return
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in check.figures.items()
        )
        line = f"{_MARKS[check.ok]} {check.name}"
        print(escape(f"{line}: {figures}" if figures else line), flush=True)

    def _settle(self) -> None:
        """Say how many checks of the last kind were not told of."""
        if self._kind and self._done > MOST_LISTED:
            print(f"ok   {self._kind} of {self._done - MOST_LISTED:,} more", flush=True)
        self._kind, self._done = "", 0

    def accept(self, report: Report) -> None:
        """See `Output`."""
        self.warn(report.warnings)
        accepted = f"ACCEPTED as {report.level}" if report.vouched else "ACCEPTED"
        self._print([*_lines(report), f"{accepted}: {verdict(report)}"])

    def accept_inclusion(self, report: InclusionReport) -> None:
        """See `Output`."""
        self.warn(report.warnings)
        included = any(amount.parts for amount in report.amounts)
        said = ["the balances that you typed are counted" if included else "nothing to include"]
        said += _set_aside(report.set_aside, report.amounts)
        note = "note solvency was not checked by this command"
        self._print([*_inclusion_lines(report), note, f"ACCEPTED: {'; '.join(said)}"])

    def accept_page(self, digest: str) -> None:
        """See `Output`."""
        self._print([f"sha256 {digest}", "ACCEPTED: it is the page of this version"])

    def units(self, code: str, shown: Sequence[Entry]) -> None:
        """See `Output`."""
        for unit, kind, reason in shown:
            unknown = ", which counts as unknown" if kind is Kind.UNCONFIRMED else ""
            place = f"{code} on {unit.chain}: {unit.contract or 'its own coin'}"
            self._print([f"{place}, {unit.decimals} decimals", f"  {kind}{unknown}: {reason}"])
        if not shown:
            self._print([f"{code}: this verifier does not know what it stands for"])

    def tell(self, lines: Sequence[str], found: Mapping[str, Any]) -> None:
        """See `Output`."""
        self._print(lines)

    def compare(self, found: Comparison, kept: Sequence[Path]) -> None:
        """See `Output`."""
        told = [
            f"{public_key_text(item.fields.public_key)} signed {item.fields.snapshot_id} of "
            f"{utc_text(item.fields.time)}, digest {item.digest.hex()}"
            for item in (found.first, found.second)
        ]
        told += [f"kept {path}" for path in kept]
        verdict = f"PROVED: {found.fault}"
        if found.is_fraud:
            told += [f"proved of the holder of {public_key_text(key)}" for key in found.keys]
        else:
            verdict = "NOT PROVED: together they contradict none of the rules for histories"
        self._print([*told, verdict])

    def reject(self, error: Rejected) -> None:
        """See `Output`."""
        self._print([f"REJECTED {error}", _explained(error.code)])

    def fail(self, error: CannotCheck) -> None:
        """See `Output`."""
        lines: list[str] = []
        if isinstance(error, NotCompared | TooWeak | UnknownUnit):
            self.warn(error.report.warnings)
            report = error.report
            lines = _lines(report) if isinstance(report, Report) else _inclusion_lines(report)
            if isinstance(error, NotCompared):
                told = _set_aside(error.report.set_aside, error.report.amounts)
                lines += [f"note {text}" for text in told]
        self._print([*lines, f"NOT CHECKED {error}", _explained(error.code)])

    def _print(self, lines: Sequence[str]) -> None:
        self._settle()
        for line in lines:
            print(escape(line), file=self._stream, flush=True)


class JsonOutput(Output):
    """One object for programs."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def check(self, check: Check) -> None:
        """See `Output`."""
        self._checks.append(check)

    def accept(self, report: Report) -> None:
        """See `Output`."""
        self.warn(report.warnings)
        self._print(None, report)

    def accept_inclusion(self, report: InclusionReport) -> None:
        """See `Output`."""
        self.warn(report.warnings)
        self._print(None, report)

    def accept_page(self, digest: str) -> None:
        """See `Output`."""
        self._checks.append(Check("page", ok=True, figures={"sha256": digest}))
        self._print(None)

    def units(self, code: str, shown: Sequence[Entry]) -> None:
        """See `Output`."""
        told = [
            {**entry.unit._asdict(), "kind": entry.kind, "reason": entry.reason} for entry in shown
        ]
        print(json.dumps({"code": code, "units": told}, indent=2))

    def tell(self, lines: Sequence[str], found: Mapping[str, Any]) -> None:
        """See `Output`."""
        print(json.dumps(found, indent=2))

    def compare(self, found: Comparison, kept: Sequence[Path]) -> None:
        """See `Output`."""
        told = {
            "proved": found.is_fraud,
            "fault": found.fault or None,
            "keys": [public_key_text(key) for key in found.keys] if found.is_fraud else [],
            "manifests": [
                {
                    "digest": item.digest.hex(),
                    "exchange": item.fields.exchange,
                    "manifest": b64encode(item.data).decode(),
                    "previous": item.fields.previous.hex(),
                    "public_key": public_key_text(item.fields.public_key),
                    "signature": b64encode(item.signature).decode(),
                    "snapshot_id": item.fields.snapshot_id,
                    "time": utc_text(item.fields.time),
                }
                for item in (found.first, found.second)
            ],
            "kept": [str(path) for path in kept],
        }
        print(json.dumps(told, indent=2))

    def reject(self, error: Rejected) -> None:
        """See `Output`."""
        self._print(_error_object(error.code, error.where, error.message))

    def fail(self, error: CannotCheck) -> None:
        """See `Output`."""
        report: Report | InclusionReport | None = None
        if isinstance(error, NotCompared | TooWeak | UnknownUnit):
            report = error.report
            self.warn(report.warnings)
        self._print(_error_object(error.code, "", error.message), report)

    def _print(
        self,
        error: Mapping[str, str] | None,
        report: Report | InclusionReport | None = None,
    ) -> None:
        checks = [
            {"name": check.name, "ok": check.ok, "figures": dict(check.figures)}
            for check in self._checks
        ]
        found: dict[str, Any] = {
            "accepted": error is None,
            "error": error,
            "amounts": {},
            "blocks": {},
            "verdict": None,
            "all_confirmed": False,
            "set_aside": [],
            "bridged": [],
            "declaration": None,
            "checks": checks,
        }
        if report is not None:
            found["set_aside"] = list(report.set_aside)
            found["declaration"] = _declaration_object(report)
        if isinstance(report, Report):
            found["bridged"] = [{"code": code, "chain": chain} for code, chain in report.bridged]
            found["amounts"] = _asset_objects(report)
            found["blocks"] = _block_objects(report)
            found["verdict"] = verdict(report)
            found["all_confirmed"] = error is None and report.is_solvent and not report.set_aside
        elif report is not None:
            found["amounts"] = _amount_objects(report.amounts)
        print(json.dumps(found, indent=2))


def verdict(report: Report) -> str:
    """Return in a sentence how much an accepted report shows, and what it lacks for the best."""
    weakest = listed([item.code for item in report.vouched if item.level is report.level])
    said = [_VERDICTS[report.level].format(weakest)] if report.vouched else []
    if report.set_aside and report.vouched and report.level is Level.CHAIN:
        said[0] += f" of {weakest}"
    if report.is_confirmed:
        solvent = f"solvent in {weakest}" if report.set_aside else "solvent"
        if report.leaning:
            solvent += f", as far as bridges and custodians hold ({_units(report.leaning)})"
        return "; ".join([f"{solvent}: {said[0]}", *_set_aside(report.set_aside)])
    if report.level.rank >= Level.HEADER.rank:
        said += [_FAR.format(", ".join(report.far))] if report.far else []
        said += [_UNDATED.format(", ".join(report.undated))] if report.undated else []
    part = [asset.code for asset in report.manifest.assets if asset.ratio.num < asset.ratio.den]
    said += [_PART.format(listed(part))] if part else []
    said += [_NO_TREES] if not report.has_trees else []
    unchecked = [_authority(item) for item in report.vouched if item.authority_unchecked]
    said += [_NO_AUTHORITY.format(listed(unchecked))] if unchecked else []
    return "; ".join([*said, *_set_aside(report.set_aside)])


def _set_aside(codes: Sequence[str], amounts: Sequence[Amount] | None = None) -> list[str]:
    """Return what is not vouched for; of a customer, of what they have or typed."""
    if amounts is not None:
        shown = {item.code for item in amounts if item.typed or item.parts}
        codes = [code for code in codes if code in shown]
    if not codes:
        return []
    # What many people know by its code is never among those that are only counted.
    known, others = known_first(codes)
    return [_SET_ASIDE.format(listed([*known, *others], max(MOST_LISTED, len(known))))]


def _units(units: Sequence[tuple[str, str]]) -> str:
    return listed([f"{code} on {chain}" for code, chain in units])


def _authority(item: AssetReport) -> str:
    return f"{item.code} on {' and '.join(item.authority_unchecked)}"


def _explained(code: Code) -> str:
    """Return what a code means, and what to do."""
    words = explain(code)
    return f"{words.finding} {words.advice}"


def _error_object(code: Code, where: str, message: str) -> dict[str, str]:
    words = explain(code)
    return {
        "code": code,
        "where": where,
        "message": message,
        "finding": words.finding,
        "advice": words.advice,
    }


def _lines(report: Report) -> list[str]:
    """Return what the amounts rest on, and what stays open, in plain words."""
    levels = {item.level for item in report.assets}
    for item in report.assets:
        levels |= {*item.disclosed, *(hidden.level for hidden in item.hidden)}
        levels |= {holding.known for holding in item.attested}
    age = _age(time.time() - report.manifest.time)
    times = report.block_times
    return [
        *(
            f"note {chain.name}: block {chain.height}, {chain.hash.hex()}"
            + (f", of {utc_text(times[chain.name])}" if chain.name in times else _NO_TIME)
            + f"; the snapshot is {age}"
            for chain in report.manifest.chains
            if chain.name != FIAT
        ),
        f"note not shown: {LIMITS}",
        *(f"note {level}: {text}" for level, text in _LEVELS.items() if level in levels),
        *(f"note {item.code}: {_held(item)}" for item in report.assets[:MOST_LISTED]),
        *_more(len(report.assets), "assets"),
        *_bridged_lines(report),
        *_loan_lines(report.loans),
        *_pledged_lines([item for item in report.assets if item.pledged_rows]),
        *_attested_lines(report),
    ]


def _inclusion_lines(report: InclusionReport) -> list[str]:
    """Return what is counted for a customer, and what the exchange declares."""
    lines = _amount_lines(report.amounts)
    if report.loans is None:
        return [*lines, f"note the declaration of loans could not be read: {report.unread}"]
    lines += _loan_lines(report.loans)
    if report.loans:
        lines.append("note whether pledged addresses are in the evidence was not checked here")
    return lines


def _bridged_lines(report: Report) -> Iterator[str]:
    """Yield which units are worth what a bridge is, besides what the issuer is."""
    if report.leaning:
        units = _units(report.leaning)
        yield f"note bridged, and worth no more than the bridge or custodian is: {units}"


def _loan_lines(loans: Sequence[Loan]) -> Iterator[str]:
    """Yield what is declared. What the exchange wrote stands at the end of a line."""
    if not loans:
        yield "note nothing is declared: the exchange names no loan, and nothing that is pledged"
        return
    yield "note declared by the exchange, and no part of any proof:"
    left = MOST_LISTED  # of all pledged addresses
    for loan in loans[:MOST_LISTED]:
        amount = loan.amount or "amount not said,"
        yield f"note   borrowed: {amount} {loan.code}, from {loan.lender}"
        shown = loan.pledged[:left]
        left -= len(shown)
        for pledge in shown:
            yield f"note     pledged for it: {pledge.chain} {pledge.address}"
        if len(loan.pledged) > len(shown):
            yield f"note     {len(loan.pledged) - len(shown):,} more addresses pledged for it"
    yield from _more(len(loans), "loans")


def _pledged_lines(assets: Sequence[AssetReport]) -> Iterator[str]:
    """Yield what is pledged of those assets of which something is."""
    for item in assets[:MOST_LISTED]:
        amount = coins_text(item.pledged, item.decimals)
        yield f"note {item.code}: {amount} of it pledged, rows {item.pledged_rows}"
    yield from _more(len(assets), "assets of which something is pledged")


def _attested_lines(report: Report) -> Iterator[str]:
    """Yield what third parties sign for. What they or the exchange wrote ends a line."""
    held = [(item.code, holding) for item in report.assets for holding in item.attested]
    for code, holding in held[:MOST_LISTED]:
        first, *others = holding.lines(code)
        yield f"note {first}"
        yield from (f"note   {line}" for line in others)
    yield from _more(len(held), "attested holdings")


def _declaration_object(report: Report | InclusionReport) -> dict[str, Any]:
    """Return what is declared; ``loans`` is null where it could not be read."""
    return {
        "loans": None if report.loans is None else [_loan_object(loan) for loan in report.loans],
        "unread": report.unread if isinstance(report, InclusionReport) else "",
    }


def _loan_object(loan: Loan) -> dict[str, Any]:
    return {
        "lender": loan.lender,
        "code": loan.code,
        "amount": loan.amount or None,
        "pledged": [{"chain": pledge.chain, "address": pledge.address} for pledge in loan.pledged],
    }


def _more(total: int, what: str) -> Iterator[str]:
    if total > MOST_LISTED:
        yield f"note {total - MOST_LISTED:,} more {what}: --json has all"


def _age(seconds: float) -> str:
    if seconds < 0:
        return "dated in the future"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} hours old"
    return f"{seconds // _DAY:,.0f} days old"


def _block_objects(report: Report) -> dict[str, dict[str, Any]]:
    times = report.block_times
    return {
        chain.name: {
            "height": chain.height,
            "hash": chain.hash.hex(),
            "time": utc_text(times[chain.name]) if chain.name in times else None,
            "far": chain.name in report.far,
            "counts": chain.name in report.chains,
        }
        for chain in report.manifest.chains
        if chain.name != FIAT
    }


def _held(item: AssetReport) -> str:
    parts = [
        f"{coins_text(units, item.decimals)} at addresses ({level})"
        for level, units in sorted(item.disclosed.items(), key=lambda entry: entry[0].rank)
    ]
    parts += [
        f"hidden among {hidden.keys} keys that hold {coins_text(hidden.units, item.decimals)} "
        f"({hidden.level})"
        for hidden in item.hidden
    ]
    if item.authority_unchecked:
        parts.append(f"authority not checked on {' and '.join(item.authority_unchecked)}")
    parts += [
        f"{coins_text(units, item.decimals)} by attestation ({level})"
        for level, units in item.attested_units.items()
    ]
    return ", ".join(parts) or f"nothing held ({item.level})"


def _asset_objects(report: Report) -> dict[str, dict[str, Any]]:
    return {
        item.code: {
            "level": item.level,
            "authority_unchecked": list(item.authority_unchecked),
            "disclosed": {
                level: coins_text(units, item.decimals) for level, units in item.disclosed.items()
            },
            "hidden": [
                {
                    "keys": hidden.keys,
                    "listed": coins_text(hidden.units, item.decimals),
                    "level": hidden.level,
                }
                for hidden in item.hidden
            ],
            "pledged": {
                "rows": item.pledged_rows,
                "amount": coins_text(item.pledged, item.decimals),
            },
            "attested": [
                {
                    **holding_object(holding.body, holding.amount_text, holding.encumbered_text),
                    "counted": coins_text(holding.units, item.decimals),
                    "key": public_key_text(holding.key),
                    "level": holding.known,
                    "named": holding.attester or None,
                    "lines": list(holding.lines(item.code)),
                }
                for holding in item.attested
            ],
        }
        for item in report.assets
    }


def holding_object(body: HoldingBody, amount: str, encumbered: str) -> dict[str, Any]:
    """Return what a third party signs for, for programs; amounts in whole coins of its unit."""
    return {
        "amount": amount,
        "attester": body.attester,
        "chain": body.chain,
        "contract": body.contract,
        "document": body.document.hex(),
        "encumbered": encumbered,
        "exchange_key": public_key_text(body.exchange_key),
        "holder": body.holder,
        "kind": body.kind,
        "not_after": utc_text(body.not_after),
        "reference": body.reference,
        "snapshot_id": body.snapshot_id,
        "time": utc_text(body.time),
    }


def _amount_lines(amounts: Sequence[Amount]) -> list[str]:
    return [
        f"{amount.code}: you typed {amount.typed.text}, counted {amount.counted_text}"
        if amount.typed
        else f"{amount.code}: not typed, counted {amount.counted_text}"
        for amount in amounts
        if amount.typed or amount.parts
    ]


def _amount_objects(amounts: Sequence[Amount]) -> dict[str, dict[str, str | None]]:
    return {
        amount.code: {
            "counted": amount.counted_text,
            "typed": amount.typed.text if amount.typed else None,
        }
        for amount in amounts
    }
