"""Snapshots that follow one another, under one key and under a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

import verifier
from prover.errors import ProverError
from prover.snapshot import make_snapshot
from tests.e2e.exchange import LONG, edit, own_exchange, public_key


def following(
    folder: Path, name: str, time: str, previous: str = "first = true", keys: Path | None = None
) -> Path:
    """Make a snapshot file in ``folder / name``, under the keys given or new ones."""
    config = own_exchange(
        folder / name,
        LONG,
        {"ETH": 1},
        decimals={"ETH": 0},
        keys=keys,
        snapshot_id=name,
        time=time,
        previous=previous,
    )
    (folder / name / "ledger.csv").write_text("id,code,amount\nann,ETH,1\n")
    return config


OCTOBER, NOVEMBER = "2026-10-21T00:00:00Z", "2026-11-21T00:00:00Z"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Return the bundle of a first snapshot, whose keys are in ``tmp_path / "one"``."""
    return make_snapshot(following(tmp_path, "one", OCTOBER), tmp_path / "one" / "out").bundle


def manifest_of(bundle: Path) -> str:
    return f'manifest = "{bundle / "manifest.msgpack"}"'


def test_a_manifest_follows_the_one_before(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "two", NOVEMBER, manifest_of(first), tmp_path / "one")
    second = make_snapshot(config, tmp_path / "two" / "out").bundle
    report = verifier.audit(second, public_key(config), previous=first)
    assert report.manifest.previous == verifier.audit(first, public_key(config)).digest
    assert report.manifest.rotation == ()
    with pytest.raises(verifier.Rejected) as refused:
        verifier.audit(first, public_key(config), previous=second)
    assert refused.value.code == "manifest.broken-chain"


def test_a_new_key_is_signed_for_by_the_old(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "two", NOVEMBER, manifest_of(first))
    with pytest.raises(ProverError, match="old_signing must name the old one"):
        make_snapshot(config, tmp_path / "two" / "out")
    old_key = tmp_path / "one" / "signing.pem"
    edit(config, 'msgpack"', f'msgpack"\nold_signing = "{old_key}"')
    second = make_snapshot(config, tmp_path / "two" / "out").bundle
    report = verifier.audit(second, public_key(config), previous=first)
    assert report.manifest.rotation[0].old_key == public_key(tmp_path / "one" / "snapshot.toml")


@pytest.mark.parametrize(
    ("name", "time", "old_signing", "message"),
    [
        ("two", OCTOBER, None, "must have another id and be earlier"),
        ("one", NOVEMBER, None, "must have another id and be earlier"),
        ("two", NOVEMBER, "one/signing.pem", "the signing key has not changed"),
    ],
)
def test_what_does_not_follow_is_refused(
    tmp_path: Path, first: Path, name: str, time: str, old_signing: str | None, message: str
) -> None:
    previous = manifest_of(first)
    if old_signing:
        previous += f'\nold_signing = "{tmp_path / old_signing}"'
    config = following(tmp_path / "later", name, time, previous, tmp_path / "one")
    (tmp_path / "one" / "signing.pem.log").unlink()
    with pytest.raises(ProverError, match=message):
        make_snapshot(config, tmp_path / "out")
    assert not (tmp_path / "out" / "public").exists()


def test_another_exchanges_manifest_is_refused(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "two", NOVEMBER, manifest_of(first), tmp_path / "one")
    edit(config, "Börse", "Bourse")
    with pytest.raises(ProverError, match="of another exchange"):
        make_snapshot(config, tmp_path / "out")


def test_the_old_key_must_be_the_one_that_signed(tmp_path: Path, first: Path) -> None:
    own = tmp_path / "two" / "signing.pem"
    previous = f'{manifest_of(first)}\nold_signing = "{own}"'
    config = following(tmp_path, "two", NOVEMBER, previous)
    with pytest.raises(ProverError, match="not the key of the previous manifest"):
        make_snapshot(config, tmp_path / "out")


@pytest.mark.parametrize("moment", ["2062-11-28T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_snapshot_of_the_future_is_not_begun(tmp_path: Path, moment: str) -> None:
    config = following(tmp_path, "one", moment)
    with pytest.raises(ProverError, match=f"time: {moment} is in the future"):
        make_snapshot(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.log"))  # nothing was signed for its id


def test_nothing_follows_a_snapshot_of_the_future(tmp_path: Path) -> None:
    ahead = following(tmp_path, "one", "2062-11-28T00:00:00Z")
    first = make_snapshot(ahead, tmp_path / "out", allow_future=True).bundle
    config = following(tmp_path, "two", NOVEMBER, manifest_of(first), tmp_path / "one")
    with pytest.raises(ProverError, match="be earlier; it is one, of 2062-11-28T00:00:00Z"):
        make_snapshot(config, tmp_path / "two" / "out")


@pytest.mark.parametrize("file", ["manifest.msgpack", "manifest.sig"])
def test_a_damaged_predecessor_is_refused(tmp_path: Path, first: Path, file: str) -> None:
    config = following(tmp_path, "two", NOVEMBER, manifest_of(first), tmp_path / "one")
    data = bytearray((first / file).read_bytes())
    data[-1] ^= 1
    (first / file).write_bytes(data)
    with pytest.raises(ProverError, match=r"manifest\.msgpack: "):
        make_snapshot(config, tmp_path / "out")
    (first / file).unlink()
    with pytest.raises(ProverError, match=rf"{file}: No such file"):
        make_snapshot(config, tmp_path / "out")
