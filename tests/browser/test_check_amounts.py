"""Amounts as the world types them, and numbers and dates as the page writes them."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site, visit

READ = """([text, { counted = null, ...row }]) =>
    $typed.readBalance(text, { ...row, counted: counted === null ? null : BigInt(counted) })"""
FORTY = "1" * 40


class Reader(Protocol):
    """What the page makes of a typed amount."""

    def __call__(self, text: str, **row: Any) -> Any: ...


@pytest.fixture(scope="module")
def tab(chromium: Browser, published: Site) -> Iterator[Page]:
    made = chromium.new_page()
    visit(made, f"{published.url}/check.html")
    yield made
    made.close()


@pytest.fixture
def read(tab: Page) -> Reader:
    def call(text: str, **row: Any) -> Any:
        return tab.evaluate(READ, [text, row])

    return call


@pytest.mark.parametrize("text", ["0", "1.5", "001.50", "1.168", f"{FORTY}.{FORTY}"])
def test_a_plain_amount_is_taken_as_it_is(read: Reader, text: str) -> None:
    assert read(f" {text}\n") == {"value": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,5", "1.5"),
        (",5", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("5,", "5"),
        ("0,168", "0.168"),
        ("12345,678", "12345.678"),
        ("1,168.76", "1168.76"),
        ("1.168,76", "1168.76"),
        ("1 168,76", "1168.76"),
        ("1\u00a0168,76", "1168.76"),
        ("1\u202f168.76", "1168.76"),
        ("1\u2009168.76", "1168.76"),
        ("1'168.76", "1168.76"),
        ("1’168.76", "1168.76"),
        ("1,168,760", "1168760"),
        ("1.168.760", "1168760"),
        ("1,16,876.5", "116876.5"),
        ("0.000 042 71", "0.00004271"),
        ("0.00 004 271", "0.00004271"),
        ("1,168.", "1168"),
        ("1.50 ", "1.50"),
        ("\u200e1.5\u200f", "1.5"),
        ("1\u200b.5", "1.5"),
        ("１，１６８．５", "1168.5"),
        ("١٬١٦٨٫٧٦", "1168.76"),
        ("١٬١٦٨", "1168"),
        ("٠،٥", "0.5"),
        ("۱۲۳٫۴", "123.4"),
        ("१.५", "1.5"),
        ("1e-8", "0.00000001"),
        ("1.5E3", "1500"),
        ("1,5e-3", "0.0015"),
        ("25e-1", "2.5"),
        ("0e0", "0"),
        ("1e39", "1" + "0" * 39),
    ],
)
def test_an_amount_of_another_country_is_read(read: Reader, text: str, value: str) -> None:
    found = read(text)
    assert found == {"value": value} | ({"isRewritten": True} if text.strip() != value else {})


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "+1", "−1", "$5", "<0.01", "~5", "5k", "5 million", "½", "1/2", "0x10"),
        *(".", ",", "'", "e8", "1e", "1e99", "1e40", "1e-41", "1..5", "1,,5", "1.5.", "1,16,8"),
        *(
            "1.2,3.4",
            "1,168.76,5",
            "1.168,76,5",
            "1'5",
            "1 5",
            "1 .5",
            "1. 5",
            "1,1 68",
            "0,168,760",
        ),
        *("1'168,760", "1,168'760", "1'168'76", "1.168'760,5", "1 168.760'1", "٫", "1٫2٫3", "BTC"),
        *("1" * 41, f"0.{'1' * 41}", "1.5 ETH", "1.5 BTC 2", "NaN", "Infinity", "1_000", "1\n2"),
    ],
)
def test_what_is_no_number_is_not_guessed(read: Reader, text: str) -> None:
    assert read(text, code="BTC") == {"rule": "number"}


def test_a_long_text_is_read_in_no_time(read: Reader, tab: Page) -> None:
    """Of an amount and of nothing else there is a lot of time to lose in a pattern."""
    for text in ("1," * 50_000, "1 " * 50_000, "1'" * 50_000, "1" * 100_000, "e1" * 50_000):
        before = tab.evaluate("performance.now()")
        assert read(text, code="BTC") == {"rule": "number"}
        assert tab.evaluate("performance.now()") - before < 2000


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("0.5 BTC", "BTC", "0.5"),
        ("0.5btc", "BTC", "0.5"),
        ("BTC 0.5", "BTC", "0.5"),
        ("BTC.5", "BTC", "0.5"),
        ("1,5\u00a0USDT", "USDT", "1.5"),
        ("5 1INCH", "1INCH", "5"),
        ("1E3 E3", "E3", "1000"),
        ("2049", "2049", "2049"),
    ],
)
def test_the_coin_may_stand_beside_it(read: Reader, text: str, code: str, value: str) -> None:
    assert read(text, code=code)["value"] == value


@pytest.mark.parametrize(
    ("text", "code"), [("51INCH", "1INCH"), ("5 BTC", "ETH"), ("5BTCX", "BTC")]
)
def test_another_coin_may_not(read: Reader, text: str, code: str) -> None:
    assert read(text, code=code) == {"rule": "number"}


def test_digits_of_every_script_are_digits(read: Reader) -> None:
    """Of every script of which Python knows the digits."""
    digits = [
        sign for sign in map(chr, range(sys.maxunicode)) if unicodedata.decimal(sign, -1) >= 0
    ]
    assert len(digits) > 600
    for at in range(0, len(digits), 30):
        text = "1." + "".join(digits[at : at + 30])
        plain = "1." + "".join(str(unicodedata.decimal(sign)) for sign in digits[at : at + 30])
        assert read(text)["value"] == plain


LOW, HIGH = "1.168", "1168"
ASKED_LOW = f"{LOW}0"  # it has one meaning


@pytest.mark.parametrize(
    ("text", "decimals", "counted", "value"),
    [
        ("1,168", 2, 1168_00, HIGH),
        ("1.168", 2, 1168_00, HIGH),
        ("1,168", 2, 1168_76, HIGH),  # it was shown rounded
        ("1,168", 2, 1167_01, HIGH),
        ("1,168", 8, 1_16812345, LOW),
        ("1.168", 8, 1_16800000, LOW),
        ("1,168", 8, 1_16700001, LOW),
        ("1,168", 8, 1_00000000, LOW),  # both are more than is counted
        ("1,168", 0, 1, LOW),
        ("1.168", 2, 2000_00, HIGH),  # both are less
        ("1,168", 0, 10**19, HIGH),
    ],
)
def test_of_two_numbers_what_is_counted_decides(
    read: Reader, text: str, decimals: int, counted: int, value: str
) -> None:
    found = read(text, decimals=decimals, counted=str(counted))
    assert found["value"] == value
    assert found["other"] == (HIGH if value == LOW else LOW)
    assert found.get("isRewritten", False) == (value != text)


@pytest.mark.parametrize("counted", ["50000", "1166_99", "117"])
@pytest.mark.parametrize("text", ["1,168", "1.168"])
def test_where_the_choice_would_hide_a_gap_the_page_asks(
    read: Reader, text: str, counted: str
) -> None:
    """One reading is more than what is counted, and the other one is less."""
    found = read(text, decimals=2, counted=counted.replace("_", ""))
    assert found == {"rule": "notation", "readings": [ASKED_LOW, HIGH]}


def test_of_two_numbers_a_point_is_a_decimal_point_where_nothing_is_counted(read: Reader) -> None:
    assert read("1.168") == {"value": LOW}
    asked = {"rule": "notation", "readings": [ASKED_LOW, HIGH]}
    assert read("1,168") == asked
    assert read("1,168", decimals=2, counted="0") == asked


@pytest.mark.parametrize("text", ["1,168", "1.168", "500.000"])
def test_where_what_is_counted_is_hidden_the_page_asks_and_takes_its_own_answers(
    read: Reader, text: str
) -> None:
    """Of 1168 coins, typed as 1.168 in half the world, 500 that are counted would be many more."""
    readings = read(text, isHidden=True)["readings"]
    assert [read(reading, isHidden=True) for reading in readings] == [
        {"value": reading} for reading in readings
    ]


# --- what the page writes

WRITE = """([locale, value, decimals]) => {
    $texts.setLocale(locale);
    return $texts.decimalText(BigInt(value), decimals);
}"""


@pytest.mark.parametrize(
    ("locale", "value", "decimals", "text"),
    [
        ("en", "116876", 2, "1,168.76"),
        ("de", "116876", 2, "1.168,76"),
        ("fr", "116876", 2, "1\u202f168,76"),
        ("es-MX", "116876", 2, "1,168.76"),
        ("ar-EG", "116876", 2, "1,168.76"),
        ("en-IN", "11687650", 2, "1,16,876.5"),
        ("en", "-5", 1, "−0.5"),
        ("en", "0", 8, "0"),
        ("de", "123456789012345678901234567890", 18, "123.456.789.012,34567890123456789"),
    ],
)
def test_an_amount_is_written_as_the_language_does(
    tab: Page, read: Reader, locale: str, value: str, decimals: int, text: str
) -> None:
    assert tab.evaluate(WRITE, [locale, value, decimals]) == text
    if decimals and value[0] != "-":
        counted = read(text, decimals=decimals, counted=value)
        whole, fraction = value.zfill(decimals + 1)[:-decimals], value.zfill(decimals)[-decimals:]
        assert counted["value"] == f"{whole}.{fraction}".rstrip("0").rstrip(".")


def test_a_moment_is_of_the_gregorian_calendar_in_every_language(tab: Page) -> None:
    write = "(locale) => ($texts.setLocale(locale), $texts.localTime(1795219200))"
    for locale in ("en-GB", "ar-SA", "ja-JP-u-ca-japanese", "th-TH"):
        assert "2026" in tab.evaluate(write, locale)
