"""The commands of the README, the quick starts and the guide to balance sheets do what they say.

Of every block marked `console` the lines that begin with `$` are run by a shell, for all pages in
one folder beside the checkout, in the order in which they are read. What stands below a command
must be in its output, line by line in that order; `…` is any text. A command ends with 0, unless a
comment before its block names another code. One that ends in `&` is a server: it runs to the end of
the test, and the next command waits until its port answers. Python runs too. TOML or JSON after a
comment that names a file is written to it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    "../README.md",
    "quickstart-exchange.md",
    "quickstart-customer.md",
    "quickstart-auditor.md",
    "balance-sheet.md",
)
BLOCK = re.compile(
    r"(?:<!-- (exits|file) (\S+) -->\n+)?^```(console|python|toml|json)\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PORTS = re.compile("80[08]0")  # of the pages; another process may have them
WAIT = 60  # seconds, for a command or for a server's port


class Shell:
    """Runs commands in one folder, where `assay` and `assay-verify` are those under test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._ports: dict[str, str] = {}

    def free_port(self, port: str) -> str:
        """Return a port that is free, always the same for one port of the pages."""
        if port not in self._ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._ports[port] = str(probe.getsockname()[1])
        return self._ports[port]

    def run(self, line: str) -> tuple[int, str]:
        """Return exit code and output of a command."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT,
        )
        return done.returncode, done.stdout

    def serve(self, line: str, port: int) -> None:
        """Start a server, and wait until its port answers."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
        )
        self._servers.append(process)
        for _ in range(WAIT * 10):
            assert process.poll() is None, f"$ {line}\nended with {process.returncode}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"$ {line}\ndoes not listen")

    def close(self) -> None:
        """End the servers, and what they started."""
        for process in self._servers:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    for program in ("curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"commands of the quick starts: no {program} on this machine")
    (tmp_path / "assay").symlink_to(DOCS.parent)
    (tmp_path / "assay-try").mkdir()
    running = Shell(tmp_path / "assay-try")
    yield running
    running.close()


def test_quick_starts(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "assay-try"
    for page in PAGES:
        text = PORTS.sub(lambda found: shell.free_port(found[0]), (DOCS / page).read_text())
        blocks = BLOCK.findall(text)
        assert any(language == "console" for _, _, language, _ in blocks), page
        for mark, value, language, block in blocks:
            if language == "console":
                run_block(shell, block, int(value) if mark == "exits" else 0)
            elif language == "python":
                (folder / "example.py").write_text(block)
                run_block(shell, "$ python example.py\n", 0)
            elif mark == "file":
                (folder / value).write_text(block)


def run_block(shell: Shell, block: str, code: int) -> None:
    """Run the commands of a block, and compare what they say with what stands below each."""
    for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, *shown = command.replace("\\\n", "").splitlines()
        if line.endswith(" &"):
            (port,) = re.findall(r"--port (\d+)", line)
            shell.serve(line.removesuffix(" &"), int(port))
            continue
        ended, said = shell.run(line)
        assert ended == code, f"$ {line}\nended with {ended}:\n{said}"
        at = 0
        for expected in shown:
            words = map(re.escape, expected.split("…"))
            found = re.compile("^" + ".*".join(words) + "$", re.MULTILINE).search(said, at)
            assert found, f"$ {line}\ndoes not say\n{expected}\nbut\n{said}"
            at = found.end()
