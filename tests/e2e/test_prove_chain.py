"""Snapshots that follow one another, under one key and under a new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import verifier
from prover.errors import ProverError
from prover.files.keys import read_signing_key
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import LONG, edit, own_exchange, public_key
from verifier.compare import compare_manifests
from verifier.format.keys import sign
from verifier.format.wire import Manifest, read_record, write_record


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


FIRST, SECOND = "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"
LATER = "2026-11-23T00:00:00Z"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Return the bundle of a first snapshot, whose keys are in ``tmp_path / "one"``."""
    return make_snapshot(following(tmp_path, "one", FIRST), tmp_path / "one" / "out").bundle


def manifest_of(bundle: Path) -> str:
    return f'manifest = "{bundle / "manifest.msgpack"}"'


def test_a_manifest_follows_the_one_before(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    second = make_snapshot(config, tmp_path / "two" / "out").bundle
    report = verifier.audit(second, public_key(config), previous=first)
    assert report.manifest.previous == verifier.audit(first, public_key(config)).digest
    assert report.manifest.rotation == ()
    with pytest.raises(verifier.Rejected) as refused:
        verifier.audit(first, public_key(config), previous=second)
    assert refused.value.code == "manifest.broken-chain"


def test_a_new_key_is_signed_for_by_the_old(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "two", SECOND, manifest_of(first))
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
        ("two", FIRST, None, "must have another id and be earlier"),
        ("one", SECOND, None, "must have another id and be earlier"),
        ("two", SECOND, "one/signing.pem", "the signing key has not changed"),
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
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    edit(config, "Börse", "Bourse")
    with pytest.raises(ProverError, match="of another exchange"):
        make_snapshot(config, tmp_path / "out")


def test_the_old_key_must_be_the_one_that_signed(tmp_path: Path, first: Path) -> None:
    own = tmp_path / "two" / "signing.pem"
    previous = f'{manifest_of(first)}\nold_signing = "{own}"'
    config = following(tmp_path, "two", SECOND, previous)
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
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    with pytest.raises(ProverError, match="be earlier; it is one, of 2062-11-28T00:00:00Z"):
        make_snapshot(config, tmp_path / "two" / "out")


@pytest.mark.parametrize("file", ["manifest.msgpack", "manifest.sig"])
def test_a_damaged_predecessor_is_refused(tmp_path: Path, first: Path, file: str) -> None:
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    data = bytearray((first / file).read_bytes())
    data[-1] ^= 1
    (first / file).write_bytes(data)
    with pytest.raises(ProverError, match=r"manifest\.msgpack: "):
        make_snapshot(config, tmp_path / "out")
    (first / file).unlink()
    with pytest.raises(ProverError, match=rf"{file}: No such file"):
        make_snapshot(config, tmp_path / "out")


def test_two_snapshots_after_one_are_not_signed(tmp_path: Path, first: Path) -> None:
    """Anyone could show both and prove fraud, however honest the second was meant."""
    make_snapshot(
        following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one"), tmp_path / "2"
    )
    config = following(tmp_path, "three", SECOND, manifest_of(first), tmp_path / "one")
    with pytest.raises(ProverError, match="has signed snapshot two already, to follow the same"):
        make_snapshot(config, tmp_path / "3")
    assert not (tmp_path / "3" / "public").exists()
    edit(config, manifest_of(first), f'{manifest_of(first)}\nabandoned = ["two"]')
    made = make_snapshot(config, tmp_path / "3")
    assert compare_manifests(tmp_path / "2" / "public", made.bundle).is_fraud
    after = following(
        tmp_path, "four", LATER, manifest_of(tmp_path / "2" / "public"), tmp_path / "one"
    )
    four = make_snapshot(after, tmp_path / "4")
    assert not compare_manifests(tmp_path / "2" / "public", four.bundle).is_fraud


def test_a_second_first_snapshot_is_not_signed(tmp_path: Path, first: Path) -> None:
    config = following(tmp_path, "again", SECOND, keys=tmp_path / "one")
    with pytest.raises(ProverError, match="has signed snapshot one already, to follow none"):
        make_snapshot(config, tmp_path / "again" / "out")


def test_a_key_that_was_replaced_follows_nothing_twice(tmp_path: Path, first: Path) -> None:
    """The old key signs for the new one; with a snapshot of its own that would be two histories."""
    make_snapshot(
        following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one"), tmp_path / "2"
    )
    previous = f'{manifest_of(first)}\nold_signing = "{tmp_path / "one" / "signing.pem"}"'
    config = following(tmp_path, "new", SECOND, previous)
    with pytest.raises(ProverError, match="has signed snapshot two already"):
        make_snapshot(config, tmp_path / "new" / "out")


@pytest.mark.parametrize("ids", ['"two"', '["Two"]', "[2]", '[""]'])
def test_what_is_abandoned_is_named_by_ids(tmp_path: Path, first: Path, ids: str) -> None:
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    edit(config, manifest_of(first), f"{manifest_of(first)}\nabandoned = {ids}")
    with pytest.raises(ProverError, match=r"previous\.abandoned: must be a list"):
        make_snapshot(config, tmp_path / "out")


@pytest.mark.parametrize(
    ("page_size", "capacity"), [(7, 1), (16, 2**63), (16, 0), (16, 9), (4096, 2**20)]
)
def test_a_predecessor_that_no_verifier_takes_is_refused(
    tmp_path: Path, first: Path, page_size: int, capacity: int
) -> None:
    """Its capacities are carried on, so they must be such."""
    path = first / "manifest.msgpack"
    manifest = read_record(Manifest, path.read_bytes())
    assets = tuple(
        replace(asset, capacity=capacity, page_size=page_size) for asset in manifest.assets
    )
    manifest = replace(manifest, assets=assets)
    data = write_record(manifest)
    key = read_signing_key(tmp_path / "one" / "signing.pem")
    path.write_bytes(data)
    path.with_suffix(".sig").write_bytes(sign(key, "manifest-signature", data))
    config = following(tmp_path, "two", SECOND, manifest_of(first), tmp_path / "one")
    with pytest.raises(ProverError, match="no verifier would take the page size or capacity"):
        make_snapshot(config, tmp_path / "out")


def of_accounts(config: Path, accounts: int) -> None:
    """Let each of so many accounts have one coin."""
    rows = "".join(f"{number},ETH,1\n" for number in range(accounts))
    (config.parent / "ledger.csv").write_text("id,code,amount\n" + rows)


def capacity_of(bundle: Path, key: bytes) -> tuple[int, int]:
    """Return the capacity in pages, and the leaves of a page."""
    manifest = verifier.audit(bundle, key).manifest
    (asset,) = manifest.assets
    return asset.capacity, asset.page_size


def series(
    tmp_path: Path, name: str, before: Path | None, accounts: int, *edits: tuple[str, str]
) -> Path:
    """Make a snapshot after another under one key; return its bundle."""
    previous = manifest_of(before) if before else "first = true"
    month = {"one": 1, "two": 2, "three": 3, "four": 4}[name]
    keys = tmp_path / "one" if before else None
    config = own_exchange(
        tmp_path / name,
        LONG,
        {"ETH": 2000},
        decimals={"ETH": 0},
        keys=keys,
        snapshot_id=name,
        time=f"2026-{month:02}-01T00:00:00Z",
        previous=previous,
    )
    of_accounts(config, accounts)
    for old, new in edits:
        edit(config, old, new)
    return make_snapshot(config, tmp_path / name / "out").bundle


def test_a_capacity_that_is_left_to_be_chosen_does_not_fall(tmp_path: Path) -> None:
    """Customers who leave do not show; those who come show when a power of two is passed."""
    one = series(tmp_path, "one", None, 100)
    key = public_key(tmp_path / "one" / "snapshot.toml")
    assert capacity_of(one, key) == (8, 16)  # one coin is one part: 7 pages
    two = series(tmp_path, "two", one, 10)
    assert capacity_of(two, key) == (8, 16)
    three = series(tmp_path, "three", two, 129)
    assert capacity_of(three, key) == (16, 16)
    # To shrink, say so.
    four = series(tmp_path, "four", three, 10, ("decimals = 0", "decimals = 0\ncapacity = 10"))
    assert capacity_of(four, key) == (1, 16)


def test_a_larger_page_size_keeps_the_room(tmp_path: Path) -> None:
    one = series(tmp_path, "one", None, 1000)
    key = public_key(tmp_path / "one" / "snapshot.toml")
    assert capacity_of(one, key) == (64, 16)
    two = series(tmp_path, "two", one, 10, ("page_size = 16", "page_size = 256"))
    assert capacity_of(two, key) == (4, 256)
    three = series(tmp_path, "three", two, 10)
    assert capacity_of(three, key) == (64, 16)


def test_a_declared_capacity_is_kept_by_those_that_follow(tmp_path: Path) -> None:
    one = series(tmp_path, "one", None, 10, ("decimals = 0", "decimals = 0\ncapacity = 70"))
    key = public_key(tmp_path / "one" / "snapshot.toml")
    two = series(tmp_path, "two", one, 10)
    assert capacity_of(two, key) == (5, 16)


def test_an_asset_that_is_new_has_what_it_needs(tmp_path: Path) -> None:
    one = series(tmp_path, "one", None, 100)
    config = own_exchange(
        tmp_path / "two",
        LONG,
        {"BTC": 10, "ETH": 10},
        decimals={"BTC": 0, "ETH": 0},
        keys=tmp_path / "one",
        snapshot_id="two",
        time=SECOND,
        previous=manifest_of(one),
    )
    (config.parent / "ledger.csv").write_text("id,code,amount\nann,BTC,1\nann,ETH,1\n")
    bundle = make_snapshot(config, tmp_path / "two" / "out").bundle
    report = verifier.audit(bundle, public_key(config), previous=one)
    assert [(asset.code, asset.capacity) for asset in report.manifest.assets] == [
        ("BTC", 1),
        ("ETH", 8),
    ]
