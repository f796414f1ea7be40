"""Code that meets private keys depends on them in no branch and no address: valgrind is the judge.

constant_time.c is built with the core's own sources and flags, and run with its secrets marked
undefined. Needs a C compiler and valgrind with its headers (Debian: ``valgrind``).
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "native" / "src"
FLAGS = ["-std=gnu11", "-O3", "-g", "-fPIC", "-DASSAY_CHECK_TIME", '-DASSAY_VERSION="check"']
INCLUDES = [f"-I{ROOT / 'native' / 'include'}", f"-I{SOURCES}"]
FOUND = 9


def flags_of(source: Path) -> list[str]:
    """The flags of one file, as in CMakeLists.txt."""
    if source.stem.endswith("_shani") and platform.machine() in {"x86_64", "AMD64"}:
        return ["-msha", "-msse4.1", "-mssse3"]
    if source.name == "scalar.c":
        return ["-fno-tree-vectorize"]
    return []


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the checks with the portable kernel: valgrind knows no AVX-512."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("valgrind") is None:
        pytest.skip("constant time of what meets private keys: no C compiler or no valgrind")
    folder = tmp_path_factory.mktemp("constant_time")
    sources = [
        path for path in SOURCES.rglob("*.c") if path.parent.name not in ("avx512ifma", "testing")
    ]
    sources.append(Path(__file__).with_name("constant_time.c"))

    def build(source: Path) -> str:
        built = str(folder / f"{source.parent.name}-{source.stem}.o")
        command = [compiler, *FLAGS, *flags_of(source), *INCLUDES, "-c", str(source), "-o", built]
        subprocess.run(command, check=True)
        return built

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(build, sources))
    made = folder / "constant_time"
    subprocess.run([compiler, *objects, "-o", made], check=True)
    return made


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
