"""The families of chains: one module each for the rules of addresses, contracts and signatures.

A module is what `Rules` says. It is loaded when the first of its chains is met, since the libraries
of a family take as long to load as a customer's whole check, which needs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from verifier.format.chains import CHAINS, Network
from verifier.ownership.addresses import Address, Template
from verifier.ownership.errors import OwnershipError

# The longest canonical address of any family here; BIP-173's limit.
MAX_ADDRESS_CHARACTERS = 90


class Rules(Protocol):
    """What a family's module has.

    FORMATS: by name of a format of signatures the templates it serves. ROTATES: whether the chain
    lets an account give the power over it to other keys, so that a signature by the address's own
    key proves control only once a node, or the reader's table, says that the key has it.
    """

    FORMATS: Mapping[str, frozenset[Template]]
    ROTATES: bool

    def parse(self, network: Network, text: str) -> Address:
        """Parse the one canonical text of an address; raises `OwnershipError`."""

    def check_contract(self, network: Network, text: str) -> None:
        """Check that a text, not empty, is the canonical one of a token's contract.

        Raises:
            OwnershipError: ``evidence.bad-address``.
        """

    def check(self, address: Address, message: str, format: str, signature: str) -> str:
        """Check a signature in one of the FORMATS; return the template it proves in full."""


def rules_of(network: Network) -> Rules:
    """Return a chain's rules."""
    return _rules(network.family)


@cache
def _rules(family: str) -> Rules:
    return cast(Rules, import_module(f"{__name__}.{family}"))


def parse_address(chain: str, address: str) -> Address:
    """Parse the canonical text of an address of a chain's main network.

    Raises:
        OwnershipError: ``evidence.unsupported-chain``, ``evidence.bad-address``, or
            ``evidence.unsupported-template`` where the text is good and its template is not.
    """
    network = _network(chain)
    if len(address) > MAX_ADDRESS_CHARACTERS:
        raise OwnershipError("evidence.bad-address", "the address is too long")
    return rules_of(network).parse(network, address)


def check_contract(chain: str, contract: str) -> None:
    """Check that a chain can have such a contract, in its one text: two texts were two units.

    An empty one is the chain's own coin.

    Raises:
        OwnershipError: ``evidence.unsupported-chain`` or ``evidence.bad-address``.
    """
    network = _network(chain)
    if contract:
        if not network.tokens or len(contract) > MAX_ADDRESS_CHARACTERS:
            raise OwnershipError("evidence.bad-address", f"no contract of {chain}")
        rules_of(network).check_contract(network, contract)
    elif not network.native:
        raise OwnershipError("evidence.bad-address", f"{chain} has no coin of its own")


def _network(chain: str) -> Network:
    if chain not in CHAINS:
        raise OwnershipError("evidence.unsupported-chain", "this version does not know the chain")
    return CHAINS[chain]
