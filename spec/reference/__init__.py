"""The reference verifier: a second opinion on a bundle, written from the pages beside it alone.

It imports nothing of this project's packages, and prefers being read to being fast. Read in this
order: `group`, `transcript`, `argument`, `leaves` (the mathematics); `wire`, `account`, `units`,
`manifest`, `record` (what was signed); `tree`, `evidence` with `ownership`, `bip322`, `script`,
`address`, `ecdsa`, `ethereum`, `attested` (what it says); `audit`, `inclusion` (the plans of
checks).
`python -m spec.reference --help` runs it.
"""

from __future__ import annotations

from spec.reference.argument import verify_argument
from spec.reference.audit import Audit, audit
from spec.reference.errors import NotCheckedError, Rejected
from spec.reference.inclusion import Inclusion, check_inclusion
from spec.reference.units import Unit

__all__ = [
    "Audit",
    "Inclusion",
    "NotCheckedError",
    "Rejected",
    "Unit",
    "audit",
    "check_inclusion",
    "verify_argument",
]
