"""What the verifier's user decides beyond the exchange's key: ratio, further units, levels.

The rules of contracts and slots are imported where there is one: most users name none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.errors import Misuse
from verifier.format.account import AccountError, canonical_name
from verifier.format.chains import CHAINS
from verifier.format.keys import is_sound_key
from verifier.format.levels import Level
from verifier.format.params import ID_BYTES, MAX_RATIO_TERM
from verifier.format.units import KnownUnit, UnitTable
from verifier.format.wire import Bin32

if TYPE_CHECKING:
    from verifier.stateproof.tokens import TokenSlot


@dataclass(frozen=True, slots=True)
class Attester:
    """A third party whose word on holdings the user takes, and its Ed25519 key."""

    name: str
    public_key: Bin32


@dataclass(frozen=True)
class Policy:
    """What is enough for the verifier's user.

    ratio: the least (num, den) accepted; units: what is known beside the table; strict_units:
    whether no asset may be set aside because a unit is not known; require: the weakest level at
    which an asset's amounts may be known; slots: where tokens keep balances that are not known;
    attesters: whose signatures make a holding ``attested``.

    Raises:
        Misuse: the ratio's terms are not in [1, 2^32), a unit or slot is malformed or a unit is of
            a chain that is not known, a unit contradicts what is known, a token has another slot,
            or an attester's name is none or key is nobody's or occurs twice.
    """

    ratio: tuple[int, int] = (1, 1)
    units: tuple[KnownUnit, ...] = ()
    strict_units: bool = False
    require: Level = Level.CLAIMED
    slots: tuple[TokenSlot, ...] = ()
    attesters: tuple[Attester, ...] = ()

    def __post_init__(self) -> None:
        if not all(1 <= term <= MAX_RATIO_TERM for term in self.ratio):
            raise Misuse("a ratio is two integers from 1 to 2^32 - 1")
        for unit in self.units:
            check_unit(unit)
        try:
            self.unit_table()
        except ValueError as error:
            raise Misuse(f"units: {error}") from None
        for entry in self.slots:
            check_slot(entry)
            self.token_slots(entry.chain)
        for attester in self.attesters:
            check_attester(attester)
        if len(self.attester_names()) != len(self.attesters):
            raise Misuse("an attester's key occurs twice")

    def unit_table(self) -> UnitTable:
        """Return all that is known of units."""
        return UnitTable(self.units)

    def token_slots(self, chain: str) -> dict[str, TokenSlot]:
        """Return the slot of every contract of a chain that has one."""
        from verifier.stateproof.tokens import token_slots

        return token_slots(chain, self.slots)

    def attester_names(self) -> dict[bytes, str]:
        """Return the name of every attester's key."""
        return {attester.public_key: attester.name for attester in self.attesters}


def check_unit(unit: KnownUnit) -> None:
    """Check that a unit can be.

    Raises:
        Misuse: it cannot.
    """
    from verifier.ownership.unit_form import unit_fault

    if fault := unit_fault(unit):
        raise Misuse(f"malformed unit {unit.code}={unit.chain}:{unit.contract}: {fault}")


def check_slot(entry: TokenSlot) -> None:
    """Check that there can be such a token with such a slot.

    Raises:
        Misuse: there cannot.
    """
    from verifier.stateproof.tokens import MAX_SLOT

    if not has_slot(entry.chain, entry.contract) or not 0 <= entry.slot <= MAX_SLOT:
        raise Misuse(f"malformed slot {entry.chain}:{entry.contract}={entry.slot}")


def check_attester(attester: Attester) -> None:
    """Check that an attester has a name and a key that are some.

    Raises:
        Misuse: the name is not canonical, or the key is nobody's.
    """
    try:
        is_canonical = canonical_name(attester.name) == attester.name
    except AccountError as error:
        raise Misuse(f"an attester's name: {error}") from None
    if not is_canonical:
        raise Misuse("an attester's name has spaces around it, or is not in form NFC")
    if len(attester.public_key) != ID_BYTES or not is_sound_key(attester.public_key):
        raise Misuse("an attester's key is nobody's: anyone can make signatures that fit it")


def has_slot(chain: str, contract: str) -> bool:
    """Tell whether there can be such a token, on a chain whose headers prove what it holds."""
    from verifier.ownership.unit_form import contract_fault

    has_state = chain in CHAINS and CHAINS[chain].proves_state
    return has_state and bool(contract) and not contract_fault(chain, contract)
