"""The ``assay`` command.

The verifier installs without the prover's libraries; this entry then says what to install
instead of failing on an import.
"""

from __future__ import annotations

import sys

OWN_PACKAGES = frozenset({"native", "verifier", "prover"})


def main() -> None:
    """Run the command line, or tell that the ``prover`` extra is missing and exit 1."""
    try:
        from prover.cli import main as run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OWN_PACKAGES:
            raise
        sys.exit(f"assay: {missing} is not installed; run: pip install 'assay[prover]'")
    run()


if __name__ == "__main__":
    main()
