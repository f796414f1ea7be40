"""Whether a finished snapshot's private files are those that its pages were made of.

As long as they are, packages can be made. Everything is computed anew from the private folder, and
compared with the bundle and the seal; no secret is needed, though that of openings is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import native
from prover.errors import RESTORE, Damaged
from prover.files.columns import map_rows
from prover.ledger.ledger import ledger_digest
from prover.ledger.saved import load_ledger
from prover.liabilities.blocks import Blocks
from prover.liabilities.check import check_tree, is_split
from prover.liabilities.leaves import Accounts, Leaves
from prover.liabilities.tree import entries_of
from prover.progress import Progress, Silent
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.packages import load_assets, read_finished


@dataclass(frozen=True, slots=True)
class Checked:
    """A snapshot whose private files are its own; manifest: its digest."""

    snapshot_id: str
    manifest: bytes
    leaves: int


def check_snapshot(snapshot: Path, jobs: int = 1, progress: Progress | None = None) -> Checked:
    """Check that all pages of a finished snapshot, their identities and C_L, are those that its
    private files make, and that these are what was sealed.

    Raises:
        ProverError: the snapshot is not finished.
        Damaged: files are; the message names the file, or the first page that differs.
    """
    folder, shown = SnapshotFolder(snapshot), progress or Silent()
    manifest, seal = read_finished(folder)
    ledger = load_ledger(folder.ledger)
    keys = map_rows(folder.account_keys, len(ledger))
    accounts = Accounts(ledger.ids, ledger.offsets, keys)
    Blocks.load(folder.parts, accounts).held_by(0, len(ledger))
    if ledger_digest(ledger) != seal.ledger:
        raise Damaged(
            f"{folder.ledger}: damaged: holders or balances are not what was written; {RESTORE}"
        )
    for asset, tree, parts in load_assets(folder, manifest):
        own = ledger.balances[asset.code]
        if not is_split(own, parts):
            raise Damaged(
                f"{folder.parts}: damaged: not what makes up balances of {asset.code}; {RESTORE}"
            )
        leaves = Leaves(accounts, own.holders, parts, asset.code, tree.context)
        shown.stage(f"checking {asset.code}", entries_of(parts.shape))
        root = check_tree(tree, leaves, folder.tree(asset.code, folder.bundle), jobs, shown.advance)
        opens = native.commit(np.array([root.value], np.uint64).data, root.blinding) == root.sum
        stated = (asset.root, asset.sum, ledger.totals[asset.code])
        if not opens or stated != (root.id, root.sum, root.value):
            raise Damaged(
                f"{asset.code}: the private files make another root or sum than the manifest "
                f"states: damaged; {RESTORE}"
            )
    leaves_in_all = sum(asset.shape.leaves for asset in manifest.assets)
    return Checked(manifest.snapshot_id, seal.manifest, leaves_in_all)
