"""The form of a unit: a code, a chain that this version knows, and a contract in its one text."""

from __future__ import annotations

import re

from verifier.format.chains import CHAINS, Family
from verifier.format.params import ASSET_CODE, MAX_UNIT_DECIMALS
from verifier.format.units import KnownUnit
from verifier.ownership.errors import OwnershipError
from verifier.ownership.families import check_contract

_HEX = re.compile(r"0[xX](?:[0-9a-f]{40}|[0-9A-F]{40})")


def unit_fault(unit: KnownUnit) -> str:
    """Return what is wrong with the form of a unit, or nothing."""
    if not ASSET_CODE.fullmatch(unit.code):
        return "the code is not 1 to 16 of A-Z and 0-9"
    if not 0 <= unit.decimals <= MAX_UNIT_DECIMALS:
        return f"the decimals are not 0 to {MAX_UNIT_DECIMALS}"
    return contract_fault(unit.chain, unit.contract)


def contract_fault(chain: str, contract: str) -> str:
    """Return why a chain cannot have this contract, or nothing: two texts were two units."""
    try:
        check_contract(chain, contract)
    except OwnershipError as error:
        return error.message
    return ""


def contract_text(chain: str, text: str) -> str:
    """Return the one text of a contract that lists of others write without its checksum.

    Hex digits of one case say nothing that a checksum could contradict; all else stays as it is.
    """
    network = CHAINS.get(chain)
    if network is not None and network.family is Family.EVM and _HEX.fullmatch(text):
        from verifier.ownership.families.evm import account_text

        return account_text(bytes.fromhex(text[2:]))
    return text
