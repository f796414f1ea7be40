"""Evidence of what accounts hold on an EVM chain: asked of a node, kept as proofs under a block.

Where there is a proof the node is not believed: what it tells is checked against the block's
header as a verifier will. Where there can be none its word is all, and it should be one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prover.assets.lists import refuse_existing, write_evidence_rows
from prover.errors import ProverError
from prover.files.storage import output_file, read_at_most
from verifier.checks.hidden import check_proven, set_name
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format import wire
from verifier.format.chains import CHAINS, HeaderForm
from verifier.format.evidence_records import HiddenSet, Row, StateProof
from verifier.format.params import MAX_EVIDENCE_BYTES
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import CannotTell, TooSlow
from verifier.ownership import Address, OwnershipError, parse_address
from verifier.stateproof.header import Header, parse_header
from verifier.stateproof.state import (
    NATIVE,
    UnknownSlot,
    WorldState,
    check_amount,
    check_header,
)
from verifier.stateproof.tokens import TokenSlot, token_slots

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig

PROOF_SUFFIX = ".proof"


@dataclass(frozen=True, slots=True)
class Collected:
    """What a node has shown after a ``block``: amounts in base units by address, all above zero.

    empty: how many addresses hold nothing; proof: of all this, where the chain and token have one;
    header: the block's, where it shows the block's time alone.
    """

    block: wire.Chain
    amounts: Mapping[str, int]
    empty: int
    proof: StateProof | None = None
    header: bytes | None = None


def read_addresses(file: Path, chain: str) -> list[Address]:
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
    chain: str,
    url: str,
    height: int,
    addresses: Sequence[Address],
    contract: str,
    slots: Mapping[str, TokenSlot],
    progress: Callable[[int], None],
) -> Collected:
    """Ask a node for what addresses hold of the chain's coin, or of a token, after a block.

    ``slots`` are where the chain's tokens keep balances, as far as that is known.

    Raises:
        CannotCheck: the node does not answer, or its proofs do not fit the block.
        Misuse: the URL is none.
    """
    node = EvmRpc(chain, url)
    try:
        node.check_network()
        fields = node.block(height)
        block = wire.Chain(node.block_hash(fields), height, chain)
        if node.network.proves_state and (contract == NATIVE or contract in slots):
            encoded = node.header(fields)
            if _has_proofs(node, encoded, addresses[0], contract, slots):
                return _proved(node, block, encoded, addresses, contract, slots, progress)
        told: dict[str, int] = {}
        for address in addresses:
            told[address.text] = node.told_balance(block, address.owner, contract)
            progress(1)
        if node.asked_by_height and node.block_hash(node.block(height)) != block.hash:
            raise CannotCheck(Code.CHECK_UNREADABLE, "the node's chain moved while it was asked")
        header = _shown_header(node, fields)
    finally:
        node.rpc.close()
    return replace(collected(block, told), header=header)


def _has_proofs(
    node: EvmRpc, encoded: bytes, first: Address, contract: str, slots: Mapping[str, TokenSlot]
) -> bool:
    """Tell whether what the node shows of the first address fits the block, as Ethereum's does.

    The state of another chain may have another form.
    """
    form = node.network.header
    if form is HeaderForm.ETHEREUM:
        return True
    try:
        node.balance(parse_header(encoded, form), first.owner, contract, slots)
    except TooSlow:
        raise
    except CannotCheck:
        return False
    return True


def _shown_header(node: EvmRpc, fields: Mapping[str, Any]) -> bytes | None:
    """Return the header of a block that shows its time alone, if this version knows its fork."""
    try:
        return node.header(fields) if node.network.shows_time else None
    except CannotTell:
        return None


def _proved(
    node: EvmRpc,
    block: wire.Chain,
    encoded: bytes,
    addresses: Sequence[Address],
    contract: str,
    slots: Mapping[str, TokenSlot],
    progress: Callable[[int], None],
) -> Collected:
    header = parse_header(encoded, node.network.header)
    nodes: set[bytes] = set()
    told: dict[str, int] = {}
    for address in addresses:
        told[address.text], state = node.balance(header, address.owner, contract, slots)
        nodes.update(state.trie.used)
        progress(1)
    proof = StateProof(block.name, encoded, tuple(sorted(nodes)))
    return collected(block, told, proof)


def collected(
    block: wire.Chain, told: Mapping[str, int], proof: StateProof | None = None
) -> Collected:
    """Return what was told of addresses, without those that hold nothing."""
    amounts = {address: amount for address, amount in told.items() if amount}
    return Collected(block, amounts, len(told) - len(amounts), proof)


def write_collected(found: Collected, asset: str, contract: str, out: Path) -> Path | None:
    """Write the rows, still to be signed, and beside them the proof, whose path is returned.

    Raises:
        ProverError: one of the files exists.
    """
    proof = None if found.proof is None else out.with_suffix(PROOF_SUFFIX)
    refuse_existing((out,) if proof is None else (out, proof))
    place = {"asset": asset, "chain": found.block.name, "contract": contract}
    with ExitStack() as written:
        if proof is not None and found.proof is not None:
            # Before it has its name, the rows are there: where one cannot be, neither stands.
            file = written.enter_context(output_file(proof))
            file.write(wire.write_record(found.proof))
            file.flush()
        write_evidence_rows(
            out,
            (
                {**place, "address": address, "amount": amount}
                for address, amount in sorted(found.amounts.items())
            ),
        )
    return proof


def read_proof(file: Path) -> StateProof:
    """Read a file of proofs.

    Raises:
        ProverError: it cannot be read, or is none.
    """
    data = read_at_most(file, MAX_EVIDENCE_BYTES)
    try:
        if len(data) > MAX_EVIDENCE_BYTES:
            raise ValueError
        return wire.read_record(StateProof, data)
    except ValueError:
        raise ProverError(f"{file}: not a file of proofs") from None


def check_proof(where: str, proof: StateProof, blocks: Sequence[wire.Chain]) -> Header:
    """Return the header of a proof of state, which is that of one of the ``blocks``.

    Raises:
        ProverError: no header of its chain proves state, or it is of another block.
    """
    if proof.chain not in CHAINS or not CHAINS[proof.chain].proves_state:
        raise ProverError(f"{where}: no proof of what is held on an EVM chain")
    block = next((chain for chain in blocks if chain.name == proof.chain), None)
    try:
        return check_header(where, proof, block)
    except Rejected as error:
        raise ProverError(f"{error.where}: {error.message}") from None


def needed_proofs(
    asset: AssetConfig,
    rows: Sequence[Row],
    hidden: Sequence[HiddenSet],
    blocks: Sequence[wire.Chain],
) -> tuple[StateProof, ...]:
    """Return what the asset's files hold that proves its rows and keys, by chain, nothing else.

    Raises:
        ProverError: a file is of another block than that of ``blocks``, or something is not proved.
    """
    headers: dict[str, Header] = {}
    proofs: dict[str, list[StateProof]] = {}
    for file in asset.proofs:
        proof = read_proof(file)
        headers[proof.chain] = check_proof(str(file), proof, blocks)
        proofs.setdefault(proof.chain, []).append(proof)
    return tuple(
        _needed(asset, rows, hidden, headers[chain], proofs[chain]) for chain in sorted(proofs)
    )


def _needed(
    asset: AssetConfig,
    rows: Sequence[Row],
    hidden: Sequence[HiddenSet],
    header: Header,
    proofs: Sequence[StateProof],
) -> StateProof:
    """Return one chain's proof, of no more than what is needed."""
    chain = proofs[0].chain
    nodes = {node for proof in proofs for node in proof.nodes}
    state = WorldState(header.state_root, nodes, token_slots(chain, asset.slots))
    try:
        for row in rows:
            if row.chain == chain:
                where = f"asset {asset.code}, {row.address}"
                check_amount(state, row, parse_address(chain, row.address).owner, where)
        for at, listed in enumerate(hidden):
            if listed.chain == chain:
                check_proven(state, listed, set_name(asset, at))
    except Rejected as error:
        raise ProverError(f"{error.where}: {error.message}") from None
    except UnknownSlot as error:
        raise ProverError(f"asset {asset.code}: {error} (slot, beside the unit)") from None
    return StateProof(chain, proofs[0].header, tuple(state.trie.used))
