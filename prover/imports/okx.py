"""OKX's list of reserves: a CSV file of addresses, messages and signatures.

Two layouts are published. One opens with a block of totals (coin, snapshot height, amount) and a
blank line, then has a row for each address with its amount; the other has the rows alone, without
amounts. Columns are told apart by their names. OKX's accounts sign the Keccak hash of the message
under the prefix of EIP-191, its Bitcoin keys the common signed message: one signature for a key's
own address, several for a multisig script, which stands beside them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from prover.imports.names import Network, known_unit, okx_place
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
    once,
    shown,
)
from prover.imports.signatures import (
    SignatureFault,
    bitcoin_signer,
    check_key,
    check_multisig,
    evm_signer,
)
from verifier.ownership import Address, OwnershipError, check_ownership, parse_address
from verifier.ownership.addresses import ethereum_text
from verifier.units import KnownUnit

_COLUMNS = {
    "coin": "coin",
    "digitalasset": "coin",
    "type": "type",
    "network": "network",
    "snapshotheight": "height",
    "address": "address",
    "amount": "amount",
    "balance": "amount",
    "message": "message",
    "signature1": "signature1",
    "signedmessage": "signature1",
    "signature2": "signature2",
    "signedmessage2": "signature2",
    "redeemscript": "script",
    "redeemscript/publickey": "script",
    "publickey": "script",
    "eoa1": "owner1",
    "owner1": "owner1",
    "eoa2": "owner2",
    "owner2": "owner2",
}
_TOTALS = ["coin", "height", "amount"]
_REQUIRED = ("coin", "network", "address", "message", "signature1")

_FORMATS = ("bip322", "bip137", "eip191")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}")
_AMOUNT = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_HEIGHT = re.compile(r"[0-9]{1,19}")
_SCRIPT = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){1,4096})")

Cells = Mapping[str, str]


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
    stated: list[Stated] = []
    rows: list[Row] = []
    seen: dict[tuple[str, str, str], int] = {}
    for line, cells in _read(file, stated):
        if len(rows) == MAX_ROWS:
            raise ImportFileError(file, f"more than {MAX_ROWS} rows", line)
        rows.append(once(_check(line, cells, challenges), seen))
    return Imported("okx", rows, stated)


def _check(line: int, cells: Cells | str, challenges: Challenges) -> Row:
    """Return what becomes of a row; a text in place of cells says why it is none."""
    if isinstance(cells, str):
        return Row(line, "", "", "", None, Verdict(Status.FAILED, cells))
    coin, network_name = cells.get("coin", ""), cells.get("network", "")
    place = okx_place(coin, network_name)
    if isinstance(place, str):
        verdict = Verdict(Status.UNCHECKED, place)
        return Row(line, coin, network_name, cells.get("address", ""), None, verdict)
    asset, network = place
    unit = known_unit(asset, network.chain)
    text = cells.get("address", "")
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
    if network.rule == "bitcoin":
        return parse_address("bitcoin", text)
    if network.rule == "evm":
        # OKX writes accounts in lower case, without a checksum.
        plain = _ACCOUNT.fullmatch(text) and text == text.lower()
        checked = ethereum_text(bytes.fromhex(text[2:])) if plain else text
        return parse_address("ethereum", checked)
    return None


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
    if not line.network.rule:
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
    check = _check_evm if line.network.rule == "evm" else _check_bitcoin
    how = form or check(line, address)
    if stale:
        return Verdict(Status.STALE, f"signed by {how}, but {stale}")
    return Verdict(Status.VERIFIED, f"signed for this snapshot by {how}, which no bundle takes")


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
        return f"the snapshot has no block of {line.network.name}"
    if line["message"] != challenge.message:
        return (
            f"its message does not name this exchange, snapshot and block: {shown(line['message'])}"
        )
    height = line["height"]
    if height and not (_HEIGHT.fullmatch(height) and int(height) == challenge.height):
        return f"it is of block {shown(height)}, the snapshot of block {challenge.height}"
    return ""


def _judge_contract(line: _Line) -> Verdict:
    """Check the signatures of a contract's owners, which say nothing of the contract itself."""
    if line.network.rule != "evm":
        raise SignatureFault("it names owners, but is no contract's")
    owners = [line["owner1"], *([line["owner2"]] if line["owner2"] else [])]
    for owner, signature in zip(owners, (line["signature1"], line["signature2"]), strict=False):
        if not _ACCOUNT.fullmatch(owner):
            raise SignatureFault("an owner is not an account")
        if bytes.fromhex(owner[2:]) not in evm_signer(line["message"], signature):
            raise SignatureFault("a signature is not its owner's, or over another message")
    return Verdict(
        Status.UNCHECKED,
        f"{len(owners)} of its owners signed; that the contract is theirs, only the chain tells",
    )


def _check_evm(line: _Line, address: Address) -> str:
    if line["signature2"]:
        raise SignatureFault("it has a second signature, but names no second owner")
    by_okx, by_eip191 = evm_signer(line["message"], line["signature1"])
    if address.script == by_okx:
        return "its account, by OKX's rule"
    if address.script == by_eip191:
        return "its account, by EIP-191"
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


def _read(file: Path, stated: list[Stated]) -> Iterator[tuple[int, Cells | str]]:
    """Yield each row of addresses with the line it begins in; put the totals into ``stated``.

    Raises:
        ImportFileError: unreadable, too large, not UTF-8, or without the columns of a list.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise ImportFileError(file, f"larger than {MAX_FILE_BYTES} bytes")
            yield from _parse(file, lines, stated)
    except UnicodeDecodeError:
        raise ImportFileError(file, "not UTF-8") from None
    except OSError as error:
        raise ImportFileError(file, error.strerror or "unreadable") from None


def _parse(file: Path, lines: IO[str], stated: list[Stated]) -> Iterator[tuple[int, Cells | str]]:
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    begins = 1
    try:
        for values in reader:
            texts = [value.strip() for value in values]
            if not any(texts):
                header = [] if header == _TOTALS else header
            elif not header:
                header = _header(file, begins, texts)
            elif header == _TOTALS:
                stated.append(Stated(texts[0], texts[-1]))
            elif len(texts) > len(header):
                yield begins, f"{len(texts)} values instead of {len(header)}"
            else:
                cells = zip(header, texts, strict=False)
                yield begins, {name: "" if text == "null" else text for name, text in cells}
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ImportFileError(file, str(error), reader.line_num) from None
    if header in ([], _TOTALS):
        raise ImportFileError(file, "it has no table of addresses", reader.line_num)


def _header(file: Path, line: int, texts: list[str]) -> list[str]:
    names = []
    for number, text in enumerate(texts, 1):
        name = _COLUMNS.get("".join(text.lower().split()))
        if name is None or name in names:
            rule = "not a column of OKX's lists" if name is None else "a column occurs twice"
            raise ImportFileError(file, rule, line, number)
        names.append(name)
    for name in _REQUIRED:
        if names != _TOTALS and name not in names:
            raise ImportFileError(file, f"the column {name} is missing", line)
    return names
