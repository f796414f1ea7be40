"""A parsed address, which names one owner by one text.

One output script or account has exactly one accepted text, so comparing texts compares owners: a
family's decoder takes nothing but what its encoder writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Template(StrEnum):
    """The kinds of address whose owner can be proven; ACCOUNT has one key, on any account chain.

    UNKNOWN is whatever stands for an owner on a chain that the reader does not know.
    """

    P2PKH = "p2pkh"
    P2WPKH = "p2wpkh"
    P2SH = "p2sh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"
    ACCOUNT = "account"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Address:
    """A parsed address: ``owner`` is the scriptPubKey on bitcoin, the 20-byte account elsewhere.

    For P2SH and P2WSH ``template`` says nothing yet about the script behind the hash.
    """

    chain: str
    text: str
    template: Template
    owner: bytes
