"""Where tokens keep balances: the slots that the verifier knows without being told.

A slot is that of a Solidity mapping from address to balance, in the order in which the contract's
published source declares its variables; spec/protocol.md, section 3.3, names source and order. It
is one chain's: what has the same address on another chain is another contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from verifier.errors import Misuse
from verifier.format.keccak import keccak256
from verifier.format.params import CHAIN_NAME

WORD_BYTES = 32
MAX_SLOT = 2**256 - 1

_ETHEREUM = "ethereum"

_TEXT = re.compile(f"(?:({CHAIN_NAME.pattern}):)?(0x[0-9a-fA-F]{{40}})=([0-9]{{1,78}})")


class TokenSlot(NamedTuple):
    """The ``slot`` of a contract's mapping of balances; a word with a bit of ``frozen`` counts 0.

    ``contract`` is in EIP-55 form, and on ``chain`` alone.
    """

    chain: str
    contract: str
    slot: int
    frozen: int = 0

    @classmethod
    def parse(cls, text: str) -> TokenSlot:
        """Read ``[CHAIN:]CONTRACT=SLOT``, the slot in decimal; without a chain it is ethereum.

        Raises:
            Misuse: it is anything else; whether there is such a chain and contract is not checked.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Misuse("a token's slot is [CHAIN:]CONTRACT=SLOT, in decimal")
        return cls(match[1] or _ETHEREUM, match[2], int(match[3]))


KNOWN_SLOTS = (
    TokenSlot(_ETHEREUM, "0xdAC17F958D2ee523a2206206994597C13D831ec7", 2),  # USDT
    # USDC since its version 2.2 keeps the blacklist in the balance's highest bit.
    TokenSlot(_ETHEREUM, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 9, 1 << 255),
    TokenSlot(_ETHEREUM, "0x6B175474E89094C44Da98b954EedeAC495271d0F", 2),  # DAI
    TokenSlot(_ETHEREUM, "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", 0),  # WBTC
    TokenSlot(_ETHEREUM, "0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE", 0),  # SHIB
    TokenSlot(_ETHEREUM, "0x514910771AF9Ca656af840dff83E8264EcF986CA", 1),  # LINK
    TokenSlot(_ETHEREUM, "0xB8c77482e45F1F44dE1745F52C74426C631bDD52", 5),  # BNB
)


def token_slots(chain: str, named: Iterable[TokenSlot] = ()) -> dict[str, TokenSlot]:
    """Return the slots of a chain's known contracts, and of those ``named`` beside them.

    A known contract keeps its entry: naming its slot must not lose what else its words hold.

    Raises:
        Misuse: another slot is named for a contract that has one.
    """
    slots = {entry.contract: entry for entry in KNOWN_SLOTS if entry.chain == chain}
    for entry in named:
        if entry.chain != chain:
            continue
        slot = slots.setdefault(entry.contract, entry).slot
        if slot != entry.slot:
            raise Misuse(f"the slot of {entry.contract} on {chain} is {slot}, and not {entry.slot}")
    return slots


def storage_key(slot: int, account: bytes) -> bytes:
    """Return where a mapping in ``slot`` keeps an account's entry: 32 bytes."""
    return keccak256(account.rjust(WORD_BYTES, b"\0") + slot.to_bytes(WORD_BYTES))
