"""Code that meets private keys depends on them in no branch and no address: valgrind is the judge.

constant_time.c is built with the core's own sources and flags, and run with its secrets marked
undefined. Needs a C compiler and valgrind with its headers (Debian: ``valgrind``).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.core_program import build

FLAGS = ["-DASSAY_CHECK_TIME", '-DASSAY_VERSION="check"']
FOUND = 9


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the checks with the portable kernel: valgrind knows no AVX-512."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("valgrind") is None:
        pytest.skip("constant time of what meets private keys: no C compiler or no valgrind")
    folder = tmp_path_factory.mktemp("constant_time")
    return build(compiler, Path(__file__).with_name("constant_time.c"), folder, FLAGS)


def run(program: Path, *checks: str) -> subprocess.CompletedProcess[str]:
    """Run checks under valgrind; without any, all that must hold."""
    return subprocess.run(
        ["valgrind", "-q", f"--error-exitcode={FOUND}", program, *checks],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "ASSAY_KERNEL": "portable"},
    )


def test_nothing_depends_on_a_secret(program: Path) -> None:
    """Hashes, scalars, multiples of the base point, and the proof of hidden keys as a whole."""
    result = run(program)
    assert result.returncode == 0, result.stderr


def test_a_leak_is_found(program: Path) -> None:
    """Variable-time code under the same marks fails: the judge is awake."""
    result = run(program, "leak")
    assert result.returncode == FOUND, result.stderr
    assert "affine_mul_var" in result.stderr
