"""`assay evidence` on EVM chains whose state is of another form than Ethereum's: rows, no proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from prover.assets.evm import collect
from prover.config.snapshot_toml import parse_config
from prover.errors import InputError
from tests.support.ethereum_rpc_server import Answer, serve
from tests.support.ethereum_state import (
    EMPTY_CODE,
    EMPTY_ROOT,
    Tree,
    avalanche_fields,
    header_fields,
    number,
    told_fields,
)
from tests.support.exchange_files import outside
from tests.unit.prover.test_config import FILE, GOOD
from verifier.errors import CannotCheck
from verifier.format.chains import CHAINS, HeaderForm
from verifier.format.times import utc_seconds
from verifier.ownership import parse_address
from verifier.ownership.families.evm import account_text

HEIGHT, HELD = 70_000_000, 5_000
TIME = utc_seconds("2026-11-21T00:00:00Z") - 3_600
HOLDER = bytes([7]) * 20


def node(chain: str, header: bytes, nodes: list[bytes]) -> Any:
    """The answers of a node that knows one block, and what one account holds after it."""
    form = CHAINS[chain].header or HeaderForm.ETHEREUM
    block = {**told_fields(header, form), "hash": "0x" + keccak(header).hex()}

    def answer(method: str, parameters: list[Any]) -> Answer:
        match method:
            case "eth_chainId":
                return {"result": hex(CHAINS[chain].chain_id)}
            case "eth_getBlockByNumber":
                return {"result": block}
            case "eth_getBalance":
                known = parameters[1] == {"blockHash": block["hash"]}
                return {"result": hex(HELD) if known else None}
            case "eth_getProof":
                proof = ["0x" + entry.hex() for entry in nodes]
                return {"result": {"accountProof": proof, "storageProof": []}}
        return {"error": {"code": -32601, "message": "no such method"}}

    return answer


def state(chain: str, items: int) -> tuple[bytes, list[bytes]]:
    """A header, and what proves the account, which has so many fields."""
    fields = [b"", number(HELD), EMPTY_ROOT, EMPTY_CODE, b""][:items]
    tree = Tree({HOLDER: rlp.encode(fields)})
    every = avalanche_fields if chain == "avalanche" else header_fields
    return bytes(rlp.encode(every(tree.root, HEIGHT, time=TIME))), tree.proof(HOLDER)


@pytest.mark.parametrize("items", [4, 5])
@pytest.mark.parametrize("chain", ["avalanche", "blast", "bsc", "ethereum"])
def test_what_cannot_be_proved_is_the_node_s_word(chain: str, items: int) -> None:
    header, nodes = state(chain, items)
    address = parse_address(chain, account_text(HOLDER))
    with serve(node(chain, header, nodes)) as url:
        if chain == "ethereum" and items == 5:
            with pytest.raises(CannotCheck, match="balance does not fit the block"):
                collect(chain, url, HEIGHT, [address], "", {}, lambda count: None)
            return
        found = collect(chain, url, HEIGHT, [address], "", {}, lambda count: None)
    assert found.amounts == {address.text: HELD}
    assert (found.proof is not None) is (CHAINS[chain].proves_state and items == 4)
    assert found.header == (header if chain == "avalanche" else None)


def test_the_header_of_avalanche_goes_into_the_evidence(tmp_path: Path) -> None:
    header, nodes = state("avalanche", 5)
    (tmp_path / "addresses").write_text(account_text(HOLDER))
    words = ["evidence", "avalanche", "--block", str(HEIGHT), "--asset", "AVAX"]
    words += ["--addresses", str(tmp_path / "addresses")]
    with serve(node("avalanche", header, nodes)) as url:
        words += ["--rpc", url]
        said = outside(*words, "--out", str(tmp_path / "a.csv")).out
        told = outside(*words, "--out", str(tmp_path / "b.csv"), "--json").out
    assert json.loads(told)["header"] == header.hex()
    block = said[said.index("[chains.avalanche]") :]
    text = GOOD.replace("[chains.bitcoin]", block + "[chains.bitcoin]")
    (shown,) = parse_config(FILE, text.encode()).headers
    assert (shown.chain, shown.header, shown.nodes) == ("avalanche", header, ())
    for old, new, rule in (
        (header.hex(), header.hex()[:-2], "must be a block's header, its RLP in hex"),
        (header.hex(), "zz", "must be a block's header, its RLP in hex"),
        (header.hex(), state("avalanche", 4)[0].hex(), "is not the header of the block of"),
        (f"height = {HEIGHT}", f"height = {HEIGHT + 1}", "is not the header of the block of"),
        ("2026-11-21T", "2026-11-23T", "the block is of 2026-11-20T23:00:00Z, and no reader"),
    ):
        with pytest.raises(InputError, match=f"chains.avalanche.header: {rule}"):
            parse_config(FILE, text.replace(old, new).encode())
