"""The commands of docs/cluster.md, in one shell, as an operator runs them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dask_cluster import ROOT

PAGE = ROOT / "docs" / "cluster.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 300


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def steps() -> tuple[list[str], list[str]]:
    """Return the commands of the page, and what they have to say."""
    commands: list[str] = []
    shown: list[str] = []
    for block in BLOCK.findall(PAGE.read_text()):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *expected = command.replace("\\\n", "").splitlines()
            commands.append(line)
            shown += expected
    return commands, shown


def test_the_page_leads_to_the_same_bytes(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("commands of docs/cluster.md: no openssl on this machine")
    commands, shown = steps()
    assert len(commands) > 20
    script = "\n".join(["set -e", *commands]).replace("8786", free_port())
    script = script.replace("200000", "60000")
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        finally:
            if process.poll() is None or code:
                os.killpg(process.pid, signal.SIGKILL)
    text = (tmp_path / "said").read_text()
    assert code == 0, text
    at = 0
    for expected in shown:
        words = map(re.escape, expected.replace("200000", "60000").split("…"))
        found = re.compile("^" + ".*".join(words) + "$", re.MULTILINE).search(text, at)
        assert found, f"{expected}\nis not in\n{text[at:]}"
        at = found.end()


def test_no_key_is_for_others(tmp_path: Path) -> None:
    lines = [line for line in steps()[0] if line.startswith(("umask", "mkdir tls", "openssl"))]
    subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=tmp_path, check=True, capture_output=True)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "tls").iterdir()} == {0}
