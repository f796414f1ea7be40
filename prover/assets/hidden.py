"""Hiding keys in a public list: made offline, once, by a process that alone sees private keys.

`hide_keys` takes the whole statement, the list and the private keys, and leaves two files: the set,
which is published in the evidence, and its opening, which stays private. Neither is ever written
over: the bundle depends on both. `load_hidden` is all that the rest of the prover has of them.
Private keys go from their file through buffers that are cleared, into constant-time code alone.
"""

from __future__ import annotations

import os
import resource
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import native
from prover.assets.evidence import evidence_total
from prover.assets.lists import read_list
from prover.config import AssetConfig, HiddenConfig
from prover.errors import ProverError
from prover.statement import Statement, read_statement
from prover.storage import create_private
from verifier.checks.hidden import (
    AMOUNT_BYTES,
    SCRIPT_TYPES,
    Owners,
    check_argument,
    check_sets,
    ledger_amounts,
    set_name,
)
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.params import (
    ASSETS_LIMIT,
    GROUP_ORDER,
    MAX_EVIDENCE_BYTES,
    MAX_HIDDEN_KEYS,
    POINT_BYTES,
)
from verifier.format.statement import Denomination, hidden_state
from verifier.ownership import parse_address

Record = TypeVar("Record")

COLUMNS = ("public_key", "amount")
_KEY_BYTES = 32
_LINE = 2 * _KEY_BYTES + 1
_AMOUNT_LIMIT = 1 << 8 * AMOUNT_BYTES
_AMOUNT_DIGITS = 39


@dataclass(frozen=True, slots=True)
class Opening:
    """What a set's commitment opens to: ledger units in 16 bytes, and the blinding factor."""

    blinding: wire.Bin32
    commitment: wire.Point
    value: bytes

    @property
    def units(self) -> int:
        """The ledger units that the exchange's own keys hold."""
        return int.from_bytes(self.value)


@dataclass(frozen=True, slots=True)
class Opened:
    """The openings of an asset's hidden sets, in the order of the sets."""

    openings: tuple[Opening, ...] = ()

    @property
    def units(self) -> int:
        """The ledger units that the exchange's own keys hold in all sets."""
        return sum(opening.units for opening in self.openings)

    @property
    def blinding(self) -> int:
        """The sum of the blinding factors."""
        return sum(int.from_bytes(opening.blinding) for opening in self.openings)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a set's keys hold: ``scripts`` are types of script, ascending."""

    code: str
    chain: str
    contract: str
    scripts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What hiding keys came to, without what is hidden."""

    exchange: str
    snapshot_id: str
    block: wire.Chain
    keys: int


def hide_keys(
    statement: Path, listed: Path, private_keys: Path, place: Place, out: Path, opening: Path
) -> Made:
    """Prove which sum the known keys of a list hold; write the set to ``out``, and its opening.

    ``listed`` has the keys with what each holds, in chain base units; ``private_keys`` a private
    key a line, 64 hex digits, of keys of the list. The opening is on disk before the set is.

    Raises:
        ProverError: a file is refused, or one of the two stands there already.
    """
    for path in (out, opening):
        if path.exists():
            raise ProverError(f"{path} exists already; a set is made once and never overwritten")
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    stated = read_statement(statement)
    asset, block = stated.asset(place.code), stated.block(place.chain)
    decimals = {(unit.chain, unit.contract): unit.decimals for unit in asset.units}
    if (place.chain, place.contract) not in decimals:
        raise ProverError(f"{place.chain} {place.contract}: no unit of {asset.code}")
    types = SCRIPT_TYPES.get(place.chain, ())
    if not place.scripts or not set(place.scripts) <= set(types):
        raise ProverError(f"keys of {place.chain} can have: {', '.join(types) or 'nothing'}")
    keys, amounts = _read_list(listed)
    draft = wire.HiddenSet(
        amounts=amounts,
        argument=b"",
        chain=place.chain,
        commitment=b"",
        contract=place.contract,
        keys=keys,
        scripts=tuple(sorted(set(place.scripts))),
    )
    units = ledger_amounts(amounts, 10 ** (decimals[place.chain, place.contract] - asset.decimals))
    made, opened = _prove(stated, asset, draft, units, private_keys)
    create_private(opening, wire.write_record(opened))
    create_private(out, wire.write_record(made))
    out.chmod(0o644)
    return Made(stated.exchange, stated.snapshot_id, block, len(keys) // POINT_BYTES)


def _prove(
    stated: Statement,
    asset: Denomination,
    draft: wire.HiddenSet,
    units: bytes,
    private_keys: Path,
) -> tuple[wire.HiddenSet, Opening]:
    """Return the set with its argument, which was checked, and the opening."""
    blinding = (secrets.randbelow(GROUP_ORDER - 1) + 1).to_bytes(_KEY_BYTES)
    points = native.points_decode(draft.keys)
    with _read_private_keys(private_keys, draft.keys) as owned:
        value = native.hidden_total(units, owned).to_bytes(AMOUNT_BYTES)
        commitment = native.commit(value, blinding, 128)
        draft = replace(draft, commitment=commitment)
        block = stated.block(draft.chain)
        state = hidden_state(stated.context, asset, block, draft, units)
        fresh = secrets.token_bytes(32)
        argument = native.hidden_prove(state, points, units, owned, blinding, fresh)
    made = replace(draft, argument=argument)
    _check(stated, asset, (made,), ())
    return made, Opening(blinding, commitment, value)


@contextmanager
def _as_the_verifier() -> Iterator[None]:
    try:
        yield
    except Rejected as error:
        raise ProverError(f"a verifier would reject this: {error}") from None


def _check(
    stated: Statement, asset: Denomination, sets: Sequence[wire.HiddenSet], owners: Owners
) -> int:
    """Check sets as a verifier does; return the ledger units of all keys listed."""
    with _as_the_verifier():
        holdings = check_sets(asset, sets, owners)
        for at, holding in enumerate(holdings):
            block = stated.block(holding.chain)
            check_argument(stated.context, asset, block, holding, set_name(asset, at))
    return sum(holding.units for holding in holdings)


def load_hidden(
    files: Sequence[HiddenConfig], assets: Sequence[AssetConfig]
) -> tuple[dict[str, tuple[wire.HiddenSet, ...]], dict[str, Opened]]:
    """Read all sets and their openings; return those of each asset that has some, by its code.

    Raises:
        ProverError: unreadable, malformed, not of each other, or one that no list can be.
    """
    sets: dict[str, tuple[wire.HiddenSet, ...]] = {}
    openings: dict[str, Opened] = {}
    for entry in files:
        listed, opening = _load(entry)
        sets[entry.code] = (*sets.get(entry.code, ()), listed)
        before = openings.get(entry.code, Opened())
        openings[entry.code] = Opened((*before.openings, opening))
    for asset in assets:
        with _as_the_verifier():
            check_sets(asset, sets.get(asset.code, ()), ())
    return sets, openings


def check_hidden(stated: Statement, asset: AssetConfig, evidence: wire.Evidence) -> None:
    """Check the hidden sets in an asset's evidence.

    Raises:
        ProverError: a verifier would reject one.
    """
    if not evidence.hidden:
        return
    owners = {
        (row.chain, row.contract, parse_address(row.chain, row.address).script)
        for row in evidence.rows
    }
    listed = _check(stated, asset, evidence.hidden, owners)
    if listed + evidence_total(asset, evidence) >= ASSETS_LIMIT:
        raise ProverError(f"asset {asset.code}: the evidence adds up to 2^96 ledger units or more")


def check_set(path: Path, stated: Statement, asset: AssetConfig) -> None:
    """Check a file of a set of hidden keys by itself, as one of an asset of a snapshot.

    Raises:
        ProverError: unreadable or malformed, or a verifier would reject it.
    """
    _check(stated, asset, (read_set(path),), ())


def read_set(path: Path) -> wire.HiddenSet:
    """Read a file of a set of hidden keys, as it stands.

    Raises:
        ProverError: unreadable or malformed.
    """
    return _read_record(wire.HiddenSet, path, "set of hidden keys")


def read_opening(path: Path) -> Opening:
    """Read a file of an opening, as it stands.

    Raises:
        ProverError: unreadable or malformed.
    """
    return _read_record(Opening, path, "opening")


def _load(entry: HiddenConfig) -> tuple[wire.HiddenSet, Opening]:
    listed, opening = read_set(entry.set_file), read_opening(entry.opening)
    if (
        len(opening.value) != AMOUNT_BYTES
        or int.from_bytes(opening.blinding) >= GROUP_ORDER
        or native.commit(opening.value, opening.blinding, 128) != opening.commitment
        or opening.commitment != listed.commitment
    ):
        raise ProverError(f"{entry.opening}: not the opening of {entry.set_file}")
    return listed, opening


def _read_record(kind: type[Record], path: Path, name: str) -> Record:
    try:
        return wire.read_record(kind, path.read_bytes()[: MAX_EVIDENCE_BYTES + 1])
    except (wire.NotCanonical, wire.BadFields):
        raise ProverError(f"{path}: not a {name}") from None
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None


def _read_list(path: Path) -> tuple[bytes, bytes]:
    """Return the keys of a list, ascending by x, and their amounts.

    Raises:
        ProverError: unreadable, malformed, or a key (or its opposite) occurs twice.
    """
    rows: list[tuple[bytes, int, int, int]] = []  # x, first byte of the encoding, amount, row
    for number, cells in read_list(path, COLUMNS, COLUMNS):
        key_text, amount_text = (str(cells[column]) for column in COLUMNS)
        try:
            key = bytes.fromhex(key_text)
        except ValueError:
            key = b""
        if len(key) != POINT_BYTES or len(key_text) != 2 * POINT_BYTES or key[0] not in (2, 3):
            raise _error(path, number, "column public_key: not 66 hex digits, 02 or 03 first")
        whole = amount_text.isascii() and amount_text.isdigit()
        if not whole or len(amount_text) > _AMOUNT_DIGITS or int(amount_text) >= _AMOUNT_LIMIT:
            raise _error(path, number, "column amount: not a whole number of chain base units")
        rows.append((key[1:], key[0], int(amount_text), number))
        if len(rows) > MAX_HIDDEN_KEYS:
            raise ProverError(f"{path}: more than {MAX_HIDDEN_KEYS} keys")
    if not rows:
        raise ProverError(f"{path}: no keys")
    rows.sort()
    for (x, _, _, number), (other, _, _, later) in pairwise(rows):
        if x == other:
            raise _error(path, later, f"the key, or its opposite, is in row {number} too")
    keys = b"".join(bytes([first]) + x for x, first, _, _ in rows)
    try:
        native.points_decode(keys)
    except native.NativeError as error:
        raise _error(path, rows[error.index][3], "column public_key: no point") from None
    return keys, b"".join(amount.to_bytes(AMOUNT_BYTES) for _, _, amount, _ in rows)


def _error(path: Path, number: int, rule: str) -> ProverError:
    return ProverError(f"{path}: row {number}: {rule}")


@contextmanager
def _read_private_keys(path: Path, keys: bytes) -> Iterator[bytearray]:
    """Give the private key of each key of a list, zeros where it is not known; cleared after.

    Raises:
        ProverError: unreadable, readable by others, malformed, or a key is not of the list.
    """
    count = len(keys) // POINT_BYTES
    owned, known = bytearray(_KEY_BYTES * count), bytearray()
    try:
        with _key_text(path) as text:
            known.extend(bytes(_KEY_BYTES * (len(text) // _LINE)))
            _parse(path, text, known)
        try:
            listed = native.public_keys(known)
        except native.NativeError as error:
            raise ProverError(f"{path}: line {error.index + 1}: not a private key") from None
        places: dict[bytes, int] = {}
        for at in range(len(listed) // POINT_BYTES):
            key = listed[POINT_BYTES * at : POINT_BYTES * (at + 1)]
            if places.setdefault(key, at) != at:
                raise ProverError(f"{path}: line {at + 1}: the key of line {places[key] + 1}")
        with memoryview(owned) as target, memoryview(known) as source:
            for at in range(count):
                place = places.pop(keys[POINT_BYTES * at : POINT_BYTES * (at + 1)], None)
                if place is not None:
                    private = source[_KEY_BYTES * place : _KEY_BYTES * (place + 1)]
                    target[_KEY_BYTES * at : _KEY_BYTES * (at + 1)] = private
        if places:
            line = min(places.values()) + 1
            raise ProverError(f"{path}: line {line}: not the private key of a key of the list")
        yield owned
    finally:
        _clear(owned)
        _clear(known)


@contextmanager
def _key_text(path: Path) -> Iterator[bytearray]:
    """Give the text of a file of keys, with a line feed at its end; cleared after."""
    text = bytearray()
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ProverError(f"{path}: a key file must be its owner's alone; run chmod 600")
            if not 0 < status.st_size <= _LINE * MAX_HIDDEN_KEYS:
                raise ProverError(f"{path}: not 1 to {MAX_HIDDEN_KEYS} private keys")
            text.extend(bytes(-(-status.st_size // _LINE) * _LINE))
            with memoryview(text) as view:
                done = 0
                while got := file.readinto(view[done : status.st_size]):
                    done += got
        if done + 1 == len(text):
            text[done] = ord("\n")
            done += 1
        if done != len(text) or text[_LINE - 1 :: _LINE].strip(b"\n"):
            raise ProverError(f"{path}: not lines of 64 hex digits")
        yield text
    except OSError as error:
        raise ProverError(f"{path}: {error.strerror}") from None
    finally:
        _clear(text)


def _parse(path: Path, text: bytearray, known: bytearray) -> None:
    try:
        native.secrets_read(known, text, _LINE)
    except native.NativeError as error:
        raise ProverError(f"{path}: line {error.index + 1}: not 64 hex digits") from None


def _clear(buffer: bytearray) -> None:
    """Write zeros over a buffer that held private keys."""
    with memoryview(buffer) as view:
        view[:] = bytes(len(buffer))
