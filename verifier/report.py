"""What a check comes to when it accepts, and how far that reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.errors import CannotCheck, Code
from verifier.format.levels import Level, weakest
from verifier.format.params import DAY_SECONDS
from verifier.format.times import utc_text
from verifier.format.wire import Loan, Manifest
from verifier.texts import listed

if TYPE_CHECKING:
    from verifier.checks.holdings import AssetReport
    from verifier.checks.inclusion import Amount

OPAQUE_WARNING = (
    "account ids are opaque: the exchange could have told one number to two customers; "
    "make sure that yours is your own"
)


@dataclass(frozen=True)
class Check:
    """One step of the plan; ``figures`` are what it counted.

    ok: None where what it is about could not be read, and no verdict hangs on that.
    """

    name: str
    ok: bool | None
    figures: Mapping[str, int | str]


@dataclass(frozen=True)
class Report:
    """An accepted audit or check of solvency; ``assets`` are in the manifest's order.

    ``set_aside`` are the codes of those of which the reader does not know a unit: what they stand
    for is the exchange's word. ``block_times``, in Unix seconds, are of the chains whose header is
    shown, or of which a node told; ``chains`` are those on which something of the others counts
    (of all, where none is left); ``has_trees`` tells whether all pages of all trees were checked.
    ``loans`` are what the exchange declares, none where it declares nothing; ``bridged`` are
    (code, chain) of units that a bridge or a custodian stands for, besides the issuer.
    """

    manifest: Manifest
    digest: bytes
    assets: tuple[AssetReport, ...]
    set_aside: tuple[str, ...]
    bridged: tuple[tuple[str, str], ...]
    block_times: Mapping[str, int]
    chains: tuple[str, ...]
    has_trees: bool
    loans: tuple[Loan, ...]
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]

    @property
    def authority_unchecked(self) -> tuple[str, ...]:
        """The chains, ascending, on which a vouched account's own key may have lost its power."""
        return tuple(sorted({name for item in self.vouched for name in item.authority_unchecked}))

    @property
    def vouched(self) -> tuple[AssetReport, ...]:
        """The assets that are not set aside."""
        aside = frozenset(self.set_aside)
        return tuple(asset for asset in self.assets if asset.code not in aside)

    @property
    def level(self) -> Level:
        """The weakest level of any asset that is not set aside; of all, where none is left."""
        return weakest(asset.level for asset in self.vouched or self.assets)

    @property
    def far(self) -> tuple[str, ...]:
        """The chains on which something counts, at a block of more than a day from the snapshot."""
        return tuple(c for c in _far(self.manifest, self.block_times) if c in self.chains)

    @property
    def undated(self) -> tuple[str, ...]:
        """The chains on which something counts, and whose block is of a time that nothing shows."""
        return tuple(chain for chain in self.chains if chain not in self.block_times)

    @property
    def is_whole(self) -> bool:
        """Whether every asset's ratio, which is proved, is at least one."""
        return all(asset.ratio.num >= asset.ratio.den for asset in self.manifest.assets)

    @property
    def leaning(self) -> tuple[tuple[str, str], ...]:
        """What is ``bridged`` of the assets that are not set aside."""
        aside = frozenset(self.set_aside)
        return tuple(unit for unit in self.bridged if unit[0] not in aside)

    @property
    def is_confirmed(self) -> bool:
        """Whether "solvent" may be said, of all assets but those set aside, as far as bridges hold
        (protocol.md 3.4).
        """
        is_known = self.level is Level.CHAIN and not self.far and not self.undated
        return bool(self.vouched) and is_known and self.is_whole and self.has_trees

    @property
    def is_solvent(self) -> bool:
        """Whether "solvent" may be said of all but what is set aside, and no more is to say."""
        return self.is_confirmed and not self.leaning


@dataclass(frozen=True)
class InclusionReport:
    """An accepted check of inclusion; ``amounts`` has every asset of the manifest, in its order.

    ``set_aside`` are the codes of those whose units the reader does not know. ``loans`` are what
    the exchange declares; None where the manifest names a declaration that could not be read, and
    then ``unread`` says why.
    """

    manifest: Manifest
    digest: bytes
    amounts: tuple[Amount, ...]
    set_aside: tuple[str, ...]
    loans: tuple[Loan, ...] | None
    unread: str
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]


class NotCompared(CannotCheck):
    """The customer has parts in assets that they did not type; see ``report``."""

    def __init__(self, report: InclusionReport) -> None:
        left_out = [
            f"{item.code} {item.counted_text}" for item in report.amounts if not item.is_compared
        ]
        super().__init__(Code.CHECK_NOT_COMPARED, "not compared: " + ", ".join(left_out))
        self.report = report


class TooWeak(CannotCheck):
    """All is accepted, but amounts are known less well than the user requires; see ``report``."""

    def __init__(self, report: Report, required: Level) -> None:
        weak = [item.code for item in report.assets if item.level.rank < required.rank]
        message = f"amounts of {listed(weak)} are not known as {required}, which you require"
        if not weak:
            of = ", ".join(sorted({*report.undated, *report.far}))
            message = f"nothing shows that the block of {of} is of the snapshot's day"
        super().__init__(Code.CHECK_TOO_WEAK, message)
        self.report = report


class UnknownUnit(CannotCheck):
    """All is accepted, but an asset is set aside, and the user wants none to be; see ``report``."""

    def __init__(self, report: Report | InclusionReport, codes: Sequence[str]) -> None:
        message = f"this verifier does not know what {listed(codes)} stands for"
        super().__init__(Code.CHECK_UNKNOWN_UNIT, message)
        self.report = report


def block_warnings(manifest: Manifest, times: Mapping[str, int]) -> tuple[str, ...]:
    """Tell of blocks from another day: coins could have moved between block and balances."""
    return tuple(
        f"the block of {chain} is of {utc_text(time)}, and the snapshot of "
        f"{utc_text(manifest.time)}: coins may have moved in between"
        for chain, time in sorted(times.items())
        if chain in _far(manifest, times)
    )


def _far(manifest: Manifest, times: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        chain for chain, time in sorted(times.items()) if abs(time - manifest.time) > DAY_SECONDS
    )


def account_warnings(manifest: Manifest) -> tuple[str, ...]:
    """Tell of ids that two customers could have been told."""
    return (OPAQUE_WARNING,) if manifest.account_id_type == "opaque" else ()
