"""Bitcoin outputs listed beside the rows: each named once, and adding up to its address's amount.

That they exist, unspent, is for a node to say; see spec/protocol.md, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verifier.errors import Code, Rejected
from verifier.format.evidence_records import Coin, Row
from verifier.format.params import MAX_COIN_INDEX


def check_coins(
    code: str, coins: Sequence[Coin], rows: Iterable[Row], seen: set[tuple[bytes, int]]
) -> None:
    """Check the coins of one asset; adds their outpoints to those ``seen`` in the bundle.

    Raises:
        Rejected: the first fault, in the order of spec/errors.md, section 2, number 14.
    """
    sums: dict[str, int] = {}
    for at, coin in enumerate(coins):
        where = f"{code}, coin {at}"
        if coin.index > MAX_COIN_INDEX:
            raise Rejected(Code.EVIDENCE_BAD_COIN, where, "the index is 2^32 or more")
        if (coin.txid, coin.index) in seen:
            raise Rejected(
                Code.EVIDENCE_DUPLICATE_COIN,
                where,
                "this coin is counted already, here or in an earlier asset",
            )
        seen.add((coin.txid, coin.index))
        sums[coin.address] = sums.get(coin.address, 0) + coin.amount
    amounts = {
        row.address: int.from_bytes(row.amount)
        for row in rows
        if (row.chain, row.contract) == ("bitcoin", "")
    }
    for address, amount in sums.items():
        if amounts.get(address) != amount:
            where = f"{code}, coins"
            message = "an address with coins has no row, or one of another amount"
            raise Rejected(Code.EVIDENCE_UNMATCHED_COINS, where, message)
