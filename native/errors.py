"""What the core raises: about its inputs, about what it checks, about what it proves."""

from __future__ import annotations

from native._core import lib

CODES = {
    lib.ASSAY_BAD_HEADER: "page.bad-header",
    lib.ASSAY_BAD_ENTRY: "page.bad-point",
    lib.ASSAY_BAD_LENGTH: "argument.bad-length",
    lib.ASSAY_BAD_ARGUMENT_POINT: "argument.bad-point",
    lib.ASSAY_BAD_ARGUMENT_SCALAR: "argument.bad-scalar",
    lib.ASSAY_REJECTED: "argument.rejected",
    lib.ASSAY_INFINITE_SUM: "page.infinite-sum",
    lib.ASSAY_WRONG_IDENTITY: "inclusion.wrong-identity",
    lib.ASSAY_BAD_OPENING_POINT: "opening.bad-point",
    lib.ASSAY_BAD_OPENING_SCALAR: "opening.bad-scalar",
    lib.ASSAY_WRONG_AMOUNT: "inclusion.wrong-amount",
}
_MISUSES = {
    lib.ASSAY_BAD_COUNT: "a count, a width or a place is out of range",
    lib.ASSAY_BAD_SCALAR: "a blinding factor is not below the group order",
    lib.ASSAY_BAD_POINT: "a commitment is not a point",
    lib.ASSAY_BAD_OPENING: "a commitment is not that to its value and blinding factor",
}


class NativeError(ValueError):
    """An element of an input array is malformed: ``code`` says how, ``index`` which."""

    def __init__(self, code: str, index: int) -> None:
        super().__init__(f"{code} at index {index}")
        self.code = code
        self.index = index


class Rejected(Exception):
    """What was checked was refused; ``code`` is the row of spec/errors.md."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PageRejected(Rejected):
    """A page was refused; ``index`` says which of those that were checked."""

    def __init__(self, index: int, code: str) -> None:
        super().__init__(code)
        self.index = index


class OpeningRejected(Rejected):
    """An opening was refused; ``index`` says which of those that were checked."""

    def __init__(self, index: int, code: str) -> None:
        super().__init__(code)
        self.index = index


class Damaged(Exception):
    """What a prover was given is not what was committed to, or what it made does not hold.

    Nothing was made. ``index`` says which of the pages or leaves of the call.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"not what was committed to, or damaged: number {index} of the call")
        self.index = index


def require(status: int, bad: int = 0) -> None:
    """Raise what a prover's status says, or a caller's misuse."""
    if status == lib.ASSAY_OK:
        return
    if status == lib.ASSAY_DAMAGED:
        raise Damaged(bad)
    if status in _MISUSES:
        raise ValueError(_MISUSES[status])
    raise ArithmeticError("a proof met an infinite point")  # probability about 2^-256
