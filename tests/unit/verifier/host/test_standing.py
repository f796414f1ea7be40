"""How the host says that an exchange stands: words, colours, ratios and bars, on whose word."""

from __future__ import annotations

import pytest

from tests.support.outcomes import DAY, NOW, holding, named
from verifier.format.levels import Level
from verifier.host import alarms as kinds
from verifier.host.alarms import Alarm
from verifier.host.badge import badge_of
from verifier.host.standing import (
    Bar,
    Standing,
    alone,
    coins,
    draw,
    floor_text,
    last_days,
    sentence,
    standing,
    worst_bars,
)

TODAY = NOW // DAY


def proof(*levels: str, **more: object) -> object:
    assets = [(f"C{number}", level, 105, 100) for number, level in enumerate(levels)]
    return named("a", details=holding(*assets, **more))


@pytest.mark.parametrize(
    ("levels", "stands", "look"),
    [
        ((), "on its word", "warn"),
        (("claimed",), "on its word", "warn"),
        (("unverified", "claimed"), "on its word", "warn"),
        (("something new",), "on its word", "warn"),
        (("header", "claimed"), "holds", "good"),
        (("header",), "holds", "good"),
        (("attested", "chain", "listed"), "holds", "good"),
    ],
)
def test_green_needs_more_than_the_exchange_s_word(
    levels: tuple[str, ...], stands: str, look: str
) -> None:
    found = alone(proof(*levels))  # type: ignore[arg-type]
    assert (found, found.look) == (stands, look)


def test_every_level_has_a_colour() -> None:
    looks = {level: coins(proof(level))[0].look for level in Level}  # type: ignore[arg-type]
    assert looks == {
        "unverified": "word",
        "claimed": "word",
        "header": "header",
        "attested": "header",
        "listed": "chain",
        "chain": "chain",
    }


def test_what_is_set_aside_is_amber_and_counts_for_nothing() -> None:
    found = proof("header", "header", set_aside=["C1"])
    assert alone(found) is Standing.PARTLY  # type: ignore[arg-type]
    assert [coin.look for coin in coins(found)] == ["header", "aside"]  # type: ignore[arg-type]


def test_what_is_shown_under_a_block_of_another_day_is_never_green() -> None:
    """Not even beside coins under a good one: the same ones may have been counted twice."""
    item = proof("header", "chain", "claimed", undated=["C0"])
    assert [coin.look for coin in coins(item)] == ["undated", "chain", "word"]  # type: ignore[arg-type]
    assert alone(item) is Standing.UNDATED  # type: ignore[arg-type]
    assert (Standing.UNDATED.look, Standing.UNDATED.group) == ("warn", "word")
    text = sentence(item)  # type: ignore[arg-type]
    assert "Shown under blocks that are not known to be of that day: C0." in text
    assert worst_bars([item], ())[TODAY - 1].look == "word"  # type: ignore[list-item]


def test_a_proof_that_fails_has_no_coins() -> None:
    found = named("a", code="argument.rejected", details=holding(("BTC", "chain", 2, 1)))
    assert (alone(found), coins(found)) == (Standing.FAILS, [])


@pytest.mark.parametrize(
    ("kind", "stands"),
    [
        (kinds.REJECTED, "fails"),
        (kinds.COMPLAINT, "fails"),
        (kinds.RECORD, "fails"),
        (kinds.EQUIVOCATION, "contradicts itself"),
        (kinds.BROKEN_CHAIN, "contradicts itself"),
        (kinds.REWRITTEN, "contradicts itself"),
        (kinds.FUTURE, "dated ahead"),
        (kinds.OVERDUE, "overdue"),
        (kinds.UNAUDITED, "not all audited"),
        (kinds.UNWATCHED, "not looked at"),
    ],
)
def test_no_alarm_leaves_green(kind: str, stands: str) -> None:
    found = standing(Standing.HOLDS, [Alarm(kind, "")])
    assert found == stands
    assert found.look == ("bad" if kind in kinds.SIGNED else "warn")
    assert found.group == ("fails" if kind in kinds.SIGNED else "unknown")
    nothing = standing(Standing.NONE, [Alarm(kind, "")])
    assert nothing == (stands if kind in kinds.SIGNED else "no proof yet")


def test_the_worst_is_said() -> None:
    alarms = [Alarm(kinds.OVERDUE, ""), Alarm(kinds.EQUIVOCATION, ""), Alarm(kinds.UNAUDITED, "")]
    assert standing(Standing.WORD, alarms) is Standing.CONTRADICTS
    assert standing(Standing.FAILS, alarms) is Standing.FAILS


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        ((1, 1), "1.00"),
        ((199, 100), "1.99"),
        ((1_049_999, 1_000_000), "1.04"),
        ((999_999, 1_000_000), "0.99"),
        ((10**18, 1), "100+"),
        ((0, 0), ""),
    ],
)
def test_a_ratio_is_never_rounded_up(ratio: tuple[int, int], text: str) -> None:
    assert floor_text(*ratio) == text


def test_what_a_proof_shows_is_said_with_on_whose_word() -> None:
    text = sentence(proof("header", "claimed", "attested"))  # type: ignore[arg-type]
    assert "under blocks that we did not confirm: C0, C2. On its word alone: C1." in text
    assert "Nobody confirmed them" in sentence(proof("claimed"))  # type: ignore[arg-type]
    many = sentence(proof(*["header"] * 4096))  # type: ignore[arg-type]
    assert "and 4,076 more" in many


@pytest.mark.parametrize(
    ("levels", "aside", "is_shown"),
    [
        (("header", "chain", "attested"), [], True),
        (("header", "claimed"), [], False),
        (("claimed", "claimed"), ["C1"], False),
        (("claimed",), ["C0"], False),
        (("header", "header"), ["C1"], False),
        ((), [], False),
    ],
)
def test_that_coins_were_there_is_said_only_of_what_evidence_shows(
    levels: tuple[str, ...], aside: list[str], is_shown: bool
) -> None:
    text = sentence(proof(*levels, set_aside=aside))  # type: ignore[arg-type]
    assert ("its coins covered what it proved to owe" in text) == is_shown
    assert ("the coins that it states cover what it proved to owe" in text) != is_shown


def test_a_day_shows_the_worst_of_it() -> None:
    good = named("a", time=NOW, details=holding(("BTC", "header", 3, 2)))
    word = named("b", time=NOW + 1, details=holding(("BTC", "claimed", 1, 1)))
    failed = named("c", time=NOW + 2, code="page.bad-point")
    assert worst_bars([good], ()) == {TODAY: Bar("held", 10)}
    assert worst_bars([good, word], ()) == {TODAY: Bar("word", 4)}
    assert worst_bars([word, failed, good], ()) == {TODAY: Bar("failed", 10)}
    assert worst_bars([good], {good.digest}) == {TODAY: Bar("failed", 10)}
    unread = named("d", time=NOW, code="check.unreadable")
    assert worst_bars([good, unread], ())[TODAY].look == "unaudited"


def test_days_are_late_when_the_one_before_is_too_old() -> None:
    held = Bar("held", 4)
    found = last_days({TODAY - 9: held}, None, 2 * DAY, NOW)
    assert len(found) == 30
    assert [one.look for one in found[:20]] == ["none"] * 20  # before the first, none is late
    assert [one.look for one in found[20:]] == ["held", "none", "none", *["late"] * 7]
    before = last_days({}, NOW - 40 * DAY, 2 * DAY, NOW)
    assert {one.look for one in before} == {"late"}
    weekly = last_days({TODAY - 7: held, TODAY: held}, None, 8 * DAY, NOW)
    assert [one.look for one in weekly[-8:]] == ["held", *["none"] * 6, "held"]


def test_bars_are_drawn_and_told() -> None:
    drawn = draw([Bar("held", 5), Bar("late", 10), Bar("held", 4)])
    assert drawn.paths == [("held", "M0.5 10v-5M2.5 10v-4"), ("late", "M1.5 10v-10")]
    assert drawn.said == "Last 3 days: 2 held, 1 late"
    assert draw([Bar("none", 1)]).said == "Last 1 days: no proof"


@pytest.mark.parametrize("stands", Standing)
def test_a_badge_has_its_date_and_is_as_wide_as_its_text(stands: Standing) -> None:
    badge = badge_of(stands, named("a", time=NOW))
    assert badge.text == f"{stands} · 15 Jan 2027"
    assert badge.right > 6 * len(badge.text)
    assert (badge.colour == "#0b6b46") == (stands is Standing.HOLDS)
    assert badge_of(stands, None).text == stands
