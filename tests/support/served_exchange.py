"""A small exchange with a ledger source of the service's, and wallets that sign."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from api.snapshots.sources import Block, NewSnapshot
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_eip191
from prover.files.keys import make_keys
from tests.support.exchange_files import LONG
from verifier.format.units import known_unit

BLOCKS = {"ethereum": Block(7, "ab" * 32)}
CODES = ("ETH", "USDT")
DECIMALS = 6
LIST = "wallets.csv"
TIME, LATER = 1_790_000_000, 1_790_086_400
SECRET_NUMBER = 987_654_321


@dataclass(frozen=True)
class Exchange:
    """Its folder, and what it owes of each asset, in ledger units."""

    folder: Path
    owed: int

    @property
    def source(self) -> Path:
        """The configured source."""
        return self.folder / "source.toml"

    @property
    def key(self) -> str:
        """The public key, as text."""
        return (self.folder / "exchange.pub").read_text().strip()

    def evidence(self, messages: dict[str, str], short_by: int = 0) -> bytes:
        """Return the signed list of an address for each asset."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(EVIDENCE_COLUMNS)
        for number, code in enumerate(CODES, 1):
            unit = known_unit(code, "ethereum")
            assert unit is not None
            address, signature = sign_eip191(bytes([number]) * 32, messages["ethereum"])
            held = (self.owed - short_by) * 10 ** (unit.decimals - DECIMALS)
            row = (code, "ethereum", unit.contract, address, held, "eip191", signature)
            writer.writerow(row)
        return text.getvalue().encode()


def make_exchange(folder: Path, accounts: int = 60) -> Exchange:
    """Make keys, a ledger and a source; every account holds the same of each asset."""
    make_keys(folder)
    with (folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "code", "amount"))
        for number in range(accounts):
            for code in CODES:
                balance = f"{SECRET_NUMBER // 10**DECIMALS}.{SECRET_NUMBER % 10**DECIMALS:06d}"
                writer.writerow((f"holder{number}@example.com", code, balance))
    (folder / "source.toml").write_text(
        f"""exchange = "Börse"
account_id_type = "email"
page_size = 16
[keys]
signing = "signing.pem"
master = "master.key"
{LONG}
[[evidence]]
path = "{LIST}"
"""
        + "".join(
            f'[[assets]]\ncode = "{code}"\ndecimals = {DECIMALS}\n'
            'split = { least = 1, most = 3 }\nunits = [{ chain = "ethereum" }]\n'
            for code in CODES
        ),
        encoding="utf-8",
    )
    return Exchange(folder, accounts * SECRET_NUMBER)


def request(snapshot_id: str, time: int = TIME) -> NewSnapshot:
    """Return what differs from one snapshot to the next."""
    return NewSnapshot(snapshot_id, time, BLOCKS)
