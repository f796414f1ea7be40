"""The core leaves no word of a secret on its stack or in its scratch: it is looked for there.

residue.c is built with the core's own sources and flags and says what it finds. Needs a C compiler.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.core_program import build

FLAGS = ["-D_GNU_SOURCE", '-DASSAY_VERSION="check"']
CHECKS = ("hashes", "accounts", "leaves", "openings", "sums")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the checks with the portable kernel."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("what the core leaves of secrets: no C compiler")
    checks = Path(__file__).with_name("residue.c")
    return build(cc, checks, tmp_path_factory.mktemp("residue"), FLAGS)


def run(program: Path, check: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, check],
        capture_output=True,
        text=True,
        check=False,
        env={"ASSAY_KERNEL": "portable"},
    )


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_left_of_a_secret(program: Path, check: str) -> None:
    """Of keys, balances, amounts, blinding factors and masks, whether a call succeeds or fails."""
    result = run(program, check)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_is_left_is_found(program: Path) -> None:
    assert "a copy" in run(program, "leak").stdout
