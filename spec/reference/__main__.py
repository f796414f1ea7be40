"""The command line: `python -m spec.reference audit …` and `… inclusion …`.

Exit codes: 0 accepted, 1 could not check, 2 usage, 3 rejected.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from spec.reference import audit, check_inclusion, keys
from spec.reference.address import eip55
from spec.reference.chains import CHAINS
from spec.reference.declaration import Loan
from spec.reference.errors import NotCheckedError, Rejected
from spec.reference.ethereum import Slot, Token
from spec.reference.inclusion import MAX_BYTES
from spec.reference.units import parse_unit, read_units


def parse_key(text: str) -> bytes:
    """The key of its text form, or of a file that holds that (wire.md 7)."""
    if not text.startswith(keys.PREFIX):
        with Path(text).open("rb") as file:
            text = file.read(66).decode("ascii", "replace").removesuffix("\n")
    return keys.parse(text)


def _ratio(text: str) -> tuple[int, int]:
    if not re.fullmatch("[1-9][0-9]{0,9}/[1-9][0-9]{0,9}", text):
        raise argparse.ArgumentTypeError("a ratio is NUM/DEN")
    num, den = text.split("/")
    return int(num), int(den)


def _balance(text: str) -> tuple[str, str]:
    match = re.fullmatch("([A-Z0-9]{1,16})=([0-9]{1,40}([.][0-9]{1,40})?)", text)
    if match is None:
        raise argparse.ArgumentTypeError("a balance is CODE=NUMBER")
    return match[1], match[2]


def _token_slot(text: str) -> tuple[Token, Slot]:
    match = re.fullmatch("(?:([a-z0-9-]{1,32}):)?(0x[0-9a-fA-F]{40})=([0-9]{1,78})", text)
    if match is None or int(match[3]) >= 1 << 256 or eip55(bytes.fromhex(match[2][2:])) != match[2]:
        raise argparse.ArgumentTypeError("a token's slot is [CHAIN:]CONTRACT=SLOT")
    chain = match[1] or "ethereum"
    if chain not in CHAINS or not CHAINS[chain].proves_state:
        raise argparse.ArgumentTypeError(f"no header of {chain} proves what a token holds")
    return (chain, match[2]), Slot(int(match[3]))


def _attester(text: str) -> str:
    name, equals, key = text.partition("=")
    if not (name and equals and key):
        raise argparse.ArgumentTypeError("an attester is NAME=KEY")
    return key


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spec.reference", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    audit_command = commands.add_parser("audit", help="check everything")
    audit_command.add_argument("bundle", type=Path)
    audit_command.add_argument("--token-slot", type=_token_slot, action="append", default=[])
    audit_command.add_argument("--attester", type=_attester, action="append", default=[])
    inclusion = commands.add_parser("inclusion", help="check that a customer is counted")
    inclusion.add_argument("package", type=Path)
    inclusion.add_argument("--bundle", type=Path, required=True)
    inclusion.add_argument("--account", required=True)
    inclusion.add_argument("--balance", type=_balance, action="append", required=True)
    inclusion.add_argument("--only", action="store_true", help="compare the typed assets only")
    for command in (audit_command, inclusion):
        command.add_argument("--exchange-key", required=True)
        command.add_argument("--ratio", type=_ratio, default=(1, 1))
        command.add_argument("--unit", type=parse_unit, action="append", default=[])
        command.add_argument("--units", type=Path, action="append", default=[], metavar="FILE.csv")
        command.add_argument("--strict-units", action="store_true", help="set no asset aside")
        command.add_argument("--previous", type=Path)
        command.add_argument("--json", action="store_true")
    return parser


def _format(amounts: dict[str, Decimal]) -> str:
    return ", ".join(f"{code} {amount:f}" for code, amount in amounts.items())


def _run(arguments: argparse.Namespace) -> list[str]:
    """What was accepted, in lines, the verdict last."""
    key = parse_key(arguments.exchange_key)
    policy = {
        "ratio": arguments.ratio,
        "units": sum(map(read_units, arguments.units), arguments.unit),
        "previous": arguments.previous,
    }
    if arguments.command == "audit":
        slots = dict(arguments.token_slot)
        if len(slots) != len(arguments.token_slot):
            raise ValueError("one slot a token")
        attesters = {parse_key(attester) for attester in arguments.attester}
        if len(attesters) != len(arguments.attester):
            raise ValueError("one name an attester's key")
        found = audit(arguments.bundle, key, slots=slots, attesters=attesters, **policy)
        weak = [code for code, level in found.levels.items() if level == "unverified"]
        if weak:
            raise NotCheckedError("check.too-weak", f"contract wallets of {', '.join(weak)}")
        if arguments.strict_units:
            _require_known(found.set_aside)
        manifest = found.manifest
        said = f"as {found.level}: {len(manifest.assets)} assets of snapshot {manifest.snapshot_id}"
        return _accepted(said, found.set_aside, found.loans)
    with arguments.package.open("rb") as file:
        package = file.read(MAX_BYTES + 1)
    balances = dict(arguments.balance)
    if len(balances) != len(arguments.balance):
        raise ValueError("one balance an asset")
    result = check_inclusion(package, arguments.bundle, key, arguments.account, balances, **policy)
    if result.not_compared and not arguments.only:
        raise NotCheckedError("check.not-compared", _format(result.not_compared))
    if arguments.strict_units:
        _require_known([code for code in result.set_aside if result.counted[code]])
    return _accepted(f"counted {_format(result.counted)}", result.set_aside, result.loans)


def _require_known(set_aside: Sequence[str]) -> None:
    if set_aside:
        raise NotCheckedError("check.unknown-unit", f"a unit of {', '.join(set_aside)}")


def _accepted(said: str, set_aside: Sequence[str], loans: Sequence[Loan] | None) -> list[str]:
    told = [
        f"declared: {loan.amount or 'amount not said,'} {loan.code}, "
        f"{len(loan.pledged)} addresses pledged, lent by {loan.lender}"
        for loan in loans or ()
    ]
    if not told:
        told = ["the declaration could not be read" if loans is None else "nothing is declared"]
    rest = f"; not vouched for: {', '.join(set_aside)}" if set_aside else ""
    return [*told, f"ACCEPTED {said}; no chain was asked{rest}"]


def _plain(text: str) -> str:
    """Text for a terminal, in which nothing that an exchange wrote moves the cursor."""
    return "".join(part if part.isprintable() else ascii(part)[1:-1] for part in text)


def main() -> int:
    arguments = _parser().parse_args()
    error: dict[str, str] | None = None
    try:
        lines = _run(arguments)
        status = 0
    except Rejected as rejection:
        lines = [f"REJECTED {rejection}"]
        error = {"code": rejection.code, "where": rejection.where, "message": rejection.message}
        status = 3
    except NotCheckedError as failure:
        lines = [f"NOT CHECKED {failure}"]
        error = {"code": failure.code, "where": "", "message": failure.message}
        status = 1
    except OSError as failure:
        lines = [f"NOT CHECKED check.unreadable: {failure}"]
        error = {"code": "check.unreadable", "where": "", "message": str(failure)}
        status = 1
    except ValueError as failure:
        print(_plain(f"usage: {failure}"), file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({"accepted": status == 0, "error": error}))
    else:
        print("\n".join(map(_plain, lines)))
    return status


if __name__ == "__main__":
    sys.exit(main())
