"""A real Ethereum node for tests: anvil, as chain 1, with a token and a contract wallet on it.

Also a proxy in front of it that passes everything on, but for what a test makes of it.
"""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, TextIO, cast

import pytest

from tests.support.loopback import posting

MODULES = Path(__file__).parents[1] / "ethereum" / "node_modules"
ANVIL = MODULES / "@foundry-rs/anvil-linux-amd64/bin/anvil"
TOKEN_ARTIFACT = MODULES / "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json"
ETHER = 10**18


@dataclass
class Node:
    """A node at ``url``; its first account has ether, and the node signs for it."""

    url: str
    rich: str = ""

    def call(self, method: str, *parameters: Any) -> Any:
        """The result of a method; an error is an exception."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = urllib.request.Request(  # noqa: S310
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def send(self, to: str | None, data: bytes = b"", value: int = 0) -> str:
        """Send a transaction of the rich account, mined at once; return the contract it made."""
        transaction = {"from": self.rich, "data": "0x" + data.hex(), "value": hex(value)}
        transaction |= {"to": to} if to else {}
        digest = self.call("eth_sendTransaction", transaction)
        receipt = None
        while receipt is None:  # the node answers before it has mined
            receipt = self.call("eth_getTransactionReceipt", digest)
        if receipt["status"] != "0x1":
            raise RuntimeError("a transaction failed")
        return str(receipt["contractAddress"] or "")

    def height(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def block_hash(self, height: int) -> str:
        return str(self.call("eth_getBlockByNumber", hex(height), False)["hash"])[2:]


@contextmanager
def anvil(*arguments: str, chain_id: int = 1) -> Iterator[Node]:
    """Run a node on a free port of the loopback; skip where none is installed."""
    if not ANVIL.exists():
        pytest.skip("an Ethereum node: tests/ethereum/install has not run, or npm is missing")
    command = [str(ANVIL), "--port", "0", "--chain-id", str(chain_id), "--accounts", "2"]
    command += arguments
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = cast(TextIO, process.stdout)
        for line in output:
            if line.startswith("Listening on "):
                break
        # What it prints from now on must not fill the pipe.
        drain = threading.Thread(target=output.read)
        drain.start()
        try:
            node = Node("http://" + line.split()[-1])
            node.rich = node.call("eth_accounts")[0]
            yield node
        finally:
            process.kill()
            drain.join()


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def deploy_token(node: Node, supply: int) -> str:
    """OpenZeppelin's compiled ERC-20; all of it belongs to the rich account."""
    code = bytes.fromhex(json.loads(TOKEN_ARTIFACT.read_text())["bytecode"][2:])
    texts = [b"Test token", b"TST"]
    head = [word(128), word(192), word(supply), bytes.fromhex(node.rich[2:]).rjust(32, b"\0")]
    tail = [word(len(text)) + text.ljust(32, b"\0") for text in texts]
    return node.send(None, code + b"".join(head + tail))


def transfer(node: Node, token: str, to: str, amount: int) -> None:
    data = bytes.fromhex("a9059cbb") + bytes.fromhex(to[2:]).rjust(32, b"\0") + word(amount)
    node.send(token, data)


def wallet_code(owner: bytes, *, refuse: bytes = b"") -> bytes:
    """A contract that takes (EIP-1271) what its owner's key has signed.

    Hash, v, r and s are laid out for the precompile that recovers an account (address 1); the
    magic value times "it is the owner's" is returned. `refuse` is code put in front.
    """
    push = {1: 0x60, 4: 0x63, 20: 0x73}

    def code(*parts: int | bytes) -> bytes:
        return b"".join(
            bytes([part]) if isinstance(part, int) else bytes([push[len(part)]]) + part
            for part in parts
        )

    def one(value: int) -> bytes:
        return bytes([value])

    load, store = 0x35, 0x52
    runtime = refuse + code(
        *(one(4), load, one(0), store),
        *(one(164), load, one(0), 0x1A, one(32), store),
        *(one(100), load, one(64), store),
        *(one(132), load, one(96), store),
        *(one(32), one(0), one(128), one(0), one(1), 0x5A, 0xFA, 0x50),
        *(one(0), 0x51, owner, 0x14, bytes.fromhex("1626ba7e"), one(224), 0x1B, 0x02),
        *(one(0), store, one(32), one(0), 0xF3),
    )
    start = bytes.fromhex("60") + one(len(runtime)) + bytes.fromhex("80600b6000396000f3")
    return start + runtime


Answer = dict[str, Any]


@dataclass
class Proxy:
    """Passes calls on to a node; ``lie`` may change an answer, or return bytes to send instead."""

    node: str
    lie: Callable[[str, Answer], Answer | bytes] = lambda method, answer: answer
    calls: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def proxy(node: Node) -> Iterator[Proxy]:
    """Run a proxy in front of a node."""
    made = Proxy(node.url)

    def answered(path: str, body: bytes, _: Message) -> tuple[int, bytes]:
        method = json.loads(body)["method"]
        made.calls.append(method)
        request = urllib.request.Request(  # noqa: S310
            made.node, body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            said = made.lie(method, json.load(response))
        return 200, said if isinstance(said, bytes) else json.dumps(said).encode()

    with posting(answered) as made.url:
        yield made
