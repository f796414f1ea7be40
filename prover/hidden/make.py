"""Making a set of hidden keys, and its opening: what `assay hide-keys` does.

`hide_keys` takes the whole statement, the list and the private keys, and leaves two files: the set,
which is published in the evidence, and its opening, which stays private. Neither is ever written
over: the bundle depends on both.
"""

from __future__ import annotations

import re
import resource
import secrets
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import native
from prover.assets.hidden import Opening, check_made
from prover.config.announcement import Announcement, read_announcement
from prover.errors import ProverError
from prover.files.lists import read_list
from prover.files.storage import create_private
from prover.hidden.private_keys import KEY_BYTES, read_private_keys
from verifier.checks.hidden import AMOUNT_BYTES, SCRIPT_TYPES, ledger_amounts
from verifier.format import wire
from verifier.format.evidence_records import HiddenSet
from verifier.format.params import GROUP_ORDER, MAX_HIDDEN_KEYS, POINT_BYTES
from verifier.format.statement import Denomination, hidden_state

COLUMNS = ("public_key", "amount")

_AMOUNT_LIMIT = 1 << 8 * AMOUNT_BYTES

_AMOUNT = re.compile("[0-9]{1,39}")
_KEY = re.compile(f"0[23][0-9A-Fa-f]{{{2 * POINT_BYTES - 2}}}")


@dataclass(frozen=True, slots=True)
class SetUnit:
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
    announcement: Path, listed: Path, private_keys: Path, unit: SetUnit, out: Path, opening: Path
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
    stated = read_announcement(announcement)
    asset, block = stated.asset(unit.code), stated.block(unit.chain)
    decimals = {(unit.chain, unit.contract): unit.decimals for unit in asset.units}
    if (unit.chain, unit.contract) not in decimals:
        raise ProverError(f"{unit.chain} {unit.contract}: no unit of {asset.code}")
    types = SCRIPT_TYPES.get(unit.chain, ())
    if not unit.scripts or not set(unit.scripts) <= set(types):
        raise ProverError(f"keys of {unit.chain} can have: {', '.join(types) or 'nothing'}")
    keys, amounts = _read_list(listed)
    draft = HiddenSet(
        amounts=amounts,
        argument=b"",
        chain=unit.chain,
        commitment=b"",
        contract=unit.contract,
        keys=keys,
        scripts=tuple(sorted(set(unit.scripts))),
    )
    units = ledger_amounts(amounts, 10 ** (decimals[unit.chain, unit.contract] - asset.decimals))
    made, opened = _prove(stated, asset, draft, units, private_keys)
    create_private(opening, wire.write_record(opened))
    try:
        create_private(out, wire.write_record(made))
        out.chmod(0o644)
    except BaseException:
        opening.unlink()  # of a set that there is not
        raise
    return Made(stated.exchange, stated.snapshot_id, block, len(keys) // POINT_BYTES)


def _prove(
    stated: Announcement,
    asset: Denomination,
    draft: HiddenSet,
    units: bytes,
    private_keys: Path,
) -> tuple[HiddenSet, Opening]:
    """Return the set with its argument, which was checked, and the opening."""
    blinding = (secrets.randbelow(GROUP_ORDER - 1) + 1).to_bytes(KEY_BYTES)
    points = native.points_decode(draft.keys)
    with read_private_keys(private_keys, draft.keys) as owned:
        value = native.hidden_total(units, owned).to_bytes(AMOUNT_BYTES)
        commitment = native.commit(value, blinding, 128)
        draft = replace(draft, commitment=commitment)
        block = stated.block(draft.chain)
        state = hidden_state(stated.context, asset, block, draft, units)
        fresh = secrets.token_bytes(32)
        argument = native.hidden_prove(state, points, units, owned, blinding, fresh)
    made = replace(draft, argument=argument)
    check_made(stated, asset, made)
    return made, Opening(blinding, commitment, value)


def _read_list(path: Path) -> tuple[bytes, bytes]:
    """Return the keys of a list, ascending by x, and their amounts.

    Raises:
        ProverError: unreadable, malformed, or a key (or its opposite) occurs twice.
    """
    rows: list[tuple[bytes, int, int, int]] = []  # x, first byte of the encoding, amount, row
    for number, cells in read_list(path, COLUMNS, COLUMNS):
        key_text, amount_text = (str(cells[column]) for column in COLUMNS)
        if not _KEY.fullmatch(key_text):
            raise _error(path, number, "column public_key: not 66 hex digits, 02 or 03 first")
        if not _AMOUNT.fullmatch(amount_text) or int(amount_text) >= _AMOUNT_LIMIT:
            raise _error(path, number, "column amount: not a whole number of chain base units")
        key = bytes.fromhex(key_text)
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
