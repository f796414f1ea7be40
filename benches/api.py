"""`make bench-api`: what the service answers a second, idle and while a snapshot is being proven.

`assay serve` on loopback over a published exchange, asked by a client in a process of its own that
checks every answer; client, server and, in the second half, `assay prove --jobs 1` share the
cores. A page read is a range request for one page of random place; a package is that of a random
customer, by a JWT of the exchange's of its own. A single wrong answer ends the measurement.

    python -m benches.api [--quick]

`--quick` measures for a second on a small exchange and writes nothing.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from operator import eq
from pathlib import Path

import jwt
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from api.database import tables
from api.database.engine import migrate, open_database
from api.settings import SQLITE_FILE
from api.snapshots import states as snapshots
from api.snapshots.states import State
from benches import machine
from benches.commands import BIN, measure
from benches.http_load import Exchange, Load, put_load
from prover.files.keys import SIGNING_KEY_FILE, SigningLog
from prover.publish.publish import publish
from prover.sample.sample import SNAPSHOT_ID, make_sample
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.packages import Packager
from verifier.format.params import MANIFEST_PATH, pages_path
from verifier.format.wire import Manifest, read_record

ASSETS = ("BTC", "ETH", "USDT")
CONNECTIONS = 16
ISSUER, AUDIENCE = "https://exchange.example", "assay"

SETTINGS = f"""folder = "."
[server]
worker = false
[limits]
public_rate = 100000000
address_rate = 100000000
customer_rate = 100000000
[customers]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys_file = "keys.json"
"""


@dataclass(frozen=True)
class Plan:
    """How much is measured: accounts of the exchange that is served and of the one that is proved
    meanwhile, customers who ask, and seconds of each load."""

    accounts: int
    proved: int
    customers: int
    seconds: float


PLAN = Plan(accounts=50_000, proved=300_000, customers=5_000, seconds=5.0)
QUICK = Plan(accounts=2_000, proved=50_000, customers=200, seconds=1.0)


def main() -> None:
    """Measure, print, and keep."""
    machine.run(
        "benches.api", "make bench-api", __doc__, lambda quick: measured(QUICK if quick else PLAN)
    )


def measured(plan: Plan) -> dict[str, float]:
    """All figures; durations in milliseconds."""
    figures: dict[str, float] = {}

    def keep(name: str, value: float, unit: str, digits: int = 0) -> None:
        figures[name] = round(value, digits) if digits else round(value)
        print(f"{name:40} {figures[name]:>10,} {unit}", flush=True)

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        sample = make_sample(folder / "next", plan.proved, ASSETS, 2, ledger_format="parquet")
        customers = serve_exchange(folder / "service", plan)
        with running(folder / "service") as port:
            pages = page_reads(folder / "service" / "published", port)
            packages = package_requests(folder / "service", customers, port)
            for suffix, proving in (("", idle()), ("_while_proving", prove_on(sample.config))):
                with proving:
                    load = loaded(port, pages, plan.seconds)
                    keep(f"api_page_reads_per_s{suffix}", load.rate, "pages")
                    load = loaded(port, packages, plan.seconds)
                    keep(f"api_packages_per_s{suffix}", load.rate, "packages")
                    for name, part in (("p50", 0.5), ("p99", 0.99)):
                        duration = 1e3 * load.percentile(part)
                        keep(f"api_package_{name}_ms{suffix}", duration, "ms", 1)
    return figures


def loaded(port: int, exchanges: Sequence[Exchange], seconds: float) -> Load:
    """Put a load from a process of its own.

    Raises:
        RuntimeError: an answer was wrong.
    """
    with get_context("spawn").Pool(1) as pool:
        load = pool.apply(
            put_load, (port, exchanges), {"connections": CONNECTIONS, "seconds": seconds}
        )
    if load.wrong:
        raise RuntimeError(f"{load.wrong} wrong answers beside {len(load.durations)} right ones")
    return load


def serve_exchange(folder: Path, plan: Plan) -> list[str]:
    """Make the folder of a service with one published snapshot; return ids of customers."""
    made = make_sample(folder / "exchange", plan.accounts, ASSETS, 1)
    snapshot = folder / "snapshots" / SNAPSHOT_ID
    snapshot.parent.mkdir()
    measure([str(BIN / "assay"), "prove", str(made.config), "--out", str(snapshot)])
    publish(SnapshotFolder(snapshot).bundle, (folder / "published").as_uri())
    engine = open_database(f"sqlite:///{folder / SQLITE_FILE}")
    migrate(engine)
    with engine.begin() as connection:
        snapshots.create(connection, SNAPSHOT_ID, "main", 0)
        connection.execute(sa.update(tables.snapshots).values(state=State.PUBLISHED))
    engine.dispose()
    (folder / "settings.toml").write_text(SETTINGS)
    with (folder / "exchange" / "ledger.csv").open(newline="") as file:
        ids = sorted({row["account_id"] for row in csv.DictReader(file)})
    return random.Random(1).sample(ids, plan.customers)


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """Run the service; the value is its port."""
    command = [str(BIN / "assay"), "serve", "--settings", str(folder / "settings.toml"), "--port=0"]
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())) is None:
            if process.poll() is not None:
                raise RuntimeError("the service ended before it listened")
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def idle() -> Iterator[None]:
    """Do nothing beside the load."""
    yield


@contextmanager
def prove_on(config: Path) -> Iterator[None]:
    """Prove a snapshot by one job, over and over, until the block ends."""
    ended = threading.Event()
    out = config.with_name("proof")
    log = SigningLog(config.parent / "keys" / SIGNING_KEY_FILE).path
    command = [str(BIN / "assay"), "prove", str(config), "--out", str(out), "--jobs", "1"]

    def work() -> None:
        while not ended.is_set():
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            while process.poll() is None and not ended.wait(0.05):
                pass
            if ended.is_set():
                process.kill()
            elif process.returncode:
                failed.append(process.returncode)
                return
            process.wait()
            # A key signs one manifest for a snapshot; here it forgets what it has signed.
            shutil.rmtree(out, ignore_errors=True)  # killed early, it has none
            log.unlink(missing_ok=True)

    failed: list[int] = []
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise RuntimeError(f"assay prove ended with {failed[0]}")


def page_reads(published: Path, port: int) -> list[Exchange]:
    """Return range requests for pages of level 0, in random order."""
    bundle = published / "snapshots" / SNAPSHOT_ID
    manifest = read_record(Manifest, (bundle / MANIFEST_PATH).read_bytes())
    found = []
    for asset in manifest.assets:
        path = pages_path(asset.code, 0)
        data, size = (bundle / path).read_bytes(), asset.shape.page_bytes(0, 0)
        for start in range(0, len(data) - size + 1, size):
            head = f"Range: bytes={start}-{start + size - 1}"
            request = _request(f"/snapshots/{SNAPSHOT_ID}/{path}", port, head)
            found.append(Exchange(request, 206, partial(eq, data[start : start + size])))
    random.Random(2).shuffle(found)
    return found


def package_requests(folder: Path, customers: Sequence[str], port: int) -> list[Exchange]:
    """Give the exchange a key; return the requests of customers for their packages."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    (folder / "keys.json").write_text(json.dumps({"keys": [{**public, "kid": "1"}]}))
    packager = Packager(folder / "snapshots" / SNAPSHOT_ID)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 24 * 3600}
    found = []
    for account in customers:
        token = jwt.encode({**claims, "sub": account}, key, "ES256", headers={"kid": "1"})
        request = _request(f"/me/inclusion/{SNAPSHOT_ID}", port, f"Authorization: Bearer {token}")
        package = packager.package(packager.index_of(account))
        found.append(Exchange(request, check=partial(eq, package)))
    return found


def _request(path: str, port: int, field: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{field}\r\n\r\n".encode()


if __name__ == "__main__":
    main()
