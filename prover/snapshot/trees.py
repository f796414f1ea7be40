"""The liabilities of a snapshot, asset after asset: parts and keys, then pages, then arguments.

`prover.snapshot.make` says what a crash leaves of each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Event, Lock
from typing import Protocol, TypeVar

import native
from prover.config.snapshot_toml import AssetConfig, SnapshotConfig
from prover.errors import Damaged
from prover.files.columns import map_rows
from prover.files.storage import discard_folder, fresh_file, fresh_folder, sync_tree
from prover.ledger.ledger import Ledger
from prover.liabilities.blocks import count_held, write_blocks
from prover.liabilities.derivation import derive
from prover.liabilities.leaves import Accounts, Leaves, write_account_keys
from prover.liabilities.parts import (
    Parts,
    load_parts,
    write_positions,
    write_split,
)
from prover.liabilities.tree import (
    CHUNK_ENTRIES,
    Advance,
    Root,
    argue_tree,
    commit_tree,
    entries_of,
    read_root,
)
from prover.progress import Progress
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.record import Frozen
from prover.snapshot.sizes import check_packages
from verifier.format import wire
from verifier.format.params import TreeShape
from verifier.format.statement import tree_of
from verifier.ordered import in_order
from verifier.texts import MOST_LISTED


@dataclass(frozen=True, slots=True)
class Work:
    """What trees are made from; ``context`` has 32 bytes, ``jobs`` is a number of threads."""

    config: SnapshotConfig
    frozen: Frozen
    context: bytes
    folder: SnapshotFolder
    jobs: int
    progress: Progress


def parameters(work: Work) -> bytes:
    """Encode every input that changes a leaf's value, count or order.

    Capacity and page size are 0 where they are left to be chosen: then they follow from the rest.
    Of the snapshot before it is the room, which a capacity that is chosen does not fall below.
    """
    config, frozen = work.config, work.frozen
    return wire.encode(
        {
            "account_id_type": config.account_id_type,
            "assets": [
                {
                    "capacity": asset.capacity or 0,
                    "code": asset.code,
                    "decimals": asset.decimals,
                    "least": asset.split.least,
                    "most": asset.split.most,
                    "page_size": config.page_size or 0,
                    "previous": frozen.previous_leaves(asset.code),
                    "units": [[unit.chain, unit.contract, unit.decimals] for unit in asset.units],
                }
                for asset in config.assets
            ],
            "exchange": config.exchange,
            "public_key": frozen.public_key,
            "time": config.time,
        }
    )


def write_secrets(work: Work, ledger: Ledger, key: bytes) -> Accounts:
    """Write what packages are made with, where it is not there; return the accounts."""
    path = work.folder.account_keys
    if not path.exists():
        with fresh_file(path) as file:
            write_account_keys(file, key, ledger.ids, ledger.offsets, work.jobs)
    if not work.folder.opening_secret.exists():
        with fresh_file(work.folder.opening_secret) as file:
            file.write(derive(key, "opening-secret"))
    return Accounts(ledger.ids, ledger.offsets, map_rows(path, len(ledger)))


def _parts(
    work: Work, ledger: Ledger, accounts: Accounts, key: bytes
) -> Generator[Parts, None, None]:
    """Yield the parts of each asset; write them, ahead of their use, if they are not there.

    They stand under their name before the last of them is used. No leaf is placed before all
    balances are split, and the largest package is known to be one that every reader takes.
    """
    config, folder = work.config, work.folder.parts
    if folder.exists():
        yield from load_parts(folder)
        return
    with fresh_folder(folder) as unfinished:
        splits = [
            write_split(
                unfinished,
                asset,
                accounts.keys,
                ledger.balances[asset.code],
                config.page_size,
                work.jobs,
                work.frozen.previous_leaves(asset.code),
            )
            for asset in config.assets
        ]
        holders = [ledger.balances[asset.code].holders for asset in config.assets]
        firsts = [split.first for split in splits]
        shapes = [split.shape for split in splits]
        check_packages(len(ledger), list(zip(holders, firsts, shapes, strict=True)))
        held = count_held(len(ledger), zip(holders, firsts, strict=True))

        def place(at: int) -> Parts:
            return write_positions(unfinished, config.assets[at].code, splits[at], key)

        with (
            ThreadPoolExecutor(1) as beside,
            closing(in_order(place, range(len(splits)), 1)) as placed,
        ):
            blocks = beside.submit(write_blocks, unfinished, accounts, held, 1)
            for _ in splits[:-1]:
                yield next(placed)
            last = next(placed)
            blocks.result()
    yield last


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree of one asset, and its root, once it is committed to."""

    asset: AssetConfig
    tree: native.Tree
    shape: TreeShape
    root: Root


def make_trees(
    work: Work, ledger: Ledger, accounts: Accounts, key: bytes, secret: bytes
) -> list[Tree]:
    """Make and prove the pages of all assets, with their private side, where they are not there.

    ``secret`` is the argument secret.

    Raises:
        Damaged: the parts of an asset do not add up to what the ledger owes.
    """
    folder, proved = work.folder, frozenset[str]()
    if not (folder.trees.exists() and folder.unfinished_pages.exists()):
        proved = _make_pages(work, ledger, accounts, key, secret)
    trees = [
        _tree(work, ledger, asset, parts, folder.trees)
        for asset, parts in zip(work.config.assets, load_parts(folder.parts), strict=True)
    ]
    left = ((tree.asset, tree) for tree in trees if tree.asset.code not in proved)
    _each_asset(work, "proving", left, _prover(work, secret, folder.trees))
    return trees


def _tree(work: Work, ledger: Ledger, asset: AssetConfig, parts: Parts, trees: Path) -> Tree:
    """Read the root of an asset's tree, whose private side is in ``trees``."""
    folder = work.folder
    tree = tree_of(work.context, asset, parts.shape)
    root = read_root(tree, folder.tree(asset.code, folder.unfinished, trees))
    if root.value != ledger.totals[asset.code]:
        raise Damaged(
            f"{folder.parts}: damaged: the parts of {asset.code} do not add up to the ledger"
        )
    return Tree(asset, tree, parts.shape, root)


def _make_pages(
    work: Work, ledger: Ledger, accounts: Accounts, key: bytes, secret: bytes
) -> frozenset[str]:
    """Make the pages of all assets; return the codes of those that are proved, too.

    Of a few assets one is proved while the next is committed to: either has moments when it needs
    no more than one thread.
    """
    folder, entries_secret = work.folder, derive(key, "entries-secret")
    discard_folder(folder.trees)
    proved: list[str] = []
    with (
        fresh_folder(folder.trees) as unfinished,
        closing(_parts(work, ledger, accounts, key)) as all_parts,
    ):

        def commit(job: tuple[AssetConfig, Parts], jobs: int, advance: Advance) -> None:
            asset, parts = job
            code = asset.code
            holders = ledger.balances[code].holders
            commit_tree(
                tree_of(work.context, asset, parts.shape),
                Leaves(accounts, holders, parts, code, work.context),
                derive(key, "identity-padding", code.encode()),
                entries_secret,
                work.frozen.salt,
                folder.tree(code, folder.unfinished, unfinished),
                jobs,
                advance,
            )

        assets = zip(work.config.assets, all_parts, strict=True)
        if len(work.config.assets) > MOST_LISTED:
            _each_asset(work, "committing to", assets, commit)
        else:
            before: Tree | None = None

            def prove(job: tuple[AssetConfig, Tree], jobs: int, advance: Advance) -> None:
                # What waits for the disk here leaves the cores to the next asset.
                made = folder.tree(job[0].code, folder.unfinished, unfinished)
                for part in (made.pages, made.leaves, made.sums):
                    sync_tree(part)
                _prover(work, secret, unfinished)(job, jobs, advance)

            for asset, parts in assets:
                with _proving_beside(work, prove, before, asset.code, parts.shape) as advance:
                    commit((asset, parts), work.jobs, advance)
                proved += [before.asset.code] if before else []
                before = _tree(work, ledger, asset, parts, unfinished)
        sync_tree(folder.unfinished_pages)
    return frozenset(proved)


def _prover(work: Work, secret: bytes, trees: Path) -> Act[Tree]:
    """Return what proves the pages of an asset, whose private side is in ``trees``."""

    def prove(job: tuple[AssetConfig, Tree], jobs: int, advance: Advance) -> None:
        asset, tree = job
        files = work.folder.tree(asset.code, work.folder.unfinished, trees)
        argue_tree(tree.tree, secret, work.frozen.salt, files, jobs, advance)

    return prove


class _Stopped(Exception):
    """The work beside this has failed, or was interrupted."""


@contextmanager
def _proving_beside(
    work: Work, prove: Act[Tree], before: Tree | None, code: str, shape: TreeShape
) -> Iterator[Advance]:
    """Prove the asset before, if there is one, while the body commits to another.

    Gives what the body tells of its progress. If the body raises, the proving stops soon.
    """
    if before is None:
        work.progress.stage(f"committing to {code}", entries_of(shape))
        yield work.progress.advance
        return
    name = f"proving {before.asset.code}, committing to {code}"
    work.progress.stage(name, entries_of(shape) + entries_of(before.shape))
    telling, stop = Lock(), Event()

    def advance(done: int) -> None:
        if stop.is_set():
            raise _Stopped
        with telling:
            work.progress.advance(done)

    with ThreadPoolExecutor(1) as beside:
        proving = beside.submit(prove, (before.asset, before), work.jobs, advance)
        try:
            yield advance
            proving.result()
        except BaseException:
            stop.set()
            raise


class _Shaped(Protocol):
    @property
    def shape(self) -> TreeShape:
        """The shape of an asset's tree."""


Subject = TypeVar("Subject", bound=_Shaped)

# Works on an asset, by so many jobs, and tells of the entries that are done.
Act = Callable[[tuple[AssetConfig, Subject], int, Advance], None]


def _each_asset(
    work: Work,
    verb: str,
    assets: Iterable[tuple[AssetConfig, Subject]],
    act: Act[Subject],
) -> None:
    """Act on every asset, by so many jobs, which tell of the entries that they have done.

    A few assets are a stage each. Of many a small one is one thread's work, and several are worked
    on at a time.
    """
    progress = work.progress
    if len(work.config.assets) <= MOST_LISTED:
        for asset, subject in assets:
            progress.stage(f"{verb} {asset.code}", entries_of(subject.shape))
            act((asset, subject), work.jobs, progress.advance)
        return
    progress.stage(f"{verb} assets", len(work.config.assets))

    def alone(job: tuple[AssetConfig, Subject]) -> None:
        act(job, 1, lambda _: None)

    def together(job: tuple[AssetConfig, Subject]) -> None:
        act(job, work.jobs, lambda _: None)

    for are_small, some in groupby(assets, lambda job: job[1].shape.leaves <= CHUNK_ENTRIES):
        for _ in in_order(alone, some, work.jobs) if are_small else map(together, some):
            progress.advance(1)
