"""The bytes of a bundle are fixed: how the prover goes about its work must not show in them."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pytest

from prover.liabilities import plan
from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import files

# SHA-256 over the path, length and bytes of every file, of a sample and a salt that never change.
EXPECTED = "135f838321244dfd15436a2349af0efaf00c3e9bf084ea5b9f8107b25e473491"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same") / "exchange"
    return make_sample(folder, 900, ("BTC", "ETH", "USDT"), seed=11, page_size=16).config


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path, data in files(folder).items():
        digest.update(f"{path} {len(data)}\n".encode() + data)
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("jobs", "fewest", "most", "chunk"),
    [(1, 15, 20, 1 << 15), (2, 7, 20, 80), (7, 5, 6, 16), (2, 5, 20, 1 << 15)],
)
def test_a_bundle_is_the_same_bytes_for_ever(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    fewest: int,
    most: int,
    chunk: int,
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    monkeypatch.setattr(plan, "FEWEST", fewest)
    monkeypatch.setattr(plan, "MOST", most)
    monkeypatch.setattr(plan, "CHUNK_ENTRIES", chunk)
    (config.parent / "keys" / "signing.pem.log").unlink(missing_ok=True)
    bundle = make_snapshot(config, tmp_path / "out", jobs).bundle
    assert digest_of(bundle) == EXPECTED
