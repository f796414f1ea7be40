"""What the verifier's user decides beyond the exchange's key: ratio, further units, levels."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.errors import Misuse
from verifier.format.chains import CHAINS
from verifier.format.levels import Level
from verifier.format.params import ASSET_CODE, CHAIN_NAME, MAX_RATIO_TERM, MAX_UNIT_DECIMALS
from verifier.format.units import KnownUnit, UnitTable
from verifier.ownership import OwnershipError, check_contract
from verifier.stateproof.tokens import MAX_SLOT, TokenSlot, token_slots


@dataclass(frozen=True)
class Policy:
    """What is enough for the verifier's user.

    ratio: the least (num, den) accepted; units: what is known beside the table; strict_units:
    whether no asset may be set aside because a unit is not known; require: the weakest level at
    which an asset's amounts may be known; slots: where tokens keep balances that are not known.

    Raises:
        Misuse: the ratio's terms are not in [1, 2^32), a unit or slot is malformed, a unit
            contradicts what is known, or a token has another slot.
    """

    ratio: tuple[int, int] = (1, 1)
    units: tuple[KnownUnit, ...] = ()
    strict_units: bool = False
    require: Level = Level.CLAIMED
    slots: tuple[TokenSlot, ...] = ()

    def __post_init__(self) -> None:
        if not all(1 <= term <= MAX_RATIO_TERM for term in self.ratio):
            raise Misuse("a ratio is two integers from 1 to 2^32 - 1")
        for unit in self.units:
            if (
                not ASSET_CODE.fullmatch(unit.code)
                or not CHAIN_NAME.fullmatch(unit.chain)
                or not 0 <= unit.decimals <= MAX_UNIT_DECIMALS
                or not _is_contract(unit.chain, unit.contract)
            ):
                raise Misuse(f"malformed unit {unit.code}={unit.chain}:{unit.contract}")
        try:
            self.unit_table()
        except ValueError as error:
            raise Misuse(f"units: {error}") from None
        for entry in self.slots:
            if not has_slot(entry.chain, entry.contract) or not 0 <= entry.slot <= MAX_SLOT:
                raise Misuse(f"malformed slot {entry.chain}:{entry.contract}={entry.slot}")
            self.token_slots(entry.chain)

    def unit_table(self) -> UnitTable:
        """Return all that is known of units."""
        return UnitTable(self.units)

    def token_slots(self, chain: str) -> dict[str, TokenSlot]:
        """Return the slot of every contract of a chain that has one."""
        return token_slots(chain, self.slots)


def _is_contract(chain: str, contract: str) -> bool:
    try:
        check_contract(chain, contract)
    except OwnershipError:
        return False
    return True


def has_slot(chain: str, contract: str) -> bool:
    """Tell whether there can be such a token, on a chain whose headers prove what it holds."""
    has_state = chain in CHAINS and CHAINS[chain].proves_state
    return has_state and bool(contract) and _is_contract(chain, contract)
