"""Which names a reader may take for one another: a hint beside what strangers hand in.

A name's skeleton, in the sense of UTS 39 (section 4), is what is left of it for the eye: without
compatibility forms, case, marks, spaces, punctuation and what cannot be seen, and with the Latin
letters that others look like. UTS 39 lists some six thousand such pairs; here are the letters of
Cyrillic, Greek and Armenian, small capitals and letters with a stroke, of which whole names can be
written, and what passes for a letter in digits and pairs. A name that resembles none may deceive
all the same: it is the key that tells exchanges apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# What looks like each letter, capitals among it, as it stands before case is folded.
LOOKS = {
    "a": "аАαΑɑᴀ4",
    "b": "ВвьβΒʙ8",
    "c": "сСϲϹᴄ",
    "d": "ԁԀđĐᴅ",
    "e": "еЕєεΕэᴇ3",
    "f": "ϜϝֆꜰƑƒ",
    "g": "ɡɢցԌ",
    "h": "НнһҺΗհħĦʜ",
    "i": "іІιΙıӏӀɪ1|!",
    "j": "јЈϳᴊ",
    "k": "кКκΚᴋ",
    "l": "łŁʟ",
    "m": "мМΜᴍ",
    "n": "пиИηΝոռɴ",
    "o": "оОοΟօՕσøØᴏ0",
    "p": "рРρΡᴘ",
    "q": "ԛԚզգ",
    "r": "гяЯʀ",
    "s": "ѕЅՏꜱ5",
    "t": "тТτΤŧŦᴛ",
    "u": "υսՍᴜ",
    "v": "ѵѴνᴠ",
    "w": "ѡԝԜωաᴡ",
    "x": "хХχΧ",
    "y": "уУүҮγΥỿʏ",
    "z": "ζΖᴢ",
}
_LETTERS = {ord(look): letter for letter, looks in LOOKS.items() for look in looks}
# Letters of Hangul that are left blank (Default_Ignorable_Code_Point, and yet letters).
_BLANK = dict.fromkeys((0x115F, 0x1160))
# A shorter part of a name says too little.
_LEAST_PART = 4
PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("i", "l"))


@lru_cache(maxsize=1024)
def skeleton(name: str) -> str:
    """Return what is left of a name for the eye; it may be empty."""
    # Compatibility forms first, then letters; folded case may have forms and marks of its own.
    plain = unicodedata.normalize("NFKC", name).translate(_LETTERS).casefold()
    seen = unicodedata.normalize("NFKD", plain).translate(_BLANK)
    found = "".join(char for char in seen if unicodedata.category(char)[0] in "LN")
    for pair, letter in PAIRS:
        found = found.replace(pair, letter)
    return found


def resembled(name: str, others: Iterable[str]) -> str | None:
    """Return the first of ``others`` that a name may be taken for, None if there is none.

    It has the same skeleton, from either end, or one is a part of the other.
    """
    found = skeleton(name)
    for other in others:
        known = skeleton(other)
        if found and found in (known, known[::-1]):
            return other
        short, long = sorted((found, known), key=len)
        if len(short) >= _LEAST_PART and (short in long or short in long[::-1]):
            return other
    return None
