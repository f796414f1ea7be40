"""Answers of nodes: any bytes are of the form that was asked for or one error, and no false proof.

The bytes are answers to the calls that one question makes, each after a line feed; an answer that
begins with ``=`` is the whole body, any other the result in a body that fits its call. What Tron's
HTTP interface answers is always the whole body.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from eth_hash.auto import keccak

from tests.fuzz.corpus import run
from tests.support.ethereum_state import Account, World, header
from tests.support.tron_server import Move, TronChain, owner
from verifier.errors import CannotCheck
from verifier.format.chains import HeaderForm
from verifier.format.wire import Chain
from verifier.nodes.bitcoin_rpc import BitcoinRpc, Moved
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import JsonRpc
from verifier.nodes.tron_amounts import Held, TronAmounts
from verifier.nodes.tron_rpc import TronBlock, TronRpc
from verifier.ownership.families.evm import account_text
from verifier.stateproof.header import fields_of, is_number, parse_header
from verifier.stateproof.state import UnknownSlot
from verifier.stateproof.tokens import TokenSlot, storage_key

NAME, HASH = "main", bytes([7]) * 32
BLOCK = Chain(HASH, 7, "ethereum")
HOLDER, TOKEN = b"\x42" * 20, b"\x77" * 20
CONTRACT = account_text(TOKEN)
SLOTS = {CONTRACT: TokenSlot("ethereum", CONTRACT, 2)}
HELD, TOKENS = 9, 1_000_000
TETHER = bytes.fromhex("a614f803b6fd780986a42c78ec9c7f77e6ded13c")
TIP = bytes.fromhex(TronChain(9).block_id(9))
WORLD = World(
    {bytes([at]) * 20: Account(at + 1) for at in range(20)}
    | {HOLDER: Account(HELD), TOKEN: Account(storage={storage_key(2, HOLDER): TOKENS})}
)
HEADER = header(WORLD.accounts.root, 7)

Answers = Iterator[bytes]


class Scripted(JsonRpc):
    """A node that answers what it is told to; it reads a batch as one call."""

    def __init__(self, answers: Answers) -> None:
        super().__init__("http://node")
        self._answers = answers

    def _exchange(self, target: str, body: bytes, limit: int) -> tuple[int, bytes]:
        asked = json.loads(body)
        if target not in ("/", "/jsonrpc"):
            return 200, next(self._answers, b"null").removeprefix(b"=")
        if isinstance(asked, list):
            parts = [self._answer(item["id"]) for item in asked]
            return 200, b"[" + b",".join(parts) + b"]"
        return 200, self._answer(asked["id"])

    def _answer(self, number: int) -> bytes:
        text = next(self._answers, b"null")
        if text[:1] == b"=":
            return text[1:]
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (number, text)


def ask_bitcoin(answers: Answers, question: Callable[[BitcoinRpc], object]) -> object:
    node = BitcoinRpc("http://node", credentials=None, timeout=1)
    node._rpc = node._scanner = Scripted(answers)
    return question(node)


def ask_ethereum(answers: Answers, question: Callable[[EvmRpc], object]) -> object:
    node = EvmRpc("ethereum", "http://node")
    node.rpc = Scripted(answers)
    return question(node)


def ask_tron(answers: Answers, question: Callable[[TronRpc], object]) -> object:
    node = TronRpc("http://node")
    node.rpc = Scripted(answers)
    return question(node)


def told(contract: str) -> Callable[[EvmRpc], None]:
    def question(node: EvmRpc) -> None:
        if not 0 <= node.told_balance(BLOCK, HOLDER, contract) < 1 << 256:
            raise AssertionError("a balance that is none is taken")

    return question


def tip_rule(node: TronRpc) -> None:
    """What the holder had is no more than the tip's balance and what left, whatever is told."""
    block = node.tip()
    found = dict(TronAmounts(node, block).tokens(TETHER, [HOLDER]))
    answer = found[HOLDER]
    if isinstance(answer, Held) and answer.amount >= 1 << 256:
        raise AssertionError("a balance that is none is taken")


def logs(node: TronRpc) -> None:
    for moved in node.transfers(TETHER, 5, 9, [HOLDER]):
        if not (5 <= moved.height <= 9 and moved.sender == HOLDER and len(moved.receiver) == 20):
            raise AssertionError("a log that was not asked for is taken")


def balance(contract: str, held: int) -> Callable[[EvmRpc], None]:
    def question(node: EvmRpc) -> None:
        found, _ = node.balance(parse_header(HEADER, HeaderForm.ETHEREUM), HOLDER, contract, SLOTS)
        if found != held:
            raise AssertionError("another balance is taken for proved")

    return question


def block(node: EvmRpc) -> None:
    fields = node.block(7)
    if keccak(node.header(fields)) != node.block_hash(fields):
        raise AssertionError("a header of another hash is taken")


BITCOIN: list[Callable[[BitcoinRpc], object]] = [
    lambda node: node.tip(NAME),
    lambda node: node.block_hash(5),
    lambda node: node.height_on_chain(HASH),
    lambda node: node.block_header(HASH),
    lambda node: node.outputs([(HASH, 0), (HASH, 1)]),
    lambda node: list(node.scans([b"\x51", b"\x52"])),
    lambda node: node.spends(HASH),
]
ETHEREUM: list[Callable[[EvmRpc], object]] = [
    lambda node: node.check_network(),
    block,
    balance("", HELD),
    balance(CONTRACT, TOKENS),
    lambda node: node.takes_signature(BLOCK, HOLDER, HASH, b"signature"),
    told(""),
    told(CONTRACT),
]
TRON: list[Callable[[TronRpc], object]] = [
    lambda node: node.check_network(),
    lambda node: node.block(9),
    lambda node: node.token_balance(TETHER, HOLDER),
    lambda node: node.coin_balance(HOLDER, TronBlock(TIP, 9, 0)),
    lambda node: node.has_authority(HOLDER),
    logs,
    tip_rule,
]


def target(data: bytes) -> None:
    """Input: a byte that chooses the question, and the answers."""
    if not data:
        return
    answers = iter(data[1:].split(b"\n"))
    number = data[0] % (len(BITCOIN) + len(ETHEREUM) + len(TRON))
    try:
        if number < len(BITCOIN):
            ask_bitcoin(answers, BITCOIN[number])
        elif number < len(BITCOIN) + len(ETHEREUM):
            ask_ethereum(answers, ETHEREUM[number - len(BITCOIN)])
        else:
            ask_tron(answers, TRON[number - len(BITCOIN) - len(ETHEREUM)])
    except (CannotCheck, Moved, UnknownSlot):
        return


def seeds() -> Iterator[bytes]:
    """For each question what a node answers."""
    name = HASH.hex()
    coin = {"bestblock": name, "confirmations": 2, "value": 0.5, "scriptPubKey": {"hex": "51"}}
    found = {"txid": name, "vout": 1, "scriptPubKey": "51", "amount": 0.00000001, "height": 3}
    scan = {"success": True, "height": 9, "bestblock": name, "unspents": [found]}
    spent = {"height": 3, "value": 1, "scriptPubKey": {"hex": "51"}}
    spend = {"txid": name, "vout": 0, "prevout": spent}
    transactions = [{"vin": [{"coinbase": ""}]}, {"vin": [spend]}]
    bitcoin: list[list[Any]] = [
        [{"chain": NAME, "blocks": 9, "bestblockhash": name}],
        [name],
        [{"height": 9, "confirmations": 1}],
        [{"time": 1_700_000_000}],
        [name, coin, None, name, {"height": 9, "confirmations": 1}],
        [scan],
        [{"hash": name, "previousblockhash": name, "tx": transactions}],
    ]
    yield from (
        bytes([at]) + b"\n".join(json.dumps(answer).encode() for answer in answers)
        for at, answers in enumerate(bitcoin)
    )
    proof = {"accountProof": hexes(WORLD.accounts.proof(HOLDER)), "storageProof": []}
    nodes = [*WORLD.nodes((HOLDER, TOKEN, 2))]
    proved = {"accountProof": hexes(nodes), "storageProof": [{"proof": hexes(nodes)}]}
    for at, answer in enumerate(["0x1", block_fields(), proof, proved], len(bitcoin)):
        yield bytes([at]) + json.dumps(answer).encode()
    at = len(bitcoin) + 4
    magic = "0x" + bytes.fromhex("1626ba7e").ljust(32, b"\0").hex()
    word = "0x" + "07".rjust(64, "0")
    words: list[list[Any]] = [[None, magic], [None, hex(9)], ["0x", word]]
    for answers in (*words, *tron_answers()):
        yield bytes([at]) + b"\n".join(json.dumps(answer).encode() for answer in answers)
        at += 1
    yield b'\x00={"id":1,"error":{"code":-1,"message":"no"}}'


def tron_answers() -> Iterator[list[Any]]:
    """For each question what a node of Tron answers, bodies and all."""
    tron = TronChain(9, {HOLDER: 7}, token=TETHER)
    tron.permissions[HOLDER] = owner((HOLDER, 1))
    tron.coins[HOLDER] = {9: 5}
    genesis, tip = (tron.block({"id_or_num": at, "detail": False}) for at in (0, 9))
    account = "41" + HOLDER.hex()
    body = {"contract_address": "41" + TETHER.hex(), "function_selector": "balanceOf(address)"}
    held = tron.call({**body, "parameter": HOLDER.rjust(32, b"\0").hex()})
    asked = {"hash": tron.block_id(9), "number": 9}
    coins = tron.balance({"account_identifier": {"address": account}, "block_identifier": asked})
    log = tron.log(0, Move(7, HOLDER, HOLDER, 3))
    for answer in (genesis, tip, held, coins, tron.account(HOLDER)):
        yield [answer]
    yield [[log]]
    yield [tip, tip, held, tip]


def hexes(nodes: list[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in nodes]


def block_fields() -> dict[str, str]:
    from verifier.stateproof.rlp import decode_list

    items = decode_list(HEADER)
    fields = {"hash": "0x" + bytes(keccak(HEADER)).hex()}
    for name, item in zip(fields_of(HeaderForm.ETHEREUM), items, strict=False):
        value = hex(int.from_bytes(item.data, "big")) if is_number(name) else item.data.hex()
        fields[name] = value if is_number(name) else "0x" + value
    return fields


if __name__ == "__main__":
    run(target, seeds(), 1 << 13)
