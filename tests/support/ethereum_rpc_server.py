"""A node of Ethereum that answers what a test tells it to, over HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from email.message import Message
from http import HTTPStatus
from typing import Any

from tests.support.loopback import posting

Answer = Mapping[str, Any] | bytes


def serve(
    answer: Callable[[str, list[Any]], Answer], status: int = 200
) -> AbstractContextManager[str]:
    """Serve what ``answer`` makes of a method and its parameters; give the URL.

    An answer has ``result`` or ``error``, as JSON-RPC has it; bytes are what a gateway says when
    it has waited for long enough.
    """

    def answered(path: str, body: bytes, _: Message) -> tuple[int, bytes]:
        asked = json.loads(body)
        said = answer(asked["method"], asked["params"])
        if isinstance(said, bytes):
            return HTTPStatus.GATEWAY_TIMEOUT, said
        return status, json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}).encode()

    return posting(answered)


def captured(
    block: Mapping[str, Any], *proofs: Mapping[str, Any]
) -> Callable[[str, list[Any]], Answer]:
    """Answer as a node of the main network that knows one block, and some proofs at it."""

    def answer(method: str, parameters: list[Any]) -> Answer:
        match method:
            case "eth_chainId":
                return {"result": "0x1"}
            case "eth_getBlockByNumber":
                known = parameters[0] == block["number"]
                return {"result": {**block, "transactions": []} if known else None}
            case "eth_getProof":
                address, keys, at = parameters
                for proof in proofs:
                    found = [item for item in proof["storageProof"] if item["key"] in keys]
                    if (at, address.lower()) == (block["number"], proof["address"].lower()):
                        return {"result": {**proof, "storageProof": found}}
        return {"error": {"code": -32601, "message": f"the method {method} does not exist"}}

    return answer
