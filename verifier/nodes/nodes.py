"""The nodes of the verifier's user, and what is asked of each.

A node confirms what it can, and rejects what contradicts it. Where it does not answer as such a
node does, is of another network, or has not got as far as the block, there is no verdict:
`CannotCheck`, never a rejection. What it cannot tell of a single row, set or wallet leaves that as
it was, so that no claim ends an audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest


class Node(Protocol):
    """Something that knows one chain: a node over RPC, or a file of its state at the block."""

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """Check the manifest's block of this chain, and what all assets hold on it.

        Returns the evidence, in the same order, with the levels raised of all that is confirmed.
        What the node cannot decide keeps its level, and may say why (``undecided``).

        Raises:
            Rejected: ``chain.wrong-block``, ``chain.wrong-amount`` or ``chain.bad-ownership``.
            CannotCheck: the node does not answer, or not as such a node does.
        """


# The nodes at hand, by the name of their chain; they are asked in the names' order.
Nodes = Mapping[str, Node]
