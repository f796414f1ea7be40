"""What a third party can attest: the closed list of kinds (spec/protocol.md, section 3.6)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

HOLDING_VERSION: Final = 1
ATTESTATION_PURPOSE: Final = "holding-attestation"


class HoldingKind(StrEnum):
    """What kind of holding a third party signs for.

    PROCEDURES is a report on all that is held of an asset, and nothing of it stands beside that.
    """

    BANK_BALANCE = "bank-balance"
    CUSTODIAN = "custodian"
    DEFI = "defi"
    EXCHANGE_ACCOUNT = "exchange-account"
    LIGHTNING = "lightning"
    PROCEDURES = "procedures"
    STAKED = "staked"
