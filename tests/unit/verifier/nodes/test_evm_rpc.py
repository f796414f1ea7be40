"""What a node of Ethereum answers for a contract wallet: a yes, a no, or nothing that counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ethereum_rpc_server import serve
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import NodeError

MAGIC = "0x1626ba7e"
# Error(string) with a text, as a contract of Solidity reverts.
REASON = "0x08c379a0" + f"{32:064x}{4:064x}" + b"GS26".hex().ljust(64, "0")


def ask(answer: dict[str, Any], status: int = 200) -> bool:
    with serve(lambda method, parameters: answer, status) as url:
        node = EvmRpc("ethereum", url)
        try:
            return node.takes_signature(bytes(32), bytes(20), bytes(32), b"a signature")
        finally:
            node.rpc.close()


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
        {"code": -32521, "message": "CONTRACT_REVERT_EXECUTED"},
        {"code": "odd", "message": "EvmError: Revert"},
        {"code": -32000, "message": "failed", "data": "0x4e487b71" + "00" * 31 + "01"},
        {"code": -32000, "data": "0x1f2a2005"},
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
