"""Programs in C over the core's own sources, for tests that look at it from inside."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "native" / "src"
INCLUDES = [f"-I{ROOT / 'native' / 'include'}", f"-I{SOURCES}"]
AVX512IFMA = [f"-mavx512{part}" for part in ("f", "bw", "dq", "vl", "ifma")]
# In place of the compiler's header, for valgrind: the vectors of these two files in plain C.
EMULATED = [f"-I{ROOT / 'tests' / 'unit' / 'native' / 'emulated'}"]
CONSTANT_TIME = [
    SOURCES / "kernels" / "avx512ifma" / f"{s}.c" for s in ("complete", "vector_multiple")
]
IS_X86 = platform.machine() in {"x86_64", "AMD64"}


def flags_of(source: Path) -> list[str]:
    """The flags of one file, as in CMakeLists.txt."""
    if source.stem.endswith("_shani") and IS_X86:
        return ["-msha", "-msse4.1", "-mssse3"]
    if source.name == "scalar.c" and source.parent.name == "curve":
        return ["-fno-tree-vectorize"]
    return AVX512IFMA if source.parent.name == "avx512ifma" else []


def build(
    compiler: str,
    program: Path,
    folder: Path,
    flags: Sequence[str],
    *,
    link: Sequence[str] = (),
    lanes: bool = False,
    emulated: bool = False,
) -> Path:
    """Build a program with the portable kernel, or with the one of AVX-512 IFMA beside it.

    Emulated: what of that kernel works in constant time is there too, for any processor, and the
    program can call it.
    """
    left_out = {"testing"} if lanes else {"testing", "avx512ifma"}
    sources = [
        path
        for path in SOURCES.rglob("*.c")
        if path.parent.name not in left_out and path.stem != "testing"
    ]
    sources += CONSTANT_TIME if emulated else []
    common = ["-std=gnu11", "-O3", "-g", "-fPIC", *flags, *INCLUDES]
    common += ["-DASSAY_AVX512IFMA"] if lanes else []

    in_lanes = [*CONSTANT_TIME, program] if emulated else []

    def compiled(source: Path) -> str:
        made = str(folder / f"{source.parent.name}-{source.stem}.o")
        own = EMULATED if source in in_lanes else flags_of(source)
        command = [compiler, *common, *own, "-c", str(source), "-o", made]
        subprocess.run(command, check=True)
        return made

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, [*sources, program]))
    made = folder / program.stem
    subprocess.run([compiler, *objects, *link, "-o", made], check=True)
    return made
