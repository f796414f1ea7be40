"""Canonical account ids and exchange names, exactly as Unicode 15.0 has them.

An account's blinding factors are derived from its id, so the exchange, the customer's device and
every other implementation must map what was typed to the same bytes. The steps, in order:

1. Trim space, tab, CR and LF at both ends; ``phone``: drop every space and hyphen-minus. Nothing
   left is ``empty``.
2. Look at every code point, first to last: a surrogate is ``surrogate``, a control character
   (general category Cc) is ``control``, one that Unicode 15.0 does not assign (Cn, noncharacters
   included) is ``unassigned``, one that turns the direction of writing is ``bidi``. In a name
   whatever else shows as nothing, as a space or as its font likes is ``invisible``, as are two
   spaces in a row; a mark that takes no room is ``marks`` on no letter, or above four of them
   (UTS 39, 5.4). The lists are ``code_points.json``, which every reader shares.
3. Normalise to NFC. Step 2 comes first because NFC is only stable over assigned code points.
4. ``email`` only: map A-Z to a-z, nothing else, and normalise to NFC again: ``H`` + U+0331 has no
   composed form while ``h`` + U+0331 has one, so without the second pass the canonical form of a
   canonical form would differ from it.
5. More than 128 bytes of UTF-8 (64 for a name) is ``too-long``.
6. ``email``: exactly one ``@`` with something on both sides, and no white space (Unicode property
   White_Space), else ``not-email``. ``phone``: ``+`` and 7 to 15 ASCII digits, else ``not-phone``.

Canonically equivalent texts have one canonical form, and that form is its own. No error message
ever holds the text.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left
from pathlib import Path
from typing import Any, Final, Literal

# Of the interpreters, 3.12 alone carries the tables of Unicode 15.0.
if sys.version_info[:2] == (3, 12):
    import unicodedata
else:
    import unicodedata2 as unicodedata

__all__ = [
    "MAX_ACCOUNT_ID_BYTES",
    "MAX_NAME_BYTES",
    "RULES",
    "AccountError",
    "IdType",
    "canonical_account_id",
    "canonical_name",
    "check_shown",
    "escape",
    "is_shown",
    "refused_points",
]

IdType = Literal["email", "phone", "opaque"]

MAX_ACCOUNT_ID_BYTES: Final = 128
MAX_NAME_BYTES: Final = 64

_TABLE: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("code_points.json").read_text("ascii")
)

if unicodedata.unidata_version != _TABLE["unicode"]:
    raise ImportError(f"Unicode {_TABLE['unicode']} is needed, not {unicodedata.unidata_version}")

_TRIMMED: Final = " \t\r\n"
_CATEGORIES: Final = {"Cs": "surrogate", "Cc": "control", "Cn": "unassigned"}
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_WHITE_SPACE: Final = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_EMAIL: Final = re.compile(rf"[^@{_WHITE_SPACE}]+@[^@{_WHITE_SPACE}]+")
_PHONE: Final = re.compile(r"\+[0-9]{7,15}")

# A code point decomposes to at most four, and no text is longer than its decomposition, so none of
# more than four times the limit comes down to it. The bound is there because normalising a long
# run of combining marks takes quadratic time.
_MAX_EXPANSION: Final = 4

# So many marks may stand on one letter of a name: the unreadable begins above (UTS 39, 5.4).
_MAX_MARKS: Final = 4

RULES: Final = {
    "bidi": "a character that turns the direction of writing",
    "control": "a control character",
    "empty": "nothing",
    "invisible": "a character that does not show, or two spaces in a row",
    "marks": "an accent or other mark on no letter, or more than four in a row",
    "not-email": "no e-mail address",
    "not-phone": "not + and 7 to 15 digits",
    "surrogate": "half a surrogate pair",
    "too-long": "too many bytes",
    "unassigned": "a character that Unicode 15.0 does not have",
}
"""What each rule finds, in words."""


class AccountError(ValueError):
    """A text without a canonical form. ``rule`` is one of `RULES`, the message its words."""

    def __init__(self, rule: str) -> None:
        super().__init__(RULES[rule])
        self.rule = rule


def canonical_account_id(text: str, id_type: IdType) -> str:
    """Return the canonical form of an account id: 1 to 128 bytes of UTF-8.

    Raises:
        AccountError: the text has no canonical form under ``id_type``; ``rule`` says why.
        ValueError: ``id_type`` is not one of the three.
    """
    if id_type not in ("email", "phone", "opaque"):
        raise ValueError("unknown account id type")
    canonical = _canonical(text, id_type, MAX_ACCOUNT_ID_BYTES)
    if id_type == "email" and not _EMAIL.fullmatch(canonical):
        raise AccountError("not-email")
    if id_type == "phone" and not _PHONE.fullmatch(canonical):
        raise AccountError("not-phone")
    return canonical


def canonical_name(text: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return the canonical form of a name, an exchange's by default: 1 to 64 bytes of UTF-8.

    Raises:
        AccountError: the text has none; ``rule`` says why.
    """
    canonical = _canonical(text, "opaque", max_bytes)
    check_shown(canonical)
    return canonical


def is_name(text: str, max_bytes: int = MAX_NAME_BYTES) -> bool:
    """Tell whether a text is a name in its canonical form; see `canonical_name`."""
    try:
        return canonical_name(text, max_bytes) == text
    except AccountError:
        return False


def check_shown(text: str) -> None:
    """Check a text that a third party signs, or that readers are shown as the exchange's name.

    Raises:
        AccountError: it holds what is no visible character, two spaces in a row, or marks that
            stand on nothing or in a heap.
    """
    if "  " in text:
        raise AccountError("invisible")
    if text.isascii() and text.isprintable():
        return
    if not all(map(is_shown, text)):
        raise AccountError("invisible")
    room = 0
    for character in text:
        if not _is_in(ord(character), _TABLE["marks"]):
            room = _MAX_MARKS if character != " " else 0
        elif room == 0:
            raise AccountError("marks")
        else:
            room -= 1


def is_shown(character: str) -> bool:
    """Tell whether a name may hold a character: one that shows, as itself, where it stands."""
    return not any(_is_in(ord(character), _TABLE[name]) for name in ("ids", "names"))


def escape(text: str) -> str:
    """Escape what could move the cursor or the reader's eye, or shows as nothing."""
    return "".join(
        character if character.isprintable() and is_shown(character) else ascii(character)[1:-1]
        for character in text
    )


def refused_points() -> dict[str, list[int]]:
    """Return what no id may hold, what a name may not hold beside that, and what marks there are.

    Each is a list of the first and the last code point of every range, ascending.
    """
    return {name: _TABLE[name] for name in ("ids", "marks", "names")}


def _canonical(text: str, id_type: IdType, max_bytes: int) -> str:
    """Steps 1 to 5."""
    canonical = text.strip(_TRIMMED)
    if id_type == "phone":
        canonical = canonical.replace(" ", "").replace("-", "")
    if not canonical:
        raise AccountError("empty")
    _check_code_points(canonical)
    if len(canonical) > _MAX_EXPANSION * max_bytes:
        raise AccountError("too-long")
    canonical = _nfc(canonical)
    if id_type == "email":
        canonical = _nfc(canonical.translate(_LOWER))
    if len(canonical.encode()) > max_bytes:
        raise AccountError("too-long")
    return canonical


def _nfc(text: str) -> str:
    normalized: str = unicodedata.normalize("NFC", text)
    return normalized


def _check_code_points(text: str) -> None:
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if _is_in(ord(character), _TABLE["ids"]):
            category = unicodedata.category(character)
            raise AccountError(_CATEGORIES.get(category, "bidi"))


def _is_in(point: int, ranges: list[int]) -> bool:
    """Tell whether a code point is in ranges of first and last, which ascend."""
    at = bisect_left(ranges, point)
    return at % 2 == 1 or (at < len(ranges) and ranges[at] == point)
