"""Every example of the OpenAPI document is sent to a service, and its answer has that shape."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.routes.examples import BINARY, examples
from tests.support.identity_provider import Key, claims, key_set
from tests.support.served_exchange import make_exchange
from tests.support.service import Answer, Service, running
from tests.support.service_http import ALL, Operator, settings, token, worker

ISSUER, AUDIENCE = "https://exchange.example", "customers"
CUSTOMERS = f"""
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
address = "https://proofs.example.com"
"""
ONE = "/operator/snapshots/{snapshot_id}"
FILE = f"{ONE}/evidence/{{name}}"
BUNDLE = "/snapshots/{snapshot_id}/{path}"
# Whose signature over the draft's message stands in the example of an upload.
SIGNING = Ed25519PrivateKey.from_private_bytes(b"example" + bytes(25))

# What stands between operations is a state that is waited for.
BEFORE_THE_WORKER = (
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /operator/snapshots",
    "GET /operator/snapshots",
    f"GET {ONE}",
    f"GET {ONE}/challenge",
    f"GET {ONE}/announcement",
    f"PUT {FILE}",
    f"DELETE {FILE}",
    f"PUT {FILE}",
    f"POST {ONE}/start",
    f"POST {ONE}/cancel",
    f"POST {ONE}/resume",
)
WITH_THE_WORKER = (
    "proven",
    f"GET {ONE}/events",
    f"POST {ONE}/publish",
    "published",
    "GET /history.json",
    "HEAD /history.json",
    f"GET {BUNDLE}",
    f"HEAD {BUNDLE}",
    "GET /check.html",
    "HEAD /check.html",
    "GET /me/inclusion/{snapshot}",
    "POST /me/inclusion/{snapshot}/link",
    "GET /links/{token}",
    f"POST {ONE}/retire",
    "retired",
)


@dataclass
class Caller:
    """Sends the examples of a document to the service that gave it out."""

    service: Service
    document: dict[str, Any]
    bearers: dict[str, str]
    link: str = ""
    sent: set[str] = field(default_factory=set)

    def run(self, steps: tuple[str, ...]) -> None:
        for step in steps:
            if " " in step:
                self.check(*step.split())
            else:
                operator = Operator(self.service, self.bearers["operator"])
                assert operator.rest("2026-q3")["state"] == step

    def check(self, method: str, path: str) -> None:
        """Send an example; check status, media type and shape of the answer."""
        operation = self.document["paths"][path][method.lower()]
        place, headers = path, self._authorisation(operation)
        for parameter in operation.get("parameters", ()):
            value = parameter.get("example")
            match parameter["in"]:
                case "path":
                    assert value is not None, f"{method} {path}: {parameter['name']}"
                    place = place.replace(f"{{{parameter['name']}}}", str(value))
                case "header" if value is not None:
                    headers[parameter["name"]] = value
        if path == "/links/{token}":
            place = self.link
        body = None
        if "requestBody" in operation:
            [(media, content)] = operation["requestBody"]["content"].items()
            headers["Content-Type"] = media
            given = content["example"]
            body = given if isinstance(given, str) else json.dumps(given)
        if path == "/me/inclusion/{snapshot}":
            headers["Accept"] = "application/json"
        answer = self.service.request(place, method, body and body.encode(), **headers)
        self._compare(method, path, operation, answer)
        self.sent.add(f"{method} {path}")

    def _authorisation(self, operation: dict[str, Any]) -> dict[str, str]:
        schemes = [name for needed in operation.get("security", ()) for name in needed]
        return {"Authorization": f"Bearer {self.bearers[schemes[0]]}"} if schemes else {}

    def _compare(self, method: str, path: str, operation: dict[str, Any], answer: Answer) -> None:
        name = f"{method} {path}"
        expected = examples()[name]
        assert answer.status == expected["status"], (name, answer)
        if "answer" not in expected:
            assert answer.body == b"", name
            return
        media = answer.headers["content-type"].partition(";")[0]
        assert media == expected["media"], name
        content = operation["responses"][str(answer.status)]["content"][media]
        if media in BINARY:
            example = base64.b64decode(content["examples"]["base64"]["value"])
        else:
            example = content["example"]
        assert shape(media, answer.body) == shape(media, example), name
        if path.endswith("/link"):
            self.link = urlsplit(parse_qs(answer.body.decode())["from"][0]).path


def shape(media: str, data: Any) -> Any:
    """Return what is the same of an answer and its example: names and types."""
    text = data.decode() if isinstance(data, bytes) and media not in BINARY else data
    match media:
        case "application/json":
            return types(json.loads(text) if isinstance(text, str) else text)
        case "application/vnd.msgpack" | "application/octet-stream":
            return types(msgpack.unpackb(data, strict_map_key=False))
        case "text/event-stream":
            fields = dict(line.split(": ", 1) for line in text.strip().split("\n"))
            return sorted(fields), fields["event"], types(json.loads(fields["data"]))
        case "text/plain" if text.startswith("#"):
            return "# TYPE assay_requests_total counter" in text
        case "text/plain":
            return sorted(parse_qs(text, strict_parsing=True))
        case "text/html":
            return text.lower().startswith("<!doctype html>")
    raise AssertionError(media)


def types(value: Any) -> Any:
    """Return the types of a value and of all in it; of a list those that its entries have."""
    if isinstance(value, dict):
        return {name: types(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(types(entry), sort_keys=True) for entry in value})
    return type(value).__name__


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    exchange = make_exchange(tmp_path / "exchange")
    pem = SIGNING.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (exchange.folder / "signing.pem").write_bytes(pem)
    # Packages that are too large for a fragment, so that links have a token.
    text = exchange.source.read_text()
    exchange.source.write_text(text.replace("least = 1, most = 3", "least = 20, most = 24"))
    folder, key = tmp_path / "service", Key("k1")
    folder.mkdir()
    (folder / "keys.json").write_bytes(key_set(key))
    (folder / "check.html").write_text("<!doctype html>\n<title>Check</title>\n")
    more = 'page = "check.html"\n'
    with running(folder, settings(exchange, more) + CUSTOMERS, "--no-worker") as service:
        lasting = claims(ISSUER, AUDIENCE, sub="holder7@example.com", exp=int(time.time()) + 3600)
        bearers = {"operator": token(folder, *ALL), "customer": key.sign(lasting)}
        document = json.loads(service.request("/openapi.json").body)
        yield Caller(service, document, bearers)


def test_every_example_runs(caller: Caller) -> None:
    caller.run(BEFORE_THE_WORKER)
    with worker(caller.service.folder):
        caller.run(WITH_THE_WORKER)
    documented = {
        f"{method.upper()} {path}"
        for path, item in caller.document["paths"].items()
        for method in item
    }
    assert caller.sent == documented == set(examples())
