"""Code that meets private keys depends on them in no branch and no address: valgrind is the judge.

constant_time.c is built with the core's own sources and flags, and run with its secrets marked
undefined. Needs a C compiler and valgrind with its headers (Debian: ``valgrind``).

Valgrind knows no AVX-512. What the kernel of that name does with secrets is built for it with
``emulated/immintrin.h``, and two more tests speak for the code that the processor runs: emulation
and processor agree, and no instruction of it moves a lane or a mask to where a branch or an address
could depend on it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import native
from tests.support.core_program import AVX512IFMA, CONSTANT_TIME, EMULATED, INCLUDES, IS_X86, build

FLAGS = ["-DASSAY_CHECK_TIME", '-DASSAY_VERSION="check"']
FOUND = 9
LEAKS = {"leak": "affine_mul_var", "leak-of-lanes": "check_leak_of_lanes"}

# To general registers, to flags, to addresses; and what takes a time of its own.
READS_LANES = re.compile(
    r"""
    \s kmov\w* \s+ %k\d,%[er]\w+ | \s k(or)?test | \s v?p?test(p[sd])? \s+ %[xyz]mm | \s vu?comis
    | \s v?mov[dq]\w* \s+ %[xyz]mm\d+,%[er]\w+ | \s v?pextr | \s vp?movmsk | \s vcvt\w+2u?si
    | \s vp?gather | \s vp?scatter | \s vp?compress | \s i?div
    """,
    re.VERBOSE,
)


def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        pytest.skip("constant time of what meets private keys: no C compiler")
    return found


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the checks with the portable kernel, and emulated lanes."""
    cc = compiler()
    if shutil.which("valgrind") is None:
        pytest.skip("constant time of what meets private keys: no valgrind")
    folder, checks = tmp_path_factory.mktemp("checks"), Path(__file__).with_name("constant_time.c")
    return build(cc, checks, folder, FLAGS, emulated=True)


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
    """Hashes, scalars, multiples of known points, and the proof of hidden keys as a whole."""
    result = run(program)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(program: Path, leak: str) -> None:
    """Variable-time code under the same marks fails, and so does a branch on lanes: the judge is
    awake.
    """
    result = run(program, leak)
    assert result.returncode == FOUND, result.stderr
    assert LEAKS[leak] in result.stderr


def test_the_emulation_is_what_the_processor_does(tmp_path: Path) -> None:
    """Instruction by instruction. That sums in lanes are those of the portable code, the checks
    above say of emulated lanes, and tests/native/test_commit.py of the processor's.
    """
    cc, program = compiler(), Path(__file__).with_name("emulated.c")
    if native.kernel_name() != "avx512ifma":
        pytest.skip("cpu feature: the kernel avx512ifma is not in use")
    printed = []
    for name, flags in (("lanes", AVX512IFMA), ("emulated", EMULATED)):
        made = tmp_path / name
        subprocess.run([cc, "-std=gnu11", "-O2", *flags, program, "-o", made], check=True)
        printed.append(subprocess.check_output([made]))
    assert printed[0] == printed[1]
    assert printed[0].count(b"\n") > 10_000


@pytest.mark.parametrize("source", CONSTANT_TIME, ids=lambda path: path.stem)
def test_lanes_reach_no_branch_and_no_address(source: Path, tmp_path: Path) -> None:
    """By what the compiler made of it: registers of vectors and masks are read by vectors alone."""
    cc = compiler()
    if not IS_X86 or shutil.which("objdump") is None:
        pytest.skip("what the compiler makes of lanes: no x86-64, or no objdump")
    made = tmp_path / "made.o"
    subprocess.run(
        [cc, "-std=gnu11", "-O3", "-fPIC", *AVX512IFMA, *INCLUDES, "-c", source, "-o", made],
        check=True,
    )
    listing = subprocess.check_output(["objdump", "-d", str(made)], text=True)
    assert "%zmm" in listing
    assert [line for line in listing.splitlines() if READS_LANES.search(line)] == []
