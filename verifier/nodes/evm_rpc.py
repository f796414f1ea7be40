"""The questions to a node of an EVM chain, over JSON-RPC, and the form that answers must have.

Sources: EIP-1186 (eth_getProof), EIP-1898 (a block by its hash), EIP-1271, ERC-20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from verifier.errors import CannotCheck, Code
from verifier.format.chains import CHAINS
from verifier.format.wire import Chain
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, CannotTell, JsonRpc, NodeError
from verifier.ownership.contract import MAGIC_VALUE, validity_call
from verifier.stateproof.header import Header, fields_of, is_number, parse_header
from verifier.stateproof.rlp import BadRlp, encode_integer, encode_list, encode_string
from verifier.stateproof.state import NATIVE, UNKNOWN_SLOT, WorldState
from verifier.stateproof.tokens import WORD_BYTES, TokenSlot, storage_key
from verifier.stateproof.trie import BadNode, MissingNode

# balanceOf(address) of ERC-20.
BALANCE_OF = bytes.fromhex("70a08231")

_MOST_NODES = 2 * 65  # two paths of 64 nibbles
# Errors of JSON-RPC and EIP-1474, and of providers, that say that a call was not carried out.
_NOT_CARRIED_OUT = frozenset({-32700, -32600, -32601, -32602, -32005, 429})
# A block that no chain has, and what is asked of it by each method that tells of a state.
_NO_BLOCK = {"blockHash": "0x" + "11" * 32}
_NOBODY = "0x" + "00" * 20
_PROBES: Mapping[str, Any] = {
    "eth_call": {"to": _NOBODY, "data": "0x"},
    "eth_getBalance": _NOBODY,
}
# What nodes say of a block that they do not know, as the one above.
_UNKNOWN_BLOCK = re.compile(
    r"\b(?:block|header|0x(?:11){32})\b[^,;]{0,100}\bnot (?:be )?found\b"
    r"|\bunknown block\b|\b(?:cannot|could not) find (?:the )?(?:block|header)\b",
    re.IGNORECASE,
)
_UNKNOWN_RESOURCE = -32001, "resource not found"  # as EIP-1898 recommends it
# What blocks have in nodes' answers beside the fields of their headers.
_BESIDE_HEADER = frozenset(
    {
        "blockExtraData",
        "hash",
        "l1BlockNumber",
        "milliTimestamp",
        "sendCount",
        "sendRoot",
        "size",
        "totalDifficulty",
        "transactions",
        "uncles",
        "withdrawals",
    }
)

_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_REVERTED = re.compile(
    "(error: )?(vm exception while processing transaction: revert"
    "|transaction reverted|execution reverted)",
    re.IGNORECASE,
)
_REASON = re.compile(r"0x(?:[0-9a-f]{2})+")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})")


class EvmRpc:
    """The questions to a node of a ``chain``; ``timeout`` is that of one, in seconds.

    Every method raises `CannotCheck` where there is no proper answer.
    """

    def __init__(self, chain: str, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.network = CHAINS[chain]
        self.rpc = JsonRpc(url, timeout=timeout)
        self._reads_hashes: dict[str, bool] = {}  # by method

    @property
    def asked_by_height(self) -> bool:
        """Whether a state was asked for by a block's height, since the node may read no hash.

        Then the hash there is to be compared once more before anything is made of the answers.
        """
        return not all(self._reads_hashes.values())

    def check_network(self) -> None:
        """Check that the node is one of the chain's main network."""
        found = self._quantity("eth_chainId", self.rpc.call("eth_chainId"))
        if found != self.network.chain_id:
            message = f"the node is of chain {found}, and {self.network.name} is chain "
            raise CannotCheck(Code.CHECK_UNREADABLE, message + str(self.network.chain_id))

    def block(self, height: int) -> Mapping[str, Any]:
        """Return the fields of the chain's block at a height."""
        method = "eth_getBlockByNumber"
        found = self.rpc.call(method, hex(height), False)
        if found is None:
            raise CannotCheck(Code.CHECK_UNREADABLE, f"the node has no block {height} yet")
        if not isinstance(found, dict):
            raise self.rpc.malformed(method)
        return found

    def block_hash(self, block: Mapping[str, Any]) -> bytes:
        """Return a block's hash, as the node tells it."""
        return self._data("eth_getBlockByNumber", block.get("hash"))

    def block_time(self, block: Mapping[str, Any]) -> int:
        """Return a block's time, as the node tells it, in Unix seconds."""
        return self._quantity("eth_getBlockByNumber", block.get("timestamp"))

    def header(self, block: Mapping[str, Any]) -> bytes:
        """Return the RLP of a block's header, whose hash is the one that the node tells.

        Raises:
            CannotTell: the block's fields do not make it, as those of a fork to come do not.
        """
        method = "eth_getBlockByNumber"
        form, names = self.network.header, fields_of(self.network.header)
        block_hash, height = self.block_hash(block), self._quantity(method, block.get("number"))
        try:
            data = encode_list(
                encode_integer(self._quantity(method, block[name]))
                if is_number(name)
                else encode_string(self._data(method, block[name]))
                for name in names
                if block.get(name) is not None
            )
            if parse_header(data, form).hash == block_hash:
                return data
        except (CannotCheck, BadRlp):
            pass  # a fork may give a field another form
        message = "the block's fields are not those of a header of its hash"
        if block.keys() - _BESIDE_HEADER - {*names}:
            message = f"this version does not know the fork of block {height}: update Assay"
        raise CannotTell(Code.CHECK_UNREADABLE, message)

    def nodes(
        self, height: int, account: bytes, contract: str, slots: Mapping[str, TokenSlot]
    ) -> list[bytes]:
        """Return the trie nodes that prove an account's balance at a height.

        Raises:
            CannotTell: the node has no proof, or it is a token whose slot is not known.
        """
        method = "eth_getProof"
        asked, keys = account.hex(), []
        if contract != NATIVE:
            if contract not in slots:
                raise CannotTell(Code.CHECK_UNREADABLE, UNKNOWN_SLOT)
            asked = contract[2:]
            keys = ["0x" + storage_key(slots[contract].slot, account).hex()]
        found = self.rpc.call(method, "0x" + asked, keys, hex(height))
        if found is None:
            raise CannotTell(Code.CHECK_UNREADABLE, "the node has no proof of a balance")
        try:
            nodes = [*found["accountProof"]]
            for entry in found["storageProof"]:
                nodes += entry["proof"]
        except (KeyError, TypeError):
            raise self.rpc.malformed(method) from None
        if len(nodes) > _MOST_NODES:
            raise self.rpc.malformed(method)
        return [self._data(method, node) for node in nodes]

    def balance(
        self,
        header: Header,
        account: bytes,
        contract: str,
        slots: Mapping[str, TokenSlot],
    ) -> tuple[int, WorldState]:
        """Return an account's balance as proved under a header, and the state that proves it.

        Raises:
            CannotTell: as for `nodes`, or the proof does not fit the block.
        """
        state = WorldState(
            header.state_root, self.nodes(header.number, account, contract, slots), slots
        )
        try:
            return state.balance(account, contract), state
        except (MissingNode, BadNode, BadRlp):
            raise CannotTell(
                Code.CHECK_UNREADABLE, "the node's proof of a balance does not fit the block"
            ) from None

    def told_balance(self, block: Chain, account: bytes, contract: str) -> int:
        """Return an account's balance after a block, by the node's word alone.

        See ``asked_by_height``.

        Raises:
            CannotTell: the node, or the contract, does not answer with a balance.
        """
        holder = "0x" + account.hex()
        if contract == NATIVE:
            method = "eth_getBalance"
            found = self._at_block(method, holder, block)
            if found is None:
                raise CannotTell(Code.CHECK_UNREADABLE, "the node has no balance after that block")
            return self._quantity(method, found)
        method = "eth_call"
        call = {"to": contract, "data": "0x" + balance_call(account).hex()}
        word = self._data(method, self._at_block(method, call, block))
        if not word:
            raise CannotTell(Code.CHECK_UNREADABLE, "no contract answers there, after that block")
        if len(word) != WORD_BYTES:
            raise CannotTell(Code.CHECK_UNREADABLE, "the contract's answer is no balance")
        return int.from_bytes(word)

    def takes_signature(self, block: Chain, wallet: bytes, digest: bytes, signature: bytes) -> bool:
        """Ask a contract wallet, as it was after a block, whether it takes a signature.

        See ``asked_by_height``.

        Raises:
            CannotTell: the node cannot carry the call out.
        """
        method = "eth_call"
        call = {
            "to": "0x" + wallet.hex(),
            "data": "0x" + validity_call(digest, signature).hex(),
        }
        try:
            found = self._at_block(method, call, block)
        except NodeError as error:
            if _is_revert(error):
                return False
            raise
        return self._data(method, found) == MAGIC_VALUE.ljust(32, b"\0")

    def _at_block(self, method: str, asked: Any, block: Chain) -> Any:
        """Ask what a block's state says: the one way to a state that no proof shows."""
        if method not in self._reads_hashes:
            self._reads_hashes[method] = self._tells_blocks_apart(method)
        by_hash = {"blockHash": "0x" + block.hash.hex()}
        return self.rpc.call(
            method, asked, by_hash if self._reads_hashes[method] else hex(block.height)
        )

    def _tells_blocks_apart(self, method: str) -> bool:
        """Tell whether a method shows that it reads a block's hash, by not knowing a made-up one.

        One that does not read it would answer for its tip. Any other error shows nothing.
        """
        try:
            return self.rpc.call(method, _PROBES[method], _NO_BLOCK) is None
        except NodeError as error:
            if (error.number, error.said.lower()) == _UNKNOWN_RESOURCE:
                return True
            is_answer = error.number not in _NOT_CARRIED_OUT
            return is_answer and _UNKNOWN_BLOCK.search(error.said) is not None

    def _data(self, method: str, value: Any) -> bytes:
        if not isinstance(value, str) or not _DATA.fullmatch(value):
            raise self.rpc.malformed(method)
        return bytes.fromhex(value[2:])

    def _quantity(self, method: str, value: Any) -> int:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise self.rpc.malformed(method)
        return int(value, 16)


def balance_call(account: bytes) -> bytes:
    """Return the call data of ``balanceOf`` for a 20-byte account."""
    return BALANCE_OF + account.rjust(WORD_BYTES, b"\0")


def _is_revert(error: NodeError) -> bool:
    """Tell whether an error says that a call was carried out and reverted: the contract's own no.

    Its number differs by client (3, -32000, -32015, -32603), so what counts is how the message
    begins. Other errors speak of reverting, too, and have data. Nethermind and what came of Parity
    say of every failure that the machine met one, and have what a contract reverts with beside it.
    """
    if error.number in _NOT_CARRIED_OUT:
        return False
    if _REVERTED.match(error.said):
        return True
    data = error.data.lower()
    is_machines = error.said.lower().startswith("vm execution error")
    return is_machines and (data.startswith("reverted") or _REASON.fullmatch(data) is not None)
