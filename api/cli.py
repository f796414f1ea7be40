"""The ``assay`` command: the prover's command line with the service's commands beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; an interrupt while it is loaded ends it as any later one does."""
    try:
        from api import commands
        from prover.commands import cli

        cli.main(argv, commands.add)
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("assay: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
