"""A sample exchange, made up from a seed: ledger, keys, addresses that are really signed for.

Balances have the heavy tail of real ones: most accounts hold little, a few hold much of everything.
All keys follow from the seed, so whoever knows it knows them: they are for trying things out.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import (
    Signed,
    sign_bip137_p2pkh,
    sign_bip322_simple_p2tr,
    sign_bip322_simple_p2wpkh,
    sign_bip322_simple_p2wsh,
    sign_eip191,
    sign_tip191,
)
from prover.errors import ProverError
from prover.files.keys import PUBLIC_KEY_FILE, public_bytes, write_keys
from prover.files.storage import naming, path_text
from prover.snapshot.make import ownership_messages, read_config
from verifier.format.times import utc_seconds
from verifier.format.units import KnownUnit, known_unit
from verifier.nodes.bitcoin_evidence import CHAIN as BITCOIN
from verifier.stateproof.bitcoin_header import parse_block_header

EXCHANGE = "Example Exchange"
SNAPSHOT_ID = "2026-11-21"
TIME = "2026-11-21T00:00:00Z"
HEIGHTS = {"bitcoin": 870_000, "ethereum": 21_200_000, "tron": 88_442_000}

# Values in dollars: half of the holdings are below the median; one in a thousand is a whale's.
MEDIAN_VALUE = 150.0
SPREAD = 2.0
WHALE_SHARE = 0.001
WHALE_LEAST = 100_000.0
WHALE_SHAPE = 1.2
GREATEST_VALUE = 5e7

# What the exchange holds above its liabilities, and how it is spread over its addresses.
SURPLUS = 50  # one part in 50
SHARES = (5, 15, 25, 55)

_FIRST = ("ada", "bruno", "chen", "dana", "emil", "fatima", "goran", "hana", "ines", "jonas")
_LAST = ("abbott", "bauer", "costa", "dietz", "eklund", "farah", "garcia", "huang", "ito", "jung")
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example", "post.example")


_PIECE_ACCOUNTS = 1 << 18
_PRECISION, _SCALE = 28, 8
_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("asset", pa.dictionary(pa.int32(), pa.string())),
        ("balance", pa.decimal128(_PRECISION, _SCALE)),
    ]
)


@dataclass(frozen=True, slots=True)
class Profile:
    """How an asset is kept: ledger decimals, dollars a coin, share of accounts that hold some."""

    decimals: int
    price: float
    holders: float


PROFILES = {
    "BTC": Profile(8, 60_000.0, 0.7),
    "DAI": Profile(6, 1.0, 0.2),
    "ETH": Profile(8, 3_000.0, 0.6),
    "LINK": Profile(8, 15.0, 0.2),
    "USDC": Profile(6, 1.0, 0.5),
    "USDT": Profile(6, 1.0, 0.8),
    "WBTC": Profile(8, 60_000.0, 0.1),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What was made; ``short`` is the asset that falls one ledger unit short, if one does."""

    config: Path
    public_key: str
    accounts: int
    ledger_rows: int
    addresses: int
    short: str | None


def make_sample(
    out: Path,
    accounts: int,
    codes: Sequence[str],
    seed: int,
    *,
    insolvent: bool = False,
    page_size: int | None = None,
    ledger_format: Literal["csv", "parquet"] = "csv",
) -> Sample:
    """Write a sample exchange into the folder ``out``: ``snapshot.toml`` and all that it names.

    With ``insolvent``, the assets of the first code fall one ledger unit short. ``page_size`` is
    left to the prover where it is None.

    Raises:
        ProverError: ``out`` holds something, or a code or number is out of range.
    """
    if accounts < 1:
        raise ProverError("a sample has one account or more")
    path_text(out)  # which Arrow opens by its text
    for code in codes:
        if code not in PROFILES:
            raise ProverError(f"the sample's assets are {', '.join(PROFILES)}; not {code}")
    if not codes or len(set(codes)) != len(codes):
        raise ProverError("a sample has one asset or more, each once")
    if out.exists() and any(out.iterdir()):
        raise ProverError(f"{out} is not empty; nothing is overwritten")
    out.mkdir(parents=True, exist_ok=True)
    with naming(out):
        return _write(
            out, accounts, codes, seed, insolvent=insolvent, page_size=page_size, form=ledger_format
        )


def _write(
    out: Path,
    accounts: int,
    codes: Sequence[str],
    seed: int,
    *,
    insolvent: bool,
    page_size: int | None,
    form: Literal["csv", "parquet"],
) -> Sample:
    signing = Ed25519PrivateKey.from_private_bytes(made_key(seed, "signing"))
    text = write_keys(out / "keys", signing, made_key(seed, "master"), out / PUBLIC_KEY_FILE)
    config = out / "snapshot.toml"
    config.write_text(_toml(codes, seed, page_size, form), encoding="utf-8")

    balances = _balances(accounts, codes, seed)
    rows = _write_ledger(out / f"ledger.{form}", codes, balances, seed)
    totals = {code: int(np.sum(balance[balance >= 0])) for code, balance in balances.items()}
    held = {code: total + total // SURPLUS + 1 for code, total in totals.items()}
    if insolvent:
        held[codes[0]] = totals[codes[0]] - 1
    messages = ownership_messages(read_config(config), public_bytes(signing))
    addresses = _write_evidence(out / "evidence.csv", held, messages, seed)
    return Sample(config, text, accounts, rows, addresses, codes[0] if insolvent else None)


def made_key(seed: int, name: str) -> bytes:
    """Return the 32 bytes that a sample's seed makes for a name."""
    return sha256(f"assay sample, seed {seed}, {name}".encode()).digest()


def _balances(accounts: int, codes: Sequence[str], seed: int) -> dict[str, npt.NDArray[np.int64]]:
    """Return the balance of every account in ledger units, -1 where it does not hold the asset."""
    random = np.random.default_rng(seed)
    holds = np.array([random.random(accounts) < PROFILES[code].holders for code in codes])
    # Nobody has an account for nothing.
    idle = np.flatnonzero(~holds.any(axis=0))
    holds[idle % len(codes), idle] = True
    balances = {}
    for code, held in zip(codes, holds, strict=True):
        profile = PROFILES[code]
        value = random.lognormal(np.log(MEDIAN_VALUE), SPREAD, accounts)
        whale = random.random(accounts) < WHALE_SHARE
        value[whale] = WHALE_LEAST * (1 + random.pareto(WHALE_SHAPE, int(whale.sum())))
        coins = np.minimum(value, GREATEST_VALUE) / profile.price
        balance = np.floor(coins * 10**profile.decimals).astype(np.int64) + 1
        balances[code] = np.where(held, balance, -1)
    return balances


def _write_ledger(
    path: Path, codes: Sequence[str], balances: dict[str, npt.NDArray[np.int64]], seed: int
) -> int:
    """Write one row for each balance, as CSV or Parquet by the path's suffix; return how many."""
    accounts = len(balances[codes[0]])
    random = np.random.default_rng([seed, 1])
    # Narrow, for they wait while millions of rows are written.
    names = [
        random.integers(len(words), size=accounts).astype(np.int8)
        for words in (_FIRST, _LAST, _DOMAINS)
    ]
    rows = 0
    with _table_writer(path) as writer:
        for start in range(0, accounts, _PIECE_ACCOUNTS):
            piece = slice(start, start + _PIECE_ACCOUNTS)
            table = _rows(
                _emails(start, *(column[piece] for column in names)),
                codes,
                np.array([balances[code][piece] for code in codes]),
            )
            writer.write_table(table if path.suffix == ".parquet" else _as_text(table, codes))
            rows += len(table)
    return rows


def _table_writer(path: Path) -> Any:
    if path.suffix == ".parquet":
        return pa.parquet.ParquetWriter(path, _SCHEMA)
    schema = pa.schema([(name, pa.string()) for name in _SCHEMA.names])
    options = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
    return pa.csv.CSVWriter(path, schema, write_options=options)


def _emails(start: int, *names: npt.NDArray[np.int8]) -> Any:
    first, last, domain = (
        pa.array(words).take(pa.array(chosen))
        for words, chosen in zip((_FIRST, _LAST, _DOMAINS), names, strict=True)
    )
    numbers = pa.array(np.arange(start + 1, start + 1 + len(first))).cast(pa.string())
    name = pc.binary_join_element_wise(first, last, ".")
    return pc.binary_join_element_wise(name, numbers, pa.scalar("@"), domain, "")


def _rows(ids: Any, codes: Sequence[str], balances: npt.NDArray[np.int64]) -> Any:
    """Return one row for each balance (assets, accounts) that is not negative, by account."""
    accounts, assets = np.nonzero(balances.T >= 0)
    coins = pa.concat_arrays(
        [_coins(row, PROFILES[code].decimals) for code, row in zip(codes, balances, strict=True)]
    ).take(pa.array(assets * balances.shape[1] + accounts))
    asset = pa.DictionaryArray.from_arrays(pa.array(assets.astype(np.int32)), pa.array(codes))
    return pa.table([ids.take(pa.array(accounts)), asset, coins], _SCHEMA)


def _coins(units: npt.NDArray[np.int64], decimals: int) -> Any:
    words = np.zeros((len(units), 2), np.int64)  # low, high
    np.maximum(units, 0, out=words[:, 0])
    exact = pa.Array.from_buffers(
        pa.decimal128(_PRECISION, decimals), len(units), [None, pa.py_buffer(words)]
    )
    return exact.cast(pa.decimal128(_PRECISION, _SCALE))


def _as_text(table: Any, codes: Sequence[str]) -> Any:
    """Return the rows as text, each balance with the decimals of its asset."""
    ids, assets, balances = (column.combine_chunks() for column in table.columns)
    text = balances.cast(pa.string())
    for code in codes:
        unused = _SCALE - PROFILES[code].decimals
        of_asset = pc.equal(assets, code)
        text = pc.if_else(of_asset, pc.utf8_slice_codeunits(text, 0, stop=-unused or None), text)
    return pa.table([ids, assets.cast(pa.string()), text], _SCHEMA.names)


def _unit(code: str) -> KnownUnit:
    """Return the one unit that the sample holds of an asset."""
    unit = known_unit(code, BITCOIN) or known_unit(code, "ethereum")
    if unit is None:
        raise ProverError(f"no unit of {code} is known on bitcoin or ethereum")
    return unit


def _write_evidence(path: Path, held: dict[str, int], messages: dict[str, str], seed: int) -> int:
    """Write every asset spread over the addresses of its chain; return the number of addresses."""
    wallets = {chain: sample_wallets(chain, message, seed) for chain, message in messages.items()}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EVIDENCE_COLUMNS)
        for code in sorted(held):
            unit = _unit(code)
            scale = 10 ** (unit.decimals - PROFILES[code].decimals)
            amounts = [held[code] * share // 100 for share in SHARES]
            amounts[-1] += held[code] - sum(amounts)
            for (format, wallet), amount in zip(wallets[unit.chain], amounts, strict=True):
                writer.writerow(
                    (
                        code,
                        unit.chain,
                        unit.contract,
                        wallet.address,
                        amount * scale,
                        format,
                        wallet.signature,
                    )
                )
    return sum(map(len, wallets.values()))


def sample_wallets(chain: str, message: str, seed: int) -> list[tuple[str, Signed]]:
    """Return format, address and signature of the exchange's addresses on a chain."""
    keys = [made_key(seed, f"{chain} {number}") for number in range(6)]
    if chain == "ethereum":
        return [("eip191", sign_eip191(key, message)) for key in keys[: len(SHARES)]]
    if chain == "tron":
        return [("tip191", sign_tip191(key, message)) for key in keys[: len(SHARES)]]
    return [
        ("bip322", sign_bip322_simple_p2wpkh(keys[0], message)),
        ("bip137", sign_bip137_p2pkh(keys[1], message)),
        ("bip322", sign_bip322_simple_p2tr(keys[2], message)),
        ("bip322", sign_bip322_simple_p2wsh(keys[3:6], 2, message)),
    ]


def made_block(chain: str, seed: int) -> str:
    """Return the lines of a made-up block: its hash, and on bitcoin the header that has it.

    The hash of a block of Tron begins with its height.
    """
    made = made_key(seed, f"{chain} block")
    if chain == "tron":
        made = HEIGHTS[chain].to_bytes(8) + made[8:]
    if chain != BITCOIN:
        return f'hash = "{made.hex()}"'
    header = bytes(4) + made + bytes(32) + utc_seconds(TIME).to_bytes(4, "little") + bytes(8)
    return f'hash = "{parse_block_header(header).hash.hex()}"\nheader = "{header.hex()}"'


def _toml(codes: Sequence[str], seed: int, page_size: int | None, ledger_format: str) -> str:
    chains = sorted({_unit(code).chain for code in codes})
    blocks = "\n".join(
        f"""
[chains.{chain}]
height = {HEIGHTS[chain]}
{made_block(chain, seed)}
""".rstrip()
        for chain in chains
    )
    assets = "\n".join(
        f"""
[[assets]]
code = "{code}"
decimals = {PROFILES[code].decimals}
ratio = "1/1"
capacity = "auto"
split = {{ least = 1, most = 3 }}
units = [{{ chain = "{_unit(code).chain}" }}]
""".rstrip()
        for code in codes
    )
    return f"""# A sample exchange. Its keys follow from a seed: never use them for anything real.
exchange = "{EXCHANGE}"
snapshot_id = "{SNAPSHOT_ID}"
time = {TIME}
account_id_type = "email"
{"" if page_size is None else f"page_size = {page_size}" + chr(10)}
[keys]
signing = "keys/signing.pem"
master = "keys/master.key"

[previous]
first = true

[ledger]
format = "{ledger_format}"
path = "ledger.{ledger_format}"
layout = "long"

[ledger.columns]
account = "account_id"
asset = "asset"
balance = "balance"
{blocks}
{assets}

[[evidence]]
path = "evidence.csv"

# What is borrowed, and which of the addresses above are pledged for it. All readers are shown it;
# without it they are told that nothing is declared. An amount may be left out.
# [[declaration]]
# lender = "First Lender Ltd"
# asset = "{codes[0]}"
# amount = "12.5"
# pledged = [{{ chain = "bitcoin", address = "…" }}]
"""
