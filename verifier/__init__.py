"""The standalone verifier: everything needed to check a bundle, and nothing that makes one."""

from __future__ import annotations

from verifier import libraries as libraries  # isort: split

from verifier.chain.bitcoin_node import BitcoinNode
from verifier.chain.bitcoin_snapshot import SnapshotNode
from verifier.chain.ethereum import EthereumNode
from verifier.chain.levels import Level
from verifier.chain.nodes import Nodes
from verifier.chain.tokens import TokenSlot
from verifier.chain.utxo_snapshot import UtxoSnapshot
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.holdings import AssetReport, HiddenReport
from verifier.inclusion import Amount
from verifier.policy import Policy
from verifier.units import KnownUnit
from verifier.verify import (
    Check,
    InclusionReport,
    NotCompared,
    Report,
    TooWeak,
    audit,
    check_inclusion,
    check_solvency,
)

__all__ = [
    "Amount",
    "AssetReport",
    "BitcoinNode",
    "CannotCheck",
    "Check",
    "Code",
    "EthereumNode",
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
    "UtxoSnapshot",
    "audit",
    "check_inclusion",
    "check_solvency",
]
