"""Figures of many assets, and of many rows of evidence: whole commands on generated exchanges.

    python -m benches.many [--rows N]

`make bench` measures the assets; `make bench-rows` a million rows over four assets, of which each
has a key and a signature of its own: generating them takes a minute or two more.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from benches import machine
from benches.commands import BIN, Run, bundle_bytes, measure
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import Signed, sign_eip191
from prover.config.asset_list import COLUMNS
from prover.files.keys import make_keys, public_bytes, read_signing_key
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.make import ownership_messages, read_config
from verifier.ownership.families.evm import account_text

ASSETS, ACCOUNTS, EACH = 1000, 100_000, 5
ROWS, ROW_ASSETS = 1_000_000, 4
WALLETS = 4

CONFIG = """exchange = "Example Exchange"
snapshot_id = "one"
time = 2026-11-21T00:00:00Z
account_id_type = "email"
{head}
[keys]
signing = "signing.pem"
master = "master.key"
[previous]
first = true
[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"
[ledger.columns]
account = "account"
asset = "asset"
balance = "balance"
[chains.ethereum]
height = 21200000
hash = "abababababababababababababababababababababababababababababababab"
{assets}
[[evidence]]
path = "evidence.csv"
"""


@dataclass(frozen=True)
class Costs:
    """What an exchange took: both commands, and the bytes of its bundle."""

    prove: Run
    audit: Run
    size: int


def many_assets(assets: int = ASSETS, accounts: int = ACCOUNTS) -> dict[str, float]:
    """Milliseconds and bytes an asset takes, beyond those of the same accounts in one asset."""
    one, many = (_costs(count, accounts, WALLETS) for count in (1, assets))
    more = assets - 1
    return {
        "many_assets_prove_ms": 1e3 * (many.prove.seconds - one.prove.seconds) / more,
        "many_assets_audit_ms": 1e3 * (many.audit.seconds - one.audit.seconds) / more,
        "many_assets_bytes": (many.size - one.size) / more,
        "many_assets_peak_mb": many.prove.peak_mb,
    }


def many_rows(rows: int) -> dict[str, float]:
    """Seconds to prove and audit some rows of evidence over four assets, each row's key its own."""
    costs = _costs(ROW_ASSETS, 1000, rows // ROW_ASSETS, is_shared=False)
    return {
        f"rows_prove_s_{rows}": costs.prove.seconds,
        f"rows_audit_s_{rows}": costs.audit.seconds,
        f"rows_peak_mb_{rows}": max(costs.prove.peak_mb, costs.audit.peak_mb),
    }


def _costs(assets: int, accounts: int, wallets: int, *, is_shared: bool = True) -> Costs:
    """Generate, prove and audit an exchange; wallets are those of an asset, or of all."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        config = _write(folder, assets, accounts, wallets, is_shared=is_shared)
        proof = folder / "proof"
        prove = measure(
            [str(BIN / "assay"), "prove", str(config), "--out", str(proof), "--jobs", "2"]
        )
        bundle = SnapshotFolder(proof).bundle
        key = (folder / "exchange.pub").read_text().strip()
        arguments = ["audit", str(bundle), "--exchange-key", key, "--jobs", "2"]
        audit = measure([str(BIN / "assay-verify"), *arguments])
        return Costs(prove, audit, bundle_bytes(bundle))


def _write(folder: Path, assets: int, accounts: int, wallets: int, *, is_shared: bool) -> Path:
    """Write an exchange on Ethereum; every account holds five assets, or all if there are fewer."""
    make_keys(folder)
    codes = [f"T{number:04}" for number in range(assets)]
    contracts = [account_text(sha256(code.encode()).digest()[:20]) for code in codes]
    write_table(
        folder / "assets.csv",
        [name for name in COLUMNS if name not in ("ratio", "capacity")],
        ((code, 2, "ethereum", token, 6) for code, token in zip(codes, contracts, strict=True)),
    )
    random = np.random.default_rng(1)
    each = min(EACH, assets)
    held = [random.permutation(assets)[:each] for _ in range(accounts)]
    cents = random.integers(1, 10**9, (accounts, each))
    owed = np.zeros(assets, np.int64)
    np.add.at(owed, np.concatenate(held), cents.ravel())
    write_table(
        folder / "ledger.csv",
        ("account", "asset", "balance"),
        (
            (f"user{account}@example.com", codes[asset], f"{amount // 100}.{amount % 100:02}")
            for account, (mine, amounts) in enumerate(zip(held, cents, strict=True))
            for asset, amount in zip(mine, amounts, strict=True)
        ),
    )
    config = folder / "snapshot.toml"
    config.write_text(CONFIG.format(head="", assets='[assets]\nfrom = "assets.csv"'))
    message = ownership_message(config)
    shared = [wallet(number, message) for number in range(wallets if is_shared else 0)]

    def rows() -> Iterator[tuple[object, ...]]:
        for asset, (code, token) in enumerate(zip(codes, contracts, strict=True)):
            own = (wallet(asset * wallets + number, message) for number in range(wallets))
            amount = 10**4 * (int(owed[asset]) // wallets + 1)
            for address, signature in shared if is_shared else own:
                yield code, "ethereum", token, address, amount, "eip191", signature

    write_table(folder / "evidence.csv", EVIDENCE_COLUMNS, rows())
    return config


def ownership_message(config: Path) -> str:
    """What holders of addresses on Ethereum sign for an exchange whose keys lie beside its TOML."""
    key = public_bytes(read_signing_key(config.with_name("signing.pem")))
    return ownership_messages(read_config(config), key)["ethereum"]


def wallet(number: int, message: str) -> Signed:
    """An address of a number, with its signature."""
    return sign_eip191(sha256(b"wallet %d" % number).digest(), message)


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Measure rows, print, and keep."""
    parser = argparse.ArgumentParser(prog="python -m benches.many", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    described = machine.describe("make bench-rows")
    figures = {name: round(value, 1) for name, value in many_rows(rows).items()}
    for name, value in {**described, **figures}.items():
        print(f"{name:24} {value}")
    if rows == ROWS:
        machine.keep(machine.latest(), described, {"figures": figures})


if __name__ == "__main__":
    main()
