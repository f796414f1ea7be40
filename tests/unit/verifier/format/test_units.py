"""The table of units, and what a reader knows with it."""

from __future__ import annotations

import time

import pytest

from verifier import Policy
from verifier.format.chains import CHAINS
from verifier.format.units import (
    Entry,
    Kind,
    KnownUnit,
    UnitTable,
    entries,
    known_unit,
    known_units,
)

NATIVE_USDC = "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"
BRIDGED_USDC = "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"
OWN = KnownUnit("OWN", "base", "0x" + "11" * 20, 18)


def unconfirmed() -> Entry:
    return next(entry for entry in entries() if entry.unit[:2] == ("SHIB", "ethereum"))


def test_traps_of_other_lists_are_not_in_the_table() -> None:
    """What wallets' lists agree on and is wrong (docs/decisions/0021-unit-table.md)."""
    kinds = {entry.unit: entry.kind for entry in entries()}
    assert kinds[KnownUnit("USDC", "polygon", NATIVE_USDC, 6)] is Kind.ISSUER
    assert kinds[KnownUnit("USDCE", "polygon", BRIDGED_USDC, 6)] is Kind.BRIDGED
    for chain in ("arbitrum", "optimism", "avalanche", "base", "polygon"):
        usdc = known_unit("USDC", chain)
        assert usdc is not None
        assert kinds[usdc] is Kind.ISSUER
    for code in ("USDT", "USDC"):
        pegged = known_unit(code, "bsc")
        assert pegged is not None
        assert (pegged.decimals, kinds[pegged]) == (18, Kind.BRIDGED)
    assert known_unit("DAI", "ethereum") is not None
    assert known_unit("ETH", "avalanche") is None
    assert known_unit("USDC", "tron") is None
    assert known_unit("USDT", "tron") is not None


def test_every_chain_has_its_coin_and_money_is_by_iso_4217() -> None:
    coins = {unit.chain: unit for unit in known_units() if not unit.contract}
    assert coins.keys() == CHAINS.keys() - {"fiat"}
    assert known_unit("EUR", "fiat") == KnownUnit("EUR", "fiat", "EUR", 2)
    assert known_unit("JPY", "fiat") == KnownUnit("JPY", "fiat", "JPY", 0)
    assert all(unit.code == unit.contract for unit in known_units() if unit.chain == "fiat")


def test_what_is_unconfirmed_is_unknown_and_can_be_named() -> None:
    unit, kind, _ = unconfirmed()
    assert kind is Kind.UNCONFIRMED
    plain = UnitTable()
    assert unit not in plain
    assert not plain.contradicts(unit._replace(contract="0x" + "22" * 20))
    assert plain.kind(unit) is Kind.UNCONFIRMED
    named = UnitTable([unit])
    assert unit in named
    assert named.kind(unit) is Kind.NAMED
    assert not named.contradicts(unit._replace(contract="0x" + "22" * 20))
    assert named.contradicts(unit._replace(decimals=unit.decimals + 1))


def test_a_table_tells_who_says_what_a_unit_is() -> None:
    table = UnitTable([OWN, KnownUnit("BTC", "bitcoin", "", 8)])
    assert table.kind(OWN) is Kind.NAMED
    assert table.kind(KnownUnit("BTC", "bitcoin", "", 8)) is Kind.NATIVE
    assert table.kind(KnownUnit("USDCE", "polygon", BRIDGED_USDC, 6)) is Kind.BRIDGED
    assert table.kind(KnownUnit("BTC", "bitcoin", "", 9)) is None
    assert table.kind(OWN._replace(decimals=6)) is None


@pytest.mark.parametrize(
    "unit",
    [
        KnownUnit("USDC", "polygon", BRIDGED_USDC, 6),
        KnownUnit("USDC", "polygon", NATIVE_USDC, 18),
        KnownUnit("USDX", "polygon", NATIVE_USDC, 6),
        KnownUnit("USDC", "base", "0x" + "11" * 20, 6),
    ],
)
def test_the_table_wins_over_what_is_named(unit: KnownUnit) -> None:
    assert UnitTable().contradicts(unit)
    with pytest.raises(ValueError, match=f"{unit.code} on {unit.chain} is known to be something"):
        UnitTable([unit])


def test_a_table_of_ten_thousand_units_answers_as_fast_as_an_empty_one() -> None:
    """4,096 assets of 64 units are a quarter of a million look-ups."""
    named = [OWN._replace(code=f"C{at}", contract=f"0x{at:040x}") for at in range(10_000)]
    asked = named * 10

    def seconds(table: UnitTable) -> float:
        start = time.process_time()
        for unit in asked:
            table.contradicts(unit)
        return time.process_time() - start

    empty, full = UnitTable(), UnitTable(named)
    assert min(seconds(full) for _ in range(3)) < 5 * min(seconds(empty) for _ in range(3)) + 0.05


def test_a_policy_knows_what_it_names() -> None:
    assert OWN in Policy(units=(OWN,)).unit_table()
