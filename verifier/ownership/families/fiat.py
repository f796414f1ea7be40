"""Money in accounts: no chain, no addresses; a third party attests what is there.

Its "contracts" are the codes of ISO 4217, and it has no coin of its own.
"""

from __future__ import annotations

import re
from typing import Never

from verifier.format.chains import Network
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError

FORMATS: dict[str, frozenset[Template]] = {}
ROTATES = False

_CURRENCY = re.compile(r"[A-Z]{3}")


def parse(network: Network, text: str) -> Never:
    """Refuse: nobody owns an address there.

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    raise OwnershipError("evidence.bad-address", "money in accounts has no addresses")


def check_contract(network: Network, text: str) -> None:
    """Check that a text is a currency's code.

    Raises:
        OwnershipError: ``evidence.bad-address``.
    """
    if not _CURRENCY.fullmatch(text):
        raise OwnershipError("evidence.bad-address", "not a currency of three capital letters")


def check(address: Address, message: str, format: str, signature: str) -> Never:
    """Refuse: there is no format."""
    raise OwnershipError("evidence.unsupported-signature", "money in accounts has no signatures")
