"""The command line ``assay``: results on standard output, everything else on standard error.

Exit codes: 0 done, 1 could not run, 2 usage, 3 the assets do not cover the liabilities, or a
bundle is rejected. Bad input ends in one line that names file, row, column and rule, never in a
traceback. What a command needs is imported by it, so that one does not wait for what another loads.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from prover.commands.progress import shown_progress
from prover.errors import AssetsShort, ProverError
from prover.imports.formats import ListFormat
from verifier.collector import collect_seldom
from verifier.errors import Rejected
from verifier.format.account import escape

COULD_NOT_RUN, REJECTED = 1, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Make a zero-knowledge proof of solvency from a ledger and signed addresses.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Cores to use; all by default.")]
Config = Annotated[Path, typer.Argument(metavar="SNAPSHOT.toml", show_default=False)]
Folder = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]

SigningKey = Annotated[
    Path | None,
    typer.Option("--signing-key", metavar="FILE", help="Where it is now, if it was moved."),
]

ALL_CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Run the command line."""
    collect_seldom()
    # Else numpy's linear algebra, which nothing here asks for, starts a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except AssetsShort as error:
        _fail(error, REJECTED)
    except Rejected as error:
        from verifier.texts import explain

        words = explain(error.code)
        _fail(f"{error}\n{words.finding} {words.advice}", REJECTED)
    except ProverError as error:
        _fail(error, COULD_NOT_RUN)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error, COULD_NOT_RUN)


def _fail(error: object, code: int) -> None:
    print(f"assay: {_escaped(str(error))}", file=sys.stderr)
    sys.exit(code)


def _escaped(text: str) -> str:
    """Return lines for a terminal: what others wrote, a bundle's names too, moves no cursor."""
    return "\n".join(map(escape, text.split("\n")))


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        raise typer.Exit


@app.callback()
def _options(
    asked: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def keygen(
    out: Annotated[Path, typer.Option("--out", metavar="DIR")], as_json: Json = False
) -> None:
    """Make the exchange's signing key and master key. Never overwrites a key."""
    from prover.files.keys import make_keys

    text = make_keys(out)
    _print(as_json, {"public_key": text, "folder": str(out)}, f"public key  {text}")


@app.command()
def challenge(
    config: Config,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write the exact bytes to DIR/CHAIN.txt."),
    ] = None,
    announcement: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what `assay hide-keys` needs of the snapshot."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print, for each chain, the message to sign with every address, and where wallets do it."""
    from prover.assets.messages import LINE_BREAKS, device_warnings, digest_of
    from prover.assets.wallets import menus, shared_signature
    from prover.config.announcement import announce
    from prover.files.keys import public_bytes, read_signing_key
    from prover.snapshot.make import ownership_messages, read_config
    from verifier.format.wire import write_record

    snapshot = read_config(config)
    key = public_bytes(read_signing_key(snapshot.signing_key))
    if announcement is not None:
        announcement.write_bytes(write_record(announce(snapshot, key)))
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
            (out / f"{chain}.txt").write_bytes(message.encode())
    _print(as_json, messages, "\n".join(blocks))


@app.command()
def ledger(config: Config, jobs: Jobs = ALL_CORES, as_json: Json = False) -> None:
    """Read the ledger and print what it holds: rows, accounts, totals. Signs and keeps nothing."""
    from prover.commands.ledger import show_ledger

    show_ledger(config, jobs, as_json=as_json)


@app.command()
def prove(
    config: Config,
    out: Annotated[Path, typer.Option("--out", metavar="DIR")],
    jobs: Jobs = ALL_CORES,
    summary: Annotated[
        bool | None,
        typer.Option(
            help="Print what the ledger holds, totals too; by default on a terminal alone.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", hidden=True)] = False,
) -> None:
    """Make the bundle DIR/public, or go on with it where an earlier run was interrupted."""
    from prover.commands.ledger import Shown
    from prover.commands.prove import proved, told
    from prover.config.units import read_manifest
    from prover.snapshot.folder import SnapshotFolder
    from prover.snapshot.make import make_snapshot

    started = time.monotonic()
    is_shown = not as_json and sys.stdout.isatty() if summary is None else summary
    shown = Shown(is_printed=is_shown and not as_json)
    try:
        with shown_progress() as progress:
            snapshot = make_snapshot(config, out, jobs, progress, shown, allow_future=allow_future)
    except (ProverError, OSError):
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


@app.command(no_args_is_help=True)
def evidence(
    chain: Annotated[str, typer.Argument(metavar="CHAIN", show_default=False)],
    block: Annotated[int, typer.Option(metavar="N", min=1, help="The block's height.")],
    addresses: Annotated[Path, typer.Option(metavar="FILE", help="One address a line.")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The rows; the proof beside it.")],
    rpc: Annotated[
        str | None, typer.Option(metavar="URL", help="A node of the chain that tells of the block.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="CONTRACT", help="A token; otherwise the chain's coin.")
    ] = None,
    slot: Annotated[
        str | None, typer.Option(metavar="S", help="Where an unknown token keeps balances.")
    ] = None,
    cookie: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The .cookie file of bitcoin's node.")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What bitcoin's dumptxoutset wrote.")
    ] = None,
    asset: Annotated[
        str | None, typer.Option(metavar="CODE", help="The asset's code, if it is not known.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a chain what addresses held after a block, with the proof where there is one."""
    from prover.commands.evidence import Asked, collect_evidence

    asked = Asked(chain, block, addresses, out, rpc, token, slot, cookie, snapshot, asset)
    collect_evidence(asked, as_json=as_json)


@app.command("hide-keys")
def hide(
    announcement: Annotated[Path, typer.Argument(metavar="ANNOUNCEMENT", show_default=False)],
    listed: Annotated[Path, typer.Argument(metavar="LIST", show_default=False)],
    private_keys: Annotated[Path, typer.Argument(metavar="PRIVATE_KEYS", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The set, to publish.")],
    opening: Annotated[
        Path, typer.Option(metavar="FILE", help="What it opens to, to keep private.")
    ],
    asset: Annotated[str, typer.Option(metavar="CODE")],
    chain: Annotated[str, typer.Option(metavar="NAME")],
    scripts: Annotated[
        str, typer.Option(metavar="TYPES", help="As p2pkh,p2wpkh; on ethereum: account.")
    ],
    contract: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a token.")] = "",
    as_json: Json = False,
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


@app.command("import")
def import_(
    form: Annotated[ListFormat, typer.Argument(metavar="FORMAT", help="okx or bitmex.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="SNAPSHOT.toml", help="What its messages must name, to count."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what counts, as evidence.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say of each row of a list of reserves what verified, what not, and what could not be checked.

    Exit code 3 if a row failed, or the list contradicts a total of its own.
    """
    from prover.commands.imports import import_list

    if not import_list(form, file, snapshot, out, as_json=as_json):
        raise typer.Exit(REJECTED)


@app.command()
def publish(
    folder: Folder,
    target: Annotated[
        str, typer.Argument(metavar="file:///PATH|s3://BUCKET[/PREFIX]", show_default=False)
    ],
    as_json: Json = False,
) -> None:
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


@app.command()
def package(
    folder: Folder,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE")],
    signing_key: SigningKey = None,
    as_json: Json = False,
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


@app.command()
def packages(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.parquet|FILE.sqlite")],
    signing_key: SigningKey = None,
    jobs: Jobs = ALL_CORES,
    as_json: Json = False,
) -> None:
    """Make the packages of all accounts, in one file, or go on with it where an earlier run was
    interrupted."""
    from prover.snapshot.all_packages import write_packages

    with shown_progress() as progress:
        progress.stage("packages", None)
        count = write_packages(folder, out, signing_key, jobs, progress.advance)
    _print(
        as_json,
        {"file": str(out), "packages": count},
        f"{count} packages, each beside its account, in {out}: keep it to yourself",
    )


@app.command()
def check(folder: Folder, jobs: Jobs = ALL_CORES, as_json: Json = False) -> None:
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


@app.command()
def sample(
    out: Annotated[Path, typer.Option("--out", metavar="DIR")],
    accounts: Annotated[int, typer.Option("--accounts", metavar="N", min=1)] = 1000,
    assets: Annotated[
        str | None, typer.Option("--assets", metavar="CODE,…", help="What it holds (BTC,ETH).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0)] = 1,
    balance_sheet: Annotated[
        bool,
        typer.Option(
            "--balance-sheet",
            help="Hold 200 assets on ten chains, with a custodian and a bank; and make what a "
            "reader of the proof has.",
        ),
    ] = False,
    insolvent: Annotated[
        bool, typer.Option("--insolvent", help="Let the first asset fall one unit short.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a sample exchange: ledger, throw-away keys, signed evidence, snapshot.toml."""
    from prover.sample.balance_sheet import make_balance_sheet
    from prover.sample.sample import make_sample

    if balance_sheet:
        if assets is not None or insolvent:
            raise typer.BadParameter("goes with neither --assets nor --insolvent")
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


@app.command()
def report(
    bundle: Annotated[Path, typer.Argument(metavar="DIR/public", show_default=False)],
    html: Annotated[Path, typer.Option("--html", metavar="FILE")],
    exchange_key: Annotated[
        str | None,
        typer.Option("--exchange-key", metavar="KEY", help="Its public key, or a file with it."),
    ] = None,
    token_slot: Annotated[
        list[str] | None,
        typer.Option(metavar="[CHAIN:]CONTRACT=SLOT", help="Where a token keeps balances."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained page that explains a bundle and how to check it."""
    from prover.commands.prove import warning
    from prover.config.units import read_manifest, unknown_units
    from prover.report.page import write_report

    write_report(bundle, html, exchange_key, token_slot or ())
    result = {"report": str(html), "unknown_units": unknown_units(read_manifest(bundle))}
    _print(as_json, result, str(html) + warning(result))


def _print(as_json: bool, result: dict[str, Any], text: str) -> None:
    print(json.dumps(result, sort_keys=True) if as_json else _escaped(text))


if __name__ == "__main__":
    main()
