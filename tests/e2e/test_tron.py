"""USDT and TRX on Tron, from a node's amounts to a verdict that a node confirms."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_tip191
from prover.files.keys import make_keys
from prover.snapshot.make import ownership_messages, read_config
from tests.support.exchange_files import LONG, outside, public_key
from tests.support.tron_server import START, STRANGER, USDT, TronChain, owner, serve
from verifier.commands import cli
from verifier.format.keys import public_key_text
from verifier.format.times import utc_text
from verifier.ownership import parse_address
from verifier.ownership.families.tron import tron_text

HEIGHT = 79_000_000
TIME = START + 3 * HEIGHT
KEYS = {"hot": bytes([7]) * 32, "cold": bytes([8]) * 32}
TEXTS = {name: sign_tip191(key, "").address for name, key in KEYS.items()}
OWNERS = {name: parse_address("tron", text).owner for name, text in TEXTS.items()}
NOBODY = tron_text(bytes([5]) * 20)
USDT_TEXT = tron_text(USDT)
HELD = {"hot": 600_000_000, "cold": 5_000_000_000}


def chain() -> TronChain:
    made = TronChain(HEIGHT)
    for name, account in OWNERS.items():
        made.held[account] = HELD[name]
        made.permissions[account] = {}
        made.coins[account] = {HEIGHT: 40_000_000}
    made.move(STRANGER, OWNERS["hot"], 9_000_000)
    made.move(OWNERS["cold"], STRANGER, 1_000_000_000)
    return made


@dataclass
class Proven:
    """A finished bundle, its exchange's key, and the chain that it is of."""

    bundle: Path
    key: bytes
    chain: TronChain


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Proven:
    root = tmp_path_factory.mktemp("tron")
    folder = root / "exchange"
    folder.mkdir()
    make_keys(folder)
    made = chain()
    (folder / "ledger.csv").write_text("id,code,amount\na,USDT,5600\nb,TRX,80\n")
    (folder / "addresses").write_text("\n".join([*TEXTS.values(), ""]))
    rows: list[dict[str, str]] = []
    with serve(made) as url:
        for code, more in (("USDT", ["--token", USDT_TEXT]), ("TRX", [])):
            out = folder / f"{code}.csv"
            words = ["evidence", "tron", "--rpc", url, "--block", str(HEIGHT), "--asset", code]
            words += ["--addresses", str(folder / "addresses"), "--out", str(out), *more]
            status, said, err = outside(*words)
            assert (status, err) == (0, "")
            assert f'hash = "{made.block_id(HEIGHT)}"' in said
            assert "no proof: readers confirm it" in said
            with out.open() as file:
                rows += csv.DictReader(file)
    assert {(row["asset"], row["address"], int(row["amount"])) for row in rows} == {
        ("USDT", TEXTS["hot"], HELD["hot"]),
        ("USDT", TEXTS["cold"], HELD["cold"]),
        ("TRX", TEXTS["hot"], 40_000_000),
        ("TRX", TEXTS["cold"], 40_000_000),
    }
    (folder / "snapshot.toml").write_text(
        f"""
exchange = "An Exchange"
snapshot_id = "one"
time = {utc_text(TIME)}
account_id_type = "opaque"
page_size = 16
[keys]
signing = "signing.pem"
master = "master.key"
[previous]
first = true
{LONG}
[chains.tron]
height = {HEIGHT}
hash = "{made.block_id(HEIGHT)}"
[[assets]]
code = "TRX"
decimals = 6
units = [{{ chain = "tron", contract = "", decimals = 6 }}]
[[assets]]
code = "USDT"
decimals = 6
units = [{{ chain = "tron", contract = "{USDT_TEXT}", decimals = 6 }}]
[[evidence]]
path = "signed.csv"
"""
    )
    config = folder / "snapshot.toml"
    message = ownership_messages(read_config(config), public_key(config))["tron"]
    keys = {TEXTS[name]: key for name, key in KEYS.items()}
    for row in rows:
        row["format"] = "tip191"
        row["signature"] = sign_tip191(keys[row["address"]], message).signature
    with (folder / "signed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, EVIDENCE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert outside("prove", config, "--out", root / "proof")[::2] == (0, "")
    return Proven(root / "proof" / "public", public_key(config), made)


Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def audit(proven: Proven, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*more: str) -> tuple[int, list[str]]:
        words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
        words += ["--unit", "TRX=tron::6", "--unit", f"USDT=tron:{USDT_TEXT}:6"]
        code = cli.main([*words, *more])
        return code, capsys.readouterr().out.splitlines()

    return run


def test_without_a_node_it_is_claimed_and_so_is_whose_it_is(audit: Run) -> None:
    code, lines = audit()
    assert code == 0
    assert lines[-1].startswith("ACCEPTED as claimed: ")
    assert "authority not checked: " in lines[-1]


def test_a_node_confirms_amounts_and_authority(audit: Run, proven: Proven) -> None:
    with serve(proven.chain) as url:
        code, lines = audit("--node", f"tron={url}", "--require", "chain")
    assert (code, lines[-1]) == (
        0,
        "ACCEPTED as chain: solvent: your own nodes confirm every amount",
    )
    step = f"height {HEIGHT}, confirmed 4, undecided 0"
    assert f"ok   block and amounts of tron, by your own node: {step}" in lines


def test_a_node_without_history_leaves_trx_and_confirms_the_token(
    audit: Run, proven: Proven
) -> None:
    bare = chain()
    bare.has_history = False
    with serve(bare) as url:
        code, lines = audit("--node", f"tron={url}")
    assert code == 0
    assert lines[-1].startswith("ACCEPTED as claimed: amounts of TRX rest on the exchange's word")
    (step,) = (line for line in lines if "block and amounts of tron" in line)
    assert "confirmed 2, undecided 2, because the node says 0 TRX" in step


def test_a_key_without_power_is_told(audit: Run, proven: Proven) -> None:
    other = chain()
    other.permissions[OWNERS["cold"]] = owner((STRANGER, 1))
    with serve(other) as url:
        code, lines = audit("--node", f"tron={url}")
    assert code == 0
    assert lines[-1].startswith("ACCEPTED as claimed: ")
    assert any(
        "because the address's own key has no power over the account now" in line for line in lines
    )


def test_an_exchange_that_was_paid_after_the_block_is_not_solvent(audit: Run) -> None:
    """What it had was lent it behind the block: no node may say that it was there."""
    poor = TronChain(HEIGHT)
    for name, account in OWNERS.items():
        poor.permissions[account] = {}
        poor.coins[account] = {HEIGHT: 40_000_000}
        poor.move(STRANGER, account, HELD[name])
    with serve(poor) as url:
        code, lines = audit("--node", f"tron={url}")
    assert code == 0
    assert lines[-1].startswith("ACCEPTED as claimed: amounts of USDT rest on")


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--token", tron_text(bytes([7]) * 20)], 1, "does not answer"),
        (["--token", "0x12"], 2, "a Tron address has 34 characters"),
        (["--slot", "3"], 2, "not for tron"),
        (["--cookie", "x"], 2, "not for tron"),
        (["--block", str(HEIGHT + 9)], 1, "and not yet"),
        ([], 1, f"{NOBODY}: the node says 0 TRX"),
    ],
)
def test_what_a_node_does_not_tell_is_refused(
    tmp_path: Path, more: list[str], status: int, said: str
) -> None:
    (tmp_path / "addresses").write_text(NOBODY)
    with serve(chain()) as url:
        words = ["evidence", "tron", "--rpc", url, "--asset", "XYZ", *more]
        words += ["--addresses", str(tmp_path / "addresses"), "--out", str(tmp_path / "x.csv")]
        code, out, err = outside(*words, *([] if "--block" in more else ["--block", str(HEIGHT)]))
    assert (code, out) == (status, "")
    assert said in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "x.csv").exists()


def test_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "addresses").write_text(f"{TEXTS['hot']}\n{NOBODY}\n")
    with serve(chain()) as url:
        words = ["evidence", "tron", "--rpc", url, "--block", str(HEIGHT), "--asset", "USDT"]
        words += ["--addresses", str(tmp_path / "addresses"), "--out", str(tmp_path / "x.csv")]
        code, out, _ = outside(*words, "--token", USDT_TEXT, "--json")
    found = json.loads(out)
    assert (code, found["addresses"], found["empty"], found["proof"]) == (0, 1, 1, None)
    assert found["amount"] == str(HELD["hot"])


@pytest.mark.parametrize("word", ["kaspa", "fiat"])
def test_a_chain_without_nodes(tmp_path: Path, word: str) -> None:
    words = ["evidence", word, "--rpc", "http://127.0.0.1:9", "--block", "1", "--asset", "XYZ"]
    words += ["--addresses", str(tmp_path / "a"), "--out", str(tmp_path / "x.csv")]
    code, _, err = outside(*words)
    assert code == 2
    assert "no node is asked there" in " ".join(err.replace("│", " ").split())


def test_the_report_says_that_authority_was_not_checked(proven: Proven, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert outside("report", proven.bundle, "--html", page)[::2] == (0, "")
    assert "<strong>Authority was not checked</strong> on Tron." in page.read_text()
