"""``--version`` of a command line."""

from __future__ import annotations

import argparse


class Version(argparse.Action):
    """Prints the version, which takes longer to find than the parser to make."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import version

        print(f"{parser.prog} {version('assay')}")
        parser.exit()
