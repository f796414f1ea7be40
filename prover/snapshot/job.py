"""What tasks on the assets of a snapshot need, and the folder that they leave their results in.

The folder, ``private/stages``, has in it:

- ``split``: what balances are split into, piece by piece; ``parts`` and ``trees``, which get their
  final names once all is proved; ``assets/CODE``: the results of `prover.liabilities.stages`;
- where other machines are at work: ``job``, and ``secrets``, what the leaves and pages are made
  with. The snapshot key is not among them;
- where none has been at work: ``alone``, a MAC under the snapshot key.

A run begins with none of it but arguments, which are checked before they are used: whatever else
stood there might be damaged, and would be signed. Where other machines are at work every file is
flushed before it has its name, since they read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Final

import msgpack

import native
from prover.config.snapshot_toml import SplitPolicy
from prover.errors import Damaged
from prover.files.columns import map_rows
from prover.files.storage import fresh_file
from prover.ledger.ledger import Ledger
from prover.ledger.saved import load_ledger
from prover.liabilities.leaves import Accounts, Leaves
from prover.liabilities.parts import POSITIONS, Parts, Splitting, load_parts, split_piece
from prover.liabilities.stages import Secrets, Work, argue_tree, commit_tree
from prover.liabilities.tree import Root, read_root
from prover.snapshot.folder import SnapshotFolder
from verifier.ordered import Alone

# In the folder of stages, for other machines; and where no other has been at work.
JOB: Final = "job"
SECRETS: Final = "secrets"
ALONE: Final = "alone"


@dataclass(frozen=True)
class JobAsset:
    """An asset as its tasks need it: ``statement`` is what a transcript says of it."""

    code: str
    policy: SplitPolicy
    statement: bytes
    shuffle: bytes
    padding: bytes


@dataclass(frozen=True)
class Job:
    """What all tasks on a snapshot need; what is sent of it is the path of its folder.

    context has 32 bytes; entries and argument are secrets, and salt is the snapshot's.
    """

    folder: SnapshotFolder
    assets: Sequence[JobAsset]
    context: bytes
    entries: bytes = field(repr=False)
    argument: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    ledger: Ledger
    accounts: Accounts
    durable: bool
    _works: dict[int, Work] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Return how to make the same elsewhere, of the files that `write` wrote."""
        return load_job, (str(self.folder.path.resolve()),)

    @cached_property
    def splitting(self) -> Splitting:
        """What is needed to split balances."""
        return Splitting(
            [asset.code for asset in self.assets],
            [asset.policy for asset in self.assets],
            [self.ledger.balances[asset.code] for asset in self.assets],
            self.accounts.keys,
            self.folder.stages / "split",
            self.durable,
        )

    @property
    def parts(self) -> Path:
        """The parts of all balances, while trees are made."""
        return self.folder.stages / "parts"

    @property
    def trees(self) -> Path:
        """The private side of all pages, while trees are made."""
        return self.folder.stages / "trees"

    @cached_property
    def all_parts(self) -> list[Parts]:
        """The parts of all assets, once their balances are split."""
        return list(load_parts(self.parts))

    def asset_folder(self, index: int) -> Path:
        """Return where the results of the stages of an asset are."""
        return self.folder.stages / "assets" / self.assets[index].code

    def work(self, index: int) -> Work:
        """Return what tasks on an asset need, once its balances are split."""
        if index not in self._works:
            asset, parts = self.assets[index], self.all_parts[index]
            shape, holders = parts.shape, self.ledger.balances[asset.code].holders
            self._works[index] = Work(
                native.Tree(self.context, asset.statement, shape.capacity, shape.page_size),
                Leaves(self.accounts, holders, parts, asset.code, self.context),
                Secrets(asset.shuffle, asset.padding, self.entries, self.argument, self.salt),
                self.folder.tree(asset.code, self.folder.unfinished, self.trees),
                self.parts / POSITIONS,
                self.asset_folder(index),
                self.durable,
                partial(_work_of, self, index),
            )
        return self._works[index]

    def write(self) -> None:
        """Write what other machines need to make the same job."""
        job = {
            "assets": [
                [asset.code, asset.policy.least, asset.policy.most, asset.statement]
                for asset in self.assets
            ],
            "context": self.context,
            "durable": self.durable,
        }
        kept = {
            "argument": self.argument,
            "assets": [[asset.shuffle, asset.padding] for asset in self.assets],
            "entries": self.entries,
            "salt": self.salt,
        }
        for name, content in ((SECRETS, kept), (JOB, job)):
            with fresh_file(self.folder.stages / name) as file:
                file.write(msgpack.packb(content))


def _work_of(job: Job, index: int) -> Work:
    return job.work(index)


def split_task(job: Job, number: int) -> None:
    """Split the balances of some holders of an asset; see `split_piece`."""
    split_piece(job.splitting, number)


def check_root(job: Job, index: int) -> Root:
    """Return the root of an asset's tree, whose pages are made.

    Raises:
        Damaged: the parts of the asset do not add up to what the ledger owes.
    """
    work, code = job.work(index), job.assets[index].code
    root = read_root(work.tree, work.files)
    if root.value != job.ledger.totals[code]:
        raise Damaged(f"{job.parts}: damaged: the parts of {code} do not add up to the ledger")
    return root


def make_small(job: Job, index: int) -> None:
    """Make and prove the pages of an asset as one task.

    Raises:
        ProverError: see `commit_tree` and `argue_tree`.
        Damaged: its parts do not add up to what the ledger owes.
    """
    commit_tree(job.work(index), Alone(), lambda _: None)
    check_root(job, index)
    argue_tree(job.work(index), Alone(), lambda _: None)


def load_job(path: str) -> Job:
    """Return the job whose files are in the private folder of a snapshot at ``path``."""
    stat = (SnapshotFolder(Path(path)).stages / JOB).stat()
    return _load_job(path, (stat.st_ino, stat.st_mtime_ns))


@lru_cache(1)
def _load_job(path: str, version: tuple[int, int]) -> Job:
    """Load a job; ``version`` tells it from others that were at the same path."""
    del version
    folder = SnapshotFolder(Path(path))
    job = msgpack.unpackb((folder.stages / JOB).read_bytes())
    kept = msgpack.unpackb((folder.stages / SECRETS).read_bytes())
    ledger = load_ledger(folder.ledger)
    keys = map_rows(folder.account_keys, len(ledger))
    return Job(
        folder,
        [
            JobAsset(code, SplitPolicy(least, most), statement, *own)
            for (code, least, most, statement), own in zip(
                job["assets"], kept["assets"], strict=True
            )
        ],
        job["context"],
        kept["entries"],
        kept["argument"],
        kept["salt"],
        ledger,
        Accounts(ledger.ids, ledger.offsets, keys),
        job["durable"],
    )
