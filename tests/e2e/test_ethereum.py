"""Evidence from a real Ethereum node, from collecting it to a verdict that a node confirms."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import verifier
from prover.assets.lists import EVIDENCE_COLUMNS
from prover.assets.signing import sign_eip191
from prover.files.keys import make_keys
from prover.snapshot.make import ownership_messages, read_config
from spec import reference
from spec.reference.__main__ import main as reference_main
from spec.reference.ethereum import Slot
from tests.support.ethereum_node import (
    ETHER,
    Answer,
    Node,
    anvil,
    deploy_token,
    proxy,
    transfer,
    wallet_code,
)
from tests.support.exchange_files import LONG, Assay, files, outside, public_key
from verifier import EvmNode, Level, Policy, TokenSlot
from verifier.commands import cli
from verifier.format.chains import HeaderForm
from verifier.format.evidence_records import Evidence
from verifier.format.keys import public_key_text
from verifier.format.wire import read_record
from verifier.nodes.evm_rpc import EvmRpc
from verifier.ownership.families.evm import account_text
from verifier.stateproof.header import parse_header

KEYS = {"first": bytes([7]) * 32, "second": bytes([8]) * 32}
HOLDERS = {name: sign_eip191(key, "").address for name, key in KEYS.items()}
NOBODY = account_text(bytes(range(20)))
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SUPPLY = 10**6 * ETHER
SNAPSHOT_TIME = 1_795_219_200


# What contract wallets begin with in place of an answer: a loop, and a mebibyte of zeros.
STRANGE = {"never ends": "5b600056", "floods": "621000006000f3"}


@dataclass
class Chain:
    """A node, and what the tests put on it before ``height``."""

    node: Node
    token: str
    wallet: str
    sulky: str
    height: int
    strange: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with anvil("--timestamp", str(SNAPSHOT_TIME)) as node:
        token = account_text(bytes.fromhex(deploy_token(node, SUPPLY)[2:]))
        owner = bytes.fromhex(HOLDERS["first"][2:])
        wallet = node.send(None, wallet_code(owner))
        sulky = node.send(None, wallet_code(owner, refuse=bytes.fromhex("60006000fd")))
        node.send(HOLDERS["first"], value=7 * ETHER)
        node.send(HOLDERS["second"], value=ETHER)
        strange = {
            name: node.send(None, wallet_code(owner, refuse=bytes.fromhex(code)))
            for name, code in STRANGE.items()
        }
        for account in (wallet, sulky, *strange.values()):
            node.call("anvil_setBalance", account, hex(2 * ETHER))
        transfer(node, token, HOLDERS["first"], 500 * ETHER)
        transfer(node, token, HOLDERS["second"], 1)
        height = node.height()
        node.call("anvil_mine", "0x3")
        # What happens later is not what was proved.
        node.call("anvil_setBalance", HOLDERS["first"], "0x0")
        node.call("anvil_mine", "0x1")
        wallet, sulky = (account_text(bytes.fromhex(text[2:])) for text in (wallet, sulky))
        named = {name: account_text(bytes.fromhex(at[2:])) for name, at in strange.items()}
        yield Chain(node, token, wallet, sulky, height, named)


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Assay:
    return Assay(monkeypatch, capsys)


def snapshot(folder: Path, chain: Chain, *, proofs: bool = True, slot: bool = True) -> Path:
    """The snapshot file of an exchange that owes 8 ETH and 400 TST."""
    folder.mkdir()
    make_keys(folder)
    (folder / "ledger.csv").write_text("id,code,amount\na,ETH,5\nb,ETH,3\nb,TST,400\n")
    named = {code: f'proofs = ["{code}.proof"]\n' if proofs else "" for code in ("ETH", "TST")}
    config = folder / "snapshot.toml"
    config.write_text(
        f"""
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
[chains.ethereum]
height = {chain.height}
hash = "{chain.node.block_hash(chain.height)}"
[[assets]]
code = "ETH"
decimals = 9
units = [{{ chain = "ethereum" }}]
{named["ETH"]}
[[assets]]
code = "TST"
decimals = 6
units = [
  {{ chain = "ethereum", contract = "{chain.token}", decimals = 18{", slot = 0" * slot} }}
]
{named["TST"]}
[[evidence]]
path = "signed.csv"
"""
    )
    return config


Run = Callable[..., tuple[int, str, str]]


def collect(assay: Run, chain: Chain, folder: Path, accounts: list[str], url: str = "") -> None:
    """Collect ether and tokens of some accounts into ETH.csv and TST.csv."""
    (folder / "addresses").write_text("\n".join(accounts) + "\n\n")
    common = ["--rpc", url or chain.node.url, "--block", chain.height]
    common += ["--addresses", folder / "addresses"]
    code, out, err = assay("evidence", "ethereum", *common, "--out", folder / "ETH.csv", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["hash"] == chain.node.block_hash(chain.height)
    token = ["--token", chain.token, "--slot", 0, "--asset", "TST"]
    code, out, err = assay("evidence", "ethereum", *common, *token, "--out", folder / "TST.csv")
    assert (code, err) == (0, "")
    assert f'hash = "{chain.node.block_hash(chain.height)}"' in out


def sign(
    config: Path,
    formats: Callable[[str], tuple[str, bytes]] = lambda address: ("eip191", KEYS["first"]),
    edit: Callable[[list[dict[str, str]]], None] = lambda rows: None,
) -> None:
    """Sign the collected rows, and write them as the list that the snapshot names."""
    message = ownership_messages(read_config(config), public_key(config))["ethereum"]
    by_address = {address: KEYS[name] for name, address in HOLDERS.items()}
    rows: list[dict[str, str]] = []
    for code in ("ETH", "TST"):
        with (config.parent / f"{code}.csv").open() as file:
            rows += csv.DictReader(file)
    for row in rows:
        form, key = formats(row["address"])
        key = by_address.get(row["address"], key)
        row["format"], row["signature"] = form, sign_eip191(key, message).signature
    edit(rows)
    with (config.parent / "signed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, EVIDENCE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def policy(chain: Chain, **more: Any) -> Policy:
    unit = verifier.KnownUnit("TST", "ethereum", chain.token, 18)
    return Policy(units=(unit,), slots=(TokenSlot("ethereum", chain.token, 0),), **more)


def slots_of(chain: Chain) -> dict[str, TokenSlot]:
    return policy(chain).token_slots("ethereum")


@dataclass
class Proven:
    """A finished bundle, its exchange's key, and its snapshot file."""

    bundle: Path
    key: bytes
    config: Path


@pytest.fixture(scope="module")
def proven(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    root = tmp_path_factory.mktemp("ethereum")
    config = snapshot(root / "exchange", chain)
    collect(outside, chain, config.parent, [*HOLDERS.values(), NOBODY])
    sign(config)
    assert outside("prove", config, "--out", root / "proof")[::2] == (0, "")
    return Proven(root / "proof" / "public", public_key(config), config)


def test_collected_rows_are_what_the_chain_has(chain: Chain, proven: Proven) -> None:
    held: dict[str, dict[str, int]] = {}
    for code in ("ETH", "TST"):
        with (proven.config.parent / f"{code}.csv").open() as file:
            held[code] = {row["address"]: int(row["amount"]) for row in csv.DictReader(file)}
    first, second = HOLDERS["first"], HOLDERS["second"]
    assert held["ETH"] == {first: 7 * ETHER, second: ETHER}  # nothing for who has nothing
    assert held["TST"] == {first: 500 * ETHER, second: 1}


def test_amounts_are_proved_without_a_node_and_confirmed_with_one(
    chain: Chain, proven: Proven
) -> None:
    report = verifier.audit(proven.bundle, proven.key, policy=policy(chain))
    assert [(item.code, item.level) for item in report.assets] == [
        ("ETH", Level.HEADER),
        ("TST", Level.HEADER),
    ]
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    strict = policy(chain, require=Level.CHAIN)
    report = verifier.audit(proven.bundle, proven.key, policy=strict, nodes=nodes)
    assert report.level is Level.CHAIN
    assert report.assets[0].disclosed == {Level.CHAIN: 8 * 10**9}
    units = [reference.Unit("TST", "ethereum", chain.token, 18)]
    found = reference.audit(
        proven.bundle, proven.key, units=units, slots={("ethereum", chain.token): Slot(0)}
    )
    assert found.levels == {"ETH": "header", "TST": "header"}


def test_the_reference_s_command_says_the_same(
    chain: Chain,
    proven: Proven,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    words += ["--unit", f"TST=ethereum:{chain.token}:18"]
    for more, code, said in (
        ([], 0, "ACCEPTED as claimed: 2 assets"),
        (["--token-slot", f"{chain.token}=1"], 3, "REJECTED proof."),
        (["--token-slot", f"{chain.token}=0"], 0, "ACCEPTED as header: 2 assets"),
        (["--token-slot", f"{USDC}=8"], 2, ""),
        (2 * ["--token-slot", f"{chain.token}=0"], 2, ""),
    ):
        monkeypatch.setattr("sys.argv", ["reference", *words, *more])
        assert reference_main() == code
        assert said in capsys.readouterr().out


def test_confirming_proved_amounts_takes_two_questions(chain: Chain, proven: Proven) -> None:
    with proxy(chain.node) as passed:
        nodes = {"ethereum": EvmNode("ethereum", passed.url)}
        verifier.audit(proven.bundle, proven.key, policy=policy(chain), nodes=nodes)
    assert passed.calls == ["eth_chainId", "eth_getBlockByNumber"]


def test_the_command_says_solvent_with_a_node(
    chain: Chain, proven: Proven, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    words += ["--unit", f"TST=ethereum:{chain.token}:18"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ACCEPTED as claimed: ")
    words += ["--token-slot", f"{chain.token}=0"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ACCEPTED as header: ")
    words += ["--node", f"ethereum={chain.node.url}", "--require", "chain"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ACCEPTED as chain: solvent: your own nodes confirm every amount"
    height = chain.height
    step = f"height {height}, confirmed 4, undecided 0"
    assert f"ok   block and amounts of ethereum, by your own node: {step}" in lines


def test_the_report_needs_the_slot_too(
    chain: Chain, proven: Proven, tmp_path: Path, assay: Assay
) -> None:
    words = ["report", proven.bundle, "--html", tmp_path / "report.html"]
    assert assay(*words)[::2] == (0, "")
    assert "claimed" in (tmp_path / "report.html").read_text()
    code, _, err = assay(*words, "--token-slot", "TST=0")
    assert (code, "a token's slot is [CHAIN:]CONTRACT=SLOT" in err) == (1, True)
    code, _, err = assay(*words, "--token-slot", f"{USDC}=8")
    assert (code, "is 9, and not 8" in err) == (1, True)
    assert assay(*words, "--token-slot", f"{chain.token}=0")[::2] == (0, "")
    assert "header" in (tmp_path / "report.html").read_text()


def test_the_evidence_holds_what_its_rows_need_alone(chain: Chain, proven: Proven) -> None:
    found = {
        code: read_record(Evidence, (proven.bundle / f"evidence/{code}.msgpack").read_bytes())
        for code in ("ETH", "TST")
    }
    for evidence in found.values():
        (proof,) = evidence.proofs
        assert parse_header(proof.header, HeaderForm.ETHEREUM).number == chain.height
    assert found["ETH"].proofs[0].nodes != found["TST"].proofs[0].nodes


def test_the_time_of_a_proved_block_is_told(
    chain: Chain, proven: Proven, capsys: pytest.CaptureFixture[str]
) -> None:
    block = chain.node.call("eth_getBlockByNumber", hex(chain.height), False)
    report = verifier.audit(proven.bundle, proven.key, policy=policy(chain))
    assert report.block_times == {"ethereum": int(block["timestamp"], 16)}
    assert report.far == ()
    assert not any("the block of ethereum is of" in warning for warning in report.warnings)
    words = ["solvency", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    words += ["--unit", f"TST=ethereum:{chain.token}:18", "--token-slot", f"{chain.token}=0"]
    assert cli.main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["blocks"]["ethereum"]["time"]
    assert cli.main(words) == 0
    line = f"note ethereum: block {chain.height}, {block['hash'][2:]}, of {said}; the snapshot"
    assert line in capsys.readouterr().out


def test_a_node_that_hangs_or_floods_is_no_verdict(chain: Chain, proven: Proven) -> None:
    def hang(method: str, answer: Answer) -> Answer:
        time.sleep(0.5)
        return answer

    for lie, timeout, said in (
        (hang, 0.2, "no answer in time"),
        (lambda method, answer: b" " * 2**21, 30.0, "more than 1048576 bytes"),
        (lambda method, answer: b"[" * 2**20, 30.0, "no answer of JSON-RPC"),
    ):
        with proxy(chain.node) as bad:
            bad.lie = lie
            nodes = {"ethereum": EvmNode("ethereum", bad.url, timeout=timeout)}
            with pytest.raises(verifier.CannotCheck, match=said):
                verifier.audit(proven.bundle, proven.key, policy=policy(chain), nodes=nodes)


def test_the_command_without_its_node(
    chain: Chain, proven: Proven, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key)]
    words += ["--unit", f"TST=ethereum:{chain.token}:18", "--token-slot", f"{chain.token}=0"]
    assert cli.main([*words, "--node", "ethereum=node"]) == cli.USAGE
    capsys.readouterr()
    code = cli.main([*words, "--node", "ethereum=http://us:secret@127.0.0.1:9"])
    out = capsys.readouterr().out
    assert code == cli.CANNOT_CHECK
    assert out.splitlines()[-2].startswith("NOT CHECKED check.unreadable: node 127.0.0.1:9: ")
    assert "secret" not in out


def test_another_chain_at_that_height_is_a_wrong_block(chain: Chain, proven: Proven) -> None:
    with anvil() as other:
        nodes = {"ethereum": EvmNode("ethereum", other.url)}
        with pytest.raises(verifier.CannotCheck, match=f"no block {chain.height} yet"):
            verifier.audit(proven.bundle, proven.key, policy=policy(chain), nodes=nodes)
        other.call("anvil_mine", hex(chain.height + 1))
        with pytest.raises(verifier.Rejected, match=r"chain\.wrong-block"):
            verifier.audit(proven.bundle, proven.key, policy=policy(chain), nodes=nodes)


def test_another_network_is_no_verdict(chain: Chain, proven: Proven) -> None:
    with anvil(chain_id=31337) as other:
        nodes = {"ethereum": EvmNode("ethereum", other.url)}
        with pytest.raises(verifier.CannotCheck, match="is of chain 31337, and ethereum is"):
            verifier.audit(proven.bundle, proven.key, policy=policy(chain), nodes=nodes)


def claimed(assay: Run, chain: Chain, folder: Path, edit: Callable[..., None]) -> Proven:
    """A bundle without proofs, of rows that a test has edited."""
    config = snapshot(folder / "exchange", chain, proofs=False)
    collect(assay, chain, config.parent, list(HOLDERS.values()))
    sign(config, edit=edit)
    assert assay("prove", config, "--out", folder / "proof")[::2] == (0, "")
    return Proven(folder / "proof" / "public", public_key(config), config)


@pytest.fixture(scope="module")
def word_alone(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    """An honest bundle without proofs."""
    return claimed(outside, chain, tmp_path_factory.mktemp("claimed"), lambda rows: None)


def test_a_node_proves_what_the_bundle_does_not(chain: Chain, word_alone: Proven) -> None:
    made = word_alone
    assert verifier.audit(made.bundle, made.key, policy=policy(chain)).level is Level.CLAIMED
    known = {chain.token: TokenSlot("ethereum", chain.token, 0)}
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url, slots=known)}
    report = verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)
    assert report.level is Level.CHAIN
    block = chain.node.call("eth_getBlockByNumber", hex(chain.height), False)
    assert report.block_times == {"ethereum": int(block["timestamp"], 16)}
    # Without the slot it is the node's word: the reader's own node's.
    with proxy(chain.node) as passed:
        nodes = {"ethereum": EvmNode("ethereum", passed.url)}
        report = verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)
    assert [item.level for item in report.assets] == [Level.CHAIN, Level.CHAIN]
    assert passed.calls.count("eth_call") == 1 + 2  # whether the node reads hashes, and the rows


def test_a_claim_of_more_is_a_wrong_amount(chain: Chain, tmp_path: Path, assay: Assay) -> None:
    def more(rows: list[dict[str, str]]) -> None:
        rows[0]["amount"] = str(int(rows[0]["amount"]) + 1)

    made = claimed(assay, chain, tmp_path, more)
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    with pytest.raises(verifier.Rejected, match=r"chain\.wrong-amount: ETH, row 0"):
        verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)


def lies_about(method: str, change: Callable[[Any], Any]) -> Callable[[str, Answer], Answer]:
    """Change the result of one method."""

    def lie(asked: str, answer: Answer) -> Answer:
        if asked == method and answer.get("result") is not None:
            answer["result"] = change(answer["result"])
        return answer

    return lie


def more_than_there_is(proof: dict[str, Any]) -> dict[str, Any]:
    """The last node, and the plain fields, say ten times the balance."""
    proof["balance"] = hex(int(proof["balance"], 16) * 10)
    leaf = bytearray.fromhex(proof["accountProof"][-1][2:])
    leaf[-70] ^= 1
    proof["accountProof"][-1] = "0x" + leaf.hex()
    return proof


BLOCK, PROOF = "eth_getBlockByNumber", "eth_getProof"
Lie = tuple[str, Callable[[Any], Any]]
# What shows nothing of a balance, and what is no answer of such a node at all.
SHOWS_NOTHING: dict[str, Lie] = {
    "more than there is": (PROOF, more_than_there_is),
    "no nodes": (PROOF, lambda found: found | {"accountProof": []}),
    "nothing": (PROOF, lambda found: None),
    "another state root": (BLOCK, lambda found: found | {"stateRoot": "0x" + "11" * 32}),
    "another number": (BLOCK, lambda found: found | {"number": "0x1"}),
    "a field less": (BLOCK, lambda found: found | {"baseFeePerGas": None}),
    "a field of another type": (BLOCK, lambda found: found | {"gasUsed": 7}),
    "a field that is a list": (BLOCK, lambda found: found | {"gasLimit": ["0x1", "0x2"]}),
}
BROKEN: dict[str, Lie] = {
    "a node that is no hex": (PROOF, lambda found: found | {"accountProof": ["0xzz"]}),
    "a thousand nodes": (PROOF, lambda found: found | {"accountProof": ["0x00"] * 1000}),
    "no proof": (PROOF, lambda found: {}),
    "a list": (PROOF, lambda found: [found]),
    "a block that is none": (BLOCK, lambda found: "0x1"),
    "no hash": (BLOCK, lambda found: found | {"hash": None}),
    "no time": (BLOCK, lambda found: found | {"timestamp": None}),
    "no number": (BLOCK, lambda found: found | {"number": "7"}),
}
LIES = SHOWS_NOTHING | BROKEN


@pytest.mark.parametrize("name", LIES)
def test_a_node_that_lies_is_caught_by_the_proof(
    chain: Chain, tmp_path: Path, assay: Assay, name: str
) -> None:
    (tmp_path / "addresses").write_text(HOLDERS["first"])
    with proxy(chain.node) as lying:
        lying.lie = lies_about(*LIES[name])
        words = ["evidence", "ethereum", "--rpc", lying.url, "--block", chain.height]
        words += ["--addresses", tmp_path / "addresses", "--out", tmp_path / "rows.csv"]
        code, out, err = assay(*words)
    assert (code, out) == (1, "")
    assert err.startswith("assay: check.unreadable: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("name", SHOWS_NOTHING)
def test_a_node_that_shows_nothing_leaves_the_claim(
    chain: Chain, word_alone: Proven, name: str
) -> None:
    """Its block is the manifest's; a row that is claimed does not end the audit."""
    made = word_alone
    with proxy(chain.node) as lying:
        lying.lie = lies_about(*SHOWS_NOTHING[name])
        report = verifier.audit(
            made.bundle,
            made.key,
            policy=policy(chain),
            nodes={"ethereum": EvmNode("ethereum", lying.url, slots=slots_of(chain))},
        )
    assert report.level is Level.CLAIMED
    assert [item.disclosed.get(Level.CHAIN) for item in report.assets] == [None, None]
    (step,) = (check for check in report.checks if "by your own node" in check.name)
    assert (step.figures["confirmed"], step.figures["undecided"]) == (0, 4)
    assert str(step.figures["because"]).startswith(("the node", "the block"))


@pytest.mark.parametrize("name", BROKEN)
def test_an_audit_with_a_broken_node_ends_without_a_verdict(
    chain: Chain, word_alone: Proven, name: str
) -> None:
    made = word_alone
    with proxy(chain.node) as lying:
        lying.lie = lies_about(*BROKEN[name])
        nodes = {"ethereum": EvmNode("ethereum", lying.url, slots=slots_of(chain))}
        with pytest.raises(verifier.CannotCheck) as raised:
            verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)
    assert raised.value.code is verifier.Code.CHECK_UNREADABLE


def errs(method: str, number: int, message: str) -> Callable[[str, Answer], Answer]:
    """Answer one method with an error."""

    def lie(asked: str, answer: Answer) -> Answer:
        if asked != method:
            return answer
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": number, "message": message}}

    return lie


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (-32000, "missing trie node"),
        (-32601, "the method eth_getProof does not exist"),
        (-32005, "daily request count exceeded, request rate limited"),
    ],
)
def test_a_state_that_the_node_does_not_tell_leaves_the_claim(
    chain: Chain,
    word_alone: Proven,
    number: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["audit", str(word_alone.bundle), "--exchange-key", public_key_text(word_alone.key)]
    words += ["--unit", f"TST=ethereum:{chain.token}:18", "--token-slot", f"{chain.token}=0"]
    with proxy(chain.node) as node:
        node.lie = errs(PROOF, number, message)
        assert cli.main([*words, "--node", f"ethereum={node.url}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("ACCEPTED as claimed: ")
    (step,) = (line for line in lines if "by your own node" in line)
    assert "confirmed 0, undecided 4, because node 127.0.0.1:" in step
    assert f"{PROOF}: the node answers: {message}" in step


def test_a_node_too_slow_for_a_coin_or_token_is_not_asked_of_it_again(
    chain: Chain, word_alone: Proven
) -> None:
    made = word_alone
    rest = threading.Event()

    def hang(method: str, answer: Answer) -> Answer:
        if method == PROOF:
            rest.wait(60)
        return answer

    with proxy(chain.node) as slow:
        slow.lie = hang
        nodes = {"ethereum": EvmNode("ethereum", slow.url, slots=slots_of(chain), timeout=3)}
        report = verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)
        rest.set()
    assert report.level is Level.CLAIMED
    assert slow.calls.count(PROOF) == 2  # of the coin, and of the token
    (step,) = (check for check in report.checks if "by your own node" in check.name)
    assert str(step.figures["because"]).endswith("no answer in time")


def unknown_fork(found: dict[str, Any]) -> dict[str, Any]:
    """Fields of a fork to come, and the hash that their header has."""
    return found | {"hash": "0x" + "ab" * 32, "futureRoot": "0x" + "11" * 32, "gasLimits": ["0x1"]}


def test_a_block_of_a_fork_to_come(
    chain: Chain, tmp_path: Path, assay: Assay, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its header cannot be put together, and yet it is the block: claims stay claims."""
    config = snapshot(tmp_path / "exchange", chain, proofs=False)
    collect(assay, chain, config.parent, list(HOLDERS.values()))
    text = config.read_text()
    config.write_text(text.replace(chain.node.block_hash(chain.height), "ab" * 32))
    sign(config)
    assert assay("prove", config, "--out", tmp_path / "proof")[::2] == (0, "")
    said = f"this version does not know the fork of block {chain.height}: update Assay"
    words = ["audit", str(tmp_path / "proof/public")]
    words += ["--exchange-key", public_key_text(public_key(config))]
    words += ["--unit", f"TST=ethereum:{chain.token}:18", "--token-slot", f"{chain.token}=0"]
    with proxy(chain.node) as ahead:
        ahead.lie = lies_about(BLOCK, unknown_fork)
        assert cli.main([*words, "--node", f"ethereum={ahead.url}"]) == 0
        out = capsys.readouterr().out
        assert f"confirmed 0, undecided 4, because {said}" in out
        assert "ACCEPTED as claimed: " in out
        assert ", of 2026-11-21T" in out  # the block's time is told all the same
        (tmp_path / "addresses").write_text(HOLDERS["first"])
        collecting = ["evidence", "ethereum", "--rpc", ahead.url, "--block", chain.height]
        collecting += ["--addresses", tmp_path / "addresses", "--out", tmp_path / "rows.csv"]
        code, out, err = assay(*collecting)
    assert (code, out, err) == (1, "", f"assay: check.unreadable: {said}\n")
    assert not (tmp_path / "rows.csv").exists()


def wallets(
    assay: Assay,
    chain: Chain,
    folder: Path,
    wallet: str,
    key: bytes,
    edit: Callable[[list[dict[str, str]]], None] = lambda rows: None,
) -> Proven:
    """A bundle in which a contract wallet is among the holders; ``key`` has signed for it."""
    config = snapshot(folder / "exchange", chain)
    collect(assay, chain, config.parent, [HOLDERS["first"], wallet])
    sign(
        config,
        lambda address: ("eip1271" if address == wallet else "eip191", key),
        edit,
    )
    assert assay("prove", config, "--out", folder / "proof")[::2] == (0, "")
    return Proven(folder / "proof" / "public", public_key(config), config)


def test_a_contract_wallet_is_asked(chain: Chain, tmp_path: Path, assay: Assay) -> None:
    made = wallets(assay, chain, tmp_path, chain.wallet, KEYS["first"])
    with pytest.raises(verifier.TooWeak, match="amounts of ETH are not known as claimed"):
        verifier.audit(made.bundle, made.key, policy=policy(chain))
    loose = policy(chain, require=Level.UNVERIFIED)
    report = verifier.audit(made.bundle, made.key, policy=loose)
    assert report.assets[0].disclosed == {Level.HEADER: 7 * 10**9, Level.UNVERIFIED: 2 * 10**9}
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    report = verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)
    assert report.level is Level.CHAIN


@pytest.mark.parametrize("kind", ["another key", "reverts", "no contract"])
def test_a_contract_wallet_that_says_no(
    chain: Chain, tmp_path: Path, assay: Assay, kind: str
) -> None:
    wallet, key = {
        "another key": (chain.wallet, KEYS["second"]),
        "reverts": (chain.sulky, KEYS["first"]),
        "no contract": (HOLDERS["second"], KEYS["second"]),
    }[kind]
    made = wallets(assay, chain, tmp_path, wallet, key)
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    with pytest.raises(verifier.Rejected, match=r"chain\.bad-ownership: ETH, row"):
        verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)


@pytest.mark.parametrize(
    ("kind", "raised", "said"),
    [
        ("never ends", verifier.TooWeak, "amounts of ETH are not known as claimed"),
        ("floods", verifier.TooWeak, "amounts of ETH are not known as claimed"),
    ],
)
def test_a_contract_wallet_that_gives_no_answer(
    chain: Chain,
    tmp_path: Path,
    assay: Assay,
    kind: str,
    raised: type[Exception],
    said: str,
) -> None:
    """Neither raises what is known, and neither is a rejection."""
    made = wallets(assay, chain, tmp_path, chain.strange[kind], KEYS["first"])
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    with pytest.raises(raised, match=said):
        verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)


@pytest.mark.parametrize(
    ("error", "ends", "said"),
    [
        ({"code": -32000, "message": "execution reverted"}, verifier.Rejected, r"bad-ownership"),
        (
            {"code": -32015, "message": "VM execution error.", "data": "Reverted 0x"},
            verifier.Rejected,
            "ownership",
        ),
        (
            {"code": -32603, "message": "Error: Transaction reverted without a reason string"},
            verifier.Rejected,
            r"chain\.bad-ownership",
        ),
        ({"code": -32005, "message": "rate limited"}, verifier.TooWeak, "not known as claimed"),
        ({"code": -32000, "message": "out of gas"}, verifier.TooWeak, "not known as claimed"),
    ],
)
def test_the_verdict_on_a_wallet_does_not_hang_on_the_node_s_brand(
    chain: Chain,
    tmp_path: Path,
    assay: Assay,
    error: dict[str, Any],
    ends: type[Exception],
    said: str,
) -> None:
    made = wallets(assay, chain, tmp_path, chain.sulky, KEYS["first"])
    with proxy(chain.node) as brand:
        brand.lie = lambda method, answer: (
            {"id": answer["id"], "error": error} if method == "eth_call" else answer
        )
        nodes = {"ethereum": EvmNode("ethereum", brand.url)}
        with pytest.raises(ends, match=said):
            verifier.audit(made.bundle, made.key, policy=policy(chain), nodes=nodes)


def test_a_wallet_that_is_too_slow_does_not_keep_the_amounts_from_being_asked(
    chain: Chain, tmp_path: Path, assay: Assay
) -> None:
    """Nor another wallet from being asked: what one takes is up to whoever made it."""
    config = snapshot(tmp_path / "exchange", chain, proofs=False)
    both = [chain.wallet, chain.sulky]
    collect(assay, chain, config.parent, [HOLDERS["first"], *both])
    forms = dict.fromkeys(both, ("eip1271", KEYS["first"]))
    sign(config, lambda address: forms.get(address, ("eip191", KEYS["first"])))
    assert assay("prove", config, "--out", tmp_path / "proof")[::2] == (0, "")
    rest = threading.Event()

    def hang(method: str, answer: Answer) -> Answer:
        if method == "eth_call":
            rest.wait(60)
        return answer

    with proxy(chain.node) as slow:
        slow.lie = hang
        known = {chain.token: TokenSlot("ethereum", chain.token, 0)}
        nodes = {"ethereum": EvmNode("ethereum", slow.url, slots=known, timeout=3)}
        loose = policy(chain, require=Level.UNVERIFIED)
        report = verifier.audit(
            tmp_path / "proof/public", public_key(config), policy=loose, nodes=nodes
        )
        rest.set()
    assert slow.calls.count("eth_call") == 2  # one a wallet
    ether, token = report.assets
    assert ether.disclosed == {Level.CHAIN: 7 * 10**9, Level.UNVERIFIED: 4 * 10**9}
    assert token.level is Level.CHAIN


def test_a_row_above_its_proof_is_refused_before_anything_is_signed(
    chain: Chain, tmp_path: Path, assay: Assay
) -> None:
    def more(rows: list[dict[str, str]]) -> None:
        rows[0]["amount"] = str(int(rows[0]["amount"]) + 1)

    config = snapshot(tmp_path / "exchange", chain)
    collect(assay, chain, config.parent, list(HOLDERS.values()))
    sign(config, edit=more)
    code, _, err = assay("prove", config, "--out", tmp_path / "proof")
    assert code == 1
    assert "less is proved than the row counts" in err
    assert not (tmp_path / "proof" / "public").exists()


def test_what_proves_is_of_the_snapshots_block(chain: Chain, tmp_path: Path, assay: Assay) -> None:
    config = snapshot(tmp_path / "exchange", chain)
    later = Chain(chain.node, chain.token, chain.wallet, chain.sulky, chain.height + 1)
    collect(assay, later, config.parent, list(HOLDERS.values()))
    sign(config)
    code, _, err = assay("prove", config, "--out", tmp_path / "proof")
    assert (code, "not the header of the manifest's block" in err) == (1, True)
    (config.parent / "ETH.proof").write_bytes(b"\x80")
    code, _, err = assay("prove", config, "--out", tmp_path / "proof")
    assert (code, "ETH.proof: not a file of proofs" in err) == (1, True)


def test_a_token_without_a_slot_is_refused(chain: Chain, tmp_path: Path, assay: Assay) -> None:
    config = snapshot(tmp_path / "exchange", chain, slot=False)
    collect(assay, chain, config.parent, list(HOLDERS.values()))
    sign(config)
    code, _, err = assay("prove", config, "--out", tmp_path / "proof")
    assert (code, "slot is neither known nor named" in err) == (1, True)


@pytest.mark.parametrize(
    ("lines", "words", "code", "said"),
    [
        ("", [], 1, "no addresses"),
        ("0x12", [], 1, "line 1: not an address"),
        (f"{NOBODY}\n{NOBODY}", [], 1, "line 2: this address occurs twice"),
        (HOLDERS["first"].lower(), [], 1, "line 1: the EIP-55 checksum is missing or wrong"),
        ("\xff", [], 1, "not UTF-8"),
        (NOBODY, ["--token", "0x12", "--asset", "X"], 2, "not an address"),
        (NOBODY, ["--token", NOBODY], 2, "code is not known"),
        (NOBODY, ["--slot", "3"], 2, "or no --token is given"),
        (NOBODY, ["--cookie", "x"], 2, "not for ethereum"),
        (NOBODY, ["--token", NOBODY, "--slot", "-1"], 2, "a number below 2^256"),
        (NOBODY, ["--token", NOBODY, "--slot", "3"], 2, "code is not known"),
        (NOBODY, ["--token", USDC, "--slot", "3"], 2, "is 9, and not 3"),
        (NOBODY, ["--token", NOBODY, "--slot", "3", "--asset", "x"], 2, "1 to 16 of A-Z"),
        (NOBODY, ["--rpc", "ftp://host"], 1, "a node's URL is"),
        (NOBODY, ["--block", "999999"], 1, "the node has no block 999999 yet"),
    ],
)
def test_what_is_typed_is_checked(
    chain: Chain,
    tmp_path: Path,
    assay: Assay,
    lines: str,
    words: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "addresses").write_bytes(lines.encode("latin-1"))
    common = ["evidence", "ethereum", "--addresses", tmp_path / "addresses"]
    common += ["--out", tmp_path / "rows.csv"]
    for option, value in (("--rpc", chain.node.url), ("--block", chain.height)):
        common += [] if option in words else [option, value]
    found, out, err = assay(*common, *words)
    assert (found, out) == (code, "")
    assert said in " ".join(err.replace("│", " ").split())
    assert [*files(tmp_path)] == ["addresses"]


@pytest.mark.parametrize("fork", ["london", "paris", "shanghai", "cancun", "prague", "osaka"])
def test_headers_of_every_fork(fork: str) -> None:
    with anvil("--hardfork", fork) as node:
        node.call("anvil_mine", "0x2")
        asked = EvmRpc("ethereum", node.url)
        header = parse_header(asked.header(asked.block(2)), HeaderForm.ETHEREUM)
        assert (header.number, header.hash.hex()) == (2, node.block_hash(2))
        rich = bytes.fromhex(node.rich[2:])
        assert asked.balance(header, rich, "", {})[0] == 10_000 * ETHER
        assert asked.balance(header, bytes(range(20)), "", {})[0] == 0
        asked.rpc.close()
