"""A ledger in flat files: frozen once, mapped into memory ever after.

``ids.bin`` holds the ids, ``ids.off`` their offsets (u64), ``holders.bin`` the numbers of the
holders (u32) and ``balances.bin`` their balances (u64), of one asset behind the other;
``ledger.json`` the rest, with how many holders each asset has. Integers in files are little-endian.
The folder, private, appears whole under its name or not at all. A MAC of it may be inside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from prover.errors import Code
from prover.files.storage import fresh_folder, read_own
from prover.ledger.asset import LedgerAsset
from prover.ledger.errors import Fault, LedgerError
from prover.ledger.ledger import AssetTally, Balances, Ledger, Tally
from verifier.bundle.json_text import parse_json

FORMAT: Final = "assay/frozen-ledger/1"

_REMEDY: Final = "restore it from a backup, or begin anew in another folder"

HEAD: Final = "ledger.json"
MAC: Final = ".mac"
_IDS: Final = "ids.bin"
_OFFSETS: Final = "ids.off"
_HOLDERS: Final = "holders.bin"
_BALANCES: Final = "balances.bin"

_DEEPEST: Final = 4  # the tally of an asset


def save_ledger(ledger: Ledger, folder: Path, mac: Callable[[bytes], bytes] | None = None) -> None:
    """Write a ledger into a new folder, files of mode 0600, durably; ``mac`` gives that of it, and
    is told the bytes of ``ledger.json``.

    Killed half-way, nothing stands under ``folder``, and the same call made again succeeds.

    Raises:
        ProverError: ``folder`` exists.
    """
    rest = {
        "format": FORMAT,
        "id_type": ledger.id_type,
        "accounts": len(ledger),
        "id_bytes": len(ledger.ids),
        "assets": [
            {
                "code": asset.code,
                "decimals": asset.decimals,
                "holders": len(ledger.balances[asset.code]),
                "total": ledger.totals[asset.code],
            }
            for asset in ledger.assets
        ],
        "tally": asdict(ledger.tally),
    }
    with fresh_folder(folder) as partial:
        balances = [ledger.balances[asset.code] for asset in ledger.assets]
        _write(partial / _IDS, [ledger.ids.data])
        _write(partial / _OFFSETS, [ledger.offsets.astype("<u8", copy=False).data])
        _write(
            partial / _HOLDERS, (each.holders.astype("<u4", copy=False).data for each in balances)
        )
        _write(
            partial / _BALANCES, (each.units.astype("<u8", copy=False).data for each in balances)
        )
        head = json.dumps(rest, indent=1).encode()
        _write(partial / HEAD, [head])
        if mac is not None:
            _write(partial / MAC, [mac(head)])


def _write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.writelines(pieces)


def load_ledger(folder: Path) -> Ledger:
    """Map a frozen ledger into memory; no file is read but the small one.

    Raises:
        LedgerError: a file is missing, or not as long as it has to be.
    """
    path = folder / HEAD
    try:
        rest = parse_json(read_own(path).decode(), _DEEPEST)
        if rest["format"] != FORMAT:
            fault = Fault.of(Code.UNREADABLE, detail="of another version", remedy=_REMEDY)
            raise LedgerError(str(path), fault)
        accounts = rest["accounts"]
        assets = tuple(LedgerAsset(asset["code"], asset["decimals"]) for asset in rest["assets"])
        holders = [asset["holders"] for asset in rest["assets"]]
        pieces = zip(
            _cut(_map(folder / _HOLDERS, np.uint32, sum(holders)), holders),
            _cut(_map(folder / _BALANCES, np.uint64, sum(holders)), holders),
            strict=True,
        )
        return Ledger(
            rest["id_type"],
            assets,
            _map(folder / _IDS, np.uint8, rest["id_bytes"]),
            _map(folder / _OFFSETS, np.uint64, accounts + 1),
            {asset.code: Balances(*piece) for asset, piece in zip(assets, pieces, strict=True)},
            {asset["code"]: asset["total"] for asset in rest["assets"]},
            _tally(rest["tally"]),
        )
    except OSError as error:
        fault = Fault.of(Code.UNREADABLE, detail=error.strerror or "", remedy=_REMEDY)
        raise LedgerError(error.filename or str(path), fault) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        fault = Fault.of(Code.UNREADABLE, detail="not as it was written", remedy=_REMEDY)
        raise LedgerError(str(path), fault) from None


def _tally(found: dict[str, Any]) -> Tally:
    assets = {code: AssetTally(**tally) for code, tally in found["assets"].items()}
    return Tally(**found | {"assets": assets, "unread": tuple(found["unread"])})


def _cut(column: npt.NDArray[Any], lengths: Iterable[int]) -> Iterator[npt.NDArray[Any]]:
    """Cut a column into consecutive pieces."""
    start = 0
    for length in lengths:
        yield column[start : start + length]
        start += length


def _map(path: Path, kind: type[np.generic], items: int) -> npt.NDArray[Any]:
    length = items * np.dtype(kind).itemsize
    if path.stat().st_size != length:
        fault = Fault.of(Code.TRUNCATED, detail=f"not {length} bytes", remedy=_REMEDY)
        raise LedgerError(str(path), fault)
    if not length:
        return np.empty(0, dtype=kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))  # a plain array is cut faster
