"""Canonical account ids and exchange names (protocol.md 1.1)."""

from __future__ import annotations

import re
import sys

# Python 3.12 alone carries the table of Unicode 15.0.
if sys.version_info[:2] == (3, 12):
    import unicodedata
else:
    import unicodedata2 as unicodedata

ID_TYPES = ("email", "phone", "opaque")


def canonical(id_type: str, text: str, limit: int = 128) -> str:
    """The canonical form of a text, of at most `limit` bytes; ValueError where it has none."""
    text = text.strip(" \t\r\n")
    if id_type == "phone":
        text = text.replace(" ", "").replace("-", "")
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cn", "Cs"):
            raise ValueError("a control, unassigned or surrogate code point")
    text = unicodedata.normalize("NFC", text)
    if id_type == "email":
        text = re.sub("[A-Z]", lambda match: match[0].lower(), text)
        text = unicodedata.normalize("NFC", text)  # h composes with marks that H does not
        if not re.fullmatch("[^@]+@[^@]+", text):
            raise ValueError("not one @ with text on both sides")
        if any(unicodedata.category(character) in ("Zs", "Zl", "Zp") for character in text):
            raise ValueError("white space")
    elif id_type == "phone" and not re.fullmatch("[+][0-9]{7,15}", text):
        raise ValueError("not + and 7 to 15 digits")
    if not 1 <= len(text.encode()) <= limit:
        raise ValueError("empty or too long")
    return text
