"""Evidence of assets: the operator's lists of signed addresses in, ``evidence/CODE.msgpack`` out.

A list is CSV with a header, or JSON Lines (``.jsonl``), with the columns asset, chain, contract,
address, amount (a whole number of the chain's base units), format and signature. An address needs
its signature once, on any of its rows; an account, which is one key's on all EVM chains, on any row
of any of them. Everything that a verifier would refuse is refused here, with file, row, column and
rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain as chained
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prover.assets.attested import attested_total
from prover.assets.bitcoin import read_coins
from prover.assets.evm import needed_proofs
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.messages import what_was_signed
from prover.assets.spelling import (
    address_text,
    chain_name,
    contract_text,
    format_name,
    signature_text,
)
from prover.errors import Code, InputError, ProverError, Refusals
from prover.files.lists import read_list
from verifier.checks.evidence import ledger_units, signature_mark
from verifier.checks.reserves import BIP127, Reserves
from verifier.format import wire
from verifier.format.chains import CHAINS, Family
from verifier.format.evidence_records import (
    Coin,
    Evidence,
    HiddenSet,
    HoldingAttestation,
    OwnershipSignature,
    Row,
    StateProof,
)
from verifier.format.params import ASSETS_LIMIT, EVIDENCE_VERSION, MAX_EVIDENCE_BYTES
from verifier.ordered import in_order
from verifier.ownership import (
    ELSEWHERE,
    Address,
    OwnershipError,
    check_ownership,
    parse_address,
    signed_chain,
)
from verifier.ownership.contract import CONTRACT_FORMAT, contract_signature

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig

_REQUIRED = frozenset({"asset", "chain", "address", "amount"})

MAX_EVIDENCE_ROWS = 1 << 20
# What a row and a signature take in a file (spec/wire.md 4) beside their texts, at least.
_ROW_BYTES = 67
_SIGNATURE_BYTES = 31

# Signatures that a thread checks at a time.
_TOGETHER = 256
_AMOUNT_LIMIT = 1 << 256
_AMOUNT_DIGITS = 78


@dataclass(frozen=True, slots=True)
class Backing:
    """What an asset's evidence has beside addresses, signatures and proofs (``spec/wire.md`` 4)."""

    coins: tuple[Coin, ...] = ()
    hidden: tuple[HiddenSet, ...] = ()
    attestations: tuple[HoldingAttestation, ...] = ()


class Built(NamedTuple):
    """An asset's evidence, and the file that it is."""

    evidence: Evidence
    file: bytes


Signatures = Mapping[tuple[str, str], OwnershipSignature]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a list; ``where`` names file and row."""

    where: str
    asset: str
    chain: str
    contract: str
    address: str
    amount: int
    format: str
    signature: str

    @property
    def owner(self) -> tuple[str, str]:
        """Who signs: chain and address."""
        return self.chain, self.address

    @property
    def entry(self) -> OwnershipSignature:
        """Its signature, as evidence has it."""
        return OwnershipSignature(self.address, self.chain, self.format, self.signature)

    def error(self, column: str, code: Code, words: str, remedy: str = "") -> InputError:
        """Return the error that a column of this row breaks the rule that ``words`` tell."""
        return InputError(f"{self.where}, column {column}", code, words, remedy)


def build_evidence(
    files: Sequence[Path],
    assets: Sequence[AssetConfig],
    messages: Mapping[str, str],
    progress: Callable[[int], None],
    backing: Mapping[str, Backing] | None = None,
    blocks: Sequence[wire.Chain] = (),
    headers: Sequence[StateProof] = (),
    accepted: set[bytes] | None = None,
    jobs: int = 1,
) -> dict[str, Built]:
    """Read all lists and check every address and signature; return each asset's evidence.

    ``messages`` is the ownership message of each chain; ``progress`` is called with the number of
    signatures checked so far; ``backing`` is what some assets' evidence holds beside;
    ``blocks`` are those of the chains, for the proofs that assets name; ``headers`` are of blocks
    that prove nothing, to show their time; ``accepted`` takes the marks of signatures that a
    verifier need not check again; ``jobs`` is how many threads check signatures.

    Raises:
        ProverError: a row breaks a rule; the message names file, row and column.
    """
    rows, addresses = _read_rows(files, assets)
    own: dict[str, list[_Row]] = {asset.code: [] for asset in assets}
    for row in rows:
        own[row.asset].append(row)
    _check_sizes(own)
    coins = {asset.code: read_coins(asset, _amounts(own[asset.code])) for asset in assets}
    every_coin = [coin for code in coins for coin in coins[code]]
    signatures = _checked_signatures(rows, addresses, every_coin, messages, progress, jobs)
    if accepted is not None:
        accepted.update(_marks(signatures.values(), messages))
    beside = backing or {}
    return {
        asset.code: _encode(
            asset,
            own[asset.code],
            signatures,
            replace(beside.get(asset.code, Backing()), coins=coins[asset.code]),
            blocks,
            headers,
        )
        for asset in assets
    }


def _check_sizes(rows: Mapping[str, Sequence[_Row]]) -> None:
    """Refuse an asset whose rows do not fit into one file, before any signature is checked.

    Raises:
        ProverError: naming all such assets.
    """
    refusals = Refusals()
    for code, own in rows.items():
        signed = {row.owner: len(row.format + row.signature) for row in own if row.signature}
        size = sum(_ROW_BYTES + len(r.chain + r.contract + r.address) for r in own)
        size += sum(_SIGNATURE_BYTES + len("".join(owner)) + signed[owner] for owner in signed)
        with refusals.part():
            if len(own) > MAX_EVIDENCE_ROWS or size > MAX_EVIDENCE_BYTES:
                raise ProverError(
                    f"asset {code}: {len(own):,} rows of evidence of {size:,} bytes; a file holds "
                    f"{MAX_EVIDENCE_ROWS:,} rows and {MAX_EVIDENCE_BYTES:,} bytes: leave out the "
                    "smallest amounts, or move coins to fewer addresses before the next snapshot"
                )
    refusals.settle()


def contract_wallets(file: bytes) -> list[tuple[str, str]]:
    """Return the (chain, address) of an asset's rows, ascending, that a contract signed for.

    ``file`` is the asset's evidence. Only a node can ask a contract whether it did.
    """
    if CONTRACT_FORMAT.encode() not in file:
        return []  # unread: it may have a million rows
    evidence = wire.read_record(Evidence, file)
    signed = evidence.signatures
    return sorted(
        (entry.chain, entry.address) for entry in signed if entry.format == CONTRACT_FORMAT
    )


def check_list(
    file: Path,
    assets: Sequence[AssetConfig],
    messages: Mapping[str, str],
    progress: Callable[[int], None],
) -> None:
    """Check one list by itself: its rows, and the signatures that need nothing beside it.

    A BIP-127 transaction needs the coins that it spends; an address may be signed for in another
    list. ``progress`` is called with the number of signatures seen so far.

    Raises:
        ProverError: a row breaks a rule; the message names file, row and column.
    """
    refusals = Refusals()
    rows, addresses = _read_rows([file], assets)
    signed = _signing_rows(rows, refusals)
    for number, row in enumerate(signed.values(), 1):
        if (row.chain, row.format) != ("bitcoin", BIP127):
            with refusals.part():
                _check_signature(row, addresses[row.owner], Reserves((), (), {}), messages)
        progress(number)
    refusals.settle()


def _read_rows(
    files: Sequence[Path], assets: Sequence[AssetConfig]
) -> tuple[list[_Row], dict[tuple[str, str], Address]]:
    """Read all lists: every row is of an asset's unit, no address counts twice; parse addresses."""
    units = {asset.code: {(unit.chain, unit.contract) for unit in asset.units} for asset in assets}
    rows: list[_Row] = []
    addresses: dict[tuple[str, str], Address] = {}
    seen: dict[tuple[str, str, str], str] = {}
    refusals = Refusals()
    for where, cells in (row for file in files for row in _cells(file)):
        with refusals.part():
            row = _row(where, cells)
            _check_unit(row, units)
            if row.owner not in addresses:
                addresses[row.owner] = _address(row)
            earlier = seen.setdefault((row.chain, row.contract, row.address), row.where)
            if earlier != row.where:
                raise row.error("address", Code.COUNTED_TWICE, f"counted already: {earlier}")
            rows.append(row)
    refusals.settle()
    return rows, addresses


def _check_unit(row: _Row, units: Mapping[str, Collection[tuple[str, str]]]) -> None:
    if row.asset not in units:
        raise row.error("asset", Code.OTHER_ASSET, "not an asset of the snapshot")
    if (row.chain, row.contract) not in units[row.asset]:
        words = f"(chain, contract) is no unit of {row.asset}"
        listed = ", ".join(f"({chain}, {contract})" for chain, contract in units[row.asset])
        raise row.error("contract", Code.OTHER_UNIT, words, f"its units are {listed}")


def _amounts(rows: Iterable[_Row]) -> dict[str, int]:
    """Return what bitcoin addresses hold of the chain's own coin."""
    return {row.address: row.amount for row in rows if (row.chain, row.contract) == ("bitcoin", "")}


def _address(row: _Row) -> Address:
    try:
        return parse_address(row.chain, row.address)
    except OwnershipError as error:
        raise row.error("address", Code.BAD_ADDRESS, error.message) from None


def _checked_signatures(
    rows: Sequence[_Row],
    addresses: Mapping[tuple[str, str], Address],
    coins: Sequence[Coin],
    messages: Mapping[str, str],
    progress: Callable[[int], None],
    jobs: int,
) -> Signatures:
    """Return the signature of every (chain, address) of the rows."""
    refusals = Refusals()
    signed = _signing_rows(rows, refusals)
    accounts = {row.address for row in signed.values() if _is_account(row.chain, row.format)}
    for row in rows:
        if row.owner not in signed and not (_is_evm(row.chain) and row.address in accounts):
            with refusals.part():
                words = "missing, on every row of this address"
                raise row.error("signature", Code.NO_SIGNATURE, words)
    refusals.settle()
    reserves = Reserves([signed[owner].entry for owner in sorted(signed)], coins, addresses)
    signatures: dict[tuple[str, str], OwnershipSignature] = {}

    def check(some: Sequence[_Row]) -> list[OwnershipSignature | ProverError]:
        return [_outcome(row, addresses[row.owner], reserves, messages) for row in some]

    all_rows = list(signed.values())
    parts = [all_rows[at : at + _TOGETHER] for at in range(0, len(all_rows), _TOGETHER)]
    done = 0
    with closing(in_order(check, parts, jobs)) as outcomes:
        for row, outcome in zip(all_rows, chained.from_iterable(outcomes), strict=True):
            if isinstance(outcome, ProverError):
                with refusals.part():
                    raise outcome
            else:
                signatures[row.owner] = outcome
            done += 1
            progress(done)
    refusals.settle()
    _sign_elsewhere(rows, signatures)
    return signatures


def _outcome(
    row: _Row, address: Address, reserves: Reserves, messages: Mapping[str, str]
) -> OwnershipSignature | ProverError:
    """Return what `_check_signature` returns or raises."""
    try:
        return _check_signature(row, address, reserves, messages)
    except ProverError as error:
        return error


def _marks(
    signatures: Iterable[OwnershipSignature], messages: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield the marks of signatures that were checked."""
    for entry in signatures:
        yield signature_mark(entry, messages[signed_chain(entry.chain, entry.format)[0]])


def _sign_elsewhere(
    rows: Sequence[_Row], signatures: dict[tuple[str, str], OwnershipSignature]
) -> None:
    """Give accounts without a signature on their EVM chain the one that they have on another."""
    unsigned = [row for row in rows if row.owner not in signatures]
    if not unsigned:
        return
    made: dict[str, tuple[str, str]] = {}  # by account: the chain signed for, and the text
    for (chain, address), entry in sorted(signatures.items(), key=lambda item: item[0]):
        if _is_account(chain, entry.format):
            made.setdefault(address, (signed_chain(chain, entry.format)[0], entry.text))
    for row in unsigned:
        other, text = made[row.address]
        form = "eip191" if other == row.chain else ELSEWHERE + other
        signatures[row.owner] = OwnershipSignature(row.address, row.chain, form, text)


def _signing_rows(rows: Sequence[_Row], refusals: Refusals) -> dict[tuple[str, str], _Row]:
    """Return, for every (chain, address) that is signed for, the first row with the signature."""
    signed: dict[tuple[str, str], _Row] = {}
    for row in rows:
        if row.signature or row.format:
            earlier = signed.setdefault(row.owner, row)
            if (earlier.format, earlier.signature) != (row.format, row.signature):
                with refusals.part():
                    words = f"this address has another one in {earlier.where}"
                    raise row.error("signature", Code.TWO_SIGNATURES, words)
    return signed


def _check_signature(
    row: _Row, address: Address, reserves: Reserves, messages: Mapping[str, str]
) -> OwnershipSignature:
    """Check what can be known of a row's signature without a node; return it as evidence has it.

    One of an account that is over the message of another EVM chain is given the name of that chain.

    Raises:
        InputError: it does not hold; the message tells what was signed, if that can be told.
    """

    def check(text: str, form: str) -> None:
        if (row.chain, row.format) == ("bitcoin", BIP127):
            reserves.check(row.entry, text)
        elif row.format == CONTRACT_FORMAT:
            contract_signature(address, row.signature)
        else:
            check_ownership(address, text, form, row.signature)

    try:
        chain, form = signed_chain(row.chain, row.format)
    except OwnershipError as error:
        raise row.error("format", Code.BAD_SIGNATURE, error.message) from None
    if chain not in messages:
        words = f"the snapshot has no block of {chain}, whose message it names"
        raise row.error("format", Code.BAD_SIGNATURE, words, f"give one in [chains.{chain}]")
    message = messages[chain]
    try:
        check(message, form)
    except OwnershipError as error:
        remedy = ""
        if error.is_of_another:
            for other in _other_chains(row, messages):
                try:
                    check(messages[other], form)
                except OwnershipError:
                    continue
                return replace(row.entry, format=ELSEWHERE + other)
            remedy = what_was_signed(lambda text: check(text, form), message)
        words = error.message
        raise row.error("signature", Code.BAD_SIGNATURE, words, remedy) from None
    return row.entry


def _other_chains(row: _Row, messages: Mapping[str, str]) -> list[str]:
    """Return the chains whose message a row's signature may be over beside its own."""
    if not _is_evm(row.chain) or row.format != "eip191":
        return []
    return [chain for chain in sorted(messages) if chain != row.chain and _is_evm(chain)]


def _is_evm(chain: str) -> bool:
    return chain in CHAINS and CHAINS[chain].family is Family.EVM


def _is_account(chain: str, format: str) -> bool:
    """Tell whether a format says that the key of an EVM account signs, which is one everywhere."""
    return _is_evm(chain) and format != CONTRACT_FORMAT


def evidence_total(asset: AssetConfig, evidence: Evidence) -> int:
    """Return what the rows and attested holdings of an asset count for, in ledger units."""
    units = {(unit.chain, unit.contract): unit for unit in asset.units}
    disclosed = sum(
        ledger_units(row, units[row.chain, row.contract], asset.decimals) for row in evidence.rows
    )
    return disclosed + attested_total(asset, evidence)


def _encode(
    asset: AssetConfig,
    rows: Sequence[_Row],
    signatures: Signatures,
    backing: Backing,
    blocks: Sequence[wire.Chain],
    headers: Sequence[StateProof],
) -> Built:
    """Encode the evidence file of one asset (``spec/wire.md`` 4)."""
    ordered = sorted(rows, key=lambda row: (row.chain, row.contract, row.address))
    listed = tuple(
        Row(row.address, row.amount.to_bytes(32), row.chain, row.contract) for row in ordered
    )
    signed = tuple(signatures[owner] for owner in sorted({row.owner for row in rows}))
    counted = {row.chain for row in listed} | {keys.chain for keys in backing.hidden}
    shown = [header for header in headers if header.chain in counted]
    proven = needed_proofs(asset, listed, backing.hidden, blocks)
    proofs = tuple(sorted((*shown, *proven), key=lambda proof: proof.chain))
    evidence = Evidence(
        attestations=backing.attestations,
        code=asset.code,
        coins=backing.coins,
        hidden=backing.hidden,
        proofs=proofs,
        rows=listed,
        signatures=signed,
        validators=(),
        version=EVIDENCE_VERSION,
    )
    if evidence_total(asset, evidence) >= ASSETS_LIMIT:
        raise ProverError(f"asset {asset.code}: the evidence adds up to 2^96 ledger units or more")
    file = wire.write_record(evidence)
    if len(rows) > MAX_EVIDENCE_ROWS or len(file) > MAX_EVIDENCE_BYTES:
        raise ProverError(
            f"asset {asset.code}: more than {MAX_EVIDENCE_ROWS} rows of evidence, "
            f"or {MAX_EVIDENCE_BYTES} bytes"
        )
    return Built(evidence, file)


def _cells(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield file and row, and the cells, of each row."""
    for number, cells in read_list(file, EVIDENCE_COLUMNS, _REQUIRED):
        yield f"{file}: row {number}", cells


def _row(where: str, cells: Mapping[str, Any]) -> _Row:
    texts = {column: cells.get(column, "") for column in EVIDENCE_COLUMNS}
    for column, text in texts.items():
        if not isinstance(text, str) and not (column == "amount" and type(text) is int):
            raise InputError(f"{where}, column {column}", Code.BAD_CELL, "must be text")
    digits = str(texts.pop("amount"))
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _AMOUNT_DIGITS):
        words = "not a whole number of chain base units"
        raise InputError(f"{where}, column amount", Code.BAD_AMOUNT, words)
    if int(digits) >= _AMOUNT_LIMIT:
        raise InputError(f"{where}, column amount", Code.BAD_AMOUNT, "not below 2^256")
    return _Row(where=where, amount=int(digits), **_spelt(where, **texts))


def _spelt(where: str, *, chain: str, contract: str, address: str, **texts: str) -> dict[str, str]:
    """Return the texts of a row in the spelling of evidence."""
    chain = chain_name(chain)
    try:
        contract = contract_text(chain, contract)
    except ValueError as error:
        raise InputError(f"{where}, column contract", Code.OTHER_UNIT, str(error)) from None
    try:
        address = address_text(chain, address)
    except ValueError as error:
        raise InputError(f"{where}, column address", Code.BAD_ADDRESS, str(error)) from None
    form = format_name(chain, texts["format"], texts["signature"])
    return {
        "asset": texts["asset"],
        "chain": chain,
        "contract": contract,
        "address": address,
        "format": form,
        "signature": signature_text(chain, form, texts["signature"]),
    }
