"""The service's commands. What the extra ``api`` brings is imported inside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.scope import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer()
token = typer.Typer(help="Operators' tokens.", no_args_is_help=True)
app.add_typer(token, name="token")
service = typer.Typer(help="The service's own folder and database.", no_args_is_help=True)
app.add_typer(service, name="service")

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="The settings; by default $ASSAY_SETTINGS."),
]


@app.command()
def serve(
    settings: SettingsFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks one.")] = None,
    worker: Annotated[
        bool | None,
        typer.Option(
            " /--no-worker",
            help="Keep no worker: `assay worker` runs elsewhere.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the service until interrupted."""
    from api.server import serve as run
    from api.settings import read_settings

    found = read_settings(settings)
    given = {"host": host, "port": port, "worker": worker}
    server = found.server.model_copy(update={k: v for k, v in given.items() if v is not None})
    run(found.model_copy(update={"server": server}))


@app.command()
def worker(settings: SettingsFile = None) -> None:
    """Prove, publish and erase snapshots as operators ask for it, until interrupted."""
    from api.log import configure_logging
    from api.settings import read_settings
    from api.snapshots.worker import work

    found = read_settings(settings)
    configure_logging(found.log_level)
    work(found)


@token.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is, for lists and logs.")],
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it allows; repeatable.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 90,
    settings: SettingsFile = None,
) -> None:
    """Make a token and print it, this once: only its digest is kept."""
    from api.callers import tokens

    with _connection(settings) as connection:
        made, secret = tokens.create(connection, name, scopes, days * 24 * 3600)
    typer.echo(f"token {made}, valid for {days} days; it is not shown again:", err=True)
    typer.echo(secret)


@token.command("list")
def list_tokens(settings: SettingsFile = None) -> None:
    """List tokens: id, state, until when, scopes, name."""
    from api.callers import tokens

    with _connection(settings) as connection:
        found = tokens.every(connection)
    now = datetime.now(UTC)
    for each in found:
        until = datetime.fromtimestamp(each.expires, UTC).date()
        scopes = ",".join(sorted(each.scopes))
        typer.echo(f"{each.id}  {each.state(now.timestamp()):7}  {until}  {scopes}  {each.name}")


@token.command("revoke")
def revoke_token(
    identity: Annotated[str, typer.Argument(metavar="ID", help="As `list` has it.")],
    settings: SettingsFile = None,
) -> None:
    """Make a token invalid from now on."""
    from api.callers import tokens

    with _connection(settings) as connection:
        tokens.revoke(connection, identity)


@service.command("adopt")
def adopt(settings: SettingsFile = None) -> None:
    """Let the database serve the folder of the settings from now on, and no other one.

    For a folder that was moved, restored, or takes the place of another: end first whatever serves
    the other one.
    """
    from api.database.engine import migrated
    from api.database.lock import hold_lock
    from api.settings import read_settings
    from api.snapshots import instance

    found = read_settings(settings)
    with migrated(found.database_url) as engine, ExitStack() as held:
        hold_lock(engine, held)
        before, missing = instance.adopt(engine, found.snapshots)
    typer.echo(f"the database serves {found.snapshots.resolve()}; before: {before or 'nothing'}")
    if missing:
        typer.echo(f"not retired, and without a folder here: {', '.join(missing)}")


@contextmanager
def _connection(settings: Path | None) -> Iterator[Connection]:
    """Begin a transaction on the service's database, which is migrated first."""
    from api.database.engine import migrated
    from api.settings import read_settings

    with migrated(read_settings(settings).database_url) as engine, engine.begin() as connection:
        yield connection
