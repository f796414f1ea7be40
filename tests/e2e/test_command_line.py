"""What every command does with its options, its streams and an interrupt."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from prover.assets.bitcoin import CollectedCoins, write_coins
from prover.assets.lists import write_evidence_rows
from prover.commands import cli
from prover.errors import ProverError
from prover.files import toml_table
from prover.files.keys import read_signing_key
from prover.files.storage import read_at_most
from prover.files.toml_table import read_toml
from prover.report import page
from prover.snapshot.make import make_snapshot, read_config
from prover.snapshot.record import predecessor
from tests.support.exchange_files import Assay, edit, sample

NOT_UTF8 = os.fsdecode(b"sm\xff")


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def run(*words: object, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``assay`` in a process of its own, from a shell that may close its streams."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-m", "api.cli", *map(str, words)],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize(
    ("shell", "is_said"), [("2>&-", True), (">&-", False), (">&- 2>&-", False)]
)
def test_a_closed_stream_stops_no_command(tmp_path: Path, shell: str, *, is_said: bool) -> None:
    config = sample(tmp_path / "exchange")
    done = run("ledger", config, shell=shell)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"ledger  ") == is_said
    done = run("check", tmp_path, shell=shell)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_that_has_not_every_letter_stops_no_command(encoding: str) -> None:
    shown = {words: run(*words, PYTHONIOENCODING=encoding) for words in COMMANDS}
    assert {words: done.returncode for words, done in shown.items()} == dict.fromkeys(COMMANDS, 0)


COMMANDS = [("sample", "--help"), ("packages", "--help"), ("report", "--help")]


def test_what_a_stream_cannot_have_is_escaped(tmp_path: Path) -> None:
    done = run("keygen", "--out", tmp_path / "kĕ", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    done = run("package", tmp_path / "kĕ", "a@b", "--out", "q", PYTHONIOENCODING="ascii")
    assert (done.returncode, b"k\\u0115: no finished snapshot" in done.stderr) == (1, True)
    done = run("sample", "--out", tmp_path / "sĕ", PYTHONIOENCODING="ascii")
    assert (done.returncode, b"s\\u0115/snapshot.toml" in done.stdout) == (0, True)


PATHS = [
    ("keygen", "--out"),
    ("sample", "--out"),
    ("challenge", "s.toml", "--out"),
    ("challenge", "s.toml", "--announcement"),
    ("prove", "s.toml", "--out"),
    ("package", "dir", "a@b", "--out"),
    ("packages", "dir", "--out"),
    ("report", "dir", "--html"),
    ("import", "okx", "list", "--out"),
    ("check",),
    ("worker", "--settings"),
]


@pytest.mark.parametrize("words", PATHS)
def test_an_empty_path_is_not_this_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
) -> None:
    from api.cli import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*words, ""])
    assert (ended.value.code, "not a path: it is empty" in capsys.readouterr().err) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check", "dir", "--jobs", 10000), "from 1 to 9999"),
        (("packages", "dir", "--out", "a.sqlite", "--jobs", 10**17), "from 1 to 9999"),
        (("sample", "--out", "dir", "--accounts", 10**17), "from 1 to 100000000"),
        (("keygen", "--out", "one", "--out", "two"), "--out: given twice"),
        (("check", "dir", "--jobs", 1, "--jobs=1"), "--jobs: given twice"),
    ],
)
def test_what_an_option_cannot_be_is_a_usage_error(
    assay: Assay, words: tuple[object, ...], told: str
) -> None:
    code, out, err = assay(*words)
    assert (code, out, told in err) == (2, "", True)


def test_what_needs_more_memory_than_there_is_says_so(
    assay: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parser(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cli, "_parser", parser)
    assert assay("check", "dir") == (1, "", "assay: not enough memory\n")


INTERRUPTED = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from api.cli import main
main(["keygen", "--out", "."])
"""


@pytest.mark.parametrize("name", ["api.commands", "prover.commands.options", "prover.files.keys"])
def test_an_interrupt_ends_a_command_that_is_being_loaded(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, name], capture_output=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr) == (130, b"assay: interrupted\n")


def test_an_interrupt_ends_a_command_that_reads_its_options(
    assay: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parser(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_parser", parser)
    assert assay("check", "dir") == (130, "", "assay: interrupted\n")


@pytest.mark.parametrize("more", [(), ("--balance-sheet",)])
def test_a_sample_is_made_where_a_name_is_text(
    tmp_path: Path, assay: Assay, more: tuple[str, ...]
) -> None:
    code, _, err = assay("sample", "--out", tmp_path / NOT_UTF8, *more)
    assert (code, "sm\\udcff: a name in this path is not UTF-8" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_signing_key_is_where_a_name_is_text(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    (tmp_path / "exchange").rename(tmp_path / NOT_UTF8)
    with pytest.raises(ProverError, match=r"signing.pem: a name in this path is not UTF-8"):
        make_snapshot(tmp_path / NOT_UTF8 / config.name, tmp_path / "one")


def test_what_has_no_end_is_no_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read_at_most(Path("/dev/zero"), 100)) == 101
    monkeypatch.setattr(toml_table, "MAX_TOML_BYTES", 5)
    (tmp_path / "a.toml").write_bytes(b"a = 1")
    assert read_toml(tmp_path / "a.toml") == b"a = 1"
    (tmp_path / "a.toml").write_bytes(b"a = 12")
    for file in (tmp_path / "a.toml", Path("/dev/zero")):
        with pytest.raises(ProverError, match=f"{file}: more than 5 bytes"):
            read_toml(file)


def test_a_previous_manifest_is_read_no_further_than_one_can_be(tmp_path: Path) -> None:
    config = sample(tmp_path)
    edit(config, "first = true", 'manifest = "/dev/zero"')
    with pytest.raises(ProverError, match="/dev/zero"):
        predecessor(read_config(config), read_signing_key(tmp_path / "keys" / "signing.pem"))


def test_a_full_disk_is_said_of_the_file(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    made = tmp_path / "made"
    made.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        for words, file in (
            (("--announcement", made / "announced"), made / "announced"),
            (("--out", made), made / "ethereum.txt"),
        ):
            code, _, err = assay("challenge", config, *words)
            assert (code, f"assay: {file}: File too large" in err) == (1, True)
        with pytest.raises(OSError, match=r"rows\.csv"):
            write_evidence_rows(made / "rows.csv", [])
        coins = CollectedCoins(bytes(32), None, 1, 1, (), 0, None)
        with pytest.raises(OSError, match=r"rows\.coins"):
            write_coins(coins, "BTC", made / "rows.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(made.iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_written_follows_no_link_and_waits_for_no_pipe(
    tmp_path: Path, assay: Assay, kind: str
) -> None:
    config = sample(tmp_path / "exchange")
    victim, out = tmp_path / "victim", tmp_path / "ethereum.txt"
    victim.write_bytes(b"mine")
    if kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(victim)
    for words in (("--announcement", out), ("--out", tmp_path)):
        code, _, err = assay("challenge", config, *words)
        assert (code, f"assay: {out}: neither a file nor free" in err) == (1, True)
    assert victim.read_bytes() == b"mine"


def test_a_report_waits_for_no_pipe(tmp_path: Path, assay: Assay) -> None:
    bundle, html = tmp_path / "bundle", tmp_path / "a.html"
    bundle.mkdir()
    os.mkfifo(bundle / "manifest.msgpack")
    code, _, err = assay("report", bundle, "--html", html)
    assert (code, f"assay: {bundle / 'manifest.msgpack'}: no file" in err) == (1, True)
    assert not html.exists()


def test_a_page_erases_nothing_beside_it(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    made = make_snapshot(config, tmp_path / "one")
    (tmp_path / "a.html.partial").write_bytes(b"mine")
    page.write_report(made.bundle, tmp_path / "a.html", None)
    assert (tmp_path / "a.html.partial").read_bytes() == b"mine"
    assert (tmp_path / "a.html").exists()
