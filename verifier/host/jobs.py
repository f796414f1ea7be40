"""What the host does with the bytes of others, job by job; each runs in a process of its own.

A job and its answer are records of msgpack. A job holds all that it is about: it has no database,
no key of the host, and nothing of another exchange. So whatever it meets (a parser that hangs, a
server that stalls, memory without end) ends with its process, and its answer is about nothing else.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from verifier.bundle.history import (
    HISTORY_PATH,
    MAX_HISTORY_BYTES,
    BadHistory,
    History,
    read_history,
)
from verifier.bundle.http_source import Door, HttpSource
from verifier.bundle.open import read_signed_manifest
from verifier.checks.inclusion import check_leaves, check_package
from verifier.checks.manifest import CheckedManifest, check_manifest, rotation_fault
from verifier.checks.policy import Attester, Policy
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.account import AccountError, IdType, canonical_account_id, escape
from verifier.format.levels import Level
from verifier.format.params import (
    ID_BYTES,
    MANIFEST_PATH,
    MAX_PACKAGE_BYTES,
    RECORD_PATH,
    RECORD_SIGNATURE_PATH,
    SIGNATURE_BYTES,
    SIGNATURE_PATH,
)
from verifier.format.units import KnownUnit, coins_text
from verifier.format.wire import (
    BadFields,
    Bin32,
    Chain,
    Manifest,
    NotCanonical,
    Package,
    PackageBody,
    read_record,
)
from verifier.host.attestation import AttestedAsset
from verifier.report import Report
from verifier.verify import audit

# What the pages of one package's leaves may have, with their arguments: of the greatest ones and
# those above them, almost two thousand.
COMPLAINT_BYTES = 128 * 2**20

# What stands around the body of a package, and in the body before the digest of the manifest; from
# there to the body's end are the digest, the name of the version, and an integer.
_PACKAGE_HEAD = re.compile(rb"\x83\xa4body(?:\xc4.|\xc5..|\xc6....)", re.DOTALL)
_PACKAGE_TAIL = b"\xa3log\xc4\x00\xa9signature\xc4\x40"
_MANIFEST_NAME = b"\xa8manifest\xc4\x20"
_MOST_FROM_MANIFEST = len(_MANIFEST_NAME) + ID_BYTES + len(b"\xa7version") + 9

_MOST_PLACE = 256
# Pages list so many of at most 4,096, and say how many there are.
_MOST_LOANS = 20  # and assets of which something is pledged
_MOST_ATTESTED = 12

# At these levels a block shows what is there.
_BY_BLOCK = frozenset({Level.HEADER, Level.LISTED, Level.CHAIN})

# What a version says that this host does not know says nothing of the exchange. Fields that it does
# not know are the same if the version is another.
_NEWS = frozenset(
    {
        Code.MANIFEST_UNSUPPORTED_VERSION,
        Code.EVIDENCE_UNSUPPORTED_VERSION,
        Code.ATTESTATION_UNSUPPORTED_VERSION,
        Code.PACKAGE_UNSUPPORTED_VERSION,
        Code.RECORD_UNSUPPORTED_VERSION,
    }
)

Answer = TypeVar("Answer")
_Answer = TypeVar("_Answer", covariant=True)


@dataclass(frozen=True)
class Limits:
    """The most that a job may take: seconds of a clock, and bytes of memory of its own.

    ``nice``: what strangers ask for gives way by so much, as `nice(2)` has it.
    """

    seconds: int
    memory: int
    nice: int = 0


STRANGERS_NICE = 5


class Stopped(Exception):
    """The host ends, and its jobs with it: nothing is known of what they were about."""


class Job(ABC, Generic[_Answer]):
    """Something to do with untrusted bytes; a record, as is what `do` returns."""

    __slots__ = ()

    @abstractmethod
    def do(self, door: Door) -> _Answer:
        """Do it.

        Raises:
            Rejected: what was read is false.
            CannotCheck: it could not be read, or is over a limit.
            Misuse: what somebody handed in is not what it is to be.
        """


class Run(Protocol):
    """Does jobs within limits."""

    def __call__(self, job: Job[Answer], limits: Limits) -> Answer:
        """Return the job's answer.

        Raises:
            Rejected, CannotCheck, Misuse: what the job raises; `CannotCheck` also over a limit.
            Stopped: the host ends.
        """


@dataclass(frozen=True, slots=True)
class ReadIndex(Job[History]):
    """Read the index of a published folder."""

    url: str

    def do(self, door: Door) -> History:
        """See `Job`."""
        with closing(HttpSource(self.url, door=door)) as source:
            data = source.read(HISTORY_PATH, MAX_HISTORY_BYTES)
        try:
            return read_history(data)
        except BadHistory as error:
            raise _unreadable(f"{HISTORY_PATH}: {error}") from None


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A manifest and its signature as they are served, whoever signed it."""

    data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ReadManifest(Job[SignedManifest]):
    """Read the manifest of a bundle, which nothing is concluded of."""

    url: str

    def do(self, door: Door) -> SignedManifest:
        """See `Job`."""
        with closing(HttpSource(self.url, door=door)) as source:
            return SignedManifest(*read_signed_manifest(source))


@dataclass(frozen=True, slots=True)
class BlockTime:
    """When a chain's block was made, in Unix seconds, as the evidence shows."""

    chain: str
    time: int


@dataclass(frozen=True, slots=True)
class DeclaredLoan:
    """A loan that the exchange declares: ``pledged`` at so many addresses, no amount: not said."""

    amount: str
    code: str
    lender: str
    pledged: int


@dataclass(frozen=True, slots=True)
class PledgedAsset:
    """How many rows of an asset are pledged, and the coins that they count for."""

    amount: str
    code: str
    rows: int


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared in a bundle that was audited: the first ``loans`` of a ``total``, and of
    the ``pledged_total`` assets of which something is pledged the first.
    """

    loans: tuple[DeclaredLoan, ...]
    pledged: tuple[PledgedAsset, ...]
    pledged_total: int
    total: int


@dataclass(frozen=True, slots=True)
class AttestedLines:
    """What is said of an attested holding of an asset, a line each."""

    code: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record of arguments and its signature, which holds."""

    data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit came to: code, place and words of the first fault, empty if it accepted.

    ``check.future`` is no fault: all holds, and the snapshot is dated ahead of this host's clock.

    The rest is as the manifest has it, and empty where it is no manifest; of assets the levels are
    those found. ``old_keys`` are those that it replaced, which they signed. ``set_aside`` are the
    codes of the assets of which this host does not know a unit, where it accepted; ``declared`` is
    what it declares, where it accepted, and else nothing. ``attested`` are the first of the
    ``attested_total`` holdings that third parties sign for. ``authority_unchecked`` are the chains
    on which an account's own key may have lost its power, of assets that are not set aside.
    ``record`` is that of arguments, where one of these fails. ``undated`` are the codes of the
    assets that are shown under a block which is not known to be of the snapshot's day.
    """

    assets: tuple[AttestedAsset, ...]
    attested: tuple[AttestedLines, ...]
    attested_total: int
    authority_unchecked: tuple[str, ...]
    block_times: tuple[BlockTime, ...]
    chains: tuple[Chain, ...]
    code: str
    declared: tuple[Declared, ...]
    exchange: str
    message: str
    old_keys: tuple[bytes, ...]
    place: str
    previous: Bin32
    record: tuple[SignedRecord, ...]
    set_aside: tuple[str, ...]
    snapshot_id: str
    time: int
    undated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """A unit that the auditor knows, as a record."""

    chain: str
    code: str
    contract: str
    decimals: int


def named_units(units: Iterable[KnownUnit]) -> tuple[NamedUnit, ...]:
    """Return units as records."""
    return tuple(NamedUnit(unit.chain, unit.code, unit.contract, unit.decimals) for unit in units)


def _policy(units: Iterable[NamedUnit], attesters: tuple[Attester, ...] = ()) -> Policy:
    found = (KnownUnit(unit.code, unit.chain, unit.contract, unit.decimals) for unit in units)
    return Policy(units=tuple(found), attesters=attesters)


@dataclass(frozen=True, slots=True)
class CheckManifest(Job[Finding]):
    """Check a manifest that was read and is signed by ``public_key``, and nothing of its bundle.

    ``units`` are known beside the verifier's table.
    """

    manifest: bytes
    public_key: Bin32
    signature: bytes
    units: tuple[NamedUnit, ...] = ()

    def do(self, door: Door) -> Finding:
        """See `Job`."""
        try:
            check_manifest(self.manifest, self.signature, self.public_key, _policy(self.units))
        except Rejected as error:
            return _found(self.manifest, fault=error)
        return _found(self.manifest)


@dataclass(frozen=True, slots=True)
class AuditBundle(Job[Finding]):
    """Audit the bundle of a manifest that was read and is signed by ``public_key``.

    A fault of the manifest's own is told by the bytes at hand, whatever is served by now. Any other
    is one of the files below ``url``, if these are still of that manifest at the end. ``units`` are
    as of `CheckManifest`. The word of ``attesters`` on holdings is taken.
    """

    manifest: bytes
    most_bytes: int
    public_key: Bin32
    signature: bytes
    threads: int
    url: str
    units: tuple[NamedUnit, ...] = ()
    attesters: tuple[Attester, ...] = ()

    def do(self, door: Door) -> Finding:
        """See `Job`."""
        policy = _policy(self.units, self.attesters)
        try:
            checked = check_manifest(self.manifest, self.signature, self.public_key, policy)
        except Rejected as error:
            _check_known(error)
            return _found(self.manifest, fault=error)
        _check_size(checked, self.most_bytes)
        known = {MANIFEST_PATH: self.manifest, SIGNATURE_PATH: self.signature}
        source = _Metered(self.url, door, self.most_bytes, known)
        try:
            report = audit(source, self.public_key, policy=policy, jobs=self.threads)
        except Rejected as error:
            _check_known(error)
            self._check_unchanged(door)
            return _found(self.manifest, fault=error, record=_record_of(error, source))
        except CannotCheck as error:
            if error.code is not Code.CHECK_FUTURE:
                raise
            return _found(self.manifest, fault=error)
        return _found(self.manifest, report=report)

    def _check_unchanged(self, door: Door) -> None:
        if ReadManifest(self.url).do(door).data != self.manifest:
            raise _unreadable("the bundle was replaced during the audit")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Code and place of a package's first fault, empty if it holds."""

    code: str
    place: str


@dataclass(frozen=True, slots=True)
class CheckPackage(Job[Verdict]):
    """Check a package that the exchange signed, for the account that it names, in the bundle below
    a URL.
    """

    manifest: bytes
    package: bytes
    public_key: Bin32
    signature: bytes
    url: str

    def do(self, door: Door) -> Verdict:
        """See `Job`."""
        checked = check_manifest(self.manifest, self.signature, self.public_key, Policy())
        try:
            body = check_package(checked, self.package, self._account_id(checked))
            self._check_leaves(door, checked, body)
        except Rejected as error:
            _check_known(error)
            return Verdict(error.code, escape(error.where))
        return Verdict("", "")

    def _account_id(self, checked: CheckedManifest) -> str:
        """Return the id that the package names in the form that a customer types, "" if nobody can.

        What stands around the signed body anybody can write, so faults of it are nobody's.
        """
        try:
            package = read_record(Package, self.package)
        except ValueError:
            raise Misuse("this is no inclusion package") from None
        id_type = cast(IdType, checked.manifest.account_id_type)  # one of the three, if checked
        try:
            body = read_record(PackageBody, package.body)
            if body.manifest != checked.digest:
                raise Misuse("this is no inclusion package")
            return canonical_account_id(body.account_id, id_type)
        except (NotCanonical, BadFields, AccountError):
            return ""

    def _check_leaves(self, door: Door, checked: CheckedManifest, body: PackageBody) -> None:
        """Check the leaves. Of each, what the package says comes after its path to the signed root.

        Raises:
            Rejected: they are not what the package says.
            CannotCheck: the pages are not there, or are no such: anybody may serve them damaged.
        """
        with closing(_Metered(self.url, door, COMPLAINT_BYTES)) as source:
            try:
                check_leaves(source, checked, body)
            except Rejected as error:
                if error.code.startswith(("inclusion.", "opening.")):
                    raise
                raise _unreadable(f"the copy of the proof is damaged: {error.code}") from None


KINDS: tuple[type[Job[object]], ...] = (
    ReadIndex,
    ReadManifest,
    CheckManifest,
    AuditBundle,
    CheckPackage,
)


class _Metered(HttpSource):
    """A bundle of which at most ``most_bytes`` are read, and of which ``known`` files were."""

    def __init__(
        self, url: str, door: Door, most_bytes: int, known: Mapping[str, bytes] | None = None
    ) -> None:
        super().__init__(url, door=door)
        self._left = most_bytes
        self._spending = threading.Lock()
        self._known = known or {}
        self.record: dict[str, bytes] = {}  # of arguments, and its signature, once read

    def read(self, path: str, limit: int) -> bytes:
        """See `Source`."""
        if path in self._known:
            return self._known[path][: limit + 1]
        data = super().read(path, min(limit, self._left))
        self._spend(len(data))
        if path in (RECORD_PATH, RECORD_SIGNATURE_PATH):
            self.record[path] = data
        return data

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """See `Source`."""
        self._spend(length)
        return super().read_range(path, offset, length)

    def _spend(self, count: int) -> None:
        with self._spending:
            self._left -= count
            is_over = self._left < 0
        if is_over:
            raise _unreadable("the bundle has more bytes than this host reads")


def _check_size(checked: CheckedManifest, most_bytes: int) -> None:
    """Refuse before the first page is read what the manifest alone says is too much."""
    total = sum(
        asset.shape.pages_file_bytes(level) + asset.shape.arguments_file_bytes(level)
        for asset in checked.manifest.assets
        for level in range(asset.levels)
    )
    if total > most_bytes:
        raise _unreadable(f"pages and arguments have {total} bytes, more than this host reads")


def _record_of(error: Rejected, source: _Metered) -> tuple[SignedRecord, ...]:
    """Return the record that names an argument which fails; those of hidden sets have none."""
    if not error.code.startswith("argument.") or "hidden set" in error.where:
        return ()
    return (SignedRecord(source.record[RECORD_PATH], source.record[RECORD_SIGNATURE_PATH]),)


def _found(
    data: bytes,
    report: Report | None = None,
    fault: Rejected | CannotCheck | None = None,
    record: tuple[SignedRecord, ...] = (),
) -> Finding:
    """Return what was found of a manifest, given as its bytes."""
    manifest = _readable(data)
    levels = {asset.code: str(asset.level) for asset in report.assets} if report else {}
    times = report.block_times if report else {}
    code, message = (str(fault.code), fault.message) if fault else ("", "")
    place = escape(fault.where)[:_MOST_PLACE] if isinstance(fault, Rejected) else ""
    if manifest is None:
        return Finding(
            assets=(),
            attested=(),
            attested_total=0,
            authority_unchecked=(),
            block_times=(),
            chains=(),
            code=code,
            declared=(),
            exchange="",
            message=message,
            old_keys=(),
            place=place,
            previous=bytes(ID_BYTES),
            record=(),
            set_aside=(),
            snapshot_id="",
            time=0,
            undated=(),
        )
    attested = [
        (asset.code, holding)
        for asset in (report.assets if report else ())
        for holding in asset.attested
    ]
    return Finding(
        assets=tuple(
            AttestedAsset(asset.code, asset.ratio.den, levels.get(asset.code, ""), asset.ratio.num)
            for asset in manifest.assets
        ),
        attested=tuple(
            AttestedLines(code, holding.lines(code)) for code, holding in attested[:_MOST_ATTESTED]
        ),
        attested_total=len(attested),
        authority_unchecked=report.authority_unchecked if report else (),
        block_times=tuple(BlockTime(chain, time) for chain, time in sorted(times.items())),
        chains=manifest.chains,
        code=code,
        declared=(_declared(report),) if report else (),
        exchange=manifest.exchange,
        message=message,
        old_keys=tuple(
            change.old_key for change in manifest.rotation if not rotation_fault(manifest, change)
        ),
        place=place,
        previous=manifest.previous,
        record=record,
        set_aside=report.set_aside if report else (),
        snapshot_id=manifest.snapshot_id,
        time=manifest.time,
        undated=_undated(report) if report else (),
    )


def _undated(report: Report) -> tuple[str, ...]:
    """Return the codes of assets that blocks show, of another day or of an unknown time (3.4)."""
    chains = {*report.far, *report.undated}
    return tuple(
        asset.code
        for asset, found in zip(report.manifest.assets, report.assets, strict=True)
        if found.level in _BY_BLOCK and any(unit.chain in chains for unit in asset.units)
    )


def _declared(report: Report) -> Declared:
    pledged = [item for item in report.assets if item.pledged_rows]
    return Declared(
        loans=tuple(
            DeclaredLoan(loan.amount, loan.code, loan.lender, len(loan.pledged))
            for loan in report.loans[:_MOST_LOANS]
        ),
        pledged=tuple(
            PledgedAsset(coins_text(item.pledged, item.decimals), item.code, item.pledged_rows)
            for item in pledged[:_MOST_LOANS]
        ),
        pledged_total=len(pledged),
        total=len(report.loans),
    )


def _check_known(error: Rejected) -> None:
    """Check that a fault of signed bytes is one, and not of what this host is too old for.

    Raises:
        CannotCheck: it is.
    """
    if error.code in _NEWS or error.is_of_other_version:
        raise _unreadable(f"this host is older than what it read: {error}") from None


def _readable(data: bytes) -> Manifest | None:
    try:
        return read_record(Manifest, data)
    except ValueError:
        return None


def open_package(package: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the body of a package, its signature, and the digest of the manifest that it names.

    They are taken from where canonical msgpack has them (spec/wire.md, section 6), and nothing else
    is read: whoever goes by them checks the signature, and the package in a job.

    Raises:
        Misuse: they are not there.
    """
    head = _PACKAGE_HEAD.match(package)
    end = len(package) - len(_PACKAGE_TAIL) - SIGNATURE_BYTES
    body = package[head.end() : end] if head else b""
    at = body.rfind(_MANIFEST_NAME, max(0, len(body) - _MOST_FROM_MANIFEST))
    digest = body[at + len(_MANIFEST_NAME) :][:ID_BYTES]
    is_whole = len(digest) == ID_BYTES and package.startswith(_PACKAGE_TAIL, end)
    if at < 0 or not is_whole or len(package) > MAX_PACKAGE_BYTES:
        raise Misuse("this is no inclusion package")
    return body, package[-SIGNATURE_BYTES:], digest


def _unreadable(message: str) -> CannotCheck:
    return CannotCheck(Code.CHECK_UNREADABLE, message)
