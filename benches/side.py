"""One side of a comparison: figures of the checkout whose interpreter runs this file, as JSON.

    PYTHONPATH=CHECKOUT CHECKOUT/.venv/bin/python -P side.py kernels
    PYTHONPATH=CHECKOUT CHECKOUT/.venv/bin/python -P side.py commands FOLDER ACCOUNTS [CAPACITY ...]

`benches` is that checkout's own, which may be an older one; of it `kernels.page_rates` and
`commands` are called. With capacities, the leaves of each asset's tree, the snapshot has those, in
pages of 4,096.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgpack

from benches import commands, kernels

Figures = dict[str, float | list[int]]
CUSTOMERS = 15
LEAVES = 1 << 18
RUNS = 5


def kernel_figures() -> Figures:
    """Nanoseconds of one core a leaf."""
    proving, auditing = kernels.page_rates(LEAVES // kernels.PAGE_SIZE)
    figures: Figures = {"prove_ns": 1e9 / proving, "audit_ns": 1e9 / auditing}
    if hasattr(kernels, "commit_rate"):
        figures["commit_ns"] = 1e9 / kernels.commit_rate(LEAVES // kernels.PAGE_SIZE)
        figures["opening_us"], figures["opening_bulk_us"] = kernels.opening_microseconds()
    return figures


def command_figures(folder: Path, accounts: int, capacities: list[int]) -> Figures:
    """Prove and audit an exchange with two jobs; make and check packages."""
    folder.mkdir(parents=True, exist_ok=True)
    exchange = commands.Exchange(folder, accounts)
    made = folder / "exchange"
    sample = ["sample", "--accounts", str(accounts), "--assets", "BTC,ETH,USDT", "--out", str(made)]
    assay = str(commands.BIN / "assay")
    subprocess.run([assay, *sample], stdout=subprocess.DEVNULL, check=True)
    config = made / "snapshot.toml"
    if capacities:
        config.write_text(with_capacities(config.read_text("utf-8"), capacities), "utf-8")
    proof = ["prove", str(config), "--out", str(exchange.proof), "--jobs", "2"]
    proved = commands.measure([assay, *proof])
    audited = commands.audit(exchange)
    leaves = commands.count(exchange.proof, exchange.key).leaves
    packager = commands.Packager(exchange.proof)  # type: ignore[attr-defined]
    account = commands.three_part_customers(exchange, packager, 1)[0]
    making, checking = commands.customer_ms(exchange, CUSTOMERS, time.process_time)
    package, inclusion = cold(exchange, account)
    figures: Figures = {
        "leaves": leaves,
        "bytes_per_leaf": commands.bundle_bytes(exchange.bundle) / leaves,
        "prove_s": proved.seconds,
        "prove_peak_mb": proved.peak_mb,
        "audit_s": audited.seconds,
        "audit_peak_mb": audited.peak_mb,
        "package_ms": making,
        "check_ms": checking,
        "package_cold_s": package,
        "inclusion_cold_s": inclusion,
        "capacities": capacities_of(exchange.bundle),
    }
    if hasattr(commands, "part_bytes"):
        figures["any_package_ms"] = commands.package_ms(exchange.proof)
        figures["part_bytes"] = commands.part_bytes(exchange, account)
        run, size = commands.all_packages(exchange)
        figures["packages_s"], figures["packages_bytes"] = run.seconds, size
    return figures


def with_capacities(config: str, capacities: list[int]) -> str:
    """The settings with a capacity in leaves for each asset, and pages of 4,096."""
    given = iter(capacities)
    config = re.sub(r'capacity = "auto"', lambda _: f"capacity = {next(given)}", config)
    return config.replace("\n[keys]", "page_size = 4096\n\n[keys]", 1)


def capacities_of(bundle: Path) -> list[int]:
    """Leaves of each asset's tree, by the manifest."""
    fields = msgpack.unpackb((bundle / "manifest.msgpack").read_bytes())
    return [
        asset["capacity"] * (asset.get("page_size") or fields["page_size"])
        for asset in fields["assets"]
    ]


def cold(exchange: commands.Exchange, account: str) -> tuple[float, float]:
    """Wall seconds of `assay package` and of `assay-verify inclusion`, the least of five each."""
    file = exchange.folder / "cold.package"
    proof, bundle, kept = map(str, (exchange.proof, exchange.bundle, file))
    package = [str(commands.BIN / "assay"), "package", proof, account, "--out", kept]
    inclusion = [str(commands.BIN / "assay-verify"), "inclusion", kept, "--bundle", bundle]
    inclusion += ["--exchange-key", exchange.key, "--account", account]
    inclusion += ["--balance", "BTC=0", "--only"]
    making = []
    for _ in range(RUNS):
        file.unlink(missing_ok=True)
        making.append(seconds(package))
    return min(making), min(seconds(inclusion) for _ in range(RUNS))


def seconds(arguments: list[str]) -> float:
    """Wall time of a short command."""
    # A user's Python keeps the modules that it compiled once.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Measure what is asked for, and print it."""
    what, *rest = sys.argv[1:]
    if what == "kernels":
        figures = kernel_figures()
    else:
        folder, accounts, *capacities = rest
        figures = command_figures(Path(folder), int(accounts), list(map(int, capacities)))
    sys.stdout.flush()
    os.write(1, (json.dumps(figures) + "\n").encode())


if __name__ == "__main__":
    main()
