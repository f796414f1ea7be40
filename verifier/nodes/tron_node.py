"""A node of Tron: whether a block is the chain's, what accounts held, and whose they are.

The node is the reader's own, and believed. What it knows is its solid tip (`tron_amounts`), so it
contradicts an amount only where it tells of the very block, and a key's power over its account only
where that block is its tip; everything else that does not confirm leaves the row as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from verifier.checks.holdings import CheckedEvidence, Holding
from verifier.checks.manifest import CheckedManifest
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.levels import Level
from verifier.format.wire import Asset
from verifier.nodes.json_rpc import TIMEOUT_SECONDS, CannotTell
from verifier.nodes.nodes import confirm_each
from verifier.nodes.patience import Patience
from verifier.nodes.tron_amounts import Held, TronAmounts
from verifier.nodes.tron_rpc import TronBlock, TronRpc
from verifier.ownership import parse_address

CHAIN = "tron"


class TronNode:
    """The node of a verifier's user; see `verifier.nodes.nodes.Node`.

    ``url`` is where ``/wallet``, ``/walletsolidity`` and ``/jsonrpc`` are found.

    Raises:
        Misuse: the URL is none.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._rpc = TronRpc(url, timeout=timeout)

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """See `Node`."""
        (named,) = (chain for chain in checked.manifest.chains if chain.name == CHAIN)
        try:
            self._rpc.check_network()
            block = solid_block(self._rpc, named.height)
            if block.id != named.hash:
                message = f"your node has another block at height {named.height}"
                raise Rejected(Code.CHAIN_WRONG_BLOCK, CHAIN, message)
            amounts, owners = TronAmounts(self._rpc, block), _Owners(self._rpc, block)

            def confirm(asset: Asset, found: CheckedEvidence, is_aside: bool) -> CheckedEvidence:
                amounts.is_aside = is_aside
                return replace(
                    found,
                    rows=_confirm_rows(asset.code, found.rows, amounts, owners),
                    block_times={CHAIN: block.time, **found.block_times},
                )

            return confirm_each(checked, evidence, confirm)
        finally:
            self._rpc.rpc.close()


def solid_block(rpc: TronRpc, height: int) -> TronBlock:
    """Return the block at a height that cannot be undone any more.

    Raises:
        CannotCheck: the node has not got as far.
    """
    tip = rpc.tip()
    if tip.height < height:
        message = f"the node's last solid block is {tip.height}, and not yet {height}"
        raise CannotCheck(Code.CHECK_UNREADABLE, message)
    return rpc.block(height)


class _Owners:
    """Whether accounts' own keys have power over them, each asked for once."""

    def __init__(self, rpc: TronRpc, block: TronBlock) -> None:
        self._rpc = rpc
        self._block = block
        self._patience = Patience()
        self._known: dict[bytes, bool | CannotTell] = {}

    def has_authority(self, where: str, account: bytes) -> bool:
        """Tell whether an account's own key has power over it.

        Raises:
            CannotTell: the node does not know, or says no at a tip that is not the block.
            Rejected: ``chain.bad-ownership``: it says no where its tip is the block.
        """
        if account not in self._known:
            try:
                with self._patience.unless_slow("accounts"):
                    self._known[account] = self._rpc.has_authority(account)
            except CannotTell as error:
                self._known[account] = error
        known = self._known[account]
        if isinstance(known, CannotTell):
            raise known
        if known:
            return True
        if self._rpc.tip().id == self._block.id:
            message = "the address's own key has no power over the account"
            raise Rejected(Code.CHAIN_BAD_OWNERSHIP, where, message)
        message = "the address's own key has no power over the account now"
        raise CannotTell(Code.CHECK_UNREADABLE, message)


def _confirm_rows(
    code: str, rows: Sequence[Holding], amounts: TronAmounts, owners: _Owners
) -> tuple[Holding, ...]:
    """Return an asset's rows with the levels of Tron's raised: amounts first, then owners."""
    held: dict[tuple[str, bytes], Held | CannotTell] = {}
    asked: dict[str, list[bytes]] = {}
    for holding in rows:
        if holding.chain == CHAIN:
            asked.setdefault(holding.row.contract, []).append(holding.address.owner)
    for contract, accounts in asked.items():
        if contract:
            token = parse_address(CHAIN, contract).owner
            told = amounts.tokens(token, accounts)
        else:
            told = amounts.coins(accounts)
        held |= {(contract, account): answer for account, answer in told}
    known = [
        _confirm_amount(f"{code}, row {at}", holding, held) if holding.chain == CHAIN else holding
        for at, holding in enumerate(rows)
    ]
    return tuple(
        holding
        if holding.chain != CHAIN or holding.has_authority
        else _confirm_owner(f"{code}, row {at}", holding, owners)
        for at, holding in enumerate(known)
    )


def _confirm_amount(
    where: str, holding: Holding, held: Mapping[tuple[str, bytes], Held | CannotTell]
) -> Holding:
    """Return a row known by the chain, or as it was if the node cannot tell."""
    answer = held[holding.row.contract, holding.address.owner]
    if isinstance(answer, CannotTell):
        return replace(holding, undecided=answer.message)
    if int.from_bytes(holding.row.amount) <= answer.amount:
        return replace(holding, level=Level.CHAIN)
    if answer.is_exact:
        raise Rejected(Code.CHAIN_WRONG_AMOUNT, where, "less is there than the row counts")
    message = "what is there now, and what moved since, does not show as much at the block"
    return replace(holding, undecided=message)


def _confirm_owner(where: str, holding: Holding, owners: _Owners) -> Holding:
    """Return a row whose key has power over its account, or as it was."""
    try:
        owners.has_authority(where, holding.address.owner)
    except CannotTell as error:
        return replace(holding, undecided=holding.undecided or error.message)
    return replace(holding, has_authority=True)
