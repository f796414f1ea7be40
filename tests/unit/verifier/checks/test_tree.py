"""The audit of trees: the first fault in order is named, whatever the chunks and threads."""

from __future__ import annotations

import hashlib
import pickle
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.verifier_bundle import Bundle
from verifier import CannotCheck, Misuse, Rejected, audit
from verifier.bundle.source import FolderSource
from verifier.checks import tree
from verifier.format.params import TreeShape, arguments_path, pages_path
from verifier.ordered import Threads

# Two levels and a root: 80 pages of 16 leaves, 2 pages above (64 and 16 children), the root.
CAPACITY = 80
SHAPE = TreeShape(CAPACITY, 16)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return Bundle(
        tmp_path_factory.mktemp("tree") / "bundle", capacities={"BTC": CAPACITY, "ETH": 1}
    )


AWAY = 0  # in place of a number of threads: other machines


@pytest.fixture(params=[1, 2, 5, AWAY])
def jobs(request):
    return request.param


def copied(value: Any) -> Any:
    """What comes of a value on its way from another machine."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (made here)


class Elsewhere:
    """An engine that is not of this process, as far as its tasks can tell; see `Engine`."""

    is_local = False
    jobs = 2

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._threads = Threads(2)

    def close(self) -> None:
        self._threads.close()

    def check_folder(self, folder: Path) -> None:
        """Every task is of this process."""

    def run(self, stage: str, task: Callable[[int], Any], numbers: Iterable[int]) -> Any:
        data = pickle.dumps(task)
        self.sent.append(data)

        def work(number: int) -> Any:
            return copied(pickle.loads(data)(number))  # noqa: S301 (made here)

        return self._threads.run(stage, work, numbers)


def checked(bundle: Bundle, jobs: int, **more: Any) -> Any:
    """Audit a bundle."""
    if jobs != AWAY:
        return audit(bundle.folder, bundle.key, jobs=jobs, **more)
    with closing(Elsewhere()) as engine:
        return audit(bundle.folder, bundle.key, jobs=2, engine=engine, **more)


@pytest.fixture(params=[1, 3, 64])
def chunk(request, monkeypatch):
    each = SHAPE.page_bytes(0, 0) + SHAPE.argument_bytes(0, 0)
    monkeypatch.setattr(tree, "CHUNK_BYTES", request.param * each)
    return request.param


class Change:
    """Changes to files, undone at the end; `fault` is what the audit then says."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.kept: dict[Path, bytes] = {}

    def write(self, path: str, data: bytes) -> None:
        file = self.bundle.folder / path
        self.kept.setdefault(file, file.read_bytes())
        file.write_bytes(data)

    def change(self, path: str, at: int, data: bytes | None = None) -> None:
        """Put bytes in place of others, or flip a bit."""
        changed = bytearray((self.bundle.folder / path).read_bytes())
        data = bytes([changed[at] ^ 1]) if data is None else data
        changed[at : at + len(data)] = data
        self.write(path, bytes(changed))

    def page(self, level: int, index: int, at: int, data: bytes | None = None) -> None:
        length = SHAPE.page_bytes(level, 0)
        self.change(pages_path("BTC", level), index * length + at, data)

    def argument(self, level: int, index: int, at: int, data: bytes | None = None) -> None:
        """Change an argument; at: from its end if negative."""
        at += SHAPE.argument_bytes(level, index) if at < 0 else 0
        length = SHAPE.argument_bytes(level, 0)
        self.change(arguments_path("BTC", level), index * length + at, data)

    def sign(self) -> None:
        """Sign for the arguments as they are."""
        for name in ("arguments.msgpack", "arguments.sig"):
            file = self.bundle.folder / name
            self.kept.setdefault(file, file.read_bytes())
        self.bundle.record()

    def fault(self, jobs: int = 1) -> str:
        with pytest.raises(Rejected) as raised:
            checked(self.bundle, jobs)
        return f"{raised.value.code} {raised.value.where}"


@pytest.fixture
def change(honest):
    changes = Change(honest)
    yield changes
    for path, data in changes.kept.items():
        path.write_bytes(data)


def test_the_audit_passes_and_counts(honest, jobs, chunk):
    seen = []
    report = checked(honest, jobs, progress=lambda done, total: seen.append((done, total)))
    figures = {check.name: dict(check.figures) for check in report.checks}
    assert figures["tree of BTC"] == {"leaves": 1280, "pages": 83}
    assert figures["tree of ETH"] == {"leaves": 16, "pages": 1}
    total = 1280 + 80 + 2 + 16
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_no_thread_is_left(honest):
    before = threading.active_count()
    audit(honest.folder, honest.key, jobs=4)
    assert threading.active_count() == before


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_is_misuse(honest, jobs):
    with pytest.raises(Misuse):
        audit(honest.folder, honest.key, jobs=jobs)


def test_other_machines_need_to_find_the_bundle(honest):
    with (
        closing(Elsewhere()) as engine,
        closing(FolderSource(honest.folder)) as source,
        pytest.raises(Misuse, match="folder or URL"),
    ):
        audit(source, honest.key, engine=engine)


class Doubled(FolderSource):
    """What another machine sees: ``path`` has another byte at ``at``."""

    path, at = "", 0

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        data = bytearray(super().read_range(path, offset, length))
        if path == self.path and offset <= self.at < offset + length:
            data[self.at - offset] ^= 1
        return bytes(data)


@pytest.fixture
def other_copy(monkeypatch):
    """Let other machines see another copy."""
    monkeypatch.setattr(tree, "open_bundle", lambda place: Doubled(Path(place)))
    return lambda path, at: (
        monkeypatch.setattr(Doubled, "path", path),
        monkeypatch.setattr(Doubled, "at", at),
    )


@pytest.mark.parametrize("index", [0, 41, 79])
def test_nobody_is_convicted_of_another_machines_copy(honest, other_copy, chunk, index):
    for path, at in (
        (arguments_path("BTC", 0), SHAPE.argument_bytes(0, 0) * (index + 1) - 1),
        (pages_path("BTC", 0), SHAPE.page_bytes(0, 0) * index),  # a header
        (pages_path("BTC", 0), SHAPE.page_bytes(0, 0) * index + 15 + 32),  # a point
        (pages_path("BTC", 0), SHAPE.page_bytes(0, 0) * index + 15),  # it fits no argument
    ):
        other_copy(path, at)
        with pytest.raises(CannotCheck, match=rf"{path}: changed during the check"):
            checked(honest, AWAY)


def test_another_machine_accepts_what_is_not_here(change, other_copy, chunk):
    """Its copy is sound where this one is not."""
    at = SHAPE.argument_bytes(0, 0) * 8 - 1
    change.argument(0, 7, -1)
    other_copy(arguments_path("BTC", 0), at)
    with pytest.raises(CannotCheck, match="changed during the check"):
        checked(change.bundle, AWAY)


def test_another_machine_has_no_such_folder(honest, monkeypatch):
    monkeypatch.setattr(tree, "open_bundle", lambda place: FolderSource(Path("/nowhere")))
    with pytest.raises(CannotCheck, match="on another machine: /nowhere: No such file"):
        checked(honest, AWAY)


def test_what_is_sent_to_other_machines_is_public(honest):
    with closing(Elsewhere()) as engine:
        audit(honest.folder, honest.key, engine=engine)
    assert len(engine.sent) == 2
    assert all(str(honest.folder).encode() in data and len(data) < 2000 for data in engine.sent)


BAD_POINT = b"\x04"
NODE, C, U = 15, 15 + 32, 15 + 32 + 33  # in a page of 16 leaves


@pytest.mark.parametrize(
    ("level", "index", "at", "data", "code"),
    [
        (0, 7, 0, None, "page.bad-header"),  # magic
        (0, 7, 5, None, "page.bad-header"),  # version
        (0, 7, 6, None, "page.bad-header"),  # level
        (0, 7, 10, None, "page.bad-header"),  # index
        (0, 7, 14, None, "page.bad-header"),  # count
        (0, 7, C, BAD_POINT, "page.bad-point"),
        (0, 7, U, b"\0", "page.bad-point"),
        (0, 79, U, b"\0", "page.bad-point"),
        (1, 1, 15 + 32, BAD_POINT, "page.bad-point"),
        (1, 1, 14, None, "page.bad-header"),
        (2, 0, 15 + 65 + 32, b"\0", "page.bad-point"),
    ],
)
def test_a_changed_byte_of_a_page_is_named(change, jobs, chunk, level, index, at, data, code):
    change.page(level, index, at, data)
    where = f"BTC, level {level}, page {index}"
    assert change.fault(jobs) == f"{code} {where}"


@pytest.mark.parametrize(
    ("level", "index", "at", "data", "code"),
    [
        (0, 7, 0, BAD_POINT, "argument.bad-point"),
        (0, 79, -1, None, "argument.rejected"),
        (0, 3, -32, ORDER.to_bytes(32), "argument.bad-scalar"),
        (1, 1, 0, b"\0", "argument.bad-point"),
        (1, 0, -1, None, "argument.rejected"),
        (2, 0, -32, ORDER.to_bytes(32), "argument.bad-scalar"),
    ],
)
def test_an_argument_convicts_only_whoever_signed_for_it(
    change, jobs, chunk, level, index, at, data, code
):
    change.argument(level, index, at, data)
    assert change.fault(jobs) == f"bundle.wrong-argument arguments/BTC/{level}"
    change.sign()
    assert change.fault(jobs) == f"{code} BTC, level {level}, page {index}"


@pytest.mark.parametrize("at", [NODE, NODE + 31])
def test_a_page_that_was_changed_convicts_nobody_by_its_argument(change, jobs, chunk, at):
    """Its argument is the signed one, and does not fit it any more."""
    change.page(0, 70, at)
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 1"


def test_a_point_of_another_page_convicts_nobody_by_the_argument(change, jobs, chunk):
    data = (change.bundle.folder / pages_path("BTC", 0)).read_bytes()
    change.page(0, 0, C, data[SHAPE.page_bytes(0, 0) :][C : C + 66])
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 0"


def test_of_many_bad_arguments_the_first_is_named(change, jobs, chunk):
    for index in (71, 11, 5):
        change.argument(0, index, -1)
    change.argument(1, 0, -1)
    change.sign()
    assert change.fault(jobs) == "argument.rejected BTC, level 0, page 5"


def test_pages_come_before_arguments(change, jobs, chunk):
    change.argument(0, 5, -1)
    change.sign()
    change.page(0, 60, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 60"
    change.page(0, 60, 0)
    change.page(2, 0, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 2, page 0"


def test_a_file_of_arguments_comes_before_the_pages_of_its_level(change, jobs, chunk):
    change.page(0, 3, 0)
    change.argument(0, 79, -1)
    assert change.fault(jobs) == "bundle.wrong-argument arguments/BTC/0"
    change.argument(0, 79, -1)
    change.argument(1, 0, -1)
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 3"


def test_arguments_are_read_once_to_their_end(change, jobs, chunk, monkeypatch):
    change.page(0, 0, 0)
    reads: list[tuple[int, int]] = []
    honest = FolderSource.read_range

    def noting(self: FolderSource, path: str, offset: int, length: int) -> bytes:
        if path == arguments_path("BTC", 0):
            reads.append((offset, length))
        return honest(self, path, offset, length)

    monkeypatch.setattr(FolderSource, "read_range", noting)
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 0"
    # Other machines read what they check as well.
    reads = sorted(set(reads)) if jobs == AWAY else sorted(reads)
    ends = [offset + length for offset, length in reads]
    assert [offset for offset, _ in reads] == [0, *ends[:-1]]
    assert ends[-1] == SHAPE.arguments_file_bytes(0)


def test_a_link_fault_comes_before_a_fault_of_a_later_page(change, honest, tmp_path, jobs, chunk):
    # Another honest tree's level 0: sound pages, but not the children that level 1 names.
    other = Bundle(tmp_path / "other", capacities={"BTC": CAPACITY, "ETH": 1}, seed=1, ledger={
        account: {code: [*parts] for code, parts in balances.items()}
        for account, balances in list(honest.ledger.items())[::-1]
    })  # fmt: skip
    for path in (pages_path("BTC", 0), arguments_path("BTC", 0)):
        change.write(path, (other.folder / path).read_bytes())
    change.sign()
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 0"
    change.page(1, 1, 0)
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 0"
    change.page(1, 0, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 1, page 0"


def test_another_sum_of_a_child_is_named(change, jobs, chunk):
    """Its id is right: of two siblings the sums are exchanged."""
    data = (change.bundle.folder / pages_path("BTC", 1)).read_bytes()
    first, second = (data[15 + 65 * at + 32 : 15 + 65 * (at + 1)] for at in (8, 9))
    change.page(1, 0, 15 + 65 * 8 + 32, second)
    change.page(1, 0, 15 + 65 * 9 + 32, first)
    assert change.fault(jobs) == "page.wrong-child-sum BTC, level 1, page 0"


def test_swapped_pages_are_named_by_their_index(change, jobs):
    length = SHAPE.page_bytes(0, 0)
    data = (change.bundle.folder / pages_path("BTC", 0)).read_bytes()
    pages = [data[at : at + length] for at in range(0, CAPACITY * length, length)]
    pages[2], pages[3] = pages[3], pages[2]
    change.write(pages_path("BTC", 0), b"".join(pages))
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 2"


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_length_of_a_file_is_computed(change, level, jobs):
    for path, length, fault in (
        (
            pages_path("BTC", level),
            SHAPE.page_bytes(level, 0),
            f"page.bad-file-length BTC, level {level}",
        ),
        (
            arguments_path("BTC", level),
            SHAPE.argument_bytes(level, 0),
            f"bundle.wrong-argument arguments/BTC/{level}",
        ),
    ):
        data = (change.bundle.folder / path).read_bytes()
        for changed in (data + b"\0", data[:-1], b"", data * 2, data[:-length]):
            change.write(path, changed)
            assert change.fault(jobs) == fault
        change.write(path, data)


def test_a_level_is_checked_before_the_length_of_the_next(change, jobs):
    change.write(pages_path("BTC", 1), b"")
    change.page(0, 79, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 79"


def test_the_root_is_the_manifests(tmp_path):
    bundle = Bundle(tmp_path / "bundle")
    ledger = {"dave@example.com": {"BTC": [1], "ETH": [5]}}
    other = Bundle(tmp_path / "other", ledger=ledger)
    for path in (pages_path("ETH", 0), arguments_path("ETH", 0)):
        (bundle.folder / path).write_bytes((other.folder / path).read_bytes())
    bundle.record()
    with pytest.raises(Rejected) as raised:
        audit(bundle.folder, bundle.key)
    assert (raised.value.code, raised.value.where) == ("page.wrong-root-id", "ETH, level 0, page 0")


def test_an_argument_of_another_snapshot_or_asset_is_rejected(tmp_path):
    capacities = {"BTC": 1, "ETH": 1}
    bundle = Bundle(tmp_path / "bundle", capacities=capacities)
    path = bundle.folder / arguments_path("BTC", 0)
    honest = path.read_bytes()
    later = Bundle(tmp_path / "later", capacities=capacities, head={"snapshot_id": "2024-q2"})
    for replay in (
        bundle.folder / arguments_path("ETH", 0),
        later.folder / arguments_path("BTC", 0),
    ):
        path.write_bytes(replay.read_bytes())
        bundle.record()
        with pytest.raises(Rejected, match=r"argument\.rejected: BTC, level 0, page 0"):
            audit(bundle.folder, bundle.key)
    path.write_bytes(honest)
    bundle.record()
    audit(bundle.folder, bundle.key)


def test_a_random_byte_changed_is_never_accepted(change):
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    files = {
        path: path.read_bytes()
        for path in sorted(change.bundle.folder.rglob("*"))
        if path.is_file()
    }
    for _ in range(40):
        path = rng.choice(list(files))
        data = bytearray(files[path])
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        change.kept.setdefault(path, files[path])
        path.write_bytes(data)
        print(f"seed {seed}: a byte of {path.name} changed")
        with pytest.raises(Rejected):
            audit(change.bundle.folder, change.bundle.key)
        path.write_bytes(files[path])


def test_page_ids_are_plain_sha256(honest):
    page = (honest.folder / pages_path("ETH", 0)).read_bytes()
    assert hashlib.sha256(page).digest() == honest.manifest.assets[1].root
