"""Canonical account ids and names: the exact steps, under text chosen to break them."""

from __future__ import annotations

import sys
import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.format.account import (
    MAX_ACCOUNT_ID_BYTES,
    RULES,
    AccountError,
    IdType,
    canonical_account_id,
    canonical_name,
)

ID_TYPES: tuple[IdType, ...] = get_args(IdType)
BIDI = [
    chr(code)
    for code in range(sys.maxunicode)
    if unicodedata.bidirectional(chr(code))
    in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
]
BIDI += ["\u200e", "\u200f", "\u061c"]


def rule_of(text: str, id_type: IdType = "opaque") -> str:
    with pytest.raises(AccountError) as refused:
        canonical_account_id(text, id_type)
    assert str(refused.value) == RULES[refused.value.rule]
    return refused.value.rule


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Alice", "Alice"),
        (" \t\r\nAlice Smith\n\r\t ", "Alice Smith"),
        ("e\u0301", "\u00e9"),
        ("\u212b", "\u00c5"),  # angstrom sign, a singleton
        ("\u1100\u1161\u11a8", "\uac01"),  # Hangul jamo
        ("a\u0323\u0307", "\u1ea1\u0307"),
        ("a\u0307\u0323", "\u1ea1\u0307"),  # marks reordered
        ("\u2003x", "\u2003x"),  # an em space is not trimmed
        ("\u00a0x", "\u00a0x"),
        ("a\u200db", "a\u200db"),  # zero-width joiner: a format character, kept
        ("\ufeffa", "\ufeffa"),
        ("\ue000\U0010fffd", "\ue000\U0010fffd"),  # private use
        ("\uff41", "\uff41"),  # fullwidth: NFC is not NFKC
        ("\ufb01", "\ufb01"),
        ("\U0001e4d0\u0cf3\U00011f02", "\U0001e4d0\u0cf3\U00011f02"),  # new in 15.0
        ("\u0301a", "\u0301a"),
    ],
)
def test_opaque(text: str, canonical: str) -> None:
    assert canonical_account_id(text, "opaque") == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" John.Doe+x@Example.COM\n", "john.doe+x@example.com"),
        ("\u0130@x", "\u0130@x"),  # dotted capital I is not ASCII: left alone
        ("I@x", "i@x"),
        ("\u0131@x", "\u0131@x"),  # Turkish dotless i
        ("\u00c9@x", "\u00c9@x"),  # no case mapping outside A-Z ...
        ("E\u0301@x", "\u00c9@x"),  # ... for any spelling of that letter
        ("e\u0301@x", "\u00e9@x"),
        ("H\u0331@x", "\u1e96@x"),  # composes only once it is lower case
        ("T\u0308W\u030aY\u030aJ\u030c@x", "\u1e97\u1e98\u1e99\u01f0@x"),
        ("\u212a@x", "k@x"),  # the Kelvin sign is canonically K
        ("\uff21@x", "\uff21@x"),
        ("A@\u0301X", "a@\u0301x"),
    ],
)
def test_email(text: str, canonical: str) -> None:
    assert canonical_account_id(text, "email") == canonical


@pytest.mark.parametrize(
    "text",
    [
        "john",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a@@b",
        "a b@c",
        "a@b c",
        "a\u00a0b@c",
        "a@b\u2028c",
        "\u3000a@b",
        "a@b\u2000",
        "a\uff20b",  # fullwidth @
        "a\ufe6bb",
    ],
)
def test_not_email(text: str) -> None:
    assert rule_of(text, "email") == "not-email"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("+1234567", "+1234567"),
        (" +49 170-123 45 67\n", "+491701234567"),
        ("+123456789012345", "+123456789012345"),
        ("-+ 1-2-3-4-5-6-7-", "+1234567"),
    ],
)
def test_phone(text: str, canonical: str) -> None:
    assert canonical_account_id(text, "phone") == canonical


@pytest.mark.parametrize(
    "text",
    [
        "+123456",
        "+1234567890123456",
        "1234567",
        "001234567",
        "++1234567",
        "+1234567a",
        "+1234567+",
        "+49(0)1701234",
        "+\u0661\u0662\u0663\u0664\u0665\u0666\u0667",  # digits, but not ASCII
        "+\uff11234567",
        "\uff0b1234567",
        "+123\u20104567",  # HYPHEN, not HYPHEN-MINUS
        "+123\u00a04567",
    ],
)
def test_not_phone(text: str) -> None:
    assert rule_of(text, "phone") == "not-phone"


@pytest.mark.parametrize("id_type", ID_TYPES)
@pytest.mark.parametrize("text", ["", " ", "\t\r\n ", "\n" * 1000])
def test_empty(text: str, id_type: IdType) -> None:
    assert rule_of(text, id_type) == "empty"


def test_phone_of_hyphens_is_empty() -> None:
    assert rule_of(" - - ", "phone") == "empty"


@pytest.mark.parametrize("id_type", ID_TYPES)
@pytest.mark.parametrize(
    ("character", "rule"),
    [
        ("\0", "control"),
        ("\t", "control"),
        ("\n", "control"),
        ("\x1f", "control"),
        ("\x7f", "control"),
        ("\x85", "control"),
        ("\x9f", "control"),
        ("\ud800", "surrogate"),
        ("\ud83d\ude00", "surrogate"),  # a pair that was never joined
        ("\u0378", "unassigned"),
        ("\ufffe", "unassigned"),
        ("\uffff", "unassigned"),
        ("\ufdd0", "unassigned"),
        ("\U0010ffff", "unassigned"),
        ("\u2ffc", "unassigned"),  # assigned in Unicode 15.1
        ("\u31ef", "unassigned"),
        ("\U0002ebf0", "unassigned"),
        ("\U0002ee5d", "unassigned"),
        ("\U00010d40", "unassigned"),  # assigned in Unicode 16.0
        ("\u202e", "bidi"),
        ("\u202c", "bidi"),
        ("\u200f", "bidi"),
        ("\u2066", "bidi"),
        ("\u061c", "bidi"),
    ],
)
def test_refused_code_point(character: str, rule: str, id_type: IdType) -> None:
    assert rule_of(f"+12345{character}67@x", id_type) == rule
    assert rule_of(f"\u00e9{character}\u00e9", id_type) == rule


@pytest.mark.parametrize(
    "name",
    [
        "Alice", "Alice Smith", "\u00c5", "\uac01", "\u1ea1\u0307", "\uff41", "\ufb01",
        "\u30af\u30e9\u30fc\u30b1\u30f3", "\U0001f600", "\u2019", "Caf\u00e9 & Co.",
    ],
)  # fmt: skip
def test_names(name: str) -> None:
    assert canonical_name(f" {name}\n") == name


@pytest.mark.parametrize(
    "hidden",
    [
        "\u00a0", "\u2003", "\u3000", "\u1680", "\u202f", "\u205f", "\u2028", "\u2029",  # spaces
        "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\ufff9",  # formats
        "\u034f", "\u115f", "\u1160", "\u17b4", "\u3164", "\uffa0", "\ufe0f",
        "\U000e0100",  # ignored
        "\U000e0041", "\U000e007f", "\U0001d173",  # tags, beams
        "\u2800", "\ufffc", "\U00013441", "\U00013442", "\U00016fe4", "\U0001d159",  # blanks
        "\ue000", "\U0010fffd",  # private use
        "  ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["Kra{}ken", "{}Kraken", "Kraken{}"])
def test_a_name_shows_every_character_that_it_has(hidden: str, form: str) -> None:
    name = form.format(hidden)
    if name.strip(" ") == "Kraken":
        return
    with pytest.raises(AccountError, match="does not show"):
        canonical_name(name)
    canonical_account_id(name, "opaque")  # ids are the customers' own


@pytest.mark.parametrize(
    "name",
    ["\u0301", "\u0301a", "a \u0301b", "a" + "\u0316" * 5, "\u0488b", "\u0bcd"],
)
def test_marks_stand_on_a_letter_of_a_name_and_in_no_heap(name: str) -> None:
    with pytest.raises(AccountError, match="mark"):
        canonical_name(name)
    canonical_account_id(name, "opaque")  # ids are the customers' own


@pytest.mark.parametrize(
    "name",
    [
        "a" + "\u0316" * 4,
        "\u0e1b\u0e31\u0e49\u0e19",
        "\u1ea1\u0307 b",
        "\u101c\u103b\u103e\u1031\u102c\u1037",  # Burmese, with marks that take room among others
    ],
)
def test_letters_keep_their_marks(name: str) -> None:
    assert canonical_name(name) == name


@pytest.mark.parametrize("control", BIDI)
def test_no_direction_is_turned_in_a_name_or_an_id(control: str) -> None:
    for read in (canonical_name, lambda text: canonical_account_id(text, "email")):
        with pytest.raises(AccountError, match="direction of writing"):
            read(f"{control}nekarK@x")


def test_first_refused_code_point_counts() -> None:
    assert rule_of("a\u0378\0") == "unassigned"
    assert rule_of("a\0\u0378") == "control"


def test_length_is_counted_in_bytes_of_the_canonical_form() -> None:
    assert canonical_account_id("a" * 128, "opaque") == "a" * 128
    assert canonical_account_id(" " + "a" * 128 + " ", "opaque") == "a" * 128
    assert rule_of("a" * 129) == "too-long"
    assert canonical_account_id("\u00e9" * 64, "opaque") == "\u00e9" * 64
    assert canonical_account_id("e\u0301" * 64, "opaque") == "\u00e9" * 64
    assert rule_of("\u00e9" * 64 + "a") == "too-long"
    assert rule_of("\U0001f600" * 33) == "too-long"
    assert canonical_account_id("A" * 126 + "@b", "email") == "a" * 126 + "@b"
    assert rule_of("a" * 127 + "@b", "email") == "too-long"
    assert canonical_name("b" * 64) == "b" * 64
    with pytest.raises(AccountError, match="too many bytes"):
        canonical_name("b" * 65)


def test_the_longest_decompositions_still_count_as_composed() -> None:
    # U+1F82 is alpha with three marks: four code points, three bytes composed.
    composed = "\u1f82" * 42
    decomposed = unicodedata.normalize("NFD", composed)
    assert len(decomposed) == 4 * 42
    assert canonical_account_id(decomposed, "opaque") == composed


def test_many_marks_in_the_worst_order_are_refused_before_sorting_them() -> None:
    # Sorting a run of this length takes minutes.
    assert rule_of("a" + "\u0301\u0323" * 500_000) == "too-long"


def test_unknown_type_is_misuse() -> None:
    with pytest.raises(ValueError, match="unknown account id type"):
        canonical_account_id("a", "Email")  # type: ignore[arg-type]


def accepted(text: str, id_type: IdType) -> str | None:
    try:
        return canonical_account_id(text, id_type)
    except AccountError:
        return None


alphabet = st.one_of(
    st.characters(),
    st.sampled_from(" \t\r\n@+-019AZazHTWY"),
    st.sampled_from("\u0301\u0323\u0307\u0331\u030a\u0308\u030c\u0338\u0345\u3099"),
    st.characters(min_codepoint=0x1100, max_codepoint=0x11FF),
)


@given(st.text(alphabet, max_size=40), st.sampled_from(ID_TYPES))
def test_canonical_form_is_its_own(text: str, id_type: IdType) -> None:
    canonical = accepted(text, id_type)
    if canonical is not None:
        assert canonical_account_id(canonical, id_type) == canonical
        assert 1 <= len(canonical.encode()) <= MAX_ACCOUNT_ID_BYTES
        assert accepted(f"\r\n {text}\t", id_type) == canonical
        if id_type == "email":
            assert not any("A" <= character <= "Z" for character in canonical)


@given(st.text(alphabet, max_size=40), st.sampled_from(ID_TYPES))
def test_canonically_equivalent_texts_are_one(text: str, id_type: IdType) -> None:
    # The interpreter's own, older or newer, tables agree with 15.0 on what was assigned in both.
    if all(unicodedata.category(character) not in ("Cn", "Cs") for character in text):
        decomposed = unicodedata.normalize("NFD", text)
        assert accepted(decomposed, id_type) == accepted(text, id_type)


@given(st.text(alphabet, max_size=20), st.text(alphabet, max_size=20))
def test_email_ignores_the_case_of_ascii_alone(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    swapped = "".join(c.swapcase() if c.isascii() else c for c in text)
    composed = unicodedata.normalize("NFC", text) == text
    if composed and unicodedata.normalize("NFC", swapped) == swapped:
        assert accepted(swapped, "email") == accepted(text, "email")


def test_every_assigned_code_point_and_no_other() -> None:
    accepts = [accepted(f"a{chr(code)}a", "opaque") for code in range(sys.maxunicode + 1)]
    # Unicode 15.0 assigns 149,186 graphic and format characters and 137,468 for private use; 12
    # of them turn the direction of writing.
    assert len(accepts) - accepts.count(None) == 149_186 + 137_468 - 12


def test_every_surrogate() -> None:
    assert {rule_of(f"a{chr(code)}") for code in range(0xD800, 0xE000)} == {"surrogate"}
