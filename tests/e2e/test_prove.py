"""From a ledger and signed addresses to a bundle that the verifier accepts, by the command line."""

from __future__ import annotations

import csv
import json
import re
import shutil
import stat
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import verifier
from prover.errors import ProverError
from prover.files.storage import locked
from prover.ledger.saved import load_ledger
from prover.liabilities.parts import load_parts
from prover.liabilities.tree import LeafFiles
from prover.sample.sample import make_sample
from prover.snapshot import record as frozen
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager
from tests.support.exchange_files import (
    LONG,
    Assay,
    balances,
    edit,
    files,
    own_exchange,
    public_key,
    sample,
)
from verifier.format.levels import Level
from verifier.verify import audit


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def test_the_whole_way(tmp_path: Path, assay: Assay) -> None:
    exchange = tmp_path / "exchange"
    code, out, err = assay(
        *("sample", "--accounts", 60, "--assets", "BTC,ETH,USDT", "--seed", 3, "--out", exchange)
    )
    assert (code, err) == (0, "")
    assert out.startswith("60 accounts, ")
    config = exchange / "snapshot.toml"
    edit(config, 'account_id_type = "email"', 'account_id_type = "email"\npage_size = 16')
    edit(config, 'capacity = "auto"', "capacity = 1280")
    edit(config, 'decimals = 8\nratio = "1/1"', 'decimals = 8\nratio = "100/101"')

    code, out, err = assay("prove", config, "--out", tmp_path / "one", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["made"] is True
    key = (exchange / "exchange.pub").read_text()
    report = audit(tmp_path / "one" / "public", key, policy=verifier.Policy(ratio=(1, 2)))
    assert report.digest.hex() == result["manifest_digest"]
    ratios = [(asset.ratio.num, asset.ratio.den) for asset in report.manifest.assets]
    assert ratios == [(100, 101), (100, 101), (1, 1)]
    shapes = [(asset.page_size, asset.capacity, asset.levels) for asset in report.manifest.assets]
    assert shapes == [(16, 80, 3)] * 3

    holdings = balances(exchange / "ledger.csv")
    for account, held in list(holdings.items())[:5]:
        package = tmp_path / f"{account}.package"
        code, out, err = assay("package", tmp_path / "one", account.upper(), "--out", package)
        assert (code, err) == (0, "")
        assert stat.S_IMODE(package.stat().st_mode) == 0o600
        verifier.check_inclusion(
            package.read_bytes(),
            tmp_path / "one" / "public",
            key,
            account,
            held,
            policy=verifier.Policy(ratio=(1, 2)),
        )


def test_a_finished_folder_is_left_as_it_is(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    assay("prove", config, "--out", tmp_path / "one")
    before = files(tmp_path / "one")
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, err) == (0, "")
    assert "was proven before" in out
    assert files(tmp_path / "one") == before


@pytest.mark.parametrize(
    "name",
    ["public/pages/ETH/0", "public/manifest.sig", "private/seal", "private/ledger/holders.bin"],
)
def test_a_finished_folder_that_is_damaged_is_not_called_proven(tmp_path: Path, name: str) -> None:
    config, out = sample(tmp_path, 20), tmp_path / "out"
    make_snapshot(config, out)
    summary = (out / "private" / "summary.json").read_bytes()
    if name.endswith(".bin"):
        data = (out / name).read_bytes()
        (out / name).write_bytes(data[4:] + data[:4])
    else:
        (out / name).unlink()
    with pytest.raises(ProverError, match=Path(name).parts[1]):
        make_snapshot(config, out)
    assert (out / "private" / "summary.json").read_bytes() == summary


def test_the_bundle_of_another_is_not_called_this_one(tmp_path: Path) -> None:
    config, out = sample(tmp_path / "own", 20), tmp_path / "out"
    other = make_sample(tmp_path / "other", 20, ("ETH",), seed=8, page_size=16)
    make_snapshot(other.config, tmp_path / "done")
    make_snapshot(config, out)
    shutil.rmtree(out / "public")
    shutil.copytree(tmp_path / "done" / "public", out / "public")
    with pytest.raises(ProverError, match="and not of this; nothing is overwritten"):
        make_snapshot(config, out)


def test_jobs_do_not_show(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange", accounts=1500)
    make_snapshot(config, tmp_path / "one", jobs=1)
    again = begun_again(tmp_path / "one", tmp_path / "two")
    make_snapshot(config, again, jobs=3)
    assert files(again / "public") == files(tmp_path / "one" / "public")


def begun_again(finished: Path, fresh: Path) -> Path:
    """Return a folder in which nothing but the salt and the digests of the input are fixed."""
    (fresh / "private").mkdir(parents=True)
    shutil.copy(finished / "private" / "snapshot.msgpack", fresh / "private")
    return fresh


def test_order_and_layout_of_the_ledger_do_not_show(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    ledger = tmp_path / "exchange" / "ledger.csv"
    header, *rows = ledger.read_text().splitlines()
    ledger.write_text("\n".join([header, *reversed(rows)]) + "\n")
    again = begun_again(tmp_path / "one", tmp_path / "two")
    make_snapshot(config, again)
    assert files(again / "public") == files(tmp_path / "one" / "public")


def test_each_snapshot_has_its_own_salt(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    (tmp_path / "exchange" / "keys" / "signing.pem.log").unlink()
    make_snapshot(config, tmp_path / "two")
    one, two = (load_sums(tmp_path / name / "public", config) for name in ("one", "two"))
    assert set(one).isdisjoint(two)


def load_sums(bundle: Path, config: Path) -> list[bytes]:
    return [asset.sum for asset in audit(bundle, public_key(config)).manifest.assets]


def test_short_assets_make_no_bundle(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange", insolvent=True)
    for _ in range(2):
        code, out, err = assay("prove", config, "--out", tmp_path / "one", "--json")
        assert (code, out) == (3, "")
        assert "the assets fall short: ETH by 0.00000001; no bundle was written" in err
        assert [path.name for path in (tmp_path / "one").iterdir()] == ["private"]


def test_a_ratio_is_held_to_the_unit(tmp_path: Path, assay: Assay) -> None:
    ledger = tmp_path / "exchange" / "ledger.csv"
    config = own_exchange(
        tmp_path / "exchange", LONG, {"ETH": 1100, "USDT": 7}, decimals={"ETH": 0, "USDT": 0}
    )
    ledger.write_text("id,code,amount\nann,ETH,999\nbob,ETH,1\nbob,USDT,7\n")
    edit(config, 'code = "ETH"', 'code = "ETH"\nratio = "1101/1000"')
    code, _, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 3
    assert "fall short: ETH by 1; no bundle" in err
    edit(config, "1101/1000", "11/10")
    code, _, _ = assay("prove", config, "--out", tmp_path / "two")
    assert code == 0
    audit(tmp_path / "two" / "public", public_key(config))


def test_a_capacity_that_is_too_small_is_refused(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange", accounts=60)
    edit(config, 'capacity = "auto"', "capacity = 32")
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, out) == (1, "")
    assert "asset ETH: capacity 32 is too small: " in err
    assert not (tmp_path / "one" / "public").exists()


def other_toml(exchange: Path) -> None:
    edit(exchange / "snapshot.toml", "most = 3", "most = 4")


def other_signing_key(exchange: Path) -> None:
    shutil.copy(exchange / "other" / "keys" / "signing.pem", exchange / "keys")


def other_master_key(exchange: Path) -> None:
    shutil.copy(exchange / "other" / "keys" / "master.key", exchange / "keys")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_toml, "TOML, or list of its assets"),
        (other_signing_key, "signing key"),
        (other_master_key, "master key"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_another_input_is_refused(
    tmp_path: Path, assay: Assay, change: Callable[[Path], None], what: str, finished: bool
) -> None:
    exchange = tmp_path / "exchange"
    config = sample(exchange)
    assay("keygen", "--out", exchange / "other" / "keys")
    if finished:
        make_snapshot(config, tmp_path / "one")
    else:
        edit(config, 'capacity = "auto"', "capacity = 1")
        code, _, _ = assay("prove", config, "--out", tmp_path / "one")
        assert code == 1
    before = files(tmp_path / "one")
    change(exchange)
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, out) == (1, "")
    assert f"this snapshot was begun with another {what}; " in err
    assert files(tmp_path / "one") == before


def test_another_version_is_refused(
    tmp_path: Path, assay: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    changed = metadata.version("assay") + "+changed"
    monkeypatch.setattr(metadata, "version", lambda _: changed)
    code, _, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 1
    assert "begun with another prover's version" in err


def test_frozen_sources_are_never_read_again(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    for name in ("ledger.csv", "evidence.csv"):
        (tmp_path / "exchange" / name).unlink()
    bundle = files(tmp_path / "one" / "public")
    shutil.rmtree(tmp_path / "one" / "public")
    for name in ("keys", "opening-secret", "parts", "trees"):
        path = tmp_path / "one" / "private" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    make_snapshot(config, tmp_path / "one")
    assert files(tmp_path / "one" / "public") == bundle


def test_two_runs_at_once_are_refused(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    (tmp_path / "one" / "private").mkdir(parents=True)
    with locked(tmp_path / "one" / "private" / "lock", "unexpected"):
        code, _, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 1
    assert "another run is at work here" in err


def test_a_key_signs_one_manifest_for_a_snapshot(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    code, _, err = assay("prove", config, "--out", tmp_path / "two")
    assert code == 1
    assert "has signed a manifest for snapshot 2026-11-21 already" in err
    # Begun where that line was not known, a run is stopped before it signs.
    log = tmp_path / "exchange" / "keys" / "signing.pem.log"
    signed = log.read_text()
    log.unlink()
    make_snapshot(config, tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "public")
    log.write_text(signed)
    code, _, err = assay("prove", config, "--out", tmp_path / "two")
    assert code == 1
    assert "two manifests for one snapshot are evidence of fraud" in err
    assert not (tmp_path / "two" / "public").exists()
    assert log.read_text() == signed


def test_a_manifest_that_readers_reject_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = sample(tmp_path / "exchange")
    log = tmp_path / "exchange" / "keys" / "signing.pem.log"
    with monkeypatch.context() as patch:
        patch.setattr("verifier.checks.manifest.MAX_MANIFEST_BYTES", 100)
        with pytest.raises(ProverError, match=r"would reject this bundle: manifest\.too-large"):
            make_snapshot(config, tmp_path / "one")
    assert not log.exists()
    assert not (tmp_path / "one" / "public").exists()
    make_snapshot(config, tmp_path / "two")  # the id is not used up


@pytest.mark.parametrize("stray", [".DS_Store", "pages/secret.csv", "pages/ETH/7", "evidence/a"])
def test_a_file_of_others_is_not_sealed_into_the_bundle(tmp_path: Path, stray: str) -> None:
    config = sample(tmp_path / "exchange")
    out, log = tmp_path / "one", tmp_path / "exchange" / "keys" / "signing.pem.log"
    file = out / "public.partial" / stray
    file.parent.mkdir(parents=True)
    file.write_text("not for anybody")
    file.chmod(0o600)
    with pytest.raises(ProverError, match=r"is no file of this bundle, .* run this again") as told:
        make_snapshot(config, out)
    assert str(told.value).startswith(f"{file}: ")
    assert not log.exists()
    assert file.read_text() == "not for anybody"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    audit(make_snapshot(config, out).bundle, public_key(config))


def test_private_is_private_and_public_holds_no_secret(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    make_snapshot(config, tmp_path / "one")
    private, public = tmp_path / "one" / "private", tmp_path / "one" / "public"
    for path in [private, *private.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    for path in [public, *public.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    published = b"".join(files(public).values())
    account_keys = (private / "keys").read_bytes()
    secrets = [account_keys[at : at + 32] for at in range(0, len(account_keys), 32)]
    secrets.append(frozen.read_frozen(private / "snapshot.msgpack").salt)
    secrets.append(bytes.fromhex((tmp_path / "exchange" / "keys" / "master.key").read_text()))
    ledger = load_ledger(private / "ledger")
    secrets += [ledger.account_id(index) for index in range(len(ledger))]
    secrets.append((private / "opening-secret").read_bytes())
    for asset, parts in zip(ledger.assets, load_parts(private / "parts"), strict=True):
        leaves = LeafFiles.load(private / "trees" / "leaves" / asset.code, parts.shape.leaves)
        secrets += [int(amount).to_bytes(8) for amount in parts.amounts if amount > 2**16]
        secrets += map(bytes, (*leaves.identities, *leaves.blindings))
        secrets.append(ledger.totals[asset.code].to_bytes(8))
        sums = (private / "trees" / "sums" / asset.code / "0").read_bytes()
        secrets.append(sums[8:40])
    assert len(secrets) > 100
    for secret in secrets:
        assert secret not in published


def test_equal_balances_have_different_identities_and_vectors(tmp_path: Path) -> None:
    config = own_exchange(tmp_path / "exchange", LONG, {"ETH": 34}, decimals={"ETH": 0})
    edit(config, "most = 3", "most = 1")
    rows = "".join(f"{number},ETH,1\n" for number in range(32))
    (tmp_path / "exchange" / "ledger.csv").write_text(f"id,code,amount\n{rows}")
    bundle = make_snapshot(config, tmp_path / "one").bundle
    leaves = LeafFiles.load(tmp_path / "one" / "private" / "trees" / "leaves" / "ETH", 32)
    assert leaves.amounts.tolist() == [1] * 32
    assert len(set(map(bytes, leaves.identities))) == 32
    pages = (bundle / "pages" / "ETH" / "0").read_bytes()
    one, two = pages[15:113], pages[113 + 15 :]
    for at in (slice(0, 32), slice(32, 65), slice(65, 98)):  # node, sum, vector
        assert one[at] != two[at]


def test_the_page_size_is_chosen_for_each_asset(tmp_path: Path) -> None:
    held = {"BTC": 20_000, "ETH": 300, "USDT": 9}
    config = own_exchange(
        tmp_path / "exchange", LONG, held, decimals={"BTC": 0, "ETH": 0, "USDT": 0}
    )
    edit(config, "page_size = 16\n", "")
    counts = {"BTC": 20_000, "ETH": 200, "USDT": 9}
    rows = "".join(
        f"{number},{code},1\n" for code, count in counts.items() for number in range(count)
    )
    (tmp_path / "exchange" / "ledger.csv").write_text(f"id,code,amount\n{rows}")
    bundle = make_snapshot(config, tmp_path / "one", jobs=2).bundle
    manifest = audit(bundle, public_key(config)).manifest
    shapes = [(asset.page_size, asset.capacity) for asset in manifest.assets]
    assert shapes == [(4096, 8), (256, 1), (16, 1)]
    packager = Packager(tmp_path / "one")
    for account in ("0", "150", "19999"):
        verifier.check_inclusion(
            packager.package(packager.index_of(account)),
            bundle,
            public_key(config),
            account,
            {code: "1" for code, count in counts.items() if int(account) < count},
        )


def test_a_package_that_no_reader_takes_is_refused_before_the_first_page(
    tmp_path: Path, assay: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = sample(tmp_path / "exchange")
    monkeypatch.setattr("prover.snapshot.sizes.MAX_PACKAGE_BYTES", 4000)
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, out) == (1, "")
    # The split is random, so the largest of the sample's packages is not always of one size.
    assert re.search(r"the largest package has \d+ parts, too many for the 4,000 bytes", err)
    assert "a split of at most 2 parts a balance would fit" in err
    assert not (tmp_path / "one" / "public.partial").exists()
    assert not (tmp_path / "exchange" / "keys" / "signing.pem.log").exists()


MAY_BE_EMPTY = LONG + '[ledger.expect]\nallow_empty = ["ETH"]\n'


def test_a_ledger_without_accounts(tmp_path: Path) -> None:
    config = own_exchange(tmp_path / "exchange", MAY_BE_EMPTY, {"ETH": 0}, decimals={"ETH": 0})
    (tmp_path / "exchange" / "ledger.csv").write_text("id,code,amount\n")
    audit(make_snapshot(config, tmp_path / "one").bundle, public_key(config))


def test_no_liabilities_and_no_assets(tmp_path: Path) -> None:
    held = {"ETH": 0, "USDT": 3}
    config = own_exchange(tmp_path / "exchange", MAY_BE_EMPTY, held, decimals=ZERO)
    (tmp_path / "exchange" / "ledger.csv").write_text("id,code,amount\nann,USDT,3\nbob,ETH,0\n")
    bundle = make_snapshot(config, tmp_path / "one").bundle
    report = audit(bundle, public_key(config))
    assert [asset.capacity for asset in report.manifest.assets] == [1, 1]


ZERO = {"ETH": 0, "USDT": 0}


def test_ids_beyond_ascii_and_duplicates(tmp_path: Path, assay: Assay) -> None:
    exchange = tmp_path / "exchange"
    config = own_exchange(exchange, LONG, {"ETH": 10, "USDT": 10}, decimals=ZERO)
    # One id twice, composed and decomposed.
    (exchange / "ledger.csv").write_text(
        "id,code,amount\nJosé,ETH,1\n李,ETH,2\nJose\u0301,USDT,3\n", encoding="utf-8"
    )
    code, _, err = assay("prove", config, "--out", tmp_path / "one")
    assert code == 1
    assert "duplicate-id" in err
    # Nothing was made of it yet, so the folder serves the corrected file.
    edit(config, 'layout = "long"', 'layout = "long"\nmerge_duplicates = true')
    bundle = make_snapshot(config, tmp_path / "one").bundle
    code, _, _ = assay("package", tmp_path / "one", "Jose\u0301", "--out", tmp_path / "package")
    assert code == 0
    report = verifier.check_inclusion(
        (tmp_path / "package").read_bytes(),
        bundle,
        public_key(config),
        "José",
        {"ETH": "1", "USDT": "3"},
    )
    assert report.warnings


def test_contract_wallets_that_only_a_node_can_ask_are_named(tmp_path: Path, assay: Assay) -> None:
    config = sample(tmp_path / "exchange")
    with (tmp_path / "exchange" / "evidence.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    wallet = next(row["address"] for row in rows if row["asset"] == "ETH")
    for row in rows:
        if row["address"] == wallet:
            row.update(format="eip1271", signature="0x12")
    with (tmp_path / "exchange" / "evidence.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    named = sorted({row["asset"] for row in rows if row["address"] == wallet})
    told = []
    for _ in range(2):  # one that was proven before says so, too
        code, out, err = assay("prove", config, "--out", tmp_path / "one")
        assert (code, err) == (0, "")
        told.append(out.splitlines()[-1])
    assert told[0] == told[1]
    assert told[0].startswith("warning   only a node can ask the contract wallets of ETH ethereum ")
    assert told[0].endswith(
        f"{wallet} whether they signed: readers give --node, or else come to no "
        "verdict, unless they add: --require unverified"
    )
    _, out, _ = assay("prove", config, "--out", tmp_path / "one", "--json")
    assert json.loads(out)["contract_wallets"] == [
        {"asset": code, "chain": "ethereum", "address": wallet} for code in named
    ]
    key = public_key(config)
    with pytest.raises(verifier.TooWeak):
        audit(tmp_path / "one" / "public", key)
    audit(tmp_path / "one" / "public", key, policy=verifier.Policy(require=Level.UNVERIFIED))
    plain = sample(tmp_path / "plain")
    assert "contract wallets" not in assay("prove", plain, "--out", tmp_path / "two")[1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bob,ETH,1", "bob,ETH,-1", "ledger.csv, row 3, column amount: negative"),
        ("bob,ETH,1", "bob,DOGE,1", "ledger.csv, row 3, column code: unknown-asset"),
        ("id,code", "id,kind", "ledger.csv, column code: missing-column"),
    ],
)
def test_a_faulty_ledger_is_named_without_a_traceback(
    tmp_path: Path, assay: Assay, old: str, new: str, message: str
) -> None:
    exchange = tmp_path / "exchange"
    config = own_exchange(exchange, LONG, {"ETH": 10}, decimals={"ETH": 0})
    (exchange / "ledger.csv").write_text("id,code,amount\nann,ETH,5\nbob,ETH,1\n".replace(old, new))
    code, out, err = assay("prove", config, "--out", tmp_path / "one")
    assert (code, out) == (1, "")
    assert err.startswith("assay: ")
    assert message in err
    assert "Traceback" not in err


def test_usage_is_exit_code_2(tmp_path: Path, assay: Assay) -> None:
    assert assay("prove")[0] == 2
    assert assay("prove", tmp_path, "--out", tmp_path, "--jobs", 0)[0] == 2
    assert assay("sample", "--accounts", 0, "--assets", "BTC", "--out", tmp_path)[0] == 2
    code, _, err = assay("prove", tmp_path / "none.toml", "--out", tmp_path / "one")
    assert code == 1
    assert err.endswith("none.toml: No such file or directory\n")
    assert not (tmp_path / "one").exists()
