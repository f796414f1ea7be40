"""One look at one bundle: is its manifest new, and if so, does it hold?

The numbers are those of `Auditor.look`:

1. The manifest, under the exchange's key. Anything else that is served is no news of the exchange.
2. Known already: nothing to do, but a rejected one is tried again after a while, since a copy may
   have been damaged. Else the audit must fit the host's limits on bytes and time.
3. The audit. What cannot be read, or is not there yet, is no outcome: the next look tries again.
4. The outcome is signed and kept, in one transaction. A fault counts against the exchange only if
   the exchange's own place serves it, or the signed manifest itself is at fault: anybody can serve
   a damaged copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.chain.levels import Level
from verifier.errors import CannotCheck, Code, Rejected
from verifier.host.attestation import (
    ATTESTATION_VERSION,
    CHECKED,
    NO_NODE,
    NOT_CHECKED,
    Attestation,
    AttestedAsset,
    sign_attestation,
    verifier_version,
)
from verifier.host.settings import Settings
from verifier.host.store import Audited, Store
from verifier.http_source import Door, HttpSource
from verifier.keys import is_signed
from verifier.manifest import CheckedManifest, check_manifest, read_signed_manifest
from verifier.policy import Policy
from verifier.statement import manifest_digest
from verifier.verify import Report, audit
from verifier.wire import Manifest, read_record

RETRY_SECONDS = 3600


class Auditor:
    """Audits bundles under the host's settings; ``now`` gives Unix seconds."""

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey,
        store: Store,
        door: Door,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._key = key
        self._store = store
        self._door = door
        self._now = now

    def look(self, url: str, public_key: bytes, *, own: bool) -> Audited:
        """Look at what is served below a URL; return what is known of its manifest afterwards.

        ``own``: the URL is the exchange's, as the host's settings have it.

        Raises:
            Rejected: what is served is not signed by the exchange, is not complete, or is another's
                damaged copy.
            CannotCheck: it could not be read, or is over the host's limits.
            Misuse: the URL is malformed.
        """
        # 1
        with closing(HttpSource(url, door=self._door)) as source:
            data, signature = read_signed_manifest(source)
        if not is_signed(public_key, "manifest-signature", data, signature):
            raise Rejected(Code.MANIFEST_BAD_SIGNATURE, "manifest", "not signed by this key")
        # 2
        digest = manifest_digest(data)
        known = self._store.snapshot(digest)
        if known is not None and (
            not known.code or not own or self._now() - known.audited < RETRY_SECONDS
        ):
            return known
        # 3
        fault: Rejected | None = None
        report: Report | None = None
        try:
            checked = check_manifest(data, signature, public_key, Policy())
            self._check_size(checked)
            report = self._audit(url, public_key, digest)
        except Rejected as error:
            uploading = error.code == Code.BUNDLE_MISSING_FILE
            if uploading or not (own or error.code.startswith("manifest.")):
                raise
            fault = error
        # 4
        found = self._outcome(url, public_key, data, signature, report, fault)
        self._store.add_snapshot(found)
        return found

    def _check_size(self, checked: CheckedManifest) -> None:
        total = sum(
            shape.file_bytes(level)
            for shape in map(checked.shape, checked.manifest.assets)
            for level in range(shape.levels)
        )
        if total > self._settings.bundle_bytes:
            message = f"the pages have {total} bytes, more than this host reads"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)

    def _audit(self, url: str, public_key: bytes, digest: bytes) -> Report:
        end = time.monotonic() + self._settings.audit_seconds

        def watch(*_: object) -> None:
            if time.monotonic() > end:
                raise CannotCheck(Code.CHECK_UNREADABLE, "the audit took too long")

        source = HttpSource(url, door=self._door)
        report = audit(source, public_key, jobs=self._settings.jobs, progress=watch, on_check=watch)
        if report.digest != digest:
            raise CannotCheck(Code.CHECK_UNREADABLE, "the manifest changed during the audit")
        return report

    def _outcome(
        self,
        url: str,
        public_key: bytes,
        data: bytes,
        signature: bytes,
        report: Report | None,
        fault: Rejected | None,
    ) -> Audited:
        """Sign what was found. A manifest that cannot be read is known by its digest alone."""
        try:
            manifest: Manifest | None = read_record(Manifest, data)
        except ValueError:
            manifest = None
        digest, now = manifest_digest(data), int(self._now())
        levels = {asset.code: asset.level for asset in report.assets} if report else {}
        assets = tuple(
            AttestedAsset(
                asset.code, asset.ratio.den, str(levels.get(asset.code, "")), asset.ratio.num
            )
            for asset in (manifest.assets if manifest else ())
        )
        chain = bool(report) and all(level is Level.CHAIN for level in levels.values())
        attestation = Attestation(
            assets=assets if report else (),
            checked=CHECKED if report else (),
            code=fault.code if fault else "",
            exchange=manifest.exchange if manifest else "",
            manifest=digest,
            not_checked=NOT_CHECKED if chain else (*NOT_CHECKED, NO_NODE),
            place=fault.where[:256] if fault else "",
            public_key=public_key,
            snapshot_id=manifest.snapshot_id if manifest else "",
            time=now,
            verifier=verifier_version(),
            version=ATTESTATION_VERSION,
        )
        attested, attested_signature = sign_attestation(self._key, attestation)
        return Audited(
            digest=digest,
            public_key=public_key,
            exchange=attestation.exchange,
            snapshot_id=attestation.snapshot_id,
            previous=manifest.previous if manifest else bytes(32),
            time=min(manifest.time, 2**40) if manifest else now,
            url=url,
            audited=now,
            code=attestation.code,
            place=attestation.place,
            details={
                "assets": [[item.code, item.level, item.num, item.den] for item in assets],
                "chains": [[c.name, c.height, c.hash.hex()] for c in manifest.chains]
                if manifest
                else [],
                "old_keys": [change.old_key.hex() for change in manifest.rotation]
                if manifest and not attestation.code.startswith("manifest.")
                else [],
                "block_times": dict(report.block_times) if report else {},
            },
            manifest=data,
            signature=signature,
            attestation=attested,
            attestation_signature=attested_signature,
        )
