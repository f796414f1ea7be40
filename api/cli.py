"""The ``assay`` command: the prover's command line with the service's commands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from api import commands
from prover.commands import cli


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    cli.main(argv, commands.add)


if __name__ == "__main__":
    main()
