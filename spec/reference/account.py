"""Canonical account ids and exchange names (protocol.md 1.1)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

# Python 3.12 alone carries the table of Unicode 15.0.
if sys.version_info[:2] == (3, 12):
    import unicodedata
else:
    import unicodedata2 as unicodedata

ID_TYPES = ("email", "phone", "opaque")
TABLE = json.loads((Path(__file__).parents[1] / "code-points.json").read_text("ascii"))


def holds(text: str, ranges: list[int]) -> bool:
    """Whether a text has a code point of ranges, given by first and last of each."""
    pairs = list(zip(ranges[::2], ranges[1::2], strict=True))
    return any(first <= ord(letter) <= last for letter in text for first, last in pairs)


def canonical_name(text: str, limit: int = 64) -> str:
    """The canonical form of a name, of an exchange's by default; ValueError where it has none."""
    text = canonical("opaque", text, limit)
    if "  " in text or holds(text, TABLE["names"]):
        raise ValueError("what no eye sees")
    marks = [holds(letter, TABLE["marks"]) for letter in text]
    alone = any(mark and (f" {text}")[at] == " " for at, mark in enumerate(marks))
    if alone or any(all(marks[at : at + 5]) for at in range(len(marks) - 4)):
        raise ValueError("marks on nothing, or in a heap")
    return text


def canonical(id_type: str, text: str, limit: int = 128) -> str:
    """The canonical form of a text, of at most `limit` bytes; ValueError where it has none."""
    text = text.strip(" \t\r\n")
    if id_type == "phone":
        text = text.replace(" ", "").replace("-", "")
    if len(text) > 4 * limit:  # no code point has more than four in its decomposition
        raise ValueError("too long")
    if holds(text, TABLE["ids"]):
        raise ValueError("a control, unassigned, surrogate or bidirectional code point")
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
