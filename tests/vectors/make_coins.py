"""Vectors of the coins that evidence may list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.support.bases import derived
from tests.support.forger import Fields
from tests.support.vector import Vector
from tests.vectors.make_evidence import Edit, base_evidence, lying

HELD = (150_000_000, 50_000_000)  # by p2wpkh and p2pkh, as the sample has it


def coin(address: str, amount: int, index: int = 0, txid: bytes = b"\x01" * 32) -> Fields:
    return {"address": address, "amount": amount, "index": index, "txid": txid}


def addresses() -> dict[int, str]:
    """The sample's address of each amount."""
    rows = base_evidence("BTC")["rows"]
    return {int.from_bytes(row["amount"], "big"): row["address"] for row in rows}


def listed(fields: Fields, coins: list[Fields]) -> None:
    """Put coins into a file, in order."""
    fields["coins"] = sorted(coins, key=lambda item: (item["address"], item["txid"], item["index"]))


def split() -> list[Fields]:
    """Coins of both addresses, two of them in one transaction."""
    large, small = (addresses()[amount] for amount in HELD)
    return [
        coin(large, HELD[0] - 7, 2**32 - 1),
        coin(large, 7, 0),
        coin(small, HELD[1], 1, b"\x02" * 32),
    ]


def vectors() -> Iterator[Vector]:
    yield derived(
        "evidence-coins",
        "Coins of two addresses, two of them of one transaction.",
        "accepted",
        None,
        lying("BTC", lambda fields: listed(fields, split())),
    )
    yield derived(
        "evidence-coins-of-one",
        "One address lists its coins, and the other does not.",
        "accepted",
        None,
        lying("BTC", lambda fields: listed(fields, split()[2:])),
    )
    for name, description, code, edit in (*malformed(), *false()):
        yield derived(
            f"evidence-{name}", description, "coins", f"evidence.{code}", lying("BTC", edit)
        )


def malformed() -> Iterator[tuple[str, str, str, Edit]]:
    def with_coins(edit: Callable[[list[Fields]], None]) -> Edit:
        def apply(fields: Fields) -> None:
            listed(fields, split())
            edit(fields["coins"])

        return apply

    yield (
        "coins-txid-short",
        "A transaction id of 31 bytes.",
        "bad-fields",
        with_coins(lambda coins: coins[0].update(txid=bytes(31))),
    )
    yield (
        "coins-amount-binary",
        "A coin's amount is binary.",
        "bad-fields",
        with_coins(lambda coins: coins[0].update(amount=bytes(32))),
    )
    yield (
        "coins-unsorted",
        "Coins are not in order.",
        "unsorted",
        with_coins(lambda coins: coins.reverse()),
    )
    yield (
        "coins-twice",
        "A coin twice.",
        "unsorted",
        with_coins(lambda coins: coins.append(coins[-1])),
    )
    yield (
        "bad-coin-index",
        "A coin's index is 2^32.",
        "bad-coin",
        with_coins(lambda coins: coins[2].update(index=2**32)),
    )


def false() -> Iterator[tuple[str, str, str, Edit]]:
    large, small = (addresses()[amount] for amount in HELD)
    cases: list[tuple[str, str, str, list[Fields]]] = [
        (
            "duplicate-coin",
            "A coin counted for two addresses.",
            "duplicate-coin",
            [coin(large, HELD[0]), coin(small, HELD[1])],
        ),
        (
            "unmatched-coins-less",
            "Coins that come to less than the row.",
            "unmatched-coins",
            [coin(large, HELD[0] - 1)],
        ),
        (
            "unmatched-coins-more",
            "Coins that come to more than the row.",
            "unmatched-coins",
            [coin(large, HELD[0]), coin(large, 1, 1)],
        ),
        (
            "unmatched-coins-row",
            "Coins of an address without a row.",
            "unmatched-coins",
            [coin("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", 1)],
        ),
        (
            "unmatched-coins-nothing",
            "A coin of nothing of an address without a row.",
            "unmatched-coins",
            [coin("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", 0)],
        ),
    ]
    for name, description, code, coins in cases:
        yield name, description, code, lambda fields, coins=coins: listed(fields, coins)  # type: ignore[misc]
