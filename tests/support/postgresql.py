"""A private PostgreSQL server on a Unix socket, which can be stopped, hung and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest


def tool(name: str) -> str:
    """Return the path of a PostgreSQL program, or skip; Debian keeps them out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        pytest.skip(f"PostgreSQL: it is not installed, no {name}")
    return found


class PostgresServer:
    """A server, which runs; its files are in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        # PostgreSQL refuses to run as root; its package brings a user for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        words = ("-U", "assay", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._run(tool("initdb"), "-D", str(self._data), *words)
        self.start()

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of a database of it."""
        return f"postgresql+psycopg://assay@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        self._control("-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._control("-m", "immediate", "stop")

    def hang(self) -> None:
        """Let it answer nothing more, and keep all connections."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """End that."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        first = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        for process in (first, *first.children(recursive=True)):
            process.send_signal(number)

    def _control(self, *words: str) -> None:
        self._run(tool("pg_ctl"), "-D", str(self._data), "-w", *words)

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, user=self._user, cwd=self._folder, check=True, stdout=subprocess.DEVNULL
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server for as long as the body does."""
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))  # a socket's path has 107 bytes at most
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
