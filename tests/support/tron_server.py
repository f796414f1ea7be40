"""A node of Tron over HTTP on loopback, with answers of the form that java-tron gives.

It tells of its solid tip, of logs, and of TRX at a block as one that keeps a history of balances
does, or one that keeps none. A test may change any answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.message import Message
from hashlib import sha256
from typing import Any

from eth_hash.auto import keccak

from tests.support.loopback import posting

GENESIS = "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"
TRANSFER = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
USDT = bytes.fromhex("a614f803b6fd780986a42c78ec9c7f77e6ded13c")
STRANGER = bytes(range(20))
MAX_RANGE, MAX_RESULTS = 5_000, 10_000
START = 1_529_891_469  # when the main network began, in Unix seconds

Answer = Any


@dataclass(frozen=True)
class Move:
    """A logged transfer in a block."""

    height: int
    sender: bytes
    receiver: bytes
    amount: int


@dataclass
class TronChain:
    """A chain with its solid tip at ``tip``, one token, and what moved of it.

    held: of each account what it has of the token at the tip; coins: of TRX after some blocks, by
    account and height, as a node with history traces it; permissions: by account; indexed: the
    first block whose logs the node has; calls: the paths and methods that it was asked.
    """

    tip: int
    held: dict[bytes, int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    coins: dict[bytes, dict[int, int]] = field(default_factory=dict)
    permissions: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    token: bytes = USDT
    genesis: str = GENESIS
    has_history: bool = True
    indexed: int = 0
    is_deprecated: bool = False
    calls: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def block_id(self, height: int) -> str:
        if height == 0:
            return self.genesis
        return height.to_bytes(8, "big").hex() + sha256(b"block %d" % height).hexdigest()[16:]

    def move(self, sender: bytes, receiver: bytes, amount: int) -> None:
        """Make a block with a transfer, which becomes solid at once."""
        self.tip += 1
        self.moves.append(Move(self.tip, sender, receiver, amount))
        self.held[sender] = self.held.get(sender, 0) - amount
        self.held[receiver] = self.held.get(receiver, 0) + amount

    def answer(self, path: str, body: Any) -> tuple[int, Answer]:
        """The status, and the answer, to what is posted to a path."""
        self.bodies.append(body)
        if path == "/jsonrpc":
            self.calls.append(body["method"])
            return 200, {"jsonrpc": "2.0", "id": body["id"], **self.logs(body)}
        self.calls.append(path)
        match path:
            case "/walletsolidity/getblock":
                return 200, self.block(body)
            case "/walletsolidity/triggerconstantcontract":
                return 200, self.call(body)
            case "/walletsolidity/getaccount":
                return 200, self.account(bytes.fromhex(body["address"])[1:])
            case "/wallet/getaccountbalance":
                return 200, self.balance(body)
        return 405, None

    def block(self, body: Any) -> Answer:
        assert body["detail"] is False
        height = int(body.get("id_or_num", self.tip))
        if height > self.tip:
            return {}
        raw: dict[str, Any] = {
            "number": height,
            "timestamp": 1000 * (START + 3 * height),
            "version": 34,
        }
        if height == 0:
            raw = {"txTrieRoot": "00" * 32}  # what is zero is left out
        return {"blockID": self.block_id(height), "block_header": {"raw_data": raw}}

    def call(self, body: Any) -> Answer:
        done = {"result": {"result": True}, "energy_used": 935, "transaction": {"ret": [{}]}}
        contract = bytes.fromhex(body["contract_address"])[1:]
        if contract != self.token:
            said = "Smart contract is not exist."
            return {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": said.encode().hex()}}
        match body["function_selector"]:
            case "balanceOf(address)":
                account = bytes.fromhex(body["parameter"])[12:]
                return {**done, "constant_result": [f"{self.held.get(account, 0):064x}"]}
            case "deprecated()":
                return {**done, "constant_result": [f"{self.is_deprecated:064x}"]}
        raise AssertionError("another function is called")

    def account(self, account: bytes) -> Answer:
        known = self.permissions.get(account)
        return {} if known is None else {"address": "41" + account.hex(), **known}

    def balance(self, body: Any) -> Answer:
        account = bytes.fromhex(body["account_identifier"]["address"])[1:]
        asked = body["block_identifier"]
        traced = self.coins.get(account, {}) if self.has_history else {}
        last = max((height for height in traced if height <= asked["number"]), default=None)
        if last is None:
            return {"block_identifier": asked}  # a balance of 0 is left out
        at = {"hash": self.block_id(last), "number": last}
        return {"balance": traced[last], "block_identifier": at}

    def logs(self, body: Any) -> Answer:
        assert body["method"] == "eth_getLogs"
        (asked,) = body["params"]
        first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        if last - first >= MAX_RANGE:
            return {"error": {"code": -32602, "message": "exceed max block range: 5000"}}
        kind, senders, receivers = asked["topics"]
        assert (kind, asked["address"]) == (TRANSFER, "0x" + self.token.hex())
        background = [Move(at, STRANGER, STRANGER, 1) for at in range(first, last + 1)]
        found = [
            moved
            for moved in [*background, *self.moves]
            if first <= moved.height <= last
            and self.indexed <= moved.height <= self.tip
            and (senders is None or topic(moved.sender) in senders)
            and (receivers is None or topic(moved.receiver) in receivers)
        ]
        if len(found) > MAX_RESULTS:
            message = f"query returned more than {MAX_RESULTS} results"
            return {"error": {"code": -32005, "message": message}}
        return {"result": [self.log(at, moved) for at, moved in enumerate(found)]}

    def log(self, at: int, moved: Move) -> dict[str, Any]:
        return {
            "address": "0x" + self.token.hex(),
            "blockHash": "0x" + self.block_id(moved.height),
            "blockNumber": hex(moved.height),
            "data": "0x" + moved.amount.to_bytes(32, "big").hex(),
            "logIndex": hex(at),
            "removed": False,
            "topics": [TRANSFER, topic(moved.sender), topic(moved.receiver)],
            "transactionHash": "0x" + sha256(repr((at, moved)).encode()).hexdigest(),
            "transactionIndex": "0x0",
        }


def topic(account: bytes) -> str:
    return "0x" + account.rjust(32, b"\0").hex()


def owner(*keys: tuple[bytes, int], threshold: int = 1) -> dict[str, Any]:
    """An account whose owner permission is given to keys with weights."""
    listed = [{"address": "41" + key.hex(), "weight": weight} for key, weight in keys]
    return {
        "owner_permission": {"permission_name": "owner", "threshold": threshold, "keys": listed}
    }


def serve(
    chain: TronChain, change: Callable[[str, Answer], Answer] = lambda asked, answer: answer
) -> AbstractContextManager[str]:
    """Serve a chain; give the URL.

    ``change`` is given the path, or the method of JSON-RPC, and the answer; what it returns is
    sent, bytes as they are.
    """

    def answered(path: str, body: bytes, _: Message) -> tuple[int, bytes]:
        status, answer = chain.answer(path, json.loads(body))
        answer = change(chain.calls[-1], answer)
        return status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    return posting(answered)
