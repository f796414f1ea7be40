"""What the prover tells its operator when it cannot, or will not, make a snapshot.

Messages name file, line, column and rule; they hold no balance, key or blinding factor.
"""

from __future__ import annotations


class ProverError(Exception):
    """The operator's input, or the state of a folder, does not allow what was asked."""


class AssetsShort(ProverError):
    """The assets do not cover the liabilities.

    The one error whose message holds figures: by how much each asset falls short, for the
    operator alone.
    """
