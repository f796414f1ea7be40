"""Starts a fuzzer: seeds into its corpus folder under build/fuzz, then the loop of libFuzzer.

A target takes bytes and raises where something is wrong: a crash is any exception that the checked
function does not document, a verdict in which the two verifiers differ, or a false acceptance.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from types import FunctionType

import atheris

ROOT = Path(__file__).parents[2]
INSTRUMENTED = {"native", "prover", "spec", "verifier"}


def run(target: Callable[[bytes], None], seeds: Iterable[bytes], longest: int = 1 << 16) -> None:
    """Fuzz a target until libFuzzer's arguments, those of the command line, say stop."""
    folder = ROOT / "build" / "fuzz" / Path(sys.argv[0]).stem
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / sha256(seed).hexdigest()).write_bytes(seed)
    # What an editable install has loaded, an import hook would not see.
    for item in gc.get_objects():
        if isinstance(item, FunctionType) and (item.__module__ or "").split(".")[0] in INSTRUMENTED:
            atheris.instrument_func(item)
    atheris.Setup([*sys.argv, f"-max_len={longest}", str(folder)], target)
    atheris.Fuzz()
