"""The bytes of a bundle are fixed: how the prover goes about its work must not show in them."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pytest

from prover.liabilities import leaves, pages
from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot
from tests.support.exchange_files import files

# SHA-256 over the path, length and bytes of every file, of a sample and a salt that never change.
EXPECTED = "7410fad508f8c921b5801f8ac26da5eeeb30e12018ee5bbcccc128a552d413c7"


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
    ("jobs", "piece", "band_chunks", "chunk"), [(1, 1 << 16, 1 << 10, 64), (2, 100, 1, 5)]
)
def test_a_bundle_is_the_same_bytes_for_ever(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    piece: int,
    band_chunks: int,
    chunk: int,
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    monkeypatch.setattr(leaves, "PIECE", piece)
    monkeypatch.setattr(pages, "CHUNK_PAGES", chunk)
    monkeypatch.setattr(pages, "BAND_ENTRIES", band_chunks * chunk * 16)
    (config.parent / "keys" / "signing.pem.log").unlink(missing_ok=True)
    bundle = make_snapshot(config, tmp_path / "out", jobs).bundle
    assert digest_of(bundle) == EXPECTED
