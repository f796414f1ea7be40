"""Evidence of what accounts hold on Tron, by one's own node, which proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prover.assets.evm import Collected, collected
from prover.errors import ProverError
from verifier.format import wire
from verifier.nodes.json_rpc import CannotTell
from verifier.nodes.tron_amounts import TronAmounts
from verifier.nodes.tron_node import CHAIN, solid_block
from verifier.nodes.tron_rpc import TronRpc
from verifier.ownership import Address, parse_address


def collect_tron(
    url: str,
    height: int,
    addresses: Sequence[Address],
    contract: str,
    progress: Callable[[int], None],
) -> Collected:
    """Ask a node for what addresses held of TRX, or of a token, after a block.

    It is what readers' nodes can confirm: no more than was there, and less where coins moved while
    the node was asked.

    Raises:
        CannotCheck: the node does not answer, is of another network, or not as far as the block.
        ProverError: it does not tell of the block what an address held.
        Misuse: the URL is none.
    """
    texts = {address.owner: address.text for address in addresses}
    rpc = TronRpc(url)
    try:
        rpc.check_network()
        block = solid_block(rpc, height)
        amounts = TronAmounts(rpc, block)
        token = parse_address(CHAIN, contract).owner if contract else b""
        answers = amounts.tokens(token, [*texts]) if contract else amounts.coins([*texts])
        told: dict[str, int] = {}
        for account, answer in answers:
            if isinstance(answer, CannotTell):
                raise ProverError(f"{texts[account]}: {answer.message}")
            told[texts[account]] = max(answer.amount, 0)
            progress(1)
    finally:
        rpc.rpc.close()
    return collected(wire.Chain(block.id, block.height, CHAIN), told)
