"""The liabilities of a snapshot, asset after asset: parts and keys, then pages, then arguments.

`prover.snapshot.make` says what a crash leaves of each.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import file_digest, sha256
from hmac import compare_digest
from pathlib import Path
from threading import Event, Lock

import native
from prover.config.snapshot_toml import AssetConfig, SnapshotConfig
from prover.errors import Damaged
from prover.files.columns import U32, U64, map_rows
from prover.files.storage import (
    discard_folder,
    fresh_file,
    keep_files,
    read_own,
    remove,
    remove_links,
    rename_folder,
    sync_tree,
)
from prover.ledger.ledger import Ledger
from prover.liabilities.blocks import count_held, write_blocks
from prover.liabilities.check import BY_OTHERS, check_made
from prover.liabilities.derivation import derive
from prover.liabilities.leaves import Accounts, write_account_keys
from prover.liabilities.parts import Parts, join_splits
from prover.liabilities.plan import is_small
from prover.liabilities.stages import ARGUMENTS, argue_tree, commit_tree
from prover.liabilities.tree import Root, entries_of
from prover.progress import Progress
from prover.snapshot.folder import SnapshotFolder
from prover.snapshot.job import (
    ALONE,
    JOB,
    SECRETS,
    Job,
    JobAsset,
    check_root,
    make_small,
    split_task,
)
from prover.snapshot.record import Frozen
from prover.snapshot.sizes import check_packages
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.params import TreeShape
from verifier.format.statement import asset_statement
from verifier.ordered import Engine
from verifier.texts import MOST_LISTED, listed

# Assets that are worked on at a time: while one waits for the last task of a stage, the other has
# tasks left.
_AT_A_TIME = 2


@dataclass(frozen=True, slots=True)
class Making:
    """What trees are made from; ``context`` has 32 bytes, ``jobs`` is a number of threads."""

    config: SnapshotConfig
    frozen: Frozen
    context: bytes
    folder: SnapshotFolder
    jobs: int
    progress: Progress


def parameters(making: Making) -> bytes:
    """Encode every input that changes a leaf's value, count or order.

    Capacity and page size are 0 where they are left to be chosen: then they follow from the rest.
    Of the snapshot before it is the room, which a capacity that is chosen does not fall below.
    """
    config, frozen = making.config, making.frozen
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


def write_secrets(making: Making, ledger: Ledger, key: bytes) -> Accounts:
    """Write what packages are made with; return the accounts."""
    path = making.folder.account_keys
    with fresh_file(path) as file:
        write_account_keys(file, key, ledger.ids, ledger.offsets, making.jobs)
    with fresh_file(making.folder.opening_secret) as file:
        file.write(derive(key, "opening-secret"))
    return Accounts(ledger.ids, ledger.offsets, map_rows(path, len(ledger)))


@dataclass(frozen=True, slots=True)
class Tree:
    """The shape of one asset's tree, and its root."""

    asset: AssetConfig
    shape: TreeShape
    root: Root


def make_trees(
    making: Making,
    engine: Engine,
    ledger: Ledger,
    accounts: Accounts,
    key: bytes,
    secret: bytes,
) -> list[Tree]:
    """Make and prove the pages of all assets, with their private side, where they are not there.

    ``secret`` is the argument secret.

    Raises:
        ProverError: a package would be too large, or an asset has too many leaves for any tree.
        Damaged: the parts of an asset do not add up to what the ledger owes.
    """
    folder = making.folder
    for made in (folder.parts, folder.trees):
        discard_folder(made)
    remove_links(folder.unfinished)
    alone, mark = folder.stages / ALONE, derive(key, "frozen", ALONE.encode())
    if engine.is_local and not _has(alone, mark):
        # Arguments of other machines hold, but who chose their nonces?
        remove(folder.unfinished / "arguments")
        remove(folder.stages)
    keep_files(folder.stages, "assets", None, ARGUMENTS)
    (folder.stages / "assets").mkdir(exist_ok=True)
    if engine.is_local:
        with fresh_file(alone) as file:
            file.write(mark)
    job = _job(making, ledger, accounts, key, secret, durable=not engine.is_local)
    if not engine.is_local:
        job.write()
    with nullcontext() if engine.is_local else _checking_others(making, job):
        _split(making, engine, job)
        _Trees(making, engine, job).make()
        trees = [
            Tree(asset, parts.shape, check_root(job, index))
            for index, (asset, parts) in enumerate(
                zip(making.config.assets, job.all_parts, strict=True)
            )
        ]
    sync_tree(folder.unfinished_pages)
    for made, final in ((job.parts, folder.parts), (job.trees, folder.trees)):
        rename_folder(made, final)
    return trees


def _has(path: Path, content: bytes) -> bool:
    """Whether a file of ours stands there, with this in it."""
    try:
        return compare_digest(read_own(path), content)
    except OSError:
        return False


def _job(
    making: Making,
    ledger: Ledger,
    accounts: Accounts,
    key: bytes,
    secret: bytes,
    *,
    durable: bool,
) -> Job:
    def of_asset(asset: AssetConfig) -> JobAsset:
        code = asset.code.encode()
        return JobAsset(
            asset.code,
            asset.split,
            asset_statement(asset),
            derive(key, "shuffle", code),
            derive(key, "identity-padding", code),
        )

    return Job(
        making.folder,
        [of_asset(asset) for asset in making.config.assets],
        making.context,
        derive(key, "entries-secret"),
        secret,
        making.frozen.salt,
        ledger,
        accounts,
        durable,
    )


def _split(making: Making, engine: Engine, job: Job) -> None:
    """Split all balances.

    No leaf is placed before, and the largest package is known to be one that every reader takes.
    """
    splitting, parts = job.splitting, job.parts
    for folder in (splitting.folder, parts):
        folder.mkdir()
    for _ in engine.run("split", partial(split_task, job), range(len(splitting.pieces))):
        pass
    config, previous = making.config, making.frozen.previous_leaves
    before = [previous(asset.code) for asset in config.assets]
    join_splits(parts, splitting, config.assets, config.page_size, before)
    check_packages(len(job.ledger), [(*held, each.shape) for held, each in _held(job)])
    shutil.rmtree(splitting.folder)


def _held(job: Job) -> list[tuple[tuple[U32, U64], Parts]]:
    """Return of each asset its holders, and where in all parts those of each begin; and these."""
    return [
        ((balances.holders, parts.first), parts)
        for balances, parts in zip(job.splitting.balances, job.all_parts, strict=True)
    ]


def _count_blocks(job: Job) -> None:
    """Write how many parts each account has, and the digests of that."""
    held = count_held(len(job.ledger), [held for held, _ in _held(job)])
    write_blocks(job.parts, job.accounts, held)


@contextmanager
def _checking_others(making: Making, job: Job) -> Iterator[None]:
    """Check that what other machines make is of the ledger, and that they change nothing else.

    Raises:
        Damaged: it is not, or makes no sense at all.
    """
    folder = making.folder
    written = _digest_of_secrets(folder)
    try:
        yield
        making.progress.stage("checking what other machines made", len(job.assets))
        for index, balances in enumerate(job.splitting.balances):
            check_made(job.work(index), balances, making.jobs)
            making.progress.advance(1)
        _count_blocks(job)
    except (ArithmeticError, LookupError, ValueError, native.Rejected, Rejected):
        raise Damaged(f"{folder.stages}: {BY_OTHERS}") from None
    if _digest_of_secrets(folder) != written:
        raise Damaged(f"{folder.private}: {BY_OTHERS}")


def _digest_of_secrets(folder: SnapshotFolder) -> bytes:
    """Return a digest of what the command wrote for packages and for other machines."""
    digest = sha256()
    for path in (
        folder.account_keys,
        folder.opening_secret,
        folder.stages / JOB,
        folder.stages / SECRETS,
    ):
        with path.open("rb") as file:
            digest.update(file_digest(file, "sha256").digest())
    return digest.digest()


class _Stopped(Exception):
    """The work beside this has failed, or was interrupted."""


class _Trees:
    """The making of all trees, a few at a time, the smallest first."""

    def __init__(self, making: Making, engine: Engine, job: Job) -> None:
        self._making = making
        self._engine = engine
        self._job = job
        self._shapes = [parts.shape for parts in job.all_parts]
        self._telling = Lock()
        self._stop = Event()

    def make(self) -> None:
        """Make all trees.

        Raises:
            Damaged: private files are not of the pages, or their parts not of the ledger.
        """
        making, shapes = self._making, self._shapes
        codes = [asset.code for asset in making.config.assets]
        shown = listed(codes) if len(codes) <= MOST_LISTED else f"{len(codes):,} assets"
        total = 2 * sum(map(entries_of, shapes))
        making.progress.stage(f"proving {shown}", total)
        order = sorted(range(len(shapes)), key=lambda index: shapes[index].leaves)
        small = [index for index in order if is_small(shapes[index])]
        # What waits for the disk leaves the cores to others.
        with ThreadPoolExecutor(1) as self._beside:
            waiting = [self._beside.submit(_count_blocks, self._job)]
            with closing(self._engine.run("asset", partial(make_small, self._job), small)) as made:
                for index, _ in zip(small, made, strict=True):
                    self._advance(2 * entries_of(shapes[index]))
            waiting += self._make_large(order[len(small) :])
            for done in waiting:
                done.result()

    def _make_large(self, indices: list[int]) -> list[Future[None]]:
        """Make trees; return what has to be waited for yet."""
        with ThreadPoolExecutor(_AT_A_TIME) as threads:
            making = [threads.submit(self._make_one, index) for index in indices]
            try:
                return [flush for done in as_completed(making) for flush in done.result()]
            except BaseException:
                self._stop.set()
                for done in making:
                    done.cancel()
                raise

    def _make_one(self, index: int) -> list[Future[None]]:
        job, engine, files = self._job, self._engine, self._job.work(index).files
        commit_tree(job.work(index), engine, self._advance)
        flushes = [
            self._beside.submit(sync_tree, made) for made in (files.pages, files.leaves, files.sums)
        ]
        check_root(job, index)
        argue_tree(job.work(index), engine, self._advance)
        return flushes

    def _advance(self, done: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        with self._telling:
            self._making.progress.advance(done)
