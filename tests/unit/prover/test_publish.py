"""Publishing into a folder: what stands there afterwards, whatever happened in between."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prover.errors import ProverError
from prover.publish.publish import publish
from prover.publish.targets import FolderTarget
from tests.support.exchange_files import files
from tests.support.verifier_bundle import Bundle
from verifier.bundle.history import Entry, History, read_history, write_history
from verifier.checks.manifest import rotation_body
from verifier.format import wire
from verifier.format.keys import sign
from verifier.verify import audit


def bundle_in(folder: Path, name: str, **changes: Any) -> Bundle:
    (folder / name).mkdir()
    return Bundle(folder / name, **changes)


def after(before: Bundle, name: str, **changes: Any) -> dict[str, Any]:
    """The head of the snapshot that follows another."""
    return {
        "previous": before.digest,
        "snapshot_id": name,
        "time": before.manifest.time + 86_400,
        **changes,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "published"


@pytest.fixture
def first(tmp_path: Path) -> Bundle:
    return bundle_in(tmp_path, "first")


def test_a_chain_of_snapshots(tmp_path: Path, root: Path, first: Bundle) -> None:
    done = publish(first.folder, root.as_uri())
    assert (done.snapshot_id, done.new, done.path) == ("2024-q1", True, "snapshots/2024-q1/")
    assert done.manifest_digest == first.digest
    assert done.size == sum(map(len, files(first.folder).values()))
    assert done.files == len(files(first.folder))
    second = bundle_in(tmp_path, "second", head=after(first, "2024-q2"))
    publish(second.folder, root.as_uri())

    expected = {
        f"snapshots/{name}/{path}": data
        for name, bundle in (("2024-q1", first), ("2024-q2", second))
        for path, data in files(bundle.folder).items()
    }
    found = files(root)
    assert json.loads(found.pop("history.json")) == {
        "version": 1,
        "exchange": "An Exchange",
        "public_key": first.key_text,
        "snapshots": [
            {
                "snapshot_id": "2024-q1",
                "manifest": first.digest.hex(),
                "previous": "00" * 32,
                "time": "2023-11-14T22:13:20Z",
                "path": "snapshots/2024-q1/",
            },
            {
                "snapshot_id": "2024-q2",
                "manifest": second.digest.hex(),
                "previous": first.digest.hex(),
                "time": "2023-11-15T22:13:20Z",
                "path": "snapshots/2024-q2/",
            },
        ],
    }
    assert found == expected
    audit(root / done.path, first.key)
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in root.rglob("*"))


def test_again_changes_nothing_and_restores_what_was_lost(root: Path, first: Bundle) -> None:
    publish(first.folder, root.as_uri())
    before = files(root)
    assert not publish(first.folder, root.as_uri()).new
    (root / "snapshots/2024-q1/pages/BTC/0").unlink()
    (root / "snapshots/2024-q1/manifest.msgpack").unlink()
    assert not publish(first.folder, root.as_uri()).new
    assert files(root) == before


def test_what_is_published_is_not_changed(root: Path, first: Bundle) -> None:
    publish(first.folder, root.as_uri())
    page = root / "snapshots/2024-q1/pages/BTC/0"
    damaged = page.read_bytes()[:-1] + b"\x00"
    page.write_bytes(damaged)
    with pytest.raises(ProverError, match="pages/BTC/0 differs"):
        publish(first.folder, root.as_uri())
    assert page.read_bytes() == damaged


def test_what_is_not_published_yet_is_put_right(root: Path, first: Bundle) -> None:
    folder = root / "snapshots/2024-q1"
    (folder / "pages/BTC").mkdir(parents=True)
    (folder / "pages/BTC/0").write_bytes(b"from an earlier try")
    publish(first.folder, root.as_uri())
    audit(folder, first.key)


@pytest.mark.parametrize("path", ["history.json", "snapshots/2024-q1/evidence/BTC.msgpack"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_readers_would_not_be_given_is_no_file(
    root: Path, first: Bundle, path: str, kind: str
) -> None:
    publish(first.folder, root.as_uri())
    file, moved = root / path, root.with_name("moved")
    file.rename(moved)
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(moved)
    with pytest.raises(ProverError, match=f"{path}: neither a file nor free"):
        publish(first.folder, root.as_uri())


@pytest.mark.parametrize("named", [True, False])
def test_one_id_stands_for_one_manifest(
    tmp_path: Path, root: Path, first: Bundle, named: bool
) -> None:
    other = bundle_in(tmp_path, "other", head={"time": 1_700_000_001})
    publish(first.folder, root.as_uri())
    if not named:  # the first publisher is still at it
        (root / "history.json").unlink()
        (root / "snapshots/2024-q1/manifest.msgpack").unlink()
    before = files(root)
    with pytest.raises(ProverError, match="another manifest is published for snapshot 2024-q1"):
        publish(other.folder, root.as_uri())
    assert files(root) == before


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"previous": bytes(32)}, "does not follow 2024-q1"),
        ({"previous": b"\x01" * 32}, "does not follow 2024-q1"),
        ({"time": 1_700_000_000}, "previous manifest is not earlier"),
    ],
)
def test_a_broken_chain_is_refused(
    tmp_path: Path, root: Path, first: Bundle, head: dict[str, Any], message: str
) -> None:
    publish(first.folder, root.as_uri())
    before = files(root)
    second = bundle_in(tmp_path, "second", head=after(first, "2024-q2", **head))
    with pytest.raises(ProverError, match=message):
        publish(second.folder, root.as_uri())
    assert files(root) == before


def test_a_new_key_is_signed_in_by_the_old(tmp_path: Path, root: Path, first: Bundle) -> None:
    publish(first.folder, root.as_uri())
    unsigned = bundle_in(tmp_path, "unsigned", seed=2, head=after(first, "2024-q2"))
    with pytest.raises(ProverError, match="not signed by the key"):
        publish(unsigned.folder, root.as_uri())
    new = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    body = rotation_body(
        first.key, new.public_key().public_bytes_raw(), "An Exchange", first.digest
    )
    rotation = wire.Rotation(
        new_signature=sign(new, "rotation", body),
        old_key=first.key,
        old_signature=sign(first.signer, "rotation", body),
    )
    head = after(first, "2024-q2", rotation=(rotation,))
    second = bundle_in(tmp_path, "second", seed=2, head=head)
    publish(second.folder, root.as_uri())
    assert read_history((root / "history.json").read_bytes()).public_key == second.key


def test_one_publisher_at_a_time(root: Path, first: Bundle) -> None:
    with FolderTarget(root).lock(), pytest.raises(ProverError, match="another process publishes"):
        publish(first.folder, root.as_uri())
    assert files(root) == {}
    publish(first.folder, root.as_uri())


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shorten(folder / "pages/BTC/0"), "another length"),
        (lambda folder: shorten(folder / "evidence/BTC.msgpack"), "not the evidence"),
        (lambda folder: shorten(folder / "manifest.msgpack"), "manifest"),
        (lambda folder: (folder / "manifest.sig").write_bytes(bytes(64)), "not signed"),
        (lambda folder: (folder / "pages/ETH/0").unlink(), "no such regular file"),
        (lambda folder: (folder / "notes").write_bytes(b""), "is no file of this bundle"),
        (lambda folder: (folder / "notes").symlink_to("manifest.sig"), "no file of this bundle"),
    ],
)
def test_an_incomplete_bundle_is_refused(
    root: Path, first: Bundle, damage: Callable[[Path], None], message: str
) -> None:
    damage(first.folder)
    with pytest.raises(ProverError, match=message):
        publish(first.folder, root.as_uri())
    assert not root.exists()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 100_000, b"\xff"])
def test_an_index_that_is_none_is_left_alone(root: Path, first: Bundle, damage: bytes) -> None:
    root.mkdir()
    (root / "history.json").write_bytes(damage)
    with pytest.raises(ProverError, match=r"history\.json"):
        publish(first.folder, root.as_uri())
    assert files(root) == {"history.json": damage}


@pytest.mark.parametrize(
    "target", ["", "/srv/x", "file://x", "s3://", "s3://B", "s3://b/../x", "http://x/y", "s3://ab"]
)
def test_a_target_of_no_known_kind(first: Bundle, target: str) -> None:
    with pytest.raises(ProverError, match="the target is neither"):
        publish(first.folder, target)


def test_a_time_that_no_index_can_name(tmp_path: Path, root: Path) -> None:
    late = bundle_in(tmp_path, "late", head={"time": 2**40})
    with pytest.raises(ProverError, match="cannot name this snapshot, too: snapshot 1: time"):
        publish(late.folder, root.as_uri())
    assert files(root) == {}


def test_an_index_that_is_full(tmp_path: Path, root: Path) -> None:
    entries: list[Entry] = []
    digest = bytes(32)
    while len(entries) < 3_000:
        before, digest = digest, len(entries).to_bytes(32)
        entries.append(Entry(digest, before, f"{len(entries):064}", len(entries) + 1))
    last = bundle_in(tmp_path, "last", head={"previous": digest})
    publish(last.folder, root.as_uri())
    (named,) = read_history((root / "history.json").read_bytes()).snapshots
    history = History("An Exchange", last.key, (*entries, named))
    while len(write_history(history)) > 2**20:
        history = History("An Exchange", last.key, history.snapshots[1:])
    (root / "history.json").write_bytes(write_history(history))
    before_it = files(root)
    full = bundle_in(tmp_path, "full", head=after(last, "x" * 64))
    with pytest.raises(ProverError, match="too: empty, or larger than 1 MiB"):
        publish(full.folder, root.as_uri())
    assert files(root) == before_it


def test_progress_reaches_its_total(root: Path, first: Bundle) -> None:
    for _ in range(2):
        seen = Seen()
        publish(first.folder, root.as_uri(), seen)
        assert seen.units == sorted(seen.units)
        assert seen.units[-1] == seen.total


class Seen:
    """Progress, kept."""

    def __init__(self) -> None:
        self.total: int | None = 0
        self.units: list[int] = []

    def stage(self, name: str, total: int | None) -> None:
        self.total = total

    def advance(self, done: int) -> None:
        self.units.append(self.units[-1] + done)

    def reach(self, done: int) -> None:
        self.units.append(done)


def kill(*arguments: object) -> None:
    """Run publishers that are killed."""
    script = Path(__file__).parents[2] / "support" / "publish_killed.py"
    subprocess.run([sys.executable, str(script), *map(str, arguments)], check=True)


def check_partial(root: Path, first: Bundle, second: Bundle) -> None:
    """What is named is whole; what has a manifest is whole."""
    history = read_history((root / "history.json").read_bytes())
    assert [entry.snapshot_id for entry in history.snapshots] in (
        ["2024-q1"],
        ["2024-q1", "2024-q2"],
    )
    for bundle in (first, second):
        folder = root / "snapshots" / bundle.manifest.snapshot_id
        named = any(entry.manifest == bundle.digest for entry in history.snapshots)
        found = files(folder) if folder.exists() else {}
        if named or "manifest.msgpack" in found:
            assert found == files(bundle.folder)


@pytest.fixture
def second(tmp_path: Path, first: Bundle) -> Bundle:
    return bundle_in(tmp_path, "second", head=after(first, "2024-q2"))


@pytest.fixture
def begun(tmp_path: Path, first: Bundle) -> Path:
    """A published folder with the first snapshot."""
    folder = tmp_path / "begun"
    publish(first.folder, folder.as_uri())
    return folder


def test_killed_at_every_step(tmp_path: Path, first: Bundle, second: Bundle, begun: Path) -> None:
    tries = tmp_path / "tries"
    kill(second.folder, begun, tries)
    publish(second.folder, begun.as_uri())
    whole = files(begun)
    *partial, last = sorted(tries.iterdir(), key=lambda root: int(root.name))
    assert files(last) == whole
    assert len(partial) > 30
    for root in partial:
        check_partial(root, first, second)
        publish(second.folder, root.as_uri())
        assert files(root) == whole, root.name


def test_killed_again_and_again(tmp_path: Path, first: Bundle, second: Bundle, begun: Path) -> None:
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    again = tmp_path / "again"
    kill(second.folder, begun, again, *(draw.randint(1, 60) for _ in range(20)))
    check_partial(again, first, second)
    publish(second.folder, again.as_uri())
    publish(second.folder, begun.as_uri())
    assert files(again) == files(begun), f"seed {seed}"
