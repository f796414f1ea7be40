"""The one exception of the ownership checks, and the closed list of its codes."""

from __future__ import annotations

from typing import Literal

OwnershipCode = Literal[
    "evidence.unsupported-chain",
    "evidence.bad-address",
    "evidence.unsupported-template",
    "evidence.unsupported-signature",
    "evidence.bad-signature",
]


class OwnershipError(Exception):
    """An address or an ownership signature is refused.

    ``code`` is one of

    - ``evidence.unsupported-chain``: neither bitcoin nor ethereum;
    - ``evidence.bad-address``: not the canonical text of a mainnet address;
    - ``evidence.unsupported-template``: a well-formed address whose script is not a standard
      template (anyone-can-spend, time lock, minority multisig, script path, unknown witness
      version);
    - ``evidence.unsupported-signature``: a format, or a use of one, that is not checked here;
    - ``evidence.bad-signature``: malformed, or not a signature of this message by this address.

    ``message`` is for people; it holds nothing but the rule that was broken. ``is_of_another``: all
    is well formed, so the signature may be a good one of another message.
    """

    def __init__(self, code: OwnershipCode, message: str, *, is_of_another: bool = False) -> None:
        super().__init__(message)
        self.code: OwnershipCode = code
        self.message = message
        self.is_of_another = is_of_another


def bad_signature(rule: str, *, is_of_another: bool = False) -> OwnershipError:
    """Return the error of a signature that breaks ``rule``."""
    return OwnershipError("evidence.bad-signature", rule, is_of_another=is_of_another)


def unsupported_template(rule: str) -> OwnershipError:
    """Return the error of an address whose script breaks ``rule``."""
    return OwnershipError("evidence.unsupported-template", rule)
