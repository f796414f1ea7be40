"""What a figure was measured on: machine, kernel, commit, command, date."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import native

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benches" / "results"

# Told whether to be quick; returns figures by name.
Measure = Callable[[bool], dict[str, float]]


def processor() -> str:
    """The processor's name and the number of cores, as the system tells them."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def commit() -> str:
    """The commit that is checked out, with a mark when files differ from it."""

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return run.stdout.strip() if run.returncode == 0 else ""

    revision = git("rev-parse", "HEAD")
    if not revision:
        return "unknown"
    return revision + ("-modified" if git("status", "--porcelain", "--untracked-files=no") else "")


def describe(command: str) -> dict[str, str]:
    """The fields that every result file opens with."""
    asked = os.environ.get("ASSAY_KERNEL")
    return {
        "machine": processor(),
        "kernel": native.kernel_name(),
        "commit": commit(),
        "command": f"ASSAY_KERNEL={asked} {command}" if asked else command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def run(module: str, target: str, about: str | None, measured: Measure) -> None:
    """Run a command of the benchmarks: print and keep what ``measured`` returns.

    With ``--quick`` it is told to measure little, and nothing is kept.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--quick", action="store_true", help="a small exchange; keep nothing")
    quick = parser.parse_args().quick
    described = describe(target)
    for name, text in described.items():
        print(f"{name:24} {text}")
    figures = measured(quick)
    if not quick:
        keep(latest(), described, {"figures": figures})


def latest() -> str:
    """The file of this kernel's figures; the portable kernel, asked for, has its own."""
    return "latest-portable.json" if os.environ.get("ASSAY_KERNEL") == "portable" else "latest.json"


def keep(file: str, head: dict[str, Any], added: dict[str, dict[str, Any]]) -> None:
    """Merge results into a file: the head is replaced, and of the parts added what they name."""
    path = RESULTS / file
    path.parent.mkdir(exist_ok=True)
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept |= head
    for name, value in added.items():
        kept[name] = {**kept.get(name, {}), **value}
    path.write_text(json.dumps(kept, indent=2) + "\n")
