"""Which chains can be asked of a node over RPC, and the node of each."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.errors import Misuse
from verifier.format.chains import CHAINS, Family
from verifier.nodes.bitcoin_node import BitcoinNode
from verifier.nodes.evm_node import EvmNode
from verifier.nodes.nodes import Node
from verifier.nodes.tron_node import TronNode
from verifier.stateproof.tokens import TokenSlot

_FAMILIES = (Family.BITCOIN, Family.EVM, Family.TRON)

# The names of the chains that have nodes, ascending.
NODE_CHAINS = tuple(name for name, network in CHAINS.items() if network.family in _FAMILIES)


def open_node(
    chain: str, url: str, slots: Mapping[str, TokenSlot], *, credentials: str | None = None
) -> Node:
    """Return the node of a chain at a URL; ``slots`` are those of the chain's tokens.

    ``credentials`` are bitcoin's alone, as USER:PASSWORD.

    Raises:
        Misuse: nothing asks a node of that chain, or the URL is none.
    """
    if chain not in NODE_CHAINS:
        raise Misuse(
            f"there is no node of {chain[:40]}: chains with nodes are {', '.join(NODE_CHAINS)}"
        )
    match CHAINS[chain].family:
        case Family.BITCOIN:
            return BitcoinNode(url, credentials=credentials)
        case Family.TRON:
            return TronNode(url)
        case _:
            return EvmNode(chain, url, slots=slots)
