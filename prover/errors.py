"""What the prover tells its operator when it cannot, or will not, make a snapshot.

Messages name file, line, column and rule; they hold no balance, key or blinding factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from verifier.errors import ClusterError, Rejected
from verifier.texts import explain

LISTED: Final = 10
"""So many faults of one kind are named one by one; the others are counted."""

RESTORE: Final = "restore private folder and bundle of one run from a backup"
"""The remedy for `Damaged` files of a snapshot."""


class Code(StrEnum):
    """Why an input is refused. docs/refused-input.md has a row for each: rule and remedy."""

    # Ledgers
    BAD_ID = "bad-id"
    BAD_QUOTE = "bad-quote"
    BAD_UNICODE = "bad-unicode"
    DUPLICATE_COLUMN = "duplicate-column"
    DUPLICATE_ID = "duplicate-id"
    EMPTY_ID = "empty-id"
    MISSING_COLUMN = "missing-column"
    NEGATIVE = "negative"
    NO_BALANCE = "no-balance"
    NON_FINITE = "non-finite"
    NOT_A_NUMBER = "not-a-number"
    NOT_EXACT = "not-exact"
    NOT_WHOLE = "not-whole"
    OTHER_COLUMNS = "other-columns"
    TOO_LARGE = "too-large"
    TOO_LONG_ID = "too-long-id"
    TRUNCATED = "truncated"
    UNEXPECTED = "unexpected"
    UNKNOWN_ASSET = "unknown-asset"
    UNREAD_COLUMN = "unread-column"
    UNREADABLE = "unreadable"
    WRONG_FORMAT = "wrong-format"

    # snapshot.toml
    CONTRADICTION = "contradiction"
    MISSING_KEY = "missing-key"
    NOT_TOML = "not-toml"
    UNKNOWN_KEY = "unknown-key"
    UNKNOWN_UNIT = "unknown-unit"
    UNPROVABLE_CHAIN = "unprovable-chain"
    WRONG_TYPE = "wrong-type"
    WRONG_VALUE = "wrong-value"

    # Evidence
    BAD_ADDRESS = "bad-address"
    BAD_AMOUNT = "bad-amount"
    BAD_ATTESTATION = "bad-attestation"
    BAD_CELL = "bad-cell"
    BAD_SIGNATURE = "bad-signature"
    COUNTED_TWICE = "counted-twice"
    MALFORMED_LIST = "malformed-list"
    NO_SIGNATURE = "no-signature"
    OTHER_ASSET = "other-asset"
    OTHER_UNIT = "other-unit"
    TWO_SIGNATURES = "two-signatures"
    WRONG_COLUMNS = "wrong-columns"


class ProverError(Exception):
    """The operator's input, or the state of a folder, does not allow what was asked."""


class Damaged(ProverError):
    """Files that the prover wrote are not as it wrote them, or of different runs."""


class InputError(ProverError):
    """A file of the operator's is refused: ``where`` names file and place, ``words`` the rule."""

    def __init__(self, where: str, code: Code, words: str, remedy: str = "") -> None:
        super().__init__(f"{where}: {words} ({code})" + (f"; {remedy}" if remedy else ""))
        self.code = code


class Incomplete(ProverError):
    """Not all is there that a snapshot is made of: ``missing`` has a line for each that is not."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("\n".join(missing))
        self.missing = tuple(missing)


class AssetsShort(ProverError):
    """The assets do not cover the liabilities.

    The one error whose message holds figures: by how much each asset falls short, for the
    operator alone. ``words`` say so; the message adds what whoever runs the command does.
    """

    def __init__(self, words: str, remedy: str) -> None:
        super().__init__(f"{words}. {remedy}")
        self.words = words


def words_of(error: Exception) -> str | None:
    """Return how an error is told to whoever operates, None of one that nobody foresaw.

    These are the words of the command and of the service.
    """
    match error:
        case Rejected():
            words = explain(error.code)
            return f"{error}\n{words.finding} {words.advice}"
        case ProverError() | ClusterError():
            return str(error)
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        case MemoryError():
            return "not enough memory"
    return None


class Refusals:
    """Gathers what is wrong with the parts of one input, so that one run tells of all of them."""

    def __init__(self) -> None:
        self._errors: list[ProverError] = []
        self._count = 0

    @contextmanager
    def part(self) -> Iterator[None]:
        """Let an error about one part wait until all were looked at."""
        try:
            yield
        except ProverError as error:
            self._count += 1
            if len(self._errors) < LISTED:
                self._errors.append(error)

    def settle(self) -> None:
        """Raise what was gathered, if anything was.

        Raises:
            ProverError: the one error; of several, one with a line for each of the first ten.
        """
        if self._count == 1:
            raise self._errors[0]
        if self._count:
            lines = [str(error) for error in self._errors]
            if self._count > len(lines):
                lines.append(f"and {self._count - len(lines):,} more of {self._count:,}")
            raise ProverError("\n".join(lines))
