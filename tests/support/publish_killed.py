"""Publishers that are killed, each in a process of its own: at the first, the second, … file step.

A script without other threads, so that it may fork: ``BUNDLE BEGUN ROOT [STEP…]``. It publishes
BUNDLE into copies ``ROOT/STEP`` of the published folder BEGUN, until a publisher comes to its end;
or, where steps are given, again and again into one copy, ROOT.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from prover.publish.publish import publish

STEPS = frozenset({"os.rename", "os.mkdir", "os.remove"})


def is_killed(bundle: Path, root: Path, steps: int) -> bool:
    """Publish in a child that is killed when it begins a step; tell whether that came to pass."""
    child = os.fork()
    if child == 0:
        left = steps

        def hook(event: str, values: tuple[Any, ...]) -> None:
            nonlocal left
            if event in STEPS or (event == "open" and values[2] & os.O_CREAT):
                left -= 1
                if left:
                    return
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        publish(bundle, root.as_uri())
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        sys.exit(f"step {steps}: {code}")
    return code != 0


def main(bundle: Path, begun: Path, root: Path, steps: list[int]) -> None:
    """Kill publishers."""
    if steps:
        shutil.copytree(begun, root)
        for step in steps:
            is_killed(bundle, root, step)
        return
    for step in count(1):
        shutil.copytree(begun, root / str(step))
        if not is_killed(bundle, root / str(step), step):
            return


if __name__ == "__main__":
    given, published, copies = map(Path, sys.argv[1:4])
    main(given, published, copies, list(map(int, sys.argv[4:])))
