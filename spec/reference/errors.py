"""How a check ends that does not accept (errors.md): by a code of the closed list."""

from __future__ import annotations


class Rejected(Exception):
    """The first fault that was found.

    Attributes: `code` of errors.md; `where`, a file or a row of one; `message`, for people.
    """

    def __init__(self, code: str, where: str, message: str) -> None:
        super().__init__(f"{code}: {where}: {message}")
        self.code = code
        self.where = where
        self.message = message


class NotCheckedError(Exception):
    """No verdict, and no fault: `code` is one of errors.md 6."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class UnsupportedError(Exception):
    """A genuine signature perhaps, but of a kind that protocol.md 3 refuses.

    Attribute `what`: `signature` or `template`, as in the codes `evidence.unsupported-…`.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what
