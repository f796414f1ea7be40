"""Evidence of what accounts hold on Ethereum: asked of any node, and kept as proofs under a block.

A node is not believed: what it tells is checked against the block's header as a verifier will.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prover.assets.lists import refuse_existing, write_evidence_rows
from prover.config.snapshot_toml import AssetConfig
from prover.errors import ProverError
from prover.files.storage import fresh_file
from verifier.checks.hidden import check_proven, set_name
from verifier.errors import Rejected
from verifier.format import wire
from verifier.format.params import MAX_EVIDENCE_BYTES
from verifier.nodes.ethereum_node import CHAIN, EthereumRpc
from verifier.ownership import Address, OwnershipError, parse_address
from verifier.stateproof.header import Header, parse_header
from verifier.stateproof.state import NATIVE, UnknownSlot, WorldState, check_amount, check_header
from verifier.stateproof.tokens import TokenSlot, token_slots

PROOF_SUFFIX = ".proof"


@dataclass(frozen=True, slots=True)
class Collected:
    """What a node has shown: amounts in base units by address, all of them more than zero.

    empty: how many addresses hold nothing, which ``proof`` shows as well.
    """

    header: Header
    amounts: Mapping[str, int]
    empty: int
    proof: wire.StateProof


def read_addresses(file: Path, chain: str = CHAIN) -> list[Address]:
    """Read a list of a chain's addresses, one a line; empty lines do not count.

    Raises:
        ProverError: it cannot be read, or a line is no address, or one occurs twice.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ProverError(f"{file}: not UTF-8") from None
    found: dict[str, Address] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        try:
            address = parse_address(chain, text)
        except OwnershipError as error:
            raise ProverError(f"{file}: line {number}: {error.message}") from None
        if text in found:
            raise ProverError(f"{file}: line {number}: this address occurs twice")
        found[text] = address
    if not found:
        raise ProverError(f"{file}: no addresses")
    return list(found.values())


def collect(
    url: str,
    height: int,
    addresses: Sequence[Address],
    token: TokenSlot | None,
    progress: Callable[[int], None],
) -> Collected:
    """Ask a node for what addresses hold of ether, or of a token, after a block.

    Raises:
        CannotCheck: the node does not answer, or its proofs do not fit the block.
        Misuse: the URL is none.
    """
    contract = NATIVE if token is None else token.contract
    slots = {} if token is None else {contract: token}
    node = EthereumRpc(url)
    try:
        node.check_network()
        encoded = node.header(node.block(height))
        header = parse_header(encoded)
        nodes: set[bytes] = set()
        amounts: dict[str, int] = {}
        for address in addresses:
            balance, state = node.balance(header, address.owner, contract, slots)
            nodes.update(state.trie.used)
            if balance:
                amounts[address.text] = balance
            progress(1)
    finally:
        node.rpc.close()
    proof = wire.StateProof(CHAIN, encoded, tuple(sorted(nodes)))
    return Collected(header, amounts, len(addresses) - len(amounts), proof)


def write_collected(found: Collected, asset: str, contract: str, out: Path) -> Path:
    """Write the rows, still to be signed, and beside them the proof, whose path is returned.

    Raises:
        ProverError: one of the files exists.
    """
    proof = out.with_suffix(PROOF_SUFFIX)
    refuse_existing((out, proof))
    with fresh_file(proof) as file:
        file.write(wire.write_record(found.proof))
    place = {"asset": asset, "chain": CHAIN, "contract": contract}
    write_evidence_rows(
        out,
        (
            {**place, "address": address, "amount": amount}
            for address, amount in sorted(found.amounts.items())
        ),
    )
    return proof


def read_proof(file: Path) -> wire.StateProof:
    """Read a file of proofs.

    Raises:
        ProverError: it cannot be read, or is none.
    """
    data = file.read_bytes()
    try:
        if len(data) > MAX_EVIDENCE_BYTES:
            raise ValueError
        return wire.read_record(wire.StateProof, data)
    except ValueError:
        raise ProverError(f"{file}: not a file of proofs") from None


def needed_proof(
    asset: AssetConfig,
    rows: Sequence[wire.Row],
    hidden: Sequence[wire.HiddenSet],
    blocks: Sequence[wire.Chain],
) -> tuple[wire.StateProof, ...]:
    """Return what the asset's files hold that proves its rows and keys on Ethereum, nothing else.

    Raises:
        ProverError: a file is of another block than that of ``blocks``, or something is not proved.
    """
    if not asset.proofs:
        return ()
    block = next((chain for chain in blocks if chain.name == CHAIN), None)
    proofs = [read_proof(file) for file in asset.proofs]
    try:
        for file, proof in zip(asset.proofs, proofs, strict=True):
            header = check_header(str(file), proof, block)
        nodes = {node for proof in proofs for node in proof.nodes}
        state = WorldState(header.state_root, nodes, token_slots(asset.slots))
        for row in rows:
            if row.chain == CHAIN:
                where = f"asset {asset.code}, {row.address}"
                check_amount(state, row, parse_address(CHAIN, row.address).owner, where)
        for at, listed in enumerate(hidden):
            if listed.chain == CHAIN:
                check_proven(state, listed, set_name(asset, at))
    except Rejected as error:
        raise ProverError(f"{error.where}: {error.message}") from None
    except UnknownSlot as error:
        raise ProverError(f"asset {asset.code}: {error}; name it, or leave the proof out") from None
    return (wire.StateProof(CHAIN, proofs[0].header, tuple(state.trie.used)),)
