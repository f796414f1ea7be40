"""One exchange on four EVM chains, against a real node of each: collected, proved, and audited."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import verifier
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_eip191
from prover.files.keys import make_keys
from prover.snapshot.make import ownership_messages, read_config
from spec import reference
from tests.support.ethereum_node import (
    ETHER,
    Node,
    anvil,
    deploy_token,
    proxy,
    transfer,
    wallet_code,
)
from tests.support.exchange_files import LONG, outside, public_key
from verifier import EvmNode, Level, Policy, TokenSlot
from verifier.commands import cli
from verifier.format.evidence_records import Evidence
from verifier.format.keys import public_key_text
from verifier.format.wire import read_record
from verifier.nodes.balances import COLUMNS
from verifier.ownership.families.evm import account_text

CHAIN_IDS = {"arbitrum": 42161, "bsc": 56, "ethereum": 1, "polygon": 137}
COINS = {"arbitrum": "ETH", "bsc": "BNB", "ethereum": "ETH", "polygon": "POL"}
KEY = bytes([7]) * 32
HOLDER = sign_eip191(KEY, "").address
SNAPSHOT_TIME = 1_795_219_200
HELD = 5 * ETHER
TOKENS = 700 * ETHER


@dataclass
class Place:
    """A chain's node, and what is on it after ``height``."""

    node: Node
    token: str
    wallet: str
    height: int


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, Place]]:
    with ExitStack() as stack:
        found = {}
        for chain, number in CHAIN_IDS.items():
            node = stack.enter_context(anvil("--timestamp", str(SNAPSHOT_TIME), chain_id=number))
            node.call(
                "anvil_mine", hex(number % 7 + 1)
            )  # so that no contract is at another's place
            node.send(None, b"")
            token = deploy_token(node, 10**6 * ETHER)
            transfer(node, token, HOLDER, TOKENS)
            wallet = node.send(None, wallet_code(bytes.fromhex(HOLDER[2:])))
            for account in (HOLDER, wallet):
                node.call("anvil_setBalance", account, hex(HELD))
            node.call("anvil_mine", hex(number % 7 + 1))
            height = node.height()
            node.call("anvil_mine", "0x3")
            node.call("anvil_setBalance", HOLDER, "0x0")  # what happens later is not what was
            token, wallet = (account_text(bytes.fromhex(at[2:])) for at in (token, wallet))
            found[chain] = Place(node, token, wallet, height)
        yield found


@dataclass
class Proven:
    """A finished bundle, and its exchange's key."""

    bundle: Path
    key: bytes


def units_of(code: str, places: dict[str, Place]) -> list[tuple[str, str]]:
    if code == "TST":
        return [("bsc", places["bsc"].token), ("polygon", places["polygon"].token)]
    return [(chain, "") for chain in places if COINS[chain] == code]


@pytest.fixture(scope="module")
def proven(places: dict[str, Place], tmp_path_factory: pytest.TempPathFactory) -> Proven:
    root = tmp_path_factory.mktemp("chains")
    return prove(places, root, more=0)


def prove(places: dict[str, Place], root: Path, more: int) -> Proven:
    """Collect, sign and prove; each row counts ``more`` base units than it was told of."""
    folder = root / "exchange"
    folder.mkdir()
    make_keys(folder)
    (folder / "ledger.csv").write_text("id,code,amount\na,ETH,9\nb,BNB,3\nb,POL,2\nb,TST,900\n")
    (folder / "holder").write_text(HOLDER + "\n")
    (folder / "both").write_text(f"{HOLDER}\n{places['bsc'].wallet}\n")
    text = f"""
exchange = "An Exchange"
snapshot_id = "one"
time = 2026-11-21T00:00:00Z
account_id_type = "opaque"
page_size = 16
[keys]
signing = "signing.pem"
master = "master.key"
[previous]
first = true
{LONG}
"""
    rows: list[dict[str, str]] = []
    proofs: dict[str, list[str]] = {}
    for code in ("BNB", "ETH", "POL", "TST"):
        for chain, contract in units_of(code, places):
            out = folder / f"{code}-{chain}.csv"
            words = ["evidence", chain, "--rpc", places[chain].node.url]
            words += ["--block", str(places[chain].height), "--asset", code, "--out", str(out)]
            words += ["--addresses", str(folder / ("both" if code == "BNB" else "holder"))]
            words += ["--token", contract] if contract else []
            status, said, err = outside(*words)
            assert (status, err) == (0, "")
            assert f"[chains.{chain}]\nheight = {places[chain].height}" in said
            assert ("no proof: readers confirm it" in said) == bool(contract)
            with out.open() as file:
                rows += csv.DictReader(file)
            if not contract:
                proofs.setdefault(code, []).append(out.with_suffix(".proof").name)
    for chain, place in places.items():
        digest = place.node.block_hash(place.height)
        text += f'[chains.{chain}]\nheight = {place.height}\nhash = "{digest}"\n'
    for code in ("BNB", "ETH", "POL", "TST"):
        listed = ", ".join(
            f'{{ chain = "{chain}", contract = "{contract}", decimals = 18 }}'
            for chain, contract in units_of(code, places)
        )
        text += f'[[assets]]\ncode = "{code}"\ndecimals = 9\nunits = [{listed}]\n'
        text += f"proofs = {json.dumps(proofs[code])}\n" if code in proofs and not more else ""
    text += '[[evidence]]\npath = "signed.csv"\n'
    config = folder / "snapshot.toml"
    config.write_text(text)
    messages = ownership_messages(read_config(config), public_key(config))
    for row in rows:
        row["amount"] = str(int(row["amount"]) + more)
        row["format"] = "eip191" if row["address"] == HOLDER else "eip1271"
        row["signature"] = sign_eip191(KEY, messages[row["chain"]]).signature
    with (folder / "signed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, EVIDENCE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert outside("prove", config, "--out", root / "proof")[::2] == (0, "")
    return Proven(root / "proof" / "public", public_key(config))


def policy(places: dict[str, Place], **more: object) -> Policy:
    units = [
        verifier.KnownUnit(code, chain, contract, 18)
        for code in ("BNB", "ETH", "POL", "TST")
        for chain, contract in units_of(code, places)
    ]
    return Policy(units=tuple(units), **more)  # type: ignore[arg-type]


def nodes_of(places: dict[str, Place]) -> dict[str, EvmNode]:
    return {chain: EvmNode(chain, place.node.url) for chain, place in places.items()}


def test_coins_are_proved_on_every_chain_and_tokens_are_claimed(
    places: dict[str, Place], proven: Proven
) -> None:
    loose = policy(places, require=Level.UNVERIFIED)
    report = verifier.audit(proven.bundle, proven.key, policy=loose)
    assert {item.code: item.disclosed for item in report.assets} == {
        "BNB": {Level.HEADER: 5 * 10**9, Level.UNVERIFIED: 5 * 10**9},
        "ETH": {Level.HEADER: 10 * 10**9},
        "POL": {Level.HEADER: 5 * 10**9},
        "TST": {Level.CLAIMED: 1400 * 10**9},
    }
    units = [
        reference.Unit(*parts)
        for code in ("BNB", "ETH", "POL", "TST")
        for parts in [(code, *unit, 18) for unit in units_of(code, places)]
    ]
    found = reference.audit(proven.bundle, proven.key, units=units)
    assert found.levels == {
        "BNB": "unverified",
        "ETH": "header",
        "POL": "header",
        "TST": "claimed",
    }
    evidence = read_record(Evidence, (proven.bundle / "evidence/ETH.msgpack").read_bytes())
    assert [proof.chain for proof in evidence.proofs] == ["arbitrum", "ethereum"]


def test_a_node_of_each_chain_confirms_everything(
    places: dict[str, Place], proven: Proven, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = policy(places, require=Level.CHAIN)
    report = verifier.audit(proven.bundle, proven.key, policy=strict, nodes=nodes_of(places))
    assert (report.level, report.is_solvent) == (Level.CHAIN, True)
    words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    for code, chain, contract, decimals in policy(places).units:
        words += ["--unit", f"{code}={chain}:{contract}:{decimals}"]
    for chain, place in places.items():
        words += ["--node", f"{chain}={place.node.url}"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ACCEPTED as chain: solvent: your own nodes confirm every amount"


def test_each_node_is_asked_about_its_own_chain_alone(
    places: dict[str, Place], proven: Proven
) -> None:
    """The wallet of BNB Smart Chain is none of Ethereum's, whatever stands at its address there."""
    loose = policy(places, require=Level.UNVERIFIED)
    for chain, place in places.items():
        with proxy(place.node) as passed:
            nodes = {chain: EvmNode(chain, passed.url)}
            report = verifier.audit(proven.bundle, proven.key, policy=loose, nodes=nodes)
        assert passed.calls[:2] == ["eth_chainId", "eth_getBlockByNumber"]
        assert "eth_getProof" not in passed.calls  # the bundle proves it
        # Whether the node reads hashes, the token, and on one chain the wallet.
        calls = {"bsc": 3, "polygon": 2}.get(chain, 0)
        assert passed.calls.count("eth_call") == calls
        (step,) = (check for check in report.checks if "by your own node" in check.name)
        assert step.figures["undecided"] == 0


def test_a_slot_proves_a_token_on_its_own_chain(places: dict[str, Place], proven: Proven) -> None:
    token = places["bsc"].token
    slots = policy(places, slots=(TokenSlot("bsc", token, 0),)).token_slots("bsc")
    loose = policy(places, require=Level.UNVERIFIED)
    with proxy(places["bsc"].node) as passed:
        nodes = {"bsc": EvmNode("bsc", passed.url, slots=slots)}
        report = verifier.audit(proven.bundle, proven.key, policy=loose, nodes=nodes)
    assert passed.calls.count("eth_getProof") == 1
    assert report.assets[3].disclosed == {Level.CHAIN: 700 * 10**9, Level.CLAIMED: 700 * 10**9}


def test_nodes_of_each_other_s_chains_are_no_verdict(
    places: dict[str, Place], proven: Proven
) -> None:
    loose = policy(places, require=Level.UNVERIFIED)
    for chain, other in (("bsc", "polygon"), ("ethereum", "arbitrum")):
        nodes = {chain: EvmNode(chain, places[other].node.url)}
        with pytest.raises(verifier.CannotCheck, match=f"and {chain} is chain {CHAIN_IDS[chain]}"):
            verifier.audit(proven.bundle, proven.key, policy=loose, nodes=nodes)


def test_one_base_unit_more_is_a_wrong_amount_on_every_chain(
    places: dict[str, Place], tmp_path: Path
) -> None:
    made = prove(places, tmp_path, more=1)
    loose = policy(places, require=Level.UNVERIFIED)
    for chain, place in places.items():
        nodes = {chain: EvmNode(chain, place.node.url)}
        with pytest.raises(verifier.Rejected, match=r"chain\.wrong-amount: (BNB|ETH|POL), row"):
            verifier.audit(made.bundle, made.key, policy=loose, nodes=nodes)


def test_a_table_serves_where_there_is_no_node(
    places: dict[str, Place],
    proven: Proven,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    for code, chain, contract, decimals in policy(places).units:
        words += ["--unit", f"{code}={chain}:{contract}:{decimals}"]
    for chain in ("bsc", "ethereum", "arbitrum"):
        words += ["--node", f"{chain}={places[chain].node.url}"]
    assert cli.main(["lookups", *words, "--only-unconfirmed"]) == 0
    lines = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert [line["chain"] for line in lines] == ["polygon", "polygon"]
    for line in lines:
        line["amount"] = str(TOKENS if line["contract"] else HELD)
    table = tmp_path / "todo.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    assert cli.main(["audit", *words, "--balances", str(table)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("ACCEPTED as listed: amounts of POL, TST are there as far as your own")
