"""What a node of an EVM chain is asked, and what its word counts for, where nothing is proved."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from tests.support.ethereum_rpc_server import serve
from tests.support.ethereum_state import (
    EMPTY_CODE,
    EMPTY_ROOT,
    Tree,
    avalanche_fields,
    header_fields,
    number,
    told_fields,
)
from tests.support.forged_sample import SIGNERS, Spec, sample
from tests.support.subjects import write_files
from verifier import CannotCheck, Code, EvmNode, Level, Misuse, Rejected
from verifier.checks.holdings import CheckedEvidence, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.format.chains import CHAINS, Family, HeaderForm, of_family
from verifier.nodes import patience
from verifier.verify import read_rows

HEIGHT = 70_000_000
HASH = bytes([7]) * 32
TOKEN = "0x" + "11" * 20
ACCOUNT = SIGNERS["bsc account"][2]("any").address
AMOUNT = 5_000
TIME = 1_700_000_000
BY_HASH = {"blockHash": "0x" + HASH.hex()}
UNKNOWN = {"code": -32000, "message": "header not found"}
NO_BLOCK = {"blockHash": "0x" + "11" * 32}
Answer = dict[str, Any]


@dataclass
class Rows:
    """What the evidence of a bundle comes to before a node is asked."""

    checked: CheckedManifest
    evidence: list[CheckedEvidence]

    def ask(self, url: str, timeout: float = 30) -> Holding:
        """The one row, after a node was asked."""
        node = EvmNode("bsc", url, timeout=timeout)
        (found,) = node.confirm(self.checked, self.evidence)
        assert found.block_times == {"bsc": TIME}
        (row,) = found.rows
        return row


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """A bundle with one row of a token whose slot nobody names."""
    spec = Spec("XYZ", 2, (("bsc", TOKEN, 4),), (("bsc account", TOKEN, AMOUNT),))
    chains = [("bsc", HEIGHT, HASH)]
    forger = sample([spec], {"bob@example.com": {"XYZ": [50]}}, chains=chains).forger
    folder = write_files(tmp_path_factory.mktemp("token") / "bundle", forger.bundle())
    return Rows(*read_rows(folder, forger.public_key))


def word(value: int) -> str:
    return f"0x{value:064x}"


@dataclass
class Bsc:
    """A node: what `balanceOf` answers at the block, and at the tip; whether it reads hashes."""

    balance: Answer
    takes: str = "both"
    chain_id: int = 56
    hashes: tuple[bytes, ...] = (HASH,)
    height: int = HEIGHT
    fields: dict[str, str] = field(default_factory=dict)
    proof: Any = None
    known: Any = field(default_factory=lambda: BY_HASH)

    def __post_init__(self) -> None:
        self.asked: list[tuple[str, list[Any]]] = []

    def answer(self, method: str, parameters: list[Any]) -> Answer:
        self.asked.append((method, parameters))
        match method:
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "eth_getBlockByNumber":
                if int(parameters[0], 16) > self.height:
                    return {"result": None}
                seen = sum(name == method for name, _ in self.asked) - 1
                block_hash = self.hashes[min(seen, len(self.hashes) - 1)]
                told = {"hash": "0x" + block_hash.hex(), "timestamp": hex(TIME)}
                return {"result": {"number": hex(self.height), **self.fields, **told}}
            case "eth_getProof" if self.proof is not None:
                return {"result": self.proof}
            case "eth_getBalance" | "eth_call":
                return self.at_block(parameters[1])
        return {"error": {"code": -32601, "message": "no such method"}}

    def at_block(self, at: Any) -> Answer:
        if isinstance(at, dict):
            if self.takes == "height":
                return {"error": {"code": -32602, "message": "invalid argument 1: not a string"}}
            if self.takes == "anything":
                return {"result": word(10**30)}  # of the tip, for it does not read what it is given
            return self.balance if at == self.known else {"error": UNKNOWN}
        if self.takes == "hash":
            raise AssertionError("a node that takes hashes is asked by the height")
        assert at == hex(HEIGHT)
        return self.balance


def ask(rows: Rows, node: Bsc) -> Holding:
    with serve(node.answer) as url:
        return rows.ask(url)


@pytest.mark.parametrize("takes", ["hash", "height", "anything"])
def test_the_word_of_one_s_own_node_at_the_block(token: Rows, takes: str) -> None:
    node = Bsc({"result": word(AMOUNT)}, takes)
    assert ask(token, node).known is Level.CHAIN
    probe, call = [given for name, given in node.asked if name == "eth_call"]
    assert probe[1] == NO_BLOCK
    asked = {"to": TOKEN, "data": "0x70a08231" + "00" * 12 + ACCOUNT[2:].lower()}
    assert call == [asked, BY_HASH if takes == "hash" else hex(HEIGHT)]
    with pytest.raises(Rejected) as rejected:
        ask(token, Bsc({"result": word(AMOUNT - 1)}, takes))
    assert (rejected.value.code, rejected.value.where) == (Code.CHAIN_WRONG_AMOUNT, "XYZ, row 0")


@pytest.mark.parametrize("balance", [AMOUNT, AMOUNT - 1])
def test_a_chain_that_moves_under_a_question_by_height(token: Rows, balance: int) -> None:
    """The height may be another block's by then: no confirmation, and no rejection."""
    moved = Bsc({"result": word(balance)}, "height", hashes=(HASH, bytes(32)))
    with pytest.raises(CannotCheck, match="chain moved while it was asked"):
        ask(token, moved)


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        ({"result": "0x"}, "no contract answers there"),
        ({"result": "0x" + "00" * 31}, "no balance"),
        ({"result": "0x" + "00" * 64}, "no balance"),
        ({"error": {"code": 3, "message": "execution reverted", "data": "0x"}}, "reverted"),
        ({"error": {"code": -32000, "message": "missing trie node 11ff"}}, "missing trie node"),
        ({"error": {"code": -32000, "message": "historical state is not available"}}, "state"),
        ({"error": {"code": -32005, "message": "limit exceeded"}}, "limit exceeded"),
        ({"error": {"code": -32601, "message": "the method does not exist"}}, "does not exist"),
    ],
)
def test_what_shows_no_balance_leaves_the_row(token: Rows, balance: Answer, said: str) -> None:
    for takes in ("hash", "height"):
        row = ask(token, Bsc(balance, takes))
        assert row.known is Level.CLAIMED
        assert said in row.undecided


@pytest.mark.parametrize("result", [None, 7, "7", "0x7", "0xzz" + "00" * 31, [], {}])
def test_an_answer_of_another_form_is_no_verdict(token: Rows, result: Any) -> None:
    with pytest.raises(CannotCheck) as raised:
        ask(token, Bsc({"result": result}))
    assert raised.value.code is Code.CHECK_UNREADABLE


def test_another_network_or_a_node_that_lags_is_no_verdict(token: Rows) -> None:
    for chain_id in (1, 97, 0):
        with pytest.raises(CannotCheck, match=f"is of chain {chain_id}, and bsc is chain 56"):
            ask(token, Bsc({"result": word(AMOUNT)}, chain_id=chain_id))
    with pytest.raises(CannotCheck, match=f"no block {HEIGHT} yet"):
        ask(token, Bsc({"result": word(AMOUNT)}, height=HEIGHT - 1))


def test_another_block_is_a_contradiction(token: Rows) -> None:
    with pytest.raises(Rejected) as rejected:
        ask(token, Bsc({"result": word(AMOUNT)}, hashes=(bytes(32),)))
    assert (rejected.value.code, rejected.value.where) == (Code.CHAIN_WRONG_BLOCK, "bsc")


def test_a_slow_node_is_asked_once(token: Rows) -> None:
    rows = replace(token.evidence[0], rows=token.evidence[0].rows * 3)
    node = Bsc({"result": word(AMOUNT)})

    def slow(method: str, parameters: list[Any]) -> Answer:
        if method == "eth_call":
            time.sleep(1)
        return node.answer(method, parameters)

    with serve(slow) as url:
        asked = EvmNode("bsc", url, timeout=0.5)
        (found,) = asked.confirm(token.checked, [rows])
    assert [row.known for row in found.rows] == [Level.CLAIMED] * 3
    assert all("no answer in time" in row.undecided for row in found.rows)
    assert sum(name == "eth_call" for name, _ in node.asked) <= 1


TETHER = "0x55d398326f99059fF775485246999027B3197955"
SLOW = ["0x" + f"{at}" * 40 for at in (1, 2, 3)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Three tokens that nobody knows, before one that every reader does."""
    specs = [
        Spec(code, 2, (("bsc", contract, 4),), (("bsc account", contract, AMOUNT),))
        for code, contract in zip(("AAA", "AAB", "AAC"), SLOW, strict=True)
    ]
    tether = Spec("USDT", 6, (("bsc", TETHER, 18),), (("bsc account", TETHER, 10**18),))
    chains = [("bsc", HEIGHT, HASH)]
    customers = {"bob@example.com": {"USDT": [500_000]}}
    forger = sample([*specs, tether], customers, chains=chains).forger
    folder = write_files(tmp_path_factory.mktemp("mixed") / "bundle", forger.bundle())
    return Rows(*read_rows(folder, forger.public_key))


def ask_mixed(rows: Rows, held: int, seconds: float) -> tuple[list[str], list[CheckedEvidence]]:
    """The contracts that are asked, in order, where those that nobody knows take their time."""
    node, asked = Bsc({"result": word(AMOUNT)}), []

    def answer(method: str, parameters: list[Any]) -> Answer:
        if method == "eth_call" and parameters[1] == BY_HASH:
            contract = parameters[0]["to"]
            asked.append(contract)
            if contract == TETHER:
                return {"result": word(held)}
            time.sleep(seconds)
        return node.answer(method, parameters)

    with serve(answer) as url:
        found = EvmNode("bsc", url, timeout=0.5).confirm(rows.checked, rows.evidence)
    return asked, found


def test_slow_contracts_of_others_do_not_keep_a_node_from_what_counts(mixed: Rows) -> None:
    with pytest.raises(Rejected) as rejected:
        ask_mixed(mixed, 10**18 - 1, 1)
    assert (rejected.value.code, rejected.value.where) == (Code.CHAIN_WRONG_AMOUNT, "USDT, row 0")
    asked, found = ask_mixed(mixed, 10**18, 1)
    assert asked == [TETHER, *SLOW]
    assert [each.level for each in found] == [Level.CLAIMED] * 3 + [Level.CHAIN]


def test_a_gateway_that_gives_up_on_one_contract_tells_of_the_others(mixed: Rows) -> None:
    node = Bsc({"result": word(10**18)})

    def answer(method: str, parameters: list[Any]) -> Answer | bytes:
        is_slow = method == "eth_call" and parameters[0]["to"] in SLOW
        return b"<html>504</html>" if is_slow else node.answer(method, parameters)

    with serve(answer) as url:
        found = EvmNode("bsc", url).confirm(mixed.checked, mixed.evidence)
    assert [each.level for each in found] == [Level.CLAIMED] * 3 + [Level.CHAIN]
    assert "HTTP status 504" in found[0].rows[0].undecided


def test_contracts_that_nobody_knows_have_a_time_together(
    mixed: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "APART_SECONDS", 0.3)
    asked, found = ask_mixed(mixed, 10**18, 0.2)
    assert asked == [TETHER, *SLOW[:2]]
    assert [each.level for each in found] == [Level.CHAIN, Level.CHAIN, Level.CLAIMED, Level.CHAIN]
    assert "too long altogether" in found[2].rows[0].undecided


@pytest.mark.parametrize("takes", ["hash", "height", "anything"])
def test_a_wallet_is_asked_at_the_block(token: Rows, takes: str) -> None:
    """One that takes the signature at the tip alone did not own anything at the block."""
    (row,) = token.evidence[0].rows
    wallet = replace(
        row,
        signature=replace(row.signature, format="eip1271", text="0x12"),
        is_owned=False,
    )
    evidence = [replace(token.evidence[0], rows=(wallet,))]
    magic = "0x1626ba7e" + "00" * 28

    def confirm(there: str, hashes: tuple[bytes, ...] = (HASH,)) -> Holding:
        node = Bsc({"result": word(AMOUNT)}, takes, hashes=hashes)

        def answer(method: str, parameters: list[Any]) -> Answer:
            found = node.answer(method, parameters)
            if method == "eth_call" and parameters[0]["data"].startswith("0x1626ba7e"):
                at_tip = takes == "anything" and isinstance(parameters[1], dict)
                return {"result": magic if at_tip else there} if "result" in found else found
            return found

        with serve(answer) as url:
            ((found,),) = [
                each.rows for each in EvmNode("bsc", url).confirm(token.checked, evidence)
            ]
        return found

    assert confirm(magic).known is Level.CHAIN
    with pytest.raises(Rejected) as rejected:
        confirm("0x")
    assert rejected.value.code is Code.CHAIN_BAD_OWNERSHIP
    if takes != "hash":
        for there in (magic, "0x"):
            with pytest.raises(CannotCheck, match="chain moved while it was asked"):
                confirm(there, (HASH, bytes(32)))


def test_a_slow_wallet_says_nothing_of_another(token: Rows) -> None:
    (row,) = token.evidence[0].rows
    wallets = [
        replace(
            row,
            address=replace(row.address, owner=owner),
            signature=replace(row.signature, format="eip1271", text="0x12"),
            is_owned=False,
        )
        for owner in (b"\x01" * 20, b"\x02" * 20)
    ]
    node = Bsc({"result": word(AMOUNT)})

    def answer(method: str, parameters: list[Any]) -> Answer:
        if method == "eth_call" and parameters[0]["to"] == "0x" + "01" * 20:
            time.sleep(1)
        return node.answer(method, parameters)

    evidence = [replace(token.evidence[0], rows=(*wallets,))]
    with serve(answer) as url, pytest.raises(Rejected, match="row 1: the contract wallet"):
        EvmNode("bsc", url, timeout=0.5).confirm(token.checked, evidence)


@pytest.mark.parametrize("form", ["eip191", "eip1271"])
def test_rows_of_other_chains_are_not_asked(token: Rows, form: str) -> None:
    """Not their wallets either: the same address on another chain may be another's."""
    (row,) = token.evidence[0].rows
    foreign = replace(
        row,
        row=replace(row.row, chain="polygon"),
        address=replace(row.address, chain="polygon"),
        signature=replace(row.signature, chain="polygon", format=form, text="0x"),
        is_owned=form == "eip191",
    )
    evidence = [replace(token.evidence[0], rows=(foreign,))]
    node = Bsc({"result": word(AMOUNT)})
    with serve(node.answer) as url:
        (found,) = EvmNode("bsc", url).confirm(token.checked, evidence)
    assert found.rows == (foreign,)
    assert [name for name, _ in node.asked] == ["eth_chainId", "eth_getBlockByNumber"]


@pytest.mark.parametrize("chain", of_family(Family.EVM))
def test_every_evm_chain_is_known_by_its_number(chain: str) -> None:
    at = CHAINS[chain].chain_id
    with serve(lambda method, parameters: {"result": hex(at)}) as url:
        node = EvmNode(chain, url)
        node._node.check_network()
        node._node.rpc.close()
    with serve(lambda method, parameters: {"result": hex(at + 1)}) as url:
        node = EvmNode(chain, url)
        with pytest.raises(CannotCheck):
            node._node.check_network()
        node._node.rpc.close()


@pytest.mark.parametrize("chain", ["bitcoin", "tron", "fiat", "kaspa"])
def test_a_chain_of_another_kind_has_no_such_node(chain: str) -> None:
    with pytest.raises(Misuse, match="not a chain of Ethereum's kind"):
        EvmNode(chain, "http://127.0.0.1:9")


@pytest.fixture
def zksync(tmp_path: Path) -> Rows:
    """A chain whose headers prove nothing: its coin, too, is known by the node's word."""
    spec = Spec("ETH", 2, (("zksync", "", 18),), (("zksync account", "", AMOUNT),))
    chains = [("zksync", HEIGHT, HASH)]
    forger = sample([spec], {"bob@example.com": {"ETH": [50]}}, chains=chains).forger
    folder = write_files(tmp_path / "bundle", forger.bundle())
    return Rows(*read_rows(folder, forger.public_key))


@pytest.mark.parametrize(
    ("balance", "level"),
    [({"result": hex(AMOUNT)}, Level.CHAIN), ({"result": None}, Level.CLAIMED)],
)
def test_a_coin_that_no_header_proves(zksync: Rows, balance: Answer, level: Level) -> None:
    node = Bsc(balance, chain_id=324)

    def ask_zksync(url: str) -> list[CheckedEvidence]:
        return EvmNode("zksync", url).confirm(zksync.checked, zksync.evidence)

    with serve(node.answer) as url:
        ((row,),) = [found.rows for found in ask_zksync(url)]
    assert row.known is level
    assert ("eth_getBalance", [ACCOUNT.lower(), BY_HASH]) in node.asked
    if level is Level.CHAIN:
        node = Bsc({"result": hex(AMOUNT - 1)}, chain_id=324)
        with serve(node.answer) as url, pytest.raises(Rejected, match=r"chain\.wrong-amount"):
            ask_zksync(url)


def coin_of(chain: str, header: bytes, folder: Path) -> Rows:
    """A bundle with one row of a chain's coin, at the block of a header."""
    code = {"avalanche": "AVAX", "blast": "ETH", "bsc": "BNB", "ethereum": "ETH"}[chain]
    kind = "account" if chain == "ethereum" else f"{chain} account"
    spec = Spec(code, 2, ((chain, "", 18),), ((kind, "", AMOUNT),))
    chains = [(chain, HEIGHT, bytes(keccak(header)))]
    forger = sample([spec], {"bob@example.com": {code: [0]}}, chains=chains).forger
    bundle = write_files(folder / "bundle", forger.bundle())
    return Rows(*read_rows(bundle, forger.public_key))


@pytest.mark.parametrize("chain", ["avalanche", "blast", "bsc", "ethereum"])
@pytest.mark.parametrize("items", [4, 5, 7])
def test_a_state_of_another_form_is_known_by_the_node_s_word(
    chain: str, items: int, tmp_path: Path
) -> None:
    """Accounts have four fields where their balances can be proved, and other chains have more."""
    fields = [b"", number(AMOUNT), EMPTY_ROOT, EMPTY_CODE, b"", b"", b""][:items]
    holder = bytes.fromhex(ACCOUNT[2:])
    tree = Tree({holder: rlp.encode(fields)})
    form = HeaderForm.AVALANCHE if chain == "avalanche" else HeaderForm.ETHEREUM
    every = avalanche_fields if chain == "avalanche" else header_fields
    data = bytes(rlp.encode(every(tree.root, HEIGHT, time=TIME)))
    rows = coin_of(chain, data, tmp_path)
    nodes = ["0x" + node.hex() for node in tree.proof(holder)]
    strict = chain == "ethereum" and items != 4
    proves = CHAINS[chain].proves_state
    for held in (AMOUNT, AMOUNT - 1):
        node = Bsc(
            {"result": hex(held)},
            chain_id=CHAINS[chain].chain_id,
            hashes=(bytes(keccak(data)),),
            fields=told_fields(data, form),
            proof={"accountProof": nodes, "storageProof": []},
            known={"blockHash": "0x" + keccak(data).hex()},
        )
        with serve(node.answer) as url:
            confirm = partial(EvmNode(chain, url).confirm, rows.checked, rows.evidence)
            if strict or held == AMOUNT or (proves and items == 4):
                ((row,),) = [found.rows for found in confirm()]
                assert row.known is (Level.CLAIMED if strict else Level.CHAIN)
                assert ("does not fit the block" in row.undecided) is strict
            else:
                with pytest.raises(Rejected, match=r"chain\.wrong-amount"):
                    confirm()
        asked = {name for name, _ in node.asked}
        assert ("eth_getProof" in asked) is proves
        assert ("eth_getBalance" in asked) is (not strict and not (proves and items == 4))


@pytest.mark.parametrize(
    "proof", [{}, [], {"accountProof": [7], "storageProof": []}, {"accountProof": ["0x"] * 131}]
)
def test_proofs_of_another_form_are_no_proofs(proof: Any, tmp_path: Path) -> None:
    data = bytes(rlp.encode(header_fields(bytes(32), HEIGHT, time=TIME)))
    rows = coin_of("bsc", data, tmp_path)
    node = Bsc(
        {"result": hex(AMOUNT)},
        hashes=(bytes(keccak(data)),),
        fields=told_fields(data, HeaderForm.BSC),
        proof=proof,
        known={"blockHash": "0x" + keccak(data).hex()},
    )
    with serve(node.answer) as url:
        ((row,),) = [
            found.rows for found in EvmNode("bsc", url).confirm(rows.checked, rows.evidence)
        ]
    assert row.known is Level.CHAIN
