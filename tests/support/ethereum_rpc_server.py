"""A node of Ethereum that answers what a test tells it to, over HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Mapping[str, Any]


@contextmanager
def serve(answer: Callable[[str, list[Any]], Answer], status: int = 200) -> Iterator[str]:
    """Serve what ``answer`` makes of a method and its parameters; yield the URL.

    An answer has ``result`` or ``error``, as JSON-RPC has it.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = answer(asked["method"], asked["params"])
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
