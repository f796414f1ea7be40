"""The command line ``assay``: results on standard output, everything else on standard error.

Exit codes: 0 done, 1 could not run, 2 usage, 3 the assets do not cover the liabilities, or a
bundle is rejected. Bad input ends in one line that names file, row, column and rule, never in a
traceback.
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from prover import cli_evidence, cli_hidden, cli_import
from prover.errors import AssetsShort, ProverError
from prover.keys import make_keys, public_bytes, read_signing_key
from prover.packages import Packager, write_packages
from prover.progress import shown_progress
from prover.snapshot import PRIVATE, PUBLIC, make_snapshot, ownership_messages, read_config
from prover.statement import state
from prover.storage import create_private
from verifier import wire
from verifier.errors import Rejected
from verifier.manifest import MANIFEST_PATH
from verifier.params import TreeShape

COULD_NOT_RUN, REJECTED = 1, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Make a zero-knowledge proof of solvency from a ledger and signed addresses.",
)

app.add_typer(cli_hidden.app)
app.add_typer(cli_import.app)
app.add_typer(cli_evidence.app, name="evidence")

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
    try:
        app()
    except (AssetsShort, Rejected) as error:
        _fail(error, REJECTED)
    except ProverError as error:
        _fail(error, COULD_NOT_RUN)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error, COULD_NOT_RUN)


def _fail(error: object, code: int) -> None:
    print(f"assay: {error}", file=sys.stderr)
    sys.exit(code)


@app.command()
def keygen(
    out: Annotated[Path, typer.Option("--out", metavar="DIR")], as_json: Json = False
) -> None:
    """Make the exchange's signing key and master key. Never overwrites a key."""
    text = make_keys(out)
    _print(as_json, {"public_key": text, "folder": str(out)}, f"public key  {text}")


@app.command()
def challenge(
    config: Config,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write the exact bytes to DIR/CHAIN.txt."),
    ] = None,
    statement: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what `assay hide-keys` needs of the snapshot."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print, for each chain, the message to sign with every address."""
    snapshot, _ = read_config(config)
    key = public_bytes(read_signing_key(snapshot.signing_key))
    if statement is not None:
        statement.write_bytes(wire.write_record(state(snapshot, key)))
    messages = ownership_messages(snapshot, key)
    blocks = [
        f"--- {chain}, SHA-256 {sha256(message.encode()).hexdigest()}\n{message}\n---"
        for chain, message in messages.items()
    ]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for chain, message in messages.items():
            (out / f"{chain}.txt").write_bytes(message.encode())
    _print(as_json, messages, "\n".join(blocks))


@app.command()
def prove(
    config: Config,
    out: Annotated[Path, typer.Option("--out", metavar="DIR")],
    jobs: Jobs = ALL_CORES,
    as_json: Json = False,
    allow_future: Annotated[bool, typer.Option("--allow-future", hidden=True)] = False,
) -> None:
    """Make the bundle DIR/public, or go on with it where an earlier run was interrupted."""
    started = time.monotonic()
    with shown_progress() as progress:
        snapshot = make_snapshot(config, out, jobs, progress, allow_future=allow_future)
    seconds = time.monotonic() - started
    manifest = wire.read_record(wire.Manifest, (snapshot.bundle / MANIFEST_PATH).read_bytes())
    leaves = {a.code: TreeShape(a.capacity, manifest.page_size).leaves for a in manifest.assets}
    size = sum(file.stat().st_size for file in snapshot.bundle.rglob("*") if file.is_file())
    result = {
        "bundle": str(snapshot.bundle),
        "bundle_bytes": size,
        "leaves": leaves,
        "made": snapshot.made,
        "manifest_digest": snapshot.manifest_digest.hex(),
        "seconds": round(seconds, 3),
        "snapshot_id": snapshot.snapshot_id,
    }
    done = (
        f"is proven, in {seconds:.1f} s" if snapshot.made else "was proven before; nothing changed"
    )
    _print(
        as_json,
        result,
        f"snapshot {snapshot.snapshot_id} {done}\n"
        + "".join(
            f"  {a.code:8} {leaves[a.code]:>13,} leaves, padding among them; "
            f"assets cover at least {a.ratio.num}/{a.ratio.den} of what is owed\n"
            for a in manifest.assets
        )
        + f"bundle    {snapshot.bundle}, {size / 1e6:.1f} MB: publish it unchanged\n"
        f"private   {out / PRIVATE}: opens every balance; keep it, and keep it to yourself\n"
        f"manifest  {snapshot.manifest_digest.hex()}",
    )


@app.command()
def publish(
    folder: Folder,
    target: Annotated[
        str, typer.Argument(metavar="file:///PATH|s3://BUCKET[/PREFIX]", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Publish a finished snapshot's bundle, or go on with it where an earlier run was cut off."""
    from prover.publish import publish as publish_bundle

    with shown_progress() as progress:
        done = publish_bundle(folder / PUBLIC, target, progress)
    result = {
        "bytes": done.size,
        "files": done.files,
        "manifest_digest": done.manifest_digest.hex(),
        "new": done.new,
        "path": done.path,
        "snapshot_id": done.snapshot_id,
        "target": done.target,
    }
    said = "is published" if done.new else "was published before; everything is there"
    _print(
        as_json,
        result,
        f"snapshot {done.snapshot_id} {said}\n"
        f"bundle    {done.target}/{done.path}, {done.size / 1e6:.1f} MB\n"
        f"manifest  {done.manifest_digest.hex()}",
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
    out: Annotated[Path, typer.Option("--out", metavar="DIR2")],
    signing_key: SigningKey = None,
    jobs: Jobs = ALL_CORES,
    as_json: Json = False,
) -> None:
    """Make the packages of all accounts, under names that hold no id."""
    with shown_progress() as progress:
        progress.stage("packages", None)
        count = write_packages(folder, out, signing_key, jobs, progress.advance)
    _print(as_json, {"folder": str(out), "packages": count}, f"{count} packages in {out}")


@app.command()
def sample(
    accounts: Annotated[int, typer.Option("--accounts", metavar="N", min=1)],
    assets: Annotated[str, typer.Option("--assets", metavar="CODE,…")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR")],
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0)] = 1,
    insolvent: Annotated[
        bool, typer.Option("--insolvent", help="Let the first asset fall one unit short.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a sample exchange: ledger, throw-away keys, signed evidence, snapshot.toml."""
    from prover.sample import make_sample

    made = make_sample(out, accounts, assets.split(","), seed, insolvent=insolvent)
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
        typer.Option(metavar="CONTRACT=SLOT", help="Where an unknown token keeps balances."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained page that explains a bundle and how to check it."""
    from prover.report import write_report

    write_report(bundle, html, exchange_key, token_slot or ())
    _print(as_json, {"report": str(html)}, str(html))


def _print(as_json: bool, result: dict[str, Any], text: str) -> None:
    print(json.dumps(result, ensure_ascii=False, sort_keys=True) if as_json else text)


if __name__ == "__main__":
    main()
