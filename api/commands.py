"""The service's commands. What the extra ``api`` brings is imported inside them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.scope import Scope
from prover.commands.options import Commands, path, values, whole_number
from prover.errors import ProverError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def serve(
    settings: Path | None, host: str | None, port: int | None, *, worker: bool | None
) -> None:
    """Run the service until interrupted."""
    from api.server import serve as run
    from api.settings import read_settings

    found = read_settings(settings)
    given = {"host": host, "port": port, "worker": worker}
    server = found.server.model_copy(update={k: v for k, v in given.items() if v is not None})
    run(found.model_copy(update={"server": server}))


def worker(settings: Path | None) -> None:
    """Prove, publish and erase snapshots as operators ask for it, until interrupted."""
    from api.log import configure_logging
    from api.settings import read_settings
    from api.snapshots.worker import work

    found = read_settings(settings)
    configure_logging(found.log_level)
    work(found)


def create_token(name: str, scopes: Sequence[str], days: int, settings: Path | None) -> None:
    """Make a token and print it, this once: only its digest is kept."""
    from api.callers import tokens

    with _connection(settings) as connection:
        made, secret = tokens.create(connection, name, list(map(Scope, scopes)), days * 24 * 3600)
    print(f"token {made}, valid for {days} days; it is not shown again:", file=sys.stderr)
    print(secret)


def list_tokens(settings: Path | None) -> None:
    """List tokens: id, state, until when, scopes, name."""
    from api.callers import tokens

    with _connection(settings) as connection:
        found = tokens.every(connection)
    now = datetime.now(UTC)
    for each in found:
        until = datetime.fromtimestamp(each.expires, UTC).date()
        scopes = ",".join(sorted(each.scopes))
        print(f"{each.id}  {each.state(now.timestamp()):7}  {until}  {scopes}  {each.name}")


def revoke_token(identity: str, settings: Path | None) -> None:
    """Make a token invalid from now on."""
    from api.callers import tokens

    with _connection(settings) as connection:
        tokens.revoke(connection, identity)


def create_webhook(settings: Path | None) -> None:
    """Make the secret of the webhook and print it, this once; the file of the settings keeps it."""
    from api.settings import read_settings
    from api.snapshots.webhook import make_secret

    webhook = read_settings(settings).webhook
    if webhook is None:
        raise ProverError("the settings have no [webhook]")
    secret = make_secret(webhook.secret_file)
    print(f"kept in {webhook.secret_file}; it is not shown again:", file=sys.stderr)
    print(secret)


def adopt(settings: Path | None) -> None:
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
    print(f"the database serves {found.snapshots.resolve()}; before: {before or 'nothing'}")
    if missing:
        print(f"not retired, and without a folder here: {', '.join(missing)}")


@contextmanager
def _connection(settings: Path | None) -> Iterator[Connection]:
    """Begin a transaction on the service's database, which is migrated first."""
    from api.database.engine import migrated
    from api.settings import read_settings

    with migrated(read_settings(settings).database_url) as engine, engine.begin() as connection:
        yield connection


def add(commands: Commands) -> None:
    """Add the service's commands to others."""
    serving = commands.command("serve", serve)
    _add_settings(serving)
    serving.add_argument("--host", help="address to listen on")
    serving.add_argument("--port", type=whole_number(0, 65535), help="port; 0 picks one")
    serving.add_argument(
        "--no-worker",
        dest="worker",
        action="store_false",
        default=None,
        help="keep no worker: `assay worker` runs elsewhere",
    )
    _add_settings(commands.command("worker", worker))

    token = commands.group("token", "Operators' tokens.")
    made = token.command("create", create_token)
    made.add_argument("name", metavar="NAME", help="whose it is, for lists and logs")
    made.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        required=True,
        choices=values(Scope),
        help="what it allows; repeatable",
    )
    made.add_argument(
        "--days",
        type=whole_number(1, 3650),
        default=90,
        metavar="N",
        help="how long it is valid (90)",
    )
    _add_settings(made)
    _add_settings(token.command("list", list_tokens))
    revoked = token.command("revoke", revoke_token)
    revoked.add_argument("identity", metavar="ID", help="as `list` has it")
    _add_settings(revoked)

    webhook = commands.group("webhook", "Who is told that a job ended.")
    _add_settings(webhook.command("create", create_webhook))

    service = commands.group("service", "The service's own folder and database.")
    _add_settings(service.command("adopt", adopt))


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings", type=path, metavar="FILE", help="the settings; by default $ASSAY_SETTINGS"
    )
