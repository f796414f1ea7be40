"""An operator's own files: any bytes are rows, coins, keys or proofs, or one error, never else."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from coincurve import PrivateKey

from prover.assets.attested import read_attestations
from prover.assets.bitcoin import read_coins
from prover.assets.evidence import build_evidence
from prover.assets.evm import read_addresses, read_proof
from prover.assets.hidden import Opening, load_hidden
from prover.config.announcement import Announcement
from prover.config.snapshot_toml import AssetConfig, HiddenConfig, SplitPolicy
from prover.errors import ProverError
from prover.hidden.make import _read_list
from tests.fuzz.corpus import run
from tests.support.ethereum_state import header
from verifier.format import wire
from verifier.format.evidence_records import HoldingAttestation, StateProof

FOLDER = Path(tempfile.mkdtemp())
FILE, LINES = FOLDER / "list.csv", FOLDER / "list.jsonl"
UNITS = (wire.Unit("bitcoin", "", 8),)
ASSET = AssetConfig("BTC", 8, wire.Ratio(1, 1), 1, SplitPolicy(1, 1), UNITS)
SNAPSHOT = Announcement((), (), "Example", bytes(32), "one", 1)
MESSAGES = {"bitcoin": "a message that nobody signed"}


def check_evidence(path: Path) -> None:
    build_evidence([path], [ASSET], MESSAGES, lambda _: None)


def check_coins(path: Path) -> None:
    read_coins(replace(ASSET, coins=(path,)), {})


def check_opening(path: Path) -> None:
    load_hidden([HiddenConfig("BTC", path, path)], [ASSET])


def check_attestation(path: Path) -> None:
    read_attestations([replace(ASSET, attestations=(path,))], SNAPSHOT)


READERS: list[Callable[[Path], object]] = [
    check_evidence,
    check_coins,
    _read_list,
    lambda path: read_addresses(path, "ethereum"),
    lambda path: read_addresses(path, "bitcoin"),
    read_proof,
    check_opening,
    check_attestation,
]


def target(data: bytes) -> None:
    """Input: a byte that chooses reader and format, and the file."""
    if not data:
        return
    path = LINES if data[0] & 0x80 else FILE
    path.write_bytes(data[1:])
    with contextlib.suppress(ProverError):
        READERS[(data[0] & 0x7F) % len(READERS)](path)


if __name__ == "__main__":
    key = PrivateKey(bytes([1]) * 32).public_key.format().hex()
    row = '{"asset": "BTC", "chain": "bitcoin", "address": "1", "amount": 1}\n'
    texts = [
        (0, "asset,chain,address,amount,format,signature\nBTC,bitcoin,1,5,bip322,x\n"),
        (0x80, row),
        (1, f"address,txid,index,amount\nx,{'ab' * 32},0,5\n"),
        (2, f"public_key,amount\n{key},5\n"),
        (0x82, f'{{"public_key": "{key}", "amount": 5}}\n'),
        (3, "0x4242424242424242424242424242424242424242\n"),
        (4, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT\n"),
    ]
    proof = wire.write_record(StateProof("ethereum", header(bytes(32), 7), (b"\x80",)))
    opening = wire.write_record(Opening(bytes(32), bytes(33), bytes(16)))
    signed = wire.write_record(HoldingAttestation(b"\x80", bytes(32), bytes(64)))
    files = [bytes([choice]) + text.encode() for choice, text in texts]
    run(target, [*files, b"\x05" + proof, b"\x06" + opening, b"\x07" + signed], 4096)
