"""BIP-127 transactions among the signatures of an asset: which addresses each of them serves.

The text of the least of these addresses is the transaction, that of every other ``@`` and that
address. The transaction spends exactly the coins listed for them: whoever signed it owns them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verifier.format.evidence_records import Coin, OwnershipSignature
from verifier.ownership import Address, OwnershipError, bad_signature

BIP127 = "bip127"
_REFERENCE = "@"

Owner = Address | OwnershipError  # the refusal of an address that is of no accepted template


class Reserves:
    """The signatures of this format of one asset, and the coins that they are to spend."""

    def __init__(
        self,
        signatures: Iterable[OwnershipSignature],
        coins: Iterable[Coin],
        owners: Mapping[tuple[str, str], Owner],
    ) -> None:
        """Take all signatures and coins of an asset; ``owners`` by (chain, address)."""
        self._owners = owners
        self._coins: dict[str, list[Coin]] = {}
        self._served: dict[str, list[str]] = {}
        self._transactions: set[str] = set()
        for coin in coins:
            self._coins.setdefault(coin.address, []).append(coin)
        for entry in signatures:
            if (entry.chain, entry.format) != ("bitcoin", BIP127):
                continue
            signer = entry.text.removeprefix(_REFERENCE)
            if signer == entry.text:
                signer = entry.address
                self._transactions.add(signer)
            self._served.setdefault(signer, []).append(entry.address)

    def check(self, entry: OwnershipSignature, message: str) -> None:
        """Check one of the signatures over ``message``; call it for all of them.

        A transaction is checked with the entry that holds it, for all whom it serves.

        Raises:
            OwnershipError: ``evidence.unsupported-signature``, ``evidence.unsupported-template`` or
                ``evidence.bad-signature``.
        """
        signer = entry.text.removeprefix(_REFERENCE)
        if signer == entry.text:
            self._check_transaction(entry, message)
        elif signer not in self._transactions or signer >= entry.address:
            raise bad_signature("no earlier address has such a transaction")

    def _check_transaction(self, entry: OwnershipSignature, message: str) -> None:
        from verifier.ownership.bip127 import SpentCoin, check_bip127

        spent = []
        for address in self._served[entry.address]:
            owner = self._owners["bitcoin", address]
            if isinstance(owner, OwnershipError):
                raise owner
            if address not in self._coins:
                raise bad_signature("no coins are listed for an address of the transaction")
            spent += [
                SpentCoin(owner, coin.txid, coin.index, coin.amount)
                for coin in self._coins[address]
            ]
        check_bip127(spent, message, entry.text)
