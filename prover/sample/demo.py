"""The main job on a generated exchange, run as its three kinds of users would run it.

Every step is a command of the installed programs, printed before it runs. The folder it works in is
made anew each time.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
FOLDER = Path("build/demo")
ACCOUNTS = 100_000
ASSETS = "BTC,ETH,USDT"
REJECTED = 3


def main() -> None:
    """Run the demonstration; exit 1 when a step ends otherwise than it should."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    started = time.monotonic()
    exchange, proof = FOLDER / "exchange", FOLDER / "proof"

    _headline("The exchange: a ledger of customer balances, and coins at signed addresses")
    _run("assay", "sample", "--accounts", str(ACCOUNTS), "--assets", ASSETS, "--out", str(exchange))
    proving = time.monotonic()
    _run("assay", "prove", str(exchange / "snapshot.toml"), "--out", str(proof))
    proving = time.monotonic() - proving
    _run("assay", "report", str(proof / "public"), "--html", str(FOLDER / "report.html"))

    _headline("Anyone: audit the whole bundle, knowing nothing but the exchange's public key")
    key = str(exchange / "exchange.pub")
    auditing = time.monotonic()
    _run("assay-verify", "audit", str(proof / "public"), "--exchange-key", key, "--jobs", "2")
    auditing = time.monotonic() - auditing

    account, balances = _customer(exchange / "ledger.csv")
    _headline(f"One customer, {account}: am I counted?")
    package = str(FOLDER / "my-inclusion.package")
    _run("assay", "package", str(proof), account, "--out", package)
    check = ["inclusion", package, "--bundle", str(proof / "public"), "--exchange-key", key]
    check += ["--account", account]
    _run("assay-verify", *check, *_typed(balances))

    _headline("The same customer, had the exchange counted less than they hold")
    more = {code: balance + "1" for code, balance in balances.items()}
    _run("assay-verify", *check, *_typed(more), expected=REJECTED)

    size = sum(file.stat().st_size for file in (proof / "public").rglob("*") if file.is_file())
    _headline("Summary")
    held = ", ".join(f"{balance} {code}" for code, balance in balances.items())
    print(
        f"  {ACCOUNTS:,} accounts in {ASSETS}: the coins shown cover what is owed.\n"
        f"  Proven in {proving:.1f} s and audited in {auditing:.1f} s, from {size / 1e6:.1f} MB "
        "of public files that show no balance and no total.\n"
        f"  {account} is counted with {held}; a claim to more was refused.\n"
        "  The amounts at the addresses are the exchange's word: no chain was asked.\n"
        f"  A page about this proof for people: {FOLDER / 'report.html'}\n"
        f"  All of it took {time.monotonic() - started:.1f} s."
    )


def _customer(ledger: Path) -> tuple[str, dict[str, str]]:
    """The first customer of the ledger who holds every asset, and what they hold."""
    wanted = len(ASSETS.split(","))
    held: dict[str, dict[str, str]] = {}
    with ledger.open(newline="") as file:
        for row in csv.DictReader(file):
            balances = held.setdefault(row["account_id"], {})
            if "." in row["balance"]:
                balances[row["asset"]] = row["balance"]
            if len(balances) == wanted:
                return row["account_id"], balances
    raise SystemExit("demo: no customer holds every asset")


def _typed(balances: dict[str, str]) -> list[str]:
    return [
        word for code, balance in balances.items() for word in ("--balance", f"{code}={balance}")
    ]


def _headline(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _run(program: str, *arguments: str, expected: int = 0) -> None:
    """Run an installed program, showing it. Exits when it does not end with the expected code."""
    print("\n$", program, *arguments, flush=True)
    code = subprocess.run([BIN / program, *arguments], check=False).returncode
    if code != expected:
        raise SystemExit(f"demo: {program} ended with code {code}, not {expected}")


if __name__ == "__main__":
    main()
