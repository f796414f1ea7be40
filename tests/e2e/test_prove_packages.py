"""Inclusion packages: one by index, all in a file, and files that are not of each other."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

import native
import verifier
from prover.errors import Damaged, ProverError
from prover.ledger.saved import load_ledger
from prover.liabilities.parts import load_parts
from prover.sample.sample import make_sample
from prover.snapshot import all_packages
from prover.snapshot.all_packages import write_packages
from prover.snapshot.check import check_snapshot
from prover.snapshot.make import make_snapshot
from prover.snapshot.package_file import package_file
from prover.snapshot.packages import Packager
from tests.support.exchange_files import Assay, balances, files, public_key, sample
from verifier.format.wire import Manifest, Package, PackageBody, read_record

KINDS = ("parquet", "sqlite")


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an exchange with a finished snapshot in ``one``."""
    folder = tmp_path_factory.mktemp("packages")
    config = sample(folder, accounts=300)
    make_snapshot(config, folder / "one")
    return folder


def read_packages(file: Path) -> list[tuple[str, bytes]]:
    """Return the rows of a file of packages, as any reader of such files has them."""
    if file.suffix == ".parquet":
        table = parquet.read_table(file)
        assert table.column_names == ["account", "package"]
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    with sqlite3.connect(file) as connection:
        return connection.execute("SELECT account, package FROM packages").fetchall()


@pytest.mark.parametrize("kind", KINDS)
def test_all_packages_are_those_made_one_by_one(
    snapshot: Path, tmp_path: Path, assay: Assay, kind: str
) -> None:
    out = tmp_path / f"all.{kind}"
    code, said, err = assay("packages", snapshot / "one", "--out", out, "--jobs", 2)
    assert (code, err) == (0, "")
    assert said.startswith(f"300 packages, each beside its account, in {out}")
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    holdings = balances(snapshot / "ledger.csv")
    packager = Packager(snapshot / "one")
    rows = read_packages(out)
    assert [account for account, _ in rows] == sorted(holdings)
    for account, package in rows:
        assert packager.package(packager.index_of(account)) == package
        body = read_record(PackageBody, read_record(Package, package).body)
        assert body.account_id == account
        if account in list(holdings)[::30]:
            verifier.check_inclusion(
                package,
                snapshot / "one" / "public",
                public_key(snapshot / "snapshot.toml"),
                account,
                holdings[account],
            )
    # Of this snapshot it is there already; nothing is made again.
    before = files(tmp_path)
    code, said, _ = assay("packages", snapshot / "one", "--out", out)
    assert (code, f"nothing is made: {out} says that it has" in said) == (0, True)
    assert "300 rows, one an account; what is in them was not read" in said
    assert files(tmp_path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_run_is_gone_on_with(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(all_packages, "BATCH", 20)
    monkeypatch.setattr(all_packages, "APPENDED_BYTES", 1)
    whole, out = tmp_path / f"whole.{kind}", tmp_path / f"all.{kind}"
    assert write_packages(snapshot / "one", whole, None, 1, lambda _: None).packages == 300
    told: list[int] = []

    def until(limit: int) -> Callable[[int], None]:
        def report(count: int) -> None:
            told.append(count)
            if sum(told) >= limit:
                raise KeyboardInterrupt

        return report

    for limit in (100, 120, 240):
        told.clear()
        with pytest.raises(KeyboardInterrupt):
            write_packages(snapshot / "one", out, None, 2, until(limit))
        assert not out.exists()
    told.clear()
    assert write_packages(snapshot / "one", out, None, 2, told.append).packages == 300
    assert told[0] >= 220  # what was there
    assert sum(told) == 300
    assert read_packages(out) == read_packages(whole)
    assert {path.name for path in tmp_path.iterdir()} == {whole.name, out.name}


def test_no_more_processes_begin_than_there_is_work_for(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def begin(processes: int, *_: object) -> None:
        begun.append(processes)
        raise KeyboardInterrupt

    monkeypatch.setattr(all_packages, "ProcessPoolExecutor", begin)
    with pytest.raises(KeyboardInterrupt):
        write_packages(snapshot / "one", tmp_path / "all.sqlite", None, 9999, lambda _: None)
    assert begun == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_another_snapshot_is_touched(
    snapshot: Path, tmp_path: Path, assay: Assay, kind: str
) -> None:
    out = tmp_path / f"all.{kind}"

    def append(account: str) -> dict[str, bytes]:
        with package_file(out, bytes(32), 2) as file:
            assert file is not None
            file.append([account], [b"package"])
        return files(tmp_path)

    interrupted = append("ann")
    assert assay("packages", snapshot / "one", "--out", out)[0] == 0
    assert files(tmp_path) == {**interrupted, out.name: out.read_bytes()}
    out.unlink()
    whole = append("bob")
    assert list(whole) == [out.name]
    code, _, err = assay("packages", snapshot / "one", "--out", out)
    assert (code, "nothing is overwritten" in err) == (1, True)
    assert files(tmp_path) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_others_is_overwritten(
    snapshot: Path, tmp_path: Path, assay: Assay, kind: str
) -> None:
    out = tmp_path / f"all.{kind}"

    def found() -> list[tuple[Path, int, int, int]]:
        return [
            (path, (status := path.lstat()).st_ino, status.st_mode, status.st_mtime_ns)
            for path in sorted(tmp_path.rglob("*"))
        ]

    def refused() -> bool:
        before = found()
        code, _, err = assay("packages", snapshot / "one", "--out", out)
        assert (code, err) == (1, f"assay: {out} exists already; nothing is overwritten\n")
        return found() == before

    for content in (b"mine", b"", b"SQLite format 3\0" + bytes(84), b"PAR1PAR1"):
        out.write_bytes(content)
        assert refused()
        assert out.read_bytes() == content
    for value in (None, -5, 7, 10**13, 0.5, "text", b"", b"mine"):
        out.unlink()
        with closing(sqlite3.connect(out)) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE snapshot (manifest)")
            connection.execute("INSERT INTO snapshot VALUES (?)", (value,))
        assert refused()
    out.unlink()
    out.symlink_to("nowhere")
    assert refused()
    out.unlink()
    os.mkfifo(out)
    assert refused()
    out.unlink()
    (out / "mine").mkdir(parents=True)
    assert refused()


def test_no_package_is_overwritten(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    account = next(iter(balances(snapshot / "ledger.csv")))
    (tmp_path / "p").write_text("mine")
    assert assay("package", snapshot / "one", account, "--out", tmp_path / "p")[0] == 1
    assert (tmp_path / "p").read_text() == "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_beside_the_file_is_left_alone(
    snapshot: Path, tmp_path: Path, kind: str
) -> None:
    """Under whichever name that says nothing of the manifest."""
    out = tmp_path / f"all.{kind}"
    own = tmp_path / "own"
    own.mkdir()
    parquet.write_table(pa.table({"account": ["ann"], "package": [b"mine"]}), own / "a.parquet")
    shutil.copytree(own, tmp_path / f"{out.name}.parts")
    (tmp_path / f"{out.name}.partial").write_bytes(b"")
    (tmp_path / f"{out.name}-journal").write_bytes(b"mine")
    (tmp_path / f"{out.name}.partial-journal").symlink_to(own)
    before = files(tmp_path)
    for _ in range(2):
        assert write_packages(snapshot / "one", out, None, 1, lambda _: None).packages == 300
        assert files(tmp_path) == {**before, out.name: out.read_bytes()}
    assert (tmp_path / f"{out.name}.partial-journal").is_symlink()
    assert len(read_packages(out)) == 300


def test_a_name_says_which_kind_of_file_it_is(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    code, _, err = assay("packages", snapshot / "one", "--out", tmp_path / "all")
    assert (code, "must end in .parquet or .sqlite" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_package_serves_one_account(snapshot: Path) -> None:
    one, two = list(balances(snapshot / "ledger.csv"))[:2]
    packager = Packager(snapshot / "one")
    with pytest.raises(verifier.Rejected) as refused:
        verifier.check_inclusion(
            packager.package(packager.index_of(one)),
            snapshot / "one" / "public",
            public_key(snapshot / "snapshot.toml"),
            two,
            {"ETH": "0"},
        )
    assert refused.value.code == "package.wrong-account"


def test_what_was_made_is_known_again(snapshot: Path) -> None:
    packager = Packager(snapshot / "one")
    package = packager.package(3)
    assert packager.has_made(package, 3)
    assert not packager.has_made(package, 4)
    for other in (b"", package[:-1], package[:-1] + bytes([package[-1] ^ 1]), b"\x80"):
        assert not packager.has_made(other, 3)


def test_packages_need_no_secret_but_the_openings(snapshot: Path, tmp_path: Path) -> None:
    """Where nothing else of the private folder is, the very packages are made."""
    expected = [Packager(snapshot / "one").package(index) for index in range(300)]
    shutil.copytree(snapshot / "one", tmp_path / "one")
    private = tmp_path / "one" / "private"
    for path in (private / "evidence", private / "trees" / "sums"):
        shutil.rmtree(path)
    for name in ("summary.json", "lock"):
        (private / name).write_bytes(b"")
    packager = Packager(tmp_path / "one")
    assert [packager.package(index) for index in range(300)] == expected


def change(path: Path, at: int, mask: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def of_another_run(private: Path, other: Path) -> None:
    shutil.rmtree(private / "trees")
    shutil.copytree(other / "trees", private / "trees")


def with_other_parts(private: Path, other: Path) -> None:
    shutil.rmtree(private / "parts")
    shutil.copytree(other / "parts", private / "parts")


def with_other_keys(private: Path, other: Path) -> None:
    shutil.copy(other / "keys", private / "keys")


def with_two_positions_swapped(private: Path, _: Path) -> None:
    positions = np.fromfile(private / "parts" / "positions", np.uint32)
    positions[[0, 1]] = positions[[1, 0]]
    positions.tofile(private / "parts" / "positions")


def with_a_position_beyond(private: Path, _: Path) -> None:
    change(private / "parts" / "positions", 3, 0x80)


def with_a_part_less(private: Path, _: Path) -> None:
    first = np.fromfile(private / "parts" / "first", np.uint64)
    first[1] -= np.uint64(1)
    first.tofile(private / "parts" / "first")


def with_every_amount_changed(private: Path, _: Path) -> None:
    for path in (private / "trees" / "leaves").glob("*/amounts"):
        (np.fromfile(path, np.uint64) + np.uint64(1)).tofile(path)


def with_amounts_moved(private: Path, _: Path) -> None:
    """The first account's stay, but those of all neighbours in its vectors change."""
    ledger = load_ledger(private / "ledger")
    for asset, parts in zip(ledger.assets, load_parts(private / "parts"), strict=True):
        path = private / "trees" / "leaves" / asset.code / "amounts"
        amounts = np.fromfile(path, np.uint64)
        changed = amounts + np.uint64(1)
        if ledger.balances[asset.code].holders[0] == 0:
            own = parts.positions[: int(parts.first[1])]
            changed[own] = amounts[own]
        changed.tofile(path)


def with_every_identity_changed(private: Path, _: Path) -> None:
    for path in (private / "trees" / "leaves").glob("*/identities"):
        (np.fromfile(path, np.uint8) ^ 1).tofile(path)


def with_every_blinding_changed(private: Path, _: Path) -> None:
    for path in (private / "trees" / "leaves").glob("*/blindings"):
        (np.fromfile(path, np.uint8) ^ 1).tofile(path)


def cut_short(private: Path, _: Path) -> None:
    for path in (private / "trees" / "leaves").glob("*/amounts"):
        path.write_bytes(path.read_bytes()[:-8])


def cut_amid_an_item(private: Path, _: Path) -> None:
    for path in (private / "trees" / "leaves").glob("*/identities"):
        path.write_bytes(path.read_bytes()[:-5])


def with_keys_cut(private: Path, _: Path) -> None:
    (private / "keys").write_bytes((private / "keys").read_bytes()[:-7])


def with_parts_cut(private: Path, _: Path) -> None:
    (private / "parts" / "positions").write_bytes(b"")


def with_sizes_cut(private: Path, _: Path) -> None:
    (private / "parts" / "sizes").write_bytes((private / "parts" / "sizes").read_bytes()[:-3])


DAMAGES = [
    cut_amid_an_item,
    with_keys_cut,
    with_parts_cut,
    with_sizes_cut,
    of_another_run,
    with_other_parts,
    with_other_keys,
    with_two_positions_swapped,
    with_a_position_beyond,
    with_a_part_less,
    with_every_amount_changed,
    with_amounts_moved,
    with_every_identity_changed,
    with_every_blinding_changed,
    cut_short,
]


@pytest.fixture(scope="module")
def other_private(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the private folder of another run over the same ledger, with another salt."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(snapshot, folder, dirs_exist_ok=True)
    (folder / "keys" / "signing.pem.log").unlink()
    make_snapshot(folder / "snapshot.toml", folder / "two")
    return folder / "two" / "private"


@pytest.mark.parametrize("damage", DAMAGES)
def test_files_that_are_not_of_each_other_open_nothing(
    snapshot: Path,
    other_private: Path,
    tmp_path: Path,
    assay: Assay,
    damage: Callable[[Path, Path], None],
) -> None:
    shutil.copytree(snapshot / "one", tmp_path / "one")
    damage(tmp_path / "one" / "private", other_private)
    held = balances(snapshot / "ledger.csv")
    with pytest.raises(Damaged):
        Packager(tmp_path / "one").package(0)
    account = sorted(held)[0]
    code, out, err = assay("package", tmp_path / "one", account, "--out", tmp_path / "p")
    assert (code, out, "damaged" in err) == (1, "", True)
    assert account not in err
    assert not (tmp_path / "p").exists()
    for kind in KINDS:
        out_file = tmp_path / f"all.{kind}"
        with pytest.raises(ProverError, match="damaged"):
            write_packages(tmp_path / "one", out_file, None, 1, lambda _: None)
        assert not out_file.exists()
    code, out, err = assay("check", tmp_path / "one")
    assert (code, out) == (1, "")
    assert "damaged" in err or "ETH, level 0, page " in err


def put(path: Path, kind: type[np.generic], at: int, items: object) -> None:
    """Write items over those of a column from a place on."""
    column = np.fromfile(path, kind)
    column[at : at + len(items := np.asarray(items, kind))] = items
    column.tofile(path)


def test_no_account_gets_the_part_of_another_that_stands_twice(
    snapshot: Path, tmp_path: Path
) -> None:
    """The holders x, x + 1, z become x, x, x + 1: each has as many parts as it had."""
    shutil.copytree(snapshot / "one", tmp_path / "one")
    private = tmp_path / "one" / "private"
    held, parts = (
        load_ledger(private / "ledger").balances["ETH"],
        next(load_parts(private / "parts")),
    )
    alone, near = np.diff(parts.first) == 1, np.diff(held.holders) == 1
    at = int(np.flatnonzero(alone[:-2] & alone[1:-1] & alone[2:] & near[:-1])[0])
    place, account = int(parts.first[at]), int(held.holders[at])
    put(private / "parts" / "positions", np.uint32, place + 1, parts.positions[place : place + 2])
    put(private / "ledger" / "balances.bin", np.uint64, at + 1, held.units[at : at + 2])
    put(private / "ledger" / "holders.bin", np.uint32, at + 1, held.holders[at : at + 2])
    with pytest.raises(Damaged, match="holders of ETH do not ascend"):
        Packager(tmp_path / "one").packages(account, account + 2)


def test_no_package_shows_one_leaf_twice(snapshot: Path, tmp_path: Path) -> None:
    """An account of two parts stands twice: with the first alone, and with both."""
    shutil.copytree(snapshot / "one", tmp_path / "one")
    private = tmp_path / "one" / "private"
    held, parts = (
        load_ledger(private / "ledger").balances["ETH"],
        next(load_parts(private / "parts")),
    )
    counts = np.diff(parts.first)
    at = int(np.flatnonzero((counts[:-1] == 2) & (counts[1:] == 1))[0])
    place, account = int(parts.first[at]), int(held.holders[at])
    units = [parts.amounts[place], held.units[at]]
    put(private / "parts" / "positions", np.uint32, place + 1, parts.positions[place : place + 2])
    put(private / "parts" / "first", np.uint64, at + 1, [place + 1])
    put(private / "ledger" / "balances.bin", np.uint64, at, units)
    put(private / "ledger" / "holders.bin", np.uint32, at + 1, [account])
    for make in (Packager.package, lambda packager, one: packager.packages(one, one + 1)):
        with pytest.raises(Damaged, match="holders of ETH do not ascend"):
            make(Packager(tmp_path / "one"), account)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("private/ledger/balances.bin", "private/ledger: does not fit .*leaves/ETH: .* balances"),
        ("private/ledger/holders.bin", "private/ledger: damaged: holders of ETH do not ascend"),
        ("private/parts/first", "private/parts: does not fit .*leaves/ETH"),
        ("private/parts/positions", "private/parts: does not fit .*leaves/ETH"),
        ("private/trees/leaves/ETH/blindings", "leaves/ETH: damaged, or of another run"),
        ("public/pages/ETH/0", "public/pages/ETH/0: damaged, or of another run than the manifest"),
    ],
)
def test_damage_is_said_of_the_files_that_have_it(
    snapshot: Path, tmp_path: Path, name: str, told: str
) -> None:
    shutil.copytree(snapshot / "one", tmp_path / "one")
    path = tmp_path / "one" / name
    data = path.read_bytes()
    path.write_bytes(bytes(byte ^ 0x55 for byte in data[:200]) + data[200:])
    with pytest.raises(Damaged, match=f"{told}.*; restore private folder and bundle of one run"):
        Packager(tmp_path / "one").packages(0, 300)


def test_a_seal_of_another_version_is_refused(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    shutil.copytree(snapshot / "one", tmp_path / "one")
    record = b"\x81\xa8manifest\xc4\x01x"
    for head in (record, record[:-1]):
        seal = tmp_path / "one" / "private" / "seal"
        seal.write_bytes(head + sha256(head).digest())
        code, _, err = assay("check", tmp_path / "one")
        assert (code, f"{seal}: damaged, or of another version" in err) == (1, True)


def test_a_page_of_another_snapshot_opens_nothing(
    snapshot: Path, other_private: Path, tmp_path: Path
) -> None:
    shutil.copytree(snapshot / "one", tmp_path / "one")
    shutil.rmtree(tmp_path / "one" / "public")
    shutil.copytree(other_private.parent / "public", tmp_path / "one" / "public")
    with pytest.raises(Damaged):
        Packager(tmp_path / "one").package(0)


def test_a_checked_snapshot_says_so(snapshot: Path, assay: Assay) -> None:
    code, out, err = assay("check", snapshot / "one", "--jobs", 2)
    assert (code, err) == (0, "")
    assert out.startswith("snapshot 2026-11-21: its private files make its pages, of ")


def test_the_first_page_that_differs_is_named(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    shutil.copytree(snapshot / "one", tmp_path / "one")
    private = tmp_path / "one" / "private"
    _, parts = load_parts(private / "parts")
    page = int(parts.positions[0]) // 16
    change(private / "trees" / "leaves" / "USDT" / "blindings", 32 * page + 5)
    code, _, err = assay("check", tmp_path / "one")
    assert (code, f"USDT, level 0, page {page}: another page than" in err) == (1, True)
    # The others' packages are made all the same.
    packager = Packager(tmp_path / "one")
    made = 0
    for index in range(300):
        try:
            packager.package(index)
            made += 1
        except Damaged:
            pass
    assert 280 <= made < 300


def test_an_opening_is_made_by_the_code_whose_time_tells_nothing(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    make = native.openings_make

    def spied(*arguments: object, bulk: bool) -> tuple[bytes, bytes]:
        asked.append(bulk)
        return make(*arguments, bulk=bulk)  # type: ignore[arg-type]

    monkeypatch.setattr(native, "openings_make", spied)
    package = Packager(snapshot / "one").package(0)
    assert not any(asked)
    assert Packager(snapshot / "one").packages(0, 1) == [package]
    assert asked[-1]


def test_unknown_and_malformed_accounts(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    for account, message in (
        ("nobody@example.com", "no such account"),
        ("nobody", "not an account id: no e-mail address"),
    ):
        code, out, err = assay("package", snapshot / "one", account, "--out", tmp_path / "p")
        assert (code, out) == (1, "")
        assert message in err
        assert account not in err
    assert not (tmp_path / "p").exists()


def test_a_folder_without_snapshot_is_refused(tmp_path: Path, assay: Assay) -> None:
    for command in (("package", tmp_path, "a@b", "--out", tmp_path / "p"), ("check", tmp_path)):
        code, _, err = assay(*command)
        assert code == 1
        assert "no finished snapshot" in err
    with pytest.raises(ProverError, match="no finished snapshot"):
        write_packages(tmp_path, tmp_path / "all.sqlite", None, 1, print)
    assert list(tmp_path.iterdir()) == []


def test_the_signing_key_may_have_moved(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    account = next(iter(balances(tmp_path / "exchange" / "ledger.csv")))
    moved = tmp_path / "moved.pem"
    shutil.move(tmp_path / "exchange" / "keys" / "signing.pem", moved)
    ask = ("package", tmp_path / "one", account, "--out", tmp_path / "p")
    code, _, err = assay(*ask)
    assert code == 1
    assert "signing.pem: No such file" in err
    assay("keygen", "--out", tmp_path / "other")
    code, _, err = assay(*ask, "--signing-key", tmp_path / "other" / "signing.pem")
    assert code == 1
    assert "another than the snapshot's" in err
    assert assay(*ask, "--signing-key", moved)[0] == 0


def refused(snapshot: Path, tmp_path: Path, damage: Callable[[Path], None]) -> bool:
    """Whether no account gets another package than it had, after damage to a copy."""
    expected = [Packager(snapshot / "one").package(index) for index in range(40)]
    shutil.copytree(snapshot / "one", tmp_path / "damaged")
    damage(tmp_path / "damaged")
    failed = 0
    for index, package in enumerate(expected):
        try:
            assert Packager(tmp_path / "damaged").package(index) == package
        except Damaged:
            failed += 1
    return failed > 0


def test_no_opening_is_made_on_a_page_that_is_not_the_signed_one(
    snapshot: Path, tmp_path: Path
) -> None:
    """It would hold on no other page, and so convict the exchange that signed it."""

    def damage(folder: Path) -> None:
        manifest = read_record(Manifest, (folder / "public" / "manifest.msgpack").read_bytes())
        for asset in manifest.assets:
            at, shape = 0, asset.shape
            for page in range(shape.leaves // shape.page_size):
                change(folder / "public" / "pages" / asset.code / "0", at + 15 + 7)
                at += shape.page_bytes(0, page)

    assert refused(snapshot, tmp_path, damage)


@pytest.mark.parametrize("column", ["holders.bin", "balances.bin"])
def test_a_ledger_that_lost_balances_makes_no_package_without_them(
    snapshot: Path, tmp_path: Path, column: str
) -> None:
    def damage(folder: Path) -> None:
        paths = list((folder / "private" / "ledger").rglob(f"*{column}"))
        assert paths
        for path in paths:
            path.write_bytes(bytes(path.stat().st_size))

    assert refused(snapshot, tmp_path, damage)


@pytest.mark.parametrize(
    ("name", "cut"),
    [("opening-secret", False), ("keys", True), ("parts/sizes", True), ("parts/first", True)],
)
def test_files_that_lost_something_are_called_damaged(
    snapshot: Path, tmp_path: Path, name: str, *, cut: bool
) -> None:
    def damage(folder: Path) -> None:
        path = folder / "private" / name
        data = path.read_bytes()
        path.write_bytes(data[:16] if cut else bytes([data[0] ^ 1]) + data[1:])

    assert refused(snapshot, tmp_path, damage)


def test_a_manifest_that_nobody_signed_makes_no_package(snapshot: Path, tmp_path: Path) -> None:
    """One changed byte, even of what no package says, would give all of them another snapshot."""

    def damage(folder: Path) -> None:
        path = folder / "public" / "manifest.msgpack"
        data = bytearray(path.read_bytes())
        manifest = read_record(Manifest, bytes(data))
        data[data.index(manifest.assets[0].evidence)] ^= 1
        path.write_bytes(data)

    assert refused(snapshot, tmp_path, damage)
    with pytest.raises(Damaged):
        check_snapshot(tmp_path / "damaged")


@pytest.mark.parametrize("name", ["snapshot.msgpack", "opening-secret"])
@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_another_snapshot_make_no_package(
    snapshot: Path, tmp_path: Path, seed: int, name: str
) -> None:
    """Of the same exchange's or of another's, whose signing key is another."""
    other = make_sample(tmp_path / "other", 300, ("ETH", "USDT"), seed=seed)
    make_snapshot(other.config, tmp_path / "other" / "one")

    def damage(folder: Path) -> None:
        shutil.copy(tmp_path / "other" / "one" / "private" / name, folder / "private" / name)

    assert refused(snapshot, tmp_path, damage)
    with pytest.raises(Damaged):
        check_snapshot(tmp_path / "damaged")


# The command, which says which processes it has, and waits, once packages are made.
COMMAND = """
import psutil, signal, time
from contextlib import contextmanager
from prover.commands import cli
from prover.progress import Silent
class Waiting(Silent):
    def advance(self, done):
        if done:
            print(*(child.pid for child in psutil.Process().children()), flush=True)
            time.sleep(600)
@contextmanager
def shown_progress():
    yield Waiting()
cli.shown_progress = shown_progress
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests may ignore it
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_ends_all_of_a_terminal_ends_the_command_without_a_trace(
    snapshot: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """At any moment, while the processes are being loaded too."""
    out = tmp_path / "all.parquet"
    words = ["packages", str(snapshot / "one"), "--out", str(out), "--jobs", "2"]
    said = b"assay: interrupted\n" if number == signal.SIGINT else b""
    for seconds in (0, 0.05, 0.2, 0.4):
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as command:
            this = psutil.Process(command.pid)
            while len(children := this.children()) < 2:
                time.sleep(0.001)
            time.sleep(seconds)
            os.killpg(command.pid, number)
            try:
                _, err = command.communicate(timeout=60)
            finally:
                command.kill()
        assert (command.returncode, err) == (128 + number, said)
        assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_process_outlives_the_command(
    snapshot: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """They have the signing key, and the secret of openings."""
    out = tmp_path / "all.parquet"
    words = ["packages", str(snapshot / "one"), "--out", str(out), "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        children = [psutil.Process(int(word)) for word in command.stdout.readline().split()]
        assert len(children) >= 2
        command.send_signal(number)
        _, alive = psutil.wait_procs(children, timeout=60)
        for process in alive:
            process.kill()
        if alive:
            command.kill()
        assert alive == []
        said = command.stderr.read()
    if number != signal.SIGKILL:  # after which Python's tracker of resources may say something
        assert (command.returncode, said) == (128 + number, b"")
    assert write_packages(snapshot / "one", out, None, 1, lambda _: None).packages == 300
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
