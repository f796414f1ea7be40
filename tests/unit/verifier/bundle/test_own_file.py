"""Files of the user's own, beside what others may have put there."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from verifier.bundle.own_file import keep_file, open_own

DATA = b"what is kept" * 100

PLACERS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to(path.with_name("same")),
    "dangling": lambda path: path.symlink_to(path.with_name("absent")),
    "other": lambda path: shutil.copyfile("/bin/true", path),
}


def test_a_file_is_kept_whole_for_everybody_and_may_be_kept_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        keep_file(path, DATA)
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
        assert path.read_bytes() == DATA
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("kind", PLACERS)
def test_what_stands_there_is_left_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path, same = tmp_path / "file", tmp_path / "same"
    same.write_bytes(DATA)
    PLACERS[kind](path)
    before = path.lstat()
    with pytest.raises(FileExistsError, match=f"'{path}'"):
        keep_file(path, DATA)
    assert path.lstat() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "same"}
    if kind != "other":
        with pytest.raises(OSError, match=path.name):
            os.close(open_own(path))


def test_no_link_beside_it_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "file.partial").symlink_to(victim)
    keep_file(tmp_path / "file", DATA)
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file.partial").is_symlink()


def test_on_a_full_disk_nothing_is_left(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match=r"file'$") as failed:
            keep_file(tmp_path / "file", DATA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []
