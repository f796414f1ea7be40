"""The programs of docs/operate/packages.md, as printed, with real packages and PostgreSQL."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support.postgresql import PostgresServer, postgres_server

BIN = Path(sys.executable).parent
PAGE = Path(__file__).parents[2] / "docs" / "operate" / "packages.md"
ID, ACCOUNTS = "2026-11-21", 30


def programs() -> dict[str, str]:
    """The code of the page by the name of its file."""
    pattern = r"^<!-- file (\S+) -->\n+```python\n(.*?)^```$"
    return dict(re.findall(pattern, PAGE.read_text(), re.MULTILINE | re.DOTALL))


def program(name: str, **values: object) -> dict[str, Any]:
    """What a program defines, with other values for some of its names."""
    defined: dict[str, Any] = {"__name__": name}
    exec(compile(programs()[name], name, "exec"), defined)  # noqa: S102 (our own)
    defined.update(values)
    return defined


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def database(server: PostgresServer) -> Iterator[str]:
    url = server.url.replace("+psycopg", "")
    yield url
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS package, package_load")


def assay(*words: str | Path) -> None:
    subprocess.run([BIN / "assay", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample's proof, and its packages in both forms."""
    folder = tmp_path_factory.mktemp("packages")
    assay("sample", "--accounts", str(ACCOUNTS), "--assets", "BTC,ETH", "--out", folder / "e")
    assay("prove", folder / "e/snapshot.toml", "--out", folder / "p")
    for name in ("packages.parquet", "packages.sqlite"):
        assay("packages", folder / "p", "--out", folder / name)
    return folder


def stored(database: str) -> list[tuple[str, str, bytes]]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT * FROM package ORDER BY account").fetchall()


def run(proof: Path, database: str, file: str) -> subprocess.CompletedProcess[str]:
    """Run the program as the page says."""
    (proof / "load_packages.py").write_text(programs()["load_packages.py"])
    command = [sys.executable, "load_packages.py", ID, file, database]
    return subprocess.run(command, cwd=proof, capture_output=True, text=True)


@pytest.mark.parametrize("file", ["packages.parquet", "packages.sqlite"])
def test_all_packages_come_into_the_database_once(proof: Path, database: str, file: str) -> None:
    done = run(proof, database, file)
    assert (done.returncode, done.stdout) == (0, f"{ACCOUNTS} packages of {ID}\n"), done.stderr
    loaded = stored(database)
    assert len(loaded) == ACCOUNTS
    assert {snapshot for snapshot, _, _ in loaded} == {ID}
    _, account, package = loaded[0]
    made = proof / f"{file}.package"
    assay("package", proof / "p", account, "--out", made)
    assert made.read_bytes() == package
    again = run(proof, database, file)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert stored(database) == loaded


@pytest.mark.parametrize("taken", [3, 7, 10, 29, 30])
def test_a_run_that_is_cut_off_goes_on(proof: Path, database: str, taken: int) -> None:
    file = str(proof / "packages.parquet")
    whole = program("load_packages.py", BATCH=7)
    rows = list(whole["parquet"](file))

    def cut(_: str) -> Iterator[tuple[str, bytes]]:
        yield from rows[:taken]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program("load_packages.py", BATCH=7, parquet=cut)["load"](ID, file, database)
    assert len(stored(database)) == taken // 7 * 7
    whole["load"](ID, file, database)
    assert stored(database) == sorted((ID, *row) for row in rows)


def test_rows_that_do_not_come_in_are_told_of(proof: Path, database: str) -> None:
    file = str(proof / "packages.parquet")
    rows = list(program("load_packages.py")["parquet"](file))
    twice = program("load_packages.py", parquet=lambda _: iter([*rows, rows[0]]))
    with pytest.raises(SystemExit, match=f"{ACCOUNTS} rows are there, and {ACCOUNTS + 1} were"):
        twice["load"](ID, file, database)


def test_the_link_has_the_package_of_who_is_logged_in(
    proof: Path, database: str, tmp_path: Path
) -> None:
    assert run(proof, database, "packages.parquet").returncode == 0
    with (proof / "e/ledger.csv").open(newline="") as file:
        ledger = list(csv.DictReader(file))
    account = ledger[0]["account_id"]
    with psycopg.connect(database) as connection:
        link = program("check_link.py")["check_link"](connection, ID, account)
        assert program("check_link.py")["check_link"](connection, ID, "nobody@x.example") is None
        most = len(urlsplit(link).fragment)
        for bound, expected in ((most, link), (most - 1, None)):
            bounded = program("check_link.py", MOST=bound)
            assert bounded["check_link"](connection, ID, account) == expected
    parts = urlsplit(link)
    assert (parts.path, parts.query) == ("/check.html", "")
    fields = parse_qs(parts.fragment, strict_parsing=True)
    assert fields["bundle"] == [f"https://PROOFS.example.com/snapshots/{ID}/"]
    (text,) = fields["package"]
    package = tmp_path / "mine.package"
    package.write_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    command: list[str | Path] = [BIN / "assay-verify", "inclusion", package]
    command += ["--bundle", proof / "p/public"]
    command += ["--exchange-key", proof / "e/exchange.pub", "--account", account]
    for row in ledger:
        if row["account_id"] == account:
            command += ["--balance", f"{row['asset']}={row['balance']}"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert "ACCEPTED" in checked.stdout, checked.stdout + checked.stderr
