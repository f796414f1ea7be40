"""Names that a reader may take for one another."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest

from verifier.host import lookalike
from verifier.host.lookalike import resembled, skeleton

WATCHED = ["Kraken Exchange", "Binance", "Northwind Exchange", "OKX", "₿"]


@pytest.mark.parametrize(
    ("name", "watched"),
    [
        ("Binance", "Binance"),
        ("BINANCE", "Binance"),
        ("Bi nan-ce.", "Binance"),
        ("Вinаnсе", "Binance"),  # Cyrillic
        ("ΒΙΝΑΝCΕ", "Binance"),  # Greek
        ("Biиance", "Binance"),
        ("Blnance", "Binance"),
        ("B1nance", "Binance"),
        ("Bınance", "Binance"),
        ("8inance", "Binance"),
        ("ʙɪɴᴀɴᴄᴇ", "Binance"),
        ("Ｂｉｎａｎｃｅ", "Binance"),
        ("𝔅𝔦𝔫𝔞𝔫𝔠𝔢", "Binance"),
        ("ⓑⓘⓝⓐⓝⓒⓔ", "Binance"),
        ("Bínäncé", "Binance"),
        ("Bi\u200bna\u00adnce", "Binance"),  # zero-width space, soft hyphen
        ("Bi\u3164nance", "Binance"),  # the filler of Hangul
        ("\u202eecnaniB\u202c", "Binance"),  # turned around
        ("Binance (Europe) Ltd", "Binance"),
        ("Kraken", "Kraken Exchange"),
        ("Northvvind", "Northwind Exchange"),
        ("Korthwind Exchange", None),
        ("OKX", "OKX"),
        ("ОКХ", "OKX"),
        ("OK", None),
        ("Bank", None),
        ("Halcyon Markets", None),
        ("\u3164\u200b", None),
        ("₿", None),  # without a letter there is nothing to compare
        ("", None),
    ],
)
def test_what_resembles_what(name: str, watched: str | None) -> None:
    assert resembled(unicodedata.normalize("NFC", name), WATCHED) == watched


def test_no_letter_looks_like_two() -> None:
    counted = Counter("".join(lookalike.LOOKS.values()))
    assert [look for look, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("name", ["ﬃ" * 21, "\U0001d15e" * 16, "ẛ̣" * 12, "a" * 64, "İ" * 32])
def test_a_skeleton_is_bounded(name: str) -> None:
    assert len(skeleton(name)) <= 4 * 64
