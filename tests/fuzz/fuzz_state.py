"""WorldState proofs from bytes: header, nodes and values mean the same to both verifiers.

The bytes are a root's node and what follows it, so that a fuzzer need not find hashes: the first
node is the root, and a node may name the next by 32 bytes of ff, which become its hash.
"""

from __future__ import annotations

import rlp
from eth_hash.auto import keccak

from spec.reference import ethereum as reference
from tests.fuzz.corpus import run
from tests.support.ethereum_state import (
    FORKS,
    Account,
    Tree,
    World,
    avalanche_fields,
    header,
    header_fields,
)
from verifier.format.chains import HeaderForm
from verifier.stateproof.header import parse_header
from verifier.stateproof.rlp import BadRlp
from verifier.stateproof.state import WorldState
from verifier.stateproof.tokens import TokenSlot, storage_key
from verifier.stateproof.trie import BadNode, MissingNode

HOLDER, TOKEN = b"\x42" * 20, b"\x77" * 20
CONTRACT = "0x" + TOKEN.hex()
NEXT = b"\xff" * 32
FORMS = [form for form in HeaderForm if form not in (HeaderForm.NONE, HeaderForm.BITCOIN)]


def check_header(data: bytes, form: HeaderForm) -> None:
    """Both take the same headers for the same blocks."""
    ours = theirs = None
    try:
        found = parse_header(data, form)
        ours = (found.hash, found.number, found.state_root)
    except BadRlp:
        pass
    try:
        other = reference.parse_header(data, form.value)
        theirs = (other.hash, other.number, other.state_root)
    except ValueError:
        pass
    if ours != theirs:
        raise AssertionError(f"the verifiers differ: {ours} and {theirs}")


def check_state(data: bytes, contract: str) -> None:
    """Both read the same balance, or meet the same fault."""
    nodes = chained(data)
    if not nodes:
        return
    root = keccak(nodes[0])
    ours: object
    theirs: object
    state = WorldState(root, nodes, {CONTRACT: TokenSlot("ethereum", CONTRACT, 2)})
    other = reference.State(root, nodes, {CONTRACT: reference.Slot(2)})
    try:
        ours = state.balance(HOLDER, contract), state.trie.unused
    except (MissingNode, BadNode, BadRlp) as fault:
        ours = {MissingNode: "missing", BadNode: "node", BadRlp: "value"}[type(fault)]
    try:
        theirs = other.balance(HOLDER, contract), len(other.unused)
    except reference.MissingNodeError:
        theirs = "missing"
    except reference.BadNodeError:
        theirs = "node"
    except ValueError:
        theirs = "value"
    if ours != theirs:
        raise AssertionError(f"the verifiers differ: {ours} and {theirs}")


def chained(data: bytes) -> list[bytes]:
    """Nodes, each after its length in two bytes, with the last hashed first."""
    nodes = []
    while len(data) >= 2:
        length = int.from_bytes(data[:2], "big")
        nodes.append(data[2 : 2 + length])
        data = data[2 + length :]
    for at in range(len(nodes) - 2, -1, -1):
        nodes[at] = nodes[at].replace(NEXT, keccak(nodes[at + 1]))
    return nodes


def target(data: bytes) -> None:
    if not data:
        return
    if data[0] % 3 == 0:
        check_header(data[1:], FORMS[data[0] // 3 % len(FORMS)])
    else:
        check_state(data[1:], CONTRACT if data[0] % 3 == 2 else "")


def seed(nodes: list[bytes]) -> bytes:
    """Nodes from the root down, unchained."""
    listed = list(nodes)
    for at in range(len(nodes) - 1):
        listed[at] = nodes[at].replace(keccak(nodes[at + 1]), NEXT)
    return b"".join(len(node).to_bytes(2, "big") + node for node in listed)


if __name__ == "__main__":
    key = storage_key(2, HOLDER)
    storage = Tree({key: rlp.encode(b"\x07"), b"another": rlp.encode(b"\x08")})
    account = rlp.encode([b"\x01", b"", storage.root, keccak(b"")])
    world = World({bytes([at]) * 20: Account(at + 1) for at in range(20)} | {HOLDER: Account(9)})
    alone = Tree({TOKEN: account})
    seeds = [
        bytes([3 * at]) + header(bytes(32), 7, fork) for fork in FORKS for at in range(len(FORMS))
    ]
    for fields in (19, 24):
        seeds.append(
            bytes([3 * FORMS.index(HeaderForm.AVALANCHE)])
            + rlp.encode(avalanche_fields(bytes(32), 7)[:fields])
        )
    to_come = [*header_fields(bytes(32), 7, "amsterdam"), b"", bytes(32)]
    seeds += [b"\0" + rlp.encode(to_come), b"\x01" + seed(world.accounts.proof(HOLDER))]
    seeds.append(b"\x02" + seed([*alone.proof(TOKEN), *storage.proof(key)]))
    run(target, seeds, 4096)
