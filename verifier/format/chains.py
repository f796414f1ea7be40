"""Every chain that Assay knows, by the name that stands in manifests, evidence and messages.

The only table of names. What a chain's addresses, contracts and signatures look like is its
family's (`verifier.ownership.families`); what its headers prove is `verifier.stateproof`'s. Names
are Assay's own, since a CAIP-2 id does not fit ``[a-z0-9-]{1,32}`` and is read badly on a wallet's
screen; CAIP-2 and CAIP-19 are taken and printed where files of others meet ours. Sources:
spec/protocol.md 3.1, spec/chains.csv, the CAIP registry, chainid.network.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FIAT: Final = "fiat"


class Family(StrEnum):
    """Chains that share the rules of addresses, contracts and signatures."""

    BITCOIN = "bitcoin"
    EVM = "evm"
    FIAT = "fiat"
    TRON = "tron"


class HeaderForm(StrEnum):
    """What a chain's block header is, where its hash is the block's; NONE: it proves nothing.

    ETHEREUM has at most 32 bytes of extra data, EVM up to 4,096, and BSC may be older than the base
    fee: what accounts hold is proved under these. AVALANCHE has fields of its own; it and BITCOIN
    show the block and its time alone.
    """

    NONE = ""
    AVALANCHE = "avalanche"
    BITCOIN = "bitcoin"
    BSC = "bsc"
    ETHEREUM = "ethereum"
    EVM = "evm"


@dataclass(frozen=True, slots=True)
class Network:
    """A chain: its ``name`` on the wire, its ``title`` for people, and its CAIP-2 id.

    chain_id: that of EIP-155, 0 where the family has none; native: the CAIP-19 asset reference of
    its coin, empty where it has none; tokens: the CAIP-19 namespace of its tokens.
    """

    name: str
    title: str
    family: Family
    caip2: str
    header: HeaderForm
    native: str = ""
    tokens: str = ""
    chain_id: int = 0

    @property
    def proves_state(self) -> bool:
        """Whether what an account holds can be proved under a block's header."""
        return self.header in (HeaderForm.BSC, HeaderForm.ETHEREUM, HeaderForm.EVM)

    @property
    def shows_time(self) -> bool:
        """Whether a block's header is evidence of its time, and of nothing that accounts hold."""
        return self.header in (HeaderForm.AVALANCHE, HeaderForm.BITCOIN)


def _evm(
    name: str, title: str, chain_id: int, coin: int = 60, header: HeaderForm = HeaderForm.EVM
) -> Network:
    caip2 = f"eip155:{chain_id}"
    return Network(name, title, Family.EVM, caip2, header, f"slip44:{coin}", "erc20", chain_id)


_TABLE = (
    Network(
        "bitcoin",
        "Bitcoin",
        Family.BITCOIN,
        "bip122:000000000019d6689c085ae165831e93",
        HeaderForm.BITCOIN,
        "slip44:0",
    ),
    Network(FIAT, "accounts", Family.FIAT, "", HeaderForm.NONE, "", "iso4217"),
    Network("tron", "Tron", Family.TRON, "tron:0x2b6653dc", HeaderForm.NONE, "slip44:195", "trc20"),
    _evm("arbitrum", "Arbitrum One", 42161),
    _evm("avalanche", "Avalanche C-Chain", 43114, 9005, HeaderForm.AVALANCHE),
    _evm("base", "Base", 8453),
    _evm("blast", "Blast", 81457, 60, HeaderForm.NONE),
    _evm("bsc", "BNB Smart Chain", 56, 714, HeaderForm.BSC),
    _evm("celo", "Celo", 42220, 52752),
    _evm("cronos", "Cronos", 25, 394, HeaderForm.NONE),
    _evm("ethereum", "Ethereum", 1, 60, HeaderForm.ETHEREUM),
    _evm("gnosis", "Gnosis Chain", 100, 700),
    _evm("linea", "Linea", 59144),
    _evm("mantle", "Mantle", 5000),
    _evm("optimism", "OP Mainnet", 10),
    _evm("plasma", "Plasma", 9745),
    _evm("polygon", "Polygon PoS", 137, 966),
    _evm("scroll", "Scroll", 534352),
    _evm("sonic", "Sonic", 146),
    _evm("unichain", "Unichain", 130),
    _evm("zksync", "ZKsync Era", 324, 60, HeaderForm.NONE),
)

CHAINS: Final = {network.name: network for network in sorted(_TABLE, key=lambda entry: entry.name)}
_BY_CAIP2 = {network.caip2: network for network in _TABLE if network.caip2}
_BY_CHAIN_ID = {network.chain_id: network for network in _TABLE if network.chain_id}


def of_caip2(text: str) -> Network | None:
    """Return the chain of a CAIP-2 id, or nothing."""
    return _BY_CAIP2.get(text)


def of_chain_id(number: int) -> Network | None:
    """Return the chain of an EIP-155 id, or nothing."""
    return _BY_CHAIN_ID.get(number)


def of_family(family: Family) -> tuple[str, ...]:
    """Return the names of a family's chains, ascending."""
    return tuple(name for name, network in CHAINS.items() if network.family is family)
