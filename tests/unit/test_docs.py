"""The documents: their links lead somewhere, also on GitHub, and their pictures are as drawn."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from docs.pictures.draw import HERE, PICTURES
from verifier.units import KNOWN_UNITS

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / path).exists()
]
LINK = re.compile(r"""(?:\]\(|src=")([^)\s"]+)[)"]""")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in LINK.findall((ROOT / page).read_text()):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("draw", PICTURES, ids=lambda draw: draw.__name__)
def test_pictures_are_as_drawn(draw: type, tmp_path: Path) -> None:
    draw().save(tmp_path / "picture.svg")
    assert (HERE / f"{draw.__name__}.svg").read_bytes() == (tmp_path / "picture.svg").read_bytes()


def test_the_specification_lists_the_known_units() -> None:
    text = (ROOT / "spec/protocol.md").read_text()
    row = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (?:`(0x\w+)`)? ?\| (\d+) \|$", re.MULTILINE)
    listed = [(code, chain, contract, int(n)) for code, chain, contract, n in row.findall(text)]
    assert sorted(listed) == sorted(KNOWN_UNITS)
