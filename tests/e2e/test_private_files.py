"""Private files that are damaged, or of another run, make no package that misstates an account."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import TypeVar

import numpy as np
import pytest

from prover.errors import Damaged, ProverError
from prover.liabilities import blocks
from prover.snapshot.check import check_snapshot
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import NoSuchAccount, Packager
from tests.support.exchange_files import Assay, balances, files, sample

RUNS = ("one", "two", "three")
DAMAGES = 150

# What is found in a snapshot's folder; runs are mixed by these.
PIECES = (
    "public",
    "private/keys",
    "private/ledger",
    "private/opening-secret",
    "private/parts",
    "private/seal",
    "private/snapshot.msgpack",
    "private/trees",
)

Packages = dict[str, bytes]
Result = TypeVar("Result")


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    """Let the accounts of these tests fill several blocks, the last of them not whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 16)
        yield


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, _small_blocks: None) -> Path:
    """Return the folder of an exchange with three runs of one snapshot.

    Some accounts hold nothing. ``two`` is over the ledger of ``one``; in that of ``three`` one
    account has lost all that it held, and another is new.
    """
    folder = tmp_path_factory.mktemp("private")
    config, ledger = sample(folder), folder / "ledger.csv"
    lose_everything(ledger, accounts(ledger)[20:23])
    for run in RUNS:
        if run == "three":
            lose_everything(ledger, [loser(folder)])
            with ledger.open("a") as file:
                file.write("new@example.com,ETH,0\n")
        make_snapshot(config, folder / run)
        (folder / "keys" / "signing.pem.log").unlink()
    return folder


def accounts(ledger: Path) -> list[str]:
    return sorted(balances(ledger))


def loser(exchange: Path) -> str:
    """Return the account that holds nothing in the third run."""
    return accounts(exchange / "ledger.csv")[4]


def lose_everything(ledger: Path, losers: list[str]) -> None:
    rows = [row.split(",") for row in ledger.read_text().splitlines()]
    ledger.write_text(
        "".join(
            f"{account},{asset},{0 if account in losers else balance}\n"
            for account, asset, balance in rows
        )
    )


@pytest.fixture(scope="module")
def good(exchange: Path) -> dict[str, Packages]:
    """Return the packages of each run, by account."""
    return {run: packages_of(exchange / run) for run in RUNS}


def packages_of(snapshot: Path) -> Packages:
    packager = Packager(snapshot)
    packages = packager.packages(0, len(packager))
    return {packager.account(at): package for at, package in enumerate(packages)}


def tried(act: Callable[[], Result]) -> Result | None:
    """Return a result, None where files are said to be damaged or cannot be read."""
    try:
        return act()
    except NoSuchAccount:
        raise
    except (ProverError, OSError):
        return None


def makes_all(snapshot: Path, good: Packages, some: list[str]) -> bool:
    """Return whether all packages are made, having seen that what is made is good: each at once,
    and those of some accounts alone.
    """
    packager = tried(lambda: Packager(snapshot))
    if packager is None:
        return False
    for account in some:
        made = tried(lambda account=account: packager.package(packager.index_of(account)))  # type: ignore[misc]
        assert made in (None, good[account]), account
    together = tried(lambda: packager.packages(0, len(packager)))
    assert together in (None, list(good.values()))
    return together is not None


def is_checked(snapshot: Path) -> bool:
    return tried(lambda: check_snapshot(snapshot)) is not None


def copy_of(piece: Path, place: Path) -> None:
    if piece.is_dir():
        shutil.copytree(piece, place, copy_function=os.link)
    else:
        os.link(piece, place)


@pytest.mark.parametrize("other", ["two", "three"])
def test_runs_do_not_mix(
    exchange: Path, good: dict[str, Packages], tmp_path: Path, other: str
) -> None:
    """But for ledgers that are the same."""
    snapshot = tmp_path / "mixed"
    for mix in product(("one", other), repeat=len(PIECES)):
        (snapshot / "private").mkdir(parents=True)
        for run, piece in zip(mix, PIECES, strict=True):
            copy_of(exchange / run / piece, snapshot / piece)
        of_one = good[mix[0]]
        made = makes_all(snapshot, of_one, [loser(exchange), *list(of_one)[20:24]])
        same = {
            run
            for run, piece in zip(mix, PIECES, strict=True)
            if other == "three" or piece != "private/ledger"
        }
        assert made == (len(same) == 1), mix
        assert is_checked(snapshot) == made, mix
        shutil.rmtree(snapshot)


def test_an_account_is_not_said_to_hold_nothing_by_another_runs_ledger(
    exchange: Path, tmp_path: Path, assay: Assay
) -> None:
    snapshot = tmp_path / "mixed"
    shutil.copytree(exchange / "three", snapshot)
    shutil.rmtree(snapshot / "public")
    shutil.copytree(exchange / "one" / "public", snapshot / "public")
    code, _, err = assay("package", snapshot, loser(exchange), "--out", tmp_path / "p")
    assert (code, "seal: of another run" in err) == (1, True)
    assert not (tmp_path / "p").exists()


def test_record_and_secret_of_another_run_are_refused(exchange: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "one"
    shutil.copytree(exchange / "one", snapshot)
    for name in ("snapshot.msgpack", "opening-secret"):
        shutil.copy(exchange / "two" / "private" / name, snapshot / "private" / name)
    for act in (Packager, check_snapshot):
        with pytest.raises(Damaged, match="opening-secret: damaged, or of another run"):
            act(snapshot)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("keys", "parts/held, or keys, ids or their offsets"),
        ("ledger/balances.bin", "ledger: damaged"),
        ("ledger/holders.bin", "ledger: damaged"),
        ("ledger/ids.bin", "parts/held, or keys, ids or their offsets"),
        ("ledger/ids.off", "parts/held, or keys, ids or their offsets"),
        ("ledger/ledger.json", "ledger/ledger.json: damaged"),
        ("opening-secret", "opening-secret: damaged"),
        ("parts/amounts", "parts: damaged"),
        ("parts/blocks", "parts/blocks: damaged"),
        ("parts/first", "parts: damaged"),
        ("parts/held", "parts/held, or keys, ids or their offsets"),
        ("parts/positions", "another page than its private files make|outside of the tree"),
        ("parts/sizes", "parts/sizes: damaged"),
        ("seal", "seal: damaged"),
        ("snapshot.msgpack", "snapshot.msgpack: damaged"),
        ("trees/leaves/ETH/amounts", "another page than its private files make"),
        ("trees/leaves/ETH/blindings", "another page than its private files make"),
        ("trees/leaves/ETH/identities", "another page than its private files make"),
        ("trees/sums/ETH/0", "another page than its private files make"),
    ],
)
def test_a_check_tells_what_has_changed(
    exchange: Path, tmp_path: Path, name: str, told: str
) -> None:
    shutil.copytree(exchange / "one", tmp_path / "one")
    path = tmp_path / "one" / "private" / name
    before = path.read_bytes()
    # Of positions the last are those of padding, which nothing is made of any more.
    length = len(before) if name != "parts/positions" else 64
    for at in (0, 7, length // 2, length - 1):
        change(path, at)
        with pytest.raises(Damaged, match=told):
            check_snapshot(tmp_path / "one")
        path.write_bytes(before)


def change(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_an_account_is_not_said_to_be_unknown_by_damaged_ids(
    exchange: Path, good: dict[str, Packages], tmp_path: Path
) -> None:
    """With the id that is read first made the least of all, a search looks on the wrong side."""
    shutil.copytree(exchange / "one", tmp_path / "one")
    ledger = tmp_path / "one" / "private" / "ledger"
    offsets = np.fromfile(ledger / "ids.off", np.uint64)
    data = bytearray((ledger / "ids.bin").read_bytes())
    data[int(offsets[len(offsets) // 2])] = 0
    (ledger / "ids.bin").write_bytes(data)
    packager = Packager(tmp_path / "one")
    for account in list(good["one"])[: len(offsets) // 2]:
        with pytest.raises(Damaged):
            packager.index_of(account)


def test_a_seal_that_an_interrupted_run_left_is_replaced(exchange: Path, tmp_path: Path) -> None:
    shutil.copytree(exchange, tmp_path / "exchange")
    snapshot, config = tmp_path / "exchange" / "three", tmp_path / "exchange" / "snapshot.toml"
    before = files(snapshot)
    shutil.rmtree(snapshot / "public")
    (snapshot / "private" / "seal").write_bytes(b"torn")
    make_snapshot(config, snapshot)
    assert files(snapshot) == before


def test_damages_make_no_package_that_misstates_an_account(
    exchange: Path, good: dict[str, Packages], tmp_path: Path
) -> None:
    random, snapshot = Random(1), tmp_path / "one"
    shutil.copytree(exchange / "one", snapshot)
    private = snapshot / "private"
    names = sorted(path.relative_to(private) for path in private.rglob("*") if path.is_file())
    for _ in range(DAMAGES):
        name, some = random.choice(names), random.sample(sorted(good["one"]), 3)
        path, before = private / name, (private / name).read_bytes()
        damage = random.choice(DAMAGED)
        path.write_bytes(
            damage(random, before, exchange / random.choice(RUNS[1:]) / "private" / name)
        )
        made = makes_all(snapshot, good["one"], some)
        assert made or not is_checked(snapshot), (name, damage)
        path.write_bytes(before)


def flipped(random: Random, data: bytes, _: Path) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def overwritten(random: Random, data: bytes, _: Path) -> bytes:
    at, length = random.randrange(len(data) + 1), random.choice((1, 8, 32, 512))
    return (data[:at] + random.choice((b"\0", b"\xff")) * length)[: len(data)] + data[at + length :]


def exchanged(random: Random, data: bytes, _: Path) -> bytes:
    """Let two rows change places."""
    size = random.choice((2, 4, 8, 32))
    rows = [data[at : at + size] for at in range(0, len(data), size)]
    if rows:
        one, two = random.randrange(len(rows)), random.randrange(len(rows))
        rows[one], rows[two] = rows[two], rows[one]
    return b"".join(rows)


def cut(random: Random, data: bytes, _: Path) -> bytes:
    return data[: max(0, len(data) - random.choice((1, 8, 32, len(data))))]


def extended(random: Random, data: bytes, _: Path) -> bytes:
    return data + bytes(random.choice((1, 8, 32)))


def of_another_run(_: Random, __: bytes, other: Path) -> bytes:
    return other.read_bytes()


DAMAGED = (flipped, flipped, overwritten, exchanged, cut, extended, of_another_run)
