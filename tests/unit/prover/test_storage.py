"""Files that are whole or absent, private from birth, and locks that die with their holder."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from prover.errors import ProverError
from prover.files.storage import (
    create_private,
    discard_folder,
    fresh_file,
    fresh_folder,
    keep_files,
    locked,
    output_file,
    output_text,
    rename_folder,
    whole_file,
)


def write_half(file: BinaryIO) -> None:
    with file:
        file.write(b"half")
    raise ZeroDivisionError


def test_a_folder_stands_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "done"
    with pytest.raises(ZeroDivisionError), fresh_folder(folder) as partial:
        write_half((partial / "a").open("wb"))
    assert not folder.exists()
    with fresh_folder(folder) as partial:
        assert list(partial.iterdir()) == []
        (partial / "b").write_text("whole")
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["done"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(ProverError, match="nothing is overwritten"), fresh_folder(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_a_private_file_that_cannot_be_written_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full; the next try begins with nothing in its way."""
    path = tmp_path / "a.package"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"a\.package"):
            create_private(path, b"whole")
    assert not path.exists()
    create_private(path, b"whole")
    with pytest.raises(FileExistsError):
        create_private(path, b"other")
    assert path.read_bytes() == b"whole"


def test_even_an_empty_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    with pytest.raises(ProverError, match="nothing is overwritten"):
        rename_folder(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "from").exists()


def test_a_file_stands_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with fresh_file(path) as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), fresh_file(path) as file:
        write_half(file)
    assert path.read_bytes() == b"first"
    with fresh_file(path) as file:
        file.write(b"second")
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_of_a_users_is_touched_beside_a_file(tmp_path: Path) -> None:
    """Under whichever name; and nothing is left of what could not be written."""
    (tmp_path / "file.partial").write_bytes(b"mine")
    with whole_file(tmp_path / "file") as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "file") as file:
        write_half(file)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "file": b"first",
        "file.partial": b"mine",
    }
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    missing = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError, match=f"'{missing}'"), whole_file(missing):
        pass


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "device"])
def test_what_a_user_names_to_write_to_is_a_file_or_free(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_bytes(b"mine")
    place: dict[str, Callable[[Path], None]] = {
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "link": lambda path: path.symlink_to(victim),
        "device": lambda path: path.symlink_to("/dev/null"),
    }
    place[kind](path)
    before = path.lstat()
    with (
        pytest.raises(ProverError, match="file: neither a file nor free"),
        output_file(path) as file,
    ):
        file.write(b"ours")
    assert (path.lstat(), victim.read_bytes()) == (before, b"mine")


def test_what_a_user_names_is_written_whole_or_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with output_text(path) as text:
        text.write("first\r\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(ZeroDivisionError), output_text(path) as text:
        write_half(text.buffer)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"first\r\n"


def test_a_lock_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ProverError, match="lock: neither a file nor free"),
        locked(tmp_path / "lock", "taken"),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_private_file_is_not_overwritten(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_private(tmp_path / "secret", b"one")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "secret", b"two")
    assert (tmp_path / "secret").read_bytes() == b"one"


HOLD = """
import sys
from collections.abc import Callable
from pathlib import Path
from prover.files.storage import locked
with locked(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_lasts_as_long_as_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ProverError, match="taken"), locked(path, "taken"):
            pass
        holder.kill()
    with locked(path, "taken"):
        pass


def test_nothing_is_kept_but_files_so_many_folders_below(tmp_path: Path) -> None:
    root, away = tmp_path / "root", tmp_path / "away"
    for folder in ("a/BTC/kept/folder", "a/ETH/other", "b/BTC/kept"):
        (root / folder).mkdir(parents=True)
    away.mkdir()
    (away / "0").write_text("of somebody else")
    for path in ("a/BTC/kept/0", "a/BTC/kept/folder/0", "a/ETH/other/0", "b/BTC/kept/0", "a/0"):
        (root / path).write_text(path)
    (root / "a/BTC/kept/1").symlink_to(away / "0")
    (root / "a/XRP").symlink_to(away)
    (root / "a/ETH/kept").symlink_to(away)
    keep_files(root, "a", None, "kept")
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "a/BTC/kept/0"]
    assert not [path for path in root.rglob("*") if path.is_symlink()]
    assert (away / "0").read_text() == "of somebody else"


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to(path.parent), None])
def test_what_stands_in_place_of_a_folder_goes(
    tmp_path: Path, make: Callable[[Path], None] | None
) -> None:
    root = tmp_path / "root"
    if make is not None:
        make(root)
    keep_files(root, "a")
    assert root.is_dir()
    assert not root.is_symlink()
    assert not list(root.iterdir())
    discard_folder(root)
    assert not root.exists()
    root.symlink_to(tmp_path)
    discard_folder(root)
    assert list(tmp_path.iterdir()) == []
