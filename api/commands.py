"""The service's commands. What the extra ``api`` brings is imported inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

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
