"""OKX's list of reserves: a CSV file of addresses, messages and signatures.

Two layouts are published. One opens with a block of totals (coin, snapshot height, amount) and a
blank line, then has a row for each address with its amount; the other has the rows alone, without
amounts. Columns are told apart by their names, and those of no known name are told. OKX's accounts
sign the Keccak hash of the message under the prefix of EIP-191, on whatever network of that kind,
and under Tron's on Tron, or the message itself there; its Bitcoin
keys the common signed message: one signature for a key's own address, several for a multisig
script, which stands beside them. The rules are those of OKX's own tool, at the commit that decision
7 names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from prover.imports.names import Network, is_okx_coin, okx_asset, okx_place
from prover.imports.okx_table import Cells, Told, read_table
from prover.imports.rows import (
    MAX_FILE_BYTES,
    MAX_ROWS,
    Challenges,
    Imported,
    ImportFileError,
    Row,
    Stated,
    Status,
    Verdict,
    named,
    once,
    shown,
)
from prover.imports.signatures import (
    SignatureFault,
    bitcoin_signer,
    check_key,
    check_multisig,
    evm_signer,
    tron_signer,
)
from verifier.format.chains import Family
from verifier.format.units import KnownUnit, known_unit
from verifier.ownership import Address, OwnershipError, check_ownership, parse_address
from verifier.ownership.families.evm import account_text

_FORMATS = ("bip322", "bip137", "eip191", "tip191")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")
_PLACES = 40
_AMOUNT = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_RESTAKED = re.compile(r"eigen\s*layer", re.IGNORECASE)
_HEIGHT = re.compile(r"[0-9]{1,19}")
_SCRIPT = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){1,4096})")


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of the table of addresses, and what the table of names says of it."""

    cells: Cells
    network: Network
    amount: int | None
    unit: KnownUnit | None

    def __getitem__(self, column: str) -> str:
        """Return a cell; what the file lacks, or calls null, is empty."""
        return self.cells.get(column, "")


def import_okx(file: Path, challenges: Challenges) -> Imported:
    """Check every row of a list of OKX's.

    Raises:
        ImportFileError: the file as a whole is refused.
    """
    told = Told()
    sums = _Sums()
    rows: list[Row] = []
    seen: dict[tuple[str, str, str], int] = {}
    for line, cells in _read(file, told):
        if len(rows) == MAX_ROWS:
            raise ImportFileError(file, f"more than {MAX_ROWS} rows", line)
        sums.add(cells)
        rows.append(once(_check(line, cells, challenges), seen))
    stated = [sums.compared(name, amount) for name, amount in told.totals]
    return Imported("okx", rows, stated, named("column", told.unread))


def _read(file: Path, told: Told) -> Iterator[tuple[int, Cells | str]]:
    """Yield what `read_table` does, of a file.

    Raises:
        ImportFileError: unreadable, too large, not UTF-8, or without the columns of a list.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise ImportFileError(file, f"larger than {MAX_FILE_BYTES} bytes")
            yield from read_table(file, lines, told)
    except UnicodeDecodeError:
        raise ImportFileError(file, "not UTF-8") from None
    except OSError as error:
        raise ImportFileError(file, error.strerror or "unreadable") from None


class _Sums:
    """What the rows of each coin add up to, whatever became of them, in units of 10^-40."""

    def __init__(self) -> None:
        self._sums: dict[str, int] = {}
        self._unclear: set[str] = set()
        self._is_whole = True

    def add(self, cells: Cells | str) -> None:
        """Take a row, or the text in place of one that cannot be read."""
        if isinstance(cells, str):
            self._is_whole = False
            return
        coin = cells.get("coin", "").upper()
        match = _AMOUNT.fullmatch(cells.get("amount", ""))
        if match is None:
            self._unclear.add(coin)
        else:
            self._sums[coin] = self._sums.get(coin, 0) + _fixed(match)

    def compared(self, name: str, amount: str) -> Stated:
        """Compare a total with the rows that it is of; it is rounded to the places that it has.

        ``COIN`` is of the rows of this coin, ``ASSET(ALL)`` of the asset's on all networks.
        """
        wanted = name.upper().removesuffix("(ALL)").rstrip()
        whole = wanted != name.upper()
        coins = self._sums.keys() | self._unclear
        meant = {coin for coin in coins if (okx_asset(coin) if whole else coin) == wanted}
        match = _AMOUNT.fullmatch(amount)
        unclear = meant & self._unclear or not self._is_whole
        if whole:  # a name that the table lacks may be of any asset
            unclear = unclear or not all(map(is_okx_coin, coins))
        if match is None or unclear:
            return Stated(name, amount)
        total = sum(self._sums[coin] for coin in meant)
        step: int = 10 ** (_PLACES - len(match[2] or ""))
        return Stated(name, amount, _decimal(total), abs(total - _fixed(match)) < step)


def _fixed(amount: re.Match[str]) -> int:
    return int(amount[1] + (amount[2] or "").ljust(_PLACES, "0"))


def _decimal(units: int) -> str:
    whole, rest = divmod(units, 10**_PLACES)
    return f"{whole}.{rest:0{_PLACES}d}".rstrip("0").rstrip(".")


def _check(line: int, cells: Cells | str, challenges: Challenges) -> Row:
    """Return what becomes of a row; a text in place of cells says why it is none."""
    if isinstance(cells, str):
        return Row(line, "", "", "", None, Verdict(Status.FAILED, cells))
    coin, network_name = cells.get("coin", ""), cells.get("network", "")
    text = cells.get("address", "")
    place = okx_place(coin, network_name)
    if isinstance(place, str):
        return Row(line, coin, network_name, text, None, Verdict(Status.UNCHECKED, place))
    asset, network = place
    unit = known_unit(asset, network.chain)
    amount: int | None = None
    try:
        address = None if cells.get("owner1") else _address(network, text)
        text = address.text if address else text
        amount = _amount(cells.get("amount", ""), unit)
        verdict = _judge(_Line(cells, network, amount, unit), address, challenges)
    except SignatureFault as fault:
        verdict = Verdict(Status.FAILED, str(fault))
    except OwnershipError as fault:
        bad = fault.code == "evidence.bad-address"
        verdict = Verdict(Status.FAILED if bad else Status.UNCHECKED, fault.message)
    row = Row(line, asset, network.name, text, amount, verdict)
    if verdict.status is Status.COUNTS and unit is not None:
        signature = cells["signature1"]
        row = replace(row, chain=unit.chain, contract=unit.contract, signature=signature)
    return row


def _address(network: Network, text: str) -> Address | None:
    """Read an address whose owner's signature can be checked.

    Raises:
        OwnershipError: not an address.
    """
    if network.family is None:
        return None
    if network.family is Family.EVM:
        # OKX writes accounts in lower case, without a checksum.
        plain = _ACCOUNT.fullmatch(text) and text == text.lower()
        checked = account_text(bytes.fromhex(text[2:])) if plain else text
        return parse_address(network.chain or "ethereum", checked)
    return parse_address(network.chain, text)


def _amount(text: str, unit: KnownUnit | None) -> int | None:
    """Return an amount in the chain's base units; None if there is none, or its unit is unknown.

    Raises:
        SignatureFault: not a decimal number that the chain can hold.
    """
    if not text:
        return None
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise SignatureFault("its amount is not a decimal number")
    if unit is None:
        return None
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > unit.decimals:
        raise SignatureFault("its amount has more decimals than the chain")
    return int(match[1] + fraction.ljust(unit.decimals, "0"))


def _judge(line: _Line, address: Address | None, challenges: Challenges) -> Verdict:
    """Check the signatures of a row.

    Raises:
        SignatureFault: one does not verify.
    """
    if not line.network.listed:
        return _judge_unlisted(line, challenges)
    if line.network.family is None:
        return Verdict(
            Status.UNCHECKED, f"signatures on {line.network.name} cannot be checked here"
        )
    if not line["message"] or not line["signature1"]:
        raise SignatureFault("it has no message or no signature")
    if address is None:
        return _judge_contract(line)
    stale = _staleness(line, challenges)
    form = _bundle_format(address, line["message"], line["signature1"])
    if form and not stale:
        return _taken(line, form)
    check = _check_bitcoin if line.network.family is Family.BITCOIN else _check_account
    how = form or check(line, address)
    if stale:
        return Verdict(Status.STALE, f"signed by {how}, but {stale}")
    return Verdict(Status.VERIFIED, f"signed for this snapshot by {how}, which no bundle takes")


def _judge_unlisted(line: _Line, challenges: Challenges) -> Verdict:
    """Check a row on a network that the table lacks: an account signs alike wherever there are any.

    Where it did not, nothing is shown, for the network may have a rule of its own.
    """
    is_account = _ACCOUNT.fullmatch(line["address"]) and not line["owner1"]
    if is_account and line["message"] and not line["signature2"]:
        with suppress(SignatureFault):
            account = bytes.fromhex(line["address"][2:])
            how = _signer(line, account, evm_signer(line["message"], line["signature1"]))
            return Verdict(Status.STALE, f"signed by {how}, but {_staleness(line, challenges)}")
    return Verdict(Status.UNCHECKED, "its network is not in the table of names")


def _taken(line: _Line, form: str) -> Verdict:
    if line.amount is None or line.unit is None:
        lacks = "but without an amount of an asset that the verifier knows"
        return Verdict(Status.VERIFIED, f"signed for this snapshot by {form}, {lacks}")
    return Verdict(Status.COUNTS, f"signed for this snapshot by {form}", form)


def _bundle_format(address: Address, message: str, signature: str) -> str:
    """Return the format in which a bundle would take a signature; empty if there is none."""
    for form in _FORMATS:
        try:
            check_ownership(address, message, form, signature)
        except OwnershipError:
            continue
        return form
    return ""


def _staleness(line: _Line, challenges: Challenges) -> str:
    """Return why a message does not name this exchange, snapshot and block; empty if it does."""
    if not challenges:
        return f"there is no snapshot to compare its message with: {shown(line['message'])}"
    challenge = challenges.get(line.network.chain)
    if challenge is None:
        return f"the snapshot has no block of {shown(line.network.name)}"
    if line["message"] != challenge.message:
        return (
            f"its message does not name this exchange, snapshot and block: {shown(line['message'])}"
        )
    height = line["height"]
    if height and not (_HEIGHT.fullmatch(height) and int(height) == challenge.height):
        return f"it is of block {shown(height)}, the snapshot of block {challenge.height}"
    return ""


def _judge_contract(line: _Line) -> Verdict:
    """Check the signatures of a contract's owners, which say nothing of the contract itself.

    Of restaking on EigenLayer the second owner is the EigenPod, a contract, which signs nothing.
    """
    if line.network.family is not Family.EVM:
        raise SignatureFault("it names owners, but is no contract's")
    owners = [line["owner1"], *([line["owner2"]] if line["owner2"] else [])]
    is_restaked = _RESTAKED.search(line["type"]) is not None
    signers = owners[:1] if is_restaked else owners
    for owner, signature in zip(signers, (line["signature1"], line["signature2"]), strict=False):
        if not _ACCOUNT.fullmatch(owner):
            raise SignatureFault("an owner is not an account")
        if bytes.fromhex(owner[2:]) not in evm_signer(line["message"], signature):
            raise SignatureFault("a signature is not its owner's, or over another message")
    other = ", the other is an EigenPod, which cannot" if len(signers) < len(owners) else ""
    return Verdict(
        Status.UNCHECKED,
        f"{len(signers)} of its owners signed{other}; "
        "that the contract is theirs, only the chain tells",
    )


def _check_account(line: _Line, address: Address) -> str:
    if line["signature2"]:
        raise SignatureFault("it has a second signature, but names no second owner")
    signer = tron_signer if line.network.family is Family.TRON else evm_signer
    return _signer(line, address.owner, signer(line["message"], line["signature1"]))


def _signer(line: _Line, account: bytes, signers: tuple[bytes, bytes]) -> str:
    """Return by which rule an account signed; ``signers`` are by OKX's and by the family's own.

    Raises:
        SignatureFault: it did not.
    """
    if account == signers[0]:
        return "its account, by OKX's rule"
    if account == signers[1]:
        return f"its account, by {'TIP' if line.network.family is Family.TRON else 'EIP'}-191"
    raise SignatureFault("the signature is by another key or over another message")


def _check_bitcoin(line: _Line, address: Address) -> str:
    signatures = [text for text in (line["signature1"], line["signature2"]) if text]
    signers = [bitcoin_signer(line["message"], text) for text in signatures]
    if not line["script"] and len(signers) == 1:
        check_key(address, signers[0])
        return "its key"
    script = _SCRIPT.fullmatch(line["script"])
    if script is None:
        raise SignatureFault("its redeem script is missing, or not hex")
    multisig = check_multisig(address, bytes.fromhex(script[1]), signers)
    return f"{len(signers)} keys of its {multisig.required}-of-{len(multisig.keys)} script"
