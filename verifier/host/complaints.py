"""A customer's failing package: does it fail by itself, whatever its owner claims to hold?

A balance that a customer types may be mistyped, which is no fraud, so none is asked for: the
package is checked for the account that it names. Only one that the exchange signed, for a manifest
that this host has seen, can count against the exchange.
"""

from __future__ import annotations

import hashlib
from contextlib import closing

from verifier.account import AccountError, canonical_account_id
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.host.store import Audited, Complaint, Store
from verifier.http_source import Door, HttpSource
from verifier.inclusion import check_leaves, check_package
from verifier.keys import is_signed
from verifier.manifest import CheckedManifest, check_manifest
from verifier.params import MAX_PACKAGE_BYTES
from verifier.policy import Policy
from verifier.wire import Package, PackageBody, read_record


def check_complaint(
    store: Store, door: Door, data: bytes, now: int, *, publish: bool
) -> Complaint | None:
    """Check a package; keep and return the complaint if it fails by itself, None if it holds.

    ``publish``: whether its owner agrees that the package itself is shown.

    Raises:
        Misuse: it is no package, not signed by the exchange, or of a manifest never seen here.
        CannotCheck: the bundle could not be read.
    """
    found, body = _identify(store, data)
    checked = check_manifest(found.manifest, found.signature, found.public_key, Policy())
    try:
        _check(checked, found, door, data, body)
    except Rejected as error:
        package = data if publish else None
        digest = hashlib.sha256(data).digest()
        complaint = Complaint(digest, found.digest, error.code, error.where, now, package)
        store.add_complaint(complaint)
        return complaint
    return None


def _identify(store: Store, data: bytes) -> tuple[Audited, PackageBody]:
    """Return the manifest that a package is for, and the package's body."""
    if not 1 <= len(data) <= MAX_PACKAGE_BYTES:
        raise Misuse("a package has 1 byte to 1 MiB")
    try:
        package = read_record(Package, data)
        body = read_record(PackageBody, package.body)
    except ValueError:
        raise Misuse("this is no inclusion package") from None
    found = store.snapshot(body.manifest)
    if found is None:
        raise Misuse("the package is for a proof that this host has not audited")
    if not is_signed(found.public_key, "package-signature", package.body, package.signature):
        raise Misuse("the exchange did not sign this package")
    if found.code.startswith("manifest."):
        raise Misuse("the package is for a manifest that is itself rejected")
    return found, body


def _check(
    checked: CheckedManifest, found: Audited, door: Door, data: bytes, body: PackageBody
) -> None:
    """The light check, for the account that the package names.

    An id that has no canonical form is one that no customer can type: `package.wrong-account`.
    """
    try:
        named = canonical_account_id(body.account_id, checked.manifest.account_id_type)  # type: ignore[arg-type]
    except AccountError:
        named = ""
    check_package(checked, data, named)
    with closing(HttpSource(found.url, door=door)) as source:
        try:
            check_leaves(source, checked, body, openings=False)
        except Rejected as error:
            message = f"the copy of the proof at hand is damaged: {error.code}"
            raise CannotCheck(Code.CHECK_UNREADABLE, message) from None
        check_leaves(source, checked, body)
