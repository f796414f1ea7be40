"""Two manifests of one key: `assay-verify compare` tells what they prove, and keeps them."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.auditing_host import serving
from tests.support.bases import base, base_files, edited, forged, resigned
from tests.support.forger import public_key
from tests.support.subjects import write_files
from tests.vectors.make_manifests import (
    OLD_SEED,
    digest_of,
    follower,
    previous_bundle,
    rotation,
)
from verifier import audit
from verifier.commands.cli import main
from verifier.format import wire
from verifier.format.keys import is_signed, public_key_text
from verifier.format.statement import manifest_digest

KEY = base("honest").forger.public_key
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def compare(*arguments: object) -> tuple[int, list[str]]:
        capsys.readouterr()
        code = main(["compare", *map(str, arguments)])
        return code, capsys.readouterr().out.splitlines()

    return compare


def another(name: str, folder: Path, **fields: Any) -> Path:
    """The honest bundle with other fields of its manifest, signed."""
    return write_files(folder / name, edited(lambda manifest: manifest.update(fields)))


def test_two_snapshots_after_one(run: Run, tmp_path: Path) -> None:
    """Both pass every check alone; together no honest history holds them."""
    previous = previous_bundle()
    after = digest_of(previous)
    a, b = (
        write_files(tmp_path / name, forged(previous=after, snapshot_id=f"2026-01-{name}"))
        for name in ("a", "b")
    )
    before = write_files(tmp_path / "before", previous)
    for bundle in (a, b):
        audit(bundle, KEY, previous=before)
    code, lines = run(a, b)
    assert code == 0
    assert lines[-1] == (
        "PROVED: two different snapshots, 2026-01-a and 2026-01-b, follow the same one"
    )
    assert all(line.startswith(public_key_text(KEY)) for line in lines[:2])
    assert run(a, b, "--exchange-key", public_key_text(KEY))[0] == 0
    assert run(a / "manifest.msgpack", b)[0] == 0
    assert run(a, before)[0] == 3
    assert run(before, b)[1][-1] == (
        "NOT PROVED: together they contradict none of the rules for histories"
    )


def test_two_firsts(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, snapshot_id="another-first")
    code, lines = run(a, b)
    assert (code, lines[-1].endswith("are each said to be first")) == (0, True)


def test_one_id_twice(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, time=base("honest").forger.time + 1, previous=bytes(range(32)))
    code, lines = run(a, b)
    assert code == 0
    assert lines[-1] == "PROVED: two different manifests are signed for snapshot 2026-01-01"


def test_the_same_twice_proves_nothing(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    assert run(a, a)[0] == 3
    assert run(a, a, "--out", tmp_path / "kept")[0] == 3
    assert not (tmp_path / "kept").exists()


def test_a_chain_proves_nothing(run: Run, tmp_path: Path) -> None:
    first = previous_bundle()
    a = write_files(tmp_path / "a", first)
    b = write_files(tmp_path / "b", follower(first))
    assert run(a, b)[0] == run(b, a)[0] == 3


def test_what_is_malformed_in_other_ways_is_evidence_all_the_same(run: Run, tmp_path: Path) -> None:
    """A liar must not be able to spoil the evidence by a unit that nobody knows."""
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, protocol_version=7, exchange="\u202e", time=2**63, snapshot_id="")
    assert run(a, b)[0] == 0


def test_a_key_that_replaced_another_is_one_with_it(run: Run, tmp_path: Path) -> None:
    """The old key signs a snapshot, and a rotation to a new key, after the same one."""
    old = previous_bundle(OLD_SEED)
    after = digest_of(old)
    fields = {"previous": after, "snapshot_id": "other"}
    a = write_files(tmp_path / "a", previous_bundle(OLD_SEED, **fields))
    b = write_files(tmp_path / "b", follower(old, rotation(after)))
    assert run(a, b)[0] == 0
    false = rotation(after, old_signature=bytes(64))
    c = write_files(tmp_path / "c", follower(old, false))
    assert run(a, c)[0] == 2  # the old key signed no rotation, so these are two keys
    second = replace(base("honest").forger, signing_seed=sha256(b"stranger").digest())
    d = write_files(tmp_path / "d", second.bundle())
    assert run(a, d)[0] == run(d, b)[0] == 2


def test_an_old_key_that_gave_itself_up_once_signed_nothing_twice(run: Run, tmp_path: Path) -> None:
    """Whoever holds the new key signs two snapshots; the old one's single statement is in both."""
    old = previous_bundle(OLD_SEED)
    after = digest_of(old)
    a = write_files(tmp_path / "a", follower(old, rotation(after)))

    def fork(fields: dict[str, Any]) -> None:
        fields.update(previous=after, rotation=[rotation(after)], snapshot_id="fork")

    b = write_files(tmp_path / "b", edited(fork))
    code, lines = run(a, b)
    assert code == 0
    assert [line for line in lines if line.startswith("proved of")] == [
        f"proved of the holder of {public_key_text(KEY)}"
    ]
    pinned = run(a, b, "--exchange-key", public_key_text(public_key(OLD_SEED)))
    assert pinned == (
        code,
        lines,
    )  # the exchange that was pinned is theirs; its old key is not told


def test_nobody_frames_an_old_key_by_what_it_never_signed(run: Run, tmp_path: Path) -> None:
    """A rotation has neither id nor time; whoever holds the new key chooses both."""
    earlier = previous_bundle(OLD_SEED, snapshot_id="earlier", time=1_600_000_000)
    a = write_files(tmp_path / "a", earlier)
    last = previous_bundle(OLD_SEED, previous=digest_of(earlier), time=1_600_000_100)
    after = digest_of(last)
    chosen: list[dict[str, Any]] = [
        {"snapshot_id": "earlier"},
        {"time": 1_600_000_000},
        {"time": 5},
    ]
    for at, fields in enumerate(chosen):
        made = {"previous": after, "rotation": [rotation(after)], **fields}
        b = another(f"b{at}", tmp_path, **made)
        assert run(a, b)[0] == 3
        c = write_files(tmp_path / f"c{at}", last)
        assert run(b, c)[0] == 3


def test_one_time_twice_and_a_follower_of_the_later(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    time, digest = base("honest").forger.time, digest_of(base_files("honest"))
    same = another("same", tmp_path, snapshot_id="same", previous=bytes(range(32)))
    code, lines = run(a, same)
    assert (code, "of one time" in lines[-1]) == (0, True)
    early = another("early", tmp_path, snapshot_id="early", previous=digest, time=time - 1)
    code, lines = run(early, a)
    assert (code, "early follows a snapshot that is later" in lines[-1]) == (0, True)


def test_what_cannot_be_kept_is_proved_all_the_same(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, snapshot_id="another-first")
    (tmp_path / "file").touch()
    code, lines = run(a, b, "--out", tmp_path / "file")
    assert (code, lines[-1].split(":")[0]) == (0, "PROVED")
    victim, kept = tmp_path / "victim", tmp_path / "kept"
    victim.write_bytes(b"mine")
    kept.mkdir()
    digest = manifest_digest((a / "manifest.msgpack").read_bytes())
    (kept / f"{digest.hex()}.sig").symlink_to(victim)
    code, lines = run(a, b, "--out", kept)
    assert (code, lines[-1].split(":")[0]) == (0, "PROVED")
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("option", [(), ("--exchange-key", public_key_text(b"\x11" * 32))])
def test_two_keys_are_usage(run: Run, tmp_path: Path, option: tuple[str, ...]) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = write_files(tmp_path / "b", previous_bundle(OLD_SEED) if not option else previous_bundle())
    assert run(a, b, *option)[0] == 2


def test_nobodys_key_proves_nothing(run: Run, tmp_path: Path) -> None:
    """Anyone can sign two manifests under a key of small order."""
    neutral = bytes([1]) + bytes(31)
    fits = (4 * pow(5, -1, 2**255 - 19) % (2**255 - 19)).to_bytes(32, "little") + neutral
    for name, snapshot_id in (("a", "one"), ("b", "two")):
        folder = another(name, tmp_path, public_key=neutral, snapshot_id=snapshot_id)
        (folder / "manifest.sig").write_bytes(fits)
    assert run(tmp_path / "a", tmp_path / "b")[0] == 1


def test_what_cannot_be_read_proves_nothing(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    assert run(a, tmp_path / "nowhere")[0] == 1
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", a)[0] == 1
    unsigned = write_files(tmp_path / "unsigned", base_files("honest"))
    (unsigned / "manifest.sig").write_bytes(bytes(64))
    assert run(a, unsigned)[0] == 1
    broken = write_files(tmp_path / "broken", resigned(b"\x80"))
    code, lines = run(a, broken)
    assert (code, lines[-2].startswith("NOT CHECKED check.unreadable: ")) == (1, True)


def test_the_evidence_is_kept_and_is_in_the_json(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, snapshot_id="another-first")
    kept = tmp_path / "deep" / "kept"
    code, lines = run(a, b, "--out", kept, "--json")
    found = json.loads("\n".join(lines))
    assert (code, found["proved"], len(found["kept"])) == (0, True, 4)
    for item in found["manifests"]:
        data, signature = b64decode(item["manifest"]), b64decode(item["signature"])
        assert is_signed(KEY, "manifest-signature", data, signature)
        assert (kept / f"{item['digest']}.msgpack").read_bytes() == data
        assert (kept / f"{item['digest']}.sig").read_bytes() == signature
        assert wire.read_record(wire.Manifest, data).snapshot_id == item["snapshot_id"]
    files = [kept / f"{item['digest']}.msgpack" for item in found["manifests"]]
    shutil.rmtree(a)
    assert run(*files)[0] == 0


def test_over_http(run: Run, tmp_path: Path) -> None:
    a = write_files(tmp_path / "a", base_files("honest"))
    b = another("b", tmp_path, snapshot_id="another-first")
    with serving(a) as url:
        assert run(url, b)[0] == 0
        assert run(f"{url}/manifest.msgpack", b)[0] == 0
        assert run(f"{url}/nowhere", b)[0] == 1
