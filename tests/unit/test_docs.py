"""The documents: their links lead somewhere, also on GitHub, and their pictures are as drawn."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from api.cli import main as make
from api.http.problems import ServiceCode
from docs.pictures.draw import HERE, PICTURES
from prover.errors import Code as InputCode
from verifier.commands.cli import main as verify
from verifier.errors import Code

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
FILE = re.compile(r"\.(?:csv|js|json|md|msgpack|pem|sig|sqlite|toml)$")
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


@pytest.mark.parametrize("page", PAGES)
def test_no_cell_of_a_table_is_long(page: str) -> None:
    for line in (ROOT / page).read_text().splitlines():
        if line.startswith("|"):
            assert all(len(cell.strip()) <= 200 for cell in line.split("|")), line


@pytest.mark.parametrize("draw", PICTURES, ids=lambda draw: draw.__name__)
def test_pictures_are_as_drawn(draw: type, tmp_path: Path) -> None:
    draw().save(tmp_path / "picture.svg")
    assert (HERE / f"{draw.__name__}.svg").read_bytes() == (tmp_path / "picture.svg").read_bytes()


def test_every_refusal_of_input_is_explained() -> None:
    text = (ROOT / "docs/refused-input.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    codes = [code for code, *_ in rows]
    assert sorted(codes) == sorted(InputCode)
    sources = [path for path in (ROOT / "prover").rglob("*.py") if path.name != "errors.py"]
    source = "".join(path.read_text() for path in sources)
    unused = [code for code in InputCode if not re.search(rf"\bCode\.{code.name}\b", source)]
    assert unused == []


# A command of ours in code, up to the end of its line; an option's name.
COMMAND = re.compile(
    r"(?:^|[`$(&|] ?|ExecStart=)(assay(?:-verify)?) ((?:[^`\n#;&|]|\\\n)+)", re.MULTILINE
)
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]+")
PROGRAMS: dict[str, Callable[[list[str]], object]] = {"assay": make, "assay-verify": verify}


@cache
def options(program: str, *command: str) -> set[str]:
    """The options that a command tells of; none if there is no such command."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        PROGRAMS[program]([*command, "--help"])
    return set(OPTION.findall(re.sub(r"[\[,]", " ", said.getvalue())))


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_pages_give_them(page: str) -> None:
    for program, rest in COMMAND.findall((ROOT / page).read_text()):
        words = rest.replace("\\\n", " ").split()
        given = set(OPTION.findall(" ".join(words)))
        if words[0].startswith("-"):
            continue
        known = options(program, *words[:2]) or options(program, words[0])
        assert given <= known, f"{program} {rest}"


@pytest.mark.parametrize("page", PAGES)
def test_codes_exist(page: str) -> None:
    known = {*Code, *ServiceCode}
    families = "|".join({code.partition(".")[0] for code in known})
    named = re.findall(rf"`((?:{families})\.[a-z-]+)`", (ROOT / page).read_text())
    assert {code for code in named if not FILE.search(code)} <= known
