"""The installed command: its exit codes, its two output streams, and what it leaves behind."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.exchange_files import Assay, edit, files, sample
from verifier.commands.cli import main as verify


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def run(*arguments: object, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``assay`` in a process, which may write no file longer than ``most_bytes``."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.run(
        [sys.executable, "-m", "prover", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        umask=0,
        preexec_fn=limit,
    )


def test_a_process_of_its_own(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    done = run("prove", config, "--out", tmp_path / "one", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["snapshot_id"] == "2026-11-21"
    for path in [tmp_path / "one" / "private", *(tmp_path / "one" / "private").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "one" / "public" / "manifest.sig").stat().st_mode & 0o777 == 0o644


def test_no_traceback_leaves_the_command(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "file").touch()
    config = sample(tmp_path / "exchange")
    for arguments in (
        ("prove", tmp_path / "bad.toml", "--out", tmp_path / "one"),
        ("prove", tmp_path, "--out", tmp_path / "one"),
        ("prove", config, "--out", tmp_path / "file"),
        ("keygen", "--out", tmp_path / "file"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("assay: ")
        assert done.stderr.count("\n") == 1


def test_a_disk_that_takes_no_more_is_named(tmp_path: Path) -> None:
    """A limit on the length of files fails a write as a full disk does."""
    config = sample(tmp_path / "exchange", accounts=500)
    out, names = tmp_path / "one", ("one", "all", "p", "r.html", "more")
    account = (tmp_path / "exchange" / "ledger.csv").read_text().splitlines()[1].split(",")[0]
    for most_bytes in (1000, 5000, 20_000):
        done = run("prove", config, "--out", out, most_bytes=most_bytes)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"assay: {out}")
        assert done.stderr.endswith(": File too large\n")
    assert run("prove", config, "--out", out).returncode == 0
    for arguments in (
        ("packages", out, "--out", tmp_path / "all.parquet", "--jobs", 1),
        ("package", out, account, "--out", tmp_path / "p"),
        ("report", out / "public", "--html", tmp_path / "r.html"),
        ("publish", out, f"file://{tmp_path}/more"),
        ("sample", "--accounts", 100, "--assets", "BTC", "--out", tmp_path / "more" / "sample"),
    ):
        done = run(*arguments, most_bytes=100)
        assert (done.returncode, done.stdout) == (1, "")
        assert any(f"{tmp_path}/{name}" in done.stderr for name in names)
        assert done.stderr.endswith(": File too large\n")


def test_versions(assay: Assay, capsys: pytest.CaptureFixture[str]) -> None:
    expected = f" {metadata.version('assay')}\n"
    assert assay("--version") == (0, f"assay{expected}", "")
    with pytest.raises(SystemExit) as ended:
        verify(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"assay-verify{expected}"


def test_keygen_and_challenge(tmp_path: Path, assay: Assay) -> None:
    code, out, _ = assay("keygen", "--out", tmp_path / "keys", "--json")
    assert code == 0
    key = json.loads(out)["public_key"]
    assert sorted(files(tmp_path / "keys")) == ["exchange.pub", "master.key", "signing.pem"]
    assert assay("keygen", "--out", tmp_path / "keys")[0] == 1

    config = sample(tmp_path / "exchange", codes=("BTC", "ETH"))
    code, out, _ = assay("challenge", config, "--json")
    messages = json.loads(out)
    assert code == 0
    assert sorted(messages) == ["bitcoin", "ethereum"]
    lines = messages["bitcoin"].split("\n")
    assert lines[0] == "assay/v1/ownership"
    assert lines[1] == (tmp_path / "exchange" / "exchange.pub").read_text().strip() != key
    assert lines[2:5] == ["Example Exchange", "2026-11-21", "bitcoin"]
    code, out, _ = assay("challenge", config)
    assert code == 0
    assert all(f"\n{message}\n" in out for message in messages.values())


def test_sample_prints_what_it_made(tmp_path: Path, assay: Assay) -> None:
    ask = ("sample", "--accounts", 25, "--assets", "ETH", "--seed", 2, "--out", tmp_path / "s")
    code, out, err = assay(*ask, "--insolvent", "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert (made["accounts"], made["addresses"], made["short"]) == (25, 4, "ETH")
    code, out, err = assay(*ask)
    assert (code, out) == (1, "")
    assert "nothing is overwritten" in err
    code, _, err = assay("prove", made["config"], "--out", tmp_path / "one")
    assert code == 3
    assert "ETH by 0.00000001" in err


def test_a_time_ahead_of_the_clock_is_refused(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    edit(config, "2026-11-21T00:00:00Z", "2126-11-21T00:00:00Z")
    done = run("prove", config, "--out", tmp_path / "one")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"assay: {config}: time: 2126-11-21T00:00:00Z is in the future")
    assert not (tmp_path / "one").exists()
    assert run("prove", config, "--out", tmp_path / "one", "--allow-future").returncode == 0
