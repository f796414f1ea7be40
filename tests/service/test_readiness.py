"""What `/readyz` says of disk, folder, worker: ready is who can do what it is asked for."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from prover.files.storage import locked
from tests.service.conftest import NewDatabase
from tests.support.service import Service, running
from tests.support.service_http import until, worker


def state(service: Service) -> str:
    """Return what is not ready, or that all is."""
    answer = service.request("/readyz")
    body = json.loads(answer.body)
    if answer.status == 200:
        assert body == {"status": "ready"}
        return "ready"
    assert (answer.status, body["code"]) == (503, "service.unavailable")
    found: str = body["detail"]
    return found


@pytest.mark.parametrize("free_bytes", [2**62, 2**63])
def test_a_disk_with_less_room_than_the_settings_want(tmp_path: Path, free_bytes: int) -> None:
    text = f"[server]\nfree_bytes = {free_bytes}\n"
    with running(tmp_path, text, "--no-worker") as service:
        assert state(service) == "disk"


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with running(tmp_path, "", "--no-worker") as service:
        assert state(service) == "ready"
        aside = (tmp_path / "snapshots").rename(tmp_path / "aside")
        assert state(service) == "folder"
        aside.rename(tmp_path / "snapshots")
        assert state(service) == "ready"
        identity = tmp_path / "snapshots" / "instance.id"
        text = identity.read_text()
        identity.write_text(text.swapcase() if text.swapcase() != text else "0" * 32)
        assert state(service) == "folder"
        (tmp_path / "published").rename(tmp_path / "gone")
        assert state(service) == "folder, published"


def test_a_worker_that_has_not_begun_is_none(new_database: NewDatabase, tmp_path: Path) -> None:
    """It runs, but stands by; and nobody works."""
    url = new_database()
    with ExitStack() as held:
        held.enter_context(locked(tmp_path / "worker.lock", ""))
        with running(tmp_path, f'database = "{url}"\n') as service:
            for _ in range(5):
                assert state(service) == "worker"
            held.close()
            until(lambda: state(service) == "ready")


def test_one_that_stands_by_while_another_works_is_ready(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    with running(tmp_path, f'database = "{new_database()}"\n') as service:
        until(lambda: state(service) == "ready")
        with worker(tmp_path):  # stands by
            (own,) = psutil.Process(service.process.pid).children()
            own.kill()
            # The server's own one is not back yet, or stands by; then it may be the first again.
            until(lambda: state(service) == "worker")
            until(lambda: state(service) == "ready")
        until(lambda: state(service) == "ready")
