"""The TOML file that describes a snapshot, read strictly into what the prover works with.

Unknown keys, wrong types and values that a verifier would refuse are errors that name file and key.
Relative paths are taken from the folder of the file. Nothing but the file itself is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import gcd
from pathlib import Path

from prover.config.asset_list import ledger_assets, listed_assets
from prover.config.declaration import DECLARATION, Declaration, read_declaration
from prover.errors import Code, InputError
from prover.files.toml_table import Table, read_toml
from prover.ledger.asset import MAX_DECIMALS, LedgerAsset
from prover.ledger.expect import Expect
from prover.ledger.gather import ledger_codes
from prover.ledger.settings import KEYS as LEDGER_KEYS
from prover.ledger.settings import read_settings
from prover.ledger.source import LedgerSource
from verifier.checks.policy import has_slot
from verifier.errors import Code as VerdictCode
from verifier.errors import Misuse, Rejected
from verifier.format.account import AccountError, IdType, canonical_name
from verifier.format.chains import CHAINS, FIAT, HeaderForm
from verifier.format.evidence_records import StateProof
from verifier.format.params import (
    ASSET_CODE,
    DAY_SECONDS,
    ID_BYTES,
    MAX_ASSETS,
    MAX_HEIGHT,
    MAX_LEAVES,
    MAX_MANIFEST_BYTES,
    MAX_RATIO_TERM,
    MAX_UNIT_DECIMALS,
    MAX_UNITS,
    PAGE_SIZES,
    SNAPSHOT_ID,
)
from verifier.format.times import utc_text
from verifier.format.units import KnownUnit, UnitTable, known_unit
from verifier.format.wire import Chain, Ratio, Unit
from verifier.ownership.unit_form import contract_fault
from verifier.stateproof.bitcoin_header import BlockHeader, check_block_header
from verifier.stateproof.header import Header
from verifier.stateproof.state import check_header
from verifier.stateproof.tokens import MAX_SLOT, TokenSlot, token_slots

MAX_PARTS = 64

# What a manifest has at most (spec/wire.md 3): in all, for each asset, and for each unit besides
# the names of its chain and contract.
_MANIFEST_BYTES = 4096
_MANIFEST_ASSET_BYTES = 256
_MANIFEST_UNIT_BYTES = 32

_KEYS = (
    "account_id_type",
    "assets",
    "chains",
    DECLARATION,
    "evidence",
    "exchange",
    "hidden",
    "keys",
    "ledger",
    "page_size",
    "previous",
    "snapshot_id",
    "time",
)
_ASSET_KEYS = (
    "attestations",
    "capacity",
    "code",
    "coins",
    "decimals",
    "proofs",
    "ratio",
    "split",
    "units",
)
# Of an asset that a CSV lists, what stands in [assets.CODE].
_BESIDE_KEYS = ("attestations", "coins", "proofs", "split")
_FEWER_DECIMALS = (
    "all balances of an asset together must stay below 2^63 ledger units; balances are rounded up"
)

_HASH = re.compile(r"[0-9a-f]{64}")
_RATIO = re.compile(r"([1-9][0-9]{0,9})/([1-9][0-9]{0,9})")
_ID_TYPES: dict[str, IdType] = {"email": "email", "phone": "phone", "opaque": "opaque"}


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """How many parts a balance is split into: 1 <= least <= most."""

    least: int
    most: int


DEFAULT_SPLIT = SplitPolicy(1, 3)


@dataclass(frozen=True, slots=True)
class AssetConfig:
    """One asset; units as in the manifest.

    capacity: in leaves, None where it is left to `prover.liabilities.shape`; proofs: files of
    state proofs of what it holds on EVM chains; slots: of tokens that the verifier's table lacks;
    coins: files of the coins that its bitcoin addresses hold; attestations: files that third
    parties signed.
    """

    code: str
    decimals: int
    ratio: Ratio
    capacity: int | None
    split: SplitPolicy
    units: tuple[Unit, ...]
    proofs: tuple[Path, ...] = ()
    slots: tuple[TokenSlot, ...] = ()
    coins: tuple[Path, ...] = ()
    attestations: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class HiddenConfig:
    """A set of hidden keys of an asset, and its opening, as `assay hide-keys` leaves them."""

    code: str
    set_file: Path
    opening: Path


@dataclass(frozen=True, slots=True)
class SnapshotConfig:
    """A snapshot; ``time`` in Unix seconds; assets ascending by code, chains by name.

    page_size: None where it is left to `prover.liabilities.shape`;
    previous_manifest: None for the first snapshot; old_signing_key: only where the key changes;
    abandoned: ids of snapshots that were signed and never given to anybody;
    headers: of the blocks whose chains prove no state, which tell their time;
    listed: the bytes that name the assets where the TOML does not;
    stated: the bytes that all this was read from, those among them.
    """

    exchange: str
    snapshot_id: str
    time: int
    account_id_type: IdType
    page_size: int | None
    signing_key: Path
    master_key: Path
    previous_manifest: Path | None
    old_signing_key: Path | None
    abandoned: frozenset[str]
    ledger: LedgerSource
    merge_duplicates: bool
    expect: Expect
    chains: tuple[Chain, ...]
    headers: tuple[StateProof, ...]
    assets: tuple[AssetConfig, ...]
    evidence: tuple[Path, ...]
    hidden: tuple[HiddenConfig, ...]
    declaration: Declaration
    listed: bytes
    stated: bytes


def parse_config(
    file: Path, text: bytes, codes: Callable[[LedgerSource], Collection[str]] = ledger_codes
) -> SnapshotConfig:
    """Parse the bytes of a snapshot file.

    ``codes`` tells which assets occur in a ledger, where the file says that the assets are those.

    Raises:
        ProverError: naming file, key and rule.
    """
    table = Table.read(file, text, _KEYS)
    exchange = _exchange(table)
    snapshot_id = table.take("snapshot_id", str)
    if not SNAPSHOT_ID.fullmatch(snapshot_id):
        raise table.error("snapshot_id", "must be 1 to 64 of a-z, 0-9 and hyphen")
    time = _time(table)
    id_type = _ID_TYPES.get(table.take("account_id_type", str))
    if id_type is None:
        raise table.error("account_id_type", f"must be one of {', '.join(_ID_TYPES)}")
    page_size = table.take("page_size", int) if table.has("page_size") else None
    if page_size is not None and page_size not in PAGE_SIZES:
        raise table.error("page_size", f"must be one of {', '.join(map(str, PAGE_SIZES))}")
    with table.table("keys", ("signing", "master")) as keys:
        signing_key, master_key = keys.take_path("signing"), keys.take_path("master")
    with table.table("previous", ("first", "manifest", "old_signing", "abandoned")) as previous:
        abandoned = _abandoned(previous)
        manifest, old_signing_key = _previous(previous)
    with table.table("ledger", LEDGER_KEYS) as section:
        unread = section.copy()
        assets, listed = _assets(table, lambda: codes(read_settings(unread, None).source))
        ledger = read_settings(section, {asset.code: asset.decimals for asset in assets})
    chains, headers = _chains(table, time, assets)
    names = {chain.name for chain in chains}
    for asset in assets:
        for unit in asset.units:
            if unit.chain not in names:
                words = f"{asset.code} is held on {unit.chain}: no block given"
                raise table.error("chains", words, Code.MISSING_KEY)
    evidence: list[Path] = []
    if table.has("evidence") or not any(asset.attestations for asset in assets):
        evidence = table.each("evidence", ("path",), lambda entry: entry.take_path("path"))
    hidden: list[HiddenConfig] = []
    if table.has("hidden"):
        hidden = table.each(
            "hidden", ("asset", "set", "opening"), partial(_hidden, {a.code for a in assets})
        )
    declaration = read_declaration(table)
    table.closed()
    return SnapshotConfig(
        exchange=exchange,
        snapshot_id=snapshot_id,
        time=time,
        account_id_type=id_type,
        page_size=page_size,
        signing_key=signing_key,
        master_key=master_key,
        previous_manifest=manifest,
        old_signing_key=old_signing_key,
        abandoned=abandoned,
        ledger=ledger.source,
        merge_duplicates=ledger.merge_duplicates,
        expect=ledger.expect,
        chains=chains,
        headers=headers,
        assets=assets,
        evidence=tuple(evidence),
        hidden=tuple(hidden),
        declaration=declaration,
        listed=listed,
        stated=text + listed,
    )


def _exchange(table: Table) -> str:
    name = table.take("exchange", str)
    try:
        canonical = canonical_name(name)
    except AccountError as error:
        raise table.error("exchange", f"not a valid name: {error.rule}") from None
    if canonical != name:
        raise table.error("exchange", "not in canonical form (outer space, or not NFC)")
    return name


def _time(table: Table) -> int:
    time = table.take("time", datetime)
    if time.utcoffset() != timedelta(0) or time.microsecond:
        raise table.error("time", "must be in whole seconds and end in Z")
    seconds = int(time.timestamp())
    if seconds < 1:
        raise table.error("time", "must be after 1970-01-01T00:00:00Z")
    return seconds


def _abandoned(table: Table) -> frozenset[str]:
    ids = table.take_or("abandoned", list, [])
    if not all(isinstance(name, str) and SNAPSHOT_ID.fullmatch(name) for name in ids):
        raise table.error("abandoned", "must be a list of snapshot ids")
    return frozenset(ids)


def _previous(table: Table) -> tuple[Path | None, Path | None]:
    if table.take_or("first", bool, False):
        if table.remaining():
            words = "the first snapshot has no previous one"
            raise table.error(table.remaining()[0], words, Code.CONTRADICTION)
        return None, None
    if not table.has("manifest"):
        words = "give the previous manifest, or first = true"
        raise table.error("manifest", words, Code.MISSING_KEY)
    manifest = table.take_path("manifest")
    return manifest, table.take_path("old_signing") if table.has("old_signing") else None


def _chains(
    table: Table, time: int, assets: Sequence[AssetConfig]
) -> tuple[tuple[Chain, ...], tuple[StateProof, ...]]:
    """Return the blocks, and the headers given of them; ``time`` is the snapshot's.

    Money in accounts has no block: what stands for it follows from the time.
    """
    used = {unit.chain for asset in assets for unit in asset.units}
    chains = [Chain(bytes(ID_BYTES), time, FIAT)] if FIAT in used else []
    headers = []
    if used == {FIAT} and not table.has("chains"):
        return tuple(chains), ()
    with table.table("chains", None) as blocks:
        for name in sorted(blocks.remaining()):
            if name not in CHAINS:
                raise _unprovable(blocks, name, name)
            if name == FIAT:
                words = "money in accounts has no block"
                raise blocks.error(name, words, Code.CONTRADICTION, "remove it")
            with blocks.table(name, ("height", "hash", "header")) as block:
                height, digest = block.take("height", int), block.take("hash", str)
                if not 0 <= height <= MAX_HEIGHT:
                    raise block.error("height", "must be 0 to 2^63 - 1")
                if not _HASH.fullmatch(digest):
                    raise block.error("hash", "must be 64 lower-case hex digits")
                chain = Chain(bytes.fromhex(digest), height, name)
                if CHAINS[name].shows_time and block.has("header"):
                    headers.append(_header(block, chain, time))
            chains.append(chain)
    return tuple(sorted(chains, key=lambda chain: chain.name)), tuple(headers)


def _header(block: Table, chain: Chain, time: int) -> StateProof:
    """Return the header of a block that shows its time alone, as a proof without nodes."""
    is_bitcoin = CHAINS[chain.name].header is HeaderForm.BITCOIN
    check: Callable[[str, StateProof, Chain], BlockHeader | Header]
    check = check_block_header if is_bitcoin else check_header
    words = "must be a block's header, " + ("160 hex digits" if is_bitcoin else "its RLP in hex")
    try:
        proof = StateProof(chain.name, bytes.fromhex(block.take("header", str)), ())
        header = check(chain.name, proof, chain)
    except ValueError:
        raise block.error("header", words) from None
    except Rejected as error:
        if error.code is VerdictCode.PROOF_WRONG_BLOCK:
            words = "is not the header of the block of this hash"
        raise block.error("header", words) from None
    if abs(header.time - time) > DAY_SECONDS:
        of = utc_text(header.time)
        raise block.error(
            "header", f"the block is of {of}, and no reader trusts one more than a day away"
        )
    return proof


def _unprovable(table: Table, key: str, chain: str) -> InputError:
    """Return the error that no evidence is taken from a chain, before anybody signs for it."""
    words = f"nothing can prove what is held on {chain!r}"
    remedy = f"chains are {', '.join(CHAINS)}"
    return table.error(key, words, Code.UNPROVABLE_CHAIN, remedy)


def _assets(
    table: Table, codes: Callable[[], Collection[str]]
) -> tuple[tuple[AssetConfig, ...], bytes]:
    """Return the assets, and the bytes that name them where the TOML does not.

    ``codes`` returns those that occur in the ledger.
    """
    if not table.has_table("assets"):
        return _read_assets(table, {}), b""
    with table.table("assets", None) as section:
        if section.copy().take("from", str) == "ledger":
            section.take("from", str)
            found = sorted(codes())
            chains = {FIAT}
            if table.has_table("chains"):
                chains.update(table.copy().part("chains", None).remaining())
            entries = ledger_assets(section, found, chains, _ASSET_KEYS)
            _beside(section, _ASSET_KEYS)  # of codes that nobody holds today
            beside, listed = {}, json.dumps(found).encode()
        else:
            file = section.take_path("from")
            entries = listed_assets(file)
            beside, listed = _beside(section, _BESIDE_KEYS), read_toml(file)
    assets = _read_assets(Table(table.file, "", {"assets": entries}, None), beside)
    for code in sorted(beside.keys() - {asset.code for asset in assets}):
        raise section.error(code, f"{file} does not list it", Code.CONTRADICTION)
    return assets, listed


def _beside(section: Table, known: Collection[str]) -> dict[str, Table]:
    """Take the tables by code that stand in ``[assets]``."""
    codes = [code for code in section.remaining() if ASSET_CODE.fullmatch(code)]
    return {code: section.part(code, known) for code in codes}


def _read_assets(table: Table, beside: Mapping[str, Table]) -> tuple[AssetConfig, ...]:
    """Read the list of assets; ``beside`` has by code what is not said there."""
    assets: dict[str, AssetConfig] = {}
    users: dict[tuple[str, str], str] = {}

    def read(entry: Table) -> None:
        asset = _asset(entry, beside)
        if asset.code in assets:
            raise entry.error("code", f"{asset.code} occurs twice", Code.CONTRADICTION)
        assets[asset.code] = asset
        for unit in asset.units:
            user = users.setdefault((unit.chain, unit.contract), asset.code)
            if user != asset.code:
                raise entry.error("units", f"{user} has this unit too", Code.CONTRADICTION)

    table.each("assets", _ASSET_KEYS, read)
    if not 1 <= len(assets) <= MAX_ASSETS:
        raise table.error("assets", f"a snapshot has 1 to {MAX_ASSETS:,} assets")
    size = most_manifest_bytes(assets.values())
    if size > MAX_MANIFEST_BYTES:
        words = f"a manifest of {len(assets):,} assets with these units may have {size:,} bytes"
        raise table.error("assets", f"{words}: 2^24 at most", remedy="list fewer units")
    return tuple(assets[code] for code in sorted(assets))


def most_manifest_bytes(assets: Iterable[AssetConfig]) -> int:
    """Return what a manifest of these assets has at most, in bytes."""
    size = _MANIFEST_BYTES
    for asset in assets:
        size += _MANIFEST_ASSET_BYTES
        for unit in asset.units:
            size += _MANIFEST_UNIT_BYTES + len(unit.chain) + len(unit.contract)
    return size


def _asset(table: Table, beside: Mapping[str, Table]) -> AssetConfig:
    code, decimals = table.take("code", str), table.take("decimals", int)
    if not 0 <= decimals <= MAX_DECIMALS:
        words = f"ledger decimals are 0 to {MAX_DECIMALS}"
        raise table.error("decimals", words, remedy=_FEWER_DECIMALS)
    try:
        LedgerAsset(code, decimals)
    except ValueError as error:
        raise table.error("code", str(error)) from None
    ratio = _RATIO.fullmatch(table.take_or("ratio", str, "1/1"))
    num, den = (int(ratio[1]), int(ratio[2])) if ratio else (0, 0)
    if not 0 < max(num, den) <= MAX_RATIO_TERM or gcd(num, den) != 1:
        raise table.error("ratio", 'must be "num/den", coprime, both below 2^32')
    capacity = _capacity(table)
    policy, more = DEFAULT_SPLIT, beside.get(code, table)
    if more.has("split"):
        with more.table("split", ("least", "most")) as split:
            policy = SplitPolicy(split.take("least", int), split.take("most", int))
            if not 1 <= policy.least <= policy.most <= MAX_PARTS:
                raise split.error("most", f"must hold 1 <= least <= most <= {MAX_PARTS}")
    units, slots = _units(table, code, decimals)
    return AssetConfig(
        code,
        decimals,
        Ratio(den, num),
        capacity,
        policy,
        units,
        more.take_paths("proofs") if more.has("proofs") else (),
        slots,
        more.take_paths("coins") if more.has("coins") else (),
        more.take_paths("attestations") if more.has("attestations") else (),
    )


def _units(
    table: Table, code: str, decimals: int
) -> tuple[tuple[Unit, ...], tuple[TokenSlot, ...]]:
    """Read the units of an asset, in their order, and the slots that some of them have."""
    units: dict[tuple[str, str], Unit] = {}
    slots: list[TokenSlot] = []

    def read(entry: Table) -> None:
        unit = _unit(entry, code, decimals)
        if (unit.chain, unit.contract) in units:
            raise entry.error("contract", "the units must be all different", Code.CONTRADICTION)
        units[unit.chain, unit.contract] = unit
        if entry.has("slot"):
            slots.append(_slot(entry, unit))

    table.each("units", ("chain", "contract", "decimals", "slot"), read)
    if not 1 <= len(units) <= MAX_UNITS:
        raise table.error("units", f"must be 1 to {MAX_UNITS}, all different")
    return tuple(units[place] for place in sorted(units)), tuple(slots)


def _slot(table: Table, unit: Unit) -> TokenSlot:
    slot = table.take("slot", int)
    if not has_slot(unit.chain, unit.contract) or not 0 <= slot <= MAX_SLOT:
        words = "must be 0 to 2^256 - 1, of a token on an EVM chain whose headers prove balances"
        raise table.error("slot", words)
    entry = TokenSlot(unit.chain, unit.contract, slot)
    try:
        token_slots(unit.chain, [entry])
    except Misuse as error:
        raise table.error("slot", str(error), Code.CONTRADICTION) from None
    return entry


def _hidden(codes: Collection[str], entry: Table) -> HiddenConfig:
    code = entry.take("asset", str)
    if code not in codes:
        raise entry.error("asset", "not an asset of the snapshot")
    return HiddenConfig(code, entry.take_path("set"), entry.take_path("opening"))


def _capacity(table: Table) -> int | None:
    if not table.has("capacity"):
        return None
    capacity = table.take("capacity", object)
    if capacity == "auto":
        return None
    if type(capacity) is not int or not 1 <= capacity <= MAX_LEAVES:
        raise table.error("capacity", 'must be "auto", or a number of leaves up to 2^30')
    return capacity


def _unit(table: Table, code: str, ledger_decimals: int) -> Unit:
    """Read a unit; what it leaves out comes from the verifier's table."""
    chain = table.take("chain", str)
    if chain not in CHAINS:
        raise _unprovable(table, "chain", chain)
    known = known_unit(code, chain)
    if table.has("contract"):
        contract = table.take("contract", str)
    elif known is not None:
        contract = known.contract
    else:
        words = f"the verifier's table does not have {code} on {chain}"
        raise table.error("contract", words, Code.UNKNOWN_UNIT, "give contract and decimals")
    if fault := contract_fault(chain, contract):
        raise table.error("contract", fault)
    if table.has("decimals"):
        decimals = table.take("decimals", int)
    elif known is not None and contract == known.contract:
        decimals = known.decimals
    else:
        words = "the verifier's table does not have this contract"
        raise table.error("decimals", words, Code.UNKNOWN_UNIT, "give the decimals of the chain")
    if not ledger_decimals <= decimals <= MAX_UNIT_DECIMALS:
        raise table.error(
            "decimals", f"must be at least the ledger's and at most {MAX_UNIT_DECIMALS}"
        )
    if UnitTable().contradicts(KnownUnit(code, chain, contract, decimals)):
        words = f"every reader knows {code}, or this contract, as something else: they reject it"
        raise table.error("contract", words, Code.CONTRADICTION)
    return Unit(chain, contract, decimals)
