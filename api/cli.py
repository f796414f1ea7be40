"""The ``assay`` command: the prover's command line with the service's commands beside it."""

from __future__ import annotations

from prover.__main__ import needs_extra


def main() -> None:
    """Run the command line."""
    with needs_extra("prover"):
        from api import commands
        from prover.commands import cli
    cli.app.add_typer(commands.app)
    with needs_extra("api"):
        cli.main()


if __name__ == "__main__":
    main()
