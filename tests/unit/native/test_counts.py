"""How much the core does for a leaf, by counts that no clock is in: compared with counts.json.

A change that makes the core do more, or less, shows here on every machine; where it is meant to,
``python -m tests.unit.native.test_counts`` writes the counts anew. Needs a C compiler.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

import native
from tests.support.core_program import build

KEPT = Path(__file__).with_name("counts.json")
PROGRAM = Path(__file__).with_name("count.c")
WRAPPED = ("kernel", "sha256_blocks", "sha256_pair")
KERNELS = ("portable", "avx512ifma")

Counts = dict[str, dict[str, int]]


def counted(kernel: str, compiler: str, folder: Path) -> Counts:
    """What is done for four pages of 4,096 leaves, and for three parts of a customer."""
    flags = ["-DASSAY_COUNTING", '-DASSAY_VERSION="count"']
    link = [f"-Wl,--wrap={name}" for name in WRAPPED]
    made = build(compiler, PROGRAM, folder, flags, link=link, lanes=kernel != "portable")
    environment = os.environ | {"ASSAY_KERNEL": kernel}
    run = subprocess.run([made], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    counts: Counts = json.loads(run.stdout)
    return counts


@pytest.mark.parametrize("kernel", KERNELS)
def test_counts_are_those_that_were_kept(kernel: str, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("counts of the core's work: no C compiler")
    if kernel != "portable" and native.kernel_name() != kernel:
        pytest.skip(f"cpu feature: the kernel {kernel} is not in use")
    kept: dict[str, Any] = json.loads(KEPT.read_text())
    assert counted(kernel, compiler, tmp_path) == kept[kernel]


def main() -> None:
    """Write the counts of the kernels that this machine can run."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("no C compiler")
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for kernel in sorted({"portable", native.kernel_name()}):
        with tempfile.TemporaryDirectory() as folder:
            kept[kernel] = counted(kernel, compiler, Path(folder))
    KEPT.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
