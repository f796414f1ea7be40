"""The audit of trees: the first fault in order is named, whatever the chunks and threads."""

from __future__ import annotations

import hashlib
import random
import threading
from pathlib import Path

import pytest

from tests.support.verifier_bundle import Bundle
from verifier import Misuse, Rejected, audit
from verifier.checks import tree
from verifier.format.params import TreeShape, level_path

# Two levels and a root: 20 pages of 16 leaves, 2 pages above (16 and 4 children), the root.
CAPACITY = 20
SHAPE = TreeShape(CAPACITY, 16)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return Bundle(
        tmp_path_factory.mktemp("tree") / "bundle", capacities={"BTC": CAPACITY, "ETH": 1}
    )


@pytest.fixture(params=[1, 2, 5])
def jobs(request):
    return request.param


@pytest.fixture(params=[1, 3, 64])
def chunk(request, monkeypatch):
    monkeypatch.setattr(tree, "MAX_CHUNK_PAGES", request.param)
    return request.param


class Change:
    """Changes to page files, undone at the end; `fault` is what the audit then says."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.kept: dict[Path, bytes] = {}

    def write(self, level: int, data: bytes, code: str = "BTC") -> None:
        path = self.bundle.folder / level_path(code, level)
        self.kept.setdefault(path, path.read_bytes())
        path.write_bytes(data)

    def page(self, level: int, index: int) -> bytes:
        start = index * SHAPE.page_bytes(level, 0)
        path = self.bundle.folder / level_path("BTC", level)
        return path.read_bytes()[start : start + SHAPE.page_bytes(level, index)]

    def flip(self, level: int, index: int, at: int, value: int | None = None) -> None:
        path = self.bundle.folder / level_path("BTC", level)
        data = bytearray(path.read_bytes())
        at += index * SHAPE.page_bytes(level, 0)
        data[at] = data[at] ^ 1 if value is None else value
        self.write(level, bytes(data))

    def fault(self, jobs: int = 1) -> str:
        with pytest.raises(Rejected) as raised:
            audit(self.bundle.folder, self.bundle.key, jobs=jobs)
        return f"{raised.value.code} {raised.value.where}"


@pytest.fixture
def change(honest):
    changes = Change(honest)
    yield changes
    for path, data in changes.kept.items():
        path.write_bytes(data)


def test_the_audit_passes_and_counts(honest, jobs, chunk):
    seen = []
    report = audit(
        honest.folder,
        honest.key,
        jobs=jobs,
        progress=lambda done, total: seen.append((done, total)),
    )
    figures = {check.name: dict(check.figures) for check in report.checks}
    assert figures["tree of BTC"] == {"leaves": 320, "pages": 23}
    assert figures["tree of ETH"] == {"leaves": 16, "pages": 1}
    total = 320 + 20 + 2 + 16
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


@pytest.mark.parametrize(
    ("level", "index", "at", "value", "code"),
    [
        (0, 7, 0, None, "page.bad-header"),  # magic
        (0, 7, 5, None, "page.bad-header"),  # version
        (0, 7, 6, None, "page.bad-header"),  # level
        (0, 7, 10, None, "page.bad-header"),  # index
        (0, 7, 14, None, "page.bad-header"),  # count
        (0, 7, 15, 4, "page.bad-point"),
        (0, 7, 15 + 15 * 33, 0, "page.bad-point"),
        (0, 7, 15 + 16 * 33, 4, "argument.bad-point"),
        (1, 1, 15 + 32, 4, "page.bad-point"),
        (1, 1, 14, None, "page.bad-header"),
        (2, 0, 15 + 2 * 65, 0, "argument.bad-point"),
        (0, 19, SHAPE.page_bytes(0, 0) - 1, None, "argument.rejected"),
    ],
)
def test_a_changed_byte_is_named(change, jobs, chunk, level, index, at, value, code):
    change.flip(level, index, at, value)
    where = f"BTC, level {level}, page {index}"
    assert change.fault(jobs) == f"{code} {where}"


def test_a_scalar_of_the_group_order_is_named(change, jobs):
    data = bytearray(change.page(0, 3))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    for at, byte in enumerate(order.to_bytes(32)):
        change.flip(0, 3, len(data) - 32 + at, byte)
    assert change.fault(jobs) == "argument.bad-scalar BTC, level 0, page 3"


def test_of_many_bad_pages_the_first_is_named(change, jobs, chunk):
    for index in (17, 11, 5):
        change.flip(0, index, SHAPE.page_bytes(0, 0) - 1)
    assert change.fault(jobs) == "argument.rejected BTC, level 0, page 5"
    change.flip(1, 0, 0)
    assert change.fault(jobs) == "argument.rejected BTC, level 0, page 5"


def test_a_link_fault_comes_before_a_fault_of_a_later_page(change, honest, tmp_path, jobs, chunk):
    # Another honest tree's level 0: sound pages, but not the children that level 1 names.
    other = Bundle(tmp_path / "other", capacities={"BTC": CAPACITY, "ETH": 1}, seed=1, ledger={
        account: {code: [*parts] for code, parts in balances.items()}
        for account, balances in list(honest.ledger.items())[::-1]
    })  # fmt: skip
    change.write(0, (other.folder / level_path("BTC", 0)).read_bytes())
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 0"
    change.flip(1, 1, 0)
    assert change.fault(jobs) == "page.wrong-child-id BTC, level 1, page 0"
    change.flip(1, 0, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 1, page 0"


def test_swapped_pages_are_named_by_their_index(change, jobs):
    path = change.bundle.folder / level_path("BTC", 0)
    length = SHAPE.page_bytes(0, 0)
    pages = [path.read_bytes()[at : at + length] for at in range(0, 20 * length, length)]
    pages[2], pages[3] = pages[3], pages[2]
    change.write(0, b"".join(pages))
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 2"


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_length_of_a_file_is_computed(change, level, jobs):
    data = (change.bundle.folder / level_path("BTC", level)).read_bytes()
    for changed in (data + b"\0", data[:-1], b"", data * 2, data[: -SHAPE.page_bytes(level, 0)]):
        change.write(level, changed)
        assert change.fault(jobs) == f"page.bad-file-length BTC, level {level}"


def test_a_level_is_checked_before_the_length_of_the_next(change, jobs):
    change.write(1, b"")
    change.flip(0, 19, 0)
    assert change.fault(jobs) == "page.bad-header BTC, level 0, page 19"


def test_the_root_is_the_manifests(tmp_path):
    bundle = Bundle(tmp_path / "bundle")
    ledger = {"dave@example.com": {"BTC": [1], "ETH": [5]}}
    other = Bundle(tmp_path / "other", ledger=ledger)
    path = level_path("ETH", 0)
    (bundle.folder / path).write_bytes((other.folder / path).read_bytes())
    with pytest.raises(Rejected) as raised:
        audit(bundle.folder, bundle.key)
    assert (raised.value.code, raised.value.where) == ("page.wrong-root-id", "ETH, level 0, page 0")


def test_a_page_of_another_snapshot_or_asset_is_rejected(tmp_path):
    bundle = Bundle(tmp_path / "bundle", capacities={"BTC": 1, "ETH": 1})
    path = bundle.folder / level_path("BTC", 0)
    honest = path.read_bytes()
    later = Bundle(
        tmp_path / "later", capacities={"BTC": 1, "ETH": 1}, head={"snapshot_id": "2024-q2"}
    )
    for replay in (bundle.folder / level_path("ETH", 0), later.folder / level_path("BTC", 0)):
        path.write_bytes(replay.read_bytes())
        with pytest.raises(Rejected, match=r"argument\.rejected: BTC, level 0, page 0"):
            audit(bundle.folder, bundle.key)
    path.write_bytes(honest)
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
    page = (honest.folder / level_path("ETH", 0)).read_bytes()
    assert hashlib.sha256(page).digest() == honest.manifest.assets[1].root
