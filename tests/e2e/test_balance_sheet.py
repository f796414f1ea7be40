"""A whole balance sheet: 200 assets on ten chains, with a custodian and a bank, confirmed by a
reader's nodes of four EVM chains and of Tron, and by their own table for the rest.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prover.sample.balance_sheet import ASSETS, SHEET_CHAINS, make_balance_sheet
from prover.sample.sample import TIME
from spec import reference
from tests.support.ethereum_node import Node, anvil, deploy_token, word
from tests.support.exchange_files import outside
from tests.support.tron_server import START, TronChain, serve
from verifier import TokenSlot
from verifier.commands import cli
from verifier.format.chains import CHAINS
from verifier.format.keys import parse_public_key
from verifier.format.times import utc_seconds
from verifier.ownership import parse_address
from verifier.stateproof.tokens import KNOWN_SLOTS, storage_key

NODES = ("arbitrum", "bsc", "ethereum", "polygon")
SEED, ACCOUNTS = 3, 40
SNAPSHOT_TIME = utc_seconds(TIME)
TRON_HEIGHT = (SNAPSHOT_TIME - START) // 3
ATTESTERS = {"Example Bank AG": "bank.pub", "Example Custody Ltd": "custodian.pub"}

Row = dict[str, str]


@dataclass
class Sheet:
    """The exchange's folder with its finished proof, and the URLs of the reader's nodes."""

    folder: Path
    nodes: dict[str, str]

    @property
    def bundle(self) -> Path:
        return self.folder / "proof" / "public"

    @property
    def rows(self) -> list[Row]:
        return read(self.folder / "evidence.csv")


def read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def put(node: Node, code: str, rows: list[Row]) -> None:
    """Make a chain on which the addresses of some rows hold just what these say."""
    slots = {entry.contract: entry for entry in KNOWN_SLOTS if entry.chain == rows[0]["chain"]}
    for row in rows:
        account, amount = bytes.fromhex(row["address"][2:]), int(row["amount"])
        if not row["contract"]:
            node.call("anvil_setBalance", row["address"], hex(amount))
            continue
        node.call("anvil_setCode", row["contract"], code)
        slot = slots.get(row["contract"], TokenSlot(row["chain"], row["contract"], 0)).slot
        for at in {0, slot}:  # where the code looks, and where the real contract keeps it
            key = "0x" + storage_key(at, account).hex()
            node.call("anvil_setStorageAt", row["contract"], key, "0x" + word(amount).hex())


def tron(rows: list[Row]) -> TronChain:
    """A chain whose tip is a little above the block, on which nothing moved since."""
    chain = TronChain(tip=TRON_HEIGHT + 20)
    for row in rows:
        account = parse_address("tron", row["address"]).owner
        chain.permissions.setdefault(account, {})
        if not row["contract"]:
            chain.coins[account] = {TRON_HEIGHT - 5: int(row["amount"])}
            chain.permissions[account]["balance"] = int(row["amount"])
        elif parse_address("tron", row["contract"]).owner == chain.token:
            chain.held[account] = int(row["amount"])
    return chain


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sheet]:
    root = tmp_path_factory.mktemp("sheet")
    make_balance_sheet(root / "draft", SEED, accounts=ACCOUNTS)  # amounts are those of the seed
    rows = read(root / "draft" / "evidence.csv")
    with ExitStack() as stack:
        blocks, urls = {}, {}
        for name in NODES:
            chain_id = CHAINS[name].chain_id
            node = stack.enter_context(anvil("--timestamp", str(SNAPSHOT_TIME), chain_id=chain_id))
            code = node.call("eth_getCode", deploy_token(node, 1), "latest")
            put(node, code, [row for row in rows if row["chain"] == name])
            node.call("anvil_mine", "0x1")
            blocks[name] = node.height(), bytes.fromhex(node.block_hash(node.height()))
            urls[name] = node.url
            node.call("anvil_mine", "0x2")
        chain = tron([row for row in rows if row["chain"] == "tron"])
        blocks["tron"] = TRON_HEIGHT, bytes.fromhex(chain.block_id(TRON_HEIGHT))
        urls["tron"] = stack.enter_context(serve(chain))
        made = Sheet(root / "exchange", urls)
        make_balance_sheet(made.folder, SEED, accounts=ACCOUNTS, blocks=blocks)
        yield made


@pytest.fixture(scope="module")
def proven(sheet: Sheet) -> Sheet:
    code, out, err = outside("prove", sheet.folder / "snapshot.toml", "--out", sheet.bundle.parent)
    assert code == 0, err
    assert "180 more" in out
    return sheet


def audit(
    sheet: Sheet, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0
) -> dict[str, Any]:
    """The JSON of an audit by a reader who has the sample's lists and names its attesters."""
    reader = sheet.folder / "reader"
    words = ["audit", str(sheet.bundle), "--exchange-key", str(sheet.folder / "exchange.pub")]
    words += ["--units", str(reader / "units.csv"), "--json"]
    for name, file in ATTESTERS.items():
        words += ["--attester", f"{name}={reader / file}"]
    assert cli.main([*words, *more]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def nodes(sheet: Sheet) -> list[str]:
    return [word for name, url in sheet.nodes.items() for word in ("--node", f"{name}={url}")]


def test_nodes_and_a_table_confirm_everything_on_ten_chains(
    proven: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    table = ("--balances", str(proven.folder / "reader" / "balances.csv"))
    found = audit(proven, capsys, *nodes(proven), *table, "--require", "attested")
    amounts, rows = found["amounts"], proven.rows
    assert (len(amounts), found["set_aside"]) == (ASSETS, [])
    assert {row["chain"] for row in rows} == set(SHEET_CHAINS)
    for code, asset in amounts.items():
        chains = {row["chain"] for row in rows if row["asset"] == code}
        if code in ("EUR", "USD", "USDC"):
            assert asset["level"] == "attested", code
        elif chains <= {*NODES}:
            assert set(asset["disclosed"]) == {"chain"}, code
        elif not chains & {*NODES, "tron"}:
            assert set(asset["disclosed"]) == {"listed"}, code
        assert set(asset["disclosed"]) <= {"chain", "listed"}, code
        assert asset["authority_unchecked"] == []
    assert set(amounts["TRX"]["disclosed"]) == {"chain"}
    assert "solvent" not in found["verdict"]
    assert [loan["code"] for loan in found["declaration"]["loans"]] == ["USD"]
    (pledged,) = [code for code, asset in amounts.items() if asset["pledged"]["rows"]]
    assert pledged == "BTC"


def test_without_lists_most_is_set_aside_and_the_rest_is_the_exchange_s_word(
    proven: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(proven.bundle), "--exchange-key", str(proven.folder / "exchange.pub")]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "SAMPLE1" in found["set_aside"]
    assert "USDT" not in found["set_aside"]
    assert found["amounts"]["EUR"]["attested"][0]["named"] is None
    assert {asset["level"] for asset in found["amounts"].values()} == {"claimed"}
    assert found["amounts"]["TRX"]["authority_unchecked"] == ["tron"]
    assert cli.main([*words, "--strict-units"]) == cli.CANNOT_CHECK
    capsys.readouterr()


@pytest.mark.parametrize(("chain", "contract"), [("bsc", ""), ("polygon", "token"), ("tron", "")])
def test_a_table_with_less_contradicts(
    proven: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str], chain: str, contract: str
) -> None:
    lines = read(proven.folder / "reader" / "balances.csv")
    less = next(
        line
        for line in lines
        if line["chain"] == chain and bool(line["contract"]) == bool(contract)
    )
    less["amount"] = str(int(less["amount"]) - 1)
    with (tmp_path / "less.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    found = audit(proven, capsys, "--balances", str(tmp_path / "less.csv"), code=cli.REJECTED)
    assert found["error"]["code"] == "chain.wrong-amount"


def test_a_table_for_the_same_height_of_another_block_is_no_verdict_of_amounts(
    proven: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (proven.folder / "reader" / "balances.csv").read_text()
    height = next(row["height"] for row in read(proven.folder / "reader" / "balances.csv"))
    assert height in text
    (tmp_path / "later.csv").write_text(text.replace(f",{height},", f",{int(height) + 1},"))
    words = ("--balances", str(tmp_path / "later.csv"))
    assert audit(proven, capsys, *words, code=cli.CANNOT_CHECK)["error"]["code"].startswith("check")


def test_the_reference_says_the_same(proven: Sheet) -> None:
    units = reference.units.read_units(proven.folder / "reader" / "units.csv")
    key = parse_public_key((proven.folder / "exchange.pub").read_text().strip())
    found = reference.audit(proven.bundle, key, units=units)
    assert found.set_aside == ()
    assert set(found.levels.values()) == {"claimed"}
    assert len(found.loans) == 1


def test_a_lie_on_one_of_ten_chains_is_found(
    sheet: Sheet, proven: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exchange counts one base unit more on polygon than is there."""
    folder = tmp_path / "lying"
    shutil.copytree(sheet.folder, folder, ignore=shutil.ignore_patterns("proof", "*.log"))
    rows = sheet.rows
    bent = next(row for row in rows if row["chain"] == "polygon" and row["contract"])
    bent["amount"] = str(int(bent["amount"]) + 1)
    with (folder / "evidence.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    code, _, err = outside("prove", folder / "snapshot.toml", "--out", folder / "proof")
    assert code == 0, err
    lying = Sheet(folder, sheet.nodes)
    found = audit(lying, capsys, *nodes(lying), code=cli.REJECTED)
    assert found["error"]["code"] == "chain.wrong-amount"
    assert found["error"]["where"].startswith(f"{bent['asset']}, row ")
