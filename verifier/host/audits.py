"""One look at one bundle: is its manifest new, and if so, does it hold?

The numbers are those of `Auditor`:

1. The manifest, under a key of the exchange. Anything else that is served is no news of it.
2. Settled already: nothing to do. The exchange's own place is audited even where a copy that
   somebody handed in was accepted, and again after a while where it was rejected, since it may have
   been damaged. A copy of what is known is audited, too: it is a place where complaints can be
   checked, and nothing else.
3. The audit, within limits of bytes, time and memory; those of what a stranger handed in are small.
   What cannot be read, or is not there yet, is no outcome: the next look tries again. But the
   exchange signed the manifest, so that is kept before, as one that is not audited: it is evidence
   of what it follows, of its id and of its time.
4. The outcome is signed and kept, in one transaction. A fault counts against the exchange only if
   the exchange's own place serves it, or the signed manifest itself is at fault: anybody can serve
   a damaged copy.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.account import is_name
from verifier.format.chains import FIAT
from verifier.format.keys import is_signed
from verifier.format.levels import Level
from verifier.format.params import DAY_SECONDS, MAX_TIME, SNAPSHOT_ID
from verifier.format.statement import manifest_digest
from verifier.host.alarms import is_ahead
from verifier.host.attestation import (
    ATTESTATION_VERSION,
    ATTESTED,
    CHECKED,
    NO_AUTHORITY,
    NO_DAY,
    NO_NODE,
    NOT_CHECKED,
    SET_ASIDE,
    Attestation,
    sign_attestation,
    verifier_version,
)
from verifier.host.jobs import (
    STRANGERS_NICE,
    AuditBundle,
    CheckManifest,
    Finding,
    Limits,
    ReadManifest,
    Run,
    SignedManifest,
    named_units,
)
from verifier.host.settings import Settings
from verifier.host.store import Audited, FailedRecord, Store

LOG = logging.getLogger("assay.host")
RETRY_SECONDS = 3600

# To read a manifest or an index: two requests at the pace that is bearable, and the start; of what
# was handed in it may be no slower than that a queue of it moves on.
LOOK = Limits(seconds=150, memory=2**29)
SUBMISSION_LOOK = Limits(seconds=30, memory=2**29, nice=STRANGERS_NICE)
# The largest evidence that the format allows takes 2.6 GiB; a stranger's is to be smaller.
AUDIT_MEMORY, SUBMISSION_MEMORY = 4 * 2**30, 2**30
# Of one key so many manifests are kept that could not be audited, and more where they are rivals of
# so many at most: of one id, time, or predecessor.
MAX_UNAUDITED, MAX_RIVALS = 1000, 10

# What is not there, or not what the exchange signed, says nothing of what it did sign.
_NOBODYS = frozenset(
    {
        Code.BUNDLE_MISSING_FILE,
        Code.BUNDLE_WRONG_ARGUMENT,
        Code.RECORD_TOO_LARGE,
        Code.RECORD_BAD_SIGNATURE,
    }
)


class Auditor:
    """Audits bundles under the host's settings; ``now`` gives Unix seconds."""

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey,
        store: Store,
        run: Run,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._named = named_units(settings.named)
        self._key = key
        self._store = store
        self._run = run
        self._now = now

    def look(self, url: str, keys: Sequence[bytes], *, own: bool) -> Audited:
        """Look at what is served below a URL; return what is known of its manifest afterwards.

        ``own``: the URL is the exchange's, as the host's settings have it.

        Raises:
            Rejected: what is served is not signed by the exchange, is not complete, or is another's
                damaged copy.
            CannotCheck: it could not be read, or is over the host's limits.
            Misuse: the URL is malformed.
        """
        return self.settle(url, *self.read(url, keys, own=own), own=own)

    def read(self, url: str, keys: Sequence[bytes], *, own: bool) -> tuple[SignedManifest, bytes]:
        """Return the manifest that is served below a URL, and which of ``keys`` signed it (1).

        Raises:
            Rejected: none of them did, or there is none.
            CannotCheck: it could not be read.
            Misuse: the URL is malformed.
        """
        found = self._run(ReadManifest(url), LOOK if own else SUBMISSION_LOOK)
        for key in keys:
            if is_signed(key, "manifest-signature", found.data, found.signature):
                return found, key
        raise Rejected(Code.MANIFEST_BAD_SIGNATURE, "manifest", "not signed by this key")

    def settle(self, url: str, signed: SignedManifest, public_key: bytes, *, own: bool) -> Audited:
        """Return what is known of a manifest that was read below a URL, after an audit if due.

        Raises:
            Rejected, CannotCheck: see `look`.
        """
        # 2
        digest = manifest_digest(signed.data)
        known = self._store.snapshot(digest)
        if known is not None and not self._is_due(known, url, own):
            return known
        # 3
        if own and (known is None or not known.own):
            self.keep(url, signed, public_key, own=True)
        finding = self._audit(url, signed, public_key, own=own)
        # 4
        if known is None or own or not known.is_settled:
            self._store.add_snapshot(self._outcome(url, signed, public_key, finding, own=own))
        else:
            self._store.note_place(digest, url, int(self._now()))
        found = self._store.snapshot(digest)
        assert found is not None  # noqa: S101 (it is kept by now)
        return found

    def keep(self, url: str, signed: SignedManifest, public_key: bytes, *, own: bool) -> None:
        """Keep a manifest of a watched exchange that was read below a URL, unless it is known.

        One that this host cannot read is not kept: nothing of it can be told. So many that are not
        audited are kept for one key, since whoever has it can sign more; beyond them what the
        exchange's own place serves, and a few that contradict a known one.
        """
        known = self._store.snapshot(manifest_digest(signed.data))
        if known is not None and (known.is_audited or known.own >= own):
            return
        try:
            job = CheckManifest(signed.data, public_key, signed.signature, self._named)
            finding = self._run(job, LOOK)
        except CannotCheck as error:
            LOG.warning("a manifest that is not audited cannot be kept: %s", error)
            return
        if finding.time == 0 and not finding.exchange:
            return
        if known is None and not own and not self._has_room(public_key, finding):
            LOG.warning("one more manifest that is not audited is not kept: %d are", MAX_UNAUDITED)
            return
        unread = replace(finding, assets=(), chains=(), code=str(Code.CHECK_UNREADABLE), place="")
        self._store.add_snapshot(self._outcome(url, signed, public_key, unread, own=own))

    def _has_room(self, public_key: bytes, finding: Finding) -> bool:
        store = self._store
        if store.unaudited(public_key) < MAX_UNAUDITED:
            return True
        against = store.rivals(public_key, finding.snapshot_id, finding.previous, finding.time)
        return 1 <= against < MAX_RIVALS

    def _is_due(self, known: Audited, url: str, own: bool) -> bool:
        if not known.is_audited:
            return True
        if known.code == Code.CHECK_FUTURE and not is_ahead(known, int(self._now())):
            return own or not known.own
        if not own:
            return url not in self._store.places(known.digest)
        is_rejected = bool(known.code) and self._now() - known.audited >= RETRY_SECONDS
        return not known.own or is_rejected

    def _audit(self, url: str, signed: SignedManifest, public_key: bytes, *, own: bool) -> Finding:
        """Return what an audit finds that counts (3).

        Raises:
            Rejected, CannotCheck: see `look`.
        """
        settings = self._settings
        most_bytes = settings.bundle_bytes if own else settings.submission_bytes
        job = AuditBundle(
            attesters=settings.attesters,
            manifest=signed.data,
            most_bytes=most_bytes,
            public_key=public_key,
            signature=signed.signature,
            threads=settings.jobs,
            url=url,
            units=self._named,
        )
        if own:
            limits = Limits(settings.audit_seconds, AUDIT_MEMORY)
        else:
            limits = Limits(settings.submission_seconds, SUBMISSION_MEMORY, STRANGERS_NICE)
        finding = self._run(job, limits)
        self._keep_record(manifest_digest(signed.data), public_key, finding)
        is_nobodys = finding.code in _NOBODYS
        if is_nobodys or (finding.code and not own and not _is_told_by_manifest(finding)):
            raise Rejected(Code(finding.code), finding.place, finding.message)
        return finding

    def _keep_record(self, manifest: bytes, public_key: bytes, finding: Finding) -> None:
        """Keep a record that names an argument which fails, of a manifest that is kept.

        It is signed, and its arguments are of the pages that the manifest names, whoever serves
        them. Another record of the manifest may hold and be served in its place.
        """
        if self._store.snapshot(manifest) is None:
            return
        now = int(self._now())
        for record in finding.record:
            digest = hashlib.sha256(record.data).digest()
            found = FailedRecord(
                digest, manifest, finding.code, finding.place, now, record.data, record.signature
            )
            self._store.add_record(public_key, found)

    def _outcome(
        self, url: str, signed: SignedManifest, public_key: bytes, finding: Finding, *, own: bool
    ) -> Audited:
        """Sign what was found. A manifest that cannot be read is known by its digest alone."""
        now = int(self._now())
        attestation = _attestation(finding, manifest_digest(signed.data), public_key, now)
        data, signature = sign_attestation(self._key, attestation)
        return Audited(
            digest=attestation.manifest,
            public_key=public_key,
            exchange=attestation.exchange,
            snapshot_id=attestation.snapshot_id,
            previous=finding.previous,
            time=min(finding.time, MAX_TIME) or now,
            seen=now,
            served=now if own and finding.code != Code.CHECK_UNREADABLE else 0,
            url=url,
            own=own,
            audited=now,
            found=now,
            code=finding.code,
            place=finding.place,
            details=_details(finding),
            manifest=signed.data,
            signature=signed.signature,
            attestation=data,
            attestation_signature=signature,
        )


def _is_of_manifest(finding: Finding) -> bool:
    return finding.code.startswith("manifest.")


def _is_told_by_manifest(finding: Finding) -> bool:
    return _is_of_manifest(finding) or finding.code == Code.CHECK_FUTURE


def _name(finding: Finding) -> str:
    """Return the exchange's name, empty if readers could not be shown it."""
    return finding.exchange if is_name(finding.exchange) else ""


def _attestation(finding: Finding, digest: bytes, public_key: bytes, now: int) -> Attestation:
    accepted = not finding.code
    aside = frozenset(finding.set_aside)
    listed = tuple(asset for asset in finding.assets if asset.code not in aside)
    not_checked = list(NOT_CHECKED)
    if not (accepted and listed and all(asset.level == Level.CHAIN for asset in listed)):
        not_checked.append(NO_NODE)
    if finding.attested_total:
        not_checked.append(ATTESTED)
    if finding.authority_unchecked:
        not_checked.append(NO_AUTHORITY.format(", ".join(finding.authority_unchecked)))
    if finding.set_aside:
        not_checked.append(SET_ASIDE)
    if accepted and (strange := _of_another_day(finding)):
        not_checked.append(NO_DAY.format(", ".join(strange)))
    return Attestation(
        assets=listed if accepted else (),
        checked=CHECKED if accepted else (),
        code=finding.code,
        exchange=_name(finding),
        manifest=digest,
        not_checked=tuple(not_checked),
        place=finding.place,
        public_key=public_key,
        snapshot_id=finding.snapshot_id if SNAPSHOT_ID.fullmatch(finding.snapshot_id) else "",
        time=now,
        verifier=verifier_version(),
        version=ATTESTATION_VERSION,
    )


def _of_another_day(finding: Finding) -> list[str]:
    """Return the chains whose block is not known to be of the snapshot's day."""
    times = {item.chain: item.time for item in finding.block_times}
    return [
        chain.name
        for chain in finding.chains
        if chain.name != FIAT and abs(times.get(chain.name, 0) - finding.time) > DAY_SECONDS
    ]


def _details(finding: Finding) -> dict[str, Any]:
    """Return what pages show beside; of a manifest whose own fields are at fault only old keys."""
    old_keys = [key.hex() for key in finding.old_keys]
    if _is_of_manifest(finding):
        return {
            "assets": [],
            "attested": [],
            "attested_total": 0,
            "authority_unchecked": [],
            "chains": [],
            "old_keys": old_keys,
            "block_times": {},
            "set_aside": [],
            "undated": [],
            "declared": None,
        }
    return {
        "assets": [[item.code, item.level, item.num, item.den] for item in finding.assets],
        "attested": [[item.code, item.lines] for item in finding.attested],
        "attested_total": finding.attested_total,
        "authority_unchecked": list(finding.authority_unchecked),
        "chains": [[chain.name, chain.height, chain.hash.hex()] for chain in finding.chains],
        "old_keys": old_keys,
        "block_times": {block.chain: block.time for block in finding.block_times},
        "set_aside": list(finding.set_aside),
        "undated": list(finding.undated),
        "declared": next((asdict(declared) for declared in finding.declared), None),
    }
