"""What the checked evidence of an asset comes to: who holds how much, and how that is known.

Amounts in ledger units are rounded down, once for each row and once for each key of a hidden set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from verifier.format.evidence_records import Coin, HiddenSet, HoldingBody, OwnershipSignature, Row
from verifier.format.levels import Level, weakest
from verifier.format.params import POINT_BYTES
from verifier.format.times import utc_text
from verifier.format.units import coins_text
from verifier.ownership import Address
from verifier.texts import holding_words


@dataclass(frozen=True, slots=True)
class Holding:
    """A disclosed row, its parsed address and signature; ``units`` in the ledger's.

    level: how the amount is known; is_owned: whether the signature is verified; has_authority:
    whether its key is known to have power over the account, where a chain can give that to other
    keys; undecided: why a node that was asked could not tell.
    """

    row: Row
    address: Address
    signature: OwnershipSignature
    units: int
    level: Level
    is_owned: bool = True
    has_authority: bool = True
    undecided: str = ""

    @property
    def known(self) -> Level:
        """How it is known that the owner of the address has the amount."""
        if not self.is_owned:
            return Level.UNVERIFIED
        return self.level if self.has_authority else weakest((self.level, Level.CLAIMED))

    @property
    def chain(self) -> str:
        """The chain it is on."""
        return self.row.chain


@dataclass(frozen=True, slots=True)
class HiddenHolding:
    """A hidden set; ``units``, in the ledger's, is the sum over its whole list of keys.

    ``amounts`` are those of each key in the ledger's units, 16 bytes each, as its argument has it;
    ``undecided`` is as for a `Holding`.
    """

    listed: HiddenSet
    amounts: bytes
    units: int
    level: Level
    undecided: str = ""

    @property
    def known(self) -> Level:
        """How the amounts are known; that some of the keys are the exchange's is proved."""
        return self.level

    @property
    def chain(self) -> str:
        """The chain it is on."""
        return self.listed.chain

    @property
    def keys(self) -> int:
        """The number of keys listed: the anonymity set."""
        return len(self.listed.keys) // POINT_BYTES


@dataclass(frozen=True, slots=True)
class AttestedHolding:
    """What a third party signed for; ``units``, in the ledger's, are less what is encumbered.

    key: of whoever signed, 32 bytes; decimals: of the unit that ``body`` counts in; attester: what
    the reader calls the key, empty where they did not name it, or where it ``is_own``: one of the
    exchange's, and no third party's.
    """

    body: HoldingBody
    key: bytes
    units: int
    decimals: int
    attester: str
    is_own: bool = False

    @property
    def known(self) -> Level:
        """How it is known: a key that the reader did not name is the exchange's word."""
        return Level.ATTESTED if self.attester else Level.CLAIMED

    @property
    def amount_text(self) -> str:
        """All that is held, in whole coins of its unit."""
        return coins_text(int.from_bytes(self.body.amount), self.decimals)

    @property
    def encumbered_text(self) -> str:
        """What of it is pledged or lent, in whole coins of its unit."""
        return coins_text(int.from_bytes(self.body.encumbered), self.decimals)

    def lines(self, code: str) -> tuple[str, ...]:
        """Say who attests what of an asset, what it is worth and what it repeats, a line each.

        A name can be a sentence. So each stands at the end of a line, and all below the level, the
        amount and the worth.
        """
        body, words = self.body, holding_words(self.body.kind)
        return (
            f"{code}, {self.known}: {self.amount_text} {code}, of which {self.encumbered_text} "
            f"encumbered; {words.what} ({body.kind}), of {utc_text(body.time)}, good until "
            f"{utc_text(body.not_after)}",
            f"{words.worth}; {words.overlap}",
            f"document {body.document.hex()}",
            *self._signer(),
            f"holder, as the signer says: {body.holder}",
            f"reference, as the signer says: {body.reference}",
        )

    def _signer(self) -> tuple[str, ...]:
        name = self.body.attester
        if self.is_own:
            return (f"signed by the exchange itself, under the name: {name}",)
        if not self.attester:
            return (f"signed by an unknown key, under a name that nothing shows: {name}",)
        return f"signed by a key that was named for: {self.attester}", f"who signs as: {name}"


@dataclass(frozen=True, slots=True)
class CheckedEvidence:
    """The evidence of one asset, after every check that needs no node.

    ``rows`` are in the file's order; ``coins`` are what bitcoin addresses say they consist of;
    ``block_times``, in Unix seconds, are of the chains whose header is shown, or of which a node
    told; ``remarks`` are what a node noticed, in words, that contradicts nothing; ``attested`` is
    what no chain shows.
    """

    rows: tuple[Holding, ...]
    coins: tuple[Coin, ...]
    hidden: tuple[HiddenHolding, ...]
    signatures: int
    block_times: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    attested: tuple[AttestedHolding, ...] = ()

    @property
    def holdings(self) -> tuple[Holding | HiddenHolding, ...]:
        """Everything that counts and is on a chain."""
        return (*self.rows, *self.hidden)

    @property
    def total(self) -> int:
        """What the disclosed rows and the attested holdings come to, in ledger units."""
        disclosed = sum(holding.units for holding in self.rows)
        return disclosed + sum(holding.units for holding in self.attested)

    @property
    def commitments(self) -> tuple[bytes, ...]:
        """The commitment C_h of every hidden set, 33 bytes each."""
        return tuple(holding.listed.commitment for holding in self.hidden)

    @property
    def level(self) -> Level:
        """The weakest level of anything that counts."""
        return weakest(holding.known for holding in (*self.holdings, *self.attested))


@dataclass(frozen=True)
class HiddenReport:
    """A hidden set: its keys, what all of them hold in ledger units, and how that is known."""

    keys: int
    units: int
    level: Level


@dataclass(frozen=True)
class AssetReport:
    """How well an asset's amounts are known; ``level`` is the weakest.

    disclosed: ledger units of the disclosed rows, by level; only those levels that occur;
    pledged_rows: how many of them the exchange declares as pledged; pledged: their ledger units.
    authority_unchecked: the chains, ascending, on which the power over an account can be another
    key's than its own, and nobody said that it is not: what is there is known as ``claimed``, no
    better.
    attested: the holdings that third parties sign for, which stand beside the rows.
    """

    code: str
    decimals: int
    level: Level
    disclosed: Mapping[Level, int]
    hidden: tuple[HiddenReport, ...]
    pledged_rows: int
    pledged: int
    attested: tuple[AttestedHolding, ...] = ()
    authority_unchecked: tuple[str, ...] = ()

    @property
    def attested_units(self) -> dict[Level, int]:
        """Ledger units of the attested holdings, by level; only those levels that occur."""
        found: dict[Level, int] = {}
        for holding in self.attested:
            found[holding.known] = found.get(holding.known, 0) + holding.units
        return found


def report_asset(
    code: str,
    decimals: int,
    evidence: CheckedEvidence,
    pledged: Collection[tuple[str, str]] = (),
) -> AssetReport:
    """Sum up the evidence of an asset; ``pledged`` are the (chain, address) that are declared."""
    disclosed: dict[Level, int] = {}
    for holding in evidence.rows:
        disclosed[holding.known] = disclosed.get(holding.known, 0) + holding.units
    hidden = tuple(
        HiddenReport(holding.keys, holding.units, holding.known) for holding in evidence.hidden
    )
    unchecked = tuple(sorted({row.chain for row in evidence.rows if not row.has_authority}))
    bound = [
        holding.units
        for holding in evidence.rows
        if (holding.chain, holding.row.address) in pledged
    ]
    return AssetReport(
        code,
        decimals,
        evidence.level,
        disclosed,
        hidden,
        pledged_rows=len(bound),
        pledged=sum(bound),
        attested=evidence.attested,
        authority_unchecked=unchecked,
    )
