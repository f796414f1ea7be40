"""Tags and labels: two tables in the code, one in the specification, and nothing beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verifier.format import tags

ROOT = Path(__file__).parents[4]
SPECIFICATION = (ROOT / "spec" / "transcript.md").read_text("utf-8")
CORE = sorted((ROOT / "native" / "src").rglob("*.[ch]"))
TABLE = ROOT / "native" / "src" / "hash" / "tags.h"
PYTHON = [path for name in ("verifier", "prover") for path in (ROOT / name).rglob("*.py")]


def section(start: str, end: str) -> str:
    return SPECIFICATION.split(start)[1].split(end)[0]


def defined(prefix: str) -> set[str]:
    text = TABLE.read_text("utf-8")
    return set(re.findall(rf'^#define {prefix}_[A-Z_]+ "(?:assay/v1/)?([a-z-]+)"$', text, re.M))


def test_the_tags_are_those_of_the_specification() -> None:
    purposes = set(re.findall(r"^\| `([a-z-]+)` \|", section("### 1.1", "## 2."), re.M))
    assert purposes == tags.TAGS
    assert defined("TAG") <= purposes


def test_the_labels_are_those_of_the_specification() -> None:
    """A step of a table absorbs under the first, and draws challenges under those that follow."""
    steps = re.findall(r"^\| [0-9][^|]*\| (`[a-z]+` \|.*)", SPECIFICATION, re.M)
    steps += re.findall(r"^\| (`[a-z]+` \|.*)", section("### 5.5", "### 5.6"), re.M)
    absorbed = {step.split("|")[0].strip().strip("`") for step in steps}
    drawn = {label for step in steps for label in re.findall(r"`([a-z]+)`", step)} - absorbed
    ours = {label.decode() for label in (tags.ARGUMENT, tags.CONTEXT, tags.ASSET, tags.STATEMENT)}
    challenges = {"tau", "sigma", "kappa", "omega", "rho", "x", "e", "c"}
    assert ours | defined("LABEL") == absorbed | challenges
    assert challenges <= drawn


def test_every_tag_is_used() -> None:
    """The core's and Python's together are all of them."""
    python = "\n".join(path.read_text("utf-8") for path in PYTHON)
    core = "\n".join(path.read_text("utf-8") for path in CORE if path != TABLE)
    for purpose in tags.TAGS:
        macro = f"TAG_{purpose.upper().replace('-', '_')}"
        assert f'"{purpose}"' in python or re.search(rf"\b{macro}\b", core), purpose


def test_no_other_file_has_one() -> None:
    for path in CORE:
        if path != TABLE:
            text = path.read_text("utf-8")
            assert '"assay/v1/' not in text, path
            assert not re.search(r'transcript_(absorb|challenge)[a-z_]*\([^;]*"', text), path
    for path in PYTHON:
        if path.name != "tags.py":
            assert not re.search(r'b?"assay/v1/', path.read_text("utf-8")), path


def test_an_unknown_purpose_is_none() -> None:
    with pytest.raises(ValueError, match="no purpose"):
        tags.tag("generators")
