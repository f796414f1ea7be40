"""The closed list of codes, and the ways in which a check ends other than by returning.

The list is that of ``spec/errors.md``; a test compares the two. Messages hold no balance, blinding
factor, key or account id.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every code; those of `check` are not rejections."""

    BUNDLE_MISSING_FILE = "bundle.missing-file"
    BUNDLE_UNEXPECTED_FILE = "bundle.unexpected-file"
    BUNDLE_WRONG_ARGUMENT = "bundle.wrong-argument"

    MANIFEST_TOO_LARGE = "manifest.too-large"
    MANIFEST_BAD_SIGNATURE = "manifest.bad-signature"
    MANIFEST_NOT_CANONICAL = "manifest.not-canonical"
    MANIFEST_BAD_FIELDS = "manifest.bad-fields"
    MANIFEST_UNSUPPORTED_VERSION = "manifest.unsupported-version"
    MANIFEST_KEY_MISMATCH = "manifest.key-mismatch"
    MANIFEST_BAD_NAME = "manifest.bad-name"
    MANIFEST_BAD_SNAPSHOT_ID = "manifest.bad-snapshot-id"
    MANIFEST_BAD_TIME = "manifest.bad-time"
    MANIFEST_BAD_ACCOUNT_ID_TYPE = "manifest.bad-account-id-type"
    MANIFEST_BAD_CHAIN = "manifest.bad-chain"
    MANIFEST_BAD_ROTATION = "manifest.bad-rotation"
    MANIFEST_BAD_CODE = "manifest.bad-code"
    MANIFEST_BAD_DECIMALS = "manifest.bad-decimals"
    MANIFEST_BAD_UNITS = "manifest.bad-units"
    MANIFEST_UNIT_WITHOUT_BLOCK = "manifest.unit-without-block"
    MANIFEST_WRONG_UNIT = "manifest.wrong-unit"
    MANIFEST_UNIT_REUSED = "manifest.unit-reused"
    MANIFEST_BAD_PAGE_SIZE = "manifest.bad-page-size"
    MANIFEST_BAD_CAPACITY = "manifest.bad-capacity"
    MANIFEST_BAD_LEVELS = "manifest.bad-levels"
    MANIFEST_BAD_RATIO = "manifest.bad-ratio"
    MANIFEST_RATIO_BELOW_POLICY = "manifest.ratio-below-policy"
    MANIFEST_BAD_SUM = "manifest.bad-sum"
    MANIFEST_EQUIVOCATION = "manifest.equivocation"
    MANIFEST_BROKEN_CHAIN = "manifest.broken-chain"

    RECORD_TOO_LARGE = "record.too-large"
    RECORD_BAD_SIGNATURE = "record.bad-signature"
    RECORD_NOT_CANONICAL = "record.not-canonical"
    RECORD_BAD_FIELDS = "record.bad-fields"
    RECORD_UNSUPPORTED_VERSION = "record.unsupported-version"
    RECORD_WRONG_MANIFEST = "record.wrong-manifest"
    RECORD_WRONG_ASSETS = "record.wrong-assets"

    DECLARATION_TOO_LARGE = "declaration.too-large"
    DECLARATION_WRONG_DIGEST = "declaration.wrong-digest"
    DECLARATION_NOT_CANONICAL = "declaration.not-canonical"
    DECLARATION_BAD_FIELDS = "declaration.bad-fields"
    DECLARATION_UNSORTED = "declaration.unsorted"
    DECLARATION_BAD_LENDER = "declaration.bad-lender"
    DECLARATION_BAD_CODE = "declaration.bad-code"
    DECLARATION_BAD_AMOUNT = "declaration.bad-amount"
    DECLARATION_UNKNOWN_ADDRESS = "declaration.unknown-address"

    EVIDENCE_TOO_LARGE = "evidence.too-large"
    EVIDENCE_WRONG_DIGEST = "evidence.wrong-digest"
    EVIDENCE_NOT_CANONICAL = "evidence.not-canonical"
    EVIDENCE_BAD_FIELDS = "evidence.bad-fields"
    EVIDENCE_UNSUPPORTED_VERSION = "evidence.unsupported-version"
    EVIDENCE_WRONG_ASSET = "evidence.wrong-asset"
    EVIDENCE_UNSORTED = "evidence.unsorted"
    EVIDENCE_UNKNOWN_UNIT = "evidence.unknown-unit"
    EVIDENCE_UNSUPPORTED_CHAIN = "evidence.unsupported-chain"
    EVIDENCE_BAD_CONTRACT = "evidence.bad-contract"
    EVIDENCE_BAD_ADDRESS = "evidence.bad-address"
    EVIDENCE_DUPLICATE_ADDRESS = "evidence.duplicate-address"
    EVIDENCE_UNMATCHED_SIGNATURE = "evidence.unmatched-signature"
    EVIDENCE_UNSUPPORTED_SIGNATURE = "evidence.unsupported-signature"
    EVIDENCE_UNSUPPORTED_TEMPLATE = "evidence.unsupported-template"
    EVIDENCE_BAD_SIGNATURE = "evidence.bad-signature"
    EVIDENCE_BAD_COIN = "evidence.bad-coin"
    EVIDENCE_DUPLICATE_COIN = "evidence.duplicate-coin"
    EVIDENCE_UNMATCHED_COINS = "evidence.unmatched-coins"
    EVIDENCE_MIXED_ATTESTATION = "evidence.mixed-attestation"
    EVIDENCE_TOTAL_TOO_LARGE = "evidence.total-too-large"

    ATTESTATION_NOT_CANONICAL = "attestation.not-canonical"
    ATTESTATION_BAD_FIELDS = "attestation.bad-fields"
    ATTESTATION_UNSUPPORTED_VERSION = "attestation.unsupported-version"
    ATTESTATION_BAD_TEXT = "attestation.bad-text"
    ATTESTATION_WRONG_EXCHANGE = "attestation.wrong-exchange"
    ATTESTATION_UNKNOWN_UNIT = "attestation.unknown-unit"
    ATTESTATION_BAD_KIND = "attestation.bad-kind"
    ATTESTATION_BAD_AMOUNT = "attestation.bad-amount"
    ATTESTATION_EXPIRED = "attestation.expired"
    ATTESTATION_DUPLICATE = "attestation.duplicate"
    ATTESTATION_BAD_SIGNATURE = "attestation.bad-signature"

    HIDDEN_BAD_LENGTH = "hidden.bad-length"
    HIDDEN_BAD_SCRIPTS = "hidden.bad-scripts"
    HIDDEN_UNSORTED = "hidden.unsorted"
    HIDDEN_BAD_KEY = "hidden.bad-key"
    HIDDEN_BAD_COMMITMENT = "hidden.bad-commitment"
    HIDDEN_WRONG_AMOUNT = "hidden.wrong-amount"

    PROOF_BAD_HEADER = "proof.bad-header"
    PROOF_WRONG_BLOCK = "proof.wrong-block"
    PROOF_MISSING_NODE = "proof.missing-node"
    PROOF_BAD_NODE = "proof.bad-node"
    PROOF_BAD_VALUE = "proof.bad-value"
    PROOF_AMOUNT_TOO_LARGE = "proof.amount-too-large"
    PROOF_UNUSED_NODE = "proof.unused-node"

    CHAIN_WRONG_BLOCK = "chain.wrong-block"
    CHAIN_WRONG_AMOUNT = "chain.wrong-amount"
    CHAIN_BAD_OWNERSHIP = "chain.bad-ownership"

    ARGUMENT_BAD_LENGTH = "argument.bad-length"
    ARGUMENT_BAD_POINT = "argument.bad-point"
    ARGUMENT_BAD_SCALAR = "argument.bad-scalar"
    ARGUMENT_REJECTED = "argument.rejected"

    PAGE_BAD_FILE_LENGTH = "page.bad-file-length"
    PAGE_BAD_HEADER = "page.bad-header"
    PAGE_BAD_POINT = "page.bad-point"
    PAGE_INFINITE_SUM = "page.infinite-sum"
    PAGE_WRONG_CHILD_ID = "page.wrong-child-id"
    PAGE_WRONG_CHILD_SUM = "page.wrong-child-sum"
    PAGE_WRONG_ROOT_ID = "page.wrong-root-id"
    PAGE_WRONG_ROOT_SUM = "page.wrong-root-sum"

    PACKAGE_TOO_LARGE = "package.too-large"
    PACKAGE_NOT_CANONICAL = "package.not-canonical"
    PACKAGE_BAD_FIELDS = "package.bad-fields"
    PACKAGE_BAD_SIGNATURE = "package.bad-signature"
    PACKAGE_UNSUPPORTED_VERSION = "package.unsupported-version"
    PACKAGE_WRONG_MANIFEST = "package.wrong-manifest"
    PACKAGE_WRONG_ACCOUNT = "package.wrong-account"
    PACKAGE_WRONG_ASSETS = "package.wrong-assets"
    PACKAGE_BAD_PARTS = "package.bad-parts"
    PACKAGE_BAD_AMOUNT = "package.bad-amount"
    PACKAGE_BAD_LEAF = "package.bad-leaf"
    PACKAGE_DUPLICATE_LEAF = "package.duplicate-leaf"
    PACKAGE_BAD_PATH = "package.bad-path"

    OPENING_BAD_LENGTH = "opening.bad-length"
    OPENING_BAD_POINT = "opening.bad-point"
    OPENING_BAD_SCALAR = "opening.bad-scalar"

    INCLUSION_WRONG_IDENTITY = "inclusion.wrong-identity"
    INCLUSION_WRONG_AMOUNT = "inclusion.wrong-amount"
    INCLUSION_UNKNOWN_ASSET = "inclusion.unknown-asset"
    INCLUSION_BALANCE_SHORT = "inclusion.balance-short"

    WEB_OTHER_PAGE = "web.other-page"

    CHECK_NO_BUNDLE = "check.no-bundle"
    CHECK_UNREADABLE = "check.unreadable"
    CHECK_NOT_PROVED = "check.not-proved"
    CHECK_FUTURE = "check.future"
    CHECK_NOT_COMPARED = "check.not-compared"
    CHECK_TOO_WEAK = "check.too-weak"
    CHECK_UNKNOWN_UNIT = "check.unknown-unit"


class Rejected(Exception):
    """What was checked is false or malformed: ``code`` says how, ``where`` in which part of it.

    ``is_of_other_version`` tells of malformed fields that they are of a record which names another
    version, of which this verifier does not know the fields.
    """

    def __init__(self, code: Code, where: str, message: str) -> None:
        super().__init__(code, where, message)  # what a copy on another machine is made of
        self.code = code
        self.where = where
        self.message = message
        self.is_of_other_version = False

    def __str__(self) -> str:
        """Return code, place and message."""
        return f"{self.code}: {self.where}: {self.message}"


class CannotCheck(Exception):
    """No verdict: what is to be checked could not be read or compared (a ``check.*`` code)."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """Return code and message."""
        return f"{self.code}: {self.message}"


class Misuse(ValueError):
    """The caller's own input (key, policy, account id, balance, URL) is malformed."""


class ClusterError(Exception):
    """The machines that were to do the work cannot be had, or did not do it."""


class StageFailed(ClusterError):
    """A task came to an error that is not told: only its type is, lest a log gets data."""

    def __init__(self, stage: str, number: int, error: str) -> None:
        super().__init__(stage, number, error)
        self.stage = stage
        self.number = number
        self.error = error

    def __str__(self) -> str:
        """Name the task, and the type of its error."""
        return f"task {self.number} of {self.stage} failed: {self.error}"
