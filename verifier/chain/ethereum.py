"""A node of Ethereum over JSON-RPC: whether a block is the chain's, and what accounts hold there.

The node's word is taken for one thing alone, which block the chain has at a height, and for what a
contract wallet answers. Balances that it tells are proved under that block's header, so that a node
that lies about them is caught. Sources: EIP-1186 (eth_getProof), EIP-1898, EIP-1271.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verifier.chain.header import FIELDS, Header, is_number, parse_header
from verifier.chain.json_rpc import TIMEOUT_SECONDS, JsonRpc, NodeError
from verifier.chain.levels import Level
from verifier.chain.rlp import BadRlp, encode_integer, encode_list, encode_string
from verifier.chain.state import NATIVE, State, UnknownSlot
from verifier.chain.tokens import TokenSlot, storage_key, token_slots
from verifier.chain.trie import BadNode, MissingNode
from verifier.errors import CannotCheck, Code, Rejected
from verifier.hidden import key_owners, set_name, split_amounts
from verifier.holdings import CheckedEvidence, HiddenHolding, Holding
from verifier.keys import public_key_text
from verifier.manifest import CheckedManifest
from verifier.ownership import ownership_message
from verifier.ownership.contract import MAGIC_VALUE, contract_signature, validity_call
from verifier.ownership.recovery import eip191_digest
from verifier.wire import Asset, Chain

CHAIN = "ethereum"
MAINNET = 1
_REVERTED = 3  # what nodes answer where a call was carried out, and reverted
_MOST_NODES = 2 * 65  # two paths of 64 nibbles

_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})")


class EthereumRpc:
    """The questions to a node of Ethereum's main network; ``timeout`` is that of one, in seconds.

    Every method raises `CannotCheck` where there is no proper answer.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.rpc = JsonRpc(url, timeout=timeout)

    def check_network(self) -> None:
        """Check that the node is one of the main network."""
        if self._quantity("eth_chainId", self.rpc.call("eth_chainId")) != MAINNET:
            raise CannotCheck(Code.CHECK_UNREADABLE, "the node is not one of the main network")

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

    def header(self, block: Mapping[str, Any]) -> bytes:
        """Return the RLP of a block's header, whose hash is the one that the node tells."""
        method = "eth_getBlockByNumber"
        items = [
            encode_integer(self._quantity(method, block[name]))
            if is_number(name)
            else encode_string(self._data(method, block[name]))
            for name in FIELDS
            if block.get(name) is not None
        ]
        data = encode_list(items)
        try:
            known = parse_header(data).hash == self.block_hash(block)
        except BadRlp:
            known = False
        if not known:
            raise CannotCheck(
                Code.CHECK_UNREADABLE, "the block's fields are not those of a header of its hash"
            )
        return data

    def nodes(
        self, height: int, account: bytes, contract: str, slots: Mapping[str, TokenSlot]
    ) -> list[bytes]:
        """Return the trie nodes that prove an account's balance at a height.

        Raises:
            UnknownSlot: it is a token whose slot is not known.
        """
        method = "eth_getProof"
        asked, keys = account.hex(), []
        if contract != NATIVE:
            if contract not in slots:
                raise UnknownSlot("the token's slot is neither known nor named")
            asked = contract[2:]
            keys = ["0x" + storage_key(slots[contract].slot, account).hex()]
        found = self.rpc.call(method, "0x" + asked, keys, hex(height))
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
    ) -> tuple[int, State]:
        """Return an account's balance as proved under a header, and the state that proves it.

        Raises:
            UnknownSlot: it is a token whose slot is not known.
        """
        state = State(header.state_root, self.nodes(header.number, account, contract, slots), slots)
        try:
            return state.balance(account, contract), state
        except (MissingNode, BadNode, BadRlp):
            raise CannotCheck(
                Code.CHECK_UNREADABLE, "the node's proof of a balance does not fit the block"
            ) from None

    def takes_signature(
        self, block_hash: bytes, wallet: bytes, digest: bytes, signature: bytes
    ) -> bool:
        """Ask a contract wallet, as it was after a block, whether it takes a signature."""
        method = "eth_call"
        call = {
            "to": "0x" + wallet.hex(),
            "data": "0x" + validity_call(digest, signature).hex(),
        }
        try:
            found = self.rpc.call(method, call, {"blockHash": "0x" + block_hash.hex()})
        except NodeError as error:
            if error.number == _REVERTED:
                return False
            raise
        return self._data(method, found) == MAGIC_VALUE.ljust(32, b"\0")

    def _data(self, method: str, value: Any) -> bytes:
        if not isinstance(value, str) or not _DATA.fullmatch(value):
            raise self.rpc.malformed(method)
        return bytes.fromhex(value[2:])

    def _quantity(self, method: str, value: Any) -> int:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise self.rpc.malformed(method)
        return int(value, 16)


class EthereumNode:
    """The node of a verifier's user; see `verifier.chain.nodes.Node`.

    ``slots`` are where tokens keep balances that the bundle does not prove.
    """

    def __init__(
        self,
        url: str,
        *,
        slots: Mapping[str, TokenSlot] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._node = EthereumRpc(url, timeout=timeout)
        self._slots = slots or token_slots()

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """See `Node`: amounts that the bundle proves need the block's hash alone."""
        (block,) = (chain for chain in checked.manifest.chains if chain.name == CHAIN)
        try:
            self._node.check_network()
            fields = self._node.block(block.height)
            if self._node.block_hash(fields) != block.hash:
                message = f"your node has another block at height {block.height}"
                raise Rejected(Code.CHAIN_WRONG_BLOCK, CHAIN, message)
            claimed = any(
                holding.chain == CHAIN and holding.level is Level.CLAIMED
                for found in evidence
                for holding in found.holdings
            )
            header = parse_header(self._node.header(fields)) if claimed else None
            digest = eip191_digest(_message(checked, block))
            return [
                self._confirm_asset(header, block.hash, digest, asset, found)
                for asset, found in zip(checked.manifest.assets, evidence, strict=True)
            ]
        finally:
            self._node.rpc.close()

    def _confirm_asset(
        self,
        header: Header | None,
        block_hash: bytes,
        digest: bytes,
        asset: Asset,
        found: CheckedEvidence,
    ) -> CheckedEvidence:
        """Return an asset's evidence with levels raised: amounts first, then owners."""
        rows = tuple(
            self._confirm_amount(header, f"{asset.code}, row {at}", holding)
            if holding.chain == CHAIN
            else holding
            for at, holding in enumerate(found.rows)
        )
        rows = tuple(
            holding
            if holding.is_owned
            else self._confirm_owner(block_hash, digest, f"{asset.code}, row {at}", holding)
            for at, holding in enumerate(rows)
        )
        hidden = tuple(
            self._confirm_set(header, set_name(asset, at), holding)
            if holding.chain == CHAIN
            else holding
            for at, holding in enumerate(found.hidden)
        )
        times = {} if header is None else {CHAIN: header.time}
        return replace(found, rows=rows, hidden=hidden, block_times={**found.block_times, **times})

    def _confirm_amount(self, header: Header | None, where: str, holding: Holding) -> Holding:
        """Return a row known by the chain, or as it was if the node cannot tell.

        ``header`` is the block's, which is there if the bundle does not prove everything.
        """
        if header is not None and holding.level is Level.CLAIMED:
            try:
                balance, _ = self._node.balance(
                    header, holding.address.script, holding.row.contract, self._slots
                )
            except (NodeError, UnknownSlot):
                return holding  # a node may have let go of a state that old
            if int.from_bytes(holding.row.amount) > balance:
                message = "less is there than the row counts"
                raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
        return replace(holding, level=Level.CHAIN)

    def _confirm_set(
        self, header: Header | None, where: str, holding: HiddenHolding
    ) -> HiddenHolding:
        """Return a hidden set known by the chain, or as it was if the node cannot tell.

        Its amounts are exact, where those of rows may be understated. One question a key.
        """
        if header is not None and holding.level is Level.CLAIMED:
            listed = holding.listed
            owners = key_owners(listed.keys, listed.scripts)
            for (account,), amount in zip(owners, split_amounts(listed.amounts), strict=True):
                try:
                    balance, _ = self._node.balance(header, account, listed.contract, self._slots)
                except (NodeError, UnknownSlot):
                    return holding
                if amount != balance:
                    message = "a key held another amount"
                    raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
        return replace(holding, level=Level.CHAIN)

    def _confirm_owner(
        self, block_hash: bytes, digest: bytes, where: str, holding: Holding
    ) -> Holding:
        """Return a row whose contract wallet takes its signature, or as it was."""
        signature = contract_signature(holding.address, holding.signature.text)
        wallet = holding.address.script
        try:
            taken = self._node.takes_signature(block_hash, wallet, digest, signature)
        except NodeError:
            return holding
        if not taken:
            message = "the contract wallet does not take the signature"
            raise Rejected(Code.CHAIN_BAD_OWNERSHIP, where, message)
        return replace(holding, is_owned=True)


def _message(checked: CheckedManifest, block: Chain) -> str:
    manifest = checked.manifest
    key = public_key_text(manifest.public_key)
    return ownership_message(key, manifest.exchange, manifest.snapshot_id, CHAIN, block.hash)
