"""A node of an EVM chain: whether a block is the chain's, and what accounts hold there.

The node's word is taken for which block the chain has at a height, with its time, and for what a
contract wallet answers. Balances are proved under that block's header where they can be, so that a
node that lies about them is caught. Where they cannot, because nobody said where the token keeps
them or no header of the chain proves any, the node's word is taken for them, too: it is the
reader's own. So it is on every chain but Ethereum's where what the node shows does not fit the
block, since that chain's state may have another form. Network and block must be told, or there is
no verdict; what the node cannot tell of a row leaves the row's level as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from verifier.checks.hidden import key_owners, set_name, split_amounts
from verifier.checks.holdings import CheckedEvidence, HiddenHolding, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Misuse, Rejected
from verifier.format.chains import CHAINS, Family, HeaderForm
from verifier.format.keys import public_key_text
from verifier.format.levels import Level
from verifier.format.wire import Asset, Chain
from verifier.nodes.evm_rpc import EvmRpc
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, CannotTell, TooSlow
from verifier.nodes.nodes import confirm_each
from verifier.nodes.patience import Patience
from verifier.ownership import ownership_message
from verifier.ownership.contract import CONTRACT_FORMAT, contract_signature
from verifier.ownership.families.evm import eip191_digest
from verifier.stateproof.header import Header, parse_header
from verifier.stateproof.state import NATIVE
from verifier.stateproof.tokens import TokenSlot, token_slots


class EvmNode:
    """The node of a verifier's user, of one ``chain``; see `verifier.nodes.nodes.Node`.

    ``slots`` are where the chain's tokens keep balances that the bundle does not prove.

    Raises:
        Misuse: it is no EVM chain, or the URL is none.
    """

    def __init__(
        self,
        chain: str,
        url: str,
        *,
        slots: Mapping[str, TokenSlot] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        if chain not in CHAINS or CHAINS[chain].family is not Family.EVM:
            raise Misuse(f"{chain} is not a chain of Ethereum's kind")
        self._chain = chain
        self._node = EvmRpc(chain, url, timeout=timeout)
        self._slots = token_slots(chain) if slots is None else slots

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """See `Node`: amounts that the bundle proves need the block's hash alone."""
        (block,) = (chain for chain in checked.manifest.chains if chain.name == self._chain)
        try:
            self._node.check_network()
            fields = self._node.block(block.height)
            if self._node.block_hash(fields) != block.hash:
                message = f"your node has another block at height {block.height}"
                raise Rejected(Code.CHAIN_WRONG_BLOCK, self._chain, message)
            time = self._node.block_time(fields)
            digest = eip191_digest(_message(checked, block))
            asked = _Questions(self._node, block, fields, self._slots, digest)

            def confirm(asset: Asset, found: CheckedEvidence, is_aside: bool) -> CheckedEvidence:
                asked.is_aside = is_aside
                times = {self._chain: time, **found.block_times}
                return replace(_confirm_asset(asked, self._chain, asset, found), block_times=times)

            confirmed = confirm_each(checked, evidence, confirm)
            asked.check_block()
            return confirmed
        finally:
            self._node.rpc.close()


class _Questions:
    """What a node is asked about accounts after a block, whose fields it has told.

    ``is_aside``: the asset that is asked for is set aside, so its contracts may be the exchange's.
    """

    is_aside = False

    def __init__(
        self,
        node: EvmRpc,
        block: Chain,
        fields: Mapping[str, Any],
        slots: Mapping[str, TokenSlot],
        digest: bytes,
    ) -> None:
        self._node = node
        self._block = block
        self._fields = fields
        self._slots = slots
        self._digest = digest
        self._patience = Patience()

    def balance(self, account: bytes, contract: str) -> int:
        """Return what an account holds: as the block proves it, or else by the node's word.

        Raises:
            CannotTell: the node does not show it.
        """
        with self._patience.unless_slow(("balance", contract), apart=self.is_aside):
            if self._is_proved(contract):
                try:
                    return self._node.balance(self._header, account, contract, self._slots)[0]
                except TooSlow:
                    raise
                except CannotCheck:
                    if self._node.network.header is HeaderForm.ETHEREUM:
                        raise
            return self._node.told_balance(self._block, account, contract)

    def takes_signature(self, holding: Holding) -> bool:
        """Tell whether a row's contract wallet takes the signature that stands beside it.

        Raises:
            CannotTell: the node does not get the wallet's answer.
        """
        signature = contract_signature(holding.address, holding.signature.text)
        wallet = holding.address.owner
        with self._patience.unless_slow(("wallet", wallet), apart=True):
            return self._node.takes_signature(self._block, wallet, self._digest, signature)

    def check_block(self) -> None:
        """Check, where anything was asked for by height, that this is the same block still.

        Raises:
            CannotCheck: it is not.
        """
        if not self._node.asked_by_height:
            return
        if self._node.block_hash(self._node.block(self._block.height)) != self._block.hash:
            raise CannotCheck(Code.CHECK_UNREADABLE, "the node's chain moved while it was asked")

    def _is_proved(self, contract: str) -> bool:
        has_place = contract == NATIVE or contract in self._slots
        return has_place and self._node.network.proves_state

    @cached_property
    def _header(self) -> Header:
        return parse_header(self._node.header(self._fields), self._node.network.header)


def _confirm_asset(
    asked: _Questions, chain: str, asset: Asset, found: CheckedEvidence
) -> CheckedEvidence:
    """Return an asset's evidence with the levels of a chain raised: amounts first, then owners."""
    rows = tuple(
        _confirm_amount(asked, f"{asset.code}, row {at}", holding)
        if holding.chain == chain
        else holding
        for at, holding in enumerate(found.rows)
    )
    hidden = tuple(
        _confirm_set(asked, set_name(asset, at), holding) if holding.chain == chain else holding
        for at, holding in enumerate(found.hidden)
    )
    rows = tuple(
        _confirm_owner(asked, f"{asset.code}, row {at}", holding)
        if holding.chain == chain and holding.signature.format == CONTRACT_FORMAT
        else holding
        for at, holding in enumerate(rows)
    )
    return replace(found, rows=rows, hidden=hidden)


def _confirm_amount(asked: _Questions, where: str, holding: Holding) -> Holding:
    """Return a row known by the chain, or as it was if the node cannot tell.

    Amounts that the bundle proves under the block's header need nothing more than the block.
    """
    if holding.level is not Level.HEADER:
        try:
            balance = asked.balance(holding.address.owner, holding.row.contract)
        except CannotTell as error:
            return replace(holding, undecided=error.message)
        if int.from_bytes(holding.row.amount) > balance:
            asked.check_block()
            message = "less is there than the row counts"
            raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, message)
    return replace(holding, level=Level.CHAIN)


def _confirm_set(asked: _Questions, where: str, holding: HiddenHolding) -> HiddenHolding:
    """Return a hidden set known by the chain, or as it was if the node cannot tell.

    Its amounts are exact, where those of rows may be understated. One question a key.
    """
    if holding.level is not Level.HEADER:
        listed = holding.listed
        owners = key_owners(listed.keys, listed.scripts)
        for (account,), amount in zip(owners, split_amounts(listed.amounts), strict=True):
            try:
                balance = asked.balance(account, listed.contract)
            except CannotTell as error:
                return replace(holding, undecided=error.message)
            if amount != balance:
                asked.check_block()
                raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, "a key held another amount")
    return replace(holding, level=Level.CHAIN)


def _confirm_owner(asked: _Questions, where: str, holding: Holding) -> Holding:
    """Return a row whose contract wallet takes its signature, or as it was."""
    try:
        taken = asked.takes_signature(holding)
    except CannotTell as error:
        return replace(holding, undecided=error.message)
    if not taken:
        asked.check_block()
        message = "the contract wallet does not take the signature"
        raise Rejected(Code.CHAIN_BAD_OWNERSHIP, where, message)
    return replace(holding, is_owned=True)


def _message(checked: CheckedManifest, block: Chain) -> str:
    manifest = checked.manifest
    key = public_key_text(manifest.public_key)
    return ownership_message(key, manifest.exchange, manifest.snapshot_id, block.name, block.hash)
