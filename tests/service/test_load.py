"""Customers and readers are answered, all of them, while the worker proves the next snapshot."""

from __future__ import annotations

from functools import partial
from operator import eq
from pathlib import Path

from benches.http_load import Exchange, put_load
from prover.snapshot.packages import Packager
from tests.support.identity_provider import Key, claims, key_set
from tests.support.served_exchange import LATER, make_exchange
from tests.support.service import running
from tests.support.service_http import ALL, Operator, settings, token

ISSUER, AUDIENCE = "https://exchange.example", "customers"
ACCOUNTS, CUSTOMERS, CONNECTIONS = 6_000, 200, 8

SETTINGS = f"""
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
"""


def get(path: str, field: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{field}\r\n\r\n".encode()


def packages(folder: Path, key: Key) -> list[Exchange]:
    packager = Packager(folder)
    found = []
    for number in range(CUSTOMERS):
        account = f"holder{number}@example.com"
        bearer = key.sign(claims(ISSUER, AUDIENCE, sub=account))
        request = get("/me/inclusion/one", f"Authorization: Bearer {bearer}")
        found.append(
            Exchange(request, 200, partial(eq, packager.package(packager.index_of(account))))
        )
    return found


def pages(bundle: Path) -> list[Exchange]:
    data = (bundle / "pages" / "ETH" / "0").read_bytes()
    ranges = [(start, start + 999) for start in range(0, len(data) - 1000, 10_000)]
    return [
        Exchange(
            get("/snapshots/one/pages/ETH/0", f"Range: bytes={first}-{last}"),
            206,
            partial(eq, data[first : last + 1]),
        )
        for first, last in ranges
    ]


def test_no_answer_is_wrong_while_a_snapshot_is_proven(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange", ACCOUNTS)
    folder = tmp_path / "service"
    folder.mkdir()
    key = Key("k1")
    (folder / "keys.json").write_bytes(key_set(key))
    one_job = settings(exchange, SETTINGS).replace("jobs = 2", "jobs = 1")
    with running(folder, one_job) as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        for move, state in (("start", "proven"), ("publish", "published")):
            assert operator("POST", f"/one/{move}")[0] == 202
            assert operator.rest()["state"] == state
        snapshot = folder / "snapshots" / "one"
        kinds = {"packages": packages(snapshot, key), "pages": pages(snapshot / "public")}
        operator.draft(exchange, "two", LATER)
        assert operator("POST", "/two/start")[0] == 202
        beside: dict[str, int] = {}
        while operator("GET", "/two")[1]["state"] in {"queued", "proving"}:
            for kind, exchanges in kinds.items():
                load = put_load(service.port, exchanges, connections=CONNECTIONS, seconds=0.2)
                assert load.wrong == 0, kind
                beside[kind] = beside.get(kind, 0) + len(load.durations)
        assert operator.rest("two")["state"] == "proven"
        assert min(beside.get(kind, 0) for kind in kinds) > CONNECTIONS, beside
