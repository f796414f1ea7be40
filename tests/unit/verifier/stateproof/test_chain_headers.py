"""Headers of EVM chains: real blocks of several, in their chains' forms, and what is none."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from spec.reference import ethereum as reference
from spec.reference.__main__ import _token_slot
from spec.reference.chains import CHAINS as REFERENCE_CHAINS
from tests.support.ethereum_rpc_server import serve
from tests.support.ethereum_state import avalanche_fields, header_fields
from verifier.checks.policy import Policy
from verifier.errors import Misuse
from verifier.format.chains import CHAINS, Family, HeaderForm, of_family
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import CannotTell
from verifier.stateproof.header import fields_of, parse_header
from verifier.stateproof.rlp import BadRlp
from verifier.stateproof.tokens import TokenSlot

STATE_ROOT = 3
ROOT = keccak(b"state")


@pytest.fixture(scope="module")
def blocks(test_cases: Path) -> dict[str, dict[str, Any]]:
    """Real blocks, by chain."""
    found = json.loads((test_cases / "chains" / "headers.json").read_text())["vectors"]
    return {entry["chain"]: entry["block"] for entry in found}


def encoded(chain: str, block: dict[str, Any]) -> bytes:
    """The header, as a node of the chain puts it together."""
    with serve(lambda method, parameters: {"result": block}) as url:
        node = EvmRpc(chain, url)
        try:
            return node.header(node.block(int(block["number"], 16)))
        finally:
            node.rpc.close()


def both(data: bytes, form: HeaderForm) -> tuple[bytes, int, bytes, int] | None:
    """What both readers take a header for; they agree."""
    ours = theirs = None
    try:
        found = parse_header(data, form)
        ours = (found.hash, found.number, found.state_root, found.time)
    except BadRlp:
        pass
    try:
        other = reference.parse_header(data, form.value)
        theirs = (other.hash, other.number, other.state_root, other.time)
    except ValueError:
        pass
    assert ours == theirs
    return ours


def test_real_blocks_have_the_hash_of_their_header(blocks: dict[str, dict[str, Any]]) -> None:
    assert {"arbitrum", "avalanche", "base", "bsc", "polygon"} <= blocks.keys()
    for chain, block in blocks.items():
        found = both(encoded(chain, block), CHAINS[chain].header)
        assert found is not None, chain
        assert found == (
            bytes.fromhex(block["hash"][2:]),
            int(block["number"], 16),
            bytes.fromhex(block["stateRoot"][2:]),
            int(block["timestamp"], 16),
        )


def test_a_field_that_is_changed_makes_another_hash(blocks: dict[str, dict[str, Any]]) -> None:
    for chain, block in blocks.items():
        for name in fields_of(CHAINS[chain].header):
            if name not in block or int(block[name], 16) == 0:
                continue
            digits = block[name][:-1] + ("1" if block[name][-1] != "1" else "2")
            with pytest.raises(CannotTell):
                encoded(chain, block | {name: digits})


def test_real_headers_and_every_byte_of_them(blocks: dict[str, dict[str, Any]]) -> None:
    """A mutation is another block or none, to both readers, and no field slips into another's."""
    for chain, block in blocks.items():
        data, form = encoded(chain, block), CHAINS[chain].header
        honest = both(data, form)
        assert honest is not None
        for at in range(0, len(data), 7):
            changed = both(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], form)
            assert changed is None or changed[0] != honest[0]
        items = rlp.decode(data)
        for at in range(len(items)):
            fewer = both(bytes(rlp.encode(items[:at] + items[at + 1 :])), form)
            assert fewer is None or at > STATE_ROOT
        assert both(data[:-1], form) is None
        assert both(data + b"\0", form) is None


def test_a_chain_s_form_is_no_other_s(blocks: dict[str, dict[str, Any]]) -> None:
    refused = {
        "avalanche": (HeaderForm.ETHEREUM, HeaderForm.EVM, HeaderForm.BSC),
        "bsc": (HeaderForm.ETHEREUM, HeaderForm.EVM, HeaderForm.AVALANCHE),
        "polygon": (HeaderForm.ETHEREUM, HeaderForm.AVALANCHE),
        "arbitrum": (HeaderForm.AVALANCHE,),
        "base": (HeaderForm.AVALANCHE,),
    }
    for chain, forms in refused.items():
        data = encoded(chain, blocks[chain])
        assert all(both(data, form) is None for form in forms), chain


@pytest.mark.parametrize(
    ("form", "count", "taken"),
    [
        (HeaderForm.ETHEREUM, 15, False),
        (HeaderForm.EVM, 15, False),
        (HeaderForm.BSC, 14, False),
        (HeaderForm.BSC, 15, True),
        (HeaderForm.BSC, 16, True),
        (HeaderForm.EVM, 16, True),
        (HeaderForm.AVALANCHE, 18, False),
        (HeaderForm.AVALANCHE, 19, True),
        (HeaderForm.AVALANCHE, 22, True),
        (HeaderForm.AVALANCHE, 24, True),
    ],
)
def test_how_few_fields_there_can_be(form: HeaderForm, count: int, taken: bool) -> None:
    every = avalanche_fields if form is HeaderForm.AVALANCHE else header_fields
    data = bytes(rlp.encode(every(ROOT, 7)[:count]))
    assert (both(data, form) is not None) is taken


@pytest.mark.parametrize(
    ("form", "most"),
    [
        (HeaderForm.ETHEREUM, 32),
        (HeaderForm.EVM, 4096),
        (HeaderForm.BSC, 4096),
        (HeaderForm.AVALANCHE, 4096),
    ],
)
def test_how_long_extra_data_can_be(form: HeaderForm, most: int) -> None:
    every = avalanche_fields if form is HeaderForm.AVALANCHE else header_fields
    fields = every(ROOT, 7)
    for length, taken in ((0, True), (most, True), (most + 1, False)):
        fields[12] = bytes(length)
        assert (both(bytes(rlp.encode(fields)), form) is not None) is taken


@pytest.mark.parametrize("at", range(15, 24))
def test_the_tail_of_avalanche_is_read(at: int) -> None:
    """Hashes have 32 bytes, and numbers no leading zero; what stands behind them is not read."""
    fields: list[Any] = [*avalanche_fields(ROOT, 7), b"of a fork to come"]
    assert both(bytes(rlp.encode(fields)), HeaderForm.AVALANCHE) is not None
    wrong = bytes(31) if len(fields[at]) == 32 else b"\0\x07"
    values: list[Any] = [wrong, [], bytes(33)]
    for value in values:
        changed = [*fields[:at], value, *fields[at + 1 :]]
        assert both(bytes(rlp.encode(changed)), HeaderForm.AVALANCHE) is None


def test_both_readers_know_which_headers_prove_state() -> None:
    for name, network in CHAINS.items():
        assert REFERENCE_CHAINS[name].proves_state is network.proves_state
    without = {name for name in of_family(Family.EVM) if not CHAINS[name].proves_state}
    assert without == {"avalanche", "blast", "cronos", "zksync"}
    assert {name for name, of in CHAINS.items() if of.shows_time} == {"avalanche", "bitcoin"}


@pytest.mark.parametrize("chain", ["avalanche", "blast", "cronos", "zksync"])
def test_no_slot_can_be_named_where_no_state_is_proved(chain: str) -> None:
    token = "0x" + "11" * 20
    with pytest.raises(Misuse, match="malformed slot"):
        Policy(slots=(TokenSlot(chain, token, 0),))
    with pytest.raises(ArgumentTypeError, match=f"no header of {chain} proves what a token holds"):
        _token_slot(f"{chain}:{token}=0")
    assert Policy(slots=(TokenSlot("bsc", token, 0),)).token_slots("bsc")[token].slot == 0
    assert _token_slot(f"bsc:{token}=0")[0] == ("bsc", token)
