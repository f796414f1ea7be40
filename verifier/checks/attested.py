"""Holdings that no chain shows: what third parties sign for, and whom of them the reader named.

An exchange can sign under a key of its own and call it a bank. So a holding is known better than
the exchange's word only where its key is one that the reader named, and none that the exchange
signs manifests with; no other signature is even checked, since it would say nothing. Source:
spec/protocol.md, section 3.6.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from verifier.checks import records
from verifier.checks.holdings import AttestedHolding
from verifier.errors import Code, Rejected
from verifier.format.account import is_name
from verifier.format.evidence_records import Evidence, HoldingAttestation, HoldingBody
from verifier.format.holding import ATTESTATION_PURPOSE, HOLDING_VERSION, HoldingKind
from verifier.format.keys import is_signed
from verifier.format.params import DAY_SECONDS, MAX_TEXT_BYTES
from verifier.format.statement import Denomination
from verifier.format.wire import Unit, is_ascending


class Stated(Protocol):
    """What an attestation must name: the exchange's key, 32 bytes, and the snapshot."""

    @property
    def public_key(self) -> bytes:
        """The exchange's key."""

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot."""

    @property
    def time(self) -> int:
        """The snapshot's time, in Unix seconds."""


@dataclass(frozen=True)
class Attestations:
    """What the attestations of one bundle are checked against; ``attesters`` are names by key.

    seen: (key, reference) of all that were checked so far. replaced: the keys that the exchange's
    took the place of, which are no third party's either.
    """

    stated: Stated
    attesters: Mapping[bytes, str] = field(default_factory=dict)
    seen: set[tuple[bytes, str]] = field(default_factory=set)
    replaced: Collection[bytes] = ()

    def check_all(self, asset: Denomination, evidence: Evidence) -> tuple[AttestedHolding, ...]:
        """Check what is attested of one asset; adds its references to those ``seen``.

        Raises:
            Rejected: the first fault, in the order of spec/errors.md, section 2, number 14.
        """
        holdings = tuple(
            self.check(asset, entry, f"{asset.code}, attestation {at}")
            for at, entry in enumerate(evidence.attestations)
        )
        where = f"{asset.code}, evidence"
        if not is_ascending(map(place, holdings)):
            message = "the attestations are not in ascending order"
            raise Rejected(Code.EVIDENCE_UNSORTED, where, message)
        kinds = [holding.body.kind for holding in holdings]
        check_alone(kinds, has_coins=bool(evidence.rows or evidence.hidden), where=where)
        return holdings

    def check(self, asset: Denomination, entry: HoldingAttestation, where: str) -> AttestedHolding:
        """Check one attestation of an asset by itself, and that it was not ``seen``.

        Raises:
            Rejected: the first fault; ``where`` is its place.
        """
        body = records.read(HoldingBody, entry.body, "attestation", where)

        def fault(code: Code, message: str) -> Rejected:
            return Rejected(code, where, message)

        if body.version != HOLDING_VERSION:
            raise fault(Code.ATTESTATION_UNSUPPORTED_VERSION, "the version is not 1")
        texts = body.attester, body.holder, body.reference
        if not all(is_name(text, MAX_TEXT_BYTES) for text in texts):
            message = "attester, holder or reference is not written as names are"
            raise fault(Code.ATTESTATION_BAD_TEXT, message)
        stated = self.stated
        if (body.exchange_key, body.snapshot_id) != (stated.public_key, stated.snapshot_id):
            message = "it is for another exchange's key, or another snapshot"
            raise fault(Code.ATTESTATION_WRONG_EXCHANGE, message)
        units = {(unit.chain, unit.contract): unit for unit in asset.units}
        unit = units.get((body.chain, body.contract))
        if unit is None:
            raise fault(Code.ATTESTATION_UNKNOWN_UNIT, "no unit of the asset")
        if body.kind not in tuple(HoldingKind):
            raise fault(Code.ATTESTATION_BAD_KIND, "no kind of holding that there is")
        if body.encumbered > body.amount:  # both of 32 bytes, big-endian
            raise fault(Code.ATTESTATION_BAD_AMOUNT, "more is encumbered than there is")
        if body.not_after < stated.time or abs(body.time - stated.time) > DAY_SECONDS:
            message = "not valid at the snapshot's time, or made more than a day from it"
            raise fault(Code.ATTESTATION_EXPIRED, message)
        if (entry.key, body.reference) in self.seen:
            message = "this key attests this reference already, here or in an earlier asset"
            raise fault(Code.ATTESTATION_DUPLICATE, message)
        is_own = entry.key == stated.public_key or entry.key in self.replaced
        named = "" if is_own else self.attesters.get(entry.key, "")
        if named and not is_signed(entry.key, ATTESTATION_PURPOSE, entry.body, entry.signature):
            raise fault(Code.ATTESTATION_BAD_SIGNATURE, "not signed by the attester that you named")
        self.seen.add((entry.key, body.reference))
        units_held = net_units(body, unit, asset.decimals)
        return AttestedHolding(body, entry.key, units_held, unit.decimals, named, is_own)


def place(holding: AttestedHolding) -> tuple[str, str, bytes, str]:
    """Return what attestations are ordered by."""
    return holding.body.chain, holding.body.contract, holding.key, holding.body.reference


def net_units(body: HoldingBody, unit: Unit, decimals: int) -> int:
    """Return what a holding in a unit counts for in ledger units of ``decimals``, rounded down."""
    scale: int = 10 ** (unit.decimals - decimals)
    return (int.from_bytes(body.amount) - int.from_bytes(body.encumbered)) // scale


def check_alone(kinds: Sequence[str], *, has_coins: bool, where: str) -> None:
    """Check that no report on all that is held stands beside what it would count again.

    ``kinds`` are those of an asset's attestations.

    Raises:
        Rejected: ``evidence.mixed-attestation``.
    """
    if HoldingKind.PROCEDURES in kinds and (has_coins or len(kinds) > 1):
        message = (
            "a report on procedures is of all that is held of the asset, and rows, hidden keys or "
            "other attestations stand beside it"
        )
        raise Rejected(Code.EVIDENCE_MIXED_ATTESTATION, where, message)
