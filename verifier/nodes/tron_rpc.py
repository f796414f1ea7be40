"""The questions to a node of Tron, and the form that answers must have.

A node's HTTP interface tells of blocks, accounts and contracts at its solid tip, the last block
that cannot be undone; its JSON-RPC, at ``/jsonrpc``, tells of logs. Both are asked behind one URL.
Sources: java-tron, framework, `services.http` and `services.jsonrpc`; TIP-272 (logs).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from verifier.errors import CannotCheck, Code
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, CannotTell, JsonRpc

GENESIS: Final = bytes.fromhex("00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc")
MAX_LOGS_BYTES = 1 << 24

_MAX_ACCOUNT_BYTES = 1 << 23
_MAX_KEYS = 64  # of a permission; the chain allows 5
_MAX_NUMBER = 2**63 - 1
_PREFIX = "41"  # of every account in hex
# Keccak-256 of Transfer(address,address,uint256).
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_BLOCK = "/walletsolidity/getblock"
_CALL = "/walletsolidity/triggerconstantcontract"
_ACCOUNT = "/walletsolidity/getaccount"
_BALANCE = "/wallet/getaccountbalance"
_LOGS = "eth_getLogs"
_DONE = "SUCESS"  # as the protocol spells it
_ID = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_WORD = re.compile(r"0x[0-9a-f]{64}")
_ACCOUNT_WORD = re.compile(r"0x0{24}[0-9a-f]{40}")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,15})")


@dataclass(frozen=True, slots=True)
class TronBlock:
    """A block: its ``id``, whose first 8 bytes are the ``height``, and its time in Unix seconds."""

    id: bytes
    height: int
    time: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A logged transfer of a token: accounts of 20 bytes, base units, and the block's height."""

    sender: bytes
    receiver: bytes
    amount: int
    height: int


class TronRpc:
    """The questions to a node of Tron's main network; ``timeout`` is that of one, in seconds.

    Every method raises `CannotCheck` where there is no proper answer.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.rpc = JsonRpc(url, timeout=timeout, path="/jsonrpc")

    def check_network(self) -> None:
        """Check that the node's first block is that of the main network."""
        if self.block(0).id != GENESIS:
            message = "the node's first block is not that of Tron's main network"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)

    def block(self, height: int) -> TronBlock:
        """Return the chain's block at a height."""
        found = self._block({"id_or_num": str(height)})
        if found is None:
            raise CannotCheck(Code.CHECK_UNREADABLE, f"the node has no block {height} yet")
        if found.height != height:
            raise self.rpc.malformed(_BLOCK)
        return found

    def tip(self) -> TronBlock:
        """Return the solid tip: the last block that cannot be undone."""
        found = self._block({})
        if found is None:
            raise self.rpc.malformed(_BLOCK)
        return found

    def token_word(self, contract: bytes, selector: str, parameter: bytes = b"") -> int:
        """Return the one word that a contract answers to a call, at the solid tip.

        Raises:
            CannotTell: the contract does not answer with one.
        """
        body = {
            "owner_address": _PREFIX + bytes(20).hex(),
            "contract_address": _PREFIX + contract.hex(),
            "function_selector": selector,
            "parameter": parameter.hex(),
        }
        found = self.rpc.post(_CALL, body)
        result, words = found.get("result"), found.get("constant_result")
        if not isinstance(result, dict) or not isinstance(words, list | None):
            raise self.rpc.malformed(_CALL)
        if result.get("result") is not True or result.keys() - {"result"} or _failed(found):
            raise CannotTell(Code.CHECK_UNREADABLE, "the token's contract does not answer")
        if words is None or len(words) != 1 or not isinstance(words[0], str):
            raise self.rpc.malformed(_CALL)
        if len(words[0]) != 64 or not _HEX.fullmatch(words[0]):
            raise CannotTell(Code.CHECK_UNREADABLE, "the contract's answer is no balance")
        return int(words[0], 16)

    def token_balance(self, contract: bytes, account: bytes) -> int:
        """Return what an account holds of a TRC-20 token at the solid tip, in base units.

        Raises:
            CannotTell: the contract does not answer with a balance.
        """
        return self.token_word(contract, "balanceOf(address)", account.rjust(32, b"\0"))

    def coin_balance(self, account: bytes, block: TronBlock) -> tuple[int, int]:
        """Return what an account held of TRX after a block, in sun, and when that last changed.

        A node that keeps no history of balances answers 0 and repeats the block, so 0 is no answer.
        One that does names the height of the last change that it has seen, at most the block's.

        Raises:
            CannotTell: the node says 0, or tells of another block.
        """
        body = {
            "account_identifier": {"address": _PREFIX + account.hex()},
            "block_identifier": {"hash": block.id.hex(), "number": block.height},
        }
        found = self.rpc.post(_BALANCE, body)
        balance, at = found.get("balance", 0), found.get("block_identifier")
        if not _is_number(balance) or not isinstance(at, dict):
            raise self.rpc.malformed(_BALANCE)
        height = at.get("number", 0)
        if not _is_number(height):
            raise self.rpc.malformed(_BALANCE)
        if height > block.height or (height == block.height and at.get("hash") != block.id.hex()):
            raise CannotTell(Code.CHECK_UNREADABLE, "the node tells of TRX at another block")
        if balance == 0:
            message = "the node says 0 TRX, as one without history of balances does of everybody"
            raise CannotTell(Code.CHECK_UNREADABLE, message)
        return int(balance), int(height)

    def tip_coins(self, account: bytes) -> int:
        """Return what an account has of TRX at the solid tip, in sun; what is staked is not in it.

        Raises:
            CannotTell: the node does not know the account.
        """
        balance = self._account(account).get("balance", 0)
        if not _is_number(balance):
            raise self.rpc.malformed(_ACCOUNT)
        return int(balance)

    def _account(self, account: bytes) -> Mapping[str, Any]:
        body = {"address": _PREFIX + account.hex()}
        found: Mapping[str, Any] = self.rpc.post(_ACCOUNT, body, _MAX_ACCOUNT_BYTES)
        if not found:
            raise CannotTell(Code.CHECK_UNREADABLE, "the node does not know the account")
        if found.get("address") != _PREFIX + account.hex():
            raise self.rpc.malformed(_ACCOUNT)
        return found

    def has_authority(self, account: bytes) -> bool:
        """Tell whether an account's own key has power over it at the solid tip.

        Raises:
            CannotTell: the node does not know the account.
        """
        permission = self._account(account).get("owner_permission")
        if permission is None:
            return True  # nothing was given away: the address's own key
        keys = permission.get("keys") if isinstance(permission, dict) else None
        if not isinstance(keys, list) or not 1 <= len(keys) <= _MAX_KEYS:
            raise self.rpc.malformed(_ACCOUNT)
        threshold, weight = permission.get("threshold"), 0
        for key in keys:
            if not isinstance(key, dict) or not _is_number(key.get("weight")):
                raise self.rpc.malformed(_ACCOUNT)
            if key.get("address") == _PREFIX + account.hex():
                weight += key["weight"]
        if not _is_number(threshold) or threshold == 0:
            raise self.rpc.malformed(_ACCOUNT)
        return bool(weight >= threshold)

    def transfers(
        self,
        contract: bytes,
        first: int,
        last: int,
        senders: Collection[bytes] = (),
        receivers: Collection[bytes] = (),
    ) -> list[Transfer]:
        """Return a token's logged transfers in some blocks, of any of the senders and receivers.

        Raises:
            NodeError, AnswerTooLong: there may be an answer for fewer blocks.
        """
        asked = {
            "address": "0x" + contract.hex(),
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": [_TRANSFER, _any_of(senders), _any_of(receivers)],
        }
        found = self.rpc.call(_LOGS, asked, limit=MAX_LOGS_BYTES)
        if not isinstance(found, list):
            raise self.rpc.malformed(_LOGS)
        logs: dict[tuple[str, str], Transfer] = {}
        senders, receivers = frozenset(senders), frozenset(receivers)
        for log in found:
            place, transfer = self._transfer(log, contract)
            is_asked = (
                first <= transfer.height <= last
                and (not senders or transfer.sender in senders)
                and (not receivers or transfer.receiver in receivers)
            )
            if not is_asked or place in logs:
                raise self.rpc.malformed(_LOGS)
            logs[place] = transfer
        return [*logs.values()]

    def _transfer(self, log: Any, contract: bytes) -> tuple[tuple[str, str], Transfer]:
        """Return the place of a log, its transaction and index, and the transfer."""
        try:
            (kind, *accounts), data, height = log["topics"], log["data"], log["blockNumber"]
            place = log["transactionHash"], log["logIndex"]
            good = (
                log["address"] == "0x" + contract.hex()
                and kind == _TRANSFER
                and len(accounts) == 2
                and all(_ACCOUNT_WORD.fullmatch(account) for account in accounts)
                and _WORD.fullmatch(data)
                and not log.get("removed")
                and _QUANTITY.fullmatch(height)
                and _WORD.fullmatch(place[0])
                and _QUANTITY.fullmatch(place[1])
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise self.rpc.malformed(_LOGS)
        sender, receiver = (bytes.fromhex(account[-40:]) for account in accounts)
        return place, Transfer(sender, receiver, int(data, 16), int(height, 16))

    def _block(self, asked: Mapping[str, Any]) -> TronBlock | None:
        found = self.rpc.post(_BLOCK, {**asked, "detail": False})
        if not found:
            return None
        try:
            text, raw = found["blockID"], found["block_header"]["raw_data"]
            # What is zero is left out, as all of the first block is.
            height, time = raw.get("number", 0), raw.get("timestamp", 0)
        except (AttributeError, KeyError, TypeError):
            raise self.rpc.malformed(_BLOCK) from None
        if not (isinstance(text, str) and _ID.fullmatch(text)):
            raise self.rpc.malformed(_BLOCK)
        block_id = bytes.fromhex(text)
        if not (_is_number(height) and _is_number(time)) or int.from_bytes(block_id[:8]) != height:
            raise self.rpc.malformed(_BLOCK)
        return TronBlock(block_id, height, time // 1000)


def _any_of(accounts: Collection[bytes]) -> list[str] | None:
    return ["0x" + account.rjust(32, b"\0").hex() for account in accounts] or None


def _failed(found: Mapping[str, Any]) -> bool:
    """Tell whether a call was carried out and reverted: what it returned is no answer then."""
    transaction = found.get("transaction")
    ends = transaction.get("ret") if isinstance(transaction, dict) else None
    if not isinstance(ends, list):
        return False
    return any(not isinstance(end, dict) or end.get("ret", _DONE) != _DONE for end in ends)


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_NUMBER
