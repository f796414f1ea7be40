"""The nodes of the verifier's user, and what is asked of each.

A node confirms what it can, and rejects what contradicts it. Where it does not answer as such a
node does, is of another network, or has not got as far as the block, there is no verdict:
`CannotCheck`, never a rejection. What it cannot tell of a single row, set or wallet leaves that as
it was, so that no claim ends an audit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from verifier.checks.holdings import CheckedEvidence
from verifier.checks.manifest import CheckedManifest
from verifier.format.wire import Asset


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


def confirm_each(
    checked: CheckedManifest,
    evidence: Sequence[CheckedEvidence],
    confirm: Callable[[Asset, CheckedEvidence, bool], CheckedEvidence],
) -> list[CheckedEvidence]:
    """Return the evidence of each asset as ``confirm`` leaves it, in the same order.

    ``confirm`` is told whether the asset is set aside. Those are asked for last: their contracts
    may be the exchange's own, and must not keep a node from what counts.
    """
    assets, aside = checked.manifest.assets, frozenset(checked.set_aside)
    found = [*evidence]
    for at in sorted(range(len(assets)), key=lambda at: assets[at].code in aside):
        found[at] = confirm(assets[at], evidence[at], assets[at].code in aside)
    return found
