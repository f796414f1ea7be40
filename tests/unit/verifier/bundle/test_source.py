"""A bundle as a folder: exact listing, regular files alone, no link anywhere."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from verifier.bundle.source import FolderSource
from verifier.errors import CannotCheck, Code, Rejected

PATHS = ["manifest.msgpack", "manifest.sig", "evidence/BTC.msgpack", "pages/BTC/0", "pages/BTC/1"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "bundle"
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    return root


@pytest.fixture
def source(folder):
    with closing(FolderSource(folder)) as opened:
        yield opened


def rejected(code: Code, where: str):
    return pytest.raises(Rejected, match=f"^{code}: {where}: ")


def test_the_bundle_itself_passes(source):
    source.check_listing(PATHS)
    source.check_present(PATHS)
    assert source.read("pages/BTC/0", 100) == b"pages/BTC/0"
    assert source.size("pages/BTC/0") == 11
    assert source.read_range("pages/BTC/0", 6, 3) == b"BTC"


def test_one_byte_above_the_limit_is_read(source):
    assert source.read("manifest.msgpack", 16) == b"manifest.msgpack"
    assert source.read("manifest.msgpack", 15) == b"manifest.msgpack"
    assert source.read("manifest.msgpack", 3) == b"mani"


@pytest.mark.parametrize(
    "extra",
    [
        "README", ".hidden", "evidence/ETH.msgpack", "evidence/BTC.msgpack~", "pages/BTC/2",
        "pages/BTC/00", "pages/BTC/01", "pages/btc/0", "pages/x", "more/deep/file",
    ],
)  # fmt: skip
def test_an_extra_file_is_rejected(folder, source, extra):
    (folder / extra).parent.mkdir(parents=True, exist_ok=True)
    (folder / extra).write_bytes(b"")
    top = extra if (folder / extra).parent in known_folders(folder) else extra.rsplit("/", 1)[0]
    where = "more" if extra.startswith("more") else top
    with rejected(Code.BUNDLE_UNEXPECTED_FILE, where):
        source.check_listing(PATHS)


def known_folders(folder: Path) -> set[Path]:
    return {folder, *((folder / path).parent for path in PATHS), folder / "pages"}


def test_the_first_name_is_the_one_named(folder, source):
    for name in ("zzz", "aaa", "mmm"):
        (folder / name).write_bytes(b"")
    with rejected(Code.BUNDLE_UNEXPECTED_FILE, "aaa"):
        source.check_listing(PATHS)


@pytest.mark.parametrize("extra", ["empty", "pages/ETH", "evidence/empty"])
def test_an_empty_folder_is_rejected(folder, source, extra):
    (folder / extra).mkdir()
    with rejected(Code.BUNDLE_UNEXPECTED_FILE, extra):
        source.check_listing(PATHS)


def test_a_name_that_is_no_text_is_rejected(folder, source):
    (folder / os.fsdecode(b"\xff\xfe\x1b[2J")).write_bytes(b"")
    with pytest.raises(Rejected, match="unexpected-file"):
        source.check_listing(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_file_is_named(folder, source, path):
    (folder / path).unlink()
    with rejected(Code.BUNDLE_MISSING_FILE, path):
        source.check_present(PATHS)
    for read in (source.size, lambda name: source.read(name, 9)):
        with rejected(Code.BUNDLE_MISSING_FILE, path):
            read(path)


def test_a_missing_folder_is_a_missing_file(folder, source):
    (folder / "evidence/BTC.msgpack").unlink()
    (folder / "evidence").rmdir()
    source.check_listing(PATHS)
    with rejected(Code.BUNDLE_MISSING_FILE, "evidence/BTC.msgpack"):
        source.check_present(PATHS)


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        cwd = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            bound.bind(path.name)
        finally:
            os.chdir(cwd)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_folder, make_dangling])
@pytest.mark.parametrize("path", ["manifest.msgpack", "pages/BTC/1"])
def test_only_a_regular_file_is_read(folder, source, path, make):
    make(folder / path)
    with rejected(Code.BUNDLE_MISSING_FILE, path):
        source.size(path)
    with rejected(Code.BUNDLE_MISSING_FILE, path):
        source.read(path, 100)
    with rejected(Code.BUNDLE_UNEXPECTED_FILE, path):
        source.check_listing(PATHS)


@pytest.mark.parametrize("path", ["manifest.sig", "pages/BTC/1", "pages/BTC", "pages", "evidence"])
def test_no_link_is_followed(folder, source, tmp_path, path):
    (folder / path).rename(tmp_path / "target")
    (folder / path).symlink_to(tmp_path / "target")
    with rejected(Code.BUNDLE_UNEXPECTED_FILE, path):
        source.check_listing(PATHS)
    below = next(name for name in PATHS if name.startswith(path))
    with rejected(Code.BUNDLE_MISSING_FILE, below):
        source.read(below, 100)


def test_the_folder_itself_may_be_reached_by_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with closing(FolderSource(tmp_path / "link")) as source:
        source.check_listing(PATHS)


@pytest.mark.parametrize("name", ["nowhere", "file", "nul\0"])
def test_no_folder_is_no_verdict(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotCheck, match=r"^check\.unreadable: "):
        FolderSource(tmp_path / name)


def test_a_file_that_shrank_is_no_verdict(source):
    with pytest.raises(CannotCheck, match="changed"):
        source.read_range("pages/BTC/0", 6, 100)
