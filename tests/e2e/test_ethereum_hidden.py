"""Disclosed accounts and hidden keys of Ethereum in one bundle, proved under one block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from coincurve import PrivateKey

import verifier
from spec import reference
from spec.reference.ethereum import Slot
from tests.e2e.test_ethereum import (
    HOLDERS,
    SNAPSHOT_TIME,
    SUPPLY,
    Chain,
    Proven,
    collect,
    policy,
    sign,
    snapshot,
)
from tests.support.ethereum_node import ETHER, Answer, anvil, deploy_token, proxy, transfer
from tests.support.exchange_files import edit, outside, public_key
from verifier import EvmNode, Level, TokenSlot
from verifier.format.keys import public_key_text
from verifier.ownership.families.evm import account_of, account_text

LISTED, OWNED = 6, 3
_RANDOM = Random(11)
PRIVATE = [_RANDOM.randbytes(32) for _ in range(LISTED)]
PUBLIC = [PrivateKey(secret).public_key for secret in PRIVATE]
ACCOUNTS = [account_text(account_of(key)) for key in PUBLIC]
# The last key holds nothing; the exchange knows the first three.
ETHERS = [(at + 1) * ETHER if at < LISTED - 1 else 0 for at in range(LISTED)]
TOKENS = [10 * held for held in ETHERS]
DISCLOSED = {"first": 2 * ETHER, "second": ETHER}
OWED = 3 + sum(range(1, OWNED + 1))


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """What is disclosed holds ether, and what is hidden ether and tokens."""
    with anvil("--timestamp", str(SNAPSHOT_TIME)) as node:
        token = account_text(bytes.fromhex(deploy_token(node, SUPPLY)[2:]))
        for name, amount in DISCLOSED.items():
            node.call("anvil_setBalance", HOLDERS[name], hex(amount))
        for account, ether, tokens in zip(ACCOUNTS, ETHERS, TOKENS, strict=True):
            node.call("anvil_setBalance", account, hex(ether))
            if tokens:
                transfer(node, token, account, tokens)
        node.call("anvil_mine", "0x1")  # balances that are set are in the next block's state
        height = node.height()
        node.call("anvil_mine", "0x2")
        node.call("anvil_setBalance", ACCOUNTS[0], "0x0")
        node.call("anvil_mine", "0x1")
        yield Chain(node, token, "", "", height)


def hide(config: Path, code: str, contract: str, amounts: list[int]) -> None:
    """Hide the exchange's keys of an asset among all, and attach the set to the snapshot."""
    folder = config.parent
    rows = [f"{key.format().hex()},{held}" for key, held in zip(PUBLIC, amounts, strict=True)]
    (folder / f"{code}.list.csv").write_text("\n".join(["public_key,amount", *rows]) + "\n")
    private = folder / "private.keys"
    private.write_text("".join(f"{secret.hex()}\n" for secret in PRIVATE[:OWNED]))
    private.chmod(0o600)
    place = ["--asset", code, "--chain", "ethereum", "--contract", contract, "--scripts", "account"]
    files = [folder / "announcement", folder / f"{code}.list.csv", private]
    made = ["--out", folder / f"{code}.set", "--opening", folder / f"{code}.opening"]
    assert outside("hide-keys", *files, *place, *made)[::2] == (0, "")
    section = f'[[hidden]]\nasset = "{code}"\nset = "{code}.set"\nopening = "{code}.opening"\n'
    config.write_text(config.read_text() + section)


def made(
    chain: Chain,
    folder: Path,
    *,
    proofs: bool,
    amounts: Callable[[list[int]], list[int]] = lambda held: held,
) -> tuple[int, str, Proven]:
    """Prove disclosed ether, hidden ether and hidden tokens; how that ended, and the bundle."""
    folder.mkdir(exist_ok=True)
    config = snapshot(folder / "exchange", chain, proofs=proofs)
    hidden = folder / "hidden"
    hidden.mkdir()
    (config.parent / "ledger.csv").write_text(
        f"id,code,amount\na,ETH,{OWED}\nb,TST,{10 * (OWED - 3)}\n"
    )
    collect(outside, chain, config.parent, list(HOLDERS.values()))
    if proofs:
        collect(outside, chain, hidden, ACCOUNTS)
        edit(config, '["ETH.proof"]', '["ETH.proof", "../hidden/ETH.proof"]')
        edit(config, '["TST.proof"]', '["../hidden/TST.proof"]')
    assert outside("challenge", config, "--announcement", config.parent / "announcement")[0] == 0
    hide(config, "ETH", "", amounts(ETHERS))
    hide(config, "TST", chain.token, amounts(TOKENS))
    sign(config)
    code, _, err = outside("prove", config, "--out", folder / "proof")
    return code, err, Proven(folder / "proof" / "public", public_key(config), config)


@pytest.fixture(scope="module")
def proven(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    code, err, found = made(chain, tmp_path_factory.mktemp("proven"), proofs=True)
    assert (code, err) == (0, "")
    return found


@pytest.fixture(scope="module")
def word_alone(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    code, err, found = made(chain, tmp_path_factory.mktemp("claimed"), proofs=False)
    assert (code, err) == (0, "")
    return found


def levels(report: verifier.Report) -> dict[str, tuple[dict[Level, int], list[Level]]]:
    """What is disclosed of each asset, by level, and the levels of what is hidden."""
    return {
        asset.code: (dict(asset.disclosed), [hidden.level for hidden in asset.hidden])
        for asset in report.assets
    }


def ask(chain: Chain, url: str, found: Proven) -> verifier.Report:
    nodes = {
        "ethereum": EvmNode(
            "ethereum", url, slots={chain.token: TokenSlot("ethereum", chain.token, 0)}
        )
    }
    return verifier.audit(found.bundle, found.key, policy=policy(chain), nodes=nodes)


def test_both_kinds_of_evidence_are_proved_together(chain: Chain, proven: Proven) -> None:
    report = verifier.audit(proven.bundle, proven.key, policy=policy(chain))
    gwei = {Level.HEADER: 3 * 10**9}
    assert levels(report) == {"ETH": (gwei, [Level.HEADER]), "TST": ({}, [Level.HEADER])}
    assert [asset.hidden[0].units for asset in report.assets] == [15 * 10**9, 150 * 10**6]
    assert {asset.hidden[0].keys for asset in report.assets} == {LISTED}
    units = [reference.Unit("TST", "ethereum", chain.token, 18)]
    found = reference.audit(
        proven.bundle, proven.key, units=units, slots={("ethereum", chain.token): Slot(0)}
    )
    assert found.levels == {"ETH": "header", "TST": "header"}


def test_a_node_confirms_both_by_the_blocks_hash(
    chain: Chain, proven: Proven, capsys: pytest.CaptureFixture[str]
) -> None:
    with proxy(chain.node) as passed:
        report = ask(chain, passed.url, proven)
    assert passed.calls == ["eth_chainId", "eth_getBlockByNumber"]
    gwei = {Level.CHAIN: 3 * 10**9}
    assert levels(report) == {"ETH": (gwei, [Level.CHAIN]), "TST": ({}, [Level.CHAIN])}
    words = ["audit", str(proven.bundle), "--exchange-key", public_key_text(proven.key), "--json"]
    words += ["--unit", f"TST=ethereum:{chain.token}:18", "--token-slot", f"{chain.token}=0"]
    for more, level in (([], "header"), (["--node", f"ethereum={chain.node.url}"], "chain")):
        assert verifier.commands.cli.main([*words, *more]) == 0
        amounts = json.loads(capsys.readouterr().out)["amounts"]
        assert amounts["ETH"] == {
            "level": level,
            "authority_unchecked": [],
            "disclosed": {level: "3"},
            "hidden": [{"keys": LISTED, "listed": "15", "level": level}],
            "pledged": {"rows": 0, "amount": "0"},
            "attested": [],
        }
        assert amounts["TST"]["level"] == level


def test_a_node_proves_what_the_bundle_does_not(chain: Chain, word_alone: Proven) -> None:
    report = verifier.audit(word_alone.bundle, word_alone.key, policy=policy(chain))
    gwei = {Level.CLAIMED: 3 * 10**9}
    assert levels(report) == {"ETH": (gwei, [Level.CLAIMED]), "TST": ({}, [Level.CLAIMED])}
    assert ask(chain, chain.node.url, word_alone).level is Level.CHAIN
    # Without the slot it is the node's word.
    nodes = {"ethereum": EvmNode("ethereum", chain.node.url)}
    report = verifier.audit(word_alone.bundle, word_alone.key, policy=policy(chain), nodes=nodes)
    assert [asset.level for asset in report.assets] == [Level.CHAIN, Level.CHAIN]


def test_a_state_that_is_gone_leaves_a_set_claimed(chain: Chain, word_alone: Proven) -> None:
    asked = 0

    def pruned(method: str, answer: Answer) -> Answer:
        nonlocal asked
        asked += method == "eth_getProof"
        if asked > len(DISCLOSED) + 2 and method == "eth_getProof":
            gone = {"code": -32000, "message": "missing trie node"}
            return {"jsonrpc": "2.0", "id": answer["id"], "error": gone}
        return answer

    with proxy(chain.node) as node:
        node.lie = pruned
        report = ask(chain, node.url, word_alone)
    gwei = {Level.CHAIN: 3 * 10**9}
    assert levels(report) == {"ETH": (gwei, [Level.CLAIMED]), "TST": ({}, [Level.CLAIMED])}


@pytest.mark.parametrize("change", [1, -1])
def test_amounts_of_hidden_keys_are_exact(chain: Chain, tmp_path: Path, change: int) -> None:
    """More and less are false, of a key that the exchange does not own, too."""

    def other(held: list[int]) -> list[int]:
        return [*held[:-2], held[-2] + change, held[-1]]

    code, err, found = made(chain, tmp_path / "proved", proofs=True, amounts=other)
    assert code == 1
    assert "ETH, hidden set 0: another amount is proved of a key" in err
    code, err, found = made(chain, tmp_path / "claimed", proofs=False, amounts=other)
    assert (code, err) == (0, "")
    with pytest.raises(verifier.Rejected) as rejected:
        ask(chain, chain.node.url, found)
    said = rejected.value
    assert (said.code.value, said.where) == ("chain.wrong-amount", "ETH, hidden set 0")


def test_the_proof_needs_the_hidden_accounts(chain: Chain, proven: Proven, tmp_path: Path) -> None:
    """What proves the rows alone does not prove the keys."""
    text = proven.config.read_text().replace(', "../hidden/ETH.proof"', "")
    config = proven.config.with_name("less.toml")
    config.write_text(text)
    (proven.config.parent / "signing.pem.log").unlink()
    code, _, err = outside("prove", config, "--out", tmp_path / "proof")
    assert code == 1
    assert "ETH, hidden set 0: a node on the path is not there" in err
