"""Tries, RLP and headers, against the libraries that others wrote and against the reference."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from spec.reference import ethereum as reference
from tests.support.ethereum_state import FORKS, Account, Tree, World, header, header_fields
from verifier.checks.policy import Policy, has_slot
from verifier.errors import Misuse
from verifier.format.chains import Family, HeaderForm, of_family
from verifier.format.units import entries
from verifier.stateproof.header import fields_of, parse_header
from verifier.stateproof.rlp import (
    BadRlp,
    decode_list,
    decode_string,
    encode_integer,
    encode_list,
    encode_string,
    integer,
)
from verifier.stateproof.state import WorldState
from verifier.stateproof.tokens import KNOWN_SLOTS, TokenSlot, storage_key, token_slots
from verifier.stateproof.trie import BadNode, MissingNode, Trie

nested = st.recursive(
    st.binary(max_size=60), lambda item: st.lists(item, max_size=20), max_leaves=20
)


def ours(item: Any) -> bytes:
    """A nested value in our encoding."""
    return encode_list(map(ours, item)) if isinstance(item, list) else encode_string(item)


def decoded(data: bytes) -> list[Any]:
    """A list in our decoding, as deep as it goes."""
    return [decoded(item.data) if item.is_list else item.data for item in decode_list(data)]


@given(st.lists(nested, max_size=20))
def test_encodings_are_those_of_the_library(value):
    data = rlp.encode(value)
    assert ours(value) == data
    assert decoded(data) == value


@given(st.binary(max_size=80))
def test_any_bytes_decode_alike(data):
    """What the library takes, and encodes to the same bytes, is what we take."""
    try:
        found = rlp.decode(data, strict=True)
        wanted = found if rlp.encode(found) == data else None
    except rlp.exceptions.DecodingError:
        wanted = None
    try:
        mine: Any = decoded(data)
    except BadRlp:
        mine = None
    try:
        text: Any = decode_string(data)
    except BadRlp:
        text = None
    assert mine == (wanted if isinstance(wanted, list) else None)
    assert text == (wanted if isinstance(wanted, bytes) else None)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 2**64 - 1, 2**256 - 1])
def test_numbers(value):
    data = encode_integer(value)
    assert integer(decode_string(data), 32) == value
    assert data == rlp.encode(value)


@pytest.mark.parametrize("data", [b"\0", b"\0\x01", b"\x01" + bytes(32)])
def test_what_is_no_number(data):
    with pytest.raises(BadRlp):
        integer(data, 32)


def test_deep_nesting_is_refused_or_read_without_recursion():
    deep = b""
    for _ in range(2000):
        deep = encode_list([deep])
    (item,) = decode_list(deep)
    assert item.is_list
    with pytest.raises(BadNode):
        Trie([deep]).read(keccak(deep), b"key")


@pytest.mark.parametrize("seed", range(6))
def test_random_tries_are_read_as_they_were_written(seed):
    rng = random.Random(seed)
    count = rng.choice([1, 2, 16, 300])
    values = {rng.randbytes(20): rng.randbytes(rng.randrange(1, 90)) for _ in range(count)}
    tree = Tree(values)
    for key in [*rng.sample(sorted(values), min(count, 20)), *(rng.randbytes(20) for _ in "abc")]:
        nodes = tree.proof(key)
        trie = Trie(nodes)
        assert trie.read(tree.root, key) == values.get(key), f"seed {seed}"
        assert trie.unused == 0
        assert sorted(trie.used) == sorted(nodes)
        for gone in range(len(nodes)):
            with pytest.raises(MissingNode):
                Trie(nodes[:gone] + nodes[gone + 1 :]).read(tree.root, key)


def test_a_key_is_not_proved_by_the_nodes_of_another():
    values = {bytes([at]) * 20: b"value %d" % at for at in range(200)}
    tree = Tree(values)
    first, second = bytes(20), bytes([1]) * 20
    trie = Trie(tree.proof(first))
    with pytest.raises(MissingNode):
        trie.read(tree.root, second)
    with pytest.raises(MissingNode):
        trie.read(keccak(b"another root"), first)


def outcome(state: Any, account: bytes, contract: str) -> Any:
    """A balance, or what kind of fault was met."""
    try:
        return state.balance(account, contract)
    except (MissingNode, reference.MissingNodeError):
        return "missing"
    except (BadNode, reference.BadNodeError):
        return "node"
    except ValueError:
        return "value"


def test_spoilt_nodes_are_the_same_fault_to_both_verifiers():
    """A node is changed, and everything above it made to name it: the rules decide, not hashes."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    token, holder = b"\x77" * 20, b"\x42" * 20
    contract = "0x" + token.hex()
    storage = {storage_key(2, rng.randbytes(20)): rng.randrange(1, 2**64) for _ in range(20)}
    world = World(
        {
            holder: Account(10**20, 3),
            token: Account(0, 1, storage | {storage_key(2, holder): 10**9}),
            **{rng.randbytes(20): Account(rng.randrange(10**18)) for _ in range(30)},
        }
    )
    for asked in ("", contract):
        nodes = world.accounts.proof(token if asked else holder)
        if asked:
            nodes += world.storage[token].proof(storage_key(2, holder))
        for _ in range(400):
            spoilt = respelt(rng, nodes, rng.randrange(len(nodes)))
            root, table = keccak(spoilt[0]), {contract: TokenSlot("ethereum", contract, 2)}
            mine = outcome(WorldState(root, spoilt, table), holder, asked)
            slots = {contract: reference.Slot(2)}
            theirs = outcome(reference.State(root, spoilt, slots), holder, asked)
            assert mine == theirs, f"seed {seed}"


def respelt(rng: random.Random, nodes: list[bytes], place: int) -> list[bytes]:
    """Change some bytes of a node, and put its new hash into the node before it."""
    changed = bytearray(nodes[place])
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(changed))
        change = rng.randrange(4)
        if change == 0:
            changed[at] = rng.choice([0, 0x20, 0x80, 0x81, 0xA0, 0xC0, 0xF8, rng.randrange(256)])
        elif change == 1:
            del changed[at]
        elif change == 2:
            changed.insert(at, rng.randrange(256))
        else:
            changed[at] ^= 1 << rng.randrange(8)
    made = [*nodes[:place], bytes(changed), *nodes[place + 1 :]]
    for above in range(place - 1, -1, -1):
        made[above] = made[above].replace(keccak(nodes[above + 1]), keccak(made[above + 1]))
    return made


@pytest.mark.parametrize("fork", FORKS)
def test_headers_parse_alike(fork):
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    fields = header_fields(keccak(b"root"), 24_000_000, fork)
    data = header(keccak(b"root"), 24_000_000, fork)
    found = parse_header(data, HeaderForm.ETHEREUM)
    assert (found.hash, found.number, found.state_root, found.time) == (
        keccak(data),
        24_000_000,
        keccak(b"root"),
        1_767_225_599,
    )
    ours = partial(parse_header, form=HeaderForm.ETHEREUM)
    theirs = partial(reference.parse_header, form="ethereum")
    assert len(fields_of(HeaderForm.ETHEREUM)) == FORKS["amsterdam"]
    for _ in range(500):
        if rng.random() < 0.5:
            changed: list[Any] = list(fields)
            if rng.random() < 0.3:
                more = [b"", b"\x07", b"\0\x07", bytes(32), bytes(300), []]
                changed += rng.choices(more, k=rng.randrange(1, 9))
            at = rng.randrange(len(fields))
            changed[at] = rng.choice([b"", b"\0", changed[at] + b"\1", changed[at][1:], bytes(33)])
            if rng.random() < 0.1:
                del changed[at]
            spoilt = rlp.encode(changed)
        else:
            raw = bytearray(data)
            raw[rng.randrange(len(raw))] = rng.randrange(256)
            spoilt = bytes(raw)
        assert accepts(ours, spoilt) == accepts(theirs, spoilt), seed


def accepts(parse: Any, data: bytes) -> tuple[bytes, int, bytes] | None:
    try:
        found = parse(data)
    except ValueError:
        return None
    return found.hash, found.number, found.state_root


def test_a_known_slot_is_not_named_over():
    """The words of some known contracts hold more than a balance."""
    named = TokenSlot("ethereum", "0x" + "11" * 20, 7)
    for entry in KNOWN_SLOTS:
        plain, other = entry._replace(frozen=0), entry._replace(slot=entry.slot + 1)
        assert Policy(slots=(plain, named)).token_slots(entry.chain)[entry.contract] == entry
        token = entry.chain, entry.contract
        assert reference.all_slots({token: reference.Slot(entry.slot)}) == reference.KNOWN
        with pytest.raises(Misuse, match=f"is {entry.slot}, and not {entry.slot + 1}"):
            Policy(slots=(named, other))
        with pytest.raises(ValueError, match="another slot is known"):
            reference.all_slots({token: reference.Slot(other.slot)})
    assert Policy(slots=(named,)).token_slots("ethereum")[named.contract] == named
    with pytest.raises(Misuse, match="is 7, and not 8"):
        Policy(slots=(named, named._replace(slot=8)))


def test_known_slots_are_of_tokens_of_the_table_and_the_same_to_both_verifiers():
    tokens = {unit[1:3] for unit, _, _ in entries()}
    assert {(entry.chain, entry.contract) for entry in KNOWN_SLOTS} <= tokens
    assert all(has_slot(entry.chain, entry.contract) for entry in KNOWN_SLOTS)
    assert {(entry.chain, entry.contract): (entry.slot, entry.frozen) for entry in KNOWN_SLOTS} == {
        token: (entry.slot, entry.frozen) for token, entry in reference.KNOWN.items()
    }


def test_a_slot_is_one_chain_s():
    """The same address on another chain is another contract, whose storage means something else."""
    entry = KNOWN_SLOTS[0]
    for chain in of_family(Family.EVM):
        if chain != entry.chain:
            assert entry.contract not in token_slots(chain)
            assert reference.slots_of(chain, reference.KNOWN) == {}
    there = entry._replace(chain="bsc", slot=51)
    policy = Policy(slots=(there,))
    assert policy.token_slots("bsc") == {entry.contract: there}
    assert policy.token_slots("ethereum") == token_slots("ethereum")
    assert TokenSlot.parse(f"{entry.contract}=2") == entry
    assert TokenSlot.parse(f"bsc:{entry.contract}=51") == there


@pytest.mark.parametrize("chain", ["bitcoin", "tron", "fiat", "zksync", "cronos", "dogecoin"])
def test_no_slot_where_no_header_proves_balances(chain):
    with pytest.raises(Misuse, match="malformed slot"):
        Policy(slots=(KNOWN_SLOTS[0]._replace(chain=chain),))
