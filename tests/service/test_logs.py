"""What a worker tells while everything fails: lines of JSON, and nothing of what it works on."""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.log import JsonLines
from tests.support.postgresql import postgres_server
from tests.support.served_exchange import SECRET_NUMBER, Exchange, make_exchange
from tests.support.service import BIN, running
from tests.support.service_http import ALL, Operator, plain_environment, settings, token

ACCOUNTS = 20_000


def check_lines(log: Path, *secrets: str) -> list[dict[str, Any]]:
    """Check that a log is JSON, line by line, and tells nothing; return it."""
    text = log.read_text()
    told = ("Traceback", "holder", str(SECRET_NUMBER), "socket", "Errno", "assay_op_")
    for secret in (*told, *secrets):
        assert secret not in text
    return [json.loads(line) for line in text.splitlines()]


@contextlib.contextmanager
def worker(
    folder: Path, log: Path, file_bytes: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker, which can write files of so many bytes at most."""

    def bound() -> None:
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    command = [str(BIN / "assay"), "worker", "--settings", str(folder / "settings.toml")]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stderr=stream, env=plain_environment(), preexec_fn=bound
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Operator, Exchange]]:
    """Return an operator who started a snapshot of a service without a worker."""
    exchange = make_exchange(tmp_path / "exchange", ACCOUNTS)
    folder = tmp_path / "service"
    folder.mkdir()
    with running(folder, settings(exchange), "--no-worker") as service:
        operator = Operator(service, token(folder, *ALL))
        operator.draft(exchange)
        assert operator("POST", "/one/start")[0] == 202
        yield operator, exchange


@pytest.mark.parametrize(
    "file_bytes",
    [250_000, *(pytest.param(size, marks=pytest.mark.long) for size in (0, 4096, 1_000_000))],
)
def test_a_worker_on_a_full_disk(
    started: tuple[Operator, Exchange], tmp_path: Path, file_bytes: int
) -> None:
    operator, exchange = started
    folder, log = operator.service.folder, tmp_path / "log"
    with worker(folder, log, file_bytes) as process:
        end = time.monotonic() + 60
        while process.poll() is None and operator("GET", "/one")[1]["state"] != "failed":
            assert time.monotonic() < end
            time.sleep(0.05)
    check_lines(log, str(exchange.owed))
    found = operator("GET", "/one")[1]
    if found["state"] == "failed":
        assert "File too large" in found["detail"]
        assert operator("POST", "/one/resume")[0] == 202
    with worker(folder, log):
        assert operator.rest()["state"] == "proven"
    assert check_lines(log, str(exchange.owed))


def test_a_worker_whose_database_goes(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path / "exchange", ACCOUNTS)
    folder, log = tmp_path / "service", tmp_path / "log"
    folder.mkdir()
    with postgres_server() as server:
        text = settings(exchange, f'database = "{server.url}"')
        with running(folder, text, "--no-worker") as service:
            operator = Operator(service, token(folder, *ALL, database=server.url))
            operator.draft(exchange)
            assert operator("POST", "/one/start")[0] == 202
            with worker(folder, log) as process:
                while operator("GET", "/one")[1]["state"] == "queued":
                    time.sleep(0.02)
                server.stop()
                assert process.wait(timeout=60) == 1
            with worker(folder, log) as process:
                assert process.wait(timeout=60) == 1
            server.start()
            with worker(folder, log):
                assert operator.rest()["state"] == "proven"
        lines = check_lines(log, "assay-pg-", str(exchange.owed))
        check_lines(service.log, "assay-pg-", str(exchange.owed))
    assert {"no database", "worker failed"} & {line["message"] for line in lines}


def test_libraries_are_told_by_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("at 10.0.0.7 port 5432")
    except ValueError as error:
        record = logging.makeLogRecord(
            {
                "name": "dbos",
                "msg": f"failed: {error}",
                "pathname": "x.py",
                "lineno": 7,
                "more": "5432",
            }
        )
        line = JsonLines().format(record)
    assert "5432" not in line
    told = json.loads(line)
    assert told["said"] == ["x.py:7 None"]
    assert told["error"] == "ValueError"
    assert "test_libraries_are_told_by_their_places" in told["raised"][0]


def test_whatever_ends_a_process_is_a_line(tmp_path: Path) -> None:
    script = """
        import sys, threading, warnings
        from api.log import configure_logging
        configure_logging("INFO")

        class Bad:
            def __del__(self):
                raise ValueError("secret of an object")

        def fail():
            raise ValueError("secret of a thread")

        Bad()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        warnings.warn("secret of a warning")
        raise ValueError("secret of the end")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "secret" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line.get("error") for line in lines] == ["ValueError", "ValueError", None, "ValueError"]


def test_a_line_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    script = """
        import resource
        from api.log import LOG, configure_logging
        configure_logging("INFO")

        def bound(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        LOG.info("first")
        bound(150)
        LOG.info("second")
        LOG.info("third")
        bound(resource.RLIM_INFINITY)
        LOG.info("fourth")
    """
    log = tmp_path / "log"
    with log.open("wb") as stream:
        command = [sys.executable, "-c", textwrap.dedent(script)]
        subprocess.run(command, stderr=stream, check=True)
    lines = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    assert lines == ["first", "second", "third", "fourth"]
