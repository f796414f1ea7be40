"""A sample exchange with a whole balance sheet: 200 assets on ten chains, a custodian and a bank.

Beside the exchange's own files stands what a reader of its proof would bring: the units that they
know, the attesters whom they believe, and the balances that they looked up. As in the smaller
sample all keys follow from the seed, and the blocks are made up.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prover.assets.lists import EVIDENCE_COLUMNS
from prover.errors import ProverError
from prover.files.keys import PUBLIC_KEY_FILE, public_bytes, write_keys
from prover.files.storage import naming, path_text
from prover.sample.sample import (
    EXCHANGE,
    HEIGHTS,
    SNAPSHOT_ID,
    SURPLUS,
    TIME,
    Sample,
    made_block,
    made_key,
    sample_wallets,
)
from prover.snapshot.make import ownership_messages, read_config
from verifier.format.chains import CHAINS, FIAT, Family
from verifier.format.evidence_records import HoldingAttestation, HoldingBody
from verifier.format.holding import ATTESTATION_PURPOSE, HOLDING_VERSION, HoldingKind
from verifier.format.keys import public_key_text, sign
from verifier.format.times import utc_seconds
from verifier.format.units import KnownUnit, entries, known_units
from verifier.format.wire import write_record
from verifier.nodes.balances import COLUMNS
from verifier.ownership.families.evm import account_text

ASSETS = 200
ACCOUNTS = 1000
EVM_CHAINS = ("arbitrum", "avalanche", "base", "bsc", "ethereum", "linea", "optimism", "polygon")
SHEET_CHAINS = ("bitcoin", "tron", *EVM_CHAINS)
MONEY = ("EUR", "USD")

# What a custodian keeps of an asset: one part in so many.
_IN_CUSTODY, _CUSTODY_PART = "USDC", 10
_MOST_DECIMALS = 8
_LEAST_HOLDINGS, _MOST_HOLDINGS = 1, 8
_DAY = 86_400
_WALLETS = 4  # of each chain
_HEIGHT = 100_000_000  # of a block that is made up

# By chain the height and the hash of a block.
Blocks = Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class _Asset:
    """An asset of the sheet; ``is_known``: every reader knows its units without being told."""

    code: str
    units: tuple[KnownUnit, ...]
    is_known: bool

    @property
    def decimals(self) -> int:
        return min(_MOST_DECIMALS, *(unit.decimals for unit in self.units))


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of evidence, and what signs for it."""

    unit: KnownUnit
    address: str
    amount: int
    format: str
    signature: str


def make_balance_sheet(
    out: Path,
    seed: int,
    *,
    accounts: int = ACCOUNTS,
    blocks: Blocks | None = None,
) -> Sample:
    """Write the exchange into the folder ``out``, and what a reader has into its ``reader``.

    ``blocks`` are those of the EVM chains and of Tron; by default they are made up.

    Raises:
        ProverError: ``out`` holds something, or there is no account.
    """
    if accounts < 1:
        raise ProverError("a sample has one account or more")
    path_text(out)  # which Arrow opens by its text
    if out.exists() and any(out.iterdir()):
        raise ProverError(f"{out} is not empty; nothing is overwritten")
    with naming(out):
        for folder in (out, out / "attested", out / "reader"):
            folder.mkdir(parents=True, exist_ok=True)
        return _write(out, seed, accounts, blocks or {})


def _write(out: Path, seed: int, accounts: int, blocks: Blocks) -> Sample:
    signing = Ed25519PrivateKey.from_private_bytes(made_key(seed, "signing"))
    text = write_keys(out / "keys", signing, made_key(seed, "master"), out / PUBLIC_KEY_FILE)
    assets = _assets(seed)
    owed = _write_ledger(out / "ledger.csv", assets, accounts, seed)
    held = {code: total + total // SURPLUS + 1 for code, total in owed.totals.items()}
    _write_assets(out / "assets.csv", assets)
    # The evidence names what the settings say, and the settings an address of the evidence.
    btc = next(at for at, asset in enumerate(assets) if asset.code == "BTC")
    pledged = sample_wallets("bitcoin", "", seed)[btc % _WALLETS][1].address
    config = out / "snapshot.toml"
    config.write_text(_toml(seed, blocks, pledged), encoding="utf-8")
    kept = _attest(out, assets, held, public_bytes(signing), seed)
    settings = read_config(config)
    messages = ownership_messages(settings, public_bytes(signing))
    rows = _rows(assets, {code: held[code] - kept.get(code, 0) for code in held}, messages, seed)
    _write_evidence(out / "evidence.csv", rows)
    _write_units(out / "reader" / "units.csv", assets)
    found = {chain.name: (chain.height, chain.hash.hex()) for chain in settings.chains}
    _write_balances(out / "reader" / "balances.csv", rows, found)
    addresses = len({(row.unit.chain, row.address) for _, row in rows})
    return Sample(config, text, accounts, owed.rows, addresses, None)


def _assets(seed: int) -> list[_Asset]:
    """Return 200 assets: what every reader knows on the chains, what the table has besides, money,
    and tokens that nobody ever heard of.
    """
    known: dict[str, list[KnownUnit]] = {}
    other: dict[str, list[KnownUnit]] = {}
    for entry in entries():
        if entry.unit.chain in SHEET_CHAINS:
            codes = known if entry.unit in known_units() else other
            codes.setdefault(entry.unit.code, []).append(entry.unit)
    money = {code: [KnownUnit(code, FIAT, code, 2)] for code in MONEY}
    assets = [_Asset(code, tuple(units), is_known=True) for code, units in (known | money).items()]
    assets += [
        _Asset(code, tuple(units), is_known=False)
        for code, units in other.items()
        if code not in known
    ]
    for number in range(ASSETS - len(assets)):
        code, chain = f"SAMPLE{number}", EVM_CHAINS[number % len(EVM_CHAINS)]
        contract = account_text(made_key(seed, f"token {code}")[:20])
        assets.append(_Asset(code, (KnownUnit(code, chain, contract, 18),), is_known=False))
    return sorted(assets, key=lambda asset: asset.code)


@dataclass(frozen=True, slots=True)
class _Owed:
    """What the ledger comes to, in the ledger's units by code, and how many rows it has."""

    totals: Mapping[str, int]
    rows: int


def _write_ledger(path: Path, assets: Sequence[_Asset], accounts: int, seed: int) -> _Owed:
    """Write a few assets for each account, and every asset for one account at least."""
    chance = random.Random(seed)  # noqa: S311, of no secret: all of it follows from the seed
    totals = {asset.code: 0 for asset in assets}
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("account_id", "asset", "balance"))
        for number in range(accounts):
            count = chance.randint(_LEAST_HOLDINGS, _MOST_HOLDINGS)
            chosen = {asset.code: asset for asset in chance.sample(assets, count)}
            for asset in assets[number::accounts]:
                chosen[asset.code] = asset
            for code in sorted(chosen):
                units = int(chance.lognormvariate(5, 2) * 10 ** chosen[code].decimals) + 1
                totals[code] += units
                whole, rest = divmod(units, 10 ** chosen[code].decimals)
                balance = f"{whole}.{rest:0{chosen[code].decimals}d}"
                writer.writerow((f"customer.{number + 1}@example.com", code, balance))
                rows += 1
    return _Owed(totals, rows)


def _write_assets(path: Path, assets: Sequence[_Asset]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = ("code", "decimals", "ratio", "capacity", "chain", "contract", "unit_decimals")
        writer.writerow(columns)
        for asset in assets:
            for number, unit in enumerate(asset.units):
                own = ("" if number else asset.decimals, "", "")
                writer.writerow((asset.code, *own, unit.chain, unit.contract, unit.decimals))


def _attest(
    out: Path, assets: Sequence[_Asset], held: Mapping[str, int], exchange_key: bytes, seed: int
) -> dict[str, int]:
    """Write what third parties sign for, and their keys; return its ledger units, by code."""
    amounts = {code: held[code] for code in MONEY}
    amounts[_IN_CUSTODY] = held[_IN_CUSTODY] // _CUSTODY_PART
    for name in ("bank", "custodian"):
        key = _attester(seed, name).public_key().public_bytes_raw()
        (out / "reader" / f"{name}.pub").write_text(public_key_text(key) + "\n", encoding="ascii")
    for asset in assets:
        if asset.code not in amounts:
            continue
        is_money = asset.code in MONEY
        unit = next(unit for unit in asset.units if is_money or unit.chain == "ethereum")
        body = write_record(
            HoldingBody(
                amount=(amounts[asset.code] * 10 ** (unit.decimals - asset.decimals)).to_bytes(32),
                attester="Example Bank AG" if is_money else "Example Custody Ltd",
                chain=unit.chain,
                contract=unit.contract,
                document=sha256(f"statement of {asset.code}".encode()).digest(),
                encumbered=bytes(32),
                exchange_key=exchange_key,
                holder=f"{EXCHANGE} Ltd",
                kind=HoldingKind.BANK_BALANCE if is_money else HoldingKind.CUSTODIAN,
                not_after=utc_seconds(TIME) + 30 * _DAY,
                reference=f"account 4711 in {asset.code}",
                snapshot_id=SNAPSHOT_ID,
                time=utc_seconds(TIME),
                version=HOLDING_VERSION,
            )
        )
        signer = _attester(seed, "bank" if is_money else "custodian")
        signed = HoldingAttestation(
            body, signer.public_key().public_bytes_raw(), sign(signer, ATTESTATION_PURPOSE, body)
        )
        (out / "attested" / f"{asset.code}.attestation").write_bytes(write_record(signed))
    return amounts


def _attester(seed: int, name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(made_key(seed, f"attester {name}"))


def _rows(
    assets: Sequence[_Asset], held: Mapping[str, int], messages: Mapping[str, str], seed: int
) -> list[tuple[str, _Row]]:
    """Return each asset's code with its rows: spread over its units, and two wallets of each.

    The accounts of EVM chains are the same keys, which sign once, for Ethereum.
    """
    signed = {
        chain: sample_wallets(chain, messages[chain], seed)
        for chain in ("bitcoin", "ethereum", "tron")
    }
    wallets = signed | {
        chain: [(f"{format}@ethereum", wallet) for format, wallet in signed["ethereum"]]
        for chain in EVM_CHAINS
        if chain != "ethereum"
    }
    rows = []
    for number, asset in enumerate(assets):
        if asset.code in MONEY:
            continue
        share, rest = divmod(held[asset.code], 2 * len(asset.units))
        for unit in asset.units:
            for at in range(2):
                format, wallet = wallets[unit.chain][(number + at) % _WALLETS]
                amount = (share + rest) * 10 ** (unit.decimals - asset.decimals)
                rest = 0
                row = _Row(unit, wallet.address, amount, format, wallet.signature)
                rows.append((asset.code, row))
    return rows


def _write_evidence(path: Path, rows: Sequence[tuple[str, _Row]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EVIDENCE_COLUMNS)
        for code, row in rows:
            place = (row.unit.chain, row.unit.contract, row.address)
            writer.writerow((code, *place, row.amount, row.format, row.signature))


def _write_units(path: Path, assets: Sequence[_Asset]) -> None:
    """Write what a reader knows beside the verifier's table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code", "chain", "contract", "decimals"))
        for asset in assets:
            if not asset.is_known:
                writer.writerows(asset.units)


def _write_balances(
    path: Path, rows: Sequence[tuple[str, _Row]], blocks: Mapping[str, tuple[int, str]]
) -> None:
    """Write what a reader found at the addresses, and that the keys have power over them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for _, row in rows:
            place = (row.unit.chain, row.unit.contract, row.address)
            authority = "yes" if CHAINS[row.unit.chain].family is Family.TRON else ""
            writer.writerow((*place, row.amount, *blocks[row.unit.chain], authority))


def _toml(seed: int, blocks: Blocks, pledged: str) -> str:
    lines = []
    for chain in sorted(SHEET_CHAINS):
        height, block_hash = blocks.get(chain, (HEIGHTS.get(chain, _HEIGHT), b""))
        named = f'hash = "{block_hash.hex()}"' if block_hash else made_block(chain, seed)
        lines.append(f"\n[chains.{chain}]\nheight = {height}\n{named}")
    for code in sorted((*MONEY, _IN_CUSTODY)):
        lines.append(f'\n[assets.{code}]\nattestations = ["attested/{code}.attestation"]')
    return f"""# A sample exchange with a whole balance sheet.
# Its keys follow from a seed: never use them for anything real.
exchange = "{EXCHANGE}"
snapshot_id = "{SNAPSHOT_ID}"
time = {TIME}
account_id_type = "email"

[keys]
signing = "keys/signing.pem"
master = "keys/master.key"

[previous]
first = true

[ledger]
format = "csv"
path = "ledger.csv"
layout = "long"

[ledger.columns]
account = "account_id"
asset = "asset"
balance = "balance"

[assets]
from = "assets.csv"
{"".join(line + chr(10) for line in lines)}
[[evidence]]
path = "evidence.csv"

[[declaration]]
lender = "Example Bank AG"
asset = "USD"
amount = "1000000"
pledged = [{{ chain = "bitcoin", address = "{pledged}" }}]
"""
