"""The standalone verifier: everything needed to check a bundle, and nothing that makes one."""

from __future__ import annotations

from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.inclusion import Amount
from verifier.policy import Policy
from verifier.units import KnownUnit
from verifier.verify import (
    Check,
    InclusionReport,
    NotCompared,
    Report,
    audit,
    check_inclusion,
    check_solvency,
)

__all__ = [
    "Amount",
    "CannotCheck",
    "Check",
    "Code",
    "InclusionReport",
    "KnownUnit",
    "Misuse",
    "NotCompared",
    "Policy",
    "Rejected",
    "Report",
    "audit",
    "check_inclusion",
    "check_solvency",
]
