"""``[[declaration]]``: its one written form, what is refused, and what readers find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prover.config.snapshot_toml import parse_config
from prover.errors import ProverError
from prover.publish.publish import publish
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import Assay, edit, files, public_key, sample
from tests.support.verifier_bundle import Bundle
from verifier.format.wire import Loan, Pledge
from verifier.verify import audit

LENDER = 'lender = "First Lender"'
GOOD = f'{LENDER}\nasset = "BTC"'
AN_ADDRESS = '{ chain = "bitcoin", address = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT" }'


def config_with(folder: Path, *loans: str) -> Path:
    """A sample exchange that declares these loans."""
    config = sample(folder / "exchange")
    with config.open("a", encoding="utf-8") as file:
        file.writelines(f"\n[[declaration]]\n{loan}\n" for loan in loans)
    return config


def parsed(folder: Path, *loans: str) -> tuple[Loan, ...]:
    config = config_with(folder, *loans)
    return parse_config(config, config.read_bytes()).declaration.loans


def rows(config: Path) -> list[list[str]]:
    lines = (config.parent / "evidence.csv").read_text().splitlines()[1:]
    return [line.split(",") for line in lines]


def test_the_prover_makes_order_and_form(tmp_path: Path) -> None:
    first = '{ chain = "b", address = "2" }, { chain = "a", address = "9" }'
    found = parsed(
        tmp_path,
        f'lender = " O\u0308konom "\nasset = "EUR"\npledged = [{first}]',
        f'{GOOD}\namount = "0012.500"',
        f'{LENDER}\nasset = "AAA"\namount = "0.10"',
    )
    assert found == (
        Loan("0.1", "AAA", "First Lender", ()),
        Loan("12.5", "BTC", "First Lender", ()),
        Loan("", "EUR", "Ökonom", (Pledge("9", "a"), Pledge("2", "b"))),
    )


@pytest.mark.parametrize(
    ("loan", "place", "words"),
    [
        ('asset = "BTC"', "lender", "missing"),
        ('lender = "a  b"\nasset = "BTC"', "lender", "not a valid name"),
        (f'lender = "{"L" * 129}"\nasset = "BTC"', "lender", "not a valid name"),
        (f'{LENDER}\nasset = "btc"', "asset", "must be a code"),
        (f'{GOOD}\namount = "0.00"', "amount", "above zero"),
        (f'{GOOD}\namount = "-1"', "amount", "above zero"),
        (f'{GOOD}\namount = "1e3"', "amount", "above zero"),
        (f'{GOOD}\namount = "{"1" * 63}.11"', "amount", "64 characters"),
        (f"{GOOD}\namount = 12", "amount", "must be text"),
        (f'{GOOD}\ndue = "2027"', "due", "unknown key"),
        (f"{GOOD}\npledged = [{AN_ADDRESS}, {AN_ADDRESS}]", "pledged[2].address", "twice"),
        (
            f'{GOOD}\npledged = [{{ chain = "bitcoin", address = "" }}]',
            "pledged[1].address",
            "1 to",
        ),
        (f'{GOOD}\npledged = ["1Boat"]', "pledged", "list of tables"),
    ],
)
def test_a_refusal_names_its_place(tmp_path: Path, loan: str, place: str, words: str) -> None:
    with pytest.raises(ProverError) as raised:
        parsed(tmp_path, loan)
    assert f"snapshot.toml: declaration[1].{place}: " in str(raised.value)
    assert words in str(raised.value)


def test_one_lender_lends_an_asset_once(tmp_path: Path) -> None:
    with pytest.raises(ProverError, match=r"declaration\[2\]\.lender: .*second loan.*add them up"):
        parsed(tmp_path, GOOD, f'{GOOD}\namount = "1"')


def test_no_loans_are_declared_by_silence(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    text = f"declaration = []\n{config.read_text()}"
    with pytest.raises(ProverError, match=r"declaration: has 1 to 4096 loans .*leave it out"):
        parse_config(config, text.encode())


def test_what_is_declared_is_what_readers_find(tmp_path: Path) -> None:
    config = sample(tmp_path / "exchange")
    _, chain, _, address, *_ = rows(config)[0]
    codes = sorted(row[0] for row in rows(config) if row[1:4:2] == [chain, address])
    with config.open("a", encoding="utf-8") as file:
        pledged = f'pledged = [{{ chain = "{chain}", address = "{address}" }}]'
        file.write(f'[[declaration]]\n{GOOD}\namount = "12.50"\n{pledged}\n')
    made = make_snapshot(config, tmp_path / "one")
    report = audit(made.bundle, public_key(config))
    assert report.loans == (Loan("12.5", "BTC", "First Lender", (Pledge(address, chain),)),)
    assert [asset.code for asset in report.assets if asset.pledged_rows] == codes
    assert (made.bundle / "declaration.msgpack").stat().st_mode & 0o777 == 0o644


def test_an_address_of_no_evidence_is_refused_before_anything_is_signed(tmp_path: Path) -> None:
    config = config_with(tmp_path, GOOD, f'{LENDER}\nasset = "ETH"\npledged = [{AN_ADDRESS}]')
    with pytest.raises(ProverError) as raised:
        make_snapshot(config, tmp_path / "one")
    assert "snapshot.toml: declaration[2].pledged[1].address: no row of the evidence" in str(
        raised.value
    )
    assert not (tmp_path / "one" / "public").exists()
    assert not (tmp_path / "one" / "private" / "evidence").exists()
    assert not (config.parent / "keys" / "signing.pem.log").exists()


def test_a_run_that_goes_on_ends_in_the_same_bytes(tmp_path: Path) -> None:
    config = config_with(tmp_path, GOOD)
    first = make_snapshot(config, tmp_path / "one").bundle
    before = files(first)
    first.rename(tmp_path / "one" / "public.partial")
    assert files(make_snapshot(config, tmp_path / "one").bundle) == before
    edit(config, "First Lender", "Other Lender")
    with pytest.raises(ProverError, match="begun with another TOML"):
        make_snapshot(config, tmp_path / "one")


def test_prove_says_what_is_declared_and_which_share_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assay = Assay(monkeypatch, capsys)
    config = config_with(tmp_path, GOOD)
    ledger = config.parent / "ledger.csv"
    account = ledger.read_text().splitlines()[1].split(",")[0]
    with ledger.open("a") as file:
        file.writelines(f"{account},{code},1.25\n" for code in ("XRP", "DOGE"))
    edit(config, "[ledger.columns]", 'ignore = ["XRP", "DOGE"]\n[ledger.columns]')
    code, out, _ = assay("prove", config, "--out", tmp_path / "one", "--summary")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("proven "))
    assert line == "proven    2 of 4 asset codes in the ledger; not covered: DOGE, XRP"
    assert "declared  loans 1, pledged addresses 0" in out
    code, out, _ = assay("prove", config, "--out", tmp_path / "one", "--summary", "--json")
    told = json.loads(out)
    assert told["declaration"] == {"loans": 1, "pledged": 0}
    assert told["ledger"]["coverage"] == {
        "not_covered": ["DOGE", "XRP"],
        "proven": ["ETH", "USDT"],
    }
    public = b"".join(files(tmp_path / "one" / "public").values())
    assert b"DOGE" not in public
    code, out, _ = assay("prove", config, "--out", tmp_path / "one")
    assert "DOGE" not in out  # a log is not the place for it


def test_a_declaration_is_published_with_its_bundle(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    bundle = Bundle(tmp_path / "bundle")
    bundle.declare((Loan("1", "BTC", "First Lender", ()),))
    target = tmp_path / "published"
    done = publish(bundle.folder, target.as_uri())
    assert files(target / done.path) == files(bundle.folder)
    (bundle.folder / "declaration.msgpack").write_bytes(b"\x90")
    with pytest.raises(ProverError, match=r"declaration\.msgpack is not the declaration"):
        publish(bundle.folder, (tmp_path / "other").as_uri())
