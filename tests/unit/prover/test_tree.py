"""Trees in their files: the same bytes however the work is cut, what is believed of an interrupted
run, and what is found of files that are not of each other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import native
from prover.config.snapshot_toml import AssetConfig, SplitPolicy
from prover.errors import Damaged
from prover.ledger.ledger import Balances
from prover.liabilities import plan
from prover.liabilities.check import check_tree
from prover.liabilities.leaves import Accounts, Leaves, write_account_keys
from prover.liabilities.parts import load_parts
from prover.liabilities.stages import Secrets, Work, argue_tree, commit_tree
from prover.liabilities.tree import Root, TreeFiles, entries_of, read_root
from tests.support.asset_work import asset_work, split_all
from tests.support.exchange_files import files
from verifier.format.params import PAGE_HEADER_BYTES, TreeShape
from verifier.format.statement import tree_of
from verifier.format.wire import Ratio
from verifier.ordered import engine_of

KEY, CONTEXT = b"\x01" * 32, b"\x02" * 32
SECRETS = Secrets(*(bytes([n]) * 32 for n in range(3, 8)))
ASSET = AssetConfig("BTC", 8, Ratio(1, 1), 80 * 16, SplitPolicy(1, 3), ())
SHAPE = TreeShape(80, 16)


@dataclass(frozen=True)
class Made:
    """A tree of 80, 2 and 1 pages in a folder, whose files are those of ``files``."""

    folder: Path
    parts: Path
    leaves: Leaves
    total: int

    @property
    def tree(self) -> native.Tree:
        return tree_of(CONTEXT, ASSET, SHAPE)

    @property
    def work(self) -> Work:
        stages = self.folder.with_name(f"{self.folder.name}.stages")
        return asset_work(self.parts, ASSET, self.leaves, SECRETS, self.files, stages)

    @property
    def files(self) -> TreeFiles:
        return TreeFiles(*(self.folder / name for name in ("pages", "arguments", "leaves", "sums")))

    def copied(self, folder: Path) -> Made:
        shutil.copytree(self.folder, folder)
        return Made(folder, self.parts, self.leaves, self.total)

    def commit(self, jobs: int = 1) -> None:
        with engine_of(None, jobs) as engine:
            commit_tree(self.work, engine, lambda _: None)

    def argue(self, jobs: int = 1) -> int:
        """Argue; return how many entries that was told to be."""
        told: list[int] = []
        with engine_of(None, jobs) as engine:
            argue_tree(self.work, engine, told.append)
        return sum(told)

    def check(self, jobs: int = 1) -> Root:
        return check_tree(self.tree, self.leaves, self.files, jobs, lambda _: None)


@pytest.fixture(scope="module")
def unmade(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("tree")
    ids = [f"customer{at:03}".encode() for at in range(300)]
    offsets = np.cumsum([0, *map(len, ids)]).astype(np.uint64)
    text = np.frombuffer(b"".join(ids), np.uint8)
    with (folder / "keys").open("wb") as file:
        write_account_keys(file, KEY, text, offsets, 1)
    keys = np.fromfile(folder / "keys", np.uint8).reshape(-1, 32)
    units = np.arange(1, 301, dtype=np.uint64) * np.uint64(10**9 + 7)
    balances = Balances(np.arange(300, dtype=np.uint32), units)
    [parts] = split_all(folder / "parts", [ASSET], keys, [balances], 16)
    assert parts.shape == SHAPE
    leaves = Leaves(Accounts(text, offsets, keys), balances.holders, parts, "BTC", CONTEXT)
    return Made(folder / "made", folder / "parts", leaves, int(units.sum()))


@pytest.fixture(scope="module")
def made(unmade: Made) -> Made:
    unmade.commit()
    [parts] = load_parts(unmade.parts)
    made = replace(unmade, leaves=replace(unmade.leaves, parts=parts))
    assert made.argue() == entries_of(SHAPE)
    return made


def test_a_verifier_takes_every_page_and_every_link(made: Made) -> None:
    links = b""
    for level in range(3):
        pages = (made.files.pages / str(level)).read_bytes()
        arguments = (made.files.arguments / str(level)).read_bytes()
        assert len(pages) == SHAPE.pages_file_bytes(level)
        assert len(arguments) == SHAPE.arguments_file_bytes(level)
        ids, sums = native.pages_check(made.tree, level, 0, pages, arguments)
        if level > 0:
            size = SHAPE.page_bytes(level, 0)
            entries = [
                pages[at + PAGE_HEADER_BYTES : at + size] for at in range(0, len(pages), size)
            ]
            assert b"".join(entries) == links
        links = b"".join(
            ids[32 * at : 32 * (at + 1)] + sums[33 * at : 33 * (at + 1)]
            for at in range(SHAPE.pages(level))
        )
    root = read_root(made.tree, made.files)
    assert root.id + root.sum == links
    assert root.value == made.total
    assert native.commit(np.array([root.value], np.uint64).data, root.blinding) == root.sum


@pytest.mark.parametrize(
    ("jobs", "chunk", "fewest", "most"),
    [(2, 1 << 15, 15, 20), (1, 16, 4, 4), (3, 80, 4, 20), (2, 100, 7, 9)],
)
def test_the_bytes_do_not_show_how_the_work_was_cut(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    chunk: int,
    fewest: int,
    most: int,
) -> None:
    monkeypatch.setattr(plan, "CHUNK_ENTRIES", chunk)
    monkeypatch.setattr(plan, "FEWEST", fewest)
    monkeypatch.setattr(plan, "MOST", most)
    again = Made(tmp_path / "again", made.parts, made.leaves, made.total)
    again.commit(jobs)
    assert again.argue(jobs) == entries_of(SHAPE)
    assert files(again.folder) == files(made.folder)
    assert again.check(jobs) == read_root(made.tree, made.files)


def torn(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\0" * 50)


def short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 7)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"left over")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [torn, short, longer, emptied, gone])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_an_interrupted_run_left_of_arguments_is_gone_on_with(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    level: int,
) -> None:
    monkeypatch.setattr(plan, "FEWEST", 4)
    monkeypatch.setattr(plan, "MOST", 4)
    monkeypatch.setattr(plan, "CHUNK_ENTRIES", 80)
    monkeypatch.setattr(plan, "ARGUED_CHUNKS", 1)
    argued: list[tuple[int, int]] = []
    argue = native.pages_argue

    def spied(tree: native.Tree, level: int, first: int, *rest: object) -> bytes:
        argued.append((level, first))
        return argue(tree, level, first, *rest)  # type: ignore[arg-type]

    again = made.copied(tmp_path / "again")
    damage(again.files.arguments / str(level))
    monkeypatch.setattr(native, "pages_argue", spied)
    assert again.argue(2) == entries_of(SHAPE)
    assert files(again.folder) == files(made.folder)
    # What is true is not made again.
    pages = {0: 5, 1: 1, 2: 1}[level]
    half = SHAPE.arguments_file_bytes(level) // 2 // SHAPE.argument_bytes(level, 0)
    begun: dict[Callable[[Path], None], range] = {
        torn: range(half - half % pages, half + 1, pages),
        short: range(half - half % pages, SHAPE.pages(level), pages),
        longer: range(0),
    }
    again_from = begun.get(damage, range(0, SHAPE.pages(level), pages))
    assert sorted(argued) == [(level, first) for first in again_from]


def change(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


# A file, a place in it, level and number of the first page that this concerns.
DAMAGES = [
    ("leaves/amounts", 8 * (16 * 40 + 3), 0, 40),
    ("leaves/blindings", 32 * 79 + 31, 0, 79),
    ("pages/0", 113 * 33 + 60, 0, 33),
    ("pages/0", 113 * 33, 0, 33),
    ("sums/0", 40 * 7 + 20, 0, 7),
    ("sums/0", 40 * 7, 0, 7),
    ("pages/1", 15 + 65 * 64 + 15 + 40, 1, 1),
    ("sums/1", 40, 1, 1),
    ("pages/2", 20, 2, 0),
    ("sums/2", 35, 2, 0),
]


@pytest.mark.parametrize(
    ("name", "at", "level", "page"), [*DAMAGES, ("leaves/identities", 32 * 99, 0, 6)]
)
def test_the_first_page_that_differs_is_named(
    made: Made, tmp_path: Path, name: str, at: int, level: int, page: int
) -> None:
    other = made.copied(tmp_path / "other")
    change(other.folder / name, at)
    with pytest.raises(Damaged, match=f"^BTC, level {level}, page {page}: "):
        other.check(2)


def test_a_part_that_stands_elsewhere_is_found(made: Made) -> None:
    parts = made.leaves.parts
    positions = parts.positions.copy()
    positions[[5, 6]] = positions[[6, 5]]
    moved = replace(parts, positions=positions)
    accounts, holders = made.leaves.accounts, made.leaves.holders
    leaves = Leaves(accounts, holders, moved, "BTC", CONTEXT)
    first = int(min(positions[[5, 6]])) // 16
    with pytest.raises(Damaged, match=f"^BTC, level 0, page {first}: "):
        check_tree(made.tree, leaves, made.files, 1, lambda _: None)


@pytest.mark.parametrize(
    ("name", "at"), [(name, at) for name, at, *_ in DAMAGES if name not in ("sums/2", "pages/2")]
)
def test_no_argument_is_written_over_files_that_are_not_of_each_other(
    made: Made, tmp_path: Path, name: str, at: int
) -> None:
    other = made.copied(tmp_path / "other")
    shutil.rmtree(other.files.arguments)
    change(other.folder / name, at)
    with pytest.raises(Damaged, match="damaged, or not of the pages"):
        other.argue()


@pytest.mark.parametrize(
    "name",
    ["leaves/amounts", "leaves/identities", "leaves/blindings", "pages/0", "sums/0", "sums/1"],
)
@pytest.mark.parametrize("extra", [3, 40])
def test_files_of_another_length_are_damaged(
    made: Made, tmp_path: Path, name: str, extra: int
) -> None:
    other = made.copied(tmp_path / "other")
    with (other.folder / name).open("ab") as file:
        file.write(bytes(extra))
    shutil.rmtree(other.files.arguments)
    for act in (other.argue, other.check):
        with pytest.raises(Damaged, match=name.split("/")[0]):
            act()


@pytest.mark.parametrize(("name", "level"), [("leaves/blindings", 0), ("sums/0", 0), ("sums/1", 1)])
def test_a_blinding_factor_that_is_no_scalar_is_damage(
    made: Made, tmp_path: Path, name: str, level: int
) -> None:
    other = made.copied(tmp_path / "other")
    shutil.rmtree(other.files.arguments)
    with (other.folder / name).open("r+b") as file:
        file.seek(8 if "sums" in name else 0)
        file.write(b"\xff" * 32)
    with pytest.raises(Damaged, match=f"^BTC, level {level}, page 0: "):
        other.check()
    with pytest.raises(Damaged, match="damaged, or not of the pages"):
        other.argue()
