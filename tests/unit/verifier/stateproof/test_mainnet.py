"""Captured data of the main networks: headers, proofs, slots, wallets' signatures, a dump.

Other projects captured them, and not by this code. Each is read by the verifier, and by the
reference where that has the function.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rlp

from prover.assets.evm import read_proof
from prover.commands.cli import main as prover_main
from spec.reference import address as reference_address
from spec.reference import ethereum as reference
from spec.reference import ownership as reference_ownership
from spec.reference.errors import UnsupportedError
from tests.support.ethereum_rpc_server import captured, serve
from tests.support.ethereum_state import EMPTY_CODE, Tree
from verifier.errors import CannotCheck
from verifier.format.chains import HeaderForm
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.utxo_snapshot import UtxoSnapshot
from verifier.ownership import OwnershipError, check_ownership, parse_address
from verifier.ownership.families.evm import account_text
from verifier.stateproof.header import parse_header
from verifier.stateproof.state import WorldState
from verifier.stateproof.tokens import storage_key, token_slots

SIGNET = bytes.fromhex("0a03cf40")
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
KNOWN = reference.slots_of("ethereum", reference.KNOWN)
DEPOSITS = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")


@pytest.fixture(scope="module")
def mainnet(test_cases: Path) -> Path:
    return test_cases / "mainnet"


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def blocks(mainnet: Path) -> list[dict[str, str]]:
    """Every block that was captured: of each fork at least one, of most the first."""
    found: list[dict[str, str]] = read(mainnet, "mainnet-headers.json")
    for name in ("eth-deposit-contract", "usdc-circle"):
        found.append(read(mainnet, f"mainnet-proof-{name}.json")["block"])
    return found


def header_of(block: dict[str, str]) -> bytes:
    """The header, put together from a node's answer."""
    with serve(captured(block)) as url:
        node = EvmRpc("ethereum", url)
        height = int(block["number"], 16)
        try:
            return node.header(node.block(height))
        finally:
            node.rpc.close()


def test_headers_have_the_hashes_of_their_blocks(mainnet: Path) -> None:
    found = blocks(mainnet)
    heights = {int(block["number"], 16) for block in found}
    assert {12_965_000, 15_537_394, 17_034_870, 19_426_587, 22_431_084, 24_784_163} <= heights
    for block in found:
        header = header_of(block)
        ours, theirs = (
            parse_header(header, HeaderForm.ETHEREUM),
            reference.parse_header(header, "ethereum"),
        )
        assert "0x" + ours.hash.hex() == "0x" + theirs.hash.hex() == block["hash"]
        assert ours.number == theirs.number == int(block["number"], 16)
        assert "0x" + ours.state_root.hex() == "0x" + theirs.state_root.hex() == block["stateRoot"]
        assert ours.time == int(block["timestamp"], 16)


def test_a_header_of_amsterdam_is_put_together_from_its_names(test_cases: Path) -> None:
    """Made up of a real block: its two further fields, and so its hash, are not the chain's."""
    header = bytes.fromhex((test_cases / "amsterdam-header.hex").read_text())
    block = read(test_cases, "amsterdam-block.json")
    found = parse_header(header, HeaderForm.ETHEREUM)
    assert found.hash == reference.parse_header(header, "ethereum").hash
    assert header_of({**block, "hash": "0x" + found.hash.hex()}) == header
    # A name that is not known yet, and so a hash that cannot be met.
    ahead = {**block, "hash": "0x" + "12" * 32, "fieldOfTomorrow": "0x" + "34" * 32}
    with pytest.raises(CannotCheck, match="does not know the fork of block 21200000: update"):
        header_of(ahead)


def test_ether_of_the_deposit_contract(mainnet: Path) -> None:
    found = read(mainnet, "mainnet-proof-eth-deposit-contract.json")
    root = bytes.fromhex(found["block"]["stateRoot"][2:])
    nodes = [bytes.fromhex(text[2:]) for text in found["proof"]["accountProof"]]
    held = int(found["proof"]["balance"], 16)
    assert WorldState(root, nodes, {}).balance(DEPOSITS, "") == held > 57_000_000 * 10**18
    assert reference.State(root, nodes, {}).balance(DEPOSITS, "") == held
    with serve(captured(found["block"], found["proof"])) as url:
        node = EvmRpc("ethereum", url)
        header = parse_header(node.header(node.block(21_925_176)), HeaderForm.ETHEREUM)
        assert node.balance(header, DEPOSITS, "", {})[0] == held
        node.rpc.close()


def test_usdc_of_its_issuer_is_collected_and_proved(
    mainnet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a node's answers by `assay evidence` to a proof that both verifiers read."""
    found = read(mainnet, "mainnet-proof-usdc-circle.json")
    token, holder, held = found["token"], found["holder"], int(found["balance"])
    (tmp_path / "addresses").write_text(holder)
    out = tmp_path / "usdc.csv"
    with serve(captured(found["block"], found["proof"])) as url:
        words = [
            "assay",
            "evidence",
            "ethereum",
            "--rpc",
            url,
            "--block",
            "19000000",
            "--token",
            token,
        ]
        words += ["--addresses", str(tmp_path / "addresses"), "--out", str(out)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            prover_main()
    assert not ended.value.code, capsys.readouterr().err
    assert f'hash = "{found["block"]["hash"][2:]}"' in capsys.readouterr().out
    with out.open() as file:
        (row,) = csv.DictReader(file)
    assert (row["asset"], row["address"], int(row["amount"])) == ("USDC", holder, held)
    proof = read_proof(out.with_suffix(".proof"))
    header, account = parse_header(proof.header, HeaderForm.ETHEREUM), bytes.fromhex(holder[2:])
    state = WorldState(header.state_root, proof.nodes, token_slots("ethereum"))
    other = reference.State(header.state_root, list(proof.nodes), KNOWN)
    assert state.balance(account, token) == other.balance(account, token) == held
    assert state.trie.unused == len(other.unused) == 0


def test_balances_of_usdt(mainnet: Path) -> None:
    """Proofs from the storage's root on; the account above it is made up."""
    found = read(mainnet, "mainnet-usdt-slot2-11346696.json")
    root = bytes.fromhex(found["storageRoot"][2:])
    contract = bytes.fromhex(USDT[2:])
    accounts = Tree({contract: rlp.encode([b"", b"", root, EMPTY_CODE])})
    for entry in found["storageProofs"]:
        account, proof = bytes.fromhex(entry["address"][2:]), entry["storageProof"]
        assert storage_key(found["slot"], account).hex() == proof["key"]
        nodes = [bytes.fromhex(text[2:]) for text in proof["proof"]]
        nodes += accounts.proof(contract)
        held = int(proof["value"], 16)
        ours = WorldState(accounts.root, nodes, token_slots("ethereum"))
        theirs = reference.State(accounts.root, nodes, KNOWN)
        assert ours.balance(account, USDT) == theirs.balance(account, USDT) == held > 0
        assert ours.trie.unused == len(theirs.unused) == 0


def test_slots_are_those_that_transactions_named(mainnet: Path) -> None:
    """Access lists of the chain's transactions name holders' entries, by their storage keys."""
    seen: Counter[str] = Counter()
    for entry in read(mainnet, "mainnet-slot-evidence.json"):
        contract = account_text(bytes.fromhex(entry["token"][2:]))
        key = storage_key(entry["slot"], bytes.fromhex(entry["holder"][2:]))
        assert "0x" + key.hex() == entry["key"]
        if contract != WETH:  # of which no slot is known without being told
            assert (
                token_slots("ethereum")[contract].slot
                == reference.KNOWN["ethereum", contract].slot
                == entry["slot"]
            )
        seen[contract] += 1
    assert len(seen) == 6
    assert min(seen.values()) >= 3


def test_signatures_of_wallets(mainnet: Path) -> None:
    """What wallets make is taken, where it is of the form that the specification has."""
    found = read(mainnet, "wallet-signatures.json")
    assert Counter(entry["accepted"] for entry in found) == {True: 24, False: 14}
    for entry in found:
        assert takes(entry) is reference_takes(entry) is entry["accepted"], entry["name"]


def takes(entry: dict[str, str]) -> bool:
    try:
        address = parse_address(entry["chain"], entry["address"])
        check_ownership(address, entry["message"], entry["format"], entry["signature"])
    except OwnershipError:
        return False
    return True


def reference_takes(entry: dict[str, str]) -> bool:
    signed = entry["message"].encode()
    try:
        reference_address.owner(entry["chain"], entry["address"])
        reference_ownership.verify(
            entry["format"], entry["chain"], entry["address"], signed, entry["signature"]
        )
    except (ValueError, UnsupportedError):
        return False
    return True


def test_a_simple_signature_for_a_nested_address_is_told_what_to_make(mainnet: Path) -> None:
    (entry,) = (
        entry
        for entry in read(mainnet, "wallet-signatures.json")
        if entry["name"] == "sparrow bip322 nested simple"
    )
    address = parse_address("bitcoin", entry["address"])
    with pytest.raises(OwnershipError, match="a simple signature does not serve P2SH: make a full"):
        check_ownership(address, entry["message"], entry["format"], entry["signature"])


def test_a_dump_of_core_27(test_cases: Path) -> None:
    with pytest.raises(CannotCheck, match="made by Bitcoin Core 27 or older: dump again with 28"):
        UtxoSnapshot(test_cases / "core27-signet.dat", SIGNET)
