"""The evidence of one asset: disclosed addresses, who signed for them, hidden keys, and amounts.

The one composer of its checks, in the order of spec/errors.md, section 2. The signatures say that
whoever can spend from an address named this exchange, snapshot and block. Sources:
spec/protocol.md, section 3; spec/wire.md, section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain as chained
from typing import Final

from verifier.checks import records
from verifier.checks.attested import Attestations
from verifier.checks.coins import check_coins
from verifier.checks.hidden import check_argument, check_proven, check_sets, set_name
from verifier.checks.holdings import CheckedEvidence, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.checks.policy import Policy
from verifier.checks.reserves import BIP127, Reserves
from verifier.errors import Code, Rejected
from verifier.format.chains import CHAINS, HeaderForm
from verifier.format.evidence_records import (
    Evidence,
    HiddenSet,
    OwnershipSignature,
    Row,
    StateProof,
)
from verifier.format.keys import public_key_text
from verifier.format.levels import Level
from verifier.format.params import (
    ASSETS_LIMIT,
    EVIDENCE_VERSION,
    MAX_ALL_EVIDENCE_BYTES,
    MAX_EVIDENCE_BYTES,
)
from verifier.format.statement import evidence_digest, length_prefixed
from verifier.format.wire import (
    Asset,
    Unit,
    is_ascending,
)
from verifier.ordered import in_order
from verifier.ownership import (
    Address,
    OwnershipError,
    Template,
    bad_signature,
    check_contract,
    check_ownership,
    ownership_message,
    parse_address,
    rules_of,
    signed_chain,
)
from verifier.ownership.contract import CONTRACT_FORMAT, contract_signature
from verifier.stateproof.bitcoin_header import check_block_header
from verifier.stateproof.state import WorldState, check_amount, check_header

# Of this many signatures it is remembered that they are accepted.
_MOST_ACCEPTED: Final = 1 << 16

# Signatures that a thread checks at a time.
_TOGETHER: Final = 256


@dataclass
class Seen:
    """What was counted so far in the bundle: each owner, and each coin, counts once.

    owners: (chain, contract, script or account); coins: (txid, index); attested: (key, reference);
    signed: marks of accepted signatures, which an address with many tokens gives for each; size: of
    the files, in bytes.
    """

    owners: set[tuple[str, str, bytes]] = field(default_factory=set)
    coins: set[tuple[bytes, int]] = field(default_factory=set)
    attested: set[tuple[bytes, str]] = field(default_factory=set)
    signed: set[bytes] = field(default_factory=set)
    size: int = 0


# By (chain, address): parsed, or the refusal that its signature meets.
_Addresses = dict[tuple[str, str], Address | OwnershipError]


def ledger_units(row: Row, unit: Unit, decimals: int) -> int:
    """Return what a row counts for in ledger units of ``decimals``, rounded down."""
    scale: int = 10 ** (unit.decimals - decimals)
    return int.from_bytes(row.amount) // scale


def signature_mark(entry: OwnershipSignature, message: str) -> bytes:
    """Return 32 bytes that stand for a signature over a message, to know it again."""
    fields = (entry.chain, entry.address, entry.format, message, entry.text)
    return sha256(b"".join(map(length_prefixed, fields))).digest()


def check_evidence(
    checked: CheckedManifest,
    asset: Asset,
    data: bytes,
    seen: Seen,
    policy: Policy | None = None,
    jobs: int = 1,
) -> CheckedEvidence:
    """Check untrusted evidence of one asset; adds what it counts to what is ``seen``.

    ``policy`` says where tokens keep their balances, and who may attest holdings; ``jobs`` is how
    many threads check signatures.

    Raises:
        Rejected: the first fault, in the order of the numbers (spec/errors.md, section 2).
    """
    # 4 - 9
    seen.size += len(data)
    if seen.size > MAX_ALL_EVIDENCE_BYTES:
        raise _fault(Code.EVIDENCE_TOO_LARGE, asset, "all evidence so far is larger than 512 MiB")
    evidence = _read(asset, data)
    # 10
    _check_order(asset, evidence)
    # 11
    addresses = _check_rows(asset, evidence, seen)
    # 12
    signed = {(entry.chain, entry.address): entry for entry in evidence.signatures}
    if list(signed) != sorted(addresses):
        raise _fault(
            Code.EVIDENCE_UNMATCHED_SIGNATURE, asset, "not one signature for every address"
        )
    # 13
    owners = _check_signatures(checked, asset, evidence, addresses, seen.signed, jobs)
    # 14
    check_coins(asset.code, evidence.coins, evidence.rows, seen.coins)
    attested = Attestations(
        checked.manifest,
        (policy or Policy()).attester_names(),
        seen.attested,
        replaced=[rotation.old_key for rotation in checked.manifest.rotation],
    ).check_all(asset, evidence)
    # 15
    hidden = check_sets(asset, evidence.hidden, seen.owners)
    # 16
    times, proven = _check_proofs(checked, asset, evidence, owners, policy or Policy())
    found = CheckedEvidence(
        rows=tuple(_holdings(asset, evidence, owners, signed, proven)),
        coins=evidence.coins,
        hidden=tuple(
            replace(holding, level=Level.HEADER) if _unit(holding.listed) in proven else holding
            for holding in hidden
        ),
        signatures=len(evidence.signatures),
        attested=attested,
        block_times=times,
    )
    # 17
    if found.total + sum(holding.units for holding in found.hidden) >= ASSETS_LIMIT:
        raise _fault(Code.EVIDENCE_TOTAL_TOO_LARGE, asset, "2^96 ledger units or more")
    # 18
    for at, holding in enumerate(found.hidden):
        block = checked.block(holding.chain)
        check_argument(checked.context, asset, block, holding, set_name(asset, at))
    return found


def _holdings(
    asset: Asset,
    evidence: Evidence,
    owners: Mapping[tuple[str, str], Address],
    signed: Mapping[tuple[str, str], OwnershipSignature],
    proven: Collection[tuple[str, str]],
) -> Iterator[Holding]:
    """Yield what each row counts for, and how well that is known."""
    units = {(unit.chain, unit.contract): unit for unit in asset.units}
    for row in evidence.rows:
        signature = signed[row.chain, row.address]
        yield Holding(
            row,
            owners[row.chain, row.address],
            signature,
            ledger_units(row, units[row.chain, row.contract], asset.decimals),
            Level.HEADER if (row.chain, row.contract) in proven else Level.CLAIMED,
            is_owned=_is_verified(signature),
            has_authority=row.chain not in CHAINS or not rules_of(CHAINS[row.chain]).ROTATES,
        )


def _is_verified(signature: OwnershipSignature) -> bool:
    """Tell whether a signature was verified; of a chain that is not known nothing can be."""
    if signature.chain not in CHAINS:
        return True
    chain, _ = signed_chain(signature.chain, signature.format)
    return chain in CHAINS and signature.format != CONTRACT_FORMAT


def _read(asset: Asset, data: bytes) -> Evidence:
    """Numbers 4 to 9."""
    if not 1 <= len(data) <= MAX_EVIDENCE_BYTES:
        raise _fault(Code.EVIDENCE_TOO_LARGE, asset, "empty, or larger than 128 MiB")
    if evidence_digest(data) != asset.evidence:
        raise _fault(Code.EVIDENCE_WRONG_DIGEST, asset, "not the evidence that the manifest names")
    evidence = records.read(Evidence, data, "evidence", f"{asset.code}, evidence")
    if evidence.version != EVIDENCE_VERSION:
        raise _fault(Code.EVIDENCE_UNSUPPORTED_VERSION, asset, "the version is not 1")
    if evidence.code != asset.code:
        raise _fault(Code.EVIDENCE_WRONG_ASSET, asset, "it is of another asset")
    return evidence


def _check_order(asset: Asset, evidence: Evidence) -> None:
    """Number 10."""
    places = [(row.chain, row.contract, row.address) for row in evidence.rows]
    if places != sorted(places):
        raise _fault(Code.EVIDENCE_UNSORTED, asset, "the rows are not in ascending order")
    strict: dict[str, Iterable[object]] = {
        "signatures": ((entry.chain, entry.address) for entry in evidence.signatures),
        "coins": ((coin.address, coin.txid, coin.index) for coin in evidence.coins),
        "proofs": (proof.chain for proof in evidence.proofs),
    }
    strict |= {f"nodes of proof {at}": proof.nodes for at, proof in enumerate(evidence.proofs)}
    for name, items in strict.items():
        if not is_ascending(items):
            raise _fault(Code.EVIDENCE_UNSORTED, asset, f"the {name} are not in ascending order")


def _check_rows(asset: Asset, evidence: Evidence, seen: Seen) -> _Addresses:
    """Number 11; return every (chain, address), parsed, or the refusal that its signature meets."""
    units = {(unit.chain, unit.contract) for unit in asset.units}
    for chain, contract in sorted(units):
        if chain in CHAINS:
            try:
                check_contract(chain, contract)
            except OwnershipError as error:
                raise _fault(Code.EVIDENCE_BAD_CONTRACT, asset, error.message) from None
    addresses: _Addresses = {}
    for at, row in enumerate(evidence.rows):
        if (row.chain, row.contract) not in units:
            raise _fault(Code.EVIDENCE_UNKNOWN_UNIT, asset, "no unit of the asset", row=at)
        address: Address | OwnershipError
        try:
            address = _parse(row)
        except OwnershipError as error:
            if error.code == "evidence.bad-address":
                raise _fault(Code.EVIDENCE_BAD_ADDRESS, asset, error.message, row=at) from None
            # The text is good and its template is not: that is a fault of the signature.
            address = error
        owner = address.owner if isinstance(address, Address) else row.address.encode()
        if (row.chain, row.contract, owner) in seen.owners:
            message = "this address is counted already, here or in an earlier asset"
            raise _fault(Code.EVIDENCE_DUPLICATE_ADDRESS, asset, message, row=at)
        seen.owners.add((row.chain, row.contract, owner))
        addresses[row.chain, row.address] = address
    return addresses


def _parse(row: Row) -> Address:
    """Parse a row's address; of a chain that is not known every text is an owner's."""
    if row.chain not in CHAINS:
        return Address(row.chain, row.address, Template.UNKNOWN, row.address.encode())
    return parse_address(row.chain, row.address)


def _check_signatures(
    checked: CheckedManifest,
    asset: Asset,
    evidence: Evidence,
    addresses: _Addresses,
    accepted: set[bytes],
    jobs: int,
) -> dict[tuple[str, str], Address]:
    """Number 13; return the addresses, every one of which is now known to be of a template.

    A chain that is not known has no rules: its signatures say nothing, for or against.
    """
    signatures = evidence.signatures
    manifest = checked.manifest
    key = public_key_text(manifest.public_key)
    blocks = {chain.name: chain.hash for chain in manifest.chains}
    reserves = Reserves(signatures, evidence.coins, addresses)
    messages: dict[str, str] = {}

    def check(at: int) -> Address:
        entry = signatures[at]
        address = addresses[entry.chain, entry.address]
        try:
            if isinstance(address, OwnershipError):
                raise address
            if address.template is Template.UNKNOWN:
                return address
            chain, format = signed_chain(entry.chain, entry.format)
            if chain not in blocks:
                raise bad_signature("the manifest names no block of the chain that is signed for")
            if chain not in CHAINS:
                return address  # whether it is of the row's kind, nobody here can say
            if chain not in messages:
                messages[chain] = ownership_message(
                    key, manifest.exchange, manifest.snapshot_id, chain, blocks[chain]
                )
            message = messages[chain]
            if entry.format == BIP127 and entry.chain == "bitcoin":
                reserves.check(entry, message)
            elif entry.format == CONTRACT_FORMAT:
                contract_signature(address, entry.text)
            elif (mark := signature_mark(entry, message)) not in accepted:
                check_ownership(address, message, format, entry.text)
                if len(accepted) < _MOST_ACCEPTED:
                    accepted.add(mark)
        except OwnershipError as error:
            where = f"{asset.code}, signature {at}"
            raise Rejected(Code(error.code), where, error.message) from None
        return address

    def check_some(start: int) -> list[Address]:
        return [check(at) for at in range(start, min(start + _TOGETHER, len(signatures)))]

    starts = range(0, len(signatures), _TOGETHER)
    with closing(in_order(check_some, starts, jobs)) as parts:
        owners = chained.from_iterable(parts)
        return {
            (entry.chain, entry.address): owner
            for entry, owner in zip(signatures, owners, strict=True)
        }


def _check_proofs(
    checked: CheckedManifest,
    asset: Asset,
    evidence: Evidence,
    owners: Mapping[tuple[str, str], Address],
    policy: Policy,
) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """Number 16; return the time of each block that is shown, and the units that are proven."""
    times: dict[str, int] = {}
    proven: set[tuple[str, str]] = set()
    blocks = {chain.name: chain for chain in checked.manifest.chains}
    for proof in evidence.proofs:
        block = blocks.get(proof.chain)
        if proof.chain not in CHAINS:
            continue
        form = CHAINS[proof.chain].header
        if form is HeaderForm.NONE:
            continue
        if form is HeaderForm.BITCOIN:
            times[proof.chain] = check_block_header(asset.code, proof, block).time
            continue
        header = check_header(asset.code, proof, block)
        times[proof.chain] = header.time
        if not CHAINS[proof.chain].proves_state:
            if proof.nodes:
                where = f"{asset.code}, proof of {proof.chain}"
                message = f"{proof.chain}'s blocks prove no state"
                raise Rejected(Code.PROOF_UNUSED_NODE, where, message)
            continue
        state = WorldState(header.state_root, proof.nodes, policy.token_slots(proof.chain))
        proven |= _check_state(asset, evidence, owners, proof, state)
    return times, proven


def _check_state(
    asset: Asset,
    evidence: Evidence,
    owners: Mapping[tuple[str, str], Address],
    proof: StateProof,
    state: WorldState,
) -> set[tuple[str, str]]:
    """Number 16 for one proof of state: rows, then hidden keys, then that no node is left over.

    Returns the units of the chain that are proved: those whose balances the reader knows to find.
    """
    units = {(unit.chain, unit.contract) for unit in asset.units if unit.chain == proof.chain}
    readable = {unit for unit in units if state.can_read(unit[1])}
    for at, row in enumerate(evidence.rows):
        if (row.chain, row.contract) in readable:
            account = owners[row.chain, row.address].owner
            check_amount(state, row, account, f"{asset.code}, row {at}")
    for at, listed in enumerate(evidence.hidden):
        if _unit(listed) in readable:
            check_proven(state, listed, set_name(asset, at))
    # Nodes under a slot that the reader does not know are for those who do.
    if readable == units and state.trie.unused:
        where = f"{asset.code}, proof of {proof.chain}"
        raise Rejected(Code.PROOF_UNUSED_NODE, where, "a node that nothing needs")
    return readable


def _unit(listed: HiddenSet) -> tuple[str, str]:
    return listed.chain, listed.contract


def _fault(code: Code, asset: Asset, message: str, *, row: int | None = None) -> Rejected:
    where = f"{asset.code}, evidence" if row is None else f"{asset.code}, row {row}"
    return Rejected(code, where, message)
