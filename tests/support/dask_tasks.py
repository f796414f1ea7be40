"""Tasks that workers of tests run: they are imported there."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

from verifier.errors import Code, Rejected

SECRET = "a word that no log may have"


def wait(number: int) -> int:
    time.sleep(3600)
    return number


def nap(number: int) -> int:
    time.sleep(0.2)
    return number


def reject(number: int) -> int:
    if number == 2:
        raise Rejected(Code.PAGE_BAD_HEADER, "here", "it is not as computed")
    return number


def break_down(number: int) -> int:
    raise ValueError(SECRET)


class FailAtFirst(NamedTuple):
    """Fails so many times, as the system would; each try leaves a file in ``folder``."""

    folder: str
    times: int

    def __call__(self, number: int) -> int:
        tries = len(list(Path(self.folder).iterdir()))
        (Path(self.folder) / str(tries)).touch()
        if tries < self.times:
            raise OSError(5, SECRET)
        return tries


def has_loaded(module: str) -> bool:
    return module in sys.modules
