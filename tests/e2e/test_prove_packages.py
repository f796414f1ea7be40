"""Inclusion packages: one by index, all under names that tell nothing."""

from __future__ import annotations

import csv
import io
import shutil
import stat
from pathlib import Path

import pytest

import verifier
from prover.errors import ProverError
from prover.files.storage import locked
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager, write_packages
from tests.support.exchange_files import Assay, balances, files, public_key, sample
from verifier.format.wire import Package, PackageBody, read_record


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


def test_all_packages_are_those_made_one_by_one(
    snapshot: Path, tmp_path: Path, assay: Assay
) -> None:
    code, out, err = assay("packages", snapshot / "one", "--out", tmp_path / "all", "--jobs", 2)
    assert (code, err) == (0, "")
    assert out.startswith(f"300 packages in {tmp_path / 'all'}\n")
    assert str(tmp_path / "all" / "index.csv") in out
    holdings = balances(snapshot / "ledger.csv")
    packager = Packager(snapshot / "one")
    made = {
        str(packager.name(index)): packager.package(index)
        for index in map(packager.index_of, holdings)
    }
    written = files(tmp_path / "all")
    index = list(csv.DictReader(io.StringIO(written.pop("index.csv").decode(), newline="")))
    assert written == made
    assert {row["account"]: row["file"] for row in index} == {
        account: str(packager.name(packager.index_of(account))) for account in holdings
    }
    assert [row["account"] for row in index] == sorted(holdings)
    assert all(name.endswith(".package") for name in made)
    assert len(made) == len(holdings) == 300
    for path in tmp_path.joinpath("all").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600)
        depth = len(path.relative_to(tmp_path / "all").parts)
        assert not path.is_file() or depth == (1 if path.name == "index.csv" else 3)
    for name, package in made.items():
        body = read_record(PackageBody, read_record(Package, package).body)
        account = body.account_id
        assert account not in name
        if account in list(holdings)[::30]:
            verifier.check_inclusion(
                package,
                snapshot / "one" / "public",
                public_key(snapshot / "snapshot.toml"),
                account,
                holdings[account],
            )


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


def test_nothing_is_overwritten(snapshot: Path, tmp_path: Path, assay: Assay) -> None:
    account = next(iter(balances(snapshot / "ledger.csv")))
    (tmp_path / "p").write_text("mine")
    (tmp_path / "all").mkdir()
    assert assay("package", snapshot / "one", account, "--out", tmp_path / "p")[0] == 1
    assert assay("packages", snapshot / "one", "--out", tmp_path / "all")[0] == 1
    assert files(tmp_path) == {"p": b"mine"}


def test_what_an_interrupted_run_left_is_in_nobody_s_way(
    snapshot: Path, tmp_path: Path, assay: Assay
) -> None:
    left = tmp_path / "all.partial"
    (left / "aa").mkdir(parents=True)
    (left / "index.csv").write_text("half")
    (left / "aa" / "old.package").write_bytes(b"half")
    with locked(left, "held"):
        code, _, said = assay("packages", snapshot / "one", "--out", tmp_path / "all")
        assert (code, "another run is at work" in said) == (1, True)
    assert assay("packages", snapshot / "one", "--out", tmp_path / "all")[0] == 0
    assert not left.exists()
    assert not (tmp_path / "all" / "aa" / "old.package").exists()


def test_a_folder_without_snapshot_is_refused(tmp_path: Path, assay: Assay) -> None:
    code, _, err = assay("package", tmp_path, "a@b", "--out", tmp_path / "p")
    assert code == 1
    assert "no finished snapshot" in err
    with pytest.raises(ProverError, match="no finished snapshot"):
        write_packages(tmp_path, tmp_path / "all", None, 1, print)
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
