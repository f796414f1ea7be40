"""The file of all packages: what an interrupted run leaves of it, and what is believed of that."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pyarrow import parquet

from prover.errors import Damaged, ProverError
from prover.files.storage import locked
from prover.snapshot import package_file as module
from prover.snapshot.package_file import package_file

KINDS = ("parquet", "sqlite")
MANIFEST = bytes(range(32))
BEGIN = b"assay.packages/1" + MANIFEST
HEAD_BYTES = len(BEGIN) + 8
ROWS = [("ann", b"a" * 50), ("bob", b"b" * 60), ("cid", b""), ("dan", b"d" * 70), ("eve", b"e")]
PARTS = (ROWS[:2], ROWS[2:3], ROWS[3:])


def append(
    out: Path,
    *parts: list[tuple[str, bytes]],
    manifest: bytes = MANIFEST,
    then: Callable[[], object] = lambda: None,
) -> int:
    """Append parts to the file of five packages, do something before it is left, and return how
    many rows were there before."""
    with package_file(out, manifest, len(ROWS)) as file:
        assert file is not None
        before = file.done
        for part in parts:
            file.append([account for account, _ in part], [package for _, package in part])
        then()
    return before


def write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(data)


def beside(out: Path, manifest: bytes = MANIFEST) -> Path:
    return Path(f"{out}.{manifest.hex()[:16]}.parts")


def rows_in(out: Path) -> list[tuple[str, bytes]]:
    """Return the rows of a file, and see to it that an index, where it has one, finds them."""
    if out.suffix == ".parquet":
        columns = parquet.read_table(out).columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))
    with sqlite3.connect(out) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT account, package FROM packages").fetchall()


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_stands_alone(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    assert append(out, *PARTS) == 0
    assert rows_in(out) == ROWS
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [out]
    # A run that was killed at its very end left the parts; else they are not its own.
    for left, expected in ((BEGIN, []), (b"mine", [beside(out)])):
        write_private(beside(out), left)
        with package_file(out, MANIFEST, len(ROWS)) as file:
            assert file is None
        assert sorted(tmp_path.iterdir()) == [out, *expected]


def test_parts_are_gone_on_with_up_to_where_they_were_cut(tmp_path: Path) -> None:
    """At any byte, as a kill or a power cut leaves them, from the first one on."""
    out = tmp_path / "all.parquet"
    ends = [HEAD_BYTES]
    for part in PARTS[:2]:
        append(out, part)
        ends.append(beside(out).stat().st_size)
    assert stat.S_IMODE(beside(out).stat().st_mode) == 0o600
    whole = beside(out).read_bytes()
    for length in range(len(BEGIN)):
        beside(out).write_bytes(whole[:length])
        assert append(out) == 0
        assert beside(out).read_bytes().startswith(BEGIN)
    for length in range(len(BEGIN), len(whole) + 1):
        for tail in (b"", b"\xff" * 300):
            beside(out).write_bytes(whole[:length] + tail)
            expected = (0, 2, 3)[max(0, sum(length >= end for end in ends) - 1)]
            assert append(out) == expected, (length, tail)
            kept = ends[(0, 2, 3).index(expected)]
            assert beside(out).stat().st_size == kept
            assert beside(out).read_bytes()[HEAD_BYTES:] == whole[HEAD_BYTES:kept]
    assert append(out, *PARTS[2:]) == 3
    assert rows_in(out) == ROWS


def test_no_damaged_part_is_gone_on_with(tmp_path: Path) -> None:
    """Whichever byte is another; what is damaged is made again."""
    out = tmp_path / "all.sqlite"
    append(out, PARTS[0])
    end = beside(out).stat().st_size
    append(out, PARTS[1])
    whole = beside(out).read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        beside(out).write_bytes(damaged)
        if at < len(BEGIN):
            with pytest.raises(ProverError, match=r"\.parts: does not begin as .*; move it away"):
                append(out)
            assert beside(out).read_bytes() == damaged
        elif at >= HEAD_BYTES:
            assert append(out) == (2 if at >= end else 0), at
    beside(out).write_bytes(damaged)
    assert append(out, *PARTS[1:]) == 2
    assert rows_in(out) == ROWS


def test_a_part_counts_in_its_own_place_of_its_own_manifest(tmp_path: Path) -> None:
    out, other = tmp_path / "all.parquet", bytes(32)
    append(out, PARTS[0])
    head, first = cut(beside(out).read_bytes(), HEAD_BYTES)
    append(out, PARTS[1])
    second = beside(out).read_bytes()[HEAD_BYTES + len(first) :]
    for data, expected in ((second, 0), (first + first, 2), (second + first, 0)):
        beside(out).write_bytes(head + data)
        assert append(out) == expected
    of_other = head.replace(MANIFEST, other)
    write_private(beside(out, other), of_other + first + second)
    assert append(out, manifest=other) == 0
    beside(out).write_bytes(head + first + second)
    assert append(out) == 3


def cut(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_while_it_is_written_becomes_no_file(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    with pytest.raises(Damaged, match="run again"):
        append(out, *PARTS, then=lambda: os.truncate(beside(out), 700))
    assert list(tmp_path.iterdir()) == [beside(out)]
    assert append(out, *PARTS[1:]) == 2
    assert rows_in(out) == ROWS


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_written_anew_where_a_run_was_killed_over_it(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    append(out, *PARTS[:2])
    token = beside(out).read_bytes()[len(BEGIN) : HEAD_BYTES]
    Path(f"{out}.{token.hex()}.partial").write_bytes(b"half a file")
    mine = Path(f"{out}.{MANIFEST.hex()[:16]}.partial")
    mine.write_bytes(b"mine")
    append(out, *PARTS[2:])
    assert rows_in(out) == ROWS
    assert sorted(tmp_path.iterdir()) == [out, mine]
    assert mine.read_bytes() == b"mine"


def a_link(parts: Path) -> None:
    parts.symlink_to(parts.with_name("mine"))


def a_second_name(parts: Path) -> None:
    parts.with_name("mine").chmod(0o600)
    parts.hardlink_to(parts.with_name("mine"))


def open_to_others(parts: Path) -> None:
    parts.write_bytes(BEGIN)
    parts.chmod(0o666)


def something_else(parts: Path) -> None:
    write_private(parts, b"mine")


@pytest.mark.parametrize(
    "stand", [a_link, a_second_name, open_to_others, something_else, os.mkfifo, Path.mkdir]
)
def test_what_stands_where_parts_would_is_left_as_it_is(
    tmp_path: Path, stand: Callable[[Path], None]
) -> None:
    """No package gets into a file that others may read, and nothing of a user's is erased."""
    out, mine = tmp_path / "all.sqlite", tmp_path / "mine"
    mine.write_bytes(b"mine" * 100)
    stand(beside(out))
    before = beside(out).lstat()
    with pytest.raises(ProverError, match=r"\.parts: .*; move it away"):
        append(out, *PARTS)
    assert mine.read_bytes() == b"mine" * 100
    after = beside(out).lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
    )
    assert not out.exists()


def test_parts_that_another_run_took_away_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended between opening and locking."""
    out = tmp_path / "all.sqlite"
    monkeypatch.setattr(module, "lock", lambda *_: beside(out).unlink())
    with pytest.raises(ProverError, match="run again"):
        append(out, *PARTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lost_rows_is_not_said_to_be_whole(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    append(out, *PARTS)
    with (
        pytest.raises(ProverError, match=r"damaged: it has 5 packages .* not 6; nothing is"),
        package_file(out, MANIFEST, len(ROWS) + 1),
    ):
        pass
    assert rows_in(out) == ROWS


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    with pytest.raises(ProverError, match="nothing is overwritten"):
        append(out, *PARTS, then=lambda: out.write_bytes(b"mine"))
    assert out.read_bytes() == b"mine"
    out.unlink()
    assert append(out) == 5
    assert rows_in(out) == ROWS


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_at_once_are_refused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    with (
        locked(beside(out), "held"),
        pytest.raises(ProverError, match="another run is at work"),
    ):
        append(out)


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_leaves_whole_rows(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    append(out, PARTS[0])
    with room(20_000), pytest.raises(OSError, match=r"\.parts"):
        append(out, [("bob", b"b" * 50_000)])
    assert append(out, PARTS[1]) == 2
    assert append(out) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full_at_the_end_is_given_its_room_back(tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"all.{kind}"
    with ExitStack() as limits, pytest.raises((OSError, ProverError), match=r"\.part"):
        append(out, *PARTS, then=lambda: limits.enter_context(room(100)))
    assert list(tmp_path.iterdir()) == [beside(out)]
    assert append(out) == 5
    assert rows_in(out) == ROWS
