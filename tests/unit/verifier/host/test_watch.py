"""How a place is looked at that has the newest bundle and no index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.outcomes import EXCHANGE, KEY, NOW
from verifier.errors import CannotCheck, Code
from verifier.host import watch
from verifier.host.audits import RETRY_SECONDS
from verifier.host.jobs import SignedManifest
from verifier.host.store import Store
from verifier.host.watch import Watcher


class Audits:
    """In place of an auditor: what is served, what an audit comes to, and how many there were."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.served = SignedManifest(b"m", b"s")
        self.error: Exception | None = CannotCheck(Code.CHECK_UNREADABLE, "timed out")
        self.count = 0
        self.meanwhile: list[str] = []

    def read(self, *_: object, **__: object) -> tuple[SignedManifest, bytes]:
        return self.served, KEY

    def settle(self, *_: object, **__: object) -> None:
        self.count += 1
        self.meanwhile.append(self.store.looks()[KEY][1])
        if self.error is not None:
            raise self.error


@pytest.fixture
def audits(tmp_path: Path) -> Iterator[Audits]:
    with closing(Store(tmp_path / "host.sqlite")) as store:
        yield Audits(store)


def test_a_bundle_that_cannot_be_audited_is_tried_again_each_hour(
    audits: Audits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at once where another manifest is served, or after one that could be audited."""
    clock = [float(NOW)]
    monkeypatch.setattr(
        watch, "time", SimpleNamespace(time=lambda: clock[0], monotonic=lambda: 0.0)
    )
    watcher = Watcher(EXCHANGE, 300, audits.store, *[audits] * 2)  # type: ignore[arg-type]

    def turn(after: float) -> tuple[int, Any]:
        clock[0] += after
        watcher.turn()
        return audits.count, audits.store.looks()[KEY][1]

    fault = "check.unreadable: timed out"
    assert turn(0) == (1, fault)
    assert turn(300) == (1, fault)
    assert turn(RETRY_SECONDS) == (2, fault)
    audits.served = SignedManifest(b"other", b"s")
    assert turn(300) == (3, fault)
    audits.error = None
    assert turn(300) == (3, fault)
    assert turn(RETRY_SECONDS) == (4, "")
    assert turn(300) == (5, "")
    assert audits.meanwhile == ["", fault, "", fault, ""]  # what is said while an audit goes on
