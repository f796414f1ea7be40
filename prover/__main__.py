"""The prover's command line alone, and what both command lines say where an extra is missing.

The verifier installs without the libraries of the prover and of the service.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

OWN_PACKAGES = frozenset({"native", "verifier", "prover", "api"})


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say what to install and exit 1 where a library of ``extra`` is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OWN_PACKAGES:
            raise
        sys.exit(f"assay: {missing} is not installed; run: pip install 'assay[{extra}]'")


def main() -> None:
    """Run the command line."""
    with needs_extra("prover"):
        from prover.commands.cli import main as run
    run()


if __name__ == "__main__":
    main()
