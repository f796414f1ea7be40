"""``assay-verify``: the checks of `verifier.verify` from the command line.

Exit codes: 0 accepted, 1 could not check, 2 usage, 3 rejected, 130 interrupted. Standard output has
one line a check and the verdict last, or with ``--json`` one value; progress and usage go to
standard error.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.collector import collect_seldom
from verifier.commands.options import TEXTS, add_cluster, opened_cluster
from verifier.commands.version import Version
from verifier.errors import CannotCheck, ClusterError, Misuse, Rejected
from verifier.format.levels import Level
from verifier.format.params import ASSET_CODE, CHAIN_NAME, MAX_PACKAGE_BYTES

if TYPE_CHECKING:
    from verifier.bundle.unit_lists import UnitList
    from verifier.checks.policy import Policy
    from verifier.commands.output import Output
    from verifier.format.units import KnownUnit
    from verifier.nodes.balances import BalanceTable
    from verifier.nodes.nodes import Node, Nodes
    from verifier.report import Check
    from verifier.stateproof.tokens import TokenSlot

ACCEPTED, CANNOT_CHECK, USAGE, REJECTED, INTERRUPTED = 0, 1, 2, 3, 130

_BITCOIN = "bitcoin"
_MAX_COOKIE_BYTES = 1024
_UNIT = re.compile(f"({ASSET_CODE.pattern})=({CHAIN_NAME.pattern}):([^:]*):([0-9]{{1,2}})")
_RATIO = re.compile(r"([0-9]{1,10})/([0-9]{1,10})")
_PROGRESS_SECONDS = 0.2
_SERVE = "Audit bundles for everybody, and show what was found: the auditing host."
_LOOKUPS = "Print a table of what to look up of addresses, with the amounts left empty."
_COMPARE = "Show whether two manifests are evidence that their exchange deceives."
_COMPARE_CODES = " Exit codes: 0 they are, 3 they are not, 1 one cannot be read, 2 two keys."
_UNITS = "What this verifier knows of units."
_SHOW = "Show what an asset's code stands for, chain by chain, and who says so."
_ATTEST = "Sign, as a bank, custodian or auditor, for what an exchange holds with you."
_WEB_HASH = "Check that a page for customers is the one of this version, byte for byte."


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``assay-verify``; return the exit code.

    What a command needs is imported by it, so that one does not wait for what another loads.
    """
    collect_seldom()
    arguments = _parser().parse_args(argv)
    from verifier.commands.output import JsonOutput, TextOutput

    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it is closed
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # A table is printed for a file; what went wrong is for people.
    lines = sys.stderr if getattr(arguments, "prints_table", False) else sys.stdout
    out = JsonOutput() if arguments.json else TextOutput(lines)
    try:
        code = _run(arguments, out)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Nobody reads what is printed; Python would complain once more when it flushes.
        if not isinstance(error, BrokenPipeError):
            print(f"assay-verify: cannot be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CANNOT_CHECK
    except KeyboardInterrupt:
        print("assay-verify: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _run(arguments: argparse.Namespace, out: Output) -> int:
    try:
        code: int | None = arguments.run(arguments, out)
    except Misuse as error:
        from verifier.format.account import escape

        print(f"assay-verify: {escape(str(error))}", file=sys.stderr)
        return USAGE
    except Rejected as error:
        out.reject(error)
        return REJECTED
    except CannotCheck as error:
        out.fail(error)
        return CANNOT_CHECK
    except ClusterError as error:
        print(f"assay-verify: {error}", file=sys.stderr)
        return CANNOT_CHECK
    return ACCEPTED if code is None else code


def _audit(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.bundle.key_file import read_public_key
    from verifier.verify import audit

    progress = _Progress() if sys.stderr.isatty() else None

    def on_check(check: Check) -> None:
        if progress is not None:
            progress.clear()
        out.check(check)

    policy = _policy(arguments, out)
    key = read_public_key(arguments.exchange_key)
    with opened_cluster(arguments.cluster, arguments.cluster_tls) as cluster:
        report = audit(
            arguments.bundle,
            key,
            policy=policy,
            previous=arguments.previous,
            nodes=_nodes(arguments, policy),
            balances=_balances(arguments),
            jobs=arguments.jobs,
            engine=cluster,
            progress=progress,
            on_check=on_check,
        )
    out.accept(report)


def _solvency(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.bundle.key_file import read_public_key
    from verifier.verify import check_solvency

    policy = _policy(arguments, out)
    report = check_solvency(
        arguments.bundle,
        read_public_key(arguments.exchange_key),
        policy=policy,
        previous=arguments.previous,
        nodes=_nodes(arguments, policy),
        balances=_balances(arguments),
        on_check=out.check,
    )
    out.accept(report)


def _lookups(arguments: argparse.Namespace, out: Output) -> None:
    import csv
    import json

    from verifier.bundle.key_file import read_public_key
    from verifier.format.chains import CHAINS
    from verifier.nodes.balances import COLUMNS, lookups
    from verifier.verify import read_rows

    chain = arguments.chain
    if chain is not None and chain not in CHAINS:
        raise Misuse(f"no chain {chain[:40]}; chains are {', '.join(CHAINS)}")
    policy = _policy(arguments, out)
    checked, evidence = read_rows(
        arguments.bundle,
        read_public_key(arguments.exchange_key),
        policy=policy,
        previous=arguments.previous,
        nodes=_nodes(arguments, policy),
    )
    lines = lookups(checked, evidence, chain, only_unconfirmed=arguments.only_unconfirmed)
    if arguments.json:
        print(json.dumps([dict(zip(COLUMNS, line, strict=True)) for line in lines], indent=2))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)


def _inclusion(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.bundle.history import find_bundle
    from verifier.bundle.key_file import read_public_key
    from verifier.bundle.source import read_file
    from verifier.inclusion import check_inclusion

    codes = [code for code, _ in arguments.balance]
    if len(set(codes)) != len(codes):
        raise Misuse("an asset's balance is given twice")
    package = read_file(arguments.package, MAX_PACKAGE_BYTES, "package")
    report = check_inclusion(
        package,
        find_bundle(arguments.bundle, package),
        read_public_key(arguments.exchange_key),
        arguments.account,
        dict(arguments.balance),
        only=arguments.only,
        policy=_policy(arguments, out),
        previous=arguments.previous,
        on_check=out.check,
    )
    out.accept_inclusion(report)


def _compare(arguments: argparse.Namespace, out: Output) -> int:
    from verifier.bundle.key_file import read_public_key
    from verifier.compare import compare_manifests, save_manifests

    key = None if arguments.exchange_key is None else read_public_key(arguments.exchange_key)
    found = compare_manifests(arguments.first, arguments.second, key)
    kept: list[Path] = []
    if arguments.out is not None and found.is_fraud:
        try:
            kept = save_manifests(found, arguments.out)
        except OSError as error:
            out.warn([f"the manifests could not be kept: {error.filename}: {error.strerror}"])
    out.compare(found, kept)
    return ACCEPTED if found.is_fraud else REJECTED


def _serve(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.host.settings import read_settings

    settings = read_settings(Path(arguments.settings), loopback=arguments.test_loopback)
    out.warn([found.warning for found in settings.units if found.warning])
    try:
        from verifier.host.app import serve
    except ImportError as error:
        raise Misuse(f"the host needs the extra [host]: no {error.name}") from None
    serve(settings, arguments.host, arguments.port)


def _show_units(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.format.units import Entry, Kind, entries

    lists = _unit_lists(arguments, out)
    shown = [entry for entry in entries() if entry.unit.code == arguments.code]
    known = {entry.unit for entry in shown if entry.kind is not Kind.UNCONFIRMED}
    shown += [
        Entry(unit, Kind.NAMED, found.path)
        for found in lists
        for unit in found.units
        if unit.code == arguments.code and unit not in known
    ]
    out.units(arguments.code, sorted(shown))


def _attest_holding(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.commands.attest import attest_holding, attestation_lines, show_attestation

    options = {name: getattr(arguments, name) for name in TEXTS}
    if arguments.show is not None:
        if arguments.settings is not None or any(text is not None for text in options.values()):
            raise Misuse("--show goes with no other option but --json")
        shown = show_attestation(arguments.show)
    else:
        shown = attest_holding(options, arguments.settings)
    out.tell(attestation_lines(shown), shown)


def _web_hash(arguments: argparse.Namespace, out: Output) -> None:
    from verifier.web import check_page

    out.accept_page(check_page(arguments.page))


class _Progress:
    """Share, rate and time left, on one line of a terminal's standard error."""

    def __init__(self) -> None:
        self._start = self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` entries of pages, or coins of a snapshot, are read."""
        now = time.monotonic()
        if now - self._shown < _PROGRESS_SECONDS:
            return
        self._shown = now
        rate = done / (now - self._start)
        left = (total - done) / rate
        line = f"{100 * done // total:3d} %  {rate:,.0f} entries/s  {left:,.0f} s left"
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for a line of output."""
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="assay-verify",
        description="Check an exchange's proof of solvency.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        added.add_argument(
            "--exchange-key",
            metavar="KEY",
            required=True,
            help="the exchange's public key, assay1…, or a file that holds it; never the bundle's",
        )
        added.add_argument(
            "--ratio",
            type=_ratio,
            default=(1, 1),
            metavar="NUM/DEN",
            help="the least ratio of assets to liabilities to accept (1/1)",
        )
        added.add_argument(
            "--unit",
            type=_unit,
            action="append",
            default=[],
            metavar="CODE=CHAIN:CONTRACT:DECIMALS",
            help="a unit that you know, and this verifier does not",
        )
        _add_units(added)
        added.add_argument(
            "--strict-units",
            action="store_true",
            help="accept no bundle in which an asset is set aside: its unit is not known",
        )
        added.add_argument(
            "--previous",
            metavar="BUNDLE",
            help="the bundle before this one, or its manifest.msgpack beside manifest.sig",
        )
        added.add_argument("--json", action="store_true", help="print JSON")
        return added

    full = command("audit", _audit, "Check everything in a bundle.")
    full.add_argument("bundle", help="a folder or an http(s) URL")
    full.add_argument(
        "--jobs",
        type=_jobs,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="threads (as many as there are cores)",
    )
    add_cluster(full)
    solvency = command("solvency", _solvency, "Check manifest, evidence and solvency arguments.")
    solvency.add_argument("bundle", help="a folder or an http(s) URL")
    for added in (full, solvency):
        added.add_argument(
            "--require",
            type=Level,
            choices=list(Level),
            default=Level.CLAIMED,
            help="how amounts must be known for the bundle to be accepted (claimed)",
        )
        added.add_argument(
            "--attester",
            type=_attester,
            action="append",
            default=[],
            metavar="NAME=KEY",
            help="a bank, custodian or auditor whose word you take on what no chain shows",
        )
        added.add_argument(
            "--balances",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="your own table of what was there, as `lookups` prints it, filled in",
        )
    todo = command("lookups", _lookups, _LOOKUPS)
    todo.set_defaults(prints_table=True)
    todo.add_argument("bundle", help="a folder or an http(s) URL")
    todo.add_argument("--chain", metavar="NAME", help="the addresses of one chain alone")
    todo.add_argument(
        "--only-unconfirmed", action="store_true", help="not those that your nodes confirm"
    )
    for added in (full, solvency, todo):
        added.add_argument(
            "--node",
            type=_node,
            action="append",
            default=[],
            metavar="CHAIN=URL",
            help="a node of your own, to confirm a chain's block and what is there; one a chain",
        )
        added.add_argument(
            "--utxo-snapshot",
            type=Path,
            metavar="FILE",
            help="in place of bitcoin's node what its dumptxoutset wrote at that block",
        )
        added.add_argument(
            "--bitcoin-cookie",
            metavar="FILE",
            help="the .cookie file of bitcoin's node, where its URL has no user and password",
        )
        added.add_argument(
            "--token-slot",
            type=_token_slot,
            action="append",
            default=[],
            metavar="[CHAIN:]CONTRACT=SLOT",
            help="where a token that this verifier does not know keeps balances",
        )

    inclusion = command("inclusion", _inclusion, "Check that your balances are counted.")
    inclusion.add_argument("package", help="the inclusion package that the exchange gave you")
    inclusion.add_argument(
        "--bundle", required=True, help="a folder or an http(s) URL: a bundle, or where all are"
    )
    inclusion.add_argument("--account", required=True, metavar="ID", help="your account id")
    inclusion.add_argument(
        "--balance",
        type=_balance,
        action="append",
        default=[],
        metavar="CODE=AMOUNT",
        help="what you hold, such as BTC=1.5; once for every asset",
    )
    inclusion.add_argument(
        "--only", action="store_true", help="compare the assets given with --balance and no others"
    )

    compare = commands.add_parser("compare", help=_COMPARE, description=_COMPARE + _COMPARE_CODES)
    compare.set_defaults(run=_compare)
    for name in ("first", "second"):
        compare.add_argument(
            name,
            metavar=name.upper(),
            help="a bundle (folder or http(s) URL), or a manifest's file with its .sig beside it",
        )
    compare.add_argument(
        "--exchange-key", metavar="KEY", help="the key that must have signed both, or a file of it"
    )
    compare.add_argument(
        "--out", type=Path, metavar="DIR", help="where to keep both manifests, if they are evidence"
    )
    compare.add_argument("--json", action="store_true", help="print one JSON object")

    serve = commands.add_parser("serve", help=_SERVE, description=_SERVE)
    serve.set_defaults(run=_serve)
    serve.add_argument("settings", metavar="HOST.toml", help="the host's settings")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8080, help="port to listen on (8080)")
    serve.add_argument("--test-loopback", action="store_true", help="fetch from this machine alone")
    serve.add_argument("--json", action="store_true", help=argparse.SUPPRESS)

    units = commands.add_parser("units", help=_UNITS, description=_UNITS)
    show = units.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "show", help=_SHOW, description=_SHOW
    )
    show.set_defaults(run=_show_units)
    show.add_argument("code", type=_code, metavar="CODE", help="an asset's code, such as USDT")
    _add_units(show)
    show.add_argument("--json", action="store_true", help="print one JSON object")

    attest = commands.add_parser("attest-holding", help=_ATTEST, description=_ATTEST)
    attest.set_defaults(run=_attest_holding)
    attest.add_argument(
        "--from", dest="settings", metavar="FILE.toml", help="take what is not given here from it"
    )
    attest.add_argument("--show", metavar="FILE", help="only print what an attestation says")
    for name, text in TEXTS.items():
        attest.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT", help=text)
    attest.add_argument("--json", action="store_true", help="print one JSON object")

    page = commands.add_parser("web-hash", help=_WEB_HASH, description=_WEB_HASH)
    page.set_defaults(run=_web_hash)
    page.add_argument("page", help="a file or an http(s) URL")
    page.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_units(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--units",
        action="append",
        default=[],
        metavar="FILE",
        help="a list of units that you know: a token list (.json), or .csv",
    )


def _policy(arguments: argparse.Namespace, out: Output) -> Policy:
    from verifier.bundle.key_file import read_public_key
    from verifier.checks.policy import Attester, Policy

    lists = _unit_lists(arguments, out)
    return Policy(
        ratio=arguments.ratio,
        units=(*arguments.unit, *(unit for found in lists for unit in found.units)),
        strict_units=arguments.strict_units,
        require=getattr(arguments, "require", Level.CLAIMED),
        slots=tuple(getattr(arguments, "token_slot", ())),
        attesters=tuple(
            Attester(name, read_public_key(key)) for name, key in getattr(arguments, "attester", ())
        ),
    )


def _unit_lists(arguments: argparse.Namespace, out: Output) -> list[UnitList]:
    if not arguments.units:
        return []
    from verifier.bundle.unit_lists import read_units

    lists = [read_units(path) for path in arguments.units]
    out.warn([found.warning for found in lists if found.warning])
    return lists


def _nodes(arguments: argparse.Namespace, policy: Policy) -> Nodes:
    from verifier.nodes.bitcoin_snapshot import SnapshotNode
    from verifier.nodes.open import open_node
    from verifier.nodes.utxo_snapshot import UtxoSnapshot

    nodes: dict[str, Node] = {}
    for chain, url in arguments.node:
        if chain in nodes:
            raise Misuse(f"a node of {chain} is given twice")
        cookie = _cookie(arguments) if chain == _BITCOIN else None
        nodes[chain] = open_node(chain, url, policy.token_slots(chain), credentials=cookie)
    if arguments.utxo_snapshot is not None:
        if _BITCOIN in nodes:
            raise Misuse("--utxo-snapshot stands in place of bitcoin's node: give one of the two")
        file = UtxoSnapshot(arguments.utxo_snapshot)
        nodes[_BITCOIN] = SnapshotNode(file, _snapshot_progress())
    return nodes


def _balances(arguments: argparse.Namespace) -> BalanceTable | None:
    from verifier.nodes.balances import BalanceTable

    return BalanceTable(arguments.balances) if arguments.balances else None


def _cookie(arguments: argparse.Namespace) -> str | None:
    from verifier.bundle.source import read_file

    if arguments.bitcoin_cookie is None:
        return None
    data = read_file(arguments.bitcoin_cookie, _MAX_COOKIE_BYTES, "cookie")
    return data.decode("utf-8", "replace").strip()


def _snapshot_progress() -> Callable[[int, int], None] | None:
    if not sys.stderr.isatty():
        return None
    progress = _Progress()

    def show(done: int, total: int) -> None:
        progress(done, total)
        if done == total:
            progress.clear()

    return show


def _ratio(text: str) -> tuple[int, int]:
    match = _RATIO.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("a ratio is NUM/DEN, such as 1/1 or 21/20")
    return int(match[1]), int(match[2])


def _unit(text: str) -> KnownUnit:
    from verifier.format.units import KnownUnit

    match = _UNIT.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("a unit is CODE=CHAIN:CONTRACT:DECIMALS")
    return KnownUnit(match[1], match[2], match[3], int(match[4]))


def _code(text: str) -> str:
    if not ASSET_CODE.fullmatch(text):
        raise argparse.ArgumentTypeError("a code is 1 to 16 of A-Z and 0-9")
    return text


def _node(text: str) -> tuple[str, str]:
    chain, equals, url = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("a node is CHAIN=URL, such as bsc=http://127.0.0.1:8545")
    return chain, url


def _token_slot(text: str) -> TokenSlot:
    from verifier.stateproof.tokens import TokenSlot

    try:
        return TokenSlot.parse(text)
    except Misuse as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _attester(text: str) -> tuple[str, str]:
    name, equals, key = text.partition("=")
    if not equals or not name or not key:
        raise argparse.ArgumentTypeError("an attester is NAME=KEY, KEY being assay1… or a file")
    return name, key


def _jobs(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError("the number of jobs is 1 to 9999")
    return int(text)


def _balance(text: str) -> tuple[str, str]:
    code, equals, amount = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("a balance is CODE=AMOUNT, such as BTC=1.5")
    return code, amount


if __name__ == "__main__":
    sys.exit(main())
