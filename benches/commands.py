"""Figures of whole commands, run as an operator and a customer would, on a generated exchange."""

from __future__ import annotations

import csv
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

import verifier
from prover.liabilities.parts import load_parts
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.packages import Packager
from verifier.format.params import FAN
from verifier.format.wire import Package, PackageBody, read_record

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Run:
    """One finished command; the peak is resident memory summed over its process tree."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(arguments: list[str]) -> Run:
    """Runs a command to its end, sampling memory every 50 ms.

    Raises: CalledProcessError when it fails.
    """
    start, cpu = time.perf_counter(), children_seconds()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        peak = max(peak, resident(root))
        time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Run(time.perf_counter() - start, children_seconds() - cpu, peak / 1e6)


def children_seconds() -> float:
    """Processor time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident(root: psutil.Process) -> int:
    """Resident bytes of a process and all its descendants; 0 once they are gone."""
    try:
        return sum(p.memory_info().rss for p in [root, *root.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


@dataclass(frozen=True)
class Exchange:
    """A generated exchange with its finished bundle."""

    folder: Path
    accounts: int

    @property
    def proof(self) -> Path:
        """The folder of the snapshot."""
        return self.folder / "proof"

    @property
    def bundle(self) -> Path:
        """The public folder."""
        return SnapshotFolder(self.proof).bundle

    @property
    def key(self) -> str:
        """The exchange's public key, as text."""
        return (self.folder / "exchange" / "exchange.pub").read_text().strip()


def make_exchange(folder: Path, accounts: int) -> Exchange:
    """Generates an exchange of `accounts` accounts in three assets."""
    exchange = Exchange(folder, accounts)
    made = str(folder / "exchange")
    sample = ["sample", "--accounts", str(accounts), "--assets", "BTC,ETH,USDT", "--out", made]
    measure([str(BIN / "assay"), *sample])
    return exchange


def prove(folder: Path, accounts: int) -> tuple[Exchange, Run]:
    """The same, proved with two jobs."""
    exchange = make_exchange(folder, accounts)
    return exchange, prove_again(exchange)


def prove_again(exchange: Exchange) -> Run:
    """Proves an exchange that was made, with two jobs."""
    config = str(exchange.folder / "exchange" / "snapshot.toml")
    proof = ["prove", config, "--out", str(exchange.proof), "--jobs", "2"]
    return measure([str(BIN / "assay"), *proof])


@dataclass(frozen=True)
class Counts:
    """What the trees of a bundle hold: parts of balances, and the leaves that fill them up."""

    parts: int
    padding: int

    @property
    def leaves(self) -> int:
        """All leaves, as an audit counts them."""
        return self.parts + self.padding


def count(proof: Path, key: str) -> Counts:
    """Counts the leaves of a finished snapshot from its bundle, the parts from private files."""
    manifest = verifier.check_solvency(SnapshotFolder(proof).bundle, key).manifest
    parts = sum(len(each.amounts) for each in load_parts(SnapshotFolder(proof).parts))
    leaves = sum(asset.shape.leaves for asset in manifest.assets)
    return Counts(parts, leaves - parts)


def bundle_bytes(bundle: Path) -> int:
    """Bytes of all files of a bundle."""
    return sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())


def audit(exchange: Exchange) -> Run:
    """The audit of the whole bundle, as a command with two jobs."""
    arguments = ["audit", str(exchange.bundle), "--exchange-key", exchange.key, "--jobs", "2"]
    return measure([str(BIN / "assay-verify"), *arguments])


def customer_ms(
    exchange: Exchange, customers: int = 15, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Milliseconds to make a package of three parts, and to check it: medians over customers.

    Library calls, as a service would make them: private files mapped. `clock` tells wall time or
    processor time, in seconds.
    """
    packager = Packager(exchange.proof)
    making: list[float] = []
    checking: list[float] = []
    for account in three_part_customers(exchange, packager, customers):
        start = clock()
        package = packager.package(packager.index_of(account))
        making.append(1e3 * (clock() - start))
        start = clock()
        verifier.check_inclusion(
            package, exchange.bundle, exchange.key, account, {"BTC": "0"}, only=True
        )
        checking.append(1e3 * (clock() - start))
    return statistics.median(making), statistics.median(checking)


def package_ms(proof: Path, customers: int = 101) -> float:
    """Milliseconds to make a package, of whatever parts: the median over customers at random."""
    packager = Packager(proof)
    draw = random.Random(1)
    making: list[float] = []
    for _ in range(customers):
        start = time.perf_counter()
        packager.package(draw.randrange(len(packager)))
        making.append(1e3 * (time.perf_counter() - start))
    return statistics.median(making)


def part_bytes(exchange: Exchange, account: str) -> float:
    """Bytes that a light check reads for a part: its share of the package, pages, arguments."""
    packager = Packager(exchange.proof)
    package = packager.package(packager.index_of(account))
    body = read_record(PackageBody, read_record(Package, package).body)
    manifest = verifier.check_solvency(exchange.bundle, exchange.key).manifest
    read = len(package)
    for asset, entry in zip(manifest.assets, body.assets, strict=True):
        shape = asset.shape
        for part in entry.parts:
            index = part.leaf // shape.page_size
            for level in range(shape.levels):
                read += shape.page_bytes(level, index) + shape.argument_bytes(level, index)
                index //= FAN
    return read / part_count(package)


def all_packages(exchange: Exchange) -> tuple[Run, int]:
    """All packages in one file, with two jobs; the run, and the file's bytes."""
    file = exchange.folder / "packages.parquet"
    arguments = ["packages", str(exchange.proof), "--out", str(file), "--jobs", "2"]
    run = measure([str(BIN / "assay"), *arguments])
    return run, file.stat().st_size


def three_part_customers(exchange: Exchange, packager: Packager, wanted: int) -> list[str]:
    """Ids of customers, from all over the ledger, whose packages hold exactly three parts."""
    with (exchange.folder / "exchange" / "ledger.csv").open(newline="") as file:
        ids = sorted({row["account_id"] for row in csv.DictReader(file)})
    random.Random(1).shuffle(ids)
    found = []
    for account in ids:
        if part_count(packager.package(packager.index_of(account))) == 3:
            found.append(account)
            if len(found) == wanted:
                break
    return found


def part_count(package: bytes) -> int:
    """Parts that a package holds, over all assets."""
    body = read_record(PackageBody, read_record(Package, package).body)
    return sum(len(asset.parts) for asset in body.assets)
