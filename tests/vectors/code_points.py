"""Makes the table of code points that no account id, and that no name, may hold; and of marks.

`spec/protocol.md` 1.1 says which they are, by properties of Unicode 15.0. General categories are
those of unicodedata2, which carries that version. The two properties that it lacks are written
here, as DerivedCoreProperties.txt and PropList.txt of 15.0 have them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

if sys.version_info[:2] == (3, 12):
    import unicodedata
else:
    import unicodedata2 as unicodedata

ROOT = Path(__file__).parents[2]
# The specification's, and the verifier's own copy, which is installed with it.
FILES = (ROOT / "spec" / "code-points.json", ROOT / "verifier" / "format" / "code_points.json")

BIDI_CONTROL = {0x61C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
# Default_Ignorable_Code_Point, but for what is of category Cf or Cn.
DEFAULT_IGNORABLE = {
    0x34F,
    *range(0x115F, 0x1161),
    *range(0x17B4, 0x17B6),
    *range(0x180B, 0x1810),
    0x3164,
    *range(0xFE00, 0xFE10),
    0xFFA0,
    *range(0xE0100, 0xE01F0),
}
# Symbols that show as a space or as nothing: Braille's blank, the blanks of hieroglyphs, the null
# notehead of music, the filler of Khitan, and the place of an object that is not there.
BLANKS = {0x2800, 0xFFFC, 0x13441, 0x13442, 0x16FE4, 0x1D159}


def nfc(text: str) -> str:
    return str(unicodedata.normalize("NFC", text))


def in_no_id(point: int) -> bool:
    return unicodedata.category(chr(point)) in ("Cc", "Cn", "Cs") or point in BIDI_CONTROL


def in_no_name(point: int) -> bool:
    """What a name may not hold beside what no id may hold."""
    if in_no_id(point):
        return False
    if point in DEFAULT_IGNORABLE or point in BLANKS:
        return True
    is_space = unicodedata.category(chr(point)) in ("Zs", "Zl", "Zp")
    return unicodedata.category(chr(point)) in ("Cf", "Co") or (is_space and point != ord(" "))


def is_mark(point: int) -> bool:
    """Whether a code point stands on the one before it, and takes no room by itself."""
    return unicodedata.category(chr(point)) in ("Mn", "Me")


def ranges(is_in: Callable[[int], bool]) -> list[int]:
    """First and last of every range of code points, ascending."""
    found: list[int] = []
    for point in filter(is_in, range(sys.maxunicode + 1)):
        if found and found[-1] == point - 1:
            found[-1] = point
        else:
            found += [point, point]
    return found


def table() -> str:
    if unicodedata.unidata_version != "15.0.0":
        raise ValueError("the table is that of Unicode 15.0.0")
    lists = {
        "ids": ranges(in_no_id),
        "marks": ranges(is_mark),
        "names": ranges(in_no_name),
        "unicode": "15.0.0",
    }
    return json.dumps(lists, separators=(",", ":")) + "\n"


def write() -> None:
    for path in FILES:
        path.write_text(table(), "ascii")
