"""What a figure was measured on: machine, kernel, commit, command."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import native

ROOT = Path(__file__).resolve().parent.parent


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
    return {
        "machine": processor(),
        "kernel": native.kernel_name(),
        "commit": commit(),
        "command": command,
    }
