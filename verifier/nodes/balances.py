"""The reader's own table of balances, looked up wherever the reader trusts; and what to look up.

For chains that no node of the reader's answers for. A line says what an address had at the
manifest's block, in base units: a whole number, so that coins taken for base units are too little,
and never too much. An amount that is left out says nothing. A table raises a row to ``listed``,
never to more, and lowers none. Source: spec/protocol.md, section 3.4.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TextIO

from verifier.checks.holdings import CheckedEvidence, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.chains import CHAINS, of_caip2
from verifier.format.levels import Level, weakest
from verifier.ownership import OwnershipError, check_contract, parse_address

COLUMNS = ("chain", "contract", "address", "amount", "height", "hash", "authority")
MAX_LINES = 1 << 20

_MAX_LINE_CHARACTERS = 1024

_AMOUNT = re.compile("[0-9]{1,78}")
_HEIGHT = re.compile("[0-9]{1,19}")
_HASH = re.compile("(?:0x)?([0-9a-fA-F]{64})")
_AUTHORITY = ("", "yes", "no")

Place = tuple[str, str, str]  # chain, contract, address


class _Block(NamedTuple):
    height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Line:
    """A line at ``where``: the ``amount`` in base units, if it is filled in; ``authority``, too."""

    where: str
    amount: int | None
    authority: str


class BalanceTable:
    """All lines of some files, CSV in UTF-8 with the COLUMNS as its first line.

    Raises:
        CannotCheck: a file cannot be read, a line is malformed, a place stands in two lines, or a
            chain has two blocks; the message names file, line and column.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._lines: dict[Place, _Line] = {}
        self._blocks: dict[str, tuple[_Block, str]] = {}
        for file in files:
            try:
                with file.open(encoding="utf-8-sig", newline="") as stream:
                    self._read(file.name, stream)
            except UnicodeDecodeError:
                raise _malformed(file.name, "not UTF-8") from None
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "no name of a file"
                raise CannotCheck(Code.CHECK_UNREADABLE, f"the table {file}: {reason}") from None

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """Return the evidence, in the same order, with the levels raised of what is listed.

        Raises:
            Rejected: ``chain.wrong-block``, ``chain.wrong-amount``.
            CannotCheck: the table is of another height than the manifest's block.
        """
        named = {chain.name: chain for chain in checked.manifest.chains}
        for chain, (block, where) in sorted(self._blocks.items()):
            if chain not in named:
                continue
            height = named[chain].height
            if block.height != height:
                message = f"{where}: it is of block {block.height} of {chain}, and the snapshot of "
                raise CannotCheck(Code.CHECK_UNREADABLE, f"{message}{height}: look that one up")
            if block.hash != named[chain].hash:
                message = f"{where}: your table has another block at height {height}"
                raise Rejected(Code.CHAIN_WRONG_BLOCK, chain, message)
        used: set[Place] = set()
        found = []
        for asset, held in zip(checked.manifest.assets, evidence, strict=True):
            rows = []
            for at, holding in enumerate(held.rows):
                place = holding.row.chain, holding.row.contract, holding.row.address
                line = self._lines.get(place)
                if line is not None:
                    used.add(place)
                    holding = _listed(f"{asset.code}, row {at}", holding, line)
                rows.append(holding)
            found.append(replace(held, rows=tuple(rows)))
        if found and len(used) < len(self._lines):
            remark = f"{len(self._lines) - len(used)} lines of your table are of no row here"
            found[0] = replace(found[0], remarks=(*found[0].remarks, remark))
        return found

    def _read(self, name: str, stream: TextIO) -> None:
        reader = csv.reader(_bounded(name, stream), strict=True)
        try:
            if tuple(next(reader, [])) != COLUMNS:
                raise _malformed(f"{name}, line 1", f"the columns are not {','.join(COLUMNS)}")
            for cells in reader:
                if cells:
                    self._add(f"{name}, line {reader.line_num}", cells)
        except csv.Error:
            raise _malformed(f"{name}, line {reader.line_num}", "not CSV") from None

    def _add(self, where: str, cells: Sequence[str]) -> None:
        if len(cells) != len(COLUMNS):
            raise _malformed(where, f"{len(cells)} columns instead of {len(COLUMNS)}")
        chain, contract, address, amount, height, block_hash, authority = cells
        network = of_caip2(chain)
        chain = network.name if network is not None else chain
        _check_place(where, (chain, contract, address))
        if amount and (not _AMOUNT.fullmatch(amount) or int(amount) >= 1 << 256):
            words = "not a whole number of base units (1.5 USDT of 6 decimals are 1500000)"
            raise _malformed(f"{where}, column amount", words)
        digits = _HASH.fullmatch(block_hash)
        if not _HEIGHT.fullmatch(height):
            raise _malformed(f"{where}, column height", "not a block's height")
        if digits is None:
            raise _malformed(f"{where}, column hash", "not 64 hex digits")
        if authority not in _AUTHORITY:
            raise _malformed(f"{where}, column authority", "not yes, no, or nothing")
        block = _Block(int(height), bytes.fromhex(digits[1]))
        first, there = self._blocks.setdefault(chain, (block, where))
        if first != block:
            raise _malformed(where, f"another block of {chain} than that of {there}")
        line = _Line(where, int(amount) if amount else None, authority)
        earlier = self._lines.setdefault((chain, contract, address), line)
        if earlier is not line:
            raise _malformed(where, f"this address stands already in {earlier.where}")


def lookups(
    checked: CheckedManifest,
    evidence: Sequence[CheckedEvidence],
    chain: str | None = None,
    *,
    only_unconfirmed: bool = False,
) -> Iterator[tuple[str, ...]]:
    """Yield a line of the COLUMNS for each row of a known chain, amount and authority left empty.

    They are empty so that whoever fills them in must look. Of hidden sets there is no line: what
    each key of a list holds is for a node. ``only_unconfirmed`` leaves out what is known by chain.
    """
    blocks = {block.name: block for block in checked.manifest.chains}
    for found in evidence:
        for holding in found.rows:
            row = holding.row
            if row.chain not in CHAINS or chain not in (None, row.chain):
                continue
            if only_unconfirmed and holding.known is Level.CHAIN:
                continue
            block = blocks[row.chain]
            place = row.chain, row.contract, row.address
            yield (*place, "", str(block.height), block.hash.hex(), "")


def _listed(where: str, holding: Holding, line: _Line) -> Holding:
    """Return a row known as listed, or as it was where the line says nothing or nothing more."""
    if line.amount is not None and holding.level.rank < Level.LISTED.rank:
        if line.amount < int.from_bytes(holding.row.amount):
            message = f"{line.where}: less base units are listed than the row counts"
            raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
        holding = replace(holding, level=Level.LISTED)
    if holding.has_authority or not line.authority:
        return holding
    if line.authority == "no":
        message = "your table says that the address's own key has no power over the account"
        return replace(holding, undecided=message)
    # What is known by the table is never known better than listed.
    return replace(holding, has_authority=True, level=weakest((holding.level, Level.LISTED)))


def _bounded(name: str, stream: TextIO) -> Iterator[str]:
    """Yield a file's lines, of which none is long, and there are not too many."""
    for number in range(1, MAX_LINES + 3):
        line = stream.readline(_MAX_LINE_CHARACTERS)
        if not line:
            return
        if len(line) == _MAX_LINE_CHARACTERS:
            raise _malformed(f"{name}, line {number}", "the line is too long")
        yield line
    raise _malformed(name, f"more than {MAX_LINES} lines")


def _check_place(where: str, place: Place) -> None:
    chain, contract, address = place
    if chain not in CHAINS:
        raise _malformed(f"{where}, column chain", "a chain that this version does not know")
    try:
        check_contract(chain, contract)
    except OwnershipError as error:
        raise _malformed(f"{where}, column contract", error.message) from None
    try:
        parse_address(chain, address)
    except OwnershipError as error:
        if error.code == "evidence.bad-address":
            raise _malformed(f"{where}, column address", error.message) from None


def _malformed(where: str, message: str) -> CannotCheck:
    return CannotCheck(Code.CHECK_UNREADABLE, f"your table: {where}: {message}")
