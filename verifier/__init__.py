"""The standalone verifier: everything needed to check a bundle, and nothing that makes one.

A name is imported when it is first asked for: one check loads nothing of the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.checks.holdings import AssetReport, AttestedHolding, HiddenReport
    from verifier.checks.inclusion import Amount
    from verifier.checks.policy import Attester, Policy
    from verifier.errors import CannotCheck, Code, Misuse, Rejected
    from verifier.format.levels import Level
    from verifier.format.units import KnownUnit
    from verifier.inclusion import check_inclusion
    from verifier.nodes.balances import BalanceTable
    from verifier.nodes.bitcoin_node import BitcoinNode
    from verifier.nodes.bitcoin_snapshot import SnapshotNode
    from verifier.nodes.evm_node import EvmNode
    from verifier.nodes.nodes import Nodes
    from verifier.nodes.tron_node import TronNode
    from verifier.nodes.utxo_snapshot import UtxoSnapshot
    from verifier.report import Check, InclusionReport, NotCompared, Report, TooWeak, UnknownUnit
    from verifier.stateproof.tokens import TokenSlot
    from verifier.verify import audit, check_solvency

__all__ = [
    "Amount",
    "AssetReport",
    "AttestedHolding",
    "Attester",
    "BalanceTable",
    "BitcoinNode",
    "CannotCheck",
    "Check",
    "Code",
    "EvmNode",
    "HiddenReport",
    "InclusionReport",
    "KnownUnit",
    "Level",
    "Misuse",
    "Nodes",
    "NotCompared",
    "Policy",
    "Rejected",
    "Report",
    "SnapshotNode",
    "TokenSlot",
    "TooWeak",
    "TronNode",
    "UnknownUnit",
    "UtxoSnapshot",
    "audit",
    "check_inclusion",
    "check_solvency",
]

_PLACES = {
    "Amount": "checks.inclusion",
    "AssetReport": "checks.holdings",
    "AttestedHolding": "checks.holdings",
    "Attester": "checks.policy",
    "BalanceTable": "nodes.balances",
    "BitcoinNode": "nodes.bitcoin_node",
    "CannotCheck": "errors",
    "Check": "report",
    "Code": "errors",
    "EvmNode": "nodes.evm_node",
    "HiddenReport": "checks.holdings",
    "InclusionReport": "report",
    "KnownUnit": "format.units",
    "Level": "format.levels",
    "Misuse": "errors",
    "Nodes": "nodes.nodes",
    "NotCompared": "report",
    "Policy": "checks.policy",
    "Rejected": "errors",
    "Report": "report",
    "SnapshotNode": "nodes.bitcoin_snapshot",
    "TokenSlot": "stateproof.tokens",
    "TooWeak": "report",
    "TronNode": "nodes.tron_node",
    "UnknownUnit": "report",
    "UtxoSnapshot": "nodes.utxo_snapshot",
    "audit": "verify",
    "check_inclusion": "inclusion",
    "check_solvency": "verify",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
