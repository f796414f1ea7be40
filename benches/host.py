"""`make bench-host`: what the auditing host's pages take, of many exchanges with long histories.

The database is made up, by the host's own schema: its manifests are small and signed by nobody, and
each exchange has a snapshot a day. The application is asked in this process and without a socket,
and a figure is the time of the processor that this takes: so it is the host's own, and what else
the machine does is no part of it.

- *kept*: the page is there from before, as it is while nothing changes.
- *minute*: the page is made anew, as it is when the minute has changed.
- *change*: an exchange has a new snapshot, so its history is read and judged anew, then all stand
  in a new order.
- *start*: what the host does before it answers anybody: it reads and judges every history.

    python -m benches.host [--quick]

`--quick` measures 30 exchanges with 300 snapshots each and writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette

from benches import machine
from verifier.format.params import DAY_SECONDS
from verifier.host.app import create_app
from verifier.host.pages import Views
from verifier.host.settings import Settings, WatchedExchange
from verifier.host.store import Audited, Store

EXCHANGES, SNAPSHOTS = 300, 3000
QUICK_EXCHANGES, QUICK_SNAPSHOTS = 30, 300
ROUNDS = 50

_CODES = ("BTC", "ETH", "USDT", "USDC", "SOL")
_LEVELS = ("header", "header", "claimed", "attested")
_FAILING = 0.002
_BYTES = b"m" * 300  # in place of a manifest, and of an attestation


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches.host",
        "make bench-host",
        __doc__,
        lambda quick: (
            measured(QUICK_EXCHANGES, QUICK_SNAPSHOTS) if quick else measured(EXCHANGES, SNAPSHOTS)
        ),
    )


def measured(exchanges: int, snapshots: int) -> dict[str, float]:
    """All figures: bytes, and milliseconds of a request, their median and worst."""
    figures: dict[str, float] = {}

    def keep(name: str, value: float, unit: str, digits: int = 0) -> None:
        figures[name] = round(value, digits) if digits else round(value)
        print(f"{name:40} {figures[name]:>12,} {unit}", flush=True)

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        settings = make_host(Path(name), exchanges, snapshots)
        app = create_app(settings)
        key = settings.exchanges[0].public_key.hex()
        paths = {
            "front": "/",
            "search": "/?q=exchange+1",
            "exchange": f"/exchanges/{key}",
            "month": f"/exchanges/{key}?month={time.strftime('%Y-%m', time.gmtime())}",
            "badge": f"/exchanges/{key}.svg",
            "feed": "/feed.atom",
            "history": "/history.json",
        }
        with closing(Store(settings.folder / "host.sqlite")) as store:
            views = Views(settings, store, int(time.time()))
            keep("host_start_s", _seconds(views.present_keys), "s", 1)
            taken = list(_after_changes(settings, store, views))
            keep("host_change_ms", 1e3 * statistics.median(taken), "ms, the rows of the front", 1)
        _answer(app, "/")
        for what, path in paths.items():
            keep(f"host_{what}_bytes", len(_answer(app, path)), "bytes")
            kept = [_seconds(partial(_answer, app, path)) for _ in range(ROUNDS)]
            keep(f"host_{what}_kept_ms", 1e3 * statistics.median(kept), "ms", 2)
            made = list(_each_minute(app, path))
            keep(f"host_{what}_minute_ms", 1e3 * statistics.median(made), "ms", 1)
            keep(f"host_{what}_minute_worst_ms", 1e3 * max(made), "ms", 1)
    return figures


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _each_minute(app: Starlette, path: str) -> Iterator[float]:
    """Yield what a page takes that is asked for once a minute."""
    start = time.time()
    for at in range(1, ROUNDS + 1):
        with patch("verifier.host.app.time.time", return_value=start + 60 * at):
            yield _seconds(partial(_answer, app, path))


def _after_changes(settings: Settings, store: Store, views: Views) -> Iterator[float]:
    """Yield what it takes to say how all stand once one of them has a new snapshot."""
    now = int(time.time())
    for number, exchange in zip(range(ROUNDS // 5), settings.exchanges, strict=False):
        values = dict(
            zip(Audited.__dataclass_fields__, _row(exchange, SNAPSHOTS + number, now), strict=True)
        )
        store.add_snapshot(Audited(**values | {"details": json.loads(values["details"])}))
        yield _seconds(lambda: views.front(now))


def _answer(app: Starlette, path: str) -> bytes:
    return asyncio.run(_ask(app, path))


async def _ask(app: Starlette, path: str) -> bytes:
    """Return the body of an answer, which must be a good one."""
    body, name, query = bytearray(), *path.partition("?")[::2]
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 200))
        body.extend(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "GET",
        "path": name,
        "raw_path": name.encode(),
        "query_string": query.encode(),
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    if set(statuses) != {200}:
        raise SystemExit(f"{path}: {statuses}")
    return bytes(body)


def make_host(folder: Path, exchanges: int, snapshots: int) -> Settings:
    """Make up a host's database; return settings that fit it."""
    key = Ed25519PrivateKey.generate()
    file = folder / "host.pem"
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    watched = tuple(
        WatchedExchange(
            name=f"Exchange {number}",
            bundle="",
            history=f"https://proofs-{number}.example.com",
            public_key=sha256(b"exchange %d" % number).digest(),
            overdue_seconds=2 * DAY_SECONDS,
        )
        for number in range(exchanges)
    )
    Store(folder / "host.sqlite").close()
    now = int(time.time())
    names = ", ".join(Audited.__dataclass_fields__)
    marks = ", ".join("?" * len(Audited.__dataclass_fields__))
    with closing(sqlite3.connect(folder / "host.sqlite")) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for exchange in watched:
            database.executemany(
                f"INSERT INTO snapshot ({names}) VALUES ({marks})",  # noqa: S608 (names of fields)
                _history(exchange, snapshots, now),
            )
            database.execute("INSERT INTO look VALUES (?, ?, '')", (exchange.public_key, now))
    return Settings("The Auditor", file, folder, watched)


def _history(exchange: WatchedExchange, snapshots: int, now: int) -> Iterator[tuple[Any, ...]]:
    previous = bytes(32)
    for number in range(snapshots):
        row = _row(exchange, number, now - (snapshots - number) * DAY_SECONDS, previous)
        previous = row[0]
        yield row


def _row(
    exchange: WatchedExchange, number: int, at: int, previous: bytes = bytes(32)
) -> tuple[Any, ...]:
    """Return a snapshot, in the order of the fields of `Audited`."""
    digest = exchange.public_key[:28] + number.to_bytes(4)
    code, details = _draw()
    head = (digest, exchange.public_key, exchange.name, f"day-{number}", previous, at, at + 60, at)
    audit = (exchange.place, True, at + 60, at + 60, code, "BTC, solvency" if code else "")
    return (*head, *audit, details, _BYTES, bytes(64), _BYTES, bytes(64))


_RANDOM = random.Random(1)
_DETAILS = [
    json.dumps(
        {
            "assets": [
                [code, _RANDOM.choice(_LEVELS), _RANDOM.randint(100, 130), 100] for code in _CODES
            ],
            "chains": [["bitcoin", 900_000, "ab" * 32], ["ethereum", 24_000_000, "cd" * 32]],
            "old_keys": [],
            "block_times": {},
        }
    )
    for _ in range(100)
]


def _draw() -> tuple[str, str]:
    """Return the code of a snapshot, seldom a failure, and its details."""
    code = "argument.rejected" if _RANDOM.random() < _FAILING else ""
    return code, _RANDOM.choice(_DETAILS)


if __name__ == "__main__":
    main()
