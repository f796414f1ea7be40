"""The list of codes is closed, and the specification's."""

from __future__ import annotations

import re
from pathlib import Path

from verifier.errors import Code

ERRORS = Path(__file__).parents[2] / "spec" / "errors.md"
FAMILIES = "bundle|manifest|evidence|hidden|proof|chain|argument|page|package|inclusion|check|web"


def test_codes_are_those_of_the_specification():
    rows = [line for line in ERRORS.read_text().splitlines() if line.startswith("|")]
    named = set(re.findall(rf"`((?:{FAMILIES})\.[a-z-]+)`", "\n".join(rows)))
    # files, and not codes
    named -= {"manifest.msgpack", "manifest.sig"}
    listed = set(re.findall(rf"`((?:{FAMILIES})\.[a-z-]+)`", ERRORS.read_text()))
    assert {code.value for code in Code} == named | (listed & set(Code))
    assert named <= set(Code)
