"""One asset's parts and tree, made without a snapshot around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from prover.config.snapshot_toml import AssetConfig
from prover.files.columns import Bytes
from prover.ledger.ledger import Balances
from prover.liabilities.leaves import Leaves
from prover.liabilities.parts import (
    POSITIONS,
    Parts,
    Splitting,
    join_splits,
    load_parts,
    split_piece,
)
from prover.liabilities.stages import Secrets, Work
from prover.liabilities.tree import TreeFiles
from verifier.format.statement import tree_of


def split_all(
    folder: Path,
    assets: Sequence[AssetConfig],
    account_keys: Bytes,
    balances: Sequence[Balances],
    page_size: int | None,
) -> list[Parts]:
    """Split all balances into the files of ``folder``; no leaf has a position yet."""
    pieces = folder.with_name(f"{folder.name}.pieces")
    for made in (folder, pieces):
        made.mkdir()
    codes, policies = [asset.code for asset in assets], [asset.split for asset in assets]
    splitting = Splitting(codes, policies, balances, account_keys, pieces, durable=False)
    for number in range(len(splitting.pieces)):
        split_piece(splitting, number)
    join_splits(folder, splitting, assets, page_size, [0] * len(assets))
    return list(load_parts(folder))


def asset_work(
    parts: Path,
    asset: AssetConfig,
    leaves: Leaves,
    secrets: Secrets,
    files: TreeFiles,
    folder: Path,
) -> Work:
    """Return what tasks on an asset need, which leave their results in ``folder``."""
    return Work(
        tree_of(leaves.context, asset, leaves.parts.shape),
        leaves,
        secrets,
        files,
        parts / POSITIONS,
        folder,
        durable=False,
        reload=_reload,
    )


def _reload() -> NoReturn:
    raise AssertionError("nothing is sent elsewhere")
