"""The standalone verifier: everything needed to check a bundle, and nothing that makes one."""

from __future__ import annotations

from verifier.checks.holdings import AssetReport, AttestedHolding, HiddenReport
from verifier.checks.inclusion import Amount
from verifier.checks.policy import Attester, Policy
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.levels import Level
from verifier.format.units import KnownUnit
from verifier.nodes.balances import BalanceTable
from verifier.nodes.bitcoin_node import BitcoinNode
from verifier.nodes.bitcoin_snapshot import SnapshotNode
from verifier.nodes.evm_node import EvmNode
from verifier.nodes.nodes import Nodes
from verifier.nodes.tron_node import TronNode
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.report import Check, InclusionReport, NotCompared, Report, TooWeak, UnknownUnit
from verifier.stateproof.tokens import TokenSlot
from verifier.verify import audit, check_inclusion, check_solvency

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
