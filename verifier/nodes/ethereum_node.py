"""A node of Ethereum over JSON-RPC: whether a block is the chain's, and what accounts hold there.

The node's word is taken for two things alone: which block the chain has at a height, with its time,
and what a contract wallet answers. Balances that it tells are proved under that block's header, so
that a node that lies about them is caught. Network and block must be told, or there is no verdict;
what the node cannot tell of a row leaves the row's level as it was. Sources: EIP-1186
(eth_getProof), EIP-1898, EIP-1271.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from verifier.checks.hidden import key_owners, set_name, split_amounts
from verifier.checks.holdings import CheckedEvidence, HiddenHolding, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.keys import public_key_text
from verifier.format.levels import Level
from verifier.format.wire import Asset, Chain
from verifier.nodes.json_rpc import (
    TIMEOUT_SECONDS,
    CannotTell,
    JsonRpc,
    NodeError,
    TooSlow,
)
from verifier.ownership import ownership_message
from verifier.ownership.contract import MAGIC_VALUE, contract_signature, validity_call
from verifier.ownership.families.evm import eip191_digest
from verifier.stateproof.header import FIELDS, Header, is_number, parse_header
from verifier.stateproof.rlp import BadRlp, encode_integer, encode_list, encode_string
from verifier.stateproof.state import NATIVE, UNKNOWN_SLOT, WorldState
from verifier.stateproof.tokens import TokenSlot, storage_key, token_slots
from verifier.stateproof.trie import BadNode, MissingNode

CHAIN = "ethereum"
MAINNET = 1
_MOST_NODES = 2 * 65  # two paths of 64 nibbles
# Errors of JSON-RPC and EIP-1474, and of providers, that say that a call was not carried out.
_NOT_CARRIED_OUT = frozenset({-32700, -32600, -32601, -32602, -32005, 429})
# What a block has in a node's answer beside the fields of its header.
_BESIDE_HEADER = frozenset(
    {"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"}
)

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

    def block_time(self, block: Mapping[str, Any]) -> int:
        """Return a block's time, as the node tells it, in Unix seconds."""
        return self._quantity("eth_getBlockByNumber", block.get("timestamp"))

    def header(self, block: Mapping[str, Any]) -> bytes:
        """Return the RLP of a block's header, whose hash is the one that the node tells.

        Raises:
            CannotTell: the block's fields do not make it, as those of a fork to come do not.
        """
        method = "eth_getBlockByNumber"
        block_hash, height = self.block_hash(block), self._quantity(method, block.get("number"))
        try:
            data = encode_list(
                encode_integer(self._quantity(method, block[name]))
                if is_number(name)
                else encode_string(self._data(method, block[name]))
                for name in FIELDS
                if block.get(name) is not None
            )
            if parse_header(data).hash == block_hash:
                return data
        except (CannotCheck, BadRlp):
            pass  # a fork may give a field another form
        message = "the block's fields are not those of a header of its hash"
        if block.keys() - _BESIDE_HEADER - {*FIELDS}:
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

    def takes_signature(
        self, block_hash: bytes, wallet: bytes, digest: bytes, signature: bytes
    ) -> bool:
        """Ask a contract wallet, as it was after a block, whether it takes a signature.

        Raises:
            CannotTell: the node cannot carry the call out.
        """
        method = "eth_call"
        call = {
            "to": "0x" + wallet.hex(),
            "data": "0x" + validity_call(digest, signature).hex(),
        }
        try:
            found = self.rpc.call(method, call, {"blockHash": "0x" + block_hash.hex()})
        except NodeError as error:
            if _is_revert(error):
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


def _is_revert(error: NodeError) -> bool:
    """Tell whether an error says that a call was carried out and reverted: the contract's own no.

    Its number differs by client (3, -32000, -32015, -32603), so what counts is a message or data
    that says so, or the bytes that a contract reverts with. Running out of gas returns no bytes.
    """
    if error.number in _NOT_CARRIED_OUT:
        return False
    if "revert" in f"{error.said} {error.data}".lower():
        return True
    return len(error.data) > len("0x") and _DATA.fullmatch(error.data) is not None


class EthereumNode:
    """The node of a verifier's user; see `verifier.nodes.nodes.Node`.

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
            time = self._node.block_time(fields)
            digest = eip191_digest(_message(checked, block))
            asked = _Questions(self._node, fields, self._slots, digest)
            return [
                replace(
                    _confirm_asset(asked, asset, found),
                    block_times={CHAIN: time, **found.block_times},
                )
                for asset, found in zip(checked.manifest.assets, evidence, strict=True)
            ]
        finally:
            self._node.rpc.close()


class _Questions:
    """What a node is asked about accounts after a block, whose fields it has told.

    A kind of question that was once too slow is not asked again: it would be for every row.
    """

    def __init__(
        self,
        node: EthereumRpc,
        fields: Mapping[str, Any],
        slots: Mapping[str, TokenSlot],
        digest: bytes,
    ) -> None:
        self._node = node
        self._fields = fields
        self._slots = slots
        self._digest = digest
        self._slow: dict[str, str] = {}

    def balance(self, account: bytes, contract: str) -> int:
        """Return what an account holds, as the block proves it.

        Raises:
            CannotTell: the node does not show it.
        """
        with self._unless_slow("balance"):
            balance, _ = self._node.balance(self._header, account, contract, self._slots)
        return balance

    def takes_signature(self, holding: Holding) -> bool:
        """Tell whether a row's contract wallet takes the signature that stands beside it.

        Raises:
            CannotTell: the node does not get the wallet's answer.
        """
        signature = contract_signature(holding.address, holding.signature.text)
        with self._unless_slow("wallet"):
            return self._node.takes_signature(
                self._node.block_hash(self._fields),
                holding.address.owner,
                self._digest,
                signature,
            )

    @cached_property
    def _header(self) -> Header:
        return parse_header(self._node.header(self._fields))

    @contextmanager
    def _unless_slow(self, kind: str) -> Iterator[None]:
        if kind in self._slow:
            raise TooSlow(Code.CHECK_UNREADABLE, self._slow[kind])
        try:
            yield
        except TooSlow as error:
            self._slow[kind] = error.message
            raise


def _confirm_asset(asked: _Questions, asset: Asset, found: CheckedEvidence) -> CheckedEvidence:
    """Return an asset's evidence with levels raised: amounts first, then owners."""
    rows = tuple(
        _confirm_amount(asked, f"{asset.code}, row {at}", holding)
        if holding.chain == CHAIN
        else holding
        for at, holding in enumerate(found.rows)
    )
    rows = tuple(
        holding if holding.is_owned else _confirm_owner(asked, f"{asset.code}, row {at}", holding)
        for at, holding in enumerate(rows)
    )
    hidden = tuple(
        _confirm_set(asked, set_name(asset, at), holding) if holding.chain == CHAIN else holding
        for at, holding in enumerate(found.hidden)
    )
    return replace(found, rows=rows, hidden=hidden)


def _confirm_amount(asked: _Questions, where: str, holding: Holding) -> Holding:
    """Return a row known by the chain, or as it was if the node cannot tell.

    Amounts that the bundle proves under the block's header need nothing more than the block.
    """
    if holding.level is Level.CLAIMED:
        try:
            balance = asked.balance(holding.address.owner, holding.row.contract)
        except CannotTell as error:
            return replace(holding, undecided=error.message)
        if int.from_bytes(holding.row.amount) > balance:
            message = "less is there than the row counts"
            raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
    return replace(holding, level=Level.CHAIN)


def _confirm_set(asked: _Questions, where: str, holding: HiddenHolding) -> HiddenHolding:
    """Return a hidden set known by the chain, or as it was if the node cannot tell.

    Its amounts are exact, where those of rows may be understated. One question a key.
    """
    if holding.level is Level.CLAIMED:
        listed = holding.listed
        owners = key_owners(listed.keys, listed.scripts)
        for (account,), amount in zip(owners, split_amounts(listed.amounts), strict=True):
            try:
                balance = asked.balance(account, listed.contract)
            except CannotTell as error:
                return replace(holding, undecided=error.message)
            if amount != balance:
                raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, "a key held another amount")
    return replace(holding, level=Level.CHAIN)


def _confirm_owner(asked: _Questions, where: str, holding: Holding) -> Holding:
    """Return a row whose contract wallet takes its signature, or as it was."""
    try:
        taken = asked.takes_signature(holding)
    except CannotTell as error:
        return replace(holding, undecided=error.message)
    if not taken:
        message = "the contract wallet does not take the signature"
        raise Rejected(Code.CHAIN_BAD_OWNERSHIP, where, message)
    return replace(holding, is_owned=True)


def _message(checked: CheckedManifest, block: Chain) -> str:
    manifest = checked.manifest
    key = public_key_text(manifest.public_key)
    return ownership_message(key, manifest.exchange, manifest.snapshot_id, CHAIN, block.hash)
