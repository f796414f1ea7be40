"""JSON-RPC over a regtest chain, on loopback, in the forms in which Bitcoin Core answers.

Bitcoin Core's engine validates the chain; the answers are written here after Core's documentation,
for there is no package of bitcoind. So what is untried is a real node's own JSON: the order of
fields, further fields, the words of its errors, its time for a scan of the main network, and an
answer in chunks.
"""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.message import Message
from typing import Any

from tests.support.bitcoin_regtest import Regtest
from tests.support.bitcoin_snapshot import Unspent
from tests.support.loopback import posting


class _Amount(float):
    """Bitcoin with eight places, as Core prints it."""

    def __new__(cls, satoshi: int) -> _Amount:
        made = super().__new__(cls, satoshi / 10**8)
        made.text = f"{satoshi // 10**8}.{satoshi % 10**8:08d}"
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


class RpcError(Exception):
    """An error that Core answers: its number, its words, and its HTTP status."""

    def __init__(self, number: int, words: str, status: int = 500) -> None:
        super().__init__(words)
        self.number = number
        self.status = status


class Core:
    """The methods of a node over a chain; ``calls`` are the names of those that were asked.

    A node that is ``pruned`` has let go of its blocks.
    """

    def __init__(self, chain: Regtest, name: str = "regtest", *, pruned: bool = False) -> None:
        self.chain = chain
        self.name = name
        self.pruned = pruned
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}  # done once, before a method answers
        self._lock = threading.Lock()
        self._unspent: tuple[bytes, dict[tuple[str, int], Unspent]] = (b"", {})

    def answer(self, method: str, parameters: list[Any]) -> Any:
        with self._lock:
            self.calls.append(method)
            self.before.pop(method, lambda: None)()
            found = getattr(self, f"do_{method}", None)
            if found is None:
                raise RpcError(-32601, "Method not found", 404)
            return found(*parameters)

    def unspent(self) -> dict[tuple[str, int], Unspent]:
        tip = self.chain.tip
        if self._unspent[0] != tip:
            coins = {(coin.txid.hex(), coin.index): coin for coin in self.chain.unspent()}
            self._unspent = tip, coins
        return self._unspent[1]

    def do_getblockchaininfo(self) -> Any:
        height = self.chain.height
        return {
            "chain": self.name,
            "blocks": height,
            "headers": height,
            "bestblockhash": self.chain.tip.hex(),
            "difficulty": 4.656542373906925e-10,
            "initialblockdownload": False,
            "pruned": False,
            "warnings": [],
        }

    def do_getbestblockhash(self) -> Any:
        return self.chain.tip.hex()

    def do_getblockhash(self, height: int) -> Any:
        if not 0 <= height <= self.chain.height:
            raise RpcError(-8, "Block height out of range")
        return self.chain.hash_at(height).hex()

    def do_getblockheader(self, block_hash: str, verbose: bool = True) -> Any:
        try:
            height = int(self.chain.entry(bytes.fromhex(block_hash)).height)
        except KeyError:
            raise RpcError(-5, "Block not found") from None
        if not verbose:
            return self.chain.headers[bytes.fromhex(block_hash)].hex()
        is_active = height <= self.chain.height and block_hash == self.do_getblockhash(height)
        confirmations = self.chain.height - height + 1 if is_active else -1
        return {"hash": block_hash, "confirmations": confirmations, "height": height}

    def do_getblock(self, block_hash: str, verbosity: int = 1) -> Any:
        head = self.do_getblockheader(block_hash)
        if self.pruned or head["confirmations"] < 0:
            raise RpcError(-1, "Block not available (pruned data)")
        height, created = head["height"], self.chain.created()
        transactions: list[Any] = []
        for item in self.chain.transactions(height):
            inputs: list[Any] = [{"coinbase": "00", "sequence": 0}]
            if transactions:
                inputs = []
                for spend in item.vin:
                    inputs.append({"txid": spend.txid.hex(), "vout": spend.vout, "sequence": 0})
                    if verbosity == 3:
                        coin = created[spend.txid, spend.vout]
                        inputs[-1]["prevout"] = {
                            "generated": coin.coinbase,
                            "height": coin.height,
                            "value": _Amount(coin.amount),
                            "scriptPubKey": {"asm": "", "hex": coin.script.hex()},
                        }
            transactions.append({"txid": item.txid().hex(), "vin": inputs, "vout": []})
        parent = {"previousblockhash": self.chain.hash_at(height - 1).hex()}
        return {**head, "nTx": len(transactions), "tx": transactions, **parent}

    def do_gettxout(self, txid: str, index: int, mempool: bool = True) -> Any:
        coin = self.unspent().get((txid, index))
        return coin and {
            "bestblock": self.chain.tip.hex(),
            "confirmations": self.chain.height - coin.height + 1,
            "value": _Amount(coin.amount),
            "scriptPubKey": {"asm": "", "hex": coin.script.hex(), "type": "nonstandard"},
            "coinbase": coin.coinbase,
        }

    def do_scantxoutset(self, action: str, descriptors: list[str]) -> Any:
        if action != "start":
            raise RpcError(-8, f"Invalid action '{action}'")
        scripts = {bytes.fromhex(text.removeprefix("raw(")[:-1]) for text in descriptors}
        found = [coin for coin in self.unspent().values() if coin.script in scripts]
        return {
            "success": True,
            "txouts": len(self.unspent()),
            "height": self.chain.height,
            "bestblock": self.chain.tip.hex(),
            "unspents": [
                {
                    "txid": coin.txid.hex(),
                    "vout": coin.index,
                    "scriptPubKey": coin.script.hex(),
                    "desc": f"raw({coin.script.hex()})#checksum",
                    "amount": _Amount(coin.amount),
                    "coinbase": coin.coinbase,
                    "height": coin.height,
                    "blockhash": self.chain.hash_at(coin.height).hex(),
                    "confirmations": self.chain.height - coin.height + 1,
                }
                for coin in found
            ],
            "total_amount": _Amount(sum(coin.amount for coin in found)),
        }


Raw = Callable[[Any], bytes]


def serve(
    core: Core, *, credentials: str = "", change: Callable[[str, Any], Any] | None = None
) -> AbstractContextManager[str]:
    """Serve a node's methods; give the URL, without credentials.

    ``change`` gets method and result, and returns what is answered: a result, or bytes, which are
    then the whole body.
    """
    expected = f"Basic {b64encode(credentials.encode()).decode()}" if credentials else None

    def answered(path: str, body: bytes, headers: Message) -> tuple[int, bytes]:
        if expected and headers.get("Authorization") != expected:
            return 401, b""
        asked = json.loads(body)
        answers = [one(question) for question in (asked if isinstance(asked, list) else [asked])]
        raw = next((answer for _, answer in answers if isinstance(answer, bytes)), None)
        if isinstance(asked, list):
            return 200, raw or json.dumps([answer for _, answer in answers]).encode()
        return answers[0][0], raw or json.dumps(answers[0][1]).encode()

    def one(question: Any) -> tuple[int, Any]:
        head = {"id": question["id"]}
        try:
            result = core.answer(question["method"], question["params"])
        except RpcError as error:
            found = {"code": error.number, "message": str(error)}
            return error.status, {"result": None, "error": found, **head}
        if change is not None:
            result = change(question["method"], result)
            if isinstance(result, bytes):
                return 200, result
        return 200, {"result": result, "error": None, **head}

    return posting(answered)
