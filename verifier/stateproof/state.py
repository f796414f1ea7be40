"""Balances on EVM chains, proved from nodes of the tries under one block's header.

What is read is what stands under the header's state root; whether the header is the chain's is for
a node to say. Sources: the yellow paper, section 4.1; spec/protocol.md, section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verifier.errors import Code, Rejected
from verifier.format.chains import CHAINS
from verifier.format.evidence_records import Row, StateProof
from verifier.format.wire import Chain
from verifier.stateproof.header import Header, parse_header
from verifier.stateproof.rlp import BadRlp, decode_list, decode_string, integer
from verifier.stateproof.tokens import TokenSlot, storage_key
from verifier.stateproof.trie import EMPTY_ROOT, HASH_BYTES, BadNode, MissingNode, Trie

NATIVE = ""
UNKNOWN_SLOT = "the token's slot is neither known nor named"
_ACCOUNT_FIELDS = 4


class UnknownSlot(ValueError):
    """Nobody has said where the contract keeps its balances."""


@dataclass(frozen=True)
class _Account:
    balance: int
    storage_root: bytes


class WorldState:
    """The accounts under a state root, as far as the ``nodes`` reach.

    ``slots`` are those of the state's own chain, by contract.
    """

    def __init__(
        self, state_root: bytes, nodes: Iterable[bytes], slots: Mapping[str, TokenSlot]
    ) -> None:
        self.trie = Trie(nodes)
        self._root = state_root
        self._slots = slots
        self._contracts: dict[str, _Account] = {}

    def can_read(self, contract: str) -> bool:
        """Tell whether it is known where balances of a contract, or of the coin, are kept."""
        return contract == NATIVE or contract in self._slots

    def balance(self, account: bytes, contract: str) -> int:
        """Return what a 20-byte account holds of the native coin or of a token, in base units.

        Raises:
            UnknownSlot: it is a token whose slot is not known.
            MissingNode, BadNode: see `Trie.read`.
            BadRlp: what is found there is no account, or no balance.
        """
        if contract == NATIVE:
            return self._account(account).balance
        if contract not in self._slots:
            raise UnknownSlot(UNKNOWN_SLOT)
        entry = self._slots[contract]
        if contract not in self._contracts:
            self._contracts[contract] = self._account(bytes.fromhex(contract[2:]))
        root = self._contracts[contract].storage_root
        found = self.trie.read(root, storage_key(entry.slot, account))
        word = 0 if found is None else _nonzero(found)
        return 0 if word & entry.frozen else word

    def _account(self, account: bytes) -> _Account:
        found = self.trie.read(self._root, account)
        if found is None:
            return _Account(0, EMPTY_ROOT)
        items = decode_list(found)
        if len(items) != _ACCOUNT_FIELDS or any(item.is_list for item in items):
            raise BadRlp("an account has four fields")
        nonce, balance, storage_root, code_hash = (item.data for item in items)
        integer(nonce, 8)
        if not len(storage_root) == len(code_hash) == HASH_BYTES:
            raise BadRlp("an account's root or code hash is not of 32 bytes")
        return _Account(integer(balance, 32), storage_root)


def check_header(code: str, proof: StateProof, block: Chain | None) -> Header:
    """Return the header of an EVM chain's proof, which is that of the manifest's block.

    Raises:
        Rejected: ``proof.bad-header`` or ``proof.wrong-block``.
    """
    where = f"{code}, proof of {proof.chain}"
    try:
        header = parse_header(proof.header, CHAINS[proof.chain].header)
    except BadRlp as error:
        raise Rejected(Code.PROOF_BAD_HEADER, where, str(error)) from None
    if block is None or (header.hash, header.number) != (block.hash, block.height):
        raise Rejected(Code.PROOF_WRONG_BLOCK, where, "not the header of the manifest's block")
    return header


def check_amount(state: WorldState, row: Row, account: bytes, where: str) -> None:
    """Check that an account holds at least what its row says.

    Raises:
        UnknownSlot: see `WorldState.can_read`.
        Rejected: ``proof.missing-node``, ``proof.bad-node``, ``proof.bad-value`` or
            ``proof.amount-too-large``.
    """
    balance = proven_balance(state, row.contract, account, where)
    if int.from_bytes(row.amount) > balance:
        raise Rejected(Code.PROOF_AMOUNT_TOO_LARGE, where, "less is proved than the row counts")


def proven_balance(state: WorldState, contract: str, account: bytes, where: str) -> int:
    """Return an account's balance in base units, or reject what should prove it.

    Raises:
        UnknownSlot: see `WorldState.can_read`.
        Rejected: ``proof.missing-node``, ``proof.bad-node`` or ``proof.bad-value``.
    """
    try:
        return state.balance(account, contract)
    except MissingNode as error:
        raise Rejected(Code.PROOF_MISSING_NODE, where, str(error)) from None
    except BadNode as error:
        raise Rejected(Code.PROOF_BAD_NODE, where, str(error)) from None
    except BadRlp as error:
        raise Rejected(Code.PROOF_BAD_VALUE, where, str(error)) from None


def _nonzero(found: bytes) -> int:
    """Decode a word of storage; a trie has no zeros, for an absent key stands for one."""
    word = integer(decode_string(found), 32)
    if word == 0:
        raise BadRlp("a zero is not stored")
    return word
