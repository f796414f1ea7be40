"""What a node of Ethereum answers for a contract wallet: a yes, a no, or nothing that counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ethereum_rpc_server import serve
from verifier.format.wire import Chain
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import NodeError

MAGIC = "0x1626ba7e"
# Error(string) with a text, as a contract of Solidity reverts.
REASON = "0x08c379a0" + f"{32:064x}{4:064x}" + b"GS26".hex().ljust(64, "0")


BLOCK = Chain(bytes([7]) * 32, 70, "ethereum")
HELD, OTHER = 5, 9
METHODS = ("eth_getBalance", "eth_call")
Answer = dict[str, Any]


def ask(answer: Answer, status: int = 200) -> bool:
    def known(method: str, parameters: list[Any]) -> Answer:
        at_block = parameters[1] in ({"blockHash": "0x" + BLOCK.hash.hex()}, hex(BLOCK.height))
        return answer if at_block else {"error": {"code": -32000, "message": "header not found"}}

    with serve(known, status) as url:
        node = EvmRpc("ethereum", url)
        try:
            return node.takes_signature(BLOCK, bytes(20), bytes(32), b"a signature")
        finally:
            node.rpc.close()


def told(probed: dict[str, Answer]) -> tuple[dict[str, int], bool]:
    """Balances by method from a node that knows its tip by any hash, and the block by its height.

    Each method answers for a block that no chain has as it is told to.
    """

    def answer(method: str, parameters: list[Any]) -> Answer:
        at = parameters[1]
        if at == {"blockHash": "0x" + "11" * 32}:
            return probed[method]
        held = {hex(BLOCK.height): HELD}.get(str(at), OTHER)
        return {"result": hex(held) if method == "eth_getBalance" else f"0x{held:064x}"}

    with serve(answer) as url:
        node = EvmRpc("ethereum", url)
        try:
            coin, token = (node.told_balance(BLOCK, bytes(20), of) for of in ("", "0x" + "22" * 20))
            return dict(zip(METHODS, (coin, token), strict=True)), node.asked_by_height
        finally:
            node.rpc.close()


@pytest.mark.parametrize(
    ("probed", "reads"),
    [
        ({"result": None}, True),
        ({"error": {"code": -32000, "message": "header not found"}}, True),
        ({"error": {"code": -32000, "message": "header for hash not found"}}, True),
        ({"error": {"code": -32000, "message": "Block not found"}}, True),
        ({"error": {"code": -32001, "message": "block not found: hash 0x" + "11" * 32}}, True),
        ({"error": {"code": -32001, "message": "0x" + "11" * 32 + " could not be found"}}, True),
        ({"error": {"code": -32001, "message": "Resource not found"}}, True),
        ({"error": {"code": -32000, "message": "Resource not found"}}, False),
        ({"error": {"code": -32001, "message": "unauthorized"}}, False),
        ({"error": {"code": -39001, "message": "Unknown block"}}, True),
        ({"result": "0x0"}, False),
        ({"result": "0x"}, False),
        ({"error": {"code": -32005, "message": "rate limit exceeded"}}, False),
        ({"error": {"code": -32005, "message": "block not found"}}, False),
        ({"error": {"code": 429, "message": "too many requests"}}, False),
        ({"error": {"code": -32603, "message": "internal error"}}, False),
        ({"error": {"code": -32000, "message": "not found"}}, False),
        ({"error": {"code": -32000, "message": "you are blocked: API key not found"}}, False),
        ({"error": {"code": -32000, "message": "cannot read 0x" + "11" * 32}}, False),
        ({"error": {"code": -32000, "message": "missing trie node"}}, False),
        ({"error": {"code": -32602, "message": "invalid argument 1: not a string"}}, False),
        ({"error": "header not found"}, False),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_does_not_show_that_it_reads_hashes_is_asked_by_height(
    method: str, probed: Answer, reads: bool
) -> None:
    (other,) = {*METHODS} - {method}
    for there, is_read in (({"result": None}, True), ({"result": "0x"}, False)):
        found, by_height = told({method: probed, other: there})
        assert found == {method: OTHER if reads else HELD, other: OTHER if is_read else HELD}
        assert by_height is not (reads and is_read)


@pytest.mark.parametrize(
    ("result", "taken"),
    [
        (MAGIC + "00" * 28, True),
        (MAGIC.upper().replace("X", "x") + "00" * 28, True),
        (MAGIC, False),
        (MAGIC + "00" * 27 + "01", False),
        (MAGIC + "00" * 60, False),
        ("0x" + "00" * 28 + MAGIC[2:], False),
        ("0x20c13b0b" + "00" * 28, False),  # of isValidSignature(bytes,bytes)
        ("0x" + "00" * 31 + "01", False),
        ("0xffffffff" + "00" * 28, False),
        ("0x", False),
    ],
)
def test_a_result_is_yes_in_one_form(result: str, taken: bool) -> None:
    assert ask({"result": result}) is taken


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": "0x"},
        {"code": 3, "message": "execution reverted: GS026", "data": REASON},
        {"code": -32000, "message": "execution reverted"},
        {"code": -32000, "message": "Execution reverted", "data": "0x"},
        {"code": -32015, "message": "VM execution error.", "data": "Reverted 0x"},
        {"code": -32015, "message": "VM execution error.", "data": REASON},
        {"code": -32603, "message": "Error: Transaction reverted without a reason string"},
        {"code": -32603, "message": "VM Exception while processing transaction: revert"},
        {"code": "odd", "message": "execution reverted"},
    ],
)
def test_a_revert_is_a_no_whatever_its_number(error: dict[str, Any], status: int) -> None:
    assert ask({"error": error}, status) is False


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32000, "message": "missing trie node"},
        {"code": -32000, "message": "header not found"},
        {"code": -32000, "message": "out of gas"},
        {"code": -32000, "message": "out of gas", "data": "0x"},
        {"code": -32015, "message": "VM execution error.", "data": "OutOfGas"},
        {"code": 3, "message": "execution timed out"},
        {"code": -32000, "message": "header not found", "data": "0x07" + "00" * 31},
        {"code": -32002, "message": "No state available for block", "data": "0x07"},
        {"code": -32603, "message": "internal error", "data": "0xdeadbeef"},
        {"code": -32000, "message": "cannot revert to historical state"},
        {"code": -32016, "message": "over rate limit, request reverted"},
        {"code": -32000, "data": "0x1f2a2005"},
        {"code": -32015, "message": "VM execution error.", "data": "0x"},
        {"code": -32000, "message": "execution aborted (timeout = 5s)"},
        {"code": -32000, "message": "invalid opcode: INVALID"},
        {"code": -32005, "message": "daily request count exceeded, request rate limited"},
        {"code": -32005, "message": "limit exceeded: too many reverted calls"},
        {"code": -32005, "message": "limit exceeded", "data": "0x1234"},
        {"code": 429, "message": "too many requests", "data": "0x1234"},
        {"code": -32601, "message": "method eth_call not found; not reverted"},
        {"code": -32602, "message": "invalid argument 1: hex string without 0x prefix"},
        {"code": -32603, "message": "Internal error"},
        {"code": -32603, "message": "Internal error", "data": {"rate": {"reverted": 1}}},
        {"code": -32000, "message": "failed", "data": "0x123"},
        {"code": 3},
        {},
        "revert",
    ],
)
def test_any_other_error_is_no_answer(error: Any) -> None:
    with pytest.raises(NodeError):
        ask({"error": error})
