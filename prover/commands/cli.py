"""The command line ``assay``: results on standard output, everything else on standard error.

Exit codes: 0 done, 1 could not run, 2 usage, 3 the assets do not cover the liabilities, or a
bundle is rejected, 130 interrupted. Bad input ends in one line that names file, row, column and
rule, never in a traceback. What a command needs is imported by it, so that one does not wait for
what another loads.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from prover.commands.options import (
    MAX_JOBS,
    USAGE,
    Commands,
    Usage,
    needs_extra,
    path,
    values,
    whole_number,
)
from prover.commands.progress import shown_progress
from prover.commands.streams import open_streams
from prover.errors import AssetsShort, ProverError, words_of
from prover.imports.formats import ListFormat
from verifier.collector import collect_seldom
from verifier.commands.options import add_cluster, opened_cluster
from verifier.commands.version import Version
from verifier.errors import ClusterError, Misuse, Rejected
from verifier.format.account import escape

COULD_NOT_RUN, REJECTED, INTERRUPTED = 1, 3, 130

_MAX_SAMPLE = 10**8  # accounts


def main(argv: Sequence[str] | None = None, more: Callable[[Commands], None] | None = None) -> None:
    """Run the command line; ``more`` adds commands to the prover's. It ends in `SystemExit`."""
    open_streams()
    collect_seldom()
    # Else numpy's linear algebra, which nothing here asks for, starts a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        arguments = vars(_parser(more).parse_args(argv))
        run = arguments.pop("run")
        # An extra has the name of the package that needs it.
        with needs_extra(run.__module__.partition(".")[0]):
            code = run(**arguments)
        sys.stdout.flush()
    except (Usage, Misuse) as error:
        _fail(error, USAGE)
    except (AssetsShort, Rejected) as error:
        _fail(words_of(error), REJECTED)
    except BrokenPipeError:
        # Nobody reads what is printed; Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(COULD_NOT_RUN)
    except (ProverError, ClusterError, OSError, MemoryError) as error:
        _fail(words_of(error) or error, COULD_NOT_RUN)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    sys.exit(code)


def _fail(error: object, code: int) -> NoReturn:
    print(f"assay: {_escaped(str(error))}", file=sys.stderr)
    sys.exit(code)


def _escaped(text: str) -> str:
    """Return lines for a terminal: what others wrote, a bundle's names too, moves no cursor."""
    return "\n".join(map(escape, text.split("\n")))


def keygen(out: Path, *, as_json: bool) -> None:
    """Make the exchange's signing key and master key. Never overwrites a key."""
    from prover.files.keys import make_keys

    text = make_keys(out)
    _print(as_json, {"public_key": text, "folder": str(out)}, f"public key  {text}")


def challenge(config: Path, out: Path | None, announcement: Path | None, *, as_json: bool) -> None:
    """Print, for each chain, the message to sign with every address, and where wallets do it."""
    from prover.assets.messages import LINE_BREAKS, device_warnings, digest_of
    from prover.assets.wallets import menus, shared_signature
    from prover.config.announcement import announce
    from prover.files.keys import public_bytes, read_signing_key
    from prover.files.storage import output_file
    from prover.snapshot.make import ownership_messages, read_config
    from verifier.format.wire import write_record

    snapshot = read_config(config)
    key = public_bytes(read_signing_key(snapshot.signing_key))
    if announcement is not None:
        with output_file(announcement) as file:
            file.write(write_record(announce(snapshot, key)))
    messages = ownership_messages(snapshot, key)
    blocks = [
        "\n".join(
            (
                f"--- {chain}, SHA-256 {digest_of(message)}",
                message,
                f"--- {len(message)} characters",
                *(f"    {menu}" for menu in menus(chain)),
            )
        )
        for chain, message in messages.items()
    ]
    blocks += [shared] if (shared := shared_signature(messages)) else []
    print(f"assay: warning: {LINE_BREAKS}", file=sys.stderr)
    for chain, message in messages.items():
        for warning in device_warnings(chain, message):
            print(f"assay: warning: {chain}: {_escaped(warning)}", file=sys.stderr)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for chain, message in messages.items():
            with output_file(out / f"{chain}.txt") as file:
                file.write(message.encode())
    _print(as_json, messages, "\n".join(blocks))


def ledger(config: Path, jobs: int, *, as_json: bool) -> None:
    """Read the ledger and print what it holds: rows, accounts, totals. Signs and keeps nothing."""
    from prover.commands.ledger import show_ledger

    show_ledger(config, jobs, as_json=as_json)


def prove(
    config: Path,
    out: Path,
    jobs: int,
    *,
    cluster: str | None,
    cluster_tls: Path | None,
    summary: bool | None,
    as_json: bool,
    allow_future: bool,
) -> None:
    """Make the bundle DIR/public, or go on with it where an earlier run was interrupted."""
    import native

    native.begin_tables()  # beside the imports
    from prover.commands.ledger import Shown
    from prover.commands.prove import proved, told
    from prover.config.units import read_manifest
    from prover.snapshot.folder import SnapshotFolder
    from prover.snapshot.make import make_snapshot

    started = time.monotonic()
    is_shown = not as_json and sys.stdout.isatty() if summary is None else summary
    shown = Shown(is_printed=is_shown and not as_json)
    try:
        with opened_cluster(cluster, cluster_tls) as engine, shown_progress() as progress:
            snapshot = make_snapshot(
                config, out, jobs, progress, shown, engine=engine, allow_future=allow_future
            )
    except (ProverError, ClusterError, OSError):
        if is_shown and as_json and shown.ledger is not None:
            _print(as_json, {"ledger": shown.ledger}, "")
        raise
    manifest = read_manifest(snapshot.bundle)
    result = proved(snapshot, manifest, time.monotonic() - started)
    result["changes"] = list(shown.changes)
    result["skipped"] = [] if shown.ledger is None else sorted(shown.ledger["skipped"])
    if is_shown:
        result["ledger"] = shown.ledger
    _print(as_json, result, told(result, manifest, SnapshotFolder(out)))


def evidence(*, as_json: bool, **asked: Any) -> None:
    """Ask a chain what addresses held after a block, with the proof where there is one."""
    from prover.commands.evidence import Asked, collect_evidence

    collect_evidence(Asked(**asked), as_json=as_json)


def hide(
    announcement: Path,
    listed: Path,
    private_keys: Path,
    out: Path,
    opening: Path,
    asset: str,
    chain: str,
    scripts: str,
    contract: str,
    *,
    as_json: bool,
) -> None:
    """Prove, once and offline, which sum the keys of PRIVATE_KEYS hold among all keys of LIST.

    ANNOUNCEMENT is from `assay challenge --announcement`. LIST has the columns public_key (66 hex
    digits) and amount (base units, over all the types of script). PRIVATE_KEYS has 64 hex digits a
    line.
    """
    from prover.hidden.make import SetUnit, hide_keys

    unit = SetUnit(asset, chain, contract, tuple(scripts.split(",")))
    made = hide_keys(announcement, listed, private_keys, unit, out, opening)
    _print(
        as_json,
        {"keys": made.keys, "opening": str(opening), "set": str(out)},
        f"{made.exchange}, snapshot {made.snapshot_id}, {chain} block {made.block.height} "
        f"{made.block.hash.hex()}\n"
        f"set       {out}: your keys hide among {made.keys}; goes into the bundle\n"
        f"opening   {opening}: says how much is yours; keep it, and keep it to yourself",
    )


def import_(
    form: str, file: Path, snapshot: Path | None, out: Path | None, *, as_json: bool
) -> int:
    """Say of each row of a list of reserves what verified, what not, and what could not be checked.

    Exit code 3 if a row failed, or the list contradicts a total of its own.
    """
    from prover.commands.imports import import_list

    counts = import_list(ListFormat(form), file, snapshot, out, as_json=as_json)
    return 0 if counts else REJECTED


def publish(folder: Path, target: str, *, as_json: bool) -> None:
    """Publish a finished snapshot's bundle, or go on with it where an earlier run was cut off."""
    from prover.commands.prove import warning
    from prover.config.units import read_manifest, unknown_units
    from prover.publish.publish import publish as publish_bundle
    from prover.snapshot.folder import SnapshotFolder

    bundle = SnapshotFolder(folder).bundle
    with shown_progress() as progress:
        done = publish_bundle(bundle, target, progress)
    result = {
        "bytes": done.size,
        "files": done.files,
        "manifest_digest": done.manifest_digest.hex(),
        "new": done.new,
        "path": done.path,
        "snapshot_id": done.snapshot_id,
        "target": done.target,
    }
    result["unknown_units"] = unknown_units(read_manifest(bundle))
    said = "is published" if done.new else "was published before; everything is there"
    _print(
        as_json,
        result,
        f"snapshot {done.snapshot_id} {said}\n"
        f"bundle    {done.target}/{done.path}, {done.size / 1e6:.1f} MB\n"
        f"manifest  {done.manifest_digest.hex()}" + warning(result),
    )


def package(
    folder: Path, account: str, out: Path, signing_key: Path | None, *, as_json: bool
) -> None:
    """Make the inclusion package of one account of a finished snapshot."""
    from prover.files.storage import create_private
    from prover.snapshot.packages import Packager

    packager = Packager(folder, signing_key)
    data = packager.package(packager.index_of(account))
    try:
        create_private(out, data)
    except FileExistsError:
        raise ProverError(f"{out} exists already; nothing is overwritten") from None
    _print(as_json, {"package": str(out), "bytes": len(data)}, str(out))


def packages(
    folder: Path, out: Path, signing_key: Path | None, jobs: int, *, as_json: bool
) -> None:
    """Make the packages of all accounts, in one file, or go on with it where an earlier run was
    interrupted."""
    from prover.commands.signals import ended_by_signals
    from prover.snapshot.all_packages import write_packages

    with ended_by_signals(), shown_progress() as progress:
        progress.stage("packages", None)
        count, made = write_packages(folder, out, signing_key, jobs, progress.advance)
    said = f"{count} packages, each beside its account, in {out}: keep it to yourself"
    if not made:
        said = (
            f"nothing is made: {out} says that it has packages of this snapshot, and has "
            f"{count} rows, one an account; what is in them was not read"
        )
    _print(as_json, {"file": str(out), "made": made, "packages": count}, said)


def check(folder: Path, jobs: int, *, as_json: bool) -> None:
    """Check that a finished snapshot's private files still make its pages, and so packages."""
    from prover.snapshot.check import check_snapshot

    with shown_progress() as progress:
        checked = check_snapshot(folder, jobs, progress)
    _print(
        as_json,
        {
            "leaves": checked.leaves,
            "manifest_digest": checked.manifest.hex(),
            "snapshot_id": checked.snapshot_id,
        },
        f"snapshot {checked.snapshot_id}: its private files make its pages, of "
        f"{checked.leaves:,} leaves, and C_L of every asset\n"
        f"manifest  {checked.manifest.hex()}",
    )


def sample(
    out: Path,
    accounts: int,
    assets: str | None,
    seed: int,
    *,
    balance_sheet: bool,
    insolvent: bool,
    as_json: bool,
) -> None:
    """Make a sample exchange: ledger, throw-away keys, signed evidence, snapshot.toml."""
    from prover.sample.balance_sheet import make_balance_sheet
    from prover.sample.sample import make_sample

    if balance_sheet:
        if assets is not None or insolvent:
            raise Usage("--balance-sheet goes with neither --assets nor --insolvent")
        made = make_balance_sheet(out, seed, accounts=accounts)
    else:
        codes = (assets or "BTC,ETH").split(",")
        made = make_sample(out, accounts, codes, seed, insolvent=insolvent)
    result = {
        "accounts": made.accounts,
        "addresses": made.addresses,
        "config": str(made.config),
        "ledger_rows": made.ledger_rows,
        "public_key": made.public_key,
        "short": made.short,
    }
    _print(
        as_json,
        result,
        f"{made.accounts} accounts, {made.ledger_rows} balances, "
        f"{made.addresses} signed addresses\n"
        f"public key  {made.public_key}\n"
        f"snapshot    {made.config}",
    )


def report(
    bundle: Path,
    html: Path,
    exchange_key: str | None,
    token_slot: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Write one self-contained page that explains a bundle and how to check it."""
    from prover.commands.prove import warning
    from prover.config.units import read_manifest, unknown_units
    from prover.report.page import write_report

    write_report(bundle, html, exchange_key, token_slot)
    result = {"report": str(html), "unknown_units": unknown_units(read_manifest(bundle))}
    _print(as_json, result, str(html) + warning(result))


def _print(as_json: bool, result: dict[str, Any], text: str) -> None:
    print(json.dumps(result, sort_keys=True) if as_json else _escaped(text))


def _parser(more: Callable[[Commands], None] | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="assay",
        description="Make a zero-knowledge proof of solvency from a ledger and signed addresses.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and exit",
    )
    commands = Commands(parser)

    made = commands.command("keygen", keygen)
    _add_out(made, "DIR", "the folder for the keys")
    _add_json(made)

    asked = commands.command("challenge", challenge)
    _add_config(asked)
    asked.add_argument(
        "--out", type=path, metavar="DIR", help="write the exact bytes to DIR/CHAIN.txt"
    )
    asked.add_argument(
        "--announcement",
        type=path,
        metavar="FILE",
        help="write what `assay hide-keys` needs of the snapshot",
    )
    _add_json(asked)

    read = commands.command("ledger", ledger)
    _add_config(read)
    _add_jobs(read)
    _add_json(read)

    proof = commands.command("prove", prove)
    _add_config(proof)
    _add_out(proof, "DIR", "the folder for the snapshot")
    _add_jobs(proof)
    add_cluster(proof)
    proof.add_argument(
        "--summary",
        action=argparse.BooleanOptionalAction,
        help="print what the ledger holds, totals too; by default on a terminal alone",
    )
    _add_json(proof)
    proof.add_argument("--allow-future", action="store_true", help=argparse.SUPPRESS)

    _add_evidence(commands.command("evidence", evidence))
    _add_hide(commands.command("hide-keys", hide))

    listed = commands.command("import", import_)
    listed.add_argument("form", choices=values(ListFormat), metavar="FORMAT", help="okx or bitmex")
    listed.add_argument("file", type=path, metavar="FILE", help="the list")
    listed.add_argument(
        "--snapshot",
        type=path,
        metavar="SNAPSHOT.toml",
        help="what its messages must name, to count",
    )
    listed.add_argument("--out", type=path, metavar="FILE", help="write what counts, as evidence")
    _add_json(listed)

    published = commands.command("publish", publish)
    _add_folder(published)
    published.add_argument("target", metavar="file:///PATH|s3://BUCKET[/PREFIX]", help="where to")
    _add_json(published)

    one = commands.command("package", package)
    _add_folder(one)
    one.add_argument("account", metavar="ACCOUNT", help="its id")
    _add_out(one, "FILE", "the package")
    _add_signing_key(one)
    _add_json(one)

    every = commands.command("packages", packages)
    _add_folder(every)
    _add_out(every, "FILE.parquet|FILE.sqlite", "the packages")
    _add_signing_key(every)
    _add_jobs(every)
    _add_json(every)

    checked = commands.command("check", check)
    _add_folder(checked)
    _add_jobs(checked)
    _add_json(checked)

    _add_sample(commands.command("sample", sample))

    page = commands.command("report", report)
    page.add_argument("bundle", type=path, metavar="DIR/public", help="the bundle")
    page.add_argument("--html", type=path, required=True, metavar="FILE", help="the page")
    page.add_argument("--exchange-key", metavar="KEY", help="its public key, or a file with it")
    page.add_argument(
        "--token-slot",
        action="append",
        default=[],
        metavar="[CHAIN:]CONTRACT=SLOT",
        help="where a token keeps balances",
    )
    _add_json(page)

    if more is not None:
        more(commands)
    return parser


def _add_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", metavar="CHAIN", help="the chain's name")
    parser.add_argument(
        "--block", type=whole_number(1), required=True, metavar="N", help="the block's height"
    )
    parser.add_argument(
        "--addresses", type=path, required=True, metavar="FILE", help="one address a line"
    )
    _add_out(parser, "FILE.csv", "the rows; the proof beside it")
    parser.add_argument("--rpc", metavar="URL", help="a node of the chain that tells of the block")
    parser.add_argument("--token", metavar="CONTRACT", help="a token; otherwise the chain's coin")
    parser.add_argument("--slot", metavar="S", help="where an unknown token keeps balances")
    parser.add_argument(
        "--cookie", type=path, metavar="FILE", help="the .cookie file of bitcoin's node"
    )
    parser.add_argument(
        "--snapshot", type=path, metavar="FILE", help="what bitcoin's dumptxoutset wrote"
    )
    parser.add_argument("--asset", metavar="CODE", help="the asset's code, if it is not known")
    _add_json(parser)


def _add_hide(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("announcement", type=path, metavar="ANNOUNCEMENT")
    parser.add_argument("listed", type=path, metavar="LIST")
    parser.add_argument("private_keys", type=path, metavar="PRIVATE_KEYS")
    _add_out(parser, "FILE", "the set, to publish")
    parser.add_argument(
        "--opening",
        type=path,
        required=True,
        metavar="FILE",
        help="what it opens to, to keep private",
    )
    parser.add_argument("--asset", required=True, metavar="CODE", help="the asset's code")
    parser.add_argument("--chain", required=True, metavar="NAME", help="the chain")
    parser.add_argument(
        "--scripts", required=True, metavar="TYPES", help="as p2pkh,p2wpkh; on ethereum: account"
    )
    parser.add_argument("--contract", default="", metavar="ADDRESS", help="of a token")
    _add_json(parser)


def _add_sample(parser: argparse.ArgumentParser) -> None:
    _add_out(parser, "DIR", "the folder for it")
    parser.add_argument(
        "--accounts",
        type=whole_number(1, _MAX_SAMPLE),
        default=1000,
        metavar="N",
        help="how many accounts (1000)",
    )
    parser.add_argument("--assets", metavar="CODE,...", help="what it holds (BTC,ETH)")
    parser.add_argument(
        "--seed", type=whole_number(0), default=1, metavar="S", help="makes another one (1)"
    )
    parser.add_argument(
        "--balance-sheet",
        action="store_true",
        help="hold 200 assets on ten chains, with a custodian and a bank; and make what a reader "
        "of the proof has",
    )
    parser.add_argument(
        "--insolvent", action="store_true", help="let the first asset fall one unit short"
    )
    _add_json(parser)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=path, metavar="SNAPSHOT.toml", help="the settings")


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=path, metavar="DIR", help="the folder of a snapshot")


def _add_out(parser: argparse.ArgumentParser, metavar: str, text: str) -> None:
    parser.add_argument("--out", type=path, required=True, metavar=metavar, help=text)


def _add_signing_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--signing-key", type=path, metavar="FILE", help="where it is now, if it was moved"
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=whole_number(1, MAX_JOBS),
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="cores to use (all)",
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON object")
