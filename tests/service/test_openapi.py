"""The OpenAPI document is true: schemathesis asks every route, as an operator and as a customer."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.support.identity_provider import Key, claims, key_set
from tests.support.served_exchange import make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import ALL, Operator, settings, token, worker

SECONDS = 20
ISSUER, AUDIENCE = "https://exchange.example", "customers"

SETTINGS = f"""
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
address = "https://proofs.example.com"
"""

# A body may fit its schema and name a source or a time that there is not: 422, like one that does
# not fit.
ST = """
[auth.openapi.operator]
bearer = "{operator}"
[auth.openapi.customer]
bearer = "{customer}"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 410, 422]
[[operations]]
include-path-regex = "^/me/"
parameters = {{ snapshot = "one" }}
[[operations]]
include-path-regex = "^/snapshots/"
include-method = "GET"
parameters = {{ snapshot_id = "one", path = "pages/ETH/0" }}
"""


def test_every_route_does_what_the_document_says(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange")
    folder = tmp_path / "service"
    folder.mkdir()
    key = Key("k1")
    (folder / "keys.json").write_bytes(key_set(key))
    with running(folder, settings(exchange, SETTINGS), "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        with worker(folder):
            operator.draft(exchange)
            for move, state in (("start", "proven"), ("publish", "published")):
                assert operator("POST", f"/one/{move}")[0] == 202
                assert operator.rest()["state"] == state
        lasting = claims(ISSUER, AUDIENCE, sub="holder7@example.com", exp=int(time.time()) + 3600)
        config = tmp_path / "schemathesis.toml"
        config.write_text(ST.format(operator=operator.token, customer=key.sign(lasting)))
        command = [
            str(BIN / "st"),
            "--config-file",
            str(config),
            "run",
            "--checks",
            "all",
            "--seed",
            "7",
        ]
        bounded = ["--max-time", str(SECONDS), "--no-shrink"]
        url = f"http://127.0.0.1:{service.port}/openapi.json"
        ran = subprocess.run(
            [*command, *bounded, url],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-20_000:]
        routes = json.loads(service.request("/openapi.json").body)["paths"]
        count = sum(len(methods) for methods in routes.values())
        assert f"Tested: {count}" in ran.stdout
