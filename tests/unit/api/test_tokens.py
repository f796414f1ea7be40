"""Operators' tokens: made once, kept as digests, over on time; and the command that keeps them."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.callers import tokens
from api.cli import main
from api.database import tables
from api.scope import Scope
from api.settings import SQLITE_FILE
from prover.errors import ProverError

DAY = 24 * 3600


@pytest.fixture
def database() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection


def test_a_secret_finds_its_token_and_no_other_does(database: sa.Connection) -> None:
    made, secret = tokens.create(database, "ops", [Scope.WRITE, Scope.READ], DAY)
    _, other = tokens.create(database, "ops", [Scope.READ], DAY)
    found = tokens.find(database, secret)
    assert found is not None
    assert (found.id, found.name) == (made, "ops")
    assert found.scopes == {"snapshots:read", "snapshots:write"}
    assert re.fullmatch(r"assay_op_[A-Za-z0-9_-]{43}", secret)
    assert other != secret
    for wrong in (
        "",
        secret[:-1],
        secret + "A",
        secret.upper(),
        secret.removeprefix(tokens.PREFIX),
        tokens.PREFIX + "A" * 43,
        hashlib.sha256(secret.encode()).hexdigest(),
        made,
        "' OR '1'='1",
    ):
        assert tokens.find(database, wrong) is None


def test_nothing_of_a_secret_is_kept_but_its_digest(database: sa.Connection) -> None:
    _, secret = tokens.create(database, "ops", [Scope.READ], DAY)
    (row,) = database.execute(sa.select(tables.tokens))
    assert row.digest == hashlib.sha256(secret.encode()).digest()
    assert not any(secret[9:20] in str(value) for value in row)


def test_expired_and_revoked_tokens_find_nothing(
    database: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, secret = tokens.create(database, "ops", [Scope.READ], DAY)
    _, kept = tokens.create(database, "ops", [Scope.READ], 2 * DAY)
    tokens.revoke(database, made)
    (first,) = (each for each in tokens.every(database) if each.id == made)
    tokens.revoke(database, made)
    assert tokens.find(database, secret) is None
    assert [each for each in tokens.every(database) if each.id == made] == [first]
    assert first.revoked is not None
    now = time.time()
    for later, found in ((2 * DAY - 5, True), (2 * DAY + 1, False)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert (tokens.find(database, kept) is not None) is found


@pytest.mark.parametrize(("name", "scopes"), [("", 1), ("x" * 65, 1), ("a\nb", 1), ("ops", 0)])
def test_a_token_has_a_name_and_a_scope(database: sa.Connection, name: str, scopes: int) -> None:
    with pytest.raises(ProverError, match="token"):
        tokens.create(database, name, [Scope.READ] * scopes, DAY)


def test_the_command_makes_lists_and_revokes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('folder = "."\n')

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["assay", "token", *words, "--settings", str(settings)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    code, secret, note = run("create", "night job", "--scope", "snapshots:read", "--days", "7")
    assert code == 0
    assert re.fullmatch(r"assay_op_[\w-]{43}\n", secret)
    code, listed, _ = run("list")
    made = listed.split()[0]
    assert made in note
    assert "valid" in listed
    assert "snapshots:read" in listed
    assert listed.endswith("night job\n")
    assert secret.strip() not in listed + note
    assert run("revoke", made) == (0, "", "")
    assert "revoked" in run("list")[1]
    for words in (("revoke", "none"), ("create", "x"), ("create", "x", "--scope", "all")):
        code, out, err = run(*words)
        assert code != 0
        assert out == ""
        assert err != ""
    assert (tmp_path / SQLITE_FILE).stat().st_mode & 0o077 == 0
    assert secret.strip().encode() not in (tmp_path / SQLITE_FILE).read_bytes()
